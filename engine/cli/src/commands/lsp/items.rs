//! Lists to choose from, straight from the registries.

use lsp_types::{
    CompletionItem, CompletionItemKind, Documentation, InsertTextFormat, MarkupContent, MarkupKind,
};
use sage_dsl::catalog::{Kind, Param, Signature};
use sage_dsl::manual;
use sage_dsl::measures::{MEASURES, find_measure};

use crate::commands::doc::{measured, taken_apart};

/// Words that begin a declaration, each with what it looks like.
pub(super) const DECLARATIONS: &[(&str, &str)] = &[
    ("import", "import \"${1:other.sage}\""),
    ("param", "param ${1:name}: ${2:int} = ${3:1}"),
    ("type", "type ${1:Name} { ${2:id: string @key} }"),
    ("enum", "enum ${1:Name} { ${2:a, b} }"),
    ("endpoint", "endpoint ${1:llm} {\n  url: ${2:\"sim:a100/qwen2.5-7b\"}\n}"),
    ("source", "source ${1:rows}: ${2:Type} from ${3:csv(\"data/rows.csv\")}"),
    ("sink", "sink ${1:results}: ${2:Type} to ${3:jsonl(\"results.jsonl\")}"),
    ("index", "index ${1:docs}: ${2:Doc} from ${3:markdown(\"docs\")} { embed: .text }"),
    ("prompt", "prompt ${1:name}(${2:text: string}) -> string \"\"\"\n  $0\n\"\"\""),
    ("fn", "fn ${1:name}(${2:x: int}) -> ${3:int} = $0"),
    ("flow", "flow ${1:name} {\n  from ${2:source}\n  $0\n}"),
    ("schedule", "schedule { policy: ${1:load_aware} }"),
    ("slo", "slo { ${1:p99(latency) < 2s} }"),
    ("measure", "measure to ${1:csv(\"figures.csv\")} every ${2:1s} { ${3:throughput} }"),
    (
        "test",
        "test \"${1:what it does}\" {\n  given ${2:10 of source}\n  expect ${3:sink.count == 10}\n}",
    ),
    ("experiment", "experiment ${1:name} {\n  jobs: [${2:flow}]\n  $0\n}"),
];

/// What a test is made of.
pub(super) const TEST_PARTS: &[(&str, &str)] = &[
    ("given", "given ${1:Type} { ${2:id: \"1\"} }"),
    ("given ... of", "given ${1:10} of ${2:source}"),
    ("mock", "mock ${1:stage} = ${2:value}"),
    ("fault", "fault ${1:endpoint} { ${2:status_429: 30%} }"),
    ("expect", "expect ${1:sink.count == 1}"),
];

/// How a group goes by time.
pub(super) const WINDOWS: &[(&str, &str)] = &[
    ("tumbling", "tumbling(${1:1min}, by: ${2:.at})"),
    ("sliding", "sliding(${1:10min}, every: ${2:1min}, by: ${3:.at})"),
];

/// What stands in an experiment beside its settings.
pub(super) const EXPERIMENT_PARTS: &[(&str, &str)] = &[
    ("sweep", "sweep ${1:policy} in [${2:fifo, load_aware}]"),
    ("claim", "claim \"${1:in words}\" { ${2:throughput[fifo] < max(throughput)} }"),
    ("quick", "quick { ${1:tasks: 20} }"),
];

/// Words that begin a step.
pub(super) const STEPS: &[(&str, &str)] = &[
    ("from", "from ${1:source}"),
    ("where", "where ${1:condition}"),
    ("stage", "stage ${1:name} = $0"),
    ("route", "route ${1:value} {\n  when ${2:a} => {\n    $0\n  }\n  else => {\n  }\n}"),
    ("loop", "loop up to ${1:3} until ${2:condition} {\n  $0\n}"),
    ("carry", "carry ${1:name}: ${2:string} = $0"),
    ("group", "group by ${1:.key} {\n  ${2:n}: ${3:count()}\n}"),
    ("join", "join ${1:source} on ${2:.key} == ${1:source}.${3:key}"),
    ("dedup", "dedup by ${1:.key}"),
    ("flat_map", "flat_map ${1:item} = ${2:list}"),
    ("emit", "emit ${1:Type} { ${2:id: .id} } into ${3:sink}"),
];

/// Words of expressions.
pub(super) const WORDS: &[&str] =
    &["if", "then", "else", "match", "and", "or", "not", "in", "contains", "true", "false", "null"];

pub(super) fn plain(
    label: &str,
    kind: CompletionItemKind,
    detail: impl Into<String>,
) -> CompletionItem {
    CompletionItem {
        label: label.to_owned(),
        kind: Some(kind),
        detail: Some(detail.into()).filter(|detail| !detail.is_empty()),
        ..CompletionItem::default()
    }
}

