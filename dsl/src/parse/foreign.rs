//! Forms of other languages that stop the reader: what is written in their place.

use super::{Reader, foreign_branch, foreign_clause, foreign_step, foreign_value};
use crate::ast::{Arg, Expr, ExprKind, Name};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::span::Span;

/// Bytes that are looked at in front of a place and behind it.
const MOST_BEFORE: usize = 400;
const MOST_BEHIND: usize = 4_000;

impl Reader<'_> {
    /// Whether what stands at `start`, where reading stopped, is a known form of another language; then
    /// it has been reported.
    pub(super) fn foreign_form(&mut self, start: u32) -> bool {
        let at = start as usize;
        let (Some(before), Some(rest)) = (self.text.get(..at), self.text.get(at..)) else {
            return false;
        };
        // Where everything stands in one line, each look at it has an end as well.
        let before = &before[ends_at(before, before.len().saturating_sub(MOST_BEFORE))..];
        let rest = &rest[..ends_at(rest, rest.len().min(MOST_BEHIND))];
        let (line, ends) = (last_line(before), before.trim_end());
        let found = foreign_clause::find(line, rest)
            .or_else(|| foreign_value::find(line, rest))
            .or_else(|| foreign_step::find(line, rest))
            .or_else(|| foreign_branch::find(line, rest))
            .or_else(|| quoted_endpoint(rest))
            .or_else(|| star(line, rest))
            .or_else(|| choice(rest))
            .or_else(|| options_in_brackets(last_line(ends), rest));
        let Some(Form { code, length, message, help, fix }) = found else { return false };
        let span = Span { file: self.file, start, end: start + length as u32 };
        let diagnostic = Diagnostic::error(code, span, message).help(help);
        self.report(match fix {
            Some((back, length, text)) => {
                let from = Span { start: start - back as u32, end: start + length as u32, ..span };
                diagnostic.fix(from, text)
            }
            None => diagnostic,
        });
        true
    }

    /// An argument of a call; `keep=2` is meant to be `keep: 2`.
    pub(super) fn argument(&mut self, name: Option<Name>, value: Expr) -> Arg {
        let assigned = match (&name, &value.kind) {
            (None, ExprKind::Binary(_, left, right)) => match &left.kind {
                ExprKind::Name(text) => Some((text.clone(), left.span, right.span)),
                _ => None,
            },
            _ => None,
        };
        let Some((text, left, right)) = assigned else { return Arg { name, value } };
        let between = Span { start: left.end, end: right.start, ..left };
        let sign = self.text.get(between.start as usize..between.end as usize);
        let is_last = |found: &Diagnostic| found.span().is_some_and(|at| between.overlaps(at));
        if sign.map(str::trim) != Some("=") || !self.diagnostics.last().is_some_and(is_last) {
            return Arg { name, value };
        }
        let ExprKind::Binary(_, _, right) = value.kind else { return Arg { name, value } };
        // What was said of an operator is said better.
        self.diagnostics.pop();
        self.report(
            Diagnostic::error(codes::EQUALS_FOR_COLON, between, "an argument is given by `:`")
                .help(format!("write `{text}: ...`"))
                .fix(between, ": "),
        );
        Arg { name: Some(Name { text, span: left }), value: *right }
    }
}

/// A form that is known.
pub(super) struct Form {
    code: &'static str,
    /// Bytes of it that are marked.
    length: usize,
    message: String,
    help: String,
    /// Bytes in front of it and from its start on that are replaced, and by what.
    fix: Option<(usize, usize, String)>,
}

impl Form {
    /// With another help.
    pub(super) fn saying(self, help: String) -> Self {
        Form { help, ..self }
    }

    /// With a fix for `back` bytes in front of it and `length` from its start on.
    pub(super) fn replacing(self, back: usize, length: usize, text: impl Into<String>) -> Self {
        Form { fix: Some((back, length, text.into())), ..self }
    }
}

pub(super) fn unexpected(
    length: usize,
    message: impl Into<String>,
    help: impl Into<String>,
) -> Form {
    let (message, help) = (message.into(), help.into());
    Form { code: codes::UNEXPECTED, length, message, help, fix: None }
}

/// The end of the character at a byte.
fn ends_at(text: &str, at: usize) -> usize {
    (at..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len())
}

fn last_line(text: &str) -> &str {
    text.rsplit('\n').next().unwrap_or(text)
}

/// The name that a text ends with.
pub(super) fn last_word(text: &str) -> &str {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    &text[text.trim_end_matches(word).len()..]
}

/// `on "llm"`.
fn quoted_endpoint(rest: &str) -> Option<Form> {
    let name = rest.strip_prefix("on")?.trim_start().strip_prefix('"')?;
    let name = &name[..name.find(['"', '\n'])?];
    let length = rest.find('"')? + name.len() + 2;
    let form = unexpected(2, "an endpoint is named without quotes", format!("write `on {name}`"));
    Some(form.replacing(0, length, format!("on {name}")))
}

/// `count(*)`.
fn star(line: &str, rest: &str) -> Option<Form> {
    let counts = line.trim_end().strip_suffix('(').is_some_and(|it| last_word(it) == "count");
    (counts && rest.starts_with('*')).then(|| {
        unexpected(1, "`count` of all records takes no `*`", "write `count()`").replacing(0, 1, "")
    })
}

/// `a ? b : c` within another.
fn choice(rest: &str) -> Option<Form> {
    rest.starts_with('?').then(|| {
        unexpected(1, "there is no `? :`", "a value is chosen by `if condition then a else b`")
    })
}

/// `on llm(max_tokens: 8)`.
fn options_in_brackets(line: &str, rest: &str) -> Option<Form> {
    let name = last_word(line);
    let on = line.strip_suffix(name)?.trim_end();
    (rest.starts_with('(') && last_word(on) == "on" && on.len() > 2).then(|| {
        unexpected(
            1,
            "options of a stage stand in braces",
            format!("write `on {name} {{ option: value }}`"),
        )
    })
}
