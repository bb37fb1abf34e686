//! `http`: requests of clients; the process of the first worker serves them.
//!
//! There is nothing to be read here: the requests come through a `Service` of the core. Whoever
//! wants to read the source without one (the twin, a join) is told why that cannot be.

use sage_dsl::catalog::{Kind, Param, Signature};
use sage_dsl::plan::SourcePlan;

use super::{Batch, Source, SourceEntry, broken};
use crate::error::DataflowError;
use crate::served::serving;

/// Most requests in the pipeline.
const MOST_REQUESTS: i64 = 100_000;
/// Largest body that may be allowed.
const MOST_BODY: usize = 64 << 20;

pub(super) static ENTRY: SourceEntry = SourceEntry {
    signature: Signature {
        name: "http",
        summary: "a service: each record is a JSON object that a client posts, and what is emitted into \
                  a sink `http_reply` is the answer",
        params: &[
            Param {
                name: "listen",
                kind: Kind::String,
                default: Some("\"127.0.0.1:8088\""),
                doc: "address of this machine alone, and a port (0: a free one); `--listen` of the \
                      command line gives another",
            },
            Param {
                name: "at",
                kind: Kind::String,
                default: Some("\"/\""),
                doc: "path that requests are posted to",
            },
            Param {
                name: "token",
                kind: Kind::Secret,
                default: Some("null"),
                doc: "what clients have to bring as `Authorization: Bearer`: `env(\"NAME\")`",
            },
            Param {
                name: "max_requests",
                kind: Kind::Count(1, MOST_REQUESTS),
                default: Some("64"),
                doc: "most requests in the pipeline; beyond it the answer is 429",
            },
            Param {
                name: "max_body",
                kind: Kind::Size,
                default: Some("1MiB"),
                doc: "largest body, up to 64MiB; beyond it the answer is 413",
            },
            Param {
                name: "deadline",
                kind: Kind::Duration,
                default: Some("30s"),
                doc: "longest time until the answer; beyond it the answer is 504",
            },
        ],
        example: "source questions: Query from http(listen: \"127.0.0.1:8088\")",
        takes_fields: false,
    },
    open,
};

fn open(plan: &SourcePlan) -> Result<Box<dyn Source>, DataflowError> {
    let serving = serving(plan).ok_or_else(|| broken(plan, "it is no service"))?;
    let port = serving.listen.rsplit_once(':').and_then(|(host, port)| {
        port.parse::<u16>().ok().filter(|_| !host.is_empty())
    });
    if port.is_none() {
        let message = format!("`{}` is no address; write `127.0.0.1:8088`", serving.listen);
        return Err(broken(plan, message));
    }
    if !serving.path.starts_with('/') || serving.path.contains(['?', '#', ' ']) {
        let message = format!("`{}` is no path; write `/` or `/ask`", serving.path);
        return Err(broken(plan, message));
    }
    if serving.path == "/health" {
        return Err(broken(plan, "`/health` tells how the service is; give another path"));
    }
    if serving.max_body > MOST_BODY {
        return Err(broken(plan, "`max_body` is more than 64MiB"));
    }
    if serving.deadline_ns == 0 {
        return Err(broken(plan, "with a `deadline` of 0 nothing could be answered"));
    }
    Ok(Box::new(Unread(plan.clone())))
}

/// A service whose requests somebody wants to read.
struct Unread(SourcePlan);

impl Source for Unread {
    fn read(&mut self, _batch: &mut Batch, _rows: usize) -> Result<bool, DataflowError> {
        Err(broken(&self.0, "what clients will ask is not known beforehand"))
    }
}
