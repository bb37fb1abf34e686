//! Whatever happens to the bytes: no panic, no wrong answer, no loss of what stood before.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use sage_llm::journal::Stored;

use crate::support::{answer, key, quick_folder, record, run, segments};

#[derive(Debug, Clone)]
enum Harm {
    Cut(f64),
    Flip(f64, u8),
    Overwrite(f64, Vec<u8>),
    Insert(f64, Vec<u8>),
    Remove(f64, usize),
    Append(Vec<u8>),
}

fn harm() -> impl Strategy<Value = Harm> {
    let bytes = || prop::collection::vec(any::<u8>(), 1..200);
    prop_oneof![
        (0.0..1.0).prop_map(Harm::Cut),
        ((0.0..1.0), 0u8..8).prop_map(|(at, bit)| Harm::Flip(at, bit)),
        ((0.0..1.0), bytes()).prop_map(|(at, bytes)| Harm::Overwrite(at, bytes)),
        ((0.0..1.0), bytes()).prop_map(|(at, bytes)| Harm::Insert(at, bytes)),
        ((0.0..1.0), 1usize..300).prop_map(|(at, count)| Harm::Remove(at, count)),
        bytes().prop_map(Harm::Append),
    ]
}

/// Do it; where the first changed byte is.
fn apply(bytes: &mut Vec<u8>, harm: &Harm) -> usize {
    let place = |at: &f64| (bytes.len() as f64 * at) as usize;
    match harm {
        Harm::Cut(at) => {
            let at = place(at);
            bytes.truncate(at);
            at
        }
        Harm::Flip(at, bit) => {
            let at = place(at);
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << bit;
            }
            at
        }
        Harm::Overwrite(at, with) => {
            let at = place(at);
            for (byte, with) in bytes[at..].iter_mut().zip(with) {
                *byte = *with;
            }
            at
        }
        Harm::Insert(at, with) => {
            let at = place(at);
            bytes.splice(at..at, with.iter().copied());
            at
        }
        Harm::Remove(at, count) => {
            let at = place(at);
            let end = (at + count).min(bytes.len());
            bytes.drain(at..end);
            at
        }
        Harm::Append(with) => {
            bytes.extend(with);
            bytes.len() - with.len()
        }
    }
}

/// Where the entry of this number begins and ends.
fn entry(bytes: &[u8], number: u64, entries: &[(u64, Stored)]) -> (usize, usize) {
    let size = |(_, stored): &(u64, Stored)| 76 + stored.model.len() + stored.body.len();
    let number = number as usize;
    let at = 20 + entries[..number].iter().map(size).sum::<usize>();
    assert_eq!(&bytes[at + 36..at + 68], key(number as u64).as_bytes(), "written in order");
    (at, at + size(&entries[number]))
}

/// A journal of one segment with answers of these sizes.
fn written(folder: &Path, sizes: &[usize]) -> (Vec<u8>, Vec<(u64, Stored)>) {
    let entries: Vec<_> = (0..).zip(sizes).map(|(n, size)| (n, answer(n, *size))).collect();
    record(&run(folder), entries.iter().map(|(n, stored)| (key(*n), stored.clone())));
    let [only] = segments(folder).try_into().unwrap();
    (fs::read(only).unwrap(), entries)
}

