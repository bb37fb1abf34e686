//! `jsonl`: one JSON object a line.

use sage_core::record::write_json_object;
use sage_dsl::catalog::{Kind, Param, Signature};

use super::{SinkEntry, file};

pub(super) static ENTRY: SinkEntry = SinkEntry {
    signature: Signature {
        name: "jsonl",
        summary: "a file with one JSON object a line",
        params: &[Param {
            name: "path",
            kind: Kind::String,
            default: None,
            doc: "file name within the run's output folder; `.gz` or `.zst` at its end packs it",
        }],
        example: "sink answers to jsonl(\"answers.jsonl\")",
        takes_fields: false,
    },
    target: |plan| file(plan, "jsonl"),
    header: |_| Vec::new(),
    row: |record, values, out| {
        write_json_object(out, record, values.iter().copied());
        out.push(b'\n');
    },
};
