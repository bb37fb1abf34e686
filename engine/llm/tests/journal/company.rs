//! Many tasks, many threads, several processes.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use sage_llm::journal::{JournalError, Key, Kind, Stored, clear, survey};

use crate::support::{Other, answer, block, content, key, open, record, run, segments};

#[test]
fn tasks_find_what_any_of_them_was_told_is_durable() {
    let folder = tempfile::tempdir().unwrap();
    let journal = run(folder.path());
    let told = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for thread in 0..4u64 {
            let (journal, told) = (journal.clone(), &told);
            scope.spawn(move || {
                block(async {
                    let mut tasks = tokio::task::JoinSet::new();
                    for number in (0..100).map(|number| thread * 1000 + number) {
                        let journal = journal.clone();
                        tasks.spawn(async move {
                            let stored = answer(number, (number % 700) as usize);
                            journal.record(key(number), stored).await.unwrap();
                            number
                        });
                    }
                    while let Some(done) = tasks.join_next().await {
                        told.lock().unwrap().push(done.unwrap());
                        let seen = told.lock().unwrap().clone();
                        for number in seen.into_iter().rev().take(20) {
                            let expected = answer(number, (number % 700) as usize);
                            assert_eq!(journal.lookup(&key(number)), Some(expected));
                        }
                    }
                });
            });
        }
    });
    let stats = journal.stats();
    assert_eq!((stats.entries, stats.appended, stats.failed), (400, 400, 0));
    assert_eq!((stats.misses, stats.damaged), (0, 0));
    drop(journal);
    assert_eq!(run(folder.path()).stats().entries, 400);
}

/// Look again until another process's answer is seen.
fn eventually(journal: &sage_llm::journal::Journal, key: &Key) -> Option<Stored> {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let found = journal.lookup(key);
        if found.is_some() || Instant::now() > until {
            return found;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn processes_share_a_content_cache() {
    let folder = tempfile::tempdir().unwrap();
    let mut other = Other::start(folder.path(), Kind::Content, 0, true);
    assert_eq!(other.step(), "ack 0");
    let journal = content(folder.path());
    assert_eq!(journal.lookup(&key(0)), Some(answer(0, 500)), "it was there at the start");

    record(&journal, [(key(100), answer(100, 500))]);
    assert_eq!(segments(folder.path()).len(), 2, "each writes its own");
    assert_eq!(other.step(), "ack 1");
    assert_eq!(eventually(&journal, &key(1)), Some(answer(1, 500)), "a tail that grew");

    let mut third = Other::start(folder.path(), Kind::Content, 200, true);
    assert_eq!(third.step(), "ack 200");
    assert_eq!(eventually(&journal, &key(200)), Some(answer(200, 500)), "a new segment");
    assert_eq!(survey(folder.path()).unwrap().in_use, 3);

    // Killed in the middle: the segment is free, and the next one to come goes on with it.
    other.kill();
    let mut heir = Other::start(folder.path(), Kind::Content, 300, true);
    assert_eq!(heir.step(), "ack 300");
    assert_eq!(segments(folder.path()).len(), 3, "no fourth file");
    assert_eq!(eventually(&journal, &key(300)), Some(answer(300, 500)));
    for number in [0, 1, 100, 200, 300] {
        assert_eq!(journal.lookup(&key(number)), Some(answer(number, 500)));
    }
    assert_eq!(journal.stats().damaged, 0);
    third.end();
    heir.end();
}

#[test]
fn one_process_at_a_time_has_the_journal_of_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let mut other = Other::start(folder.path(), Kind::Run, 0, true);
    assert_eq!(other.step(), "ack 0");
    let error = open(folder.path(), 64 << 20, Kind::Run).unwrap_err();
    assert_eq!(error, JournalError::InUse { path: folder.path().to_owned() });
    assert_eq!(other.step(), "ack 1");
    other.kill();
    let journal = run(folder.path());
    assert_eq!(journal.lookup(&key(1)), Some(answer(1, 500)));
    assert!(open(folder.path(), 64 << 20, Kind::Run).is_err(), "also in one process");
    let error = open(folder.path(), 64 << 20, Kind::Content).unwrap_err();
    assert_eq!(error, JournalError::InUse { path: folder.path().to_owned() });
    drop(journal);
    let error = open(folder.path(), 64 << 20, Kind::Content).unwrap_err();
    assert!(matches!(error, JournalError::NotAJournal { .. }), "{error}");
}

#[test]
fn clearing_leaves_what_a_process_writes() {
    let folder = tempfile::tempdir().unwrap();
    let mut other = Other::start(folder.path(), Kind::Content, 0, true);
    assert_eq!(other.step(), "ack 0");
    let journal = content(folder.path());
    record(&journal, [(key(100), answer(100, 500))]);
    journal.close();

    let cleared = clear(folder.path(), None).unwrap();
    assert_eq!((cleared.removed, cleared.in_use), (1, 1));
    assert_eq!(other.step(), "ack 1");
    other.kill();
    let journal = content(folder.path());
    assert_eq!(journal.lookup(&key(100)), None);
    for number in 0..2 {
        assert_eq!(journal.lookup(&key(number)), Some(answer(number, 500)));
    }

    let folder = tempfile::tempdir().unwrap();
    let mut other = Other::start(folder.path(), Kind::Run, 0, true);
    assert_eq!(other.step(), "ack 0");
    let cleared = clear(folder.path(), None).unwrap();
    assert_eq!((cleared.removed, cleared.in_use), (0, 1));
    other.kill();
    assert_eq!(clear(folder.path(), None).unwrap().removed, 1);
    assert!(segments(folder.path()).is_empty());
}

#[test]
fn a_reader_survives_that_its_cache_is_cleared() {
    let folder = tempfile::tempdir().unwrap();
    record(&content(folder.path()), [(key(1), answer(1, 500))]);
    let journal = content(folder.path());
    assert_eq!(clear(folder.path(), None).unwrap().removed, 1);
    // Its file is gone by name but open; the next writer gets the same name.
    let mut other = Other::start(folder.path(), Kind::Content, 2, true);
    assert_eq!(other.step(), "ack 2");
    assert_eq!(eventually(&journal, &key(2)), Some(answer(2, 500)));
    assert_eq!(journal.lookup(&key(1)), None, "seen to be gone");
    assert_eq!(journal.stats().dropped, 1);
    other.end();
}
