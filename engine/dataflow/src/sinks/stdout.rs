//! `stdout`: one JSON object a line on the standard output.

use sage_core::record::write_json_object;
use sage_dsl::catalog::Signature;

use super::{SinkEntry, Target};

pub(super) static ENTRY: SinkEntry = SinkEntry {
    signature: Signature {
        name: "stdout",
        summary: "the standard output, one JSON object a line",
        params: &[],
        example: "sink shown to stdout()",
        takes_fields: false,
    },
    target: |_| Target::Printed,
    header: |_| Vec::new(),
    row: |record, values, out| {
        write_json_object(out, record, values.iter().copied());
        out.push(b'\n');
    },
};
