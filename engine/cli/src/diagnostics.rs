//! Diagnostics on a terminal: code, place, the line itself, what to do.
//!
//! Colours are a choice of the caller, who knows whether anybody is looking.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Patch, Renderer, Snippet};
use sage_dsl::{Diagnostic, Severity, SourceMap, Span};
use serde_json::Value;

/// The diagnostics as text, with a blank line after each.
pub(crate) fn render(diagnostics: &[Diagnostic], sources: &SourceMap, colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let mut out = String::new();
    for diagnostic in diagnostics {
        out.push_str(&renderer.render(&report(diagnostic, sources)));
        out.push_str("\n\n");
    }
    out
}

/// The diagnostics for programs, each with its place.
pub(crate) fn as_json(diagnostics: &[Diagnostic], sources: &SourceMap) -> Vec<Value> {
    let with_place = |diagnostic: &Diagnostic| {
        let mut value = serde_json::to_value(diagnostic).unwrap_or_default();
        let span = diagnostic.span();
        let place = span.map(|span| sources.line_column(span));
        if let Some(object) = value.as_object_mut() {
            object.insert("file".into(), span.map(|span| sources.path(span).to_owned()).into());
            object.insert("line".into(), place.map(|(line, _)| line).into());
            object.insert("column".into(), place.map(|(_, column)| column).into());
        }
        value
    };
    diagnostics.iter().map(with_place).collect()
}

fn report<'a>(diagnostic: &'a Diagnostic, sources: &'a SourceMap) -> Vec<Group<'a>> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(diagnostic.message.as_str()).id(diagnostic.code);
    let mut group = Group::with_title(title);
    // Labels of one file share a snippet; the first is the place of the mistake.
    let first = diagnostic.span().map_or(0, |span| span.file);
    let mut files = vec![first];
    for label in &diagnostic.labels {
        if !files.contains(&label.span.file) {
            files.push(label.span.file);
        }
    }
    for file in files {
        let Some(source) = sources.files.get(file as usize) else { continue };
        let labels = diagnostic.labels.iter().enumerate();
        let annotations = labels.filter(|(_, label)| label.span.file == file).map(|(at, label)| {
            let kind = if at == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
            let text = (!label.text.is_empty()).then_some(label.text.as_str());
            kind.span(range(label.span, &source.text)).label(text)
        });
        let snippet = Snippet::source(source.text.as_str()).path(source.path.as_str());
        group = group.element(snippet.annotations(annotations));
    }
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    let mut groups = vec![group];
    if let Some(fix) = &diagnostic.fix
        && let Some(source) = sources.files.get(fix.span.file as usize)
    {
        let edits = fix.edits().into_iter();
        let patches = edits.map(|it| Patch::new(range(it.span, &source.text), it.replacement));
        let snippet = Snippet::source(source.text.as_str()).path(source.path.as_str());
        groups.push(Level::HELP.secondary_title("as a fix").element(snippet.patches(patches)));
    }
    groups
}

/// A span as a range that lies in the text and does not split a character.
fn range(span: Span, text: &str) -> Range<usize> {
    let inside = |at: u32| {
        let at = (at as usize).min(text.len());
        (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
    };
    let start = inside(span.start);
    start..inside(span.end).max(start)
}

#[cfg(test)]
mod tests {
    use sage_dsl::{Fix, Label, SourceFile};

    use super::*;

    fn sources(text: &str) -> SourceMap {
        SourceMap { files: vec![SourceFile { path: "rag.sage".to_owned(), text: text.to_owned() }] }
    }

    fn diagnostic(start: u32, end: u32) -> Diagnostic {
        let span = Span { file: 0, start, end };
        Diagnostic {
            code: "S0207",
            severity: Severity::Error,
            message: "unknown option `timout` for stage `answer`".to_owned(),
            labels: vec![Label { span, text: String::new() }],
            help: Some("did you mean `timeout`?".to_owned()),
            fix: Some(Fix::new(span, "timeout")),
        }
    }

    #[test]
    fn code_place_line_help_and_fix_are_shown() {
        let text = render(&[diagnostic(9, 15)], &sources("sage 1\n{ timout: 30s }\n"), false);
        for part in ["error[S0207]", "rag.sage:2:3", "timout: 30s", "did you mean", "as a fix"] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        assert!(!text.contains('\u{1b}'));
    }

    #[test]
    fn places_outside_of_the_text_do_no_harm() {
        for (start, end) in [(0, 0), (2, 3), (100, 200), (5, 1)] {
            assert!(render(&[diagnostic(start, end)], &sources("ä\n"), true).contains("S0207"));
        }
        assert!(render(&[diagnostic(0, 0)], &sources(""), false).contains("S0207"));
    }
}
