//! What was found in a text, and the changes that mend it.

use lsp_types::{
    CodeAction, CodeActionKind, CodeActionOrCommand, CodeActionParams, Diagnostic,
    DiagnosticRelatedInformation, DiagnosticSeverity, Location, NumberOrString,
    PublishDiagnosticsParams, Range, TextEdit, WorkspaceEdit,
};
use sage_dsl::symbols::Survey;
use sage_dsl::{Edit, Severity, SourceMap};

use super::documents::Documents;
use super::{position, uri};

/// What is to be said of an open text.
pub(super) fn findings(documents: &mut Documents, path: &str) -> Option<PublishDiagnosticsParams> {
    let (text, version) = documents.get(path).map(|it| (it.text.clone(), it.version))?;
    let survey = documents.survey(path)?;
    let own = survey.compiled.diagnostics.iter();
    let mut diagnostics: Vec<Diagnostic> = own
        .filter(|found| found.span().is_some_and(|span| span.file == 0))
        .map(|found| shown(found, &survey.compiled.sources))
        .collect();
    diagnostics.extend(of_imports(survey, &text));
    Some(PublishDiagnosticsParams { uri: uri::of_path(path)?, diagnostics, version: Some(version) })
}

fn shown(found: &sage_dsl::Diagnostic, sources: &SourceMap) -> Diagnostic {
    let text_of = |file: u32| sources.files.get(file as usize).map_or("", |it| it.text.as_str());
    let range = found.span().map(|span| position::range(text_of(span.file), span));
    let mut message = found.message.clone();
    let first = found.labels.first().map_or("", |label| label.text.as_str());
    for more in [first, found.help.as_deref().unwrap_or_default()] {
        if !more.is_empty() {
            message += &format!("\n{more}");
        }
    }
    let related = found.labels.iter().skip(1).filter_map(|label| {
        Some(DiagnosticRelatedInformation {
            location: Location {
                uri: uri::of_path(sources.path(label.span))?,
                range: position::range(text_of(label.span.file), label.span),
            },
            message: label.text.clone(),
        })
    });
    let related: Vec<_> = related.collect();
    Diagnostic {
        range: range.unwrap_or_default(),
        severity: Some(match found.severity {
            Severity::Error => DiagnosticSeverity::ERROR,
            Severity::Warning => DiagnosticSeverity::WARNING,
        }),
        code: Some(NumberOrString::String(found.code.to_owned())),
        source: Some("sage-flow".to_owned()),
        message,
        related_information: (!related.is_empty()).then_some(related),
        ..Diagnostic::default()
    }
}

/// Mistakes in imported files, said once a file where it is imported.
fn of_imports(survey: &Survey, text: &str) -> Vec<Diagnostic> {
    let mut counts: Vec<(u32, usize)> = Vec::new();
    for found in survey.compiled.diagnostics.iter().filter(|found| found.is_error()) {
        let Some(file) = found.span().map(|span| span.file).filter(|file| *file != 0) else {
            continue;
        };
        match counts.iter_mut().find(|(other, _)| *other == file) {
            Some((_, count)) => *count += 1,
            None => counts.push((file, 1)),
        }
    }
    let said = counts.into_iter().filter_map(|(file, count)| {
        let path = &survey.compiled.sources.files.get(file as usize)?.path;
        let name = path.rsplit('/').next().unwrap_or(path);
        let line = text.lines().position(|line| line.starts_with("import") && line.contains(name));
        let line = line.unwrap_or(0) as u32;
        let plural = if count == 1 { "" } else { "s" };
        Some(Diagnostic {
            range: Range::new(
                lsp_types::Position::new(line, 0),
                lsp_types::Position::new(line, u32::MAX >> 1),
            ),
            severity: Some(DiagnosticSeverity::ERROR),
            source: Some("sage-flow".to_owned()),
            message: format!("`{path}` has {count} mistake{plural}"),
            ..Diagnostic::default()
        })
    });
    said.collect()
}

/// The fixes of what was found within a range.
pub(super) fn actions(
    documents: &mut Documents,
    params: &CodeActionParams,
) -> Vec<CodeActionOrCommand> {
    let uri = &params.text_document.uri;
    let path = uri::path(uri);
    let Some(text) = documents.get(&path).map(|document| document.text.clone()) else {
        return Vec::new();
    };
    let Some(survey) = documents.survey(&path) else { return Vec::new() };
    let (start, end) =
        (position::byte(&text, params.range.start), position::byte(&text, params.range.end));
    let mut actions = Vec::new();
    for found in &survey.compiled.diagnostics {
        let (Some(span), Some(fix)) = (found.span(), &found.fix) else { continue };
        let touches = span.start <= end && start <= span.end;
        if span.file != 0 || fix.span.file != 0 || !touches {
            continue;
        }
        let old = survey.compiled.sources.text(fix.span);
        let title = match (old, fix.replacement.as_str()) {
            ("", new) => format!("Insert `{}`", new.trim()),
            (old, "") => format!("Remove `{}`", old.trim()),
            (old, new) => format!("Change `{}` to `{}`", old.trim(), new.trim()),
        };
        let edit = |edit: Edit| TextEdit::new(position::range(&text, edit.span), edit.replacement);
        let changes = fix.edits().into_iter().map(edit).collect();
        actions.push(CodeActionOrCommand::CodeAction(CodeAction {
            title,
            kind: Some(CodeActionKind::QUICKFIX),
            diagnostics: Some(vec![shown(found, &survey.compiled.sources)]),
            edit: Some(edits(vec![(uri.clone(), changes)])),
            is_preferred: Some(true),
            ..CodeAction::default()
        }));
    }
    actions
}

pub(super) fn edits(changes: Vec<(lsp_types::Uri, Vec<TextEdit>)>) -> WorkspaceEdit {
    WorkspaceEdit { changes: Some(changes.into_iter().collect()), ..WorkspaceEdit::default() }
}
