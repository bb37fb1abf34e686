//! Journals under damage, for fuzz targets and property tests.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use fuzz_input::{Choices, harm};

use super::segment::HEADER;
use super::{
    Journal, JournalConfig, JournalError, Key, KeyBuilder, Kind, LEAST_BYTES, Stored, folder,
    frame, survey,
};

/// Entries of all segments together, and harms done to them.
const ENTRIES: usize = 12;
const HARMS: usize = 4;
/// Keys under which answers are recorded.
const KEYS: u64 = 6;

fn key(number: u64) -> Key {
    KeyBuilder::new("fuzz").number(number).finish()
}

fn answer(choices: &mut Choices<'_>, number: usize) -> Stored {
    let mut body = format!("[{{\"text\":\"{number}").into_bytes();
    // Bytes that look like an entry are none.
    if choices.flag() {
        body.extend_from_slice(&frame::MARK);
    }
    body.resize(body.len() + choices.below(200), b'x');
    Stored {
        body: body.into(),
        prompt_tokens: number as u64,
        completion_tokens: choices.number(),
        simulated: choices.flag(),
        model: "m".repeat(choices.below(4)),
    }
}

/// What was recorded, by key, and the segments that hold a key.
#[derive(Default)]
struct Written {
    answers: HashMap<u64, Vec<Stored>>,
    places: HashMap<u64, HashSet<PathBuf>>,
}

/// Segments of some entries, as a writer leaves them.
fn write(path: &Path, choices: &mut Choices<'_>) -> Written {
    let mut written = Written::default();
    let mut segment = HEADER.to_vec();
    let mut number = 1;
    for entry in 0..choices.below(ENTRIES) {
        let which = choices.number() % KEYS;
        let stored = answer(choices, entry);
        let offset = segment.len() as u64;
        frame::write(&mut segment, offset, entry as u64, &key(which), &stored);
        written.answers.entry(which).or_default().push(stored);
        written.places.entry(which).or_default().insert(folder::segment(path, number));
        if choices.byte().is_multiple_of(4) {
            fs::write(folder::segment(path, number), &segment).expect("a segment");
            segment.truncate(HEADER.len());
            number += 1;
        }
    }
    fs::write(folder::segment(path, number), &segment).expect("a segment");
    written
}

/// Damage segments, or the lock file; gives the files that are not as they were.
fn damage(path: &Path, choices: &mut Choices<'_>) -> HashSet<PathBuf> {
    let mut harmed = HashSet::new();
    for _ in 0..HARMS {
        let mut all: Vec<PathBuf> =
            fs::read_dir(path).expect("a folder").flatten().map(|entry| entry.path()).collect();
        all.sort();
        if choices.is_empty() || all.is_empty() {
            break;
        }
        let (one, other) = (&all[choices.below(all.len())], &all[choices.below(all.len())]);
        match choices.byte() % 8 {
            0 => drop(fs::copy(one, other)),
            1 => drop(fs::remove_file(other)),
            2 => {
                let mut bytes = fs::read(other).expect("a file");
                bytes.extend(fs::read(one).expect("a file"));
                fs::write(other, bytes).expect("a file");
            }
            _ => {
                let mut bytes = fs::read(other).expect("a file");
                harm(&mut bytes, choices);
                fs::write(other, bytes).expect("a file");
            }
        }
        harmed.insert(other.clone());
    }
    harmed
}

/// A journal whose files are damaged: a lookup gives an answer that was recorded under its key or
/// nothing, what stands in whole files is found, and the journal goes on.
pub fn journal_files(input: &[u8]) {
    let mut choices = Choices::new(input);
    let scratch = tempfile::tempdir().expect("a folder");
    let path = scratch.path();
    let open = || {
        let config =
            JournalConfig { path: path.to_owned(), max_bytes: LEAST_BYTES, kind: Kind::Run };
        Journal::open(config)
    };
    drop(open().expect("an empty folder"));
    let written = write(path, &mut choices);
    let harmed = damage(path, &mut choices);
    let seen = survey(path);
    let journal = match open() {
        Ok(journal) => journal,
        Err(error) => {
            let lock = harmed.iter().any(|path| path.ends_with("journal.lock"));
            assert!(lock, "only the lock file decides whether it is a journal: {error}");
            assert!(error.to_string().contains(&path.display().to_string()), "{error}");
            return;
        }
    };
    if let Err(error) = seen {
        let gone = harmed.iter().any(|path| path.ends_with("journal.lock"));
        assert!(gone || !matches!(error, JournalError::NotAJournal { .. }), "{error}");
    }
    let sound = |journal: &Journal| {
        for number in 0..KEYS {
            let found = journal.lookup(&key(number));
            let recorded = written.answers.get(&number).map_or(&[][..], Vec::as_slice);
            let whole =
                written.places.get(&number).is_some_and(|places| places.is_disjoint(&harmed));
            match found {
                Some(stored) => {
                    assert!(recorded.contains(&stored), "an altered answer: {stored:?}");
                }
                None => assert!(!whole, "an answer in a whole file is lost"),
            }
            if harmed.is_empty() {
                assert_eq!(journal.lookup(&key(number)).as_ref(), recorded.last());
            }
        }
    };
    sound(&journal);
    let fresh = answer(&mut choices, ENTRIES);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let recorded = runtime.expect("a runtime").block_on(journal.record(key(KEYS), fresh.clone()));
    recorded.expect("it goes on");
    assert_eq!(journal.lookup(&key(KEYS)), Some(fresh.clone()));
    drop(journal);
    let journal = open().expect("and is opened again");
    assert_eq!(journal.lookup(&key(KEYS)), Some(fresh));
    sound(&journal);
}
