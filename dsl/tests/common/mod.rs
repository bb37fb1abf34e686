//! A catalog for tests: the signatures of the real leaves, without the leaves.

use sage_dsl::catalog::{
    Catalog, Cost, EndpointUse, Kind, Param, Signature, StageClass, StageSpec,
};
use sage_dsl::types::{Field, RecordType, Type};
use sage_dsl::{Compiled, Request, compile};

const fn param(name: &'static str, kind: Kind, default: Option<&'static str>) -> Param {
    Param { name, kind, default, doc: "" }
}

const fn signature(name: &'static str, params: &'static [Param]) -> Signature {
    Signature { name, summary: "", params, example: "", takes_fields: false }
}

const FREE: Cost = Cost { fixed_us: 1.0, per_unit: None };

fn field(name: &str, ty: Type) -> Field {
    Field { name: name.to_owned(), ty, default: None, key: false }
}

fn record(name: &str, fields: Vec<Field>) -> Type {
    Type::Record(RecordType { name: name.to_owned(), fields })
}

fn hits(types: &[Type]) -> Result<Type, String> {
    let Some(Type::Record(doc)) = types.first() else {
        return Err("the first argument is an index".to_owned());
    };
    let mut fields = doc.fields.clone();
    fields.push(field("score", Type::Float));
    Ok(Type::List(Box::new(record("Hit", fields))))
}

#[expect(clippy::unnecessary_wraps, reason = "the type of the field")]
fn answer(_: &[Type]) -> Result<Type, String> {
    Ok(record(
        "Generation",
        vec![
            field("text", Type::String),
            field("tokens", Type::Int),
            field("prompt_tokens", Type::Int),
            field("finish", Type::String),
        ],
    ))
}

#[expect(clippy::unnecessary_wraps, reason = "the type of the field")]
fn context(_: &[Type]) -> Result<Type, String> {
    let ids = Type::List(Box::new(Type::String));
    Ok(record("Context", vec![field("text", Type::String), field("ids", ids)]))
}

#[expect(clippy::unnecessary_wraps, reason = "the type of the field")]
fn first(types: &[Type]) -> Result<Type, String> {
    Ok(types.first().cloned().unwrap_or(Type::Unknown))
}

static STAGES: &[&StageSpec] = &[
    &StageSpec {
        signature: signature("embed", &[param("text", Kind::String, None)]),
        options: &[
            param("batch", Kind::Count(1, 2048), Some("32")),
            param("batch_tokens", Kind::Tokens, Some("null")),
            param("linger", Kind::Duration, Some("5ms")),
            param("timeout", Kind::Duration, Some("30s")),
            param("cache", Kind::Word(&["run", "content", "off"]), Some("run")),
            param("lane", Kind::Word(&["control", "normal", "batch"]), Some("normal")),
        ],
        result: |_| Ok(Type::Vector(None)),
        calls: EndpointUse::Embed,
        class: StageClass::Wait,
        cost: FREE,
    },
    &StageSpec {
        signature: signature(
            "retrieve",
            &[
                param("index", Kind::Index, None),
                param("vector", Kind::Vector, None),
                param("k", Kind::Int, Some("10")),
            ],
        ),
        options: &[],
        result: hits,
        calls: EndpointUse::None,
        class: StageClass::Cheap,
        cost: FREE,
    },
    &StageSpec {
        signature: signature(
            "search",
            &[
                param("index", Kind::Index, None),
                param("text", Kind::String, None),
                param("k", Kind::Int, Some("10")),
                param("where", Kind::Documents, Some("null")),
            ],
        ),
        options: &[],
        result: hits,
        calls: EndpointUse::Embed,
        class: StageClass::Wait,
        cost: FREE,
    },
    &StageSpec {
        signature: signature(
            "rerank",
            &[
                param("hits", Kind::Hits, None),
                param("text", Kind::String, None),
                param("keep", Kind::Int, Some("5")),
            ],
        ),
        options: &[],
        result: first,
        calls: EndpointUse::None,
        class: StageClass::Compute,
        cost: FREE,
    },
    &StageSpec {
        signature: signature(
            "context",
            &[param("hits", Kind::Hits, None), param("budget", Kind::Tokens, Some("2000 tokens"))],
        ),
        options: &[],
        result: context,
        calls: EndpointUse::None,
        class: StageClass::Cheap,
        cost: FREE,
    },
    &StageSpec {
        signature: signature(
            "chunk",
            &[
                param("text", Kind::String, None),
                param("by", Kind::Word(&["paragraphs", "sentences", "tokens"]), Some("paragraphs")),
                param("size", Kind::Tokens, Some("200 tokens")),
                param("overlap", Kind::Tokens, Some("0 tokens")),
            ],
        ),
        options: &[],
        result: |_| Ok(Type::List(Box::new(Type::String))),
        calls: EndpointUse::None,
        class: StageClass::Cheap,
        cost: FREE,
    },
    &StageSpec {
        signature: signature("generate", &[param("prompt", Kind::String, None)]),
        options: &[
            param("max_tokens", Kind::Int, Some("256")),
            param("temperature", Kind::Float, Some("0")),
            param("timeout", Kind::Duration, Some("60s")),
            param("batch", Kind::Count(1, 2048), Some("1")),
            param("batch_tokens", Kind::Tokens, Some("null")),
            param("repair", Kind::Count(0, 8), Some("2")),
            param("stream", Kind::Bool, Some("false")),
            param("cache", Kind::Word(&["run", "content", "off"]), Some("run")),
            param("lane", Kind::Word(&["control", "normal", "batch"]), Some("normal")),
            param("stop", Kind::Any, Some("null")),
        ],
        result: answer,
        calls: EndpointUse::Generate,
        class: StageClass::Wait,
        cost: FREE,
    },
    &StageSpec {
        signature: signature(
            "hash_chain",
            &[param("text", Kind::String, None), param("rounds", Kind::Int, Some("1_000"))],
        ),
        options: &[],
        result: |_| Ok(Type::String),
        calls: EndpointUse::None,
        class: StageClass::Compute,
        cost: Cost { fixed_us: 1.0, per_unit: Some(("rounds", 0.3)) },
    },
    &StageSpec {
        signature: signature("burn", &[param("cost", Kind::Distribution, None)]),
        options: &[],
        result: |_| Ok(Type::Int),
        calls: EndpointUse::None,
        class: StageClass::Compute,
        cost: FREE,
    },
    &StageSpec {
        signature: signature("sleep", &[param("duration", Kind::Distribution, None)]),
        options: &[],
        result: |_| Ok(Type::Duration),
        calls: EndpointUse::None,
        class: StageClass::Wait,
        cost: FREE,
    },
    &StageSpec {
        signature: signature("map", &[param("value", Kind::Any, None)]),
        options: &[],
        result: first,
        calls: EndpointUse::None,
        class: StageClass::Cheap,
        cost: FREE,
    },
];

