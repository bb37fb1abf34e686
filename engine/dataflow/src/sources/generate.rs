//! `generate`: numbered records, for tests, demonstrations and load.

use sage_core::record::{Datum, pack, pack_value};
use sage_dsl::catalog::{Kind, Param, Signature};
use sage_dsl::plan::{SourcePlan, lookup};
use sage_dsl::types::{RecordType, Type, Value};

use super::{Batch, Source, SourceEntry, broken};
use crate::error::DataflowError;

pub(super) static ENTRY: SourceEntry = SourceEntry {
    signature: Signature {
        name: "generate",
        summary: "numbered records; text fields may contain {{ n }}, the number from 1",
        params: &[Param { name: "count", kind: Kind::Int, default: Some("1000"), doc: "how many" }],
        example: "source tasks: Task from generate(count: 2000, text: \"task {{ n }}\")",
        takes_fields: true,
    },
    open,
};

/// How one field is filled.
enum Fill {
    /// Text around the record's number.
    Text(Vec<String>),
    Number,
    Constant(Value),
}

struct Generate {
    fills: Vec<Fill>,
    next: u64,
    count: u64,
}

fn open(plan: &SourcePlan) -> Result<Box<dyn Source>, DataflowError> {
    let count = lookup(&plan.args, "count").and_then(Value::as_int).unwrap_or(1000);
    let count = u64::try_from(count).map_err(|_| broken(plan, "`count` must not be negative"))?;
    let RecordType { fields, name } = &plan.record;
    let mut fills = Vec::new();
    for field in fields {
        fills.push(match (lookup(&plan.fields, &field.name), &field.ty, &field.default) {
            (Some(Value::String(text)), Type::String, _) => Fill::Text(pieces(text)),
            (Some(value), _, _) => Fill::Constant(value.clone()),
            (None, Type::String, None) => Fill::Text(vec![String::new(), String::new()]),
            (None, Type::Int, None) => Fill::Number,
            (None, _, Some(default)) => Fill::Constant(default.clone()),
            (None, Type::Optional(_), None) => Fill::Constant(Value::Null),
            _ => {
                let message =
                    format!("`generate` needs a value for the field `{}` of {name}", field.name);
                return Err(broken(plan, message));
            }
        });
    }
    Ok(Box::new(Generate { fills, next: 1, count }))
}

/// Split at each `{{ n }}`.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        pieces.last_mut().expect("never empty").push_str(before);
        match after.split_once("}}") {
            Some((inner, behind)) if inner.trim() == "n" => {
                pieces.push(String::new());
                rest = behind;
            }
            _ => {
                pieces.last_mut().expect("never empty").push_str("{{");
                rest = after;
            }
        }
    }
    pieces.last_mut().expect("never empty").push_str(rest);
    pieces
}

impl Source for Generate {
    fn read(&mut self, batch: &mut Batch, rows: usize) -> Result<bool, DataflowError> {
        for _ in 0..rows {
            if self.next > self.count {
                return Ok(false);
            }
            let n = self.next;
            self.next += 1;
            batch.rows.push(|out| {
                for fill in &self.fills {
                    match fill {
                        Fill::Text(pieces) => pack(out, Datum::Str(&pieces.join(&n.to_string()))),
                        Fill::Number => pack(out, Datum::Int(n as i64)),
                        Fill::Constant(value) => pack_value(out, value),
                    }
                }
            });
        }
        Ok(true)
    }

    fn place(&self) -> Option<String> {
        Some(format!("record {} of `generate`", self.next - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_put_into_the_text() {
        assert_eq!(pieces("task {{ n }} of {{n}}!").join("7"), "task 7 of 7!");
        assert_eq!(pieces("{{ m }} {{").join("7"), "{{ m }} {{");
    }
}
