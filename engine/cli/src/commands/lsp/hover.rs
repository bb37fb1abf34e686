//! Hover: what a name is, its type and its page.

use lsp_types::{Hover, HoverContents, MarkupContent, MarkupKind};
use sage_dsl::measures::{STATISTICS, find_measure};
use sage_dsl::symbols::{Survey, Symbol, SymbolKind};
use sage_dsl::types::Type;
use sage_dsl::{Span, manual};

use super::complete::signature;
use super::context::{Owner, Place, context};
use super::documents::Documents;
use super::token::{Kind, tokens};
use super::{items, position};
use crate::catalog::catalog;
use crate::commands::doc::{DIMENSIONS, measured, taken_apart};

pub(super) fn hover(documents: &mut Documents, path: &str, at: u32) -> Option<Hover> {
    let text = documents.get(path)?.text.clone();
    let survey = documents.survey(path)?;
    if let Some(mention) = survey.at(at) {
        let value = of_symbol(&survey.symbols[mention.symbol], survey);
        return Some(shown(value, &text, mention.span));
    }
    let (start, word) = word_at(&text, at as usize)?;
    let in_words = tokens(&text).iter().any(|it| it.kind == Kind::Word && it.start == start);
    if !in_words {
        return None;
    }
    let value = of_word(&text, start, word).or_else(|| of_keyword(&text, start, word))?;
    let span = Span { file: 0, start: start as u32, end: (start + word.len()) as u32 };
    Some(shown(value, &text, span))
}

fn shown(value: String, text: &str, span: Span) -> Hover {
    Hover {
        contents: HoverContents::Markup(MarkupContent { kind: MarkupKind::Markdown, value }),
        range: Some(position::range(text, span)),
    }
}

/// The word that a byte is in or right behind.
fn word_at(text: &str, at: usize) -> Option<(usize, &str)> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let before = text.get(..at)?;
    let start = before.trim_end_matches(word).len();
    let rest = &text[start..];
    let end = rest.find(|c| !word(c)).unwrap_or(rest.len());
    (end > 0).then(|| (start, &rest[..end]))
}

fn of_symbol(symbol: &Symbol, survey: &Survey) -> String {
    let kind = symbol.kind.word();
    let container = symbol.container.as_deref().unwrap_or_default();
    let name = match symbol.kind {
        SymbolKind::Field | SymbolKind::Variant => format!("{container}.{}", symbol.name),
        SymbolKind::Local => format!("{} of {container}", symbol.name),
        _ => symbol.name.clone(),
    };
    // Its line declares the other thing.
    let within = matches!(symbol.kind, SymbolKind::Field | SymbolKind::Variant | SymbolKind::Local);
    let head = match (&symbol.ty, &symbol.line) {
        (Some(ty), _) => format!("{kind} {name}: {ty}"),
        (None, Some(line)) if !within => line.clone(),
        _ => format!("{kind} {name}"),
    };
    let mut out = format!("```sage\n{head}\n```\n");
    if let Some(doc) = &symbol.doc {
        out += &format!("\n{doc}\n");
    }
    if let Some(line) = symbol.line.as_ref().filter(|_| symbol.ty.is_some() || within) {
        out += &format!("\n```sage\n{line}\n```\n");
    }
    let ty = symbol.ty.as_ref();
    if let Some(Type::Record(record)) = ty.map(inner) {
        out += &format!("\nfields of {}\n", record.name);
        for field in record.fields.iter().take(40) {
            out += &format!("- `{}`: {}\n", field.name, field.ty);
        }
    }
    let uses = survey.symbols.iter().position(|it| std::ptr::eq(it, symbol));
    let uses = uses.map_or(0, |at| survey.mentions_of(at).filter(|it| !it.defines).count());
    out += &match uses {
        1 => "\nused once\n".to_owned(),
        uses => format!("\nused {uses} times\n"),
    };
    out
}

fn inner(ty: &Type) -> &Type {
    match ty {
        Type::List(item) | Type::Optional(item) => inner(item),
        other => other,
    }
}

/// The page of a word of the language.
fn of_keyword(text: &str, start: usize, word: &str) -> Option<String> {
    let line = text[..start].rsplit('\n').next().unwrap_or_default();
    // `to` and `every` belong to other declarations as well.
    let measures = line.trim_start().starts_with("measure ") && !line.contains('{');
    let of = if measures && matches!(word, "to" | "every") { "measure" } else { word };
    let page = manual::word_of(of).or_else(|| manual::term_of(of))?;
    Some(form(page))
}

