//! `doc --markdown`: the reference pages of the book, straight from the registries.

use std::fmt::Write as _;

use clap::ValueEnum;
use sage_dsl::catalog::{Param, Signature};
use sage_dsl::measures::MEASURES;

use super::code_page;
use super::doc::{BLOCKS, kind_name, measured};
use crate::catalog::catalog;

/// A page of the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Page {
    Stages,
    Sources,
    Documents,
    Sinks,
    Policies,
    Functions,
    Aggregates,
    Blocks,
    Codes,
}

/// The page as Markdown.
pub(super) fn page(page: Page) -> String {
    let catalog = catalog();
    let mut out = String::new();
    let leaves = |out: &mut String, title: &str, intro: &str, list: &[&'static Signature]| {
        head(out, title, intro);
        list.iter().for_each(|signature| leaf(out, signature, &[]));
    };
    match page {
        Page::Stages => {
            head(&mut out, "Stages", "What may stand behind `stage name =`.");
            catalog.stages.iter().for_each(|spec| leaf(&mut out, &spec.signature, spec.options));
        }
        Page::Sources => {
            leaves(
                &mut out,
                "Sources",
                "What may stand behind the `from` of a `source`.",
                catalog.sources,
            );
        }
        Page::Documents => leaves(
            &mut out,
            "Sources of documents",
            "What may stand behind the `from` of an `index`.",
            catalog.documents,
        ),
        Page::Sinks => {
            leaves(&mut out, "Sinks", "What may stand behind the `to` of a `sink`.", catalog.sinks);
        }
        Page::Policies => leaves(
            &mut out,
            "Policies",
            "What may stand behind `policy:` in a `schedule`, and behind `--scheduler`.",
            catalog.policies,
        ),
        Page::Functions => {
            head(&mut out, "Functions", "What may be called in an expression.");
            for function in sage_dsl::FUNCTIONS {
                let _ = write!(
                    out,
                    "\n## {}\n\n`{}`\n\n{}.\n",
                    function.name, function.signature, function.doc
                );
            }
        }
        Page::Blocks => {
            head(
                &mut out,
                "Blocks and steps",
                "What a program is made of, each form with its entries.",
            );
            for word in sage_dsl::manual::WORDS {
                let _ = write!(
                    out,
                    "\n## {}\n\n{}.\n\n```sage\n{}\n```\n",
                    word.names.join(", "),
                    word.summary,
                    word.form
                );
                for (_, entries) in BLOCKS.iter().filter(|(block, _)| *block == word.names[0]) {
                    out.push('\n');
                    table(&mut out, &["entry", "what it says"], entries);
                }
            }
            let _ = writeln!(out, "\n## experiment\n");
            table(&mut out, &["entry", "what it says"], sage_dsl::manual::ENTRIES);
            let _ = writeln!(out, "\n## Settings of an experiment\n");
            table(&mut out, &["setting", "what it says"], sage_dsl::manual::SETTINGS);
            let _ = writeln!(out, "\n## Types\n");
            let types = sage_dsl::manual::TYPES.iter().map(|it| (it.names[0], it.summary));
            table(&mut out, &["type", "what it is"], &types.collect::<Vec<_>>());
            let _ = writeln!(out, "\n## Figures of a measure\n");
            let figures: Vec<(&str, String)> =
                MEASURES.iter().map(|it| (it.name, measured(it))).collect();
            let figures = figures.iter().map(|(name, doc)| (*name, doc.as_str()));
            table(&mut out, &["figure", "what it is"], &figures.collect::<Vec<_>>());
        }
        Page::Aggregates => {
            head(&mut out, "Aggregates", "What a `group` may say of the records with one key.");
            for aggregate in sage_dsl::AGGREGATES {
                let _ = write!(
                    out,
                    "\n## {}\n\n`{}`\n\n{}.\n",
                    aggregate.name, aggregate.signature, aggregate.doc
                );
            }
        }
        Page::Codes => {
            head(
                &mut out,
                "Codes",
                "What a message of the compiler means; also by `sage-flow explain CODE`.",
            );
            out.extend(sage_dsl::CODES.iter().map(code_page::markdown));
        }
    }
    out
}

fn head(out: &mut String, title: &str, intro: &str) {
    let _ = write!(
        out,
        "# {title}\n\n{intro}\n\n<!-- made by `sage-flow doc --markdown`; do not edit -->\n"
    );
}

fn leaf(out: &mut String, signature: &Signature, options: &[Param]) {
    let _ = write!(out, "\n## {}\n\n{}.\n", signature.name, signature.summary);
    for (title, params) in [("Parameters", signature.params), ("Options", options)] {
        if params.is_empty() {
            continue;
        }
        let _ = write!(out, "\n{title}:\n\n| name | kind | default | |\n|---|---|---|---|\n");
        for param in params {
            let default = param.default.map_or("required".to_owned(), |it| format!("`{it}`"));
            let kind = cell(&kind_name(param.kind));
            let _ = writeln!(
                out,
                "| `{}` | {kind} | {} | {} |",
                param.name,
                cell(&default),
                cell(param.doc)
            );
        }
    }
    if signature.takes_fields {
        out.push_str("\nFurther named arguments fill fields of the record.\n");
    }
    if !signature.example.is_empty() {
        let _ = write!(out, "\n```sage\n{}\n```\n", signature.example);
    }
}

fn table(out: &mut String, heads: &[&str; 2], rows: &[(&str, &str)]) {
    let _ = write!(out, "| {} | {} |\n|---|---|\n", heads[0], heads[1]);
    for (name, doc) in rows {
        let _ = writeln!(out, "| `{name}` | {} |", cell(doc));
    }
}

/// Text that does not end its cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
