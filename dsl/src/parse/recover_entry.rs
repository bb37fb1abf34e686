//! Entries and values of other languages that end where nobody would expect it.

use super::Reader;
use super::operand::split_list;
use super::recover::{another, first_word, reserved_word, taken};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::scan::closing;
use crate::span::Span;

/// Bytes in front of an entry that are looked at.
const MOST_BEFORE: usize = 4_000;

impl Reader<'_> {
    /// A word of the language in the place of a parameter's name.
    pub(super) fn reserved_parameter(&mut self, text: &str, stop: usize, span: Span) -> bool {
        let before = text[..stop.min(text.len())].trim_end();
        let start = if before.ends_with(['(', ',']) {
            stop + text[stop..].len() - text[stop..].trim_start().len()
        } else {
            // It stopped behind the word.
            before
                .rfind(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
                .map_or(0, |at| at + 1)
        };
        let name = first_word(&text[start..]);
        let opened = text[..start].trim_end().ends_with(['(', ',']);
        let typed = text[start + name.len()..].trim_start().starts_with(':');
        let Some(reserved) = reserved_word(name).filter(|_| opened && typed) else { return false };
        let start = span.start + start as u32;
        let at = Span { start, end: start + name.len() as u32, ..span };
        self.report(
            Diagnostic::error(codes::UNEXPECTED, at, taken(reserved)).help(another(reserved)),
        );
        true
    }

    /// `if(c, a, b)` in `text`; whether it has been reported.
    pub(super) fn if_call(&mut self, text: &str, span: Span) -> bool {
        let starts = |at: usize| {
            !text[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || "_.".contains(c))
        };
        for (at, word) in text.match_indices("if") {
            let rest = &text[at + word.len()..];
            let bracket = rest.len() - rest.trim_start_matches(' ').len();
            if !starts(at) || !rest[bracket..].starts_with('(') {
                continue;
            }
            let Some(close) = closing(&rest[bracket..]) else { return false };
            let parts = split_list(&rest[bracket + 1..bracket + close]);
            let [condition, yes, no] = parts.as_slice() else { continue };
            let meant = format!("if {} then {} else {}", condition.trim(), yes.trim(), no.trim());
            let start = span.start + at as u32;
            let whole =
                Span { start, end: start + (word.len() + bracket + close + 1) as u32, ..span };
            let marked = Span { end: start + word.len() as u32, ..whole };
            self.report(
                Diagnostic::error(codes::UNEXPECTED, marked, "`if` is not called like a function")
                    .help(format!("write `{meant}`"))
                    .fix(whole, meant),
            );
            return true;
        }
        false
    }

    /// `100 req/min`; whether it has been reported.
    pub(super) fn rate_apart(&mut self, text: &str, span: Span) -> bool {
        let before = self.text.get(..span.start as usize).unwrap_or("");
        let trimmed = before.trim_end_matches(' ');
        let word = first_word(text);
        let Some(unit) = text[word.len()..].strip_prefix('/').map(first_word) else { return false };
        let unit_of = match unit {
            "s" | "sec" | "second" => "s",
            "min" | "minute" | "m" => "min",
            "h" | "hour" => "h",
            "d" | "day" => "d",
            _ => return false,
        };
        let counted = ["req", "reqs", "request", "requests", "calls", "records", "rows", "queries"];
        if !trimmed.ends_with(|c: char| c.is_ascii_digit()) || !counted.contains(&word) {
            return false;
        }
        let meant = format!("/{unit_of}");
        let end = span.start + (word.len() + 1 + unit.len()) as u32;
        let at = Span { end, ..span };
        self.report(
            Diagnostic::error(codes::UNKNOWN_UNIT, at, "a rate is a number of a time")
                .help(format!("write it without `{word}`, as in `100{meant}`"))
                .fix(Span { start: trimmed.len() as u32, ..at }, meant),
        );
        true
    }

    /// A case of a `switch`; whether it has been reported.
    pub(super) fn case_of_switch(&mut self, word: &str, text: &str, span: Span) -> bool {
        if word != "case" || !text["case".len()..].starts_with(' ') {
            return false;
        }
        let at = Span { end: span.start + word.len() as u32, ..span };
        self.report(Diagnostic::error(codes::UNEXPECTED, at, "there is no `switch`").help(
            "a value is chosen by `match .n { 1 => \"x\", _ => \"y\" }`, steps by \
                 `route .kind { when a => { ... } else => { ... } }`",
        ));
        true
    }

    /// `name?: type`; whether it has been reported.
    pub(super) fn optional_name(&mut self, text: &str, span: Span) -> bool {
        let name = first_word(text);
        let Some(ty) = text[name.len()..].strip_prefix("?:").map(str::trim) else { return false };
        if name.is_empty() || ty.is_empty() {
            return false;
        }
        let meant = format!("{name}: {}?", ty.trim_end_matches('?'));
        let start = span.start + name.len() as u32;
        let at = Span { start, end: start + 1, ..span };
        let plain = ty.chars().all(|c| c.is_ascii_alphanumeric() || "_[]?".contains(c));
        let diagnostic =
            Diagnostic::error(codes::UNEXPECTED, at, "what may be null has `?` behind its type")
                .help(format!("write `{meant}`"));
        self.report(if plain { diagnostic.fix(span, meant) } else { diagnostic });
        true
    }

    /// Whether an entry that starts there is one of the record of an `emit`.
    pub(super) fn in_emit(&self, start: u32) -> bool {
        let before = self.text.get(..start as usize).unwrap_or("");
        let from = before.len().saturating_sub(MOST_BEFORE);
        let from = (from..=before.len()).find(|at| before.is_char_boundary(*at)).unwrap_or(0);
        let mut depth = 0_u32;
        for (at, c) in before[from..].char_indices().rev() {
            match c {
                '}' => depth += 1,
                '{' if depth > 0 => depth -= 1,
                '{' => {
                    let head = before[from..from + at].trim_end();
                    let ty = head.len()
                        - head
                            .trim_end_matches(|c: char| c.is_ascii_alphanumeric() || c == '_')
                            .len();
                    return head.ends_with("emit")
                        || head[..head.len() - ty].trim_end().ends_with("emit");
                }
                _ => {}
            }
        }
        false
    }
}
