//! Readers of the steps of a flow.

use pest::iterators::Pair;

use super::{Reader, Rule, children};
use crate::ast::{self, Step};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::span::Span;

/// Steps of a flow; the checks on them compare each with each.
const MAX_STEPS: usize = 1_000;

impl Reader<'_> {
    pub(super) fn flow(&mut self, pair: Pair<'_, Rule>) -> Option<ast::Flow> {
        let mut parts = children(pair);
        let name = self.value_name(&parts.next()?, "a flow");
        let mut flow = ast::Flow { name, steps: Vec::new(), broken: false, poisoned: Vec::new() };
        for part in parts {
            if flow.steps.len() >= MAX_STEPS {
                let message = format!("a flow may have {MAX_STEPS} steps");
                self.report(Diagnostic::error(codes::TOO_LARGE, flow.name.span, message));
                flow.broken = true;
                break;
            }
            self.step(part, &mut flow);
        }
        Some(flow)
    }

    fn step(&mut self, pair: Pair<'_, Rule>, flow: &mut ast::Flow) {
        match pair.as_rule() {
            Rule::from_step => {
                let mut parts = children(pair);
                let Some(name) = parts.next() else { return };
                let name = self.word(&name);
                let block = self.block_or_empty(parts.next(), name.span);
                flow.steps.push(Step::From(name, block));
            }
            Rule::filter => {
                if let Some(condition) = children(pair).next() {
                    flow.steps.push(Step::Where(self.expression(condition)));
                }
            }
            Rule::stage => flow.steps.extend(self.stage(pair).map(Step::Stage)),
            Rule::emit => flow.steps.extend(self.emit(pair).map(Step::Emit)),
            Rule::bad_step => {
                flow.broken = true;
                flow.poisoned.extend(super::recover::declared_name(pair.as_str(), &["stage"]));
                self.bad_step(&pair);
            }
            _ => {
                flow.broken = true;
                // Stages inside of it are columns too, and so is a `join`.
                for line in pair.as_str().lines() {
                    let words = ["stage", "carry", "join"];
                    flow.poisoned.extend(super::recover::declared_name(line.trim(), &words));
                }
                self.unsupported(&pair);
            }
        }
    }

    fn stage(&mut self, pair: Pair<'_, Rule>) -> Option<ast::Stage> {
        let span = self.trimmed(&pair);
        let mut parts = children(pair);
        let name = self.value_name(&parts.next()?, "a stage");
        let value = self.expression(parts.next()?);
        let mut on = None;
        let mut block = None;
        for part in parts {
            if part.as_rule() == Rule::on {
                on = children(part).next().map(|name| self.word(&name));
            } else {
                block = Some(part);
            }
        }
        let block = self.block_or_empty(block, value.span);
        Some(ast::Stage { name, value, on, block, span })
    }

    fn emit(&mut self, pair: Pair<'_, Rule>) -> Option<ast::Emit> {
        let span = self.trimmed(&pair);
        let mut record = None;
        let mut sink = None;
        let mut condition = None;
        for part in children(pair) {
            match part.as_rule() {
                Rule::name => sink = Some(self.word(&part)),
                Rule::condition => {
                    condition = children(part).next().map(|inner| self.expression(inner));
                }
                _ => record = Some(self.primary(part)),
            }
        }
        Some(ast::Emit { record, sink: sink?, condition, span })
    }

    fn unsupported(&mut self, pair: &Pair<'_, Rule>) {
        let word = pair.as_str().split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or("");
        let start = self.span(pair);
        let span = Span { end: start.start + word.len() as u32, ..start };
        self.report(
            Diagnostic::error(
                codes::NOT_SUPPORTED,
                span,
                format!("`{word}` is not supported yet by this version"),
            )
            .help("a flow of this version is `from`, `where`, `stage` and `emit`"),
        );
    }
}
