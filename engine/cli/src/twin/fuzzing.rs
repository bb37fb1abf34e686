//! Recorded runs under damage, for fuzz targets and property tests.

use std::fs;
use std::path::Path;

use fuzz_input::{Choices, harm, other_number};

use super::{Change, Recording, replay};

/// Files of a recorded run.
const FILES: [&str; 5] = ["tasks.csv", "plan.json", "setup.json", "decisions.csv", "metrics.json"];
/// Changes of a file.
const CHANGES: usize = 6;

/// A real run, one of whose files is changed: an error that names it, or a run that can be replayed.
pub fn recording(input: &[u8]) {
    let mut choices = Choices::new(input);
    let whole = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/recording"));
    let folder = tempfile::tempdir().expect("a folder");
    for file in FILES {
        fs::copy(whole.join(file), folder.path().join(file)).expect("a file");
    }
    let path = folder.path().join(FILES[choices.below(FILES.len())]);
    let mut bytes = fs::read(&path).expect("a file");
    for _ in 0..CHANGES {
        if choices.is_empty() {
            break;
        }
        if choices.byte().is_multiple_of(4) {
            harm(&mut bytes, &mut choices);
        } else {
            other_number(&mut bytes, &mut choices);
        }
    }
    fs::write(&path, bytes).expect("a file");
    let recording = match Recording::read(folder.path()) {
        Ok(recording) => recording,
        Err(why) => {
            let why = why.to_string();
            assert!(why.contains(&folder.path().display().to_string()), "it names no file: {why}");
            return;
        }
    };
    let _ = recording.summary();
    let fifo = Some(("fifo".to_owned(), Vec::new()));
    for change in
        [Change::default(), Change { policy: fifo, workers: Some(2), ..Change::default() }]
    {
        if let Err(why) = replay(&recording, &change) {
            assert!(!why.to_string().is_empty());
        }
    }
}
