//! Completion: what may stand at a cursor.

use lsp_types::{CompletionItem, CompletionItemKind};
use sage_dsl::catalog::{self, Catalog, Param};
use sage_dsl::manual;
use sage_dsl::measures::{STATISTICS, find_measure};
use sage_dsl::symbols::{Survey, SymbolKind};
use sage_dsl::types::Type;

use super::context::{Context, Leaf, Owner, Place, context};
use super::documents::Documents;
use super::items;
use crate::catalog::catalog;

/// A word that no program has. It stands where a name is missing, so that what is around it can be
/// read and has types.
const STAND_IN: &str = "zz__cursor";

pub(super) fn complete(documents: &mut Documents, path: &str, cursor: u32) -> Vec<CompletionItem> {
    let Some(document) = documents.get(path) else { return Vec::new() };
    let text = document.text.clone();
    let context = context(&text, cursor as usize);
    let needs_types = matches!(context.place, Place::FieldOf(_) | Place::OwnField);
    if needs_types && context.word == cursor as usize {
        // `hits.` alone is no expression.
        let mut whole = text.clone();
        whole.insert_str(cursor as usize, STAND_IN);
        let survey = documents.survey_of(path, &whole, &std::collections::HashMap::new());
        return choices(&context, &survey);
    }
    documents.survey(path).map(|survey| choices(&context, survey)).unwrap_or_default()
}

fn choices(context: &Context, survey: &Survey) -> Vec<CompletionItem> {
    let catalog = catalog();
    let leaves = |list: &[&'static catalog::Signature]| {
        list.iter().map(|signature| items::leaf(signature)).collect()
    };
    match &context.place {
        Place::Nothing => Vec::new(),
        Place::Declaration => {
            items::DECLARATIONS.iter().map(|(word, text)| items::snippet(word, text)).collect()
        }
        Place::Step => items::STEPS.iter().map(|(word, text)| items::snippet(word, text)).collect(),
        Place::FieldOf(end) => survey.type_ending_at(*end as u32).map(fields).unwrap_or_default(),
        Place::OwnField => {
            let flow = context.flow.as_deref();
            flow.and_then(|flow| survey.record_of_flow(flow)).map(fields).unwrap_or_default()
        }
        Place::Type => {
            let built_in = manual::TYPES
                .iter()
                .map(|it| items::plain(it.names[0], CompletionItemKind::KEYWORD, it.summary));
            declared(survey, &[SymbolKind::Type, SymbolKind::Enum]).chain(built_in).collect()
        }
        Place::Endpoint => declared(survey, &[SymbolKind::Endpoint]).collect(),
        Place::Source => declared(survey, &[SymbolKind::Source]).collect(),
        Place::Sink => declared(survey, &[SymbolKind::Sink]).collect(),
        Place::SourceKind => leaves(catalog.sources),
        Place::DocumentsKind => leaves(catalog.documents),
        Place::SinkKind => leaves(catalog.sinks),
        Place::Policy => leaves(catalog.policies),
        Place::Flow => declared(survey, &[SymbolKind::Flow]).collect(),
        Place::TestPart => {
            items::TEST_PARTS.iter().map(|(word, text)| items::snippet(word, text)).collect()
        }
        Place::Mocked => named_once(declared(survey, &[SymbolKind::Column])),
        Place::FieldOfStage(stage) => stage_type(survey, stage).map(fields).unwrap_or_default(),
        Place::Outcome { of_test } => outcome(survey, *of_test),
        Place::Window => {
            items::WINDOWS.iter().map(|(word, text)| items::snippet(word, text)).collect()
        }
        Place::Figure(before) => {
            let mut found: Vec<CompletionItem> = items::figures().collect();
            found.extend(before.iter().flat_map(|figure| items::dimensions(figure)));
            found
        }
        Place::Statistic(figure) => {
            let known = find_measure(figure).is_some_and(|spec| spec.statistics);
            let of = STATISTICS.iter().filter(|_| known);
            of.map(|it| items::plain(it, CompletionItemKind::FIELD, figure)).collect()
        }
        Place::Dimension(figure) => items::dimensions(figure),
        Place::Words(words) => {
            words.iter().map(|it| items::plain(it, CompletionItemKind::KEYWORD, "")).collect()
        }
        Place::Argument(leaf, name) => {
            let found = signature(&catalog, *leaf, name);
            let words = words_of(context, found.map_or(&[][..], |it| it.params));
            if !words.is_empty() {
                return words;
            }
            let mut keys: Vec<CompletionItem> =
                found.iter().flat_map(|it| it.params).map(items::key).collect();
            keys.extend(expression(context, survey, &catalog, None));
            keys
        }
        Place::Entry(owner) => entries(owner, survey, &catalog),
        Place::Value(owner, key) => {
            let of_param = param(owner, key, &catalog).map(items::values).unwrap_or_default();
            match owner {
                _ if !of_param.is_empty() => of_param,
                Owner::Group => {
                    let mut found: Vec<CompletionItem> = items::aggregates().collect();
                    found.extend(expression(context, survey, &catalog, None));
                    found
                }
                _ => expression(context, survey, &catalog, None),
            }
        }
        Place::Expression(called) => expression(context, survey, &catalog, called.as_deref()),
    }
}

