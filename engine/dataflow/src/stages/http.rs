//! `http`: a request to a server for each record, answered by a value of the declared type.
//!
//! What is sent is the value of an expression as JSON, for `get` the fields of a record as the query
//! of the address. It is made by the worker (see the crate `sage-http`), and only to hosts that the
//! command line names.

use std::sync::Arc;

use sage_core::record::AnswerType;
use sage_core::web::{HttpCall, HttpMethod};
use sage_dsl::catalog::{Cost, EndpointUse, Kind, Param, Signature, StageClass, StageSpec};
use sage_dsl::plan::{Argument, Expr, StagePlan, lookup};
use sage_dsl::types::{Type, Value};

use super::options::{calling, count, wrong};
use super::{Ask, Build, CallStage, Stage, StageEntry, Structured};
use crate::error::DataflowError;
use crate::outside::{HEADER, TOKEN, header, most_bytes, timeout};

/// Most requests of a stage at once on one worker.
const MOST_AT_ONCE: i64 = 256;
/// Most tries behind the first.
const MOST_RETRIES: i64 = 8;
/// Largest answer that may be allowed.
const MOST_ANSWER: usize = 64 << 20;
/// Bound of the whole wait, in timeouts: tries and requests before it.
const MOST_WAITED: u64 = 10_000;
/// No endpoint of the plan.
const NO_ENDPOINT: usize = usize::MAX;

pub(super) static ENTRY: StageEntry = StageEntry {
    spec: StageSpec {
        signature: Signature {
            name: "http",
            summary: "a request to a server that answers with JSON; needs `--allow-http HOST:PORT`, and a \
                      type in front of the `=` for anything but text",
            params: &[
                Param {
                    name: "url",
                    kind: Kind::Address,
                    default: None,
                    doc: "the address, a constant",
                },
                Param {
                    name: "input",
                    kind: Kind::Any,
                    default: Some("null"),
                    doc: "what is sent, as JSON; for `get` a record whose fields are the query",
                },
            ],
            example: "stage score: float = http(\"http://localhost:9000/score\", .text) { timeout: 10s }",
            takes_fields: false,
        },
        options: &[
            Param {
                name: "method",
                kind: Kind::Word(&["get", "post", "put", "patch", "delete"]),
                default: Some("post"),
                doc: "what is done; redirects are followed for `get` only, and within the allowed hosts",
            },
            HEADER,
            TOKEN,
            timeout("longest time of a try, until the whole answer is there"),
            Param {
                name: "retries",
                kind: Kind::Count(0, MOST_RETRIES),
                default: Some("2"),
                doc: "further tries after failures that may pass, within a budget of a tenth of the requests",
            },
            Param {
                name: "max_answer",
                kind: Kind::Size,
                default: Some("1MiB"),
                doc: "largest answer, up to 64MiB",
            },
            Param {
                name: "concurrency",
                kind: Kind::Count(1, MOST_AT_ONCE),
                default: Some("8"),
                doc: "most requests of it at once on each worker",
            },
        ],
        result: |_| Ok(Type::String),
        calls: EndpointUse::Http,
        class: StageClass::Wait,
        cost: Cost { fixed_us: 20.0, per_unit: None },
    },
    build,
};

/// The address of a stage, where it is one of this kind.
pub(super) fn url(stage: &StagePlan) -> Option<&str> {
    stage.args.iter().find_map(|(name, argument)| match argument {
        Argument::Expr(Expr::Literal(Value::String(text))) if name == "url" => Some(text.as_str()),
        _ => None,
    })
}

/// What is asked for a stage.
pub(super) fn call(stage: &StagePlan) -> Result<HttpCall, DataflowError> {
    let url = url(stage)
        .ok_or_else(|| wrong(stage, "`url` must be known before the run: a string or a param"))?;
    let text = |name: &str| lookup(&stage.options, name).and_then(Value::as_str);
    let headers = header(text("header").unwrap_or_default()).map_err(|why| wrong(stage, why))?;
    let max_answer =
        most_bytes(lookup(&stage.options, "max_answer"), "max_answer", 1 << 20, MOST_ANSWER)
            .map_err(|why| wrong(stage, why))?;
    Ok(HttpCall {
        url: url.to_owned(),
        method: text("method").and_then(HttpMethod::parse).unwrap_or(HttpMethod::Post),
        headers,
        token_env: text("token").map(str::to_owned),
        retries: count(stage, "retries", 0, MOST_RETRIES, 2)? as u32,
        timeout_ns: calling(stage)?.timeout_ns,
        max_answer,
        concurrency: count(stage, "concurrency", 1, MOST_AT_ONCE, 8)? as usize,
    })
}

fn build(build: &Build<'_>) -> Result<Stage, DataflowError> {
    let stage = build.stage;
    let calling = calling(stage)?;
    let structured = (stage.ty != Type::String)
        .then(|| Structured { answer: AnswerType::of_program(stage.ty.clone()), repair: 0 });
    Ok(Stage::Call(Box::new(CallStage {
        endpoint: NO_ENDPOINT,
        text: build.program("input")?,
        sends: Some(stage.sends.clone().unwrap_or(Type::Unknown)),
        ask: Ask::Http(Arc::new(call(stage)?)),
        structured,
        batch: 1,
        batch_tokens: None,
        linger_ns: 0,
        // A request may have to wait for all those before it, each with all its tries.
        timeout_ns: calling.timeout_ns.max(1_000_000_000).saturating_mul(MOST_WAITED),
        lane: calling.lane,
        cache: calling.cache,
    })))
}
