//! `doc`: the reference page of one name, straight from the registries.

mod find;
mod study;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use sage_dsl::catalog::{Kind, Param, Signature};
use sage_dsl::manual;
use sage_dsl::measures::{Dimension, MEASURES, MeasureSpec, STATISTICS};

use crate::catalog::catalog;
use crate::exit::{Exit, usage};

pub(crate) fn doc(name: Option<&str>) -> anyhow::Result<Exit> {
    let Some(name) = name else {
        list();
        return Ok(Exit::Complete);
    };
    // `windows` is `window`, where nothing is called `windows`.
    let singular = name.strip_suffix('s').filter(|_| name.len() > 3);
    let mut pages = [Some(name), singular].into_iter().flatten().map(find::pages);
    if let Some(pages) = pages.find(|pages| !pages.is_empty()) {
        print!("{pages}");
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
    for (kind, words) in find::WORDS {
        words.iter().for_each(|word| line(kind, &word.names.join(", "), word.summary));
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
    for (name, doc) in manual::SETTINGS {
        line("setting", name, doc);
    }
    for function in sage_dsl::FUNCTIONS {
        line("function", function.name, function.doc);
    }
    for aggregate in sage_dsl::AGGREGATES {
        line("aggregate", aggregate.name, aggregate.doc);
    }
    for measure in MEASURES {
        line("figure", measure.name, measure.doc);
    }
    for column in sage_lab::results::COLUMNS {
        line("column", column.name, column.doc);
    }
}

/// Names that have a page.
fn names() -> Vec<&'static str> {
    let mut names: Vec<&str> = pages().iter().map(|(_, page)| page.signature.name).collect();
    names.extend(find::params().iter().map(|(param, _)| param.name));
    names.extend(find::params().iter().flat_map(|(param, _)| find::words(param)));
    names.extend(sage_dsl::FUNCTIONS.iter().map(|function| function.name));
    names.extend(sage_dsl::AGGREGATES.iter().map(|aggregate| aggregate.name));
    names.extend(MEASURES.iter().map(|measure| measure.name));
    names.extend(study::BLOCKS.iter().map(|(block, ..)| *block));
    names.extend(find::all_words().flat_map(|word| word.names).copied());
    names.extend(manual::SETTINGS.iter().map(|(setting, _)| *setting));
    names.extend(BLOCKS.iter().flat_map(|(_, entries)| entries.iter().map(|(name, _)| *name)));
    names.extend(sage_lab::results::COLUMNS.iter().map(|column| column.name));
    names
}

/// Blocks of a program, each with its entries.
pub(super) const BLOCKS: &[(&str, &[(&str, &str)])] = &[
    ("endpoint", manual::ENDPOINT),
    ("schedule", manual::SCHEDULE),
    ("source", manual::SOURCE),
    ("index", manual::INDEX),
    ("sink", manual::SINK),
    ("test", manual::TEST),
    ("fault", manual::FAULT),
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

/// A figure of a `measure` block: what it is, its unit and how it may be taken apart.
pub(super) fn measured(spec: &MeasureSpec) -> String {
    let mut out = spec.doc.to_owned();
    if !spec.unit.is_empty() {
        let _ = write!(out, "; in {}", spec.unit);
    }
    if spec.statistics {
        let _ =
            write!(out, "; with statistics, as in `{}.p99`: {}", spec.name, STATISTICS.join(", "));
    }
    if !spec.by.is_empty() {
        let words: Vec<&str> = spec.by.iter().map(|dimension| dimension.word()).collect();
        let _ = write!(out, "; `by {}`", words.join(", "));
    }
    out
}

/// What figures may be taken apart by.
pub(super) const DIMENSIONS: [Dimension; 2] = [Dimension::Node, Dimension::Stage];

/// What it means to take a figure apart.
pub(super) fn taken_apart(dimension: Dimension) -> &'static str {
    match dimension {
        Dimension::Node => "a row for each worker process",
        Dimension::Stage => "a row for each stage",
    }
}

pub(crate) fn kind_name(kind: Kind) -> String {
    match kind {
        Kind::Int => "int".into(),
        Kind::Count(least, most) => format!("{least} to {most}"),
        Kind::Float => "float".into(),
        Kind::Bool => "bool".into(),
        Kind::String | Kind::Address => "string".into(),
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
