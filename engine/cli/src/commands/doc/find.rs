//! All pages of a name: what each registry says of it.

use std::fmt::Write as _;

use sage_dsl::catalog::{Kind, Param};
use sage_dsl::manual::{self, Word};
use sage_dsl::measures::{MEASURES, STATISTICS, find_measure};
use sage_dsl::units::{DURATIONS, SIZES};
use sage_lab::results::COLUMNS;

use super::{BLOCKS, DIMENSIONS, Page, kind_name, measured, pages as leaves, study, taken_apart};

/// Words with a page of their own, by what they are.
pub(super) const WORDS: &[(&str, &[Word])] = &[
    ("language", manual::WORDS),
    ("sign", manual::SIGNS),
    ("type", manual::TYPES),
    ("word", manual::TERMS),
];

pub(super) fn all_words() -> impl Iterator<Item = &'static Word> {
    WORDS.iter().flat_map(|(_, words)| words.iter())
}

/// Everything that is called so; empty if nothing is.
pub(super) fn pages(name: &str) -> String {
    let mut out = String::new();
    for (kind, page) in leaves().iter().filter(|(_, page)| page.signature.name == name) {
        leaf(&mut out, kind, page);
    }
    for function in sage_dsl::FUNCTIONS.iter().filter(|function| function.name == name) {
        let _ = writeln!(out, "function {}\n  {}\n", function.signature, function.doc);
    }
    for aggregate in sage_dsl::AGGREGATES.iter().filter(|aggregate| aggregate.name == name) {
        let _ =
            writeln!(out, "aggregate of a group {}\n  {}\n", aggregate.signature, aggregate.doc);
    }
    for (kind, words) in WORDS {
        for word in words.iter().filter(|word| word.names.contains(&name)) {
            let names = word.names.join(", ");
            let form = word.form.replace('\n', "\n  ").replace("\n  \n", "\n\n");
            let _ = writeln!(out, "{kind} {names}\n  {}\n\nform\n  {form}\n", word.summary);
        }
    }
    entries(&mut out, name);
    study::pages(name, &mut out);
    figures(&mut out, name);
    parameters(&mut out, name);
    if let Some(code) = sage_dsl::explain_code(name) {
        out += &super::super::code_page::plain(code);
    }
    if out.is_empty() {
        mentions(&mut out, name);
    }
    out
}

/// Blocks and their entries.
fn entries(out: &mut String, name: &str) {
    for (block, entries) in BLOCKS.iter().filter(|(block, _)| *block == name) {
        let _ = writeln!(out, "entries of `{block}`");
        for (entry, doc) in *entries {
            let _ = writeln!(out, "  {entry:<14} {doc}");
        }
        out.push('\n');
    }
    for (block, entries) in BLOCKS {
        for (entry, doc) in entries.iter().filter(|(entry, _)| *entry == name) {
            let _ = writeln!(out, "entry {entry} of `{block}`\n  {doc}\n");
        }
    }
}

/// What is measured and counted: in `measure` blocks, of endpoints, and in results. And in which units.
fn figures(out: &mut String, name: &str) {
    if name == "measure" {
        out.push_str("figures\n");
        for measure in MEASURES {
            let _ = writeln!(out, "  {:<18} {}", measure.name, measure.doc);
        }
        let _ = writeln!(out, "statistics of a time\n  {}\n", STATISTICS.join(", "));
    }
    if let Some(measure) = find_measure(name) {
        let _ = writeln!(out, "figure {name} of `measure`\n  {}\n", measured(measure));
    }
    if STATISTICS.contains(&name) {
        let _ = writeln!(
            out,
            "statistic {name} of a time in `measure`\n  as in `latency.{name}`; `sage-flow doc measure` has the figures\n"
        );
    }
    if let Some(dimension) = DIMENSIONS.iter().find(|it| it.word() == name) {
        let (by, shown) = (format!("by {name}"), taken_apart(*dimension));
        let _ = writeln!(out, "{by} in `measure`\n  {shown}: `calls {by}`\n");
    }
    if manual::ENDPOINT_FIGURES.contains(&name) {
        let _ = writeln!(
            out,
            "figure {name} of an endpoint\n  in an expectation of a test: `expect llm.{name} < 100`\n"
        );
    }
    for column in COLUMNS.iter().filter(|it| it.name == name || it.aliases.contains(&name)) {
        let _ = writeln!(out, "column {}\n  {}\n", study::column(column), column.doc);
    }
    for (kind, units) in [("duration", DURATIONS), ("size", SIZES)] {
        for (unit, factor) in units.iter().filter(|(unit, _)| *unit == name) {
            let base = if kind == "duration" { "nanoseconds" } else { "bytes" };
            let _ = writeln!(out, "unit {unit} of a {kind}\n  1{unit} is {factor} {base}\n");
        }
    }
}

