//! `parquet`: a file of columns, made of the rows that were committed when the run ends.

use sage_core::record::pack;
use sage_dsl::catalog::{Kind, Param, Signature};

use super::{SinkEntry, Target, file};
use crate::columns::KIND;

pub(super) static ENTRY: SinkEntry = SinkEntry {
    signature: Signature {
        name: KIND,
        summary: "a Parquet file (in programs built with `parquet`)",
        params: &[
            Param {
                name: "path",
                kind: Kind::String,
                default: None,
                doc: "file name within the run's output folder",
            },
            Param {
                name: "compression",
                kind: Kind::Word(&["zstd", "snappy", "none"]),
                default: Some("zstd"),
                doc: "how pages of the file are packed",
            },
        ],
        example: "sink answers: Answer to parquet(\"answers.parquet\")",
        takes_fields: false,
    },
    target: |plan| match file(plan, KIND) {
        Target::File(name) => Target::Columns(name),
        other => other,
    },
    header: |_| Vec::new(),
    // A part has the rows as they are packed, each behind its length.
    row: |_, values, out| {
        let at = out.len();
        out.extend_from_slice(&[0; 4]);
        values.iter().for_each(|value| pack(out, *value));
        let length = (out.len() - at - 4) as u32;
        out[at..at + 4].copy_from_slice(&length.to_le_bytes());
    },
};
