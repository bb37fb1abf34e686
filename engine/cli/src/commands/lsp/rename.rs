//! Where a name is declared and used, and giving it another.
//!
//! A change of a name is tried before it is offered: all texts that it touches are compiled with it,
//! and it is refused if that finds a mistake that was not there. So a name that is taken, a keyword
//! or a name that would hide another cannot slip through.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use lsp_server::ErrorCode;
use lsp_types::{Location, Range, TextEdit, Uri, WorkspaceEdit};
use sage_dsl::symbols::{Mention, Survey, SymbolKind};
use sage_dsl::{Diagnostic, SourceMap, Span};

use super::documents::Documents;
use super::server::Refusal;
use super::{actions, position, uri};

/// A place by the path of its file.
type Place = (String, Span);

fn location(sources: &SourceMap, span: Span) -> Option<Location> {
    let text = &sources.files.get(span.file as usize)?.text;
    Some(Location { uri: uri::of_path(sources.path(span))?, range: position::range(text, span) })
}

pub(super) fn definition(documents: &mut Documents, path: &str, at: u32) -> Vec<Location> {
    let Some(survey) = documents.survey(path) else { return Vec::new() };
    let Some(symbol) = survey.at(at).map(|mention| mention.symbol) else { return Vec::new() };
    let sources = &survey.compiled.sources;
    let defined = survey.mentions_of(symbol).filter(|mention| mention.defines);
    defined.filter_map(|mention| location(sources, mention.span)).collect()
}

pub(super) fn references(
    documents: &mut Documents,
    path: &str,
    at: u32,
    declarations: bool,
) -> Vec<Location> {
    let mut locations: Vec<Location> = Vec::new();
    for (own, symbol) in everywhere(documents, path, at) {
        let Some(survey) = documents.survey(&own) else { continue };
        let found = survey.mentions_of(symbol).filter(|it| declarations || !it.defines);
        for found in found.filter_map(|it| location(&survey.compiled.sources, it.span)) {
            if !locations.contains(&found) {
                locations.push(found);
            }
        }
    }
    locations
}

/// The symbol at a place, in every open text that knows it: as a text and a number each.
fn everywhere(documents: &mut Documents, path: &str, at: u32) -> Vec<(String, usize)> {
    let Some(survey) = documents.survey(path) else { return Vec::new() };
    let Some(symbol) = survey.at(at).map(|mention| mention.symbol) else { return Vec::new() };
    let places = |survey: &Survey, symbol: usize| -> BTreeSet<Place> {
        let defined = survey.mentions_of(symbol).filter(|mention| mention.defines);
        let place = |it: &Mention| {
            let path = survey.compiled.sources.path(it.span).to_owned();
            (path, Span { file: 0, ..it.span })
        };
        defined.map(place).collect()
    };
    let wanted = places(survey, symbol);
    let mut found = vec![(path.to_owned(), symbol)];
    for other in documents.paths() {
        if other == path {
            continue;
        }
        let Some(survey) = documents.survey(&other) else { continue };
        let same =
            (0..survey.symbols.len()).find(|symbol| !places(survey, *symbol).is_disjoint(&wanted));
        found.extend(same.map(|symbol| (other, symbol)));
    }
    found
}

/// The range of the name at a place, if it can be given another.
pub(super) fn prepare(
    documents: &mut Documents,
    path: &str,
    at: u32,
) -> Result<Option<Range>, Refusal> {
    let Some(text) = documents.get(path).map(|document| document.text.clone()) else {
        return Ok(None);
    };
    let Some(survey) = documents.survey(path) else { return Ok(None) };
    let Some(mention) = survey.at(at) else { return Ok(None) };
    let symbol = &survey.symbols[mention.symbol];
    if let SymbolKind::Field | SymbolKind::Variant = symbol.kind {
        let what = symbol.kind.word();
        return Err(refused(format!(
            "a {what} is a name in the data, too: in its files and in answers; change both by hand"
        )));
    }
    if !survey.mentions_of(mention.symbol).any(|mention| mention.defines) {
        return Err(refused(format!("`{}` is declared nowhere", symbol.name)));
    }
    Ok(Some(position::range(&text, mention.span)))
}

pub(super) fn rename(
    documents: &mut Documents,
    path: &str,
    at: u32,
    new: &str,
) -> Result<Option<WorkspaceEdit>, Refusal> {
    if prepare(documents, path, at)?.is_none() {
        return Ok(None);
    }
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !new.chars().all(word) || !new.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        return Err(refused(format!("`{new}` is no name: it has letters, digits and `_`")));
    }
    let known = everywhere(documents, path, at);
    // Texts of all files that are touched, and the places in them from back to front.
    let mut texts: HashMap<String, String> = HashMap::new();
    let mut places: BTreeMap<String, BTreeSet<(u32, u32)>> = BTreeMap::new();
    for (own, symbol) in &known {
        let Some(survey) = documents.survey(own) else { continue };
        let sources = &survey.compiled.sources;
        for mention in survey.mentions_of(*symbol) {
            let Some(file) = sources.files.get(mention.span.file as usize) else { continue };
            texts.entry(file.path.clone()).or_insert_with(|| file.text.clone());
            let span = mention.span;
            places.entry(file.path.clone()).or_default().insert((span.start, span.end));
        }
    }
    let mut changes: Vec<(Uri, Vec<TextEdit>)> = Vec::new();
    let mut changed = texts.clone();
    for (file, places) in &places {
        let (Some(old), Some(text)) = (texts.get(file), changed.get_mut(file)) else { continue };
        let mut edits = Vec::new();
        for (start, end) in places.iter().rev() {
            text.replace_range(*start as usize..*end as usize, new);
            let span = Span { file: 0, start: *start, end: *end };
            edits.push(TextEdit::new(position::range(old, span), new.to_owned()));
        }
        if let Some(uri) = uri::of_path(file) {
            changes.push((uri, edits));
        }
    }
    for (own, symbol) in &known {
        tried(documents, own, *symbol, &changed)?;
    }
    Ok(Some(actions::edits(changes)))
}

/// An error if the changed texts have a mistake that the open ones have not, or if the name would be
/// that of something else as well.
fn tried(
    documents: &mut Documents,
    own: &str,
    symbol: usize,
    changed: &HashMap<String, String>,
) -> Result<(), Refusal> {
    let Some(before) = documents.survey(own) else { return Ok(()) };
    let errors = |survey: &Survey| -> Vec<Diagnostic> {
        survey.compiled.diagnostics.iter().filter(|it| it.is_error()).cloned().collect()
    };
    let (old, count) = (errors(before).len(), before.mentions_of(symbol).count());
    let Some(place) = before.mentions_of(symbol).next() else { return Ok(()) };
    let (file, ordinal) = (place.span.file, before.mentions.iter());
    let ordinal = ordinal.take_while(|it| it.span != place.span).count();
    let text = changed.get(own).cloned();
    let Some(text) = text.or_else(|| documents.get(own).map(|it| it.text.clone())) else {
        return Ok(());
    };
    let after = documents.survey_of(own, &text, changed);
    let new = errors(&after);
    if new.len() > old {
        let why = new.first().map_or("", |first| first.message.as_str());
        return Err(refused(format!("that would be a mistake: {why}")));
    }
    let moved = after.mentions.get(ordinal).filter(|it| it.span.file == file);
    if moved.is_none_or(|it| after.mentions_of(it.symbol).count() != count) {
        return Err(refused("something else has this name".to_owned()));
    }
    Ok(())
}

fn refused(message: String) -> Refusal {
    Refusal { code: ErrorCode::RequestFailed, message }
}
