//! Words for pieces that the grammar could not read.
//!
//! A piece is first held against a table of known mistakes. What is left is reported where reading
//! stopped, together with the form the construct should have.

use pest::Parser;
use pest::iterators::Pair;

use super::forms::{FORMS, form};
use super::{Grammar, Reader, Rule, foreign_words};
use crate::ast;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::literal;
use crate::scan::ITEM_WORDS;
use crate::span::Span;
use crate::suggest;

/// What a flow is made of.
pub(super) const STEPS: &str = "steps are `from`, `where`, `stage`, `route`, `loop`, `carry`, `group`, `dedup`, `flat_map`, `join` and `emit`";

pub(super) const STEP_WORDS: &[&str] = &[
    "from", "stage", "where", "emit", "route", "loop", "carry", "group", "dedup", "flat_map",
    "join",
];

impl Reader<'_> {
    pub(super) fn bad_item(&mut self, pair: &Pair<'_, Rule>, poisoned: &mut Vec<String>) {
        poisoned.extend(declared_name(pair.as_str(), ITEM_WORDS));
        let span = self.trimmed(pair);
        let text = pair.as_str().trim_end();
        let word = first_word(text);
        if foreign_words::declares(word) {
            poisoned.extend(declared_name(text, &[word]));
        }
        if text.is_empty() || self.silent(self.span(pair)) || self.odd_param(text, span, poisoned) {
            return;
        }
        let at = Span { end: span.start + word.len().max(1) as u32, ..span };
        if STEP_WORDS.contains(&word) {
            let message = format!("`{word}` is a step of a flow");
            self.report(Diagnostic::error(codes::MISPLACED, at, message).help(format!(
                "move it into a `flow name {{ ... }}`, or close the braces before it: {}",
                form(word)
            )));
            return;
        }
        let told = self.known_item(word, at, text) || self.foreign_form(span.start);
        if told || ITEM_WORDS.contains(&word) && self.stopped(word, text, span) {
            return;
        }
        let first: String = shown(text);
        let help = suggest::did_you_mean(word, ITEM_WORDS.iter().copied()).unwrap_or_else(|| {
            format!("declarations start with {}", suggest::list(ITEM_WORDS[1..].iter().copied()))
        });
        let at = Span { end: span.start + first.len() as u32, ..span };
        self.report(
            Diagnostic::error(
                codes::UNEXPECTED,
                at,
                format!("`{first}` does not start a declaration"),
            )
            .help(help),
        );
    }

    pub(super) fn bad_arm(&mut self, pair: &Pair<'_, Rule>) {
        let span = self.trimmed(pair);
        let text = pair.as_str().trim_end();
        if text.is_empty() || self.silent(self.span(pair)) {
            return;
        }
        let word = first_word(text);
        if self.within_line(span.start) && self.in_broken_line(span, "") {
            return;
        }
        if matches!(word, "when" | "else")
            && (self.odd_arm(word, text, span) || self.stopped(word, text, span))
        {
            return;
        }
        let rest = text[word.len()..].trim_start();
        if !word.is_empty() && rest.starts_with("=>") {
            let at = Span { end: span.start + word.len() as u32, ..span };
            let message = "an arm of a route begins with `when`";
            let help = format!("write `when {word} => {{ ... }}`");
            let start = Span { end: span.start, ..span };
            self.report(
                Diagnostic::error(codes::UNEXPECTED, at, message).help(help).fix(start, "when "),
            );
            return;
        }
        let first = shown(text);
        let at = Span { end: span.start + first.len() as u32, ..span };
        let message = format!("`{first}` does not start an arm of the route");
        let help = suggest::did_you_mean(word, ["when", "else"])
            .unwrap_or_else(|| form("when").to_owned());
        self.report(Diagnostic::error(codes::UNEXPECTED, at, message).help(help));
    }

    pub(super) fn bad_entry(&mut self, pair: &Pair<'_, Rule>, form: &str) {
        let span = self.trimmed(pair);
        let text = pair.as_str().trim_end();
        if text.is_empty() || self.silent(self.span(pair)) {
            return;
        }
        if text == "," {
            let message = "one `,` too many";
            if self.in_broken_line(span, message) {
                return;
            }
            self.report(Diagnostic::error(codes::UNEXPECTED, span, message).fix(span, ""));
            return;
        }
        if self.unit_apart(span.start, text)
            || self.within_entry(span.start) && self.foreign_form(span.start)
        {
            return;
        }
        let word = first_word(text);
        if self.rate_apart(text, span)
            || !form.starts_with("a case") && self.case_of_switch(word, text, span)
        {
            return;
        }
        // Where one ended too early, the next begins in the middle.
        let middle = self.diagnostics.last().and_then(Diagnostic::span).is_some_and(Span::is_empty);
        if (word.is_empty() || middle) && self.in_broken_line(span, "") {
            return;
        }
        let at = Span { end: span.start + word.len().max(1) as u32, ..span };
        let rest = text[word.len()..].trim_start();
        if form.starts_with("a field") && self.optional_name(text, span) {
            return;
        }
        let diagnostic = if word.is_empty() && text.starts_with('"') && text.contains("\":") {
            Diagnostic::error(codes::UNEXPECTED, at, "names of entries stand without quotes")
                .help(form)
        } else if !word.is_empty()
            && matches!(rest, "" | ":" | "=")
            && reserved_word(word).is_none_or(|_| !form.starts_with("an enum"))
        {
            let diagnostic =
                Diagnostic::error(codes::UNEXPECTED, at, format!("`{word}` has no value"));
            if rest.is_empty() && self.in_emit(span.start) {
                let meant = format!("{word}: {word}");
                diagnostic.help(format!("write `{meant}`")).fix(at, meant)
            } else {
                diagnostic.help(form)
            }
        } else if let Some(key) = text.strip_prefix('.').filter(|key| first_word(key) == *key)
            && !self.within_entry(span.start)
        {
            let meant = format!("{key}: {text}");
            Diagnostic::error(codes::UNEXPECTED, span, "an entry has a name and a value")
                .help(format!("write `{meant}`"))
                .fix(span, meant)
        } else if text.starts_with("..") {
            Diagnostic::error(codes::UNEXPECTED, at, "fields are not taken over from elsewhere").help(
                "write each as `name: value`; `emit into sink` without a record writes all that is in sight",
            )
        } else if let Some(reserved) = reserved_word(word).filter(|_| form.starts_with("an enum")) {
            Diagnostic::error(codes::UNEXPECTED, at, taken(reserved)).help(another(reserved))
        } else if !word.is_empty()
            && rest.starts_with(|c: char| c.is_alphanumeric() || "\"[{_".contains(c))
            && !["a case", "an enum", "an objective"].iter().any(|other| form.starts_with(other))
        {
            Diagnostic::error(
                codes::UNEXPECTED,
                at.after(),
                format!("`:` is missing after `{word}`"),
            )
            .help(form)
            .fix(at.after(), ":")
        } else {
            let stop = stop_position(Rule::entry, text).filter(|_| !rest.is_empty()).unwrap_or(0);
            self.unexpected(span, stop, text, "entry", form);
            return;
        };
        self.report(diagnostic);
    }

    /// Whether something of an entry stands in front of `start` in its line.
    fn within_entry(&self, start: u32) -> bool {
        let before = self.text.get(..start as usize).unwrap_or("").trim_end_matches([' ', '\t']);
        !before.ends_with(['{', ',', '\n'])
    }

    /// Reports where reading a construct stopped.
    pub(super) fn stopped(&mut self, word: &str, text: &str, span: Span) -> bool {
        let Some((_, rule, form)) = FORMS.iter().find(|(name, ..)| *name == word) else {
            return false;
        };
        let name = first_word(text[word.len()..].trim_start_matches(' '));
        if let Some(reserved) = reserved_word(name).filter(|_| NAMED.contains(&word)) {
            let start = text.len() - text[word.len()..].trim_start_matches(' ').len();
            let start = span.start + start as u32;
            let at = Span { start, end: start + name.len() as u32, ..span };
            self.report(
                Diagnostic::error(codes::UNEXPECTED, at, taken(reserved)).help(another(reserved)),
            );
            return true;
        }
        let Some(stop) = stop_position(*rule, text) else { return false };
        if self.reserved_parameter(text, stop, span) {
            return true;
        }
        self.unexpected(span, stop, text, word, form);
        true
    }

    fn unexpected(&mut self, span: Span, stop: usize, text: &str, what: &str, form: &str) {
        let stop = stop + text[stop..].len() - text[stop..].trim_start().len();
        let rest = &text[stop..];
        let start = span.start + stop as u32;
        if rest.is_empty() && self.if_call(text, span) {
            return;
        }
        if rest.is_empty() {
            let end = Span { start: span.start, ..span }.after();
            let (message, help) = too_early(text, what, form);
            self.report(Diagnostic::error(codes::UNEXPECTED, end, message).help(help));
            return;
        }
        if self.unit_apart(start, rest) || self.foreign_form(start) {
            return;
        }
        let found = shown(rest);
        let at = Span { start, end: start + found.len() as u32, ..span };
        let message = if Grammar::parse(Rule::reserved, &found).is_ok_and(|p| p.as_str() == found) {
            format!("`{found}` is a word of the language and cannot stand here in this `{what}`")
        } else {
            format!("`{found}` is unexpected in this `{what}`")
        };
        self.report(Diagnostic::error(codes::UNEXPECTED, at, message).help(form));
    }

    /// `30 s` where `30s` was meant.
    pub(super) fn unit_apart(&mut self, at: u32, text: &str) -> bool {
        let unit = first_word(text);
        let before = self.text.get(..at as usize).unwrap_or("");
        let trimmed = before.trim_end_matches(' ');
        let apart = trimmed.len() < before.len() && trimmed.ends_with(|c: char| c.is_ascii_digit());
        if !apart || !literal::is_unit(unit) {
            return false;
        }
        let gap = Span { file: self.file, start: trimmed.len() as u32, end: at };
        let at = Span { start: at, end: at + unit.len() as u32, ..gap };
        self.report(
            Diagnostic::error(codes::UNKNOWN_UNIT, at, "a unit follows its number without a blank")
                .fix(gap, ""),
        );
        true
    }

    /// Whether the last finding is another one of syntax in the same line: what comes behind it was
    /// read in pieces.
    fn in_broken_line(&self, span: Span, message: &str) -> bool {
        self.diagnostics.last().is_some_and(|last| {
            let start = last.span().map_or(u32::MAX, |at| at.start);
            let between = self.text.get(start as usize..span.start as usize);
            last.code == codes::UNEXPECTED
                && last.message != message
                && between.is_some_and(|text| !text.contains('\n'))
        })
    }

    /// Whether the scanner has already said what is wrong with a piece.
    pub(super) fn silent(&self, span: Span) -> bool {
        if self.full() {
            return true;
        }
        self.diagnostics[..self.scanned]
            .iter()
            // Comments are words of their own; what stands beside them can be read.
            .filter(|earlier| earlier.code != codes::HASH_COMMENT)
            .any(|earlier| earlier.labels.iter().any(|label| label.span.overlaps(span)))
    }
}

