//! The bound on the disk, the limits of an entry, and disks that fail.

use std::fs;

use sage_llm::journal::{JournalError, Kind, LEAST_BYTES};

use crate::support::{MIB, answer, block, bytes, key, open, quick_folder, record, run, segments};

#[test]
fn the_oldest_answers_go_and_the_bound_holds() {
    for kind in [Kind::Run, Kind::Content] {
        let folder = quick_folder();
        let journal = open(folder.path(), MIB, kind).unwrap();
        let mut dropped = 0;
        for round in 0..40 {
            let numbers = (0..100).map(|number| round * 100 + number);
            record(&journal, numbers.map(|number| (key(number), answer(number, 1000))));
            assert!(bytes(folder.path()) <= MIB, "{}", bytes(folder.path()));
            let stats = journal.stats();
            assert_eq!(stats.bytes, bytes(folder.path()));
            assert_eq!(stats.entries + stats.dropped, (round + 1) * 100);
            assert!(stats.dropped >= dropped);
            dropped = stats.dropped;
        }
        let stats = journal.stats();
        assert!(stats.entries > 800 && stats.entries < 1000, "{stats:?}");
        for number in 0..4000 {
            let kept = number >= 4000 - stats.entries;
            assert_eq!(journal.lookup(&key(number)), kept.then(|| answer(number, 1000)));
        }
        drop(journal);

        let smaller = open(folder.path(), MIB / 4, kind).unwrap();
        assert!(bytes(folder.path()) <= MIB / 4, "a smaller bound holds at once");
        assert_eq!(smaller.lookup(&key(3999)), Some(answer(3999, 1000)));
    }
}

#[test]
fn new_answers_in_an_old_segment_do_not_go_first() {
    let folder = quick_folder();
    let cache = || open(folder.path(), LEAST_BYTES, Kind::Content).unwrap();
    let (one, two) = (cache(), cache());
    record(&one, [(key(0), answer(0, 100))]);
    record(&two, (1..11).map(|number| (key(number), answer(number, 3000))));
    drop((one, two));
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    for path in segments(folder.path()) {
        fs::File::options().append(true).open(path).unwrap().set_modified(old).unwrap();
    }
    let cache = cache();
    record(&cache, [(key(100), answer(100, 100))]);
    assert_eq!(segments(folder.path()).len(), 11, "the first, which has room, goes on");
    record(&cache, (101..113).map(|number| (key(number), answer(number, 3000))));
    assert!(cache.stats().dropped > 0);
    assert_eq!(cache.lookup(&key(1)), None);
    for (number, size) in [(0, 100), (100, 100), (112, 3000)] {
        assert_eq!(cache.lookup(&key(number)), Some(answer(number, size)));
    }
}

#[test]
fn large_answers_keep_the_bound_too() {
    let folder = quick_folder();
    let journal = open(folder.path(), LEAST_BYTES, Kind::Run).unwrap();
    for number in 0..50 {
        let size = if number % 3 == 0 { 30_000 } else { 100 };
        record(&journal, [(key(number), answer(number, size))]);
        assert_eq!(journal.lookup(&key(number)), Some(answer(number, size)));
        assert!(bytes(folder.path()) <= LEAST_BYTES);
    }
    let error = block(journal.record(key(99), answer(99, 40_000))).unwrap_err();
    assert!(matches!(error, JournalError::TooLarge { most: 32_768, .. }), "{error}");
    let mut odd = answer(99, 1);
    odd.model = "m".repeat(70_000);
    let error = block(run(&folder.path().join("other")).record(key(99), odd)).unwrap_err();
    assert!(matches!(error, JournalError::TooLarge { .. }), "{error}");
    let error = open(folder.path(), LEAST_BYTES - 1, Kind::Run).unwrap_err();
    assert!(matches!(error, JournalError::Bound { .. }), "{error}");
}

#[test]
fn many_short_lives_leave_few_files() {
    let folder = quick_folder();
    for kind in [Kind::Run, Kind::Content] {
        let folder = folder.path().join(kind.name());
        for number in 0..100 {
            record(&open(&folder, MIB, kind).unwrap(), [(key(number), answer(number, 100))]);
        }
        assert_eq!(segments(&folder).len(), 1);
        assert_eq!(open(&folder, MIB, kind).unwrap().stats().entries, 100);
    }
}

#[test]
fn a_folder_that_vanishes_is_an_error_until_it_is_back() {
    let outer = quick_folder();
    let folder = outer.path().join("journal");
    let journal = run(&folder);
    record(&journal, [(key(1), answer(1, 100))]);
    fs::remove_dir_all(&folder).unwrap();
    for number in 2..5 {
        let error = block(journal.record(key(number), answer(number, 100))).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(&folder.display().to_string()), "{text}");
        assert!(text.contains("create it"), "{text}");
        assert_eq!(journal.lookup(&key(number)), None, "not durable, not there");
    }
    assert_eq!(journal.stats().failed, 3);
    fs::create_dir(&folder).unwrap();
    record(&journal, [(key(5), answer(5, 100))]);
    assert_eq!(journal.lookup(&key(5)), Some(answer(5, 100)));
    assert_eq!(segments(&folder).len(), 1);
}

#[test]
fn a_place_that_is_no_folder_is_an_error() {
    let outer = quick_folder();
    let file = outer.path().join("file");
    fs::write(&file, "words").unwrap();
    for path in [file.clone(), file.join("below")] {
        let text = open(&path, MIB, Kind::Run).unwrap_err().to_string();
        assert!(text.contains(&path.display().to_string()), "{text}");
        assert!(text.contains("choose another folder"), "{text}");
    }
    assert_eq!(fs::read(&file).unwrap(), b"words");
}

#[test]
fn a_closed_journal_answers_but_keeps_no_more() {
    let folder = quick_folder();
    let journal = run(folder.path());
    record(&journal, [(key(1), answer(1, 100))]);
    block(journal.flush()).unwrap();
    journal.close();
    journal.close();
    assert_eq!(journal.lookup(&key(1)), Some(answer(1, 100)));
    let closed = JournalError::Closed { path: folder.path().to_owned() };
    assert_eq!(block(journal.record(key(2), answer(2, 100))), Err(closed.clone()));
    assert_eq!(block(journal.flush()), Err(closed));
    // Its locks are free although a handle is left.
    record(&run(folder.path()), [(key(2), answer(2, 100))]);
}

#[test]
fn an_entry_nobody_waits_for_is_written_all_the_same() {
    let folder = quick_folder();
    let journal = run(folder.path());
    block(async {
        let mut waiting = Box::pin(journal.record(key(1), answer(1, 100)));
        let polled = std::future::poll_fn(|context| {
            std::task::Poll::Ready(waiting.as_mut().poll(context).is_pending())
        });
        let _pending = polled.await;
        drop(waiting);
    });
    block(journal.flush()).unwrap();
    assert_eq!(journal.lookup(&key(1)), Some(answer(1, 100)));
}
