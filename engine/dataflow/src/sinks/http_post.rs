//! `http_post`: rows as JSON arrays, posted to a server.
//!
//! The rows of a worker go to a part file and are committed like those of a file; from there they are
//! delivered in batches (see `kafka::outbox`). Before a batch is sent it is noted what is in it, so
//! that it is the same one, under the same name, if it has to be sent again. No final file is made.

use std::sync::Arc;
use std::time::Duration;

use sage_core::endpoint::ErrorClass;
use sage_core::record::write_json_object;
use sage_core::web::{Asking, HttpCall, HttpMethod, Unanswered};
use sage_dsl::catalog::{Kind, Param, Signature};
use sage_dsl::plan::{SinkPlan, lookup};
use sage_dsl::types::Value;

use super::{SinkEntry, Target, part_of, wrong};
use crate::error::DataflowError;
use crate::kafka::{Delivery, Undelivered};
use crate::outside::{HEADER, Outside, TOKEN, most_bytes, patience, requested, timeout};

pub(crate) const KIND: &str = "http_post";
/// Most rows of a batch that may be asked for.
const MOST_ROWS: i64 = 100_000;
/// Largest body that may be asked for.
const MOST_BODY: usize = 64 << 20;
/// The status of a body that is larger than a server takes.
const TOO_LARGE: u16 = 413;

pub(super) static ENTRY: SinkEntry = SinkEntry {
    signature: Signature {
        name: KIND,
        summary: "rows that are posted to a server, in JSON arrays of objects; needs \
                  `--allow-http HOST:PORT`",
        params: &[
            Param { name: "url", kind: Kind::Address, default: None, doc: "where they are posted to" },
            Param {
                name: "batch",
                kind: Kind::Count(1, MOST_ROWS),
                default: Some("100"),
                doc: "most rows of a request",
            },
            Param {
                name: "max_body",
                kind: Kind::Size,
                default: Some("1MiB"),
                doc: "largest request, up to 64MiB; a longer row goes alone",
            },
            HEADER,
            TOKEN,
            timeout("longest time of a try"),
            patience(
                "how long a batch is sent again after failures that may pass, before the run ends",
            ),
        ],
        example: "sink scores: Score to http_post(\"http://localhost:9000/scores\", batch: 50)",
        takes_fields: false,
    },
    target: |plan| Target::Published(part_of(plan)),
    header: |_| Vec::new(),
    row: |record, values, out| {
        write_json_object(out, record, values.iter().copied());
        out.push(b'\n');
    },
};

/// What a program says of it.
struct Options {
    call: HttpCall,
    rows: usize,
    bytes: usize,
    patience: Duration,
}

impl Options {
    fn of(plan: &SinkPlan) -> Result<Self, String> {
        let value = |name: &str| lookup(&plan.args, name);
        let rows = value("batch").and_then(Value::as_int).and_then(|n| usize::try_from(n).ok());
        // What is answered is not kept.
        let (call, patience) = requested(&plan.args, HttpMethod::Post, 0)?;
        Ok(Options {
            call,
            rows: rows.unwrap_or(100).max(1),
            bytes: most_bytes(value("max_body"), "max_body", 1 << 20, MOST_BODY)?,
            patience,
        })
    }
}

/// Say early whether its options can be meant.
pub(super) fn probe(plan: &SinkPlan) -> Result<(), DataflowError> {
    Options::of(plan).map(drop).map_err(|message| wrong(plan, message))
}

/// Address and variable with a token.
pub(super) fn url(plan: &SinkPlan) -> Option<String> {
    let of = |plan| Options::of(plan).map(|options| options.call.url).ok();
    (plan.kind == KIND).then(|| of(plan)).flatten()
}

/// What delivers the rows of a sink.
pub(super) fn connect(
    plan: &SinkPlan,
    outside: &Outside,
) -> Result<Box<dyn Delivery>, DataflowError> {
    let connected = Options::of(plan).and_then(|options| {
        let web = outside.web.as_ref();
        let web = web.ok_or_else(|| "rows are posted in a run only".to_owned())?;
        let asking = web.open(Arc::new(options.call.clone()))?;
        Ok(Box::new(Post { options, asking }) as Box<dyn Delivery>)
    });
    connected.map_err(|message| wrong(plan, message))
}

struct Post {
    options: Options,
    asking: Box<dyn Asking>,
}

impl Delivery for Post {
    fn piece(&self, lines: &[u8]) -> usize {
        piece(lines, self.options.rows, self.options.bytes)
    }

    fn is_named(&self) -> bool {
        true
    }

    fn deliver(&mut self, lines: &[u8], name: &str) -> Result<(), Undelivered> {
        let Options { call, patience, .. } = &self.options;
        let asked = self.asking.ask(&call.url, Some(body(lines)), name, *patience);
        asked.map(drop).map_err(|Unanswered { error, untaken }| match error.class {
            ErrorClass::Cancelled => Undelivered::Stopped,
            _ if error.status == Some(TOO_LARGE) => Undelivered::TooLarge(format!(
                "{}; a lower `batch` or `max_body` makes smaller requests",
                error.message
            )),
            _ if untaken => Undelivered::Refused(error.message),
            _ => Undelivered::Failed(error.message),
        })
    }
}

/// Bytes of the first lines of `lines` that fit.
fn piece(lines: &[u8], rows: usize, bytes: usize) -> usize {
    let mut end = 0;
    for line in lines.split_inclusive(|byte| *byte == b'\n').take(rows) {
        // With two brackets around all; the line breaks become commas.
        if end > 0 && end + line.len() + 1 > bytes {
            break;
        }
        end += line.len();
    }
    end
}

/// Lines as an array.
fn body(lines: &[u8]) -> String {
    let text = String::from_utf8_lossy(lines);
    let rows: Vec<&str> = text.lines().collect();
    format!("[{}]", rows.join(","))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn batches_hold_all_rows_in_order_and_none_is_larger_than_was_asked_for(
            lengths in prop::collection::vec(0_usize..40, 1..60),
            most_rows in 1_usize..9,
            most_bytes in 8_usize..120,
        ) {
            let rows: Vec<String> =
                lengths.iter().enumerate().map(|(n, l)| format!("\"{n}{}\"", "x".repeat(*l))).collect();
            let all: String = rows.iter().map(|row| format!("{row}\n")).collect();
            let (mut rest, mut seen) = (all.as_bytes(), Vec::new());
            while !rest.is_empty() {
                let size = piece(rest, most_rows, most_bytes);
                prop_assert!(size > 0);
                let body = body(&rest[..size]);
                let batch: Vec<String> = serde_json::from_str(&body).unwrap();
                prop_assert!(batch.len() <= most_rows);
                prop_assert!(body.len() <= most_bytes || batch.len() == 1);
                // No batch ends without need.
                let next = rest[size..].split_inclusive(|byte| *byte == b'\n').next();
                prop_assert!(
                    batch.len() == most_rows || next.is_none_or(|next| body.len() + next.len() > most_bytes)
                );
                seen.extend(batch);
                rest = &rest[size..];
            }
            let wanted: Vec<String> = rows.iter().map(|row| row.trim_matches('"').to_owned()).collect();
            prop_assert_eq!(seen, wanted);
        }
    }
}
