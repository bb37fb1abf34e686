//! `exec`: a program of the machine that answers a line of JSON with another, in any language.
//!
//! What is sent is `{"id":7,"value":...}` with the value of an expression; what comes back is a line
//! with the same id and a value of the type that the stage declares, or a text if it declares none. Processes live as long
//! as the run, so that a model or a table is loaded once and not for each record. They are started
//! by the worker's pool (see the crate `sage-exec`), and only if the command line allows it.

use std::sync::Arc;

use sage_core::endpoint::ExecCommand;
use sage_core::record::{AnswerType, Datum, pack};
use sage_dsl::catalog::{Cost, EndpointUse, Kind, Param, Signature, StageClass, StageSpec};
use sage_dsl::plan::{Argument, Expr, StagePlan};
use sage_dsl::types::{Type, Value};

use super::options::{calling, count, wrong};
use super::{Ask, Build, CallStage, Stage, StageEntry, Structured};
use crate::error::DataflowError;

/// Most processes of a stage on one worker.
const MOST_PROCESSES: i64 = 256;
/// Most tries behind the first.
const MOST_RETRIES: i64 = 8;
/// Bound of the whole wait, in timeouts: tries and lines before it.
const MOST_WAITED: u64 = 10_000;
/// No endpoint of the plan.
const NO_ENDPOINT: usize = usize::MAX;

pub(super) static ENTRY: StageEntry = StageEntry {
    spec: StageSpec {
        signature: Signature {
            name: "exec",
            summary: "a program that answers lines of JSON, of 16 MiB at most; needs `--allow-exec`, and \
                      a type in front of the `=` for anything but text",
            params: &[
                Param {
                    name: "command",
                    kind: Kind::String,
                    default: None,
                    doc: "the program and its arguments, a constant; no shell looks at it",
                },
                Param {
                    name: "input",
                    kind: Kind::Any,
                    default: None,
                    doc: "what it gets, as `value` of a line of JSON with an `id` that the answer repeats",
                },
            ],
            example: "stage score: float = exec(\"python3 score.py\", .text) { timeout: 10s }",
            takes_fields: false,
        },
        options: &[
            Param {
                name: "timeout",
                kind: Kind::Duration,
                default: Some("60s"),
                doc: "longest time until the answer, from the moment at which a process gets the line",
            },
            Param {
                name: "processes",
                kind: Kind::Count(1, MOST_PROCESSES),
                default: Some("1"),
                doc: "most processes of it on each worker",
            },
            Param {
                name: "retries",
                kind: Kind::Count(0, MOST_RETRIES),
                default: Some("1"),
                doc: "how often a line is tried again when the process ends, is silent or breaks the rules",
            },
        ],
        result: |_| Ok(Type::String),
        calls: EndpointUse::Program,
        class: StageClass::Wait,
        cost: Cost { fixed_us: 20.0, per_unit: None },
    },
    build,
};

/// What is run for a stage.
pub(super) fn command(stage: &StagePlan) -> Result<ExecCommand, DataflowError> {
    let given = stage.args.iter().find(|(name, _)| name == "command");
    let Some((_, Argument::Expr(Expr::Literal(Value::String(text))))) = given else {
        return Err(wrong(stage, "`command` must be known before the run: a string or a param"));
    };
    let words = shell_words::split(text)
        .map_err(|_| wrong(stage, format!("`{text}`: a quote is opened and never closed")))?;
    if words.first().is_none_or(String::is_empty) {
        return Err(wrong(stage, "`command` is empty; write one such as `python3 score.py`"));
    }
    Ok(ExecCommand {
        words,
        processes: count(stage, "processes", 1, MOST_PROCESSES, 1)? as usize,
        retries: count(stage, "retries", 0, MOST_RETRIES, 1)? as u32,
        timeout_ns: calling(stage)?.timeout_ns,
    })
}

/// Append an answer that is a mere text; one that is a JSON string is what that says.
pub(super) fn pack_line(out: &mut Vec<u8>, line: &str) {
    match serde_json::from_str::<String>(line) {
        Ok(text) => pack(out, Datum::Str(&text)),
        Err(_) => pack(out, Datum::Str(line)),
    }
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
        ask: Ask::Exec(Arc::new(command(stage)?)),
        structured,
        batch: 1,
        batch_tokens: None,
        linger_ns: 0,
        // A line may have to wait for all those before it, each with all its tries.
        timeout_ns: calling.timeout_ns.max(1_000_000_000).saturating_mul(MOST_WAITED),
        lane: calling.lane,
        cache: calling.cache,
    })))
}
