//! `doc`: the reference page of one name, straight from the registries.

use sage_dsl::catalog::{Kind, Param, Signature};

use crate::catalog::catalog;
use crate::exit::{Exit, usage};

pub(crate) fn doc(name: Option<&str>) -> anyhow::Result<Exit> {
    let pages = pages();
    let Some(name) = name else {
        for (kind, page) in &pages {
            println!("{kind:<9} {:<14} {}", page.signature.name, page.signature.summary);
        }
        for (name, summary, _) in BLOCKS {
            println!("{:<9} {name:<14} {summary}", "block");
        }
        for (name, doc) in sage_dsl::manual::SETTINGS {
            println!("{:<9} {name:<14} {doc}", "setting");
        }
        for function in sage_dsl::FUNCTIONS {
            println!("{:<9} {:<14} {}", "function", function.name, function.doc);
        }
        for aggregate in sage_dsl::AGGREGATES {
            println!("{:<9} {:<14} {}", "aggregate", aggregate.name, aggregate.doc);
        }
        return Ok(Exit::Complete);
    };
    let mut found = false;
    for (kind, page) in pages.iter().filter(|(_, page)| page.signature.name == name) {
        show(kind, page);
        found = true;
    }
    for function in sage_dsl::FUNCTIONS.iter().filter(|function| function.name == name) {
        println!("function {}\n  {}\n", function.signature, function.doc);
        found = true;
    }
    for aggregate in sage_dsl::AGGREGATES.iter().filter(|aggregate| aggregate.name == name) {
        println!("aggregate of a group {}\n  {}\n", aggregate.signature, aggregate.doc);
        found = true;
    }
    for (block, summary, form) in BLOCKS.iter().filter(|(block, ..)| *block == name) {
        println!("block {block}\n  {summary}\n\nform\n{form}\n");
        details(block);
        found = true;
    }
    let settings = sage_dsl::manual::SETTINGS.iter();
    for (setting, doc) in settings.filter(|(setting, _)| *setting == name) {
        println!("setting {setting} of an experiment\n  {doc}\n");
        found = true;
    }
    if found {
        return Ok(Exit::Complete);
    }
    let names = pages.iter().map(|(_, page)| page.signature.name);
    let nearest = names
        .chain(sage_dsl::FUNCTIONS.iter().map(|function| function.name))
        .chain(sage_dsl::AGGREGATES.iter().map(|aggregate| aggregate.name))
        .chain(BLOCKS.iter().map(|(block, ..)| *block))
        .chain(sage_dsl::manual::SETTINGS.iter().map(|(setting, _)| *setting))
        .map(|known| (strsim::damerau_levenshtein(known, name), known))
        .min()
        .filter(|(distance, _)| *distance <= 3);
    let hint = nearest.map_or_else(
        || "; `sage-flow doc` lists all names".to_owned(),
        |(_, known)| format!(", did you mean `{known}`?"),
    );
    Err(usage(format!("nothing is called `{name}`{hint}")))
}

/// Blocks about experiments: name, summary, form.
const BLOCKS: &[(&str, &str, &str)] = &[
    (
        "experiment",
        "flows to run, what is varied, how often, and what is expected to come out",
        r#"  /// Which scheduling operator is best?
  experiment schedulers {
    jobs: [chat = rag { share: 2 }, llm]
    tasks: 200, nodes: 4, slots: 16
    sweep policy in [fifo, load_aware(spread), priority]
    sweep load in [low { tasks: 100 }, high { tasks: 500, nodes: 8 }]
    repeat: 5, seed: 7, baseline: fifo
    report: [throughput, latency_p99_ms, balance]
    quick { tasks: 40, repeat: 1, policy: [fifo] }
    claim "fifo is slower" { throughput[fifo] < max(throughput) }
  }

  `sage-flow experiment run FILE` runs it; `sage-flow doc claim` is about claims."#,
    ),
    (
        "claim",
        "a sentence and a condition over the columns of results, decided by the report",
        r#"  claim "in words" { p99(latency)[fifo] < 2s and success >= 99% }

  balance[fifo]            at the point with this label
  throughput[rag][16]      at two labels, of a job and of a sweep
  max(balance)             over rows: max, min, mean, sum
  p99(latency)             latency_p99_ms
  + - * / abs()  < <= > >= == !=  and or not"#,
    ),
];

/// What a block is made of.
fn details(block: &str) {
    let line = |name: &str, doc: &str| println!("  {name:<12} {doc}");
    if block == "claim" {
        println!("columns");
        for column in sage_lab::results::COLUMNS {
            let names: Vec<&str> =
                std::iter::once(column.name).chain(column.aliases.iter().copied()).collect();
            let unit = if column.unit.is_empty() { "" } else { " in " };
            println!("  {}: {}{unit}{}", names.join(", "), column.doc, column.unit);
        }
        println!();
        return;
    }
    println!("settings: of the experiment, a job, a point of a sweep or a quick run");
    sage_dsl::manual::SETTINGS.iter().for_each(|(name, doc)| line(name, doc));
    line("any param", "of the jobs' programs, by its name");
    println!("\nof the experiment alone");
    sage_dsl::manual::ENTRIES.iter().for_each(|(name, doc)| line(name, doc));
    println!();
}

struct Page {
    signature: &'static Signature,
    options: &'static [Param],
}

fn pages() -> Vec<(&'static str, Page)> {
    let catalog = catalog();
    let plain = |signature: &&'static Signature| Page { signature, options: &[] };
    let mut pages: Vec<_> = catalog
        .stages
        .iter()
        .map(|spec| ("stage", Page { signature: &spec.signature, options: spec.options }))
        .collect();
    pages.extend(catalog.sources.iter().map(|signature| ("source", plain(signature))));
    pages.extend(catalog.documents.iter().map(|signature| ("documents", plain(signature))));
    pages.extend(catalog.sinks.iter().map(|signature| ("sink", plain(signature))));
    pages.extend(catalog.policies.iter().map(|signature| ("policy", plain(signature))));
    pages
}

fn show(kind: &str, page: &Page) {
    let Page { signature, options } = page;
    println!("{kind} {}\n  {}\n", signature.name, signature.summary);
    parameters("parameters", signature.params);
    parameters("options", options);
    if signature.takes_fields {
        println!("  Further named arguments fill fields of the record.\n");
    }
    println!("example\n  {}\n", signature.example);
}

fn parameters(title: &str, params: &[Param]) {
    if params.is_empty() {
        return;
    }
    println!("{title}");
    for param in params {
        let default =
            param.default.map_or_else(|| "required".to_owned(), |d| format!("default {d}"));
        println!("  {:<12} {:<14} {default}", param.name, kind_name(param.kind));
        println!("  {:<12} {}", "", param.doc);
    }
    println!();
}

pub(crate) fn kind_name(kind: Kind) -> String {
    match kind {
        Kind::Int => "int".into(),
        Kind::Count(least, most) => format!("{least} to {most}"),
        Kind::Float => "float".into(),
        Kind::Bool => "bool".into(),
        Kind::String => "string".into(),
        Kind::Duration => "duration".into(),
        Kind::Tokens => "tokens".into(),
        Kind::Size => "size".into(),
        Kind::Vector => "vector".into(),
        Kind::Hits => "list of hits".into(),
        Kind::Index => "an index".into(),
        Kind::Any => "any".into(),
        Kind::Path => "path".into(),
        Kind::Paths => "paths".into(),
        Kind::Word(words) => words.join("|"),
        Kind::Distribution => "distribution".into(),
        Kind::Secret => "env(\"NAME\")".into(),
    }
}