/// What a source, a sink, documents or a policy of this name takes.
pub(super) fn signature(
    catalog: &Catalog,
    leaf: Leaf,
    name: &str,
) -> Option<&'static catalog::Signature> {
    let list = match leaf {
        Leaf::Source => catalog.sources,
        Leaf::Documents => catalog.documents,
        Leaf::Sink => catalog.sinks,
        Leaf::Policy => catalog.policies,
    };
    catalog::find(list, name)
}

/// The words that the parameter takes for which a value is being given, if it takes some.
fn words_of(context: &Context, params: &[Param]) -> Vec<CompletionItem> {
    let given = context.given.as_deref();
    let param = params.iter().find(|param| Some(param.name) == given);
    param.map(items::values).unwrap_or_default()
}

/// The parameter or option called `key`.
fn param(owner: &Owner, key: &str, catalog: &Catalog) -> Option<&'static Param> {
    let options = match owner {
        Owner::Stage(called) => catalog.stage(called)?.options,
        Owner::Source => manual::SOURCE_OPTIONS,
        Owner::Sink => manual::SINK_OPTIONS,
        _ => return None,
    };
    options.iter().find(|option| option.name == key)
}

/// What the stages called so make.
fn stage_type<'s>(survey: &'s Survey, stage: &str) -> Option<&'s Type> {
    let mut columns = survey.symbols.iter().filter(|it| it.kind == SymbolKind::Column);
    columns.find(|it| it.name == stage)?.ty.as_ref()
}

/// What conditions over results may name.
fn outcome(survey: &Survey, of_test: bool) -> Vec<CompletionItem> {
    let mut found: Vec<CompletionItem> = Vec::new();
    if of_test {
        let kinds = [SymbolKind::Sink, SymbolKind::Endpoint, SymbolKind::Variant];
        found.extend(declared(survey, &kinds));
        let letters = "what failed, a list of records";
        found.push(items::plain("dead_letters", CompletionItemKind::VARIABLE, letters));
        found.extend(functions());
    }
    let columns = sage_lab::results::COLUMNS.iter();
    found.extend(columns.flat_map(|column| {
        std::iter::once(column.name)
            .chain(column.aliases.iter().copied())
            .map(|name| items::plain(name, CompletionItemKind::FIELD, column.doc))
    }));
    let words = items::WORDS.iter();
    found.extend(words.map(|word| items::plain(word, CompletionItemKind::KEYWORD, "")));
    found
}

/// Several flows may have a stage of one name.
fn named_once(items: impl Iterator<Item = CompletionItem>) -> Vec<CompletionItem> {
    let mut found: Vec<CompletionItem> = items.collect();
    found.sort_by(|a, b| a.label.cmp(&b.label));
    found.dedup_by(|a, b| a.label == b.label);
    found
}

fn functions() -> impl Iterator<Item = CompletionItem> {
    sage_dsl::FUNCTIONS.iter().map(|function| CompletionItem {
        documentation: Some(items::markdown(function.doc.to_owned())),
        ..items::plain(function.name, CompletionItemKind::FUNCTION, function.signature)
    })
}

