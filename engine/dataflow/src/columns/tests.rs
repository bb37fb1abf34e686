//! Files of our own and of other writers, good and bad.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DataType, DoubleType, FixedLenByteArrayType, FloatType,
    Int32Type, Int64Type, Int96, Int96Type,
};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use proptest::prelude::*;
use sage_core::record::{
    Datum, Items, Rows, pack, pack_list, pack_record, pack_vector, write_json_object,
};
use sage_dsl::plan::{BadRows, SinkPlan, SourcePlan};
use sage_dsl::types::{EnumType, Field, RecordType, Type, Value};

use super::{check, join, open};
use crate::sinks::PartOf;
use crate::sources::{BadRow, Batch};

fn field(name: &str, ty: Type) -> Field {
    Field { name: name.into(), ty, default: None, key: false }
}

fn optional(ty: Type) -> Type {
    Type::Optional(Box::new(ty))
}

fn list(ty: Type) -> Type {
    Type::List(Box::new(ty))
}

fn record(fields: Vec<Field>) -> RecordType {
    RecordType { name: "Row".into(), fields }
}

fn source(path: &Path, record: &RecordType) -> SourcePlan {
    SourcePlan {
        name: "rows".into(),
        kind: "parquet".into(),
        args: vec![("path".into(), Value::String(path.display().to_string()))],
        fields: Vec::new(),
        key: record.key(),
        record: record.clone(),
        bad_rows: BadRows::DeadLetter,
        changes: None,
        distinct: None,
        expand: None,
        watermark: None,
        line: 4,
    }
}

fn sink(record: &RecordType, compression: &str) -> SinkPlan {
    SinkPlan {
        name: "outs".into(),
        kind: "parquet".into(),
        args: vec![("compression".into(), Value::String(compression.into()))],
        record: record.clone(),
        changes: false,
        line: 5,
    }
}

/// All of a file, read so many rows at a time.
fn read(path: &Path, record: &RecordType, rows: usize) -> (Rows, Vec<BadRow>) {
    let mut source = open(&source(path, record)).unwrap();
    let mut batch = Batch::default();
    while source.read(&mut batch, rows).unwrap() {}
    (batch.rows, batch.bad)
}

fn json(path: &Path, record: &RecordType) -> Vec<String> {
    let (rows, bad) = read(path, record, 1000);
    assert_eq!(bad, []);
    let shown = |row| {
        let mut text = Vec::new();
        write_json_object(&mut text, record, Items::new(row));
        String::from_utf8(text).unwrap()
    };
    rows.iter().map(shown).collect()
}

/// Parts as the sink writes them.
fn parts(folder: &Path, rows: &Rows, count: usize) -> Vec<PartOf> {
    let mut parts: Vec<(Vec<u8>, u64)> = vec![Default::default(); count];
    for (number, row) in rows.iter().enumerate() {
        let (bytes, rows) = &mut parts[number * count / rows.len()];
        bytes.extend_from_slice(&(row.len() as u32).to_le_bytes());
        bytes.extend_from_slice(row);
        *rows += 1;
    }
    let part = |(number, (bytes, rows)): (usize, &(Vec<u8>, u64))| {
        let path = folder.join(format!("part-{number}"));
        // What was not committed follows.
        fs::write(&path, [bytes.as_slice(), b"torn"].concat()).unwrap();
        PartOf { path, length: bytes.len() as u64, rows: *rows }
    };
    parts.iter().enumerate().map(part).collect()
}

/// Numbers that look drawn; what they make is the same for the same seed.
struct Draw(u64);

