//! A target as a property test: on its seeds as they are, on seeds with damage, on any bytes.

use std::fs;
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestError, TestRunner};

use super::{Choices, harm};

/// The files in `fuzz/seeds/TARGET`, in order of their names.
///
/// # Panics
/// If there are none: a target without seeds finds little.
pub fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../seeds")).join(target);
    let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "there are no seeds in {}", folder.display());
    let read = |path| fs::read(path).unwrap_or_else(|why| panic!("{}: {why}", folder.display()));
    paths.iter().map(read).collect()
}

/// Call `check` with every seed of `target`, and with `cases` inputs that come from them or from
/// nowhere, or as many as the variable `FUZZ_CASES` says. It panics where something is wrong.
///
/// # Panics
/// If `check` does, with the smallest input found.
pub fn try_all(target: &str, cases: u32, check: impl Fn(&[u8])) {
    let seeds = seeds(target);
    seeds.iter().for_each(|seed| check(seed));
    let of_seed = (0..seeds.len(), vec(any::<u8>(), 0..40)).prop_map(move |(seed, damage)| {
        let mut bytes = seeds[seed].clone();
        let mut choices = Choices::new(&damage);
        while !choices.is_empty() {
            harm(&mut bytes, &mut choices);
        }
        bytes
    });
    let inputs = prop_oneof![4 => of_seed, 1 => vec(any::<u8>(), 0..400)];
    let more = std::env::var("FUZZ_CASES").ok().and_then(|cases| cases.parse().ok());
    let cases = more.unwrap_or(cases);
    let mut runner =
        TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(cases) });
    let outcome = runner.run(&inputs, |input| {
        check(&input);
        Ok(())
    });
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(why, input)) => {
            panic!("{target}: {why}\nwith b\"{}\"", input.escape_ascii())
        }
        Err(why) => panic!("{target}: {why}"),
    }
}
