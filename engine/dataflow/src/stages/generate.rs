//! `generate`: text from a language model, or a value of a declared type when the prompt says one.

use std::sync::Arc;

use sage_core::endpoint::{GenerateOptions, Generation, OutputSchema};
use sage_core::record::{AnswerType, Datum, pack, pack_record};
use sage_dsl::catalog::{Cost, EndpointUse, Kind, Param, Signature, StageClass, StageSpec};
use sage_dsl::plan::{Plan, StagePlan, Template, lookup};
use sage_dsl::schema;
use sage_dsl::types::{Field, RecordType, Type, Value};

use super::options::{BATCH_TOKENS, CACHE, LANE, MOST_ITEMS, calling, count, wrong};
use super::{Ask, Build, Stage, StageEntry, Structured};
use crate::error::DataflowError;

/// Most tokens of an answer; no model has so many.
const MOST_TOKENS: i64 = 1_000_000;
/// Most repairs of one answer.
const MOST_REPAIRS: i64 = 8;
/// Most stop strings.
const MOST_STOPS: usize = 16;

pub(super) static ENTRY: StageEntry = StageEntry {
    spec: StageSpec {
        signature: Signature {
            name: "generate",
            summary: "text from a language model: fields text, tokens, prompt_tokens, finish; or a \
                      value of the type that the prompt answers with",
            params: &[Param {
                name: "prompt",
                kind: Kind::String,
                default: None,
                doc: "a prompt with its arguments, or a string",
            }],
            example: "stage answer = generate(answer_from(ctx.text, .text)) on llm { max_tokens: 256 }",
            takes_fields: false,
        },
        options: &[
            Param {
                name: "max_tokens",
                kind: Kind::Count(1, MOST_TOKENS),
                default: Some("256"),
                doc: "most tokens to generate",
            },
            Param {
                name: "temperature",
                kind: Kind::Float,
                default: Some("0.7"),
                doc: "sampling temperature",
            },
            Param { name: "seed", kind: Kind::Int, default: Some("0"), doc: "sampling seed; the run's seed is added" },
            Param {
                name: "stop",
                kind: Kind::Any,
                default: Some("null"),
                doc: "a string, or a list of strings, at which the answer ends",
            },
            Param {
                name: "timeout",
                kind: Kind::Duration,
                default: Some("60s"),
                doc: "longest time until the answer: waiting for others, all tries and repairs together",
            },
            Param {
                name: "batch",
                kind: Kind::Count(1, MOST_ITEMS),
                default: Some("1"),
                doc: "most prompts in one call; above 1 the completions form is used",
            },
            BATCH_TOKENS,
            Param {
                name: "linger",
                kind: Kind::Duration,
                default: Some("0ms"),
                doc: "longest time a prompt waits for others",
            },
            Param {
                name: "api",
                kind: Kind::Word(&["chat", "completions"]),
                default: Some("chat"),
                doc: "form of the call when it carries one prompt",
            },
            Param {
                name: "stream",
                kind: Kind::Bool,
                default: Some("false"),
                doc: "take the answer as a stream, so that the time of its first token is measured",
            },
            Param {
                name: "repair",
                kind: Kind::Count(0, MOST_REPAIRS),
                default: Some("1"),
                doc: "how often an answer that does not fit the prompt's type is asked for again",
            },
            CACHE,
            LANE,
        ],
        result: |_| Ok(Type::Record(generated())),
        calls: EndpointUse::Generate,
        class: StageClass::Wait,
        cost: Cost { fixed_us: 20.0, per_unit: None },
    },
    build,
};

/// The column's record type.
fn generated() -> RecordType {
    let field = |name: &str, ty| Field { name: name.into(), ty, default: None, key: false };
    RecordType {
        name: "Generated".into(),
        fields: vec![
            field("text", Type::String),
            field("tokens", Type::Int),
            field("prompt_tokens", Type::Int),
            field("finish", Type::String),
        ],
    }
}

/// Pack an answer as the column's value; the order is that of `generated`.
pub(crate) fn pack_generation(out: &mut Vec<u8>, answer: &Generation) {
    pack_record(out, |out| {
        pack(out, Datum::Str(&answer.text));
        pack(out, Datum::Int(answer.completion_tokens as i64));
        pack(out, Datum::Int(answer.prompt_tokens as i64));
        pack(out, Datum::Str(&answer.finish));
    });
}

/// What is asked, and what the answer has to be if not plain text.
pub(super) fn ask(
    plan: &Plan,
    stage: &StagePlan,
) -> Result<(GenerateOptions, Option<Structured>), DataflowError> {
    let option = |name: &str| lookup(&stage.options, name);
    let batch = calling(stage)?.batch;
    let api = option("api").and_then(Value::as_str).unwrap_or("chat");
    let stream = option("stream").and_then(Value::as_bool).unwrap_or(false);
    if stream && batch > 1 {
        return Err(wrong(stage, "`stream` is possible only with one prompt a call (`batch: 1`)"));
    }
    let temperature = option("temperature").and_then(Value::as_float);
    if temperature.is_some_and(|t| !(0.0..=100.0).contains(&t)) {
        return Err(wrong(stage, "`temperature` must be 0 or more"));
    }
    let template = plan.structured(stage);
    let options = GenerateOptions {
        max_tokens: count(stage, "max_tokens", 1, MOST_TOKENS, 256)? as u32,
        temperature,
        seed: Some(count(stage, "seed", 0, i64::MAX, 0)? as u64),
        stop: stops(stage)?,
        chat: batch <= 1 && api == "chat",
        stream,
        schema: template.map(schema_of),
    };
    let repair = count(stage, "repair", 0, MOST_REPAIRS, 1)? as u8;
    let structured =
        template.map(|template| Structured { answer: AnswerType::new(template.result.clone()), repair });
    Ok((options, structured))
}

fn schema_of(template: &Template) -> Arc<OutputSchema> {
    let (name, json) = (schema::name(&template.name), schema::json_schema(&template.result));
    Arc::new(OutputSchema { name, json })
}

fn stops(stage: &StagePlan) -> Result<Vec<String>, DataflowError> {
    let given = match lookup(&stage.options, "stop") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::List(stops)) => stops.as_slice(),
        Some(stop) => std::slice::from_ref(stop),
    };
    let text = |stop: &Value| match stop {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        _ => None,
    };
    let stops: Option<Vec<String>> = given.iter().map(text).collect();
    stops.filter(|stops| stops.len() <= MOST_STOPS).ok_or_else(|| {
        let what = "`stop` is a string that is not empty, or a list of such";
        wrong(stage, format!("{what}, at most {MOST_STOPS}"))
    })
}

fn build(build: &Build<'_>) -> Result<Stage, DataflowError> {
    let (options, structured) = ask(build.plan, build.stage)?;
    build.call("prompt", Ask::Generate(options), structured)
}
