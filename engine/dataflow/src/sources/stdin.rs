//! `stdin`: records from the standard input, as JSON lines, CSV or plain lines.

use std::io::BufReader;

use sage_core::record::{Datum, pack, pack_value};
use sage_dsl::catalog::{Kind, Param, Signature};
use sage_dsl::plan::SourcePlan;
use sage_dsl::types::{RecordType, Type};

use super::csv::Csv;
use super::jsonl::{Jsonl, LONGEST_LINE, bounded_line};
use super::{BadRow, Batch, Patient, Source, SourceEntry, broken, text};
use crate::error::DataflowError;

pub(super) static ENTRY: SourceEntry = SourceEntry {
    signature: Signature {
        name: "stdin",
        summary: "the standard input: JSON lines, CSV, or plain lines",
        params: &[Param {
            name: "format",
            kind: Kind::Word(&["jsonl", "csv", "lines"]),
            default: Some("jsonl"),
            doc: "`lines` fills the first string field that is no key with the line, the key with its number",
        }],
        example: "source queries: Query from stdin(format: jsonl)",
        takes_fields: false,
    },
    open,
};

fn open(plan: &SourcePlan) -> Result<Box<dyn Source>, DataflowError> {
    let input = BufReader::with_capacity(1 << 16, std::io::stdin());
    let name = "standard input".to_owned();
    Ok(match text(plan, "format").unwrap_or("jsonl") {
        // The header of CSV must be read before the first row: not when the source is only probed.
        "csv" => Box::new(Late { plan: plan.clone(), csv: None }),
        "lines" => {
            let fields = &plan.record.fields;
            let line = fields.iter().position(|field| field.ty == Type::String && !field.key);
            let line = line.ok_or_else(|| {
                broken(plan, format!("{} has no string field for a line", plan.record.name))
            })?;
            Box::new(Lines { input, record: plan.record.clone(), line, read: 0, buffer: Vec::new() })
        }
        _ => Box::new(Jsonl::new(name, input, plan.record.clone())),
    })
}

struct Late {
    plan: SourcePlan,
    csv: Option<Csv<std::io::Stdin>>,
}

impl Source for Late {
    fn read(&mut self, batch: &mut Batch, rows: usize) -> Result<bool, DataflowError> {
        if self.csv.is_none() {
            let name = "standard input".to_owned();
            self.csv = Some(Csv::new(&self.plan, name, std::io::stdin(), ",")?.piped());
        }
        self.csv.as_mut().map_or(Ok(false), |csv| csv.read(batch, rows))
    }

    fn place(&self) -> Option<String> {
        self.csv.as_ref().and_then(Source::place)
    }
}

struct Lines<R> {
    input: R,
    record: RecordType,
    line: usize,
    read: u64,
    buffer: Vec<u8>,
}

impl<R: std::io::BufRead + Patient + Send> Source for Lines<R> {
    fn read(&mut self, batch: &mut Batch, rows: usize) -> Result<bool, DataflowError> {
        for i in 0..rows {
            if i > 0 && self.input.would_wait() {
                break;
            }
            let read = bounded_line(&mut self.input, &mut self.buffer).map_err(|reason| {
                DataflowError::File { action: "read", path: "standard input".into(), reason }
            })?;
            let Some(whole) = read else { return Ok(false) };
            self.read += 1;
            let number = self.read;
            let line = self.buffer.trim_ascii_end();
            let text = match std::str::from_utf8(line) {
                _ if !whole => Err(format!("the line is longer than {LONGEST_LINE} bytes")),
                Ok(text) => Ok(text),
                Err(_) => Err("the line is not UTF-8".to_owned()),
            };
            let text = match text {
                Ok(text) => text,
                Err(why) => {
                    let place = format!("standard input:{number}");
                    batch.bad.push(BadRow::new(place, line, why));
                    continue;
                }
            };
            batch.rows.push(|out| {
                for (i, field) in self.record.fields.iter().enumerate() {
                    match (&field.ty, &field.default) {
                        _ if i == self.line => pack(out, Datum::Str(text)),
                        (Type::String, _) if field.key => {
                            pack(out, Datum::Str(&number.to_string()));
                        }
                        (Type::Int, _) if field.key => pack(out, Datum::Int(number as i64)),
                        (_, Some(default)) => pack_value(out, default),
                        _ => pack(out, Datum::Null),
                    }
                }
            });
        }
        Ok(true)
    }

    fn place(&self) -> Option<String> {
        Some(format!("standard input:{}", self.read))
    }
}
