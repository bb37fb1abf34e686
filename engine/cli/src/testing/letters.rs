//! The dead letters of a test, for whoever wants to know why it failed.

use std::io::{BufRead, BufReader};
use std::path::Path;

use anyhow::Context;
use sage_dataflow::DEAD_LETTERS;
use serde_json::Value;

/// Letters that are kept: the first say what is wrong.
const KEPT: usize = 5;

/// What failed in a test.
#[derive(Default)]
pub(crate) struct Letters {
    pub(crate) count: usize,
    /// The first of them.
    pub(crate) first: Vec<Value>,
}

/// Reads them from the folder of a run whose files are whole.
pub(super) fn of(folder: &Path) -> anyhow::Result<Letters> {
    let path = folder.join(DEAD_LETTERS);
    let shown = || format!("cannot read `{}`", path.display());
    let file = match std::fs::File::open(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Letters::default()),
        file => file.with_context(shown)?,
    };
    let mut letters = Letters::default();
    for line in BufReader::new(file).lines() {
        let line = line.with_context(shown)?;
        letters.count += 1;
        if letters.first.len() < KEPT {
            letters.first.push(serde_json::from_str(&line).with_context(shown)?);
        }
    }
    Ok(letters)
}
