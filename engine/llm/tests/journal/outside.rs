//! The journal seen from outside: survey, clear, modes of the files.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use sage_llm::journal::{JournalError, Kind, clear, survey};

use crate::support::{answer, bytes, key, open, record, run, segments};

#[test]
fn a_survey_counts_by_model_while_the_journal_is_open() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("journal");
    let journal = run(&folder);
    record(&journal, (0..12).map(|number| (key(number), answer(number, 100))));

    let seen = survey(&folder).unwrap();
    assert_eq!((seen.kind, seen.segments, seen.in_use, seen.damaged), (Kind::Run, 1, 1, 0));
    assert_eq!((seen.entries, seen.bytes), (12, bytes(&folder)));
    let rows: Vec<_> = seen.models.iter().map(|row| (row.model.as_str(), row.simulated)).collect();
    let expected = ["model-0", "model-1", "model-2"].into_iter();
    let expected: Vec<_> = expected.flat_map(|name| [(name, false), (name, true)]).collect();
    assert_eq!(rows, expected);
    assert!(seen.models.iter().all(|row| row.entries == 2 && row.completion_tokens == 200));
    assert_eq!(seen.models.iter().map(|row| row.prompt_tokens).sum::<u64>(), 66);
    assert_eq!(seen.models.iter().map(|row| row.bytes).sum::<u64>(), seen.bytes - 20);
    let (oldest, newest) = seen.recorded.unwrap();
    assert!(oldest <= newest && newest.elapsed().unwrap() < Duration::from_secs(3600));

    // A tail that its writer has not finished is no damage; left behind it is.
    let path = segments(&folder).remove(0);
    let mut torn = fs::read(&path).unwrap();
    torn.extend(&torn.clone()[20..60]);
    fs::write(&path, torn).unwrap();
    assert_eq!(survey(&folder).unwrap().damaged, 0);
    drop(journal);
    assert_eq!(survey(&folder).unwrap().damaged, 1);
    assert_eq!(survey(&folder).unwrap().entries, 12);
}

#[test]
fn only_journals_are_surveyed_and_cleared() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("answers-000001.seg"), "sage-flow answers 1\n").unwrap();
    let none = JournalError::NotAJournal { path: folder.path().to_owned() };
    assert_eq!(survey(folder.path()).unwrap_err(), none);
    assert_eq!(clear(folder.path(), None).unwrap_err(), none);
    fs::write(folder.path().join("journal.lock"), "of another program").unwrap();
    assert_eq!(clear(folder.path(), None).unwrap_err(), none);
    assert_eq!(open(folder.path(), 1 << 20, Kind::Run).unwrap_err(), none);
    fs::write(folder.path().join("journal.lock"), [0xFF, 0xFE]).unwrap();
    assert!(clear(folder.path(), None).is_err());
    assert_eq!(segments(folder.path()).len(), 1);
}

#[test]
fn clearing_by_age_keeps_the_young() {
    let folder = tempfile::tempdir().unwrap();
    record(&run(folder.path()), [(key(1), answer(1, 100))]);
    fs::write(folder.path().join("notes.txt"), "mine").unwrap();
    let cleared = clear(folder.path(), Some(Duration::from_secs(3600))).unwrap();
    assert_eq!((cleared.removed, cleared.younger), (0, 1));
    let old = std::time::SystemTime::now() - Duration::from_secs(7200);
    let file = fs::File::options().append(true).open(&segments(folder.path())[0]).unwrap();
    file.set_modified(old).unwrap();
    let cleared = clear(folder.path(), Some(Duration::from_secs(3600))).unwrap();
    assert_eq!((cleared.removed, cleared.younger), (1, 0));
    assert!(cleared.bytes > 100);
    assert!(folder.path().join("notes.txt").exists());
    assert_eq!(run(folder.path()).stats().entries, 0);
}

#[test]
fn answers_are_readable_for_their_owner_only() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("a/journal");
    record(&run(&folder), [(key(1), answer(1, 100))]);
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    for entry in fs::read_dir(&folder).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
    }
}
