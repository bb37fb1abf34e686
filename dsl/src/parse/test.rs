//! Reader of `test`.

use pest::iterators::Pair;

use super::recover::first_word;
use super::{Reader, Rule, children};
use crate::ast::{self, Given, TestPart};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::span::Span;
use crate::suggest::did_you_mean;

/// Parts of a test; the checks on them compare each with each.
const MAX_PARTS: usize = 200;

/// What a test is made of.
const PARTS: &[&str] = &["given", "mock", "fault", "expect"];

impl Reader<'_> {
    pub(super) fn test(&mut self, pair: Pair<'_, Rule>) -> Option<ast::Test> {
        let mut pairs = children(pair);
        let name = pairs.next()?;
        let name = ast::Name { text: self.string(&name), span: self.span(&name) };
        let mut test = ast::Test { name, parts: Vec::new(), broken: false };
        for part in pairs {
            if test.parts.len() >= MAX_PARTS {
                let message = format!("a test may have {MAX_PARTS} parts");
                self.report(Diagnostic::error(codes::TOO_LARGE, test.name.span, message));
                test.broken = true;
                break;
            }
            if part.as_rule() == Rule::bad_step {
                test.broken = true;
                self.bad_test_part(&part);
            } else {
                test.parts.extend(self.test_part(part));
            }
        }
        Some(test)
    }

    fn bad_test_part(&mut self, pair: &Pair<'_, Rule>) {
        let text = pair.as_str().trim_end();
        let word = first_word(text);
        if word.is_empty() || PARTS.contains(&word) || self.silent(self.span(pair)) {
            self.bad_step(pair);
            return;
        }
        let span = self.trimmed(pair);
        let at = Span { end: span.start + word.len() as u32, ..span };
        let within = self.within_line(span.start);
        let signed = matches!(word, "is" | "not" | "as" | "if" | "on");
        if within && signed && self.rest_is_foreign(text, span) {
            return;
        }
        let expects =
            ["assert", "check", "should", "verify", "ensure", "then", "expects", "require"];
        let gives = ["input", "inputs", "when", "with", "records", "data"];
        if let Some(meant) = (expects.contains(&word).then_some("expect"))
            .or_else(|| gives.contains(&word).then_some("given"))
        {
            let message = format!("`{word}` is written `{meant}`");
            let diagnostic = Diagnostic::error(codes::FOREIGN_WORD, at, message)
                .help("a test is made of `given`, `mock`, `fault` and `expect`");
            self.report(diagnostic.fix(at, meant));
            return;
        }
        let message = format!("`{word}` does not start a part of a test");
        let help = did_you_mean(word, PARTS.iter().copied()).unwrap_or_else(|| {
            "a test is made of `given`, `mock`, `fault` and `expect`".to_owned()
        });
        self.report(Diagnostic::error(codes::UNEXPECTED, at, message).help(help));
    }

    fn test_part(&mut self, pair: Pair<'_, Rule>) -> Option<TestPart> {
        let (rule, span) = (pair.as_rule(), self.trimmed(&pair));
        let mut parts = children(pair);
        let mut first = parts.next()?;
        if first.as_rule() == Rule::odd_given {
            let at = self.trimmed(&first);
            let end = self.blanks_behind(at.end);
            self.report(
                Diagnostic::error(codes::UNEXPECTED, at, "records are given by their type alone")
                    .help("write `given [Type { field: value }]`; it is the source of the flow that gives them")
                    .fix(Span { end, ..at }, ""),
            );
            first = parts.next()?;
        }
        Some(match rule {
            Rule::given => TestPart::Given(match (first.as_rule(), parts.next()) {
                (Rule::number, Some(source)) => Given::Of(self.word(&first), self.word(&source)),
                (_, source) => {
                    let of = source.map(|source| self.word(&source));
                    Given::Records { records: self.value(first), of, span }
                }
            }),
            Rule::mock => {
                let target = self.word(&first);
                let mut value = parts.next()?;
                if value.as_rule() == Rule::odd_eq {
                    let at = self.trimmed(&value);
                    self.odd_word(at, "=", "a mock is `mock stage = value`");
                    value = parts.next()?;
                }
                TestPart::Mock(ast::Mock { target, value: self.expression(value) })
            }
            Rule::fault => {
                let endpoint = self.word(&first);
                TestPart::Fault(ast::Fault { endpoint, block: self.block(parts.next()?) })
            }
            _ => TestPart::Expect(self.expression(first)),
        })
    }
}