fn entries(owner: &Owner, survey: &Survey, catalog: &Catalog) -> Vec<CompletionItem> {
    let pages = |pages: &[(&str, &str)]| {
        let item =
            |(name, doc): &(&str, &str)| items::named(name, doc, CompletionItemKind::PROPERTY);
        pages.iter().map(item).collect()
    };
    match owner {
        Owner::Stage(called) => {
            let options = catalog.stage(called).map_or(&[][..], |spec| spec.options);
            options.iter().map(items::key).collect()
        }
        Owner::Endpoint => pages(manual::ENDPOINT),
        Owner::Schedule => pages(manual::SCHEDULE),
        Owner::Index => pages(manual::INDEX),
        Owner::Source => pages(manual::SOURCE),
        Owner::Sink => pages(manual::SINK),
        Owner::Fault => pages(manual::FAULT),
        Owner::Experiment => {
            let mut found: Vec<CompletionItem> = pages(manual::SETTINGS);
            found.extend(pages(manual::ENTRIES));
            let parts = items::EXPERIMENT_PARTS.iter();
            found.extend(parts.map(|(word, text)| items::snippet(word, text)));
            let params = declared(survey, &[SymbolKind::Param]);
            found
                .extend(params.map(|it| items::named(&it.label, "", CompletionItemKind::PROPERTY)));
            found
        }
        Owner::Mock(stage) => {
            let of_stage = stage_type(survey, stage).map(fields).unwrap_or_default();
            let names = of_stage.iter().map(|it| it.label.as_str());
            names.map(|name| items::named(name, "", CompletionItemKind::FIELD)).collect()
        }
        Owner::Record(name) => survey
            .symbols
            .iter()
            .filter(|it| it.kind == SymbolKind::Field && it.container.as_deref() == Some(name))
            .map(|it| items::named(&it.name, "", CompletionItemKind::FIELD))
            .collect(),
        // The name of an aggregate is for the program to choose.
        Owner::Group | Owner::Other => Vec::new(),
    }
}

/// Names that may stand in an expression.
fn expression(
    context: &Context,
    survey: &Survey,
    catalog: &Catalog,
    called: Option<&str>,
) -> Vec<CompletionItem> {
    let mut found: Vec<CompletionItem> = Vec::new();
    if let Some(spec) = called.and_then(|called| catalog.stage(called)) {
        let words = words_of(context, spec.signature.params);
        if !words.is_empty() {
            return words;
        }
        found.extend(spec.signature.params.iter().map(items::key));
    }
    found.extend(called.map(items::keys_of).unwrap_or_default());
    let own = |symbol: &sage_dsl::symbols::Symbol| match symbol.kind {
        SymbolKind::Column => context.flow.is_some() && symbol.container == context.flow,
        SymbolKind::Local => {
            context.declaration.is_some() && symbol.container == context.declaration
        }
        SymbolKind::Param
        | SymbolKind::Function
        | SymbolKind::Prompt
        | SymbolKind::Index
        | SymbolKind::Variant => true,
        _ => false,
    };
    found.extend(survey.symbols.iter().filter(|symbol| own(symbol)).map(item));
    if context.flow.is_some() && called.is_none() {
        found.extend(catalog.stages.iter().map(|spec| items::leaf(&spec.signature)));
    }
    found.extend(functions());
    let words = items::WORDS.iter();
    found.extend(words.map(|word| items::plain(word, CompletionItemKind::KEYWORD, "")));
    found.dedup_by(|a, b| a.label == b.label);
    found
}

fn declared<'s>(
    survey: &'s Survey,
    kinds: &'s [SymbolKind],
) -> impl Iterator<Item = CompletionItem> + 's {
    survey.symbols.iter().filter(move |symbol| kinds.contains(&symbol.kind)).map(item)
}

fn item(symbol: &sage_dsl::symbols::Symbol) -> CompletionItem {
    let kind = match symbol.kind {
        SymbolKind::Param | SymbolKind::Local => CompletionItemKind::CONSTANT,
        SymbolKind::Type => CompletionItemKind::STRUCT,
        SymbolKind::Enum => CompletionItemKind::ENUM,
        SymbolKind::Variant => CompletionItemKind::ENUM_MEMBER,
        SymbolKind::Prompt | SymbolKind::Function => CompletionItemKind::FUNCTION,
        SymbolKind::Column => CompletionItemKind::VARIABLE,
        _ => CompletionItemKind::MODULE,
    };
    let detail = match &symbol.ty {
        Some(ty) => format!("{}: {ty}", symbol.kind.word()),
        None => symbol.line.clone().unwrap_or_else(|| symbol.kind.word().to_owned()),
    };
    items::plain(&symbol.name, kind, detail)
}

/// Fields of a record, of the elements of a list, of what may be null.
fn fields(ty: &Type) -> Vec<CompletionItem> {
    match ty {
        Type::Record(record) => record
            .fields
            .iter()
            .map(|field| items::plain(&field.name, CompletionItemKind::FIELD, field.ty.to_string()))
            .collect(),
        Type::List(inner) | Type::Optional(inner) => fields(inner),
        _ => Vec::new(),
    }
}