impl Draw {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        (self.0 >> 33) % most
    }

    fn ty(&mut self, deep: u32) -> Type {
        let words = ["red", "green"].map(str::to_owned).to_vec();
        match self.below(if deep == 0 { 11 } else { 16 }) {
            0 => Type::Int,
            1 => Type::Float,
            2 => Type::Bool,
            3 | 4 => Type::String,
            5 => Type::Bytes,
            6 => Type::Time,
            7 => Type::Duration,
            8 => Type::Enum(EnumType { name: "Hue".into(), variants: words }),
            9 => Type::Size,
            10 => Type::Vector(None),
            11 | 12 => list(self.ty(deep - 1)),
            13 => Type::Record(self.record(deep - 1)),
            _ => match self.ty(deep - 1) {
                Type::Optional(inner) => Type::Optional(inner),
                other => optional(other),
            },
        }
    }

    fn record(&mut self, deep: u32) -> RecordType {
        let count = 1 + self.below(4);
        record((0..count).map(|n| field(&format!("f{n}"), self.ty(deep))).collect())
    }

    fn value(&mut self, ty: &Type, out: &mut Vec<u8>) {
        let small = self.below(4);
        match ty {
            Type::Bool => pack(out, Datum::Bool(small > 1)),
            Type::Float => {
                let x = f64::from_bits(self.below(u64::MAX) << 32 | self.below(u64::MAX));
                pack(out, Datum::Float(if x.is_finite() { x } else { -0.0 }));
            }
            Type::String => pack(out, Datum::Str(["", "a", "grün", "\0\"\n"][small as usize])),
            Type::Enum(it) => pack(out, Datum::Str(&it.variants[small as usize % 2])),
            Type::Bytes => {
                pack(out, Datum::Bytes([&b""[..], b"\xff", b"ab", b"\0"][small as usize]));
            }
            Type::Vector(_) => pack_vector(out, &[1.5, -2.25, 1e-30][..small as usize % 4]),
            Type::List(item) => {
                pack_list(out, |out| (0..small).for_each(|_| self.value(item, out)));
            }
            Type::Optional(_) if small == 0 => pack(out, Datum::Null),
            Type::Optional(inner) => self.value(inner, out),
            Type::Record(record) => pack_record(out, |out| {
                record.fields.iter().for_each(|field| self.value(&field.ty, out));
            }),
            _ => {
                let n = (self.below(u64::MAX) << 33 ^ self.below(u64::MAX)) as i64;
                pack(out, Datum::Int(n >> self.below(64)));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn what_the_sink_writes_the_source_reads(
        seed: u64,
        count in 0_usize..40,
        workers in 1_usize..4,
        at_once in 1_usize..50,
        packed in prop::sample::select(vec!["zstd", "snappy", "none"]),
    ) {
        let mut draw = Draw(seed);
        let record = draw.record(3);
        let mut rows = Rows::default();
        for _ in 0..count {
            rows.push(|out| record.fields.iter().for_each(|field| draw.value(&field.ty, out)));
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.parquet");
        join(&sink(&record, packed), &path, &parts(folder.path(), &rows, workers)).unwrap();
        let (again, bad) = read(&path, &record, at_once);
        prop_assert_eq!(bad, vec![]);
        prop_assert!(again.iter().eq(rows.iter()), "{:?}", record);
    }
}

#[test]
fn many_row_groups_are_read_one_after_the_other() {
    let record = record(vec![field("n", Type::Int), field("tags", list(Type::String))]);
    let mut rows = Rows::default();
    let count = 2 * (1 << 17) + 5;
    for n in 0..count {
        rows.push(|out| {
            pack(out, Datum::Int(n));
            pack_list(out, |out| (0..n % 3).for_each(|_| pack(out, Datum::Str("tag"))));
        });
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.parquet");
    join(&sink(&record, "zstd"), &path, &parts(folder.path(), &rows, 2)).unwrap();
    let (again, _) = read(&path, &record, 100_000);
    assert!(again.iter().eq(rows.iter()));
    // A type with fewer fields reads fewer columns.
    let less = self::record(vec![field("tags", list(Type::String))]);
    assert_eq!(read(&path, &less, 7_777).0.len(), count as usize);
}

#[test]
fn the_parts_of_a_folder_are_read_like_one_file() {
    let record = record(vec![field("n", Type::Int)]);
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("rows");
    let write = |name: &str, numbers: std::ops::Range<i64>| {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut rows = Rows::default();
        numbers.for_each(|n| rows.push(|out| pack(out, Datum::Int(n))));
        let beside = tempfile::tempdir().unwrap();
        join(&sink(&record, "zstd"), &path, &parts(beside.path(), &rows, 1)).unwrap();
    };
    write("part-1.parquet", 40..55);
    write("part-0.parquet", 0..20);
    write("day=1/part-0.PARQUET", 30..40);
    write("day=0/part-9.parquet", 20..30);
    write("empty.parquet", 0..0);
    write("_temporary/part-7.parquet", 900..999);
    write(".part-8.parquet", 900..999);
    fs::write(folder.join("_SUCCESS"), "").unwrap();
    fs::write(folder.join("readme.txt"), "x").unwrap();
    let wanted: Vec<i64> = (20..40).chain(0..20).chain(40..55).collect();
    for size in [1, 7, 1000] {
        let (rows, bad) = read(&folder, &record, size);
        let numbers: Vec<i64> =
            rows.iter().map(|row| Items::new(row).next().unwrap().as_int().unwrap()).collect();
        assert_eq!((numbers, bad.len()), (wanted.clone(), 0));
    }
    let said = |plan: &SourcePlan| open(plan).map(drop).unwrap_err().to_string();
    // The last of them is no such file, and nothing has begun.
    fs::write(folder.join("part-2.parquet"), "PAR1 but no more").unwrap();
    let error = said(&source(&folder, &record));
    assert!(error.contains("part-2.parquet` is no Parquet file"), "{error}");
    let none = said(&source(&folder.join("_temporary/none"), &record));
    assert!(none.contains("cannot open"), "{none}");
    let empty = tempfile::tempdir().unwrap();
    assert!(said(&source(empty.path(), &record)).contains("no file that ends in .parquet"));
    let mut again = source(&folder, &record);
    again.args.push(("reread".into(), Value::Duration(5)));
    assert!(said(&again).contains("`reread` is of one file"));
}

/// A file as other programs write it.
struct Other {
    folder: tempfile::TempDir,
    writer: SerializedFileWriter<File>,
}

impl Other {
    fn new(schema: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let schema = parse_message_type(&format!("message m {{ {schema} }}")).unwrap();
        let file = File::create(folder.path().join("o.parquet")).unwrap();
        let properties = Arc::new(WriterProperties::builder().build());
        let writer = SerializedFileWriter::new(file, Arc::new(schema), properties).unwrap();
        Other { folder, writer }
    }

    fn group(mut self, write: impl FnOnce(&mut SerializedRowGroupWriter<'_, File>)) -> Self {
        let mut group = self.writer.next_row_group().unwrap();
        write(&mut group);
        group.close().unwrap();
        self
    }

    fn done(self) -> (tempfile::TempDir, PathBuf) {
        self.writer.close().unwrap();
        let path = self.folder.path().join("o.parquet");
        (self.folder, path)
    }
}

fn column<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, File>,
    values: &[T::T],
    defined: &[i16],
    repeated: &[i16],
) {
    let mut column = group.next_column().unwrap().unwrap();
    let defined = (!defined.is_empty()).then_some(defined);
    let repeated = (!repeated.is_empty()).then_some(repeated);
    column.typed::<T>().write_batch(values, defined, repeated).unwrap();
    column.close().unwrap();
}

#[test]
fn files_of_other_writers_are_read_by_what_their_columns_say() {
    let other = Other::new(
        "required int32 small (INTEGER(8, true)); required int64 big (UINT_64);
         required float single; required fixed_len_byte_array(2) half (FLOAT16);
         required int32 cents (DECIMAL(9, 2)); required fixed_len_byte_array(3) euros (DECIMAL(6, 3));
         required int32 day (DATE); required int64 ms (TIMESTAMP_MILLIS);
         required int64 us (TIMESTAMP(MICROS, false)); required int96 old;
         required int32 clock (TIME_MILLIS); required binary word (ENUM); required binary bare;
         required boolean flag; required double unread;",
    );
    let mut old = Int96::new();
    old.set_data(5, 0, 2_440_589);
    let (_kept, path) = other
        .group(|group| {
            column::<Int32Type>(group, &[-3], &[], &[]);
            column::<Int64Type>(group, &[7], &[], &[]);
            column::<FloatType>(group, &[0.5], &[], &[]);
            let fixed = |bytes: &[u8]| [ByteArray::from(bytes).into()];
            column::<FixedLenByteArrayType>(group, &fixed(&[0x00, 0xc5]), &[], &[]);
            column::<Int32Type>(group, &[-1999], &[], &[]);
            column::<FixedLenByteArrayType>(group, &fixed(&[0, 5, 0xdc]), &[], &[]);
            column::<Int32Type>(group, &[2], &[], &[]);
            column::<Int64Type>(group, &[1500], &[], &[]);
            column::<Int64Type>(group, &[-1], &[], &[]);
            column::<Int96Type>(group, &[old], &[], &[]);
            column::<Int32Type>(group, &[61_000], &[], &[]);
            column::<ByteArrayType>(group, &["red".into()], &[], &[]);
            column::<ByteArrayType>(group, &["text".into()], &[], &[]);
            column::<BoolType>(group, &[true], &[], &[]);
            column::<DoubleType>(group, &[f64::NAN], &[], &[]);
        })
        .done();
    let types = [
        ("small", Type::Int),
        ("big", Type::Size),
        ("small", Type::Float),
        ("single", Type::Float),
        ("half", optional(Type::Float)),
        ("cents", Type::Float),
        ("euros", Type::Float),
        ("day", Type::Time),
        ("ms", Type::Time),
        ("us", Type::Time),
        ("old", Type::Time),
        ("clock", Type::Duration),
        ("word", Type::String),
        ("bare", Type::String),
        ("flag", Type::Bool),
    ];
    let fields = types.into_iter().map(|(name, ty)| field(name, ty)).collect();
    assert_eq!(
        json(&path, &record(fields)),
        [
            r#"{"small":-3,"big":"7B","small":-3.0,"single":0.5,"half":-5.0,"cents":-19.99,"euros":1.5,"day":"1970-01-03T00:00:00Z","ms":"1970-01-01T00:00:01.5Z","us":"1969-12-31T23:59:59.999999Z","old":"1970-01-02T00:00:00.000000005Z","clock":"61s","word":"red","bare":"text","flag":true}"#
        ]
    );
}

#[test]
fn lists_and_records_of_all_forms_are_put_together() {
    let other = Other::new(
        "repeated int32 bare; optional group two (LIST) { repeated int32 element; }
         optional group three (LIST) { repeated group list { optional group element (LIST) {
           repeated group list { optional int32 element; } } } }
         optional group inner { required int32 x; repeated group points { required int32 y; } }",
    );
    let (_kept, path) = other
        .group(|group| {
            // Three records: full, empty, null.
            column::<Int32Type>(group, &[1, 2], &[1, 1, 0, 0], &[0, 1, 0, 0]);
            column::<Int32Type>(group, &[3], &[2, 1, 0], &[0, 0, 0]);
            // [[4, null], [], null], [], null
            column::<Int32Type>(group, &[4], &[5, 4, 3, 2, 1, 0], &[0, 2, 1, 1, 0, 0]);
            column::<Int32Type>(group, &[5, 6], &[1, 1, 0], &[]);
            column::<Int32Type>(group, &[7, 8], &[2, 2, 1, 0], &[0, 1, 0, 0]);
        })
        .group(|group| {
            column::<Int32Type>(group, &[], &[0], &[0]);
            column::<Int32Type>(group, &[9, 9], &[2, 2], &[0, 1]);
            column::<Int32Type>(group, &[], &[0], &[0]);
            column::<Int32Type>(group, &[], &[0], &[]);
            column::<Int32Type>(group, &[], &[0], &[0]);
        })
        .done();
    let point = Type::Record(record(vec![field("y", Type::Int)]));
    let inner = record(vec![
        field("x", Type::Int),
        field("points", list(point)),
        Field { default: Some(Value::Int(1)), ..field("absent", Type::Int) },
    ]);
    let record = record(vec![
        field("bare", list(Type::Int)),
        field("two", optional(list(Type::Int))),
        field("three", optional(list(optional(list(optional(Type::Int)))))),
        field("inner", optional(Type::Record(inner))),
    ]);
    let wanted = [
        r#"{"bare":[1,2],"two":[3],"three":[[4,null],[],null],"inner":{"x":5,"points":[{"y":7},{"y":8}],"absent":1}}"#,
        r#"{"bare":[],"two":[],"three":[],"inner":{"x":6,"points":[],"absent":1}}"#,
        r#"{"bare":[],"two":null,"three":null,"inner":null}"#,
        r#"{"bare":[],"two":[9,9],"three":null,"inner":null}"#,
    ];
    assert_eq!(json(&path, &record), wanted);
    for rows in 1..5 {
        let (few, bad) = read(&path, &record, rows);
        assert!(few.iter().eq(read(&path, &record, 9).0.iter()) && bad.is_empty());
    }
}

#[test]
fn a_row_that_is_no_record_is_told_with_its_number_and_takes_no_other_with_it() {
    let other = Other::new(
        "optional int64 n (UINT_64); optional binary hue; optional double x; optional binary id (UTF8);",
    );
    let all = [1; 6];
    let (_kept, path) = other
        .group(|group| {
            column::<Int64Type>(group, &[1, -1, 3, 4, 6], &[1, 1, 1, 1, 0, 1], &[]);
            let hues = ["red", "red", "pink", "red", "red", "red"].map(ByteArray::from);
            column::<ByteArrayType>(group, &hues, &all, &[]);
            column::<DoubleType>(group, &[0.5, 0.5, 0.5, f64::NAN, 0.5, 0.5], &all, &[]);
            let ids = [&b"a"[..], b"b", b"c", b"d", b"e", b"\xff"].map(ByteArray::from);
            column::<ByteArrayType>(group, &ids, &all, &[]);
        })
        .group(|group| {
            column::<Int64Type>(group, &[7, 8], &[1, 1], &[]);
            column::<ByteArrayType>(group, &["red".into(), "red".into()], &[1, 1], &[]);
            column::<DoubleType>(group, &[], &[0, 0], &[]);
            column::<ByteArrayType>(group, &["".into(), "h".into()], &[1, 1], &[]);
        })
        .done();
    let words = vec!["red".to_owned(), "green".to_owned()];
    let hue = Type::Enum(EnumType { name: "Hue".into(), variants: words });
    let record = record(vec![
        Field { key: true, ..field("id", Type::String) },
        field("n", Type::Int),
        field("hue", hue),
        Field { default: Some(Value::Float(2.5)), ..field("x", Type::Float) },
    ]);
    for rows in [1, 2, 100] {
        let (good, bad) = read(&path, &record, rows);
        let first = |row| Items::new(row).get(0).as_str().unwrap().to_owned();
        assert_eq!(good.iter().map(first).collect::<Vec<_>>(), ["a", "h"]);
        assert_eq!(Items::new(good.row(1)).get(3), Datum::Float(2.5));
        let told: Vec<String> = bad
            .iter()
            .map(|bad| {
                let (_, place) = bad.place.split_once("o.parquet, ").unwrap();
                format!("{place}: {} {}", bad.reason, bad.text)
            })
            .collect();
        assert_eq!(
            told,
            [
                r#"row 2: column `n`: the number is beyond 64 bits with a sign {"id": "b", "n": -1, "hue": "red", "x": 0.5}"#,
                r#"row 3: column `hue`: expected one of red, green, found `pink` {"id": "c", "n": 3, "hue": "pink", "x": 0.5}"#,
                r#"row 4: column `x`: expected a finite number, found NaN {"id": "d", "n": 4, "hue": "red", "x": NaN}"#,
                r#"row 5: column `n` is null; a field that may be is `int?` {"id": "e", "n": null, "hue": "red", "x": 0.5}"#,
                r#"row 6: column `id`: the text is not UTF-8 {"id": "�", "n": 6, "hue": "red", "x": 0.5}"#,
                r#"row 7: the key is empty {"id": "", "n": 7, "hue": "red", "x": null}"#,
            ]
        );
    }
}

#[test]
fn durations_whose_unit_only_arrow_knows_are_refused() {
    let (wait, clock) = ("required int64 wait;", "required int64 clock (TIME_MICROS);");
    for (schema, arrow, good) in
        [(wait, true, false), (wait, false, true), (clock, true, true), (clock, false, true)]
    {
        let mut other = Other::new(schema).group(|group| {
            column::<Int64Type>(group, &[3_600_000_000], &[], &[]);
        });
        if arrow {
            let schema = KeyValue::new("ARROW:schema".to_owned(), "/////w==".to_owned());
            other.writer.append_key_value_metadata(schema);
        }
        let (_kept, path) = other.done();
        let name = schema.split_whitespace().nth(2).unwrap().trim_end_matches(';');
        let opened = open(&source(&path, &record(vec![field(name, optional(Type::Duration))])));
        assert_eq!(opened.is_ok(), good, "{schema} {arrow}");
        if let Err(said) = opened.map(drop) {
            assert!(said.to_string().contains("`.wait * 1us`"), "{said}");
        }
        assert!(
            open(&source(&path, &record(vec![field(name, Type::Int)]))).is_ok() == (name == "wait")
        );
    }
}

#[test]
fn a_page_whose_sum_does_not_fit_is_an_error_and_no_other_row() {
    // Of 40 numbers, written by pyarrow 26 with sums of its pages.
    let mut bytes = include_bytes!("summed.parquet").to_vec();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("o.parquet");
    fs::write(&path, &bytes).unwrap();
    let row = record(vec![field("n", Type::Int)]);
    assert_eq!(json(&path, &row).len(), 40);
    let value = 1020_i64.to_le_bytes();
    let places: Vec<usize> =
        (0..bytes.len() - 8).filter(|at| bytes[*at..*at + 8] == value).collect();
    assert!(!places.is_empty());
    places.iter().for_each(|at| bytes[*at] ^= 1);
    fs::write(&path, &bytes).unwrap();
    let mut reader = open(&source(&path, &row)).unwrap();
    let said = reader.read(&mut Batch::default(), 200).unwrap_err().to_string();
    assert!(said.contains("o.parquet") && said.to_lowercase().contains("crc"), "{said}");
}

#[test]
fn what_does_not_fit_is_said_with_file_column_and_type() {
    let other = Other::new(
        "required binary text (UTF8); required int64 n; required int64 at (TIMESTAMP_MILLIS);
         optional group tags (LIST) { repeated group list { optional binary element (UTF8); } }
         optional group map (MAP) { repeated group key_value { required int32 key; required int32 value; } }
         required group inner { required int32 x; }",
    );
    let (_kept, path) = other.done();
    let said = |name: &str, ty: Type| {
        let said = open(&source(&path, &record(vec![field(name, ty)]))).map(drop);
        let said = said.unwrap_err().to_string();
        assert!(said.contains("source `rows` (line 4)") && said.contains("o.parquet"), "{said}");
        said.split_once("o.parquet`: ").unwrap().1.to_owned()
    };
    let declared = "and the field is declared as";
    assert_eq!(
        said("text", Type::Int),
        format!("column `text` is text (BYTE_ARRAY), {declared} int")
    );
    assert_eq!(
        said("n", Type::Bool),
        format!("column `n` is a whole number (INT64), {declared} bool")
    );
    assert_eq!(said("at", Type::Int), format!("column `at` is a time (INT64), {declared} int"));
    assert_eq!(
        said("tags", list(Type::Float)),
        format!("column `tags[]` is text (BYTE_ARRAY), {declared} float")
    );
    assert_eq!(said("tags", Type::String), format!("column `tags` is a list, {declared} string"));
    assert_eq!(said("map", list(Type::Int)), format!("column `map` is a map, {declared} [int]"));
    assert_eq!(said("inner", Type::Int), format!("column `inner` is a record, {declared} int"));
    let inner = Type::Record(record(vec![field("y", Type::Int)]));
    assert_eq!(
        said("inner", inner),
        "there is no column `inner.y` for Row; the columns are x. Rename the field or give it a default"
    );
    assert_eq!(
        said("m", Type::Int),
        "there is no column `m` for Row; the columns are text, n, at, tags, map, inner. Rename the field \
         or give it a default"
    );
    fs::write(&path, "id,text\n").unwrap();
    let said = open(&source(&path, &record(vec![field("n", Type::Int)]))).map(drop).unwrap_err();
    assert!(said.to_string().contains("is no Parquet file"), "{said}");

    let empty = Type::Record(record(Vec::new()));
    let said = check(&sink(&record(vec![field("n", empty)]), "none")).unwrap_err().to_string();
    assert!(
        said.contains("sink `outs` (line 5)") && said.contains("`n` is a record without"),
        "{said}"
    );
}

#[test]
fn no_damage_of_a_file_harms_the_process() {
    let mut draw = Draw(3);
    let record = record(vec![
        field("n", Type::Int),
        field("text", optional(Type::String)),
        field("tags", list(optional(Type::String))),
        field("x", Type::Float),
    ]);
    let mut rows = Rows::default();
    for _ in 0..30 {
        rows.push(|out| record.fields.iter().for_each(|field| draw.value(&field.ty, out)));
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.parquet");
    for packed in ["none", "zstd"] {
        join(&sink(&record, packed), &path, &parts(folder.path(), &rows, 1)).unwrap();
        let whole = fs::read(&path).unwrap();
        let (mut refused, mut read) = (0, 0);
        for at in (0..whole.len()).step_by(3) {
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << draw.below(8);
            fs::write(&path, damaged).unwrap();
            let Ok(mut source) = open(&source(&path, &record)) else {
                refused += 1;
                continue;
            };
            let mut batch = Batch::default();
            let mut more = Ok(true);
            for _ in 0..1000 {
                if !matches!(more, Ok(true)) {
                    break;
                }
                more = source.read(&mut batch, 7);
            }
            match more {
                Ok(more) => {
                    read += 1;
                    assert!(!more, "it does not end");
                }
                Err(_) => refused += 1,
            }
        }
        assert!(refused > 0 && read > 0, "{refused} {read}");
    }
}
