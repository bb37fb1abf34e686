//! Each row of the tables of faults in `docs/reliability.md` names a test that there is: a promise
//! that nothing tries is none.

use std::fs;
use std::path::{Path, PathBuf};

/// What stands in the place of a test that is not ours.
const OF_OTHERS: &[&str] = &["the client's"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Texts between backticks.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Where tests of a section are that have no path: the file or the folder it names.
fn place_of(section: &str) -> PathBuf {
    let prose = section.lines().filter(|line| !line.starts_with('|'));
    let named = prose.flat_map(code).find(|word| word.starts_with("engine/"));
    PathBuf::from(named.unwrap_or("engine/cli/tests"))
}

/// Whether the test is there; `PATH`, `PATH::NAME` or `NAME`.
fn is_there(test: &str, place: &Path) -> bool {
    let (path, name) = match test.split_once("::") {
        Some((path, name)) => (Some(path), Some(name)),
        None if Path::new(test).extension().is_some_and(|end| end == "rs") => (Some(test), None),
        None => (None, Some(test)),
    };
    let path = match path {
        Some(path) if path.starts_with("engine/") => path.into(),
        Some(path) => Path::new("engine/cli/tests").join(path),
        None => place.to_owned(),
    };
    let Ok(text) = fs::read_to_string(root().join(path)) else { return false };
    name.is_none_or(|name| text.contains(&format!("fn {name}(")))
}

#[test]
fn every_fault_of_the_matrix_names_a_test_that_is_there() {
    let text = fs::read_to_string(root().join("docs/reliability.md")).expect("the page");
    let mut problems = Vec::new();
    let mut rows = 0;
    for section in text.split("\n## ") {
        let place = place_of(section);
        let table = section.lines().filter(|line| line.starts_with("| "));
        let cells = |line: &str| -> Vec<String> {
            line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect()
        };
        let mut lines = table.map(cells);
        let Some(column) =
            lines.next().and_then(|head| head.iter().position(|cell| cell == "test"))
        else {
            continue;
        };
        let mut known = false;
        for row in lines {
            rows += 1;
            let cell = row.get(column).map_or("", String::as_str);
            match code(cell).next() {
                Some(test) if is_there(test, &place) => known = true,
                Some(test) => problems.push(format!("{}: there is no test `{test}`", row[0])),
                None if known && cell == "the same" || OF_OTHERS.contains(&cell) => {}
                None => problems.push(format!("{}: `{cell}` is no test", row[0])),
            }
        }
    }
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
    assert!(rows > 40, "only {rows} rows were found");
}

#[test]
fn a_test_that_is_not_there_is_missed() {
    let place = Path::new("engine/cli/tests/matrix.rs");
    assert!(is_there("a_test_that_is_not_there_is_missed", place));
    assert!(
        is_there("matrix.rs::is_there", place) && is_there("engine/cli/tests/matrix.rs", place)
    );
    assert!(!is_there("a_test_of_nothing", place) && !is_there("none.rs::is_there", place));
}
