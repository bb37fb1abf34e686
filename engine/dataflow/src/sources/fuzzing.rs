//! Rows of files under damage, for fuzz targets and property tests.

use std::io::{BufRead, Cursor, Read};

use sage_core::record::{Datum, Items, RowReader, write_json_object};
use sage_dsl::plan::{BadRows, SourcePlan};
use sage_dsl::types::{EnumType, Field, RecordType, Type, Value};

use super::csv::Csv;
use super::jsonl::Jsonl;
use super::{Batch, Patient, Source};

/// Rounds after which a source that gives nothing new does not end.
const ROUNDS: usize = 100_000;

fn record() -> RecordType {
    let field = |name: &str, ty, default| Field { name: name.into(), ty, default, key: false };
    let list = |item| Type::List(Box::new(item));
    let hue = EnumType { name: "Hue".into(), variants: vec!["red".into(), "blue".into()] };
    let place = RecordType {
        name: "Place".into(),
        fields: vec![
            field("x", Type::Float, None),
            field("name", Type::Optional(Box::new(Type::String)), None),
        ],
    };
    RecordType {
        name: "Query".into(),
        fields: vec![
            Field { key: true, ..field("id", Type::String, None) },
            field("n", Type::Int, Some(Value::Int(7))),
            field("x", Type::Optional(Box::new(Type::Float)), None),
            field("flag", Type::Bool, Some(Value::Bool(false))),
            field("tags", list(Type::String), Some(Value::List(Vec::new()))),
            field("hue", Type::Enum(hue), Some(Value::String("red".into()))),
            field("wait", Type::Optional(Box::new(Type::Duration)), None),
            field("at", Type::Optional(Box::new(Type::Time)), None),
            field("vector", Type::Optional(Box::new(Type::Vector(None))), None),
            field("places", Type::Optional(Box::new(list(Type::Record(place)))), None),
        ],
    }
}

/// A socket or a file that gives a few bytes at a time.
struct Dripping<'a> {
    bytes: Cursor<&'a [u8]>,
    most: usize,
}

impl Read for Dripping<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let most = buffer.len().min(self.most);
        self.bytes.read(&mut buffer[..most])
    }
}

impl BufRead for Dripping<'_> {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        let rest = self.bytes.fill_buf()?;
        Ok(&rest[..rest.len().min(self.most)])
    }

    fn consume(&mut self, amount: usize) {
        self.bytes.consume(amount);
    }
}

impl Patient for Dripping<'_> {
    fn would_wait(&self) -> bool {
        false
    }
}

/// All that a source gives.
fn all(mut source: impl Source, rows: usize) -> Option<Batch> {
    let mut batch = Batch::default();
    for _ in 0..ROUNDS {
        match source.read(&mut batch, rows) {
            Ok(true) => {}
            Ok(false) => return Some(batch),
            Err(_) => return None,
        }
    }
    panic!("the source does not end");
}

/// What a file of JSON lines gives.
pub(super) fn lines_of(record: &RecordType, text: &[u8]) -> Batch {
    let bytes = Dripping { bytes: Cursor::new(text), most: usize::MAX };
    let lines = all(Jsonl::new("f.jsonl".into(), bytes, record.clone()), 1000);
    lines.expect("memory can be read")
}

/// However the bytes come and however many rows are asked for at a time, the rows are the same.
fn same(whole: &Batch, other: &Batch) {
    assert!(whole.rows.iter().eq(other.rows.iter()), "the rows depend on how they are read");
    assert_eq!(whole.bad, other.bad, "the bad rows depend on how they are read");
}

/// Whether values are the same. JSON's numbers are read to the last digit but one.
fn alike(left: Items<'_>, right: Items<'_>) -> bool {
    let near = |a: f64, b: f64, of: f64| (a - b).abs() <= of * a.abs().max(b.abs());
    let same = |a: Datum<'_>, b: Datum<'_>| match (a, b) {
        (Datum::Float(a), Datum::Float(b)) => near(a, b, 1e-14),
        (Datum::Vector(a), Datum::Vector(b)) => {
            a.len() == b.len()
                && a.iter().zip(b.iter()).all(|(a, b)| near(f64::from(a), f64::from(b), 1e-6))
        }
        (Datum::List(a), Datum::List(b)) | (Datum::Record(a), Datum::Record(b)) => alike(a, b),
        (a, b) => a == b,
    };
    left.len() == right.len() && left.zip(right).all(|(a, b)| same(a, b))
}

/// Each row is one of its type: written as JSON it is read again as the same row.
pub(crate) fn sound(record: &RecordType, batch: &Batch) {
    let mut reader = RowReader::new(record);
    for row in batch.rows.iter() {
        let values = || Items::new(row);
        assert_eq!(values().len(), record.fields.len(), "a row has another number of columns");
        assert_ne!(values().get(0).as_str(), Some(""), "a row without a key");
        let mut text = Vec::new();
        write_json_object(&mut text, record, values());
        let mut again = Vec::new();
        let read = reader.read(&mut again, &text);
        let shown = || String::from_utf8_lossy(&text);
        assert!(read.is_ok(), "{}: {read:?}", shown());
        assert!(alike(values(), Items::new(&again)), "{} is read as another row", shown());
    }
}

/// A file of JSON lines: every line that is not blank is one good row or one bad one.
pub fn jsonl_rows(input: &[u8]) {
    let record = record();
    let read = |most, rows| {
        let bytes = Dripping { bytes: Cursor::new(input), most };
        all(Jsonl::new("f.jsonl".into(), bytes, record.clone()), rows)
    };
    let whole = read(usize::MAX, 1000).expect("memory can be read");
    same(&whole, &read(3, 1).expect("memory can be read"));
    let lines = input.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
    assert_eq!(lines.count(), whole.rows.len() + whole.bad.len(), "a line is lost");
    sound(&record, &whole);
}

/// A file of comma-separated values.
pub fn csv_rows(input: &[u8]) {
    let plan = SourcePlan {
        name: "queries".into(),
        kind: "csv".into(),
        args: Vec::new(),
        fields: Vec::new(),
        record: record(),
        key: Some(0),
        bad_rows: BadRows::DeadLetter,
        changes: None,
        distinct: None,
        expand: None,
        watermark: None,
        line: 1,
    };
    let read = |most, rows, piped: bool| {
        let bytes = Dripping { bytes: Cursor::new(input), most };
        let csv = Csv::new(&plan, "f.csv".into(), bytes, ",").ok()?;
        all(if piped { csv.piped() } else { csv }, rows)
    };
    let whole = read(usize::MAX, 1000, false);
    let slowly = read(3, 1, false);
    let piped = read(5, 1000, true);
    assert_eq!(whole.is_some(), slowly.is_some());
    assert_eq!(whole.is_some(), piped.is_some());
    let (Some(whole), Some(slowly), Some(piped)) = (whole, slowly, piped) else { return };
    same(&whole, &slowly);
    same(&whole, &piped);
    sound(&plan.record, &whole);
}

/// Messages of a topic, one a line: each is a good row or a bad one, as a line of a file would be.
pub fn topic_messages(input: &[u8]) {
    let record = record();
    let messages: Vec<&[u8]> =
        input.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).collect();
    let read = super::kafka::rows_of(&record, &messages);
    assert_eq!(read.rows.len() + read.bad.len(), messages.len(), "a message is lost");
    sound(&record, &read);
    let file = messages.join(&b'\n');
    if !file.starts_with(b"\xef\xbb\xbf") {
        let lines = lines_of(&record, &file);
        assert!(read.rows.iter().eq(lines.rows.iter()), "a line would be read as another row");
    }
}