fn form(page: &manual::Word) -> String {
    format!("```sage\n{}\n```\n\n{}\n", page.form, page.summary)
}

/// What the registries say of a word, by the place it stands in.
fn of_word(text: &str, start: usize, word: &str) -> Option<String> {
    let catalog = catalog();
    let page = |name: &str, summary: &str| format!("```sage\n{name}\n```\n\n{summary}\n");
    let of_list = |list: &[(&str, &str)]| {
        let found = list.iter().find(|(name, _)| *name == word);
        found.map(|(name, doc)| page(name, doc))
    };
    let leaf = |list: &[&'static sage_dsl::catalog::Signature]| {
        let found = sage_dsl::catalog::find(list, word)?;
        Some(page(found.name, &items::page(found, &[])))
    };
    let around = context(text, start);
    match around.place {
        Place::Entry(Owner::Stage(called)) => {
            let options = catalog.stage(&called)?.options;
            let option = options.iter().find(|option| option.name == word)?;
            Some(page(&format!("{word}: ..."), &items::of_param(option)))
        }
        Place::Entry(Owner::Endpoint) => of_list(manual::ENDPOINT),
        Place::Entry(Owner::Schedule) => of_list(manual::SCHEDULE),
        Place::Entry(Owner::Index) => of_list(manual::INDEX),
        Place::Entry(Owner::Source) => of_list(manual::SOURCE),
        Place::Entry(Owner::Sink) => of_list(manual::SINK),
        Place::Entry(Owner::Fault) => {
            // Any status is written as this one.
            let name = if word.starts_with("status_") { "status_429" } else { word };
            let found = manual::FAULT.iter().find(|(known, _)| *known == name);
            found.map(|(_, doc)| page(word, doc))
        }
        Place::Entry(Owner::Experiment) => {
            of_list(manual::SETTINGS).or_else(|| of_list(manual::ENTRIES))
        }
        Place::Argument(leaf, name) => {
            let params = signature(&catalog, leaf, &name)?.params;
            let param = params.iter().find(|param| param.name == word)?;
            Some(page(&format!("{word}: ..."), &items::of_param(param)))
        }
        Place::Outcome { .. } => {
            let column = sage_lab::results::COLUMNS
                .iter()
                .find(|column| column.name == word || column.aliases.contains(&word))?;
            Some(page(column.name, column.doc))
        }
        Place::Value(Owner::Group, _) if sage_dsl::find_aggregate(word).is_some() => {
            let aggregate = sage_dsl::find_aggregate(word)?;
            Some(page(aggregate.signature, aggregate.doc))
        }
        Place::Type => manual::type_of(word).map(form),
        Place::Figure(_) | Place::Dimension(_) => {
            let dimension = DIMENSIONS.iter().find(|it| it.word() == word);
            let dimension = dimension.map(|it| taken_apart(*it).to_owned());
            find_measure(word).map(measured).or(dimension).map(|it| page(word, &it))
        }
        Place::Statistic(figure) => {
            let spec = find_measure(&figure).filter(|_| STATISTICS.contains(&word))?;
            Some(page(&format!("{figure}.{word}"), &measured(spec)))
        }
        Place::SourceKind => leaf(catalog.sources),
        Place::DocumentsKind => leaf(catalog.documents),
        Place::SinkKind => leaf(catalog.sinks),
        Place::Policy => leaf(catalog.policies),
        Place::Expression(Some(called))
            if text[start + word.len()..].starts_with(':')
                && items::window_options(&called).is_some() =>
        {
            of_list(&items::window_options(&called)?)
        }
        Place::Expression(called) => {
            let spec = called.and_then(|called| catalog.stage(&called));
            let param =
                spec.and_then(|spec| spec.signature.params.iter().find(|param| param.name == word));
            if let Some(param) = param.filter(|_| text[start + word.len()..].starts_with(':')) {
                return Some(page(&format!("{word}: ..."), &items::of_param(param)));
            }
            if let Some(spec) = catalog.stage(word) {
                return Some(page(word, &items::page(&spec.signature, spec.options)));
            }
            let function = sage_dsl::FUNCTIONS.iter().find(|function| function.name == word)?;
            Some(page(function.signature, function.doc))
        }
        _ => None,
    }
}