fn sizes() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(prop_oneof![0usize..300, 1000usize..20_000], 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_damage_loses_no_more_than_what_it_hits(
        sizes in sizes(),
        harms in prop::collection::vec(harm(), 1..4),
    ) {
        let folder = quick_folder();
        let (whole, entries) = written(folder.path(), &sizes);
        let mut bytes = whole.clone();
        let first = harms.iter().map(|harm| apply(&mut bytes, harm)).min().unwrap();
        fs::write(&segments(folder.path())[0], &bytes).unwrap();

        let journal = run(folder.path());
        for (number, stored) in &entries {
            let found = journal.lookup(&key(*number));
            prop_assert!(found.is_none() || found.as_ref() == Some(stored));
            let before = entry(&whole, *number, &entries).1 <= first;
            prop_assert!(found.is_some() || !before, "entry {number} stood before the damage");
        }
        let kept = entries.iter().filter(|(n, _)| journal.lookup(&key(*n)).is_some()).count();
        prop_assert_eq!(journal.stats().entries, kept as u64);

        // It goes on as if nothing had been.
        record(&journal, [(key(1000), answer(1000, 100))]);
        drop(journal);
        let journal = run(folder.path());
        prop_assert_eq!(journal.lookup(&key(1000)), Some(answer(1000, 100)));
        let again = entries.iter().filter(|(n, _)| journal.lookup(&key(*n)).is_some()).count();
        prop_assert_eq!(again, kept);
    }

    #[test]
    fn a_flipped_bit_loses_the_entry_it_is_in(
        sizes in sizes(),
        at in 0.0..1.0,
        bit in 0u8..8,
        open in any::<bool>(),
    ) {
        let folder = quick_folder();
        let (whole, entries) = written(folder.path(), &sizes);
        let mut bytes = whole.clone();
        let already = open.then(|| run(folder.path()));
        let at = apply(&mut bytes, &Harm::Flip(at, bit));
        fs::write(&segments(folder.path())[0], &bytes).unwrap();

        let journal = already.unwrap_or_else(|| run(folder.path()));
        for (number, stored) in &entries {
            let (start, end) = entry(&whole, *number, &entries);
            let hit = (start..end).contains(&at);
            prop_assert_eq!(journal.lookup(&key(*number)), (!hit).then(|| stored.clone()));
        }
        // An open journal does not look at a segment's header again.
        prop_assert!(journal.stats().damaged > 0 || open && at < 20);
    }

    #[test]
    fn a_cut_is_a_clean_end(sizes in sizes(), at in 0.0..1.0) {
        let folder = quick_folder();
        let (whole, entries) = written(folder.path(), &sizes);
        let mut bytes = whole.clone();
        let at = apply(&mut bytes, &Harm::Cut(at));
        fs::write(&segments(folder.path())[0], &bytes).unwrap();
        let ends: Vec<usize> =
            entries.iter().map(|(n, _)| entry(&whole, *n, &entries).1).collect();
        let kept = ends.iter().filter(|end| **end <= at).count() as u64;
        let clean = at == 20 || ends.contains(&at);

        let stats = run(folder.path()).stats();
        prop_assert_eq!(stats.entries, kept);
        prop_assert_eq!(stats.damaged, u64::from(!clean && at > 20));
        prop_assert_eq!(run(folder.path()).stats().damaged, 0, "what is cut is gone");
    }
}

#[test]
fn an_answer_that_looks_like_an_entry_is_none() {
    let folder = quick_folder();
    let (inner, _) = written(folder.path(), &[10, 10]);
    let other = quick_folder();
    let mut outer = answer(7, 0);
    outer.body = [&inner[..], &inner[20..]].concat().into();
    record(&run(other.path()), [(key(7), outer), (key(8), answer(8, 10))]);
    // Without its head the whole answer is searched for the next one.
    let path = &segments(other.path())[0];
    let mut bytes = fs::read(path).unwrap();
    bytes[30] ^= 1;
    fs::write(path, bytes).unwrap();

    let journal = run(other.path());
    assert_eq!(journal.lookup(&key(8)), Some(answer(8, 10)));
    assert_eq!(journal.stats().entries, 1, "nothing from inside the answer");
}

#[test]
fn files_of_others_stay_as_they_are() {
    let folder = quick_folder();
    let notes = "my notes, which no journal wrote".repeat(100);
    let newer = b"sage-flow answers 2\nsomething newer";
    fs::write(folder.path().join("answers-000001.seg"), &notes).unwrap();
    fs::write(folder.path().join("answers-000002.seg"), newer).unwrap();
    fs::write(folder.path().join("answers-3.seg"), "odd").unwrap();
    {
        let journal = crate::support::open(folder.path(), 64 << 10, sage_llm::journal::Kind::Run);
        let journal = journal.unwrap();
        for number in 0..200 {
            record(&journal, [(key(number), answer(number, 1000))]);
        }
        assert!(journal.stats().dropped > 0);
    }
    sage_llm::journal::clear(folder.path(), None).unwrap();
    let read = |name| fs::read(folder.path().join(name)).unwrap();
    assert_eq!(read("answers-000001.seg"), notes.as_bytes());
    assert_eq!(read("answers-000002.seg"), newer);
    assert_eq!(read("answers-3.seg"), b"odd");
    assert_eq!(segments(folder.path()).len(), 3);
}
