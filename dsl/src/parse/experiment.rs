//! Readers of `experiment` and `slo`.

use pest::iterators::Pair;

use super::recover::first_word;
use super::{Reader, Rule, children};
use crate::ast::{self, Part, Point};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::span::Span;
use crate::suggest::did_you_mean;
use crate::types::Value;

/// Parts of an experiment, jobs, points of a sweep, objectives; the checks on them compare each with
/// each.
const MAX_PARTS: usize = 1_000;

/// Words that start a part which is not `name: value`.
const PART_WORDS: &[&str] = &["sweep", "claim", "quick", "jobs", "together"];

const SETTING_FORM: &str = "a setting is `name: value`, as in `nodes: 4`";

impl Reader<'_> {
    pub(super) fn slo(&mut self, pair: Pair<'_, Rule>) -> ast::Slo {
        let start = self.span(&pair);
        let span = Span { end: start.start + "slo".len() as u32, ..start };
        let mut slo = ast::Slo { objectives: Vec::new(), span };
        let mut split = false;
        for part in children(pair) {
            if part.as_rule() == Rule::objective && self.objective_by(&part, &mut split) {
                slo.objectives.pop();
                continue;
            }
            if std::mem::take(&mut split) {
                continue;
            }
            if part.as_rule() != Rule::objective {
                self.bad_entry(&part, "an objective is a condition, as in `p99(latency) < 10s`");
            } else if slo.objectives.len() < MAX_PARTS {
                slo.objectives.extend(children(part).next().map(|inner| self.expression(inner)));
            } else {
                self.too_many(span, "a block may have");
                break;
            }
        }
        slo
    }

    /// `p95(latency) by .kind < 3s`, which is read in two or three pieces; whether this is the second.
    fn objective_by(&mut self, part: &Pair<'_, Rule>, split: &mut bool) -> bool {
        let text = part.as_str().trim();
        if first_word(text) != "by" {
            return false;
        }
        *split = text == "by";
        let span = self.trimmed(part);
        let at = Span { end: span.start + "by".len() as u32, ..span };
        self.report(
            Diagnostic::error(codes::UNEXPECTED, at, "an objective is of all records together").help(
                "write it without `by`; figures by node or stage are measured by a `measure` block",
            ),
        );
        true
    }

    pub(super) fn experiment(&mut self, pair: Pair<'_, Rule>) -> Option<ast::Experiment> {
        let mut parts = children(pair);
        let name = self.value_name(&parts.next()?, "an experiment");
        let span = name.span;
        let mut experiment = ast::Experiment { name, parts: Vec::new(), broken: false };
        for part in parts {
            if experiment.parts.len() >= MAX_PARTS {
                self.too_many(span, "an experiment may have");
                experiment.broken = true;
                break;
            }
            match part.as_rule() {
                Rule::jobs => experiment.parts.extend(self.jobs(part)),
                Rule::sweep => experiment.parts.extend(self.sweep(part).map(Part::Sweep)),
                Rule::claim => experiment.parts.extend(self.claim(part).map(Part::Claim)),
                Rule::quick => {
                    let mut inner = children(part);
                    let (Some(word), Some(next)) = (inner.next(), inner.next()) else { continue };
                    let word = self.word(&word);
                    let block = if next.as_rule() == Rule::colon {
                        let span = self.span(&next);
                        let message = "`quick` is a block and takes no `:`";
                        self.report(
                            Diagnostic::error(codes::UNEXPECTED, span, message).fix(span, ""),
                        );
                        let Some(block) = inner.next() else { continue };
                        block
                    } else {
                        next
                    };
                    let block = self.block(block);
                    experiment.parts.push(Part::Quick(word, block));
                }
                Rule::entry => experiment.parts.extend(self.entry(part).map(Part::Setting)),
                Rule::flag => experiment.parts.extend(self.flag(part).map(Part::Setting)),
                _ => {
                    experiment.broken = true;
                    self.bad_part(&part);
                }
            }
        }
        Some(experiment)
    }

    fn too_many(&mut self, span: Span, what: &str) {
        let message = format!("{what} {MAX_PARTS} parts");
        self.report(Diagnostic::error(codes::TOO_LARGE, span, message));
    }

    /// `together` alone stands for `together: true`.
    fn flag(&mut self, pair: Pair<'_, Rule>) -> Option<ast::Entry> {
        let key = self.word(&children(pair).next()?);
        let kind = ast::ExprKind::Literal(Value::Bool(true));
        let value = ast::Expr { kind, span: key.span };
        Some(ast::Entry { key, value })
    }

    fn jobs(&mut self, pair: Pair<'_, Rule>) -> Option<Part> {
        let mut parts = children(pair);
        let word = self.word(&parts.next()?);
        let colon = parts.next()?;
        self.equals_for_colon(&colon, word.span);
        let mut jobs = Vec::new();
        for job in children(parts.next()?) {
            if jobs.len() >= MAX_PARTS {
                self.too_many(word.span, "an experiment may have");
                break;
            }
            jobs.extend(self.job(job));
        }
        Some(Part::Jobs(word, jobs))
    }

    fn job(&mut self, pair: Pair<'_, Rule>) -> Option<ast::Job> {
        let mut parts = children(pair);
        let name = self.word(&parts.next()?);
        let mut flow = name.clone();
        let mut block = None;
        for part in parts {
            match part.as_rule() {
                Rule::name => flow = self.word(&part),
                Rule::block => block = Some(part),
                _ if part.as_str() == ":" => {
                    let message = "a job gets a name of its own by `=`";
                    let span = Span { start: name.span.end, ..self.span(&part) };
                    let form = format!("write `{} = flow`", name.text);
                    self.report(
                        Diagnostic::error(codes::UNEXPECTED, self.span(&part), message)
                            .help(form)
                            .fix(span, " ="),
                    );
                }
                _ => {}
            }
        }
        let block = self.block_or_empty(block, flow.span);
        Some(ast::Job { name, flow, block })
    }

    fn sweep(&mut self, pair: Pair<'_, Rule>) -> Option<ast::Sweep> {
        let mut parts = children(pair);
        let key = self.word(&parts.next()?);
        let values = parts.next()?;
        let span = self.trimmed(&values);
        let mut points = Vec::new();
        if values.as_rule() == Rule::expr {
            points.push(Point::Value(self.expression(values)));
            return Some(ast::Sweep { key, points, span });
        }
        for point in children(values) {
            if points.len() >= MAX_PARTS {
                self.too_many(key.span, "a sweep may have");
                break;
            }
            points.extend(self.point(point));
        }
        Some(ast::Sweep { key, points, span })
    }

    fn point(&mut self, pair: Pair<'_, Rule>) -> Option<Point> {
        let mut parts = children(pair);
        let first = parts.next()?;
        let Some(block) = parts.next() else { return Some(Point::Value(self.expression(first))) };
        let label = self.quoted_or_word(&first);
        Some(Point::Group(label, self.block(block)))
    }

    fn claim(&mut self, pair: Pair<'_, Rule>) -> Option<ast::Claim> {
        let mut parts = children(pair);
        let text = self.quoted_or_word(&parts.next()?);
        let condition = self.expression(parts.next()?);
        Some(ast::Claim { text, condition })
    }

    /// `vary p in [1, 2]`, `assert a > b`; whether it has been reported.
    fn foreign_part(&mut self, word: &str, rest: &str, span: Span) -> bool {
        let at = Span { end: span.start + word.len() as u32, ..span };
        let message = format!("`{word}` does not start a part of an experiment");
        let diagnostic = Diagnostic::error(codes::FOREIGN_WORD, at, message);
        let varies = ["vary", "for", "grid", "over", "range", "parameter", "matrix"];
        let claims = ["assert", "expect", "check", "require", "ensure", "hypothesis"];
        if varies.contains(&word) && rest.contains(" in ") {
            self.report(diagnostic.help("a sweep is `sweep nodes in [1, 4, 16]`").fix(at, "sweep"));
            return true;
        }
        if claims.contains(&word) && !rest.starts_with([':', '=']) {
            let shown = rest.lines().next().unwrap_or(rest).trim();
            self.report(diagnostic.help(format!("write `claim \"in words\" {{ {shown} }}`")));
            return true;
        }
        false
    }

    fn quoted_or_word(&mut self, pair: &Pair<'_, Rule>) -> ast::Name {
        if pair.as_rule() == Rule::string {
            return ast::Name { text: self.string(pair), span: self.span(pair) };
        }
        self.word(pair)
    }

    fn bad_part(&mut self, pair: &Pair<'_, Rule>) {
        let span = self.trimmed(pair);
        let text = pair.as_str().trim_end();
        if text.is_empty() || self.silent(self.span(pair)) {
            return;
        }
        let word = first_word(text);
        if PART_WORDS.contains(&word) && self.stopped(word, text, span) {
            return;
        }
        let rest = text[word.len()..].trim_start();
        if self.foreign_part(word, rest, span) {
            return;
        }
        let close = did_you_mean(word, PART_WORDS.iter().copied());
        if let Some(help) = close.filter(|_| !rest.starts_with([':', '='])) {
            let at = Span { end: span.start + word.len() as u32, ..span };
            let message = format!("`{word}` does not start a part of an experiment");
            self.report(Diagnostic::error(codes::UNEXPECTED, at, message).help(help));
            return;
        }
        self.bad_entry(pair, SETTING_FORM);
    }
}
