//! Parquet files under damage, for fuzz targets and property tests.

use sage_dsl::plan::{BadRows, SourcePlan};
use sage_dsl::types::{EnumType, Field, RecordType, Type, Value};

use super::open;
use crate::sources::Batch;
use crate::sources::fuzzing::sound;

/// Reads of a file that says it has more rows than there is memory.
const READS: usize = 200;

/// A type that takes the columns of the seeds, and leaves some of them out.
fn record(all: bool) -> RecordType {
    let field = |name: &str, ty| Field { name: name.into(), ty, default: None, key: false };
    let or_none = |field| Field { default: Some(Value::List(Vec::new())), ..field };
    let optional = |ty| Type::Optional(Box::new(ty));
    let list = |ty| Type::List(Box::new(ty));
    let hue = EnumType { name: "Hue".into(), variants: vec!["red".into(), "blue".into()] };
    let place = RecordType {
        name: "Place".into(),
        fields: vec![field("x", Type::Float), field("name", optional(Type::String))],
    };
    let mut fields = vec![
        Field { key: true, ..field("id", Type::String) },
        Field { default: Some(Value::Int(7)), ..field("n", Type::Int) },
    ];
    if all {
        fields.extend([
            field("x", optional(Type::Float)),
            field("flag", optional(Type::Bool)),
            or_none(field("tags", list(optional(Type::String)))),
            field("hue", optional(Type::Enum(hue))),
            field("at", optional(Type::Time)),
            field("vector", optional(Type::Vector(None))),
            or_none(field("places", list(Type::Record(place)))),
            field("absent", optional(Type::Bytes)),
        ]);
    }
    RecordType { name: "Row".into(), fields }
}

/// Any bytes as a file: rows of the type, the same however many are read at a time, or an error that
/// names the file.
pub(crate) fn parquet_file(input: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("rows.parquet");
    std::fs::write(&path, input).expect("a file");
    for all in [true, false] {
        let record = record(all);
        let plan = SourcePlan {
            name: "rows".into(),
            kind: "parquet".into(),
            args: vec![("path".into(), Value::String(path.display().to_string()))],
            fields: Vec::new(),
            key: record.key(),
            record,
            bad_rows: BadRows::DeadLetter,
            changes: None,
            distinct: None,
            expand: None,
            watermark: None,
            line: 4,
        };
        let read = |rows: usize, most: usize| {
            let mut batch = Batch::default();
            let mut source = open(&plan)?;
            for _ in 0..READS {
                if batch.rows.len() + batch.bad.len() >= most || !source.read(&mut batch, rows)? {
                    break;
                }
            }
            Ok::<_, crate::error::DataflowError>(batch)
        };
        match (read(50, 100), read(1, 100)) {
            (Ok(whole), Ok(slowly)) => {
                sound(&plan.record, &whole);
                assert!(
                    whole.rows.iter().eq(slowly.rows.iter()),
                    "the rows depend on how it is read"
                );
                assert_eq!(whole.bad, slowly.bad);
            }
            // Who reads a row at a time may stop before the damage.
            (Err(why), _) | (_, Err(why)) => {
                assert!(why.to_string().contains("rows.parquet"), "{why}");
            }
        }
    }
}
