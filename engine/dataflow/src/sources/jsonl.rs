//! `jsonl`: records from a file with one JSON object a line.

use std::io::{BufRead, BufReader};

use sage_core::record::{Datum, Items, RowReader, json_row};
use sage_dsl::catalog::{Kind, Param, Signature};
use sage_dsl::plan::SourcePlan;
use sage_dsl::types::{Field, RecordType};

use super::live::{REREAD, ROUNDS, UNTIL_IDLE};
use super::{BadRow, Batch, Patient, Source, SourceEntry, file};
use crate::error::DataflowError;

pub(super) static ENTRY: SourceEntry = SourceEntry {
    signature: Signature {
        name: "jsonl",
        summary: "a file with one JSON object a line",
        params: &[
            Param {
                name: "path",
                kind: Kind::Path,
                default: None,
                doc: "the file; one packed by gzip or Zstandard is unpacked",
            },
            REREAD,
            UNTIL_IDLE,
            ROUNDS,
        ],
        example: "source queries: Query from jsonl(\"data/queries.jsonl\")",
        takes_fields: false,
    },
    open,
};

/// A longer line is taken for a file that is not JSON lines; it becomes a bad row.
pub(super) const LONGEST_LINE: u64 = 16 << 20;

/// Rows from anything that reads as JSON lines.
pub(super) struct Jsonl<R> {
    input: R,
    name: String,
    record: RecordType,
    line: u64,
    buffer: Vec<u8>,
}

fn open(plan: &SourcePlan) -> Result<Box<dyn Source>, DataflowError> {
    let (path, file) = file(plan)?;
    let input = BufReader::with_capacity(1 << 16, file);
    Ok(Box::new(Jsonl::new(path.display().to_string(), input, plan.record.clone())))
}

impl<R: BufRead> Jsonl<R> {
    pub(super) fn new(name: String, input: R, record: RecordType) -> Self {
        Jsonl { input, name, record, line: 0, buffer: Vec::new() }
    }

    /// Read one line into the buffer; `None` at the end, `Some(false)` when it is too long.
    fn next_line(&mut self) -> std::io::Result<Option<bool>> {
        self.line += 1;
        bounded_line(&mut self.input, &mut self.buffer)
    }
}

/// Read one line into the buffer; `None` at the end, `Some(false)` when it is too long and the rest of it
/// is passed over.
pub(super) fn bounded_line(
    input: &mut impl BufRead,
    buffer: &mut Vec<u8>,
) -> std::io::Result<Option<bool>> {
    use std::io::Read;
    buffer.clear();
    let read = input.take(LONGEST_LINE).read_until(b'\n', buffer)?;
    if read == 0 {
        return Ok(None);
    }
    if read as u64 == LONGEST_LINE && !buffer.ends_with(b"\n") {
        let mut rest = Vec::new();
        while input.take(1 << 16).read_until(b'\n', &mut rest)? > 0 && !rest.ends_with(b"\n") {
            rest.clear();
        }
        return Ok(Some(false));
    }
    Ok(Some(true))
}

/// The key of a row that is no record, if it is an object that has it.
fn key_of(record: &RecordType, line: &[u8]) -> Option<Vec<u8>> {
    let field = Field { default: None, ..record.fields.get(record.key()?)?.clone() };
    let only = RecordType { name: record.name.clone(), fields: vec![field] };
    let mut key = Vec::new();
    json_row(&mut key, &only, line).ok().map(|()| key)
}

impl<R: BufRead + Patient + Send> Source for Jsonl<R> {
    fn read(&mut self, batch: &mut Batch, rows: usize) -> Result<bool, DataflowError> {
        let record = self.record.clone();
        let mut reader = RowReader::new(&record);
        for i in 0..rows {
            if i > 0 && self.input.would_wait() {
                break;
            }
            let read = self.next_line().map_err(|reason| DataflowError::File {
                action: "read",
                path: self.name.clone().into(),
                reason,
            })?;
            let Some(whole) = read else { return Ok(false) };
            // What some programs write before a UTF-8 text (byte order mark).
            let text = match self.line {
                1 => self.buffer.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.buffer),
                _ => &self.buffer,
            };
            let line = text.trim_ascii();
            if line.is_empty() {
                continue;
            }
            let result = if whole {
                batch.rows.try_push(|out| {
                    let start = out.len();
                    reader.read(out, line).map_err(|error| error.to_string())?;
                    match record.key().map(|key| Items::new(&out[start..]).get(key)) {
                        Some(Datum::Str("")) => Err("the key is empty".to_owned()),
                        _ => Ok(()),
                    }
                })
            } else {
                Err(format!("the line is longer than {LONGEST_LINE} bytes"))
            };
            if let Err(reason) = result {
                let bad = BadRow::new(format!("{}:{}", self.name, self.line), line, reason);
                batch.bad.push(bad.of(key_of(&record, line)));
            }
        }
        Ok(true)
    }

    fn place(&self) -> Option<String> {
        Some(format!("{}:{}", self.name, self.line))
    }
}
