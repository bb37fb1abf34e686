//! `tally`: each distinct row once, with how often it was emitted.
//!
//! Counting per label, per bucket, per anything a record can be reduced to. Each worker counts what
//! it emits; at the end of the run equal rows of all workers meet on one of them (see the `tally`
//! operator), so a row stands in the file once.

use sage_dsl::catalog::{Kind, Param, Signature};
use sage_dsl::types::RecordType;

use super::{SinkEntry, Target, csv, file};

pub(super) static ENTRY: SinkEntry = SinkEntry {
    signature: Signature {
        name: "tally",
        summary: "a CSV file with each distinct row once and a last column `count`",
        params: &[Param {
            name: "path",
            kind: Kind::String,
            default: None,
            doc: "file name within the run's output folder; `.gz` or `.zst` at its end packs it",
        }],
        example: "sink per_label: Label to tally(\"labels.csv\")",
        takes_fields: false,
    },
    target: |plan| match file(plan, "csv") {
        Target::File(name) => Target::Counted(name),
        other => other,
    },
    header,
    row: csv::row,
};

fn header(record: &RecordType) -> Vec<u8> {
    let mut line = csv::header(record);
    line.pop();
    if !record.fields.is_empty() {
        line.push(b',');
    }
    line.extend_from_slice(b"count\n");
    line
}