pub(super) fn snippet(label: &str, text: &str) -> CompletionItem {
    CompletionItem {
        insert_text: Some(text.to_owned()),
        insert_text_format: Some(InsertTextFormat::SNIPPET),
        ..plain(label, CompletionItemKind::KEYWORD, "")
    }
}

/// A stage, a source, a policy: something that is called.
pub(super) fn leaf(signature: &Signature) -> CompletionItem {
    let has_arguments = !signature.params.is_empty();
    let text = format!("{}($0)", signature.name);
    CompletionItem {
        insert_text: has_arguments.then_some(text),
        insert_text_format: has_arguments.then_some(InsertTextFormat::SNIPPET),
        documentation: Some(markdown(page(signature, &[]))),
        ..plain(signature.name, CompletionItemKind::FUNCTION, signature.summary)
    }
}

/// The name of a parameter or an option, with its colon.
pub(super) fn key(param: &Param) -> CompletionItem {
    named(param.name, param.doc, CompletionItemKind::PROPERTY)
}

pub(super) fn named(name: &str, doc: &str, kind: CompletionItemKind) -> CompletionItem {
    CompletionItem { insert_text: Some(format!("{name}: ")), ..plain(name, kind, doc) }
}

/// What a group may count.
pub(super) fn aggregates() -> impl Iterator<Item = CompletionItem> {
    sage_dsl::AGGREGATES.iter().map(|aggregate| CompletionItem {
        insert_text: Some(format!("{}($0)", aggregate.name)),
        insert_text_format: Some(InsertTextFormat::SNIPPET),
        documentation: Some(markdown(aggregate.doc.to_owned())),
        ..plain(aggregate.name, CompletionItemKind::FUNCTION, aggregate.signature)
    })
}

/// Names of arguments of what no catalog has: windows and aggregates.
pub(super) fn keys_of(called: &str) -> Vec<CompletionItem> {
    let key = |name: &str, doc: &str| named(name, doc, CompletionItemKind::PROPERTY);
    if let Some(options) = window_options(called) {
        return options.iter().map(|(name, doc)| key(name, doc)).collect();
    }
    let spec = sage_dsl::find_aggregate(called);
    spec.map(|spec| spec.keys().map(|name| key(name, spec.doc)).collect()).unwrap_or_default()
}

/// What windows of this kind are called with, if they are windows.
pub(super) fn window_options(called: &str) -> Option<Vec<(&'static str, &'static str)>> {
    let sliding = match called {
        "tumbling" => false,
        "sliding" | "hopping" => true,
        _ => return None,
    };
    Some(manual::WINDOW.iter().filter(|(name, _)| sliding || *name != "every").copied().collect())
}

/// Figures that a `measure` may name.
pub(super) fn figures() -> impl Iterator<Item = CompletionItem> {
    MEASURES.iter().map(|spec| CompletionItem {
        documentation: Some(markdown(measured(spec))),
        ..plain(spec.name, CompletionItemKind::FIELD, spec.doc)
    })
}

/// What a figure may be taken apart by.
pub(super) fn dimensions(figure: &str) -> Vec<CompletionItem> {
    let by = find_measure(figure).map_or(&[][..], |spec| spec.by);
    by.iter()
        .map(|it| plain(it.word(), CompletionItemKind::ENUM_MEMBER, taken_apart(*it)))
        .collect()
}

/// What may stand behind the name of a parameter.
pub(super) fn values(param: &Param) -> Vec<CompletionItem> {
    let value = |text: &str| plain(text, CompletionItemKind::VALUE, "");
    match param.kind {
        Kind::Word(words) => words.iter().map(|word| value(word)).collect(),
        Kind::Bool => vec![value("true"), value("false")],
        _ => Vec::new(),
    }
}

pub(super) fn markdown(value: String) -> Documentation {
    Documentation::MarkupContent(MarkupContent { kind: MarkupKind::Markdown, value })
}

/// The reference page of something that is called, in Markdown.
pub(super) fn page(signature: &Signature, options: &[Param]) -> String {
    let mut out = format!("{}\n", signature.summary);
    for (title, params) in [("parameters", signature.params), ("options", options)] {
        if params.is_empty() {
            continue;
        }
        out += &format!("\n{title}\n");
        for param in params {
            out += &format!("- {}\n", of_param(param));
        }
    }
    if !signature.example.is_empty() {
        out += &format!("\n```sage\n{}\n```\n", signature.example);
    }
    out
}

/// A parameter in a line.
pub(super) fn of_param(param: &Param) -> String {
    let default = param.default.map_or("required".to_owned(), |value| format!("default {value}"));
    let kind = crate::commands::doc::kind_name(param.kind);
    format!("`{}`: {kind}, {default}. {}", param.name, param.doc)
}