/// Parameters and options with their owners; of several that are the same, one.
pub(super) fn params() -> Vec<(&'static Param, Vec<String>)> {
    let mut found: Vec<(&'static Param, Vec<String>)> = Vec::new();
    let mut add = |param: &'static Param, owner: String| {
        let same = |it: &Param| {
            (it.name, it.kind, it.default, it.doc)
                == (param.name, param.kind, param.default, param.doc)
        };
        match found.iter_mut().find(|(it, _)| same(it)) {
            Some((_, owners)) => owners.push(owner),
            None => found.push((param, vec![owner])),
        }
    };
    for (kind, page) in leaves() {
        let of_leaf = page.signature.params.iter().chain(page.options);
        of_leaf.for_each(|param| add(param, format!("{kind} {}", page.signature.name)));
    }
    manual::SOURCE_OPTIONS.iter().for_each(|option| add(option, "any source".to_owned()));
    manual::SINK_OPTIONS.iter().for_each(|option| add(option, "any sink".to_owned()));
    found
}

/// The words that a parameter takes.
pub(super) fn words(param: &Param) -> &'static [&'static str] {
    if let Kind::Word(words) = param.kind { words } else { &[] }
}

/// Parameters of leaves, and the words that one of them takes.
fn parameters(out: &mut String, name: &str) {
    for (param, owners) in params() {
        let owners = owners.join(", ");
        if param.name == name {
            let default = param.default.map_or("required".to_owned(), |it| format!("default {it}"));
            let kind = kind_name(param.kind);
            let _ =
                writeln!(out, "option {name} of {owners}\n  {kind}, {default}\n  {}\n", param.doc);
        }
        if words(param).contains(&name) {
            let option = param.name;
            let _ = writeln!(out, "value {name} of `{option}` of {owners}\n  {}\n", param.doc);
        }
    }
    for aggregate in sage_dsl::AGGREGATES.iter().filter(|it| it.keys().any(|key| key == name)) {
        let (of, signature) = (aggregate.name, aggregate.signature);
        let _ =
            writeln!(out, "option {name} of aggregate {of}\n  {signature}: {}\n", aggregate.doc);
    }
    let window = manual::WINDOW.iter().filter(|(option, _)| *option == name);
    window.for_each(|(option, doc)| {
        let _ = writeln!(out, "option {option} of a window\n  {doc}\n");
    });
}

/// Entries that say the word between backticks, when it has no page of its own.
fn mentions(out: &mut String, name: &str) {
    let settings = [("experiment", manual::SETTINGS), ("experiment", manual::ENTRIES)];
    for (block, entries) in BLOCKS.iter().chain(&settings) {
        for (entry, doc) in entries.iter().filter(|(_, doc)| says(doc, name)) {
            let _ = writeln!(out, "entry {entry} of `{block}`\n  {doc}\n");
        }
    }
    for word in all_words().filter(|word| says(word.summary, name)) {
        let _ = writeln!(out, "language {}\n  {}\n", word.names.join(", "), word.summary);
    }
    for (param, owners) in params().iter().filter(|(param, _)| says(param.doc, name)) {
        let owners = owners.join(", ");
        let _ = writeln!(out, "option {} of {owners}\n  {}\n", param.name, param.doc);
    }
}

/// Whether a text has the word in a piece of a program.
fn says(doc: &str, name: &str) -> bool {
    let pieces = doc.split('`').skip(1).step_by(2);
    let word = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
    pieces.flat_map(|piece| piece.split(word)).any(|it| it == name)
}

fn leaf(out: &mut String, kind: &str, page: &Page) {
    let Page { signature, options } = page;
    let _ = writeln!(out, "{kind} {}\n  {}\n", signature.name, signature.summary);
    table(out, "parameters", signature.params);
    table(out, "options", options);
    if signature.takes_fields {
        out.push_str("  Further named arguments fill fields of the record.\n\n");
    }
    let _ = writeln!(out, "example\n  {}\n", signature.example);
}

fn table(out: &mut String, title: &str, params: &[Param]) {
    if params.is_empty() {
        return;
    }
    let _ = writeln!(out, "{title}");
    for param in params {
        let default = param.default.map_or("required".to_owned(), |it| format!("default {it}"));
        let _ = writeln!(out, "  {:<12} {:<14} {default}", param.name, kind_name(param.kind));
        let _ = writeln!(out, "  {:<12} {}", "", param.doc);
    }
    out.push('\n');
}
