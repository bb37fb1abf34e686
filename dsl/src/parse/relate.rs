//! Steps over all records that could not be read: what is missing, in words of its own.
//!
//! SQL has other forms of these steps, and much of a flow depends on them. A step that is half there
//! therefore leaves something in the tree, so that what follows is not found wrong because of it.

use super::Reader;
use super::recover::first_word;
use crate::ast::{Block, Group};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::span::Span;

/// Words in front of or behind the source of a join elsewhere.
const KINDS: [&str; 6] = ["right", "inner", "outer", "full", "cross", "natural"];

impl Reader<'_> {
    /// A `join` in a form that the language does not have; whether it has been reported.
    pub(super) fn bad_join(&mut self, text: &str, span: Span) -> bool {
        let mut words = Words { text, at: "join".len() };
        let mut word = words.next();
        if KINDS.contains(&word.1) {
            let (at, kind) = word;
            let message = format!("there is no `join {kind}`");
            let help = match kind {
                "inner" => "that is `join source on .key == source.field`".to_owned(),
                _ => "`join source on .key == source.field` leaves rows without a match out, and \
                      `join left source on ...` keeps them; for the rows of the other source begin \
                      with that one"
                    .to_owned(),
            };
            return self.relation_lacks(part(span, at, kind.len()), message, help);
        }
        let left = if word.1 == "left" { "left " } else { "" };
        if !left.is_empty() {
            word = words.next();
        }
        let source = word.1;
        let (at, next) = words.next();
        let form = |key: &str| format!("write `join {left}{source} on .{key} == {source}.{key}`");
        match next {
            _ if source.is_empty() => false,
            "using" => {
                let message = "a join says by `on` what is equal".to_owned();
                let key = Some(words.next().1).filter(|key| !key.is_empty()).unwrap_or("key");
                self.relation_lacks(part(span, at, next.len()), message, form(key))
            }
            "" if text[at..].trim().is_empty() => {
                let end = Span { start: span.start, ..span }.after();
                self.relation_lacks(end, "this `join` lacks its `on`".to_owned(), form("key"))
            }
            _ => false,
        }
    }

    /// `left join users on ...`; whether it has been reported.
    pub(super) fn kind_in_front(&mut self, word: &str, at: Span, text: &str) -> bool {
        let lower = word.to_ascii_lowercase();
        let mut rest = text[word.len()..].trim_start();
        for skipped in ["outer ", "OUTER "] {
            rest = rest.strip_prefix(skipped).map_or(rest, str::trim_start);
        }
        let kinds = KINDS.contains(&lower.as_str()) || lower == "left";
        if !kinds || !first_word(rest).eq_ignore_ascii_case("join") {
            return false;
        }
        let whole = Span { end: at.start + (text.len() - rest.len() + "join".len()) as u32, ..at };
        let (message, meant) = match lower.as_str() {
            "left" => ("which rows are kept is said behind `join`".to_owned(), "join left"),
            "inner" => ("a `join` keeps the rows that have a match".to_owned(), "join"),
            _ => (format!("there is no `{lower} join`"), ""),
        };
        let diagnostic = Diagnostic::error(codes::UNEXPECTED, at, message);
        self.report(if meant.is_empty() {
            diagnostic.help(
                "`join source on .key == source.field` leaves rows without a match out, `join left \
                 source on ...` keeps them; for the rows of the other source begin with that one",
            )
        } else {
            let help = format!("write `{meant} source on .key == source.field`");
            diagnostic.help(help).fix(whole, meant)
        });
        true
    }

    /// A `group` without its braces; whether it has been reported.
    pub(super) fn bad_group(&mut self, text: &str, span: Span) -> bool {
        if text.contains('{') || !text["group".len()..].trim_start().starts_with("by") {
            return false;
        }
        let shown = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if shown.len() > 60 || shown.ends_with(',') {
            return false;
        }
        let message = "a `group` says in braces what is computed".to_owned();
        let help = format!("write `{shown} {{ n: count() }}`");
        self.relation_lacks(span.after(), message, help)
    }

    fn relation_lacks(&mut self, at: Span, message: String, help: String) -> bool {
        self.report(Diagnostic::error(codes::UNEXPECTED, at, message).help(help));
        true
    }
}

/// What stands for a group that could not be read: what it leaves is not known.
pub(super) fn unread_group(span: Span) -> Group {
    let aggregates = Block { entries: Vec::new(), broken: true, span };
    Group { keys: Vec::new(), window: None, aggregates, span }
}

fn part(span: Span, at: usize, length: usize) -> Span {
    let start = span.start + at as u32;
    Span { start, end: start + length as u32, ..span }
}

/// The words of a text, each with its place; signs between them are passed over.
struct Words<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Words<'t> {
    fn next(&mut self) -> (usize, &'t str) {
        let rest = &self.text[self.at..];
        let skipped = rest.find(|c: char| c.is_ascii_alphanumeric() || c == '_');
        let start = self.at + skipped.unwrap_or(rest.len());
        let word = first_word(&self.text[start..]);
        self.at = start + word.len();
        (start, word)
    }
}
