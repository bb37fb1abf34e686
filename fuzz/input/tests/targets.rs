//! Every target is in each of the places where one has to be.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

/// Names in a folder, without their ends.
fn names(folder: &Path) -> BTreeSet<String> {
    let entries =
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned()).collect()
}

#[test]
fn every_target_has_seeds_a_property_test_and_a_line_in_the_guide() {
    let targets = names(&fuzz().join("fuzz_targets"));
    assert!(!targets.is_empty());
    assert_eq!(targets, names(&fuzz().join("seeds")), "the folders of seeds");
    let manifest = read(&fuzz().join("Cargo.toml"));
    let bins = manifest.split("[[bin]]").skip(1).filter_map(|bin| bin.split('"').nth(1));
    assert_eq!(targets, bins.map(str::to_owned).collect(), "the bins of fuzz/Cargo.toml");
    let guide = read(&fuzz().join("../CONTRIBUTING.md"));
    let (_, section) = guide.split_once("## Fuzzing\n").expect("a section on it");
    let rows = section.lines().filter(|line| line.starts_with("| `sage-"));
    let told = rows.flat_map(|row| row.split('`').skip(3).step_by(2).map(str::to_owned));
    assert_eq!(targets, told.collect(), "the table in CONTRIBUTING.md");
    let tests: String = ["cluster", "dataflow", "http", "llm", "retrieval", "cli"]
        .map(|name| read(&fuzz().join(format!("../engine/{name}/src/fuzzing.rs"))))
        .concat();
    for target in &targets {
        assert!(tests.contains(&format!("try_all(\"{target}\", ")), "no test tries {target}");
        let body = read(&fuzz().join(format!("fuzz_targets/{target}.rs")));
        assert!(body.contains(&format!("::fuzzing::{target}(input)")), "{target} calls another");
    }
}
