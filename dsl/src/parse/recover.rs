//! Words for pieces that the grammar could not read.
//!
//! A piece is first held against a table of known mistakes. What is left is reported where reading
//! stopped, together with the form the construct should have.

use pest::Parser;
use pest::iterators::Pair;

use super::{Grammar, Reader, Rule};
use crate::ast;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::literal;
use crate::scan::{ITEM_WORDS, starts_item};
use crate::span::Span;
use crate::suggest;

/// Construct, its rule, and how it is written.
const FORMS: &[(&str, Rule, &str)] = &[
    ("sage", Rule::edition, "the edition line is `sage 1`"),
    ("import", Rule::import, "an import is `import \"file.sage\"`"),
    ("param", Rule::param, "a param is `param name: type = default`"),
    ("type", Rule::type_def, "a type is `type Name { field: type }`"),
    ("enum", Rule::enum_def, "an enum is `enum Name { one, two }`"),
    ("endpoint", Rule::endpoint, "an endpoint is `endpoint name { url: \"...\", model: \"...\" }`"),
    ("source", Rule::source, "a source is `source name: Type from csv(\"file.csv\")`"),
    ("sink", Rule::sink, "a sink is `sink name: Type to jsonl(\"file.jsonl\")`"),
    (
        "index",
        Rule::index,
        "an index is `index name: Type from jsonl(\"file.jsonl\") { embed: .text }`",
    ),
    (
        "prompt",
        Rule::prompt,
        "a prompt is `prompt name(a: string) -> string \"\"\"text with {{ a }}\"\"\"`",
    ),
    ("fn", Rule::fn_def, "a function is `fn name(a: type) -> type = expression`"),
    ("flow", Rule::flow, "a flow is `flow name { from source ... emit into sink }`"),
    ("schedule", Rule::schedule, "a schedule is `schedule { policy: fifo, slots: 8 }`"),
    ("slo", Rule::slo, "objectives are `slo { p99(latency) < 10s }`"),
    (
        "measure",
        Rule::measure,
        "a measurement is `measure to csv(\"file.csv\") every 1s { latency }`",
    ),
    ("test", Rule::test, "a test is `test \"what holds\" { given ... expect ... }`"),
    ("experiment", Rule::experiment, "an experiment is `experiment name { jobs: [...] }`"),
    ("jobs", Rule::jobs, "jobs are `jobs: [flow, name = flow { tasks: 100 }]`"),
    (
        "sweep",
        Rule::sweep,
        "a sweep is `sweep nodes in [1, 4, 16]` or `sweep load in [low { tasks: 100, nodes: 2 }, ...]`",
    ),
    ("claim", Rule::claim, "a claim is `claim \"in words\" { balance[fifo] < balance[priority] }`"),
    ("quick", Rule::quick, "a quick run is `quick { tasks: 40, repeat: 1 }`"),
    ("from", Rule::from_step, "write `from source`"),
    ("stage", Rule::stage, "a stage is `stage name = call(...) on endpoint { option: value }`"),
    ("where", Rule::filter, "a filter is `where condition`"),
    ("emit", Rule::emit, "an emit is `emit Type { field: value } into sink if condition`"),
    ("route", Rule::route, "a route is `route value { when a => { ... } else => { ... } }`"),
    ("when", Rule::arm, "an arm is `when constant => { ... }`, the last may be `else => { ... }`"),
    ("else", Rule::arm, "the last arm of a route may be `else => { ... }`"),
    ("loop", Rule::repeat, "a loop is `loop up to 3 until condition { ... }`"),
    ("carry", Rule::carry, "write `carry name: type = value`"),
    ("group", Rule::group, "a group is `group by key, name: key { name: aggregate }`"),
    (
        "dedup",
        Rule::dedup,
        "write `dedup by .text`; of several records with one key the first is kept",
    ),
    ("flat_map", Rule::flat_map, "write `flat_map name = list`"),
    (
        "join",
        Rule::join,
        "write `join source on .key == source.field`, or `join left source on ...`",
    ),
    (
        "given",
        Rule::given,
        "write `given Type { field: value }`, a list of them, or `given 10 of source`",
    ),
    ("mock", Rule::mock, "write `mock stage = value`"),
    ("fault", Rule::fault, "write `fault endpoint { status_429: 30% }`"),
    ("expect", Rule::expect, "write `expect condition`"),
];

/// What a flow is made of.
pub(super) const STEPS: &str = "steps are `from`, `where`, `stage`, `route`, `loop`, `carry`, `group`, `dedup`, `flat_map`, `join` and `emit`";

const STEP_WORDS: &[&str] = &[
    "from", "stage", "where", "emit", "route", "loop", "carry", "group", "dedup", "flat_map",
    "join",
];

