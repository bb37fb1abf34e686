//! `csv`: a header line, then one line a row; lists and records are JSON within a cell.

use sage_core::record::{Datum, write_text};
use sage_dsl::catalog::{Kind, Param, Signature};
use sage_dsl::types::RecordType;

use super::{SinkEntry, file};

pub(super) static ENTRY: SinkEntry = SinkEntry {
    signature: Signature {
        name: "csv",
        summary: "a file of comma-separated values with a header line",
        params: &[Param {
            name: "path",
            kind: Kind::String,
            default: None,
            doc: "file name within the run's output folder; `.gz` or `.zst` at its end packs it",
        }],
        example: "sink digests to csv(\"digests.csv\")",
        takes_fields: false,
    },
    target: |plan| file(plan, "csv"),
    header,
    row,
};

pub(super) fn header(record: &RecordType) -> Vec<u8> {
    let mut out = Vec::new();
    for (i, field) in record.fields.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        quote_from(&mut out, |out| out.extend_from_slice(field.name.as_bytes()));
    }
    out.push(b'\n');
    out
}

pub(super) fn row(record: &RecordType, values: &[Datum<'_>], out: &mut Vec<u8>) {
    for (i, (field, datum)) in record.fields.iter().zip(values).enumerate() {
        if i > 0 {
            out.push(b',');
        }
        quote_from(out, |out| write_text(out, &field.ty, *datum));
    }
    out.push(b'\n');
}

/// Write a cell and quote it if it needs quotes (RFC 4180).
fn quote_from(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    write(out);
    let cell = &out[start..];
    if !cell.iter().any(|byte| matches!(byte, b',' | b'"' | b'\n' | b'\r')) {
        return;
    }
    let cell = out.split_off(start);
    out.push(b'"');
    for byte in cell {
        if byte == b'"' {
            out.push(b'"');
        }
        out.push(byte);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_only_when_they_must_be() {
        let check = |cell: &str, expect: &str| {
            let mut out = b"x,".to_vec();
            quote_from(&mut out, |out| out.extend_from_slice(cell.as_bytes()));
            assert_eq!(String::from_utf8(out).unwrap(), format!("x,{expect}"));
        };
        check("plain", "plain");
        check("a,b", "\"a,b\"");
        check("say \"hi\"\n", "\"say \"\"hi\"\"\n\"");
    }
}