/// What to say of a construct that ends too early.
fn too_early(text: &str, what: &str, form: &str) -> (String, String) {
    if what == "route" && text["route".len()..].trim_start().starts_with('{') {
        return ("a `route` goes by a value, and none is given".to_owned(), ROUTE.to_owned());
    }
    let last = text.lines().last().unwrap_or(text);
    if what == "emit" && !text.contains("into") {
        let rest = text["emit".len()..].trim();
        let help = if first_word(rest) == rest && !rest.is_empty() {
            format!(
                "write `emit into {rest}`, or with a record `emit Type {{ field: value }} into {rest}`"
            )
        } else {
            form.to_owned()
        };
        return ("this `emit` does not say into which sink".to_owned(), help);
    }
    if last.contains("if ") && last.contains(" then ") && !last.contains(" else") {
        let help = "every record gets a value: `if condition then a else b`; `b` may be `null`";
        return ("this `if` has no `else`".to_owned(), help.to_owned());
    }
    (format!("this `{what}` ends too early"), form.to_owned())
}

/// What to do about a route that has conditions for values.
pub(super) const ROUTE: &str = "write `route .kind { when a => { ... } else => { ... } }`; of conditions make a value first: \
     `stage kind = if .n > 1 then \"many\" else \"few\"`, then `route kind { when \"many\" => { ... } \
     else => { ... } }`";