impl Reader<'_> {
    pub(super) fn bad_item(&mut self, pair: &Pair<'_, Rule>, poisoned: &mut Vec<String>) {
        poisoned.extend(declared_name(pair.as_str(), ITEM_WORDS));
        let span = self.trimmed(pair);
        let text = pair.as_str().trim_end();
        if text.is_empty() || self.silent(self.span(pair)) {
            return;
        }
        let word = first_word(text);
        let at = Span { end: span.start + word.len().max(1) as u32, ..span };
        if STEP_WORDS.contains(&word) {
            let message = format!("`{word}` is a step of a flow");
            self.report(Diagnostic::error(codes::MISPLACED, at, message).help(format!(
                "move it into a `flow name {{ ... }}`, or close the braces before it: {}",
                form(word)
            )));
            return;
        }
        let told = self.known(word, at) || self.foreign_form(span.start);
        if told || ITEM_WORDS.contains(&word) && self.stopped(word, text, span) {
            return;
        }
        let first: String = shown(text);
        let help = suggest::did_you_mean(word, ITEM_WORDS.iter().copied()).unwrap_or_else(|| {
            format!("declarations start with {}", suggest::list(ITEM_WORDS[1..13].iter().copied()))
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
        if self.known(word, at) {
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
        if !word.is_empty() && rest.starts_with('=') && !rest.starts_with("==") {
            self.report(
                Diagnostic::error(codes::UNEXPECTED, at, "a value gets its name by `stage`")
                    .help(format!("write `stage {word} = ...`"))
                    .fix(Span { end: span.start, ..span }, "stage "),
            );
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

    pub(super) fn bad_arm(&mut self, pair: &Pair<'_, Rule>) {
        let span = self.trimmed(pair);
        let text = pair.as_str().trim_end();
        if text.is_empty() || self.silent(self.span(pair)) {
            return;
        }
        let word = first_word(text);
        if matches!(word, "when" | "else") && self.stopped(word, text, span) {
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
        if self.unit_apart(span.start, text) {
            return;
        }
        let word = first_word(text);
        // Where one ended too early, the next begins in the middle.
        let middle = self.diagnostics.last().and_then(Diagnostic::span).is_some_and(Span::is_empty);
        if (word.is_empty() || middle) && self.in_broken_line(span, "") {
            return;
        }
        let at = Span { end: span.start + word.len().max(1) as u32, ..span };
        let rest = text[word.len()..].trim_start();
        let diagnostic = if word.is_empty() && text.starts_with('"') && text.contains("\":") {
            Diagnostic::error(codes::UNEXPECTED, at, "names of entries stand without quotes")
                .help(form)
        } else if !word.is_empty() && matches!(rest, "" | ":" | "=") {
            Diagnostic::error(codes::UNEXPECTED, at, format!("`{word}` has no value")).help(form)
        } else if !word.is_empty() && !rest.starts_with([':', '=', '.', '(', '-']) {
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

    /// Reports where reading a construct stopped.
    pub(super) fn stopped(&mut self, word: &str, text: &str, span: Span) -> bool {
        let Some((_, rule, form)) = FORMS.iter().find(|(name, ..)| *name == word) else {
            return false;
        };
        let Some(stop) = stop_position(*rule, text) else { return false };
        self.unexpected(span, stop, text, word, form);
        true
    }

    fn unexpected(&mut self, span: Span, stop: usize, text: &str, what: &str, form: &str) {
        let stop = stop + text[stop..].len() - text[stop..].trim_start().len();
        let rest = &text[stop..];
        let start = span.start + stop as u32;
        if rest.is_empty() {
            let end = Span { start: span.start, ..span }.after();
            self.report(
                Diagnostic::error(codes::UNEXPECTED, end, format!("this `{what}` ends too early"))
                    .help(form),
            );
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
    fn unit_apart(&mut self, at: u32, text: &str) -> bool {
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
        self.diagnostics[..self.scanned]
            .iter()
            .any(|earlier| earlier.labels.iter().any(|label| label.span.overlaps(span)))
    }
}

/// How far a piece can be read by `rule`, and `None` when it can be read.
fn stop_position(rule: Rule, text: &str) -> Option<usize> {
    pest::set_error_detail(true);
    let result = Grammar::parse(rule, text);
    pest::set_error_detail(false);
    let error = result.err()?;
    let located = match error.location {
        pest::error::InputLocation::Pos(at) | pest::error::InputLocation::Span((at, _)) => at,
    };
    let detailed = error.parse_attempts().map_or(0, |attempts| attempts.max_position);
    let stop = detailed.max(located).min(text.len());
    (0..=stop).rev().find(|at| text.is_char_boundary(*at))
}

fn form(word: &str) -> &'static str {
    FORMS.iter().find(|(name, ..)| *name == word).map_or("", |(_, _, form)| form)
}

pub(super) fn first_word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

/// The first word or sign of a text, for a message.
fn shown(text: &str) -> String {
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
