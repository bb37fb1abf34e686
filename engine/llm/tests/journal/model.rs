//! Any sequence of operations against a plain map, and keys against each other.

use std::collections::HashMap;

use proptest::prelude::*;
use sage_llm::journal::{Key, KeyBuilder, Kind, LEAST_BYTES, clear};

use crate::support::{answer, bytes, key, open, quick_folder, record};

#[derive(Debug, Clone)]
enum Step {
    Record(Vec<(u64, usize)>),
    Lookup(u64),
    Reopen,
}

#[derive(Debug, Clone)]
enum Shared {
    Record((u64, usize)),
    Reopen,
    Clear,
}

fn step() -> impl Strategy<Value = Step> {
    let size = prop_oneof![8 => 0usize..200, 1 => 1000usize..9000];
    prop_oneof![
        4 => prop::collection::vec((0u64..20, size), 1..8).prop_map(Step::Record),
        4 => (0u64..25).prop_map(Step::Lookup),
        1 => Just(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn it_is_a_map_that_forgets_the_oldest(
        steps in prop::collection::vec(step(), 1..40),
        small in any::<bool>(),
    ) {
        let folder = quick_folder();
        let bound = if small { LEAST_BYTES } else { 64 << 20 };
        let open = || open(folder.path(), bound, Kind::Run).unwrap();
        let mut journal = open();
        let mut model: HashMap<u64, usize> = HashMap::new();
        for step in steps {
            match step {
                Step::Record(entries) => {
                    let all = entries.iter().map(|(n, size)| (key(*n), answer(*n, *size)));
                    record(&journal, all);
                    model.extend(entries);
                }
                Step::Lookup(number) => {
                    let expected = model.get(&number).map(|size| answer(number, *size));
                    let found = journal.lookup(&key(number));
                    let forgotten = small && found.is_none() && journal.stats().dropped > 0;
                    prop_assert!(found == expected || forgotten, "{number}");
                }
                Step::Reopen => {
                    drop(journal);
                    journal = open();
                    if small {
                        // Which entries went before is not counted any more.
                        model.retain(|number, _| journal.lookup(&key(*number)).is_some());
                    }
                }
            }
            prop_assert!(bytes(folder.path()) <= bound);
        }
        for (number, size) in model {
            let found = journal.lookup(&key(number));
            prop_assert!(found == Some(answer(number, size)) || small && found.is_none());
        }
    }

    #[test]
    fn handles_that_share_a_cache_give_what_was_recorded(
        steps in prop::collection::vec((0usize..3, prop_oneof![
            6 => (1u64..6, 0usize..3000).prop_map(Shared::Record),
            1 => Just(Shared::Reopen),
            1 => Just(Shared::Clear),
        ]), 1..40),
        small in any::<bool>(),
    ) {
        let folder = quick_folder();
        let bound = if small { LEAST_BYTES } else { 64 << 20 };
        let open = || open(folder.path(), bound, Kind::Content).unwrap();
        let mut handles = [open(), open(), open()];
        let (mut sizes, mut cleared) = (Vec::new(), false);
        for (who, step) in steps {
            match step {
                Shared::Record((count, size)) => {
                    let numbers = sizes.len() as u64..sizes.len() as u64 + count;
                    record(&handles[who], numbers.clone().map(|n| (key(n), answer(n, size))));
                    sizes.resize(sizes.len() + count as usize, size);
                    for number in numbers {
                        let found = handles[who].lookup(&key(number));
                        // Files written in one tick of the clock have no order.
                        let early = small && found.is_none();
                        prop_assert!(early || found == Some(answer(number, size)));
                    }
                }
                Shared::Reopen => {
                    handles[who].close();
                    handles[who] = open();
                }
                Shared::Clear => {
                    clear(folder.path(), None).unwrap();
                    cleared = true;
                }
            }
            for (number, size) in (0..).zip(&sizes) {
                let found = handles[who].lookup(&key(number));
                prop_assert!(found.is_none() || found == Some(answer(number, *size)));
            }
        }
        // A segment for each that writes.
        prop_assert!(bytes(folder.path()) <= bound + 3 * bound / 16);
        let fresh = open();
        prop_assert_eq!(fresh.stats().damaged, 0);
        for (number, size) in (0..).zip(sizes) {
            let found = fresh.lookup(&key(number));
            let lost = (small || cleared) && found.is_none();
            prop_assert!(lost || found == Some(answer(number, size)), "{number}");
        }
    }

    #[test]
    fn keys_differ_where_their_fields_differ(
        one in prop::collection::vec("[ab]{0,3}", 0..4),
        two in prop::collection::vec("[ab]{0,3}", 0..4),
    ) {
        let key = |fields: &[String]| -> Key {
            fields.iter().fold(KeyBuilder::new("test"), |key, field| key.text(field)).finish()
        };
        prop_assert_eq!(key(&one) == key(&two), one == two);
    }
}

#[test]
fn keys_tell_kinds_of_fields_apart() {
    let start = || KeyBuilder::new("test");
    let mut keys = vec![
        start().finish(),
        start().absent().finish(),
        start().text("").finish(),
        start().bytes(b"").finish(),
        start().number(0).finish(),
        start().bytes(&0u64.to_le_bytes()).finish(),
        start().text("p").finish(),
        KeyBuilder::new("testp").finish(),
        KeyBuilder::new("").finish(),
    ];
    let all = keys.len();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), all);
    assert_eq!(Key::from_bytes(*keys[0].as_bytes()), keys[0]);
    assert!(format!("{:?}", keys[0]).len() < 30, "no whole hash in logs");
}
