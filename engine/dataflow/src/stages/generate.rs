//! `generate`: text from a language model.

use sage_core::endpoint::{GenerateOptions, Generation};
use sage_core::record::{Datum, pack, pack_record};
use sage_dsl::catalog::{Cost, EndpointUse, Kind, Param, Signature, StageClass, StageSpec};
use sage_dsl::types::{Field, RecordType, Type, Value};

use super::{Ask, Build, Stage, StageEntry};
use crate::error::DataflowError;

pub(super) static ENTRY: StageEntry = StageEntry {
    spec: StageSpec {
        signature: Signature {
            name: "generate",
            summary: "text from a language model; fields text, tokens, prompt_tokens, finish",
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
                kind: Kind::Int,
                default: Some("256"),
                doc: "most tokens to generate",
            },
            Param {
                name: "temperature",
                kind: Kind::Float,
                default: Some("0.7"),
                doc: "sampling temperature",
            },
            Param { name: "seed", kind: Kind::Int, default: Some("0"), doc: "sampling seed" },
            Param {
                name: "timeout",
                kind: Kind::Duration,
                default: Some("60s"),
                doc: "longest time until the answer, all tries together",
            },
            Param {
                name: "batch",
                kind: Kind::Int,
                default: Some("1"),
                doc: "most prompts in one call; above 1 the completions form is used",
            },
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

fn build(build: &Build<'_>) -> Result<Stage, DataflowError> {
    let int = |name: &str| build.option(name).and_then(Value::as_int);
    let batch = int("batch").unwrap_or(1);
    let api = build.option("api").and_then(Value::as_str).unwrap_or("chat");
    let options = GenerateOptions {
        max_tokens: int("max_tokens").and_then(|n| u32::try_from(n).ok()).unwrap_or(256),
        temperature: build.option("temperature").and_then(Value::as_float),
        seed: int("seed").and_then(|n| u64::try_from(n).ok()),
        stop: Vec::new(),
        chat: batch <= 1 && api == "chat",
        ..GenerateOptions::default()
    };
    Ok(Stage::Call(build.call("prompt", Ask::Generate(options))?))
}
