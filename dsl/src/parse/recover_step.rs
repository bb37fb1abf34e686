//! Words for steps that the grammar could not read.

use pest::Parser;
use pest::iterators::Pair;

use super::forms::form;
use super::recover::{STEP_WORDS, STEPS, first_word, shown, stop_position};
use super::{Grammar, Reader, Rule, foreign_words};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::scan::{ITEM_WORDS, starts_item};
use crate::span::Span;
use crate::suggest;

impl Reader<'_> {
    pub(super) fn bad_step(&mut self, pair: &Pair<'_, Rule>) {
        let span = self.trimmed(pair);
        let text = pair.as_str().trim_end();
        if text.is_empty() || self.silent(self.span(pair)) {
            return;
        }
        let word = first_word(text);
        let at = Span { end: span.start + word.len().max(1) as u32, ..span };
        let is_step =
            STEP_WORDS.contains(&word) || matches!(word, "given" | "mock" | "fault" | "expect");
        if self.foreign_form(span.start)
            || word == "join" && self.bad_join(text, span)
            || word == "group" && self.bad_group(text, span)
            || is_step && self.stopped(word, text, span)
            || self.unit_apart(span.start, text)
        {
            return;
        }
        if self.within_line(span.start) {
            return self.rest_of_line(text, span);
        }
        if self.known_step(word, at, text) {
            return;
        }
        if ITEM_WORDS.contains(&word) && starts_item(text.as_bytes()) {
            let message = format!("`{word}` is a declaration and stands outside of the flow");
            self.report(
                Diagnostic::error(codes::MISPLACED, at, message)
                    .help(format!("move it out, or close the flow by `}}` before: {}", form(word))),
            );
            return;
        }
        let rest = text[word.len()..].trim_start();
        let named = rest.starts_with('=') && !rest.starts_with("==")
            || rest.starts_with(':') && foreign_words::reads(&format!("stage {text}"));
        if !word.is_empty() && named && self.carries(word, span.start) {
            self.report(
                Diagnostic::error(codes::UNEXPECTED, at, "a carried value is set by `carry`")
                    .help(format!("write `carry {word} = ...`"))
                    .fix(Span { end: span.start, ..span }, "carry "),
            );
            return;
        }
        if !word.is_empty() && rest.starts_with('.') && rest.contains('(') {
            let message = format!("`{word}` has no methods");
            let help =
                format!("results leave a flow by `emit Type {{ ... }} into {word}`; {STEPS}");
            self.report(Diagnostic::error(codes::UNEXPECTED, at, message).help(help));
            return;
        }
        if !word.is_empty() && named {
            self.report(
                Diagnostic::error(codes::UNEXPECTED, at, "a value gets its name by `stage`")
                    .help(format!("write `stage {word} = ...`"))
                    .fix(Span { end: span.start, ..span }, "stage "),
            );
            return;
        }
        if !word.is_empty() && rest.starts_with('(') {
            let message = format!("what `{word}` gives has no name");
            let help = format!(
                "write `stage name = {word}(...)`; what a flow does is add values to records"
            );
            self.report(Diagnostic::error(codes::UNEXPECTED, at, message).help(help));
            return;
        }
        let first = shown(text);
        let at = Span { end: span.start + first.len() as u32, ..span };
        let help = suggest::did_you_mean(word, STEP_WORDS.iter().copied())
            .unwrap_or_else(|| STEPS.to_owned());
        self.report(
            Diagnostic::error(codes::UNEXPECTED, at, format!("`{first}` is unexpected here"))
                .help(help),
        );
    }

    /// Whether a loop that is open at `start` carries `name`.
    fn carries(&self, name: &str, start: u32) -> bool {
        let before = self.text.get(..start as usize).unwrap_or("");
        let Some((_, body)) = before.rsplit_once("loop ") else { return false };
        let open = body.matches('{').count() > body.matches('}').count();
        let declared = |(at, _): (usize, &str)| {
            let rest = body[at + "carry".len()..].trim_start();
            first_word(rest) == name
        };
        open && body.match_indices("carry ").any(declared)
    }

    /// Whether something stands in front of `start` in its line.
    pub(super) fn within_line(&self, start: u32) -> bool {
        let before = self.text.get(..start as usize).unwrap_or("");
        !before.rsplit('\n').next().unwrap_or("").trim().is_empty()
    }

    /// Whether the rest of a line is a known form of another language, at its start or at its second
    /// word; then it has been reported.
    pub(super) fn rest_is_foreign(&mut self, text: &str, span: Span) -> bool {
        let second = first_word(text).len();
        let blanks = text[second..].len() - text[second..].trim_start().len();
        self.foreign_form(span.start) || self.foreign_form(span.start + (second + blanks) as u32)
    }

    /// What stands behind a step in its line and does not belong to it.
    fn rest_of_line(&mut self, text: &str, span: Span) {
        let before = self.text.get(..span.start as usize).unwrap_or("");
        let line = before.rsplit('\n').next().unwrap_or("").trim_start();
        let piece = text.lines().next().unwrap_or(text);
        // Where the two together stop is where the trouble is.
        let whole = format!("{line}{piece}");
        let stop = stop_position(Rule::only_step, &whole).unwrap_or(0).saturating_sub(line.len());
        let stop = stop.min(piece.len());
        let blanks = piece[stop..].len() - piece[stop..].trim_start().len();
        let start = if piece[stop..].trim().is_empty() { 0 } else { stop + blanks };
        // A word of the language behind an operator is what cannot be read.
        let signs = |c: char| "<>=!+-*/% ".contains(c);
        let operand = piece[start..].len() - piece[start..].trim_start_matches(signs).len();
        let start = start
            + super::recover::reserved_word(first_word(&piece[start + operand..]))
                .map_or(0, |_| operand);
        let first = shown(&piece[start..]);
        let from = span.start + start as u32;
        if start > 0 && self.foreign_form(from) {
            return;
        }
        let at = Span { start: from, end: from + first.len() as u32, ..span };
        let word = first_word(line);
        let help = match form(word) {
            "" => STEPS,
            form => form,
        };
        let is_word = Grammar::parse(Rule::reserved, &first).is_ok_and(|it| it.as_str() == first);
        let message = if is_word {
            format!("`{first}` is a word of the language and cannot be a name")
        } else {
            format!("`{first}` is unexpected in this `{word}`")
        };
        self.report(Diagnostic::error(codes::UNEXPECTED, at, message).help(help));
    }
}
