//! Formatting: twice is once, and nothing is lost, over real programs in every shape.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::compile_with;
use proptest::prelude::*;
use sage_dsl::{NotFormatted, format};

fn programs(folder: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let files = fs::read_dir(&root).expect("the folder exists");
    let paths = files.map(|entry| entry.expect("readable").path());
    let programs = paths.filter(|path| path.extension().is_some_and(|ext| ext == "sage"));
    programs.map(|path| (path.clone(), fs::read_to_string(path).expect("readable"))).collect()
}

/// Everything but blanks.
fn ink(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace() && *c != '\u{FEFF}').collect()
}

fn formatted(name: &str, text: &str) -> Option<String> {
    match format(name, text) {
        Ok(out) => {
            assert_eq!(ink(text), ink(&out), "{name}: something was lost");
            assert_eq!(format(name, &out).ok().as_ref(), Some(&out), "{name}: twice is not once");
            Some(out)
        }
        Err(NotFormatted::Mistakes { diagnostics, .. }) => {
            assert!(!diagnostics.is_empty(), "{name}");
            None
        }
        Err(NotFormatted::WouldChange) => panic!("{name}: the layout would change what it says"),
    }
}

#[test]
fn good_programs_are_formatted_and_keep_their_plan() {
    for (path, text) in programs("tests/corpus/ok") {
        let name = path.display().to_string();
        let out = formatted(&name, &text).unwrap_or_else(|| panic!("{name} is not formatted"));
        let compiled = |text: &str| {
            let mut compiled = compile_with("pipelines/x.sage", text, &[], &[]);
            for plan in &mut compiled.plans {
                plan.nodes.clear(); // they hold lines; what they say was compared as a tree
                plan.sinks.clear();
                plan.endpoints.clear();
                plan.indexes.clear();
            }
            compiled.plans
        };
        assert_eq!(compiled(&text), compiled(&out), "{name}");
    }
}

#[test]
fn broken_programs_are_left_alone() {
    let broken = programs("tests/corpus/err");
    let left =
        broken.iter().filter(|(path, text)| formatted(&path.display().to_string(), text).is_none());
    assert!(left.count() > 10);
}

#[test]
fn the_shipped_programs_are_laid_out_so() {
    let folders = ["../pipelines", "../experiments"];
    let shipped: Vec<_> = folders.iter().flat_map(|folder| programs(folder)).collect();
    assert!(shipped.len() > 10);
    for (path, text) in shipped {
        let name = path.display().to_string();
        assert_eq!(formatted(&name, &text).as_ref(), Some(&text), "run `sage-flow fmt {name}`");
    }
}

const SEEDS: &[&str] = &[
    include_str!("corpus/ok/rag.sage"),
    include_str!("corpus/ok/compute.sage"),
    include_str!("corpus/ok/expressions.sage"),
    include_str!("corpus/ok/endpoints.sage"),
    include_str!("corpus/ok/structured.sage"),
    include_str!("corpus/ok/own_experiments.sage"),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Blanks, line ends and comments where the author never set them.
    #[test]
    fn any_layout_of_a_program_can_be_formatted(
        seed in 0..SEEDS.len(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..6), 1..40),
    ) {
        let mut text = SEEDS[seed].to_owned();
        for (at, edit) in edits {
            let blanks: Vec<usize> =
                text.match_indices([' ', '\n']).map(|(at, _)| at).collect();
            let Some(at) = (!blanks.is_empty()).then(|| blanks[at.index(blanks.len())]) else {
                continue;
            };
            let with = ["  ", "\n", "\n\n\n", "\t", " // a comment  \n", "\n      "][edit];
            text.replace_range(at..=at, with);
        }
        formatted("x.sage", &text);
    }

    #[test]
    fn no_text_breaks_the_formatter(text in "[ -~\n]{0,200}") {
        formatted("x.sage", &text);
    }
}