/// Constructs whose name stands right behind their word.
const NAMED: &[&str] = &[
    "param",
    "type",
    "enum",
    "endpoint",
    "source",
    "sink",
    "index",
    "prompt",
    "fn",
    "flow",
    "stage",
    "carry",
    "flat_map",
    "experiment",
];

/// A word that cannot be a name, if it is one.
pub(super) fn reserved_word(word: &str) -> Option<&str> {
    Grammar::parse(Rule::reserved, word).is_ok_and(|it| it.as_str() == word).then_some(word)
}

pub(super) fn taken(word: &str) -> String {
    format!("`{word}` is a word of the language and cannot be a name")
}

pub(super) fn another(word: &str) -> String {
    format!("choose another, such as `{word}_`; only fields may be called so, as in `.{word}`")
}

/// How far a piece can be read by `rule`, and `None` when it can be read.
pub(super) fn stop_position(rule: Rule, text: &str) -> Option<usize> {
    pest::set_error_detail(true);
    let result = Grammar::parse(rule, text);
    pest::set_error_detail(false);
    let error = result.err()?;
    let located = match error.location {
        pest::error::InputLocation::Pos(at) | pest::error::InputLocation::Span((at, _)) => at,
    };
    let detailed = error.parse_attempts().map_or(0, |attempts| attempts.max_position);
    let stop = detailed.max(located).min(text.len());
    let stop = (0..=stop).rev().find(|at| text.is_char_boundary(*at))?;
    // `order` is no `or` with something behind it.
    let letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    let word = text[..stop].len() - text[..stop].trim_end_matches(letter).len();
    let begins = text[stop..].starts_with(letter)
        && !text[..stop - word].ends_with(|c: char| c.is_ascii_digit());
    Some(if begins { stop - word } else { stop })
}

pub(super) fn first_word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

/// The first word or sign of a text, for a message.
pub(super) fn shown(text: &str) -> String {
    let word = first_word(text);
    if !word.is_empty() {
        return word.chars().take(32).collect();
    }
    text.chars().next().map(String::from).unwrap_or_default()
}

/// The name that `text` declares when it starts with one of `words`.
pub(super) fn declared_name(text: &str, words: &[&str]) -> Option<String> {
    let word = first_word(text);
    if !words.contains(&word) {
        return None;
    }
    let name = first_word(text[word.len()..].trim_start());
    (!name.is_empty()).then(|| name.to_owned())
}

/// Names declared in text that the scanner had to blank.
pub(super) fn poison_blanked(original: &str, clean: &str, tree: &mut ast::File) {
    for (before, after) in original.lines().zip(clean.lines()) {
        if after.trim().is_empty() {
            tree.poisoned.extend(declared_name(before, ITEM_WORDS));
        }
    }
}
