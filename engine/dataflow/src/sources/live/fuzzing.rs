//! Sources that are looked at again, and the log of what they gave, for fuzz targets and property
//! tests.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use fuzz_input::{Choices, harm};
use sage_core::record::{Datum, Items, Rows, pack};
use sage_dsl::types::{Field, RecordType, Type, Value};

use super::super::fuzzing::lines_of;
use super::super::{BadRow, Batch};
use super::changes::{Changes, INSERT};
use super::log::{Log, Needs, decoded};

/// Line between two looks at a file.
const AGAIN: &[u8] = b"%%";
/// The same behind a look that has not seen all.
const BROKEN_OFF: &[u8] = b"%?";
/// The same, and another process goes on.
const RESUMED: &[u8] = b"%!";
/// Columns of [`record`].
const OP: usize = 0;
const KEY: usize = 1;

fn record() -> RecordType {
    let field = |name: &str, ty, default| Field { name: name.into(), ty, default, key: false };
    let fields = vec![
        field("op", Type::String, Some(Value::String(INSERT.into()))),
        Field { key: true, ..field("id", Type::String, None) },
        field("n", Type::Int, Some(Value::Int(0))),
        field("text", Type::Optional(Box::new(Type::String)), None),
    ];
    RecordType { name: "Row".into(), fields }
}

/// What a row says but for what became of it.
fn rest(row: &[u8]) -> Vec<u8> {
    let mut rest = Vec::new();
    let others = Items::new(row).enumerate().filter(|(column, _)| *column != OP);
    others.for_each(|(_, datum)| pack(&mut rest, datum));
    rest
}

fn key(row: &[u8]) -> String {
    Items::new(row).get(KEY).as_str().expect("a row without a key").to_owned()
}

/// A file of JSON lines that changes: whoever hears only the changes between the looks knows after
/// each look what is in the file, also when another process goes on with what was told.
pub(crate) fn change_feed(input: &[u8]) {
    let record = record();
    let fresh = || Changes::new(record.clone(), KEY, OP);
    let (mut changes, mut told) = (fresh(), Rows::default());
    let mut known: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut look = Vec::new();
    let lines = input.split(|byte| *byte == b'\n').chain([AGAIN]);
    for line in lines {
        if ![AGAIN, BROKEN_OFF, RESUMED].contains(&line) {
            look.extend_from_slice(line);
            look.push(b'\n');
            continue;
        }
        let mut there: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        let mut rows = Rows::default();
        changes.begin();
        for row in lines_of(&record, &look).rows.iter() {
            let first = !there.contains_key(&key(row));
            assert_eq!(changes.see(row, &mut rows).is_ok(), first, "a key that is there twice");
            there.entry(key(row)).or_insert_with(|| rest(row));
        }
        if line == BROKEN_OFF {
            // What it has not seen may still be there.
            for (key, row) in &known {
                there.entry(key.clone()).or_insert_with(|| row.clone());
            }
        } else {
            changes.end(false, |write| write(&mut rows));
        }
        hear(&mut known, &rows);
        assert_eq!(known, there, "the changes do not tell what is in the file");
        rows.iter().for_each(|row| told.push(|out| out.extend_from_slice(row)));
        if line == RESUMED {
            changes = fresh();
            told.iter().for_each(|row| changes.recall(row));
        }
        look.clear();
    }
}

/// What a reader of changes takes to be there.
fn hear(known: &mut BTreeMap<String, Vec<u8>>, rows: &Rows) {
    for row in rows.iter() {
        assert_eq!(Items::new(row).len(), record().fields.len(), "another number of columns");
        let (key, rest) = (key(row), rest(row));
        match Items::new(row).get(OP).as_str() {
            Some("insert") => assert_eq!(known.insert(key, rest), None, "it was there"),
            Some("update") => {
                let before = known.insert(key, rest.clone());
                assert!(before.is_some_and(|before| before != rest), "nothing has changed");
            }
            Some("delete") => assert!(known.remove(&key).is_some(), "what was not there went"),
            other => panic!("a row says {other:?}"),
        }
    }
}

/// The log of a source, damaged: what is read again was written, and in the order in which it was, if
/// the file was only cut or a part of it changed; or there is an error that names it.
pub(crate) fn change_log(input: &[u8]) {
    let mut choices = Choices::new(input);
    // With any bytes as an entry there is some meaning, or none.
    let _ = decoded(choices.bytes(64));
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path();
    let all = Needs::default();
    let mut log = Log::begin(out, 1, all).expect("nothing is there");
    let mut written: Vec<(Rows, Vec<BadRow>)> = Vec::new();
    for _ in 0..choices.below(6) {
        let batches = (0..=choices.below(4)).map(|_| batch(&mut choices, written.len()));
        let batches: std::collections::VecDeque<Batch> = batches.collect();
        log.append(&batches).expect("it can be written");
        written.extend(batches.into_iter().map(|batch| (batch.rows, batch.bad)));
    }
    drop(log);
    let path = crate::commit::folder(out).join("changes.000001");
    let mut bytes = fs::read(&path).expect("a log");
    let ordered = choices.flag();
    for _ in 0..=choices.below(3) {
        if !ordered {
            harm(&mut bytes, &mut choices);
        } else if choices.flag() {
            bytes.truncate(choices.below(bytes.len() + 1));
        } else if !bytes.is_empty() {
            let at = choices.below(bytes.len());
            bytes[at] ^= choices.byte();
        }
    }
    fs::write(&path, &bytes).expect("a log");
    let needs = Needs { tasks: choices.below(4) as u64, bad: choices.below(4) as u64 };
    let again = Log::begin(out, 2, needs).and_then(|mut log| {
        let mut again = Vec::new();
        while let Some(batch) = log.earlier()? {
            again.push((batch.rows, batch.bad));
        }
        Ok(again)
    });
    match again {
        Ok(again) if ordered => {
            assert!(written.starts_with(&again), "it says what was not written");
        }
        Ok(again) => assert!(again.iter().all(|batch| written.contains(batch))),
        Err(why) => assert!(why.to_string().contains("changes.00000"), "{why}"),
    }
    let names = fs::read_dir(crate::commit::folder(out)).expect("a folder").flatten();
    let names: BTreeSet<_> = names.map(|entry| entry.file_name()).collect();
    assert!(names.len() <= 3, "logs pile up: {names:?}");
}

/// A batch that no other one is equal to.
fn batch(choices: &mut Choices<'_>, number: usize) -> Batch {
    let mut batch = Batch::default();
    for _ in 0..choices.below(3) {
        let text = choices.bytes(20);
        batch.rows.push(|out| {
            pack(out, Datum::Int(number as i64));
            pack(out, Datum::Bytes(text));
        });
    }
    if batch.rows.is_empty() || choices.flag() {
        batch.bad.push(BadRow::new(format!("f:{number}"), choices.bytes(9), "why"));
    }
    batch
}
