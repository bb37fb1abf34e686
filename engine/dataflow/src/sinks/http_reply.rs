//! `http_reply`: the row that a request comes to is its answer, on the connection of its client.

use sage_core::record::write_json_object;
use sage_dsl::catalog::Signature;

use super::{SinkEntry, Target};

pub(super) static ENTRY: SinkEntry = SinkEntry {
    signature: Signature {
        name: "http_reply",
        summary: "the answer to the request of a source `http`, one JSON object",
        params: &[],
        example: "sink replies: Answer to http_reply()",
        takes_fields: false,
    },
    target: |_| Target::Replied,
    header: |_| Vec::new(),
    row: |record, values, out| {
        write_json_object(out, record, values.iter().copied());
        out.push(b'\n');
    },
};