static FILE: &[Param] = &[param("path", Kind::Path, None)];

static CSV: Signature = signature("csv", FILE);
static JSONL: Signature = signature("jsonl", FILE);
static DIR: Signature = signature("dir", &[param("paths", Kind::Paths, None)]);
static MARKDOWN: Signature = signature(
    "markdown",
    &[
        param("paths", Kind::Paths, None),
        param("chunk", Kind::Word(&["paragraphs", "sentences", "tokens"]), Some("paragraphs")),
        param("size", Kind::Tokens, Some("200 tokens")),
        param("overlap", Kind::Tokens, Some("0 tokens")),
    ],
);
static STDIN: Signature =
    signature("stdin", &[param("format", Kind::Word(&["jsonl", "lines"]), Some("jsonl"))]);
static STDOUT: Signature = signature("stdout", &[]);
static GENERATE: Signature = Signature {
    takes_fields: true,
    ..signature(
        "generate",
        &[param("count", Kind::Int, Some("1000")), param("seed", Kind::Int, Some("1"))],
    )
};
static FIFO: Signature = signature("fifo", &[]);
static PRIORITY: Signature = signature("priority", &[param("aging", Kind::Duration, Some("10s"))]);
static LOAD_AWARE: Signature =
    signature("load_aware", &[param("strategy", Kind::Word(&["spread", "pack"]), Some("spread"))]);

/// The catalog of all tests.
pub(crate) static CATALOG: Catalog = Catalog {
    stages: STAGES,
    sources: &[&CSV, &JSONL, &STDIN, &GENERATE],
    documents: &[&CSV, &JSONL, &DIR, &MARKDOWN],
    sinks: &[&CSV, &JSONL, &STDOUT],
    policies: &[&FIFO, &LOAD_AWARE, &PRIORITY],
    profiles: &["a100/qwen2.5-7b", "h100/qwen2.5-7b", "h100/llama3-70b"],
    models: &[],
    columns: &[
        ("throughput_per_s", &["throughput"]),
        ("latency_mean_ms", &[]),
        ("latency_p50_ms", &[]),
        ("latency_p99_ms", &[]),
        ("balance", &[]),
        ("decision_p99_us", &[]),
        ("dispatch_p99_us", &[]),
        ("success", &[]),
        ("speedup", &[]),
        ("efficiency", &[]),
        ("isolation_spread", &[]),
        ("parallel_gain", &[]),
        ("jain", &[]),
        ("slowdown", &[]),
    ],
    own_files: &["tasks.csv", "plan.json"],
};

/// Compiles a program whose imports lie in `files`.
pub(crate) fn compile_with(
    path: &str,
    text: &str,
    overrides: &[(String, String)],
    files: &[(&str, &str)],
) -> Compiled {
    compile(Request {
        path,
        text,
        overrides,
        env: &|name| (name == "SET_IN_TESTS").then(|| "value".to_owned()),
        load: &|wanted| {
            let found = files.iter().find(|(path, _)| *path == wanted);
            found.map(|(_, text)| (*text).to_owned()).ok_or_else(|| "no such file".to_owned())
        },
        catalog: &CATALOG,
    })
}

/// `code line:col message / help` lines.
#[allow(dead_code, reason = "not every test shows them")]
pub(crate) fn plain(compiled: &Compiled) -> String {
    let mut lines = Vec::new();
    for found in &compiled.diagnostics {
        let span = found.span().expect("every diagnostic has a place");
        let (line, column) = compiled.sources.line_column(span);
        let severity = if found.is_error() { "error" } else { "warning" };
        let path = compiled.sources.path(span);
        let (code, message) = (found.code, &found.message);
        lines.push(format!("{severity}[{code}] {path}:{line}:{column} {message}"));
        for label in &found.labels {
            let text = compiled.sources.text(label.span);
            let colon = if label.text.is_empty() { "" } else { ": " };
            lines.push(format!("    at {text:?}{colon}{}", label.text));
        }
        lines.extend(found.help.as_ref().map(|help| format!("    help: {help}")));
        if let Some(fix) = &found.fix {
            let text = compiled.sources.text(fix.span);
            lines.push(format!("    fix: {text:?} -> {:?}", fix.replacement));
        }
    }
    lines.join("\n")
}
