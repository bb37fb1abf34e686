//! `doc`: the reference page of one name, straight from the registries.

mod study;

use sage_dsl::catalog::{Kind, Param, Signature};

use crate::catalog::catalog;
use crate::exit::{Exit, usage};

pub(crate) fn doc(name: Option<&str>) -> anyhow::Result<Exit> {
    let Some(name) = name else {
        list();
        return Ok(Exit::Complete);
    };
    // `windows` is `window`, where nothing is called `windows`.
    let singular = name.strip_suffix('s').filter(|_| name.len() > 3);
    let found = [Some(name), singular].into_iter().flatten().any(show_all);
    if found {
        return Ok(Exit::Complete);
    }
    let nearest = names()
        .into_iter()
        .map(|known| (strsim::damerau_levenshtein(known, name), known))
        .min()
        .filter(|(distance, _)| *distance <= 3 && *distance < name.len());
    let hint = nearest.map_or_else(
        || "; `sage-flow doc` lists all names".to_owned(),
        |(_, known)| format!(", did you mean `{known}`?"),
    );
    Err(usage(format!("nothing is called `{name}`{hint}")))
}

/// Everything that has a page, a line each.
fn list() {
    let line = |kind: &str, name: &str, doc: &str| println!("{kind:<9} {name:<14} {doc}");
    for word in sage_dsl::manual::WORDS {
        line("language", &word.names.join(", "), word.summary);
    }
    for (name, summary, _) in study::BLOCKS {
        line("language", name, summary);
    }
    for (kind, page) in &pages() {
        line(kind, page.signature.name, page.signature.summary);
    }
    for (block, entries) in BLOCKS {
        entries.iter().for_each(|(name, doc)| line("entry", &format!("{name} ({block})"), doc));
    }
    for (name, doc) in sage_dsl::manual::SETTINGS {
        line("setting", name, doc);
    }
    for function in sage_dsl::FUNCTIONS {
        line("function", function.name, function.doc);
    }
    for aggregate in sage_dsl::AGGREGATES {
        line("aggregate", aggregate.name, aggregate.doc);
    }
    for column in sage_lab::results::COLUMNS {
        line("column", column.name, column.doc);
    }
}

/// Names that have a page.
fn names() -> Vec<&'static str> {
    let mut names: Vec<&str> = pages().iter().map(|(_, page)| page.signature.name).collect();
    names.extend(sage_dsl::FUNCTIONS.iter().map(|function| function.name));
    names.extend(sage_dsl::AGGREGATES.iter().map(|aggregate| aggregate.name));
    names.extend(study::BLOCKS.iter().map(|(block, ..)| *block));
    names.extend(sage_dsl::manual::WORDS.iter().flat_map(|word| word.names).copied());
    names.extend(sage_dsl::manual::SETTINGS.iter().map(|(setting, _)| *setting));
    names.extend(BLOCKS.iter().flat_map(|(_, entries)| entries.iter().map(|(name, _)| *name)));
    names.extend(sage_lab::results::COLUMNS.iter().map(|column| column.name));
    names
}

/// Shows all pages of a name; whether there is one.
fn show_all(name: &str) -> bool {
    let mut found = false;
    for (kind, page) in pages().iter().filter(|(_, page)| page.signature.name == name) {
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
    if let Some(word) = sage_dsl::manual::word_of(name) {
        let form = word.form.replace('\n', "\n  ");
        println!("language {}\n  {}\n\nform\n  {form}\n", word.names.join(", "), word.summary);
        found = true;
    }
    for (block, entries) in BLOCKS.iter().filter(|(block, _)| *block == name) {
        println!("entries of `{block}`");
        entries.iter().for_each(|(entry, doc)| println!("  {entry:<14} {doc}"));
        println!();
        found = true;
    }
    for (block, entries) in BLOCKS {
        for (entry, doc) in entries.iter().filter(|(entry, _)| *entry == name) {
            println!("entry {entry} of `{block}`\n  {doc}\n");
            found = true;
        }
    }
    found |= study::show(name);
    for column in sage_lab::results::COLUMNS {
        if column.name == name || column.aliases.contains(&name) {
            println!("column {}\n  {}\n", study::column(column), column.doc);
            found = true;
        }
    }
    if let Some(code) = sage_dsl::explain_code(name) {
        print!("{}", super::code_page::plain(code));
        found = true;
    }
    found
}

/// Blocks of a program, each with its entries.
pub(super) const BLOCKS: &[(&str, &[(&str, &str)])] = &[
    ("endpoint", sage_dsl::manual::ENDPOINT),
    ("schedule", sage_dsl::manual::SCHEDULE),
    ("source", sage_dsl::manual::SOURCE),
    ("index", sage_dsl::manual::INDEX),
    ("sink", sage_dsl::manual::SINK),
    ("test", sage_dsl::manual::TEST),
    ("fault", sage_dsl::manual::FAULT),
];

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
        Kind::Documents => "condition on documents".into(),
        Kind::Any => "any".into(),
        Kind::Path => "path".into(),
        Kind::Paths => "paths".into(),
        Kind::Word(words) => words.join("|"),
        Kind::Distribution => "distribution".into(),
        Kind::Secret => "env(\"NAME\")".into(),
    }
}
