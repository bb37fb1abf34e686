//! Plans that serve: their records are requests of clients, and the rows of one sink are the answers.
//!
//! A request is one record and one task, so that its answer waits for no other.

use sage_dsl::plan::{Plan, SourcePlan, lookup};
use sage_dsl::types::Value;

use crate::error::DataflowError;
use crate::sinks::{Target, entry};

/// Registry name of the source.
const SOURCE: &str = "http";

/// How the source of a plan serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Serving {
    /// `HOST:PORT`.
    pub listen: String,
    /// Path that requests are posted to.
    pub path: String,
    /// Environment variable with the token that clients have to bring.
    pub token_env: Option<String>,
    /// Most requests in the pipeline.
    pub max_requests: usize,
    /// Largest body, bytes.
    pub max_body: usize,
    /// Longest time until the answer, nanoseconds.
    pub deadline_ns: u64,
}

/// Whether a plan serves.
pub fn is_served(plan: &Plan) -> bool {
    plan.source().is_some_and(|source| source.kind == SOURCE)
}

/// How a source serves, if it does.
pub fn serving(source: &SourcePlan) -> Option<Serving> {
    let text = |name| lookup(&source.args, name).and_then(Value::as_str).map(str::to_owned);
    let count = |name| {
        let count = lookup(&source.args, name).and_then(Value::as_int);
        count.and_then(|count| usize::try_from(count).ok())
    };
    let deadline = lookup(&source.args, "deadline").and_then(Value::as_duration_ns);
    (source.kind == SOURCE).then(|| Serving {
        listen: text("listen").unwrap_or_default(),
        path: text("at").unwrap_or_else(|| "/".to_owned()),
        token_env: text("token"),
        max_requests: count("max_requests").unwrap_or(64).max(1),
        max_body: count("max_body").unwrap_or(1 << 20).max(1),
        deadline_ns: deadline.and_then(|ns| u64::try_from(ns).ok()).unwrap_or(30_000_000_000),
    })
}

/// Say early whether requests and answers of a plan belong together.
pub(crate) fn probe(plan: &Plan) -> Result<(), DataflowError> {
    let replies = |(_, sink): &(usize, &sage_dsl::plan::SinkPlan)| {
        entry(sink).is_some_and(|entry| (entry.target)(sink) == Target::Replied)
    };
    let sinks: Vec<_> = plan.sinks.iter().enumerate().filter(replies).collect();
    let wrong = |sink: &sage_dsl::plan::SinkPlan, message: String| {
        Err(DataflowError::Sink { name: sink.name.clone(), line: sink.line, message })
    };
    let served = plan.source().filter(|_| is_served(plan));
    let source = match (served, sinks.as_slice()) {
        (None, []) => return Ok(()),
        (None, [(_, sink), ..]) => {
            return wrong(
                sink,
                "it answers requests, and the source of the flow has none; read `from http(...)`"
                    .to_owned(),
            );
        }
        (Some(source), []) => {
            return Err(DataflowError::Source {
                name: source.name.clone(),
                line: source.line,
                message: "nothing answers its requests; emit into a sink `to http_reply()`".into(),
            });
        }
        (Some(_), [_, (_, second), ..]) => {
            return wrong(second, "a request has one answer; one sink is `http_reply`".to_owned());
        }
        (Some(source), [_]) => source,
    };
    let computed = |at: usize| plan.relation().is_some_and(|it| it.emits().any(|e| e.sink == at));
    if let Some((_, sink)) = sinks.iter().find(|(at, _)| computed(*at)) {
        return wrong(
            sink,
            "it gets rows of a step over all records (`group`, `join`, `dedup`), which belong to no \
             request; write those to a file"
                .to_owned(),
        );
    }
    if source.changes.is_some() {
        return Err(DataflowError::Source {
            name: source.name.clone(),
            line: source.line,
            message: "requests have no `changes`; leave the option out".into(),
        });
    }
    Ok(())
}
