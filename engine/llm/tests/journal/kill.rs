//! What was acknowledged survives `kill -9`, and a full disk costs answers but not the journal.

use std::time::Duration;

use proptest::prelude::*;
use sage_llm::journal::Kind;

use crate::support::{Other, answer, key, run, segments};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn every_acknowledged_answer_is_there_after_a_kill(
        lives in prop::collection::vec((0u64..150, 0usize..200_000), 1..4),
        content in any::<bool>(),
    ) {
        let kind = if content { Kind::Content } else { Kind::Run };
        let folder = tempfile::tempdir().unwrap();
        let mut all = Vec::new();
        for (life, (ms, size)) in (0..).zip(lives) {
            let first = life * 1_000_000;
            let other = Other::prefixed(None, folder.path(), kind, first, size, false);
            // At least one, then a moment that depends on nothing the writer does.
            let line = other.line().unwrap();
            std::thread::sleep(Duration::from_millis(ms));
            let number = line.strip_prefix("ack ").unwrap().parse().unwrap();
            all.extend([number].into_iter().chain(other.kill()).map(|number| (number, size)));
        }
        let journal = crate::support::open(folder.path(), 64 << 20, kind).unwrap();
        let stats = journal.stats();
        prop_assert!(stats.damaged <= 1, "more than the last tail is torn: {:?}", stats);
        // Within the bound nothing is dropped; where it is, the newest are there.
        let size: u64 = all.iter().map(|(_, size)| *size as u64 + 200).sum();
        for (number, size_of) in all {
            let found = journal.lookup(&key(number));
            if let Some(found) = &found {
                prop_assert_eq!(found, &answer(number, size_of));
            }
            prop_assert!(found.is_some() || size > 50 << 20, "{} is lost", number);
        }
        drop(journal);
        let again = crate::support::open(folder.path(), 64 << 20, kind).unwrap().stats();
        prop_assert_eq!((again.entries, again.damaged), (stats.entries, 0));
    }
}

#[test]
fn a_file_that_cannot_grow_costs_answers_but_not_the_journal() {
    let folder = tempfile::tempdir().unwrap();
    // Files of at most 64 KiB; what is more is an error and no signal.
    let prefix = "trap '' XFSZ; ulimit -f 128;";
    let mut other = Other::prefixed(Some(prefix), folder.path(), Kind::Run, 0, 10_000, true);
    let lines: Vec<String> = (0..30).map(|_| other.step()).collect();
    other.end();

    let failed: Vec<&String> = lines.iter().filter(|line| line.starts_with("no ")).collect();
    assert!(!failed.is_empty() && failed.len() < 8, "{lines:?}");
    for words in ["cannot write", "answers-000001.seg", "choose another folder"] {
        assert!(failed[0].contains(words), "{}", failed[0]);
    }
    let journal = run(folder.path());
    for (number, line) in (0..).zip(&lines) {
        let kept = line == &format!("ack {number}");
        assert_eq!(journal.lookup(&key(number)), kept.then(|| answer(number, 10_000)));
    }
    assert!(segments(folder.path()).len() > 1, "it went on in another file");
    assert_eq!(journal.stats().damaged, 0, "half-written entries were cut off at once");
}
