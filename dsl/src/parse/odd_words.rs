//! Words and signs in the place of those of the language: said so, mended by a fix, and read on.

use pest::iterators::Pair;

use super::{Reader, Rule, children};
use crate::ast::{self, Arg, Expr, ExprKind, Pattern};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::literal;
use crate::span::Span;
use crate::types::Value;

/// What reads a file, by its ending.
const READERS: [(&str, &str); 8] = [
    ("csv", "csv"),
    ("tsv", "csv"),
    ("jsonl", "jsonl"),
    ("ndjson", "jsonl"),
    ("json", "jsonl"),
    ("parquet", "parquet"),
    ("md", "markdown"),
    ("txt", "text"),
];

impl Reader<'_> {
    /// Says that `meant` is written in the place of the word or sign at `at`.
    pub(super) fn odd_word(&mut self, at: Span, meant: &str, what: &str) {
        let text = |from: u32, to: u32| self.text.get(from as usize..to as usize).unwrap_or("");
        let given = text(at.start, at.end).to_owned();
        let apart = |it: &str| it.is_empty() || it.starts_with(char::is_whitespace);
        let before = text(0, at.start).chars().next_back();
        let left = if before.is_none_or(char::is_whitespace) { "" } else { " " };
        let right = if apart(text(at.end, self.text.len() as u32)) { "" } else { " " };
        let message = if given.is_empty() {
            format!("`{meant}` is missing here")
        } else {
            format!("`{given}` stands where `{meant}` belongs")
        };
        let diagnostic = Diagnostic::error(codes::UNEXPECTED, at, message).help(what);
        self.report(diagnostic.fix(at, format!("{left}{meant}{right}")));
    }

    /// `source s: T = csv("f")`, `sink s: T from csv("f")`.
    pub(super) fn odd_link(&mut self, pair: &Pair<'_, Rule>, what: &str) {
        let at = self.trimmed(pair);
        if what == "a sink" {
            self.odd_word(at, "to", "a sink is `sink name: Type to jsonl(\"file.jsonl\")`");
        } else if what == "an index" {
            self.odd_word(at, "from", "an index is `index name: Type from jsonl(\"file.jsonl\")`");
        } else {
            self.odd_word(at, "from", "a source is `source name: Type from csv(\"file.csv\")`");
        }
    }

    /// The type of the records of a source, also where it is written as a list of them.
    pub(super) fn of_record(&mut self, pair: Pair<'_, Rule>, what: &str) -> Option<ast::Name> {
        if pair.as_rule() != Rule::listed_name {
            return Some(self.word(&pair));
        }
        let span = self.trimmed(&pair);
        let name = self.word(&children(pair).next()?);
        self.report(
            Diagnostic::error(
                codes::UNEXPECTED,
                span,
                format!("{what} has the type of one record"),
            )
            .help(format!("write `{}`", name.text))
            .fix(span, name.text.clone()),
        );
        Some(name)
    }

    /// `from "in.csv"`, read as what the ending says.
    pub(super) fn bare_file(&mut self, pair: &Pair<'_, Rule>) -> ast::Call {
        let span = self.trimmed(pair);
        let text = self.string(pair);
        let end = text.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
        let known = READERS.iter().find(|(ending, _)| *ending == end).map(|(_, reader)| *reader);
        let reader = known.unwrap_or("csv");
        let meant = format!("{reader}({})", pair.as_str().trim());
        let message = "a file stands in brackets behind its format";
        let diagnostic = Diagnostic::error(codes::UNEXPECTED, span, message);
        self.report(match known {
            Some(_) => diagnostic.help(format!("write `{meant}`")).fix(span, meant),
            None => diagnostic
                .help(format!("as in `{meant}`; `sage-flow list sources` has the formats")),
        });
        let value = Expr { kind: ExprKind::Literal(Value::String(text)), span };
        ast::Call {
            name: ast::Name { text: reader.to_owned(), span },
            args: vec![Arg { name: None, value }],
            span,
        }
    }

    /// `using llm`, `@ llm`.
    pub(super) fn endpoint_of(&mut self, pair: Pair<'_, Rule>) -> Option<ast::Name> {
        let mut name = None;
        for part in children(pair) {
            if part.as_rule() == Rule::odd_on {
                self.odd_word(self.trimmed(&part), "on", "a stage names its endpoint by `on`");
            } else {
                name = Some(self.word(&part));
            }
        }
        name
    }

    /// `with { ... }`.
    pub(super) fn odd_with(&mut self, pair: &Pair<'_, Rule>) {
        let at = self.trimmed(pair);
        let end = self.blanks_behind(at.end);
        self.report(
            Diagnostic::error(
                codes::UNEXPECTED,
                at,
                "options of a stage stand in braces, without a word",
            )
            .help("as in `on llm { timeout: 30s }`")
            .fix(Span { end, ..at }, ""),
        );
    }

    /// `emit ... to sink`.
    pub(super) fn odd_into(&mut self, pair: &Pair<'_, Rule>) {
        let form = "an emit is `emit Type { field: value } into sink if condition`";
        self.odd_word(self.trimmed(pair), "into", form);
    }

    /// The value of an arm, `None` for all others.
    pub(super) fn arm_head(&mut self, pair: Pair<'_, Rule>) -> Option<Pattern> {
        let mut pattern = None;
        for part in children(pair) {
            let at = self.trimmed(&part);
            match part.as_rule() {
                Rule::odd_when => self.odd_word(at, "when", "an arm is `when constant => { ... }`"),
                Rule::odd_else => {
                    self.odd_word(at, "else", "the last arm of a route may be `else => { ... }`");
                }
                _ => pattern = Some(self.pattern(part)),
            }
        }
        pattern
    }

    /// An arm whose value is none; whether it has been reported.
    pub(super) fn odd_arm(&mut self, word: &str, text: &str, span: Span) -> bool {
        let head = text.split(['{', '\n']).next().unwrap_or(text);
        let value = head[word.len()..].split("=>").next().unwrap_or_default().trim();
        let start = text.len() - text[word.len()..].trim_start().len();
        let at = Span { start: span.start + start as u32, ..span };
        let at = Span { end: at.start + value.len().max(1) as u32, ..at };
        let steps = head.split_once("=>").map(|(_, steps)| steps).unwrap_or_default();
        if word == "when" && steps.trim().is_empty() && value.contains(['<', '>', '.', '(']) {
            let help = format!(
                "make a value first, and go by that: `stage kind = if {} then \"a\" else \"b\"`, then \
                 `route kind {{ when \"a\" => {{ ... }} else => {{ ... }} }}`",
                if value.starts_with(['<', '>']) {
                    format!(".n {value}")
                } else {
                    value.to_owned()
                }
            );
            let message = "an arm of a route is of a constant, not of a condition";
            self.report(Diagnostic::error(codes::UNEXPECTED, at, message).help(help));
            return true;
        }
        if steps.trim().is_empty() {
            return false;
        }
        let start = span.start + (head.len() - steps.trim_start().len()) as u32;
        let at = Span { start, end: start + steps.trim().len() as u32, ..span };
        let help = format!(
            "write `{}=> {{ {} ... }}`",
            &head[..head.len() - steps.len() - 2],
            steps.trim()
        );
        self.report(
            Diagnostic::error(codes::UNEXPECTED, at, "the steps of an arm stand in braces")
                .help(help),
        );
        true
    }

    pub(super) fn odd_arrow(&mut self, pair: &Pair<'_, Rule>) {
        let at = self.trimmed(pair);
        self.odd_word(at, "=>", "an arm is `when constant => { ... }`");
    }

    /// A case of a `match`; one of several values makes several.
    pub(super) fn cases(&mut self, pair: Pair<'_, Rule>, cases: &mut Vec<(Pattern, Expr)>) {
        const FORM: &str = "a case is `value => result`, the last may be `_ => result`";
        let (mut patterns, mut result, mut wanted) = (Vec::new(), None, Vec::new());
        let whole = self.trimmed(&pair);
        for part in children(pair) {
            let at = self.trimmed(&part);
            match part.as_rule() {
                Rule::odd_case => {
                    let end = self.blanks_behind(at.end);
                    self.report(
                        Diagnostic::error(codes::FOREIGN_WORD, at, "a case begins with its value")
                            .help(FORM)
                            .fix(Span { end, ..at }, ""),
                    );
                }
                Rule::odd_any => {
                    self.odd_word(at, "_", FORM);
                    patterns.push(Pattern::Any);
                }
                Rule::also => {
                    if let Some(pattern) = children(part).next() {
                        wanted.push(pattern.as_str().trim().to_owned());
                        patterns.push(self.pattern(pattern));
                    }
                }
                Rule::case_arrow => self.odd_word(at, "=>", FORM),
                Rule::pattern => {
                    wanted.push(part.as_str().trim().to_owned());
                    patterns.push(self.pattern(part));
                }
                _ => {
                    let text = part.as_str().trim().to_owned();
                    result = Some((self.expression(part), text));
                }
            }
        }
        let Some((result, text)) = result else { return };
        if patterns.len() > 1 {
            let each: Vec<String> = wanted.iter().map(|it| format!("{it} => {text}")).collect();
            let meant = each.join(", ");
            let end = result.span.end;
            let diagnostic =
                Diagnostic::error(codes::UNEXPECTED, whole, "a case of a `match` is of one value")
                    .help(format!("write `{meant}`"));
            let at = Span { end, ..whole };
            self.report(if wanted.len() == patterns.len() {
                diagnostic.fix(at, meant)
            } else {
                diagnostic
            });
        }
        cases.extend(patterns.into_iter().map(|pattern| (pattern, result.clone())));
    }

    /// `"name": value`.
    pub(super) fn entry_key(&mut self, pair: &Pair<'_, Rule>) -> ast::Name {
        let name = self.word(pair);
        if pair.as_rule() != Rule::quoted_key {
            return name;
        }
        let text = name.text.trim_matches('"').to_owned();
        self.report(
            Diagnostic::error(
                codes::UNEXPECTED,
                name.span,
                "names of entries stand without quotes",
            )
            .help(format!("write `{text}: ...`"))
            .fix(name.span, text.clone()),
        );
        ast::Name { text, span: name.span }
    }

    /// `(a, b)`, a list in round brackets.
    pub(super) fn tuple(&mut self, first: Expr, rest: Pair<'_, Rule>, span: Span) -> Expr {
        let mut items = vec![first];
        items.extend(children(rest).map(|item| self.expression(item)));
        let text = self.text.get(span.start as usize + 1..span.end as usize - 1).unwrap_or("");
        let meant = format!("[{}]", text.trim().trim_end_matches(','));
        self.report(
            Diagnostic::error(codes::UNEXPECTED, span, "a list stands in square brackets")
                .help(format!("write `{meant}`"))
                .fix(span, meant),
        );
        Expr { kind: ExprKind::List(items), span }
    }

    /// `2026-11-01`, a time without its call.
    pub(super) fn date(&mut self, pair: &Pair<'_, Rule>) -> ExprKind {
        let span = self.trimmed(pair);
        let text = pair.as_str().to_owned();
        let meant = format!("time(\"{text}\")");
        self.report(
            Diagnostic::error(codes::BAD_TIME, span, "a time is a text within `time(...)`")
                .help(format!("write `{meant}`"))
                .fix(span, meant),
        );
        let value = Expr { kind: ExprKind::Literal(Value::String(text)), span };
        let name = ast::Name { text: "time".to_owned(), span };
        ExprKind::Call(ast::Call { name, args: vec![Arg { name: None, value }], span })
    }
}

/// The text of a string literal, without its quotes, where it has no escapes.
pub(super) fn plain_text(literal: &str) -> Option<String> {
    let quoted = literal.starts_with('"') && literal.len() > 1 && !literal.contains('\\');
    quoted.then(|| literal::unescape(literal).0)
}
