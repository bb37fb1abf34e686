//! The steps of a body, each over the columns before it.

use super::Checker;
use super::body::{Began, Body, Level, Made, and, unless};
use crate::ast::{self, Step};
use crate::catalog::EndpointUse;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::lower;
use crate::plan::{FilterPlan, Node};
use crate::span::Span;
use crate::types::Value;

impl<'a> Checker<'a> {
    pub(super) fn steps(&mut self, steps: &'a [Step], level: &mut Level, body: &mut Body) {
        for (at, step) in steps.iter().enumerate() {
            if body.left == 0 {
                return;
            }
            body.left -= 1;
            self.merge_mentioned(step, level, body);
            if body.relation.is_some() {
                self.relation_step(step, level, body);
                continue;
            }
            let why = super::dedup::why_of_all(step, level, body, self.input.catalog);
            match step {
                Step::From(name, _) if !level.turns.is_empty() => {
                    let message = "`from` is the first step of a flow";
                    self.report(Diagnostic::error(codes::MISPLACED, name.span, message));
                }
                Step::From(..) => {}
                Step::Where(written) => self.filter(written, level, body),
                Step::Stage(stage) => self.named_stage(stage, level, body),
                Step::Emit(emit) if body.feed.is_some() => {
                    if self.relates_here("emit", emit.span, level) {
                        body.begin_with_all(level);
                        self.relation_step(step, level, body);
                    }
                }
                Step::Emit(emit) => self.emit_step(emit, level, body),
                Step::Route(route) => self.route(route, level, body),
                Step::Loop(repeat) => self.repeat(repeat, level, body),
                Step::Carry(carry) => self.carry(carry, level, body),
                Step::Group(group) => self.group_step(group, level, body),
                Step::Dedup(dedup) => self.dedup(dedup, level, body),
                Step::FlatMap(name, list) => {
                    let rest = steps.get(at + 1..).unwrap_or_default();
                    self.flat_map(name, (list, rest), level, body);
                }
                Step::Join(join) => self.join_step(join, level, body),
            }
            if body.relation.is_some() {
                body.began = began(step, why);
            }
        }
    }

    fn filter(&mut self, written: &'a ast::Expr, level: &mut Level, body: &mut Body) {
        if let Some(before) = level.emitted {
            let message = "a `where` after an `emit`";
            self.report(
                Diagnostic::error(codes::WHERE_AFTER_EMIT, written.span, message)
                    .also(before, "records have left the flow here")
                    .help("move it up, or write the condition at the emits: `emit ... into sink if condition`"),
            );
        }
        self.slots = 0;
        let typed = self.condition(written, &body.scope());
        body.read.extend(lower::columns_read(&typed.expr));
        if typed.is_poison() {
            return;
        }
        if typed.value() == Some(&Value::Bool(false)) {
            level.open.clear();
            level.dropped = true;
        }
        if body.feed.is_some() {
            // A version that is dropped takes the place of the one before all the same.
            if self.relates_here("where", written.span, level) {
                let guard = and(level.guard.as_ref(), typed);
                if self.bounded(written.span, guard.shape) {
                    level.guard = Some(guard);
                    body.conditions.push(one_line(self.input.sources.text(written.span)));
                }
            }
            return;
        }
        let text = one_line(self.input.sources.text(written.span));
        let typed = match &level.guard {
            Some(guard) => unless(guard, typed),
            None => typed,
        };
        if self.bounded(written.span, typed.shape) {
            let turns = level.turns.clone();
            body.nodes.push(Node::Filter(FilterPlan { predicate: typed.expr, text, turns }));
        }
    }

    fn named_stage(&mut self, stage: &'a ast::Stage, level: &Level, body: &mut Body) {
        let name = &stage.name;
        self.free_name(name, "a stage adds a column; give it a name of its own", body);
        let checked = self.stage(stage, body.columns.len(), &body.scope());
        let calls = checked.plan.as_ref().map_or(EndpointUse::None, |plan| {
            body.read.extend(&plan.reads);
            if plan.endpoint.is_some() { plan.calls } else { EndpointUse::None }
        });
        self.see(name.span, &checked.ty);
        let column = body.add(&name.text, name.text.clone(), name.span, checked.ty);
        body.made.push(Made { name: name.clone(), column, calls });
        if let Some(plan) = checked.plan {
            body.push(plan, level);
        }
    }

    /// Says so when a name is taken.
    pub(super) fn free_name(&mut self, name: &ast::Name, help: &str, body: &Body) {
        let text = &name.text;
        let Some(at) = body.columns.iter().position(|column| column.name == *text) else {
            if let Some(merge) = body.pending.iter().find(|merge| merge.name == *text) {
                let message = format!("there is a stage `{text}` already");
                self.report(
                    Diagnostic::error(codes::COLUMN_TAKEN, name.span, message)
                        .also(merge.span, "every arm of the route has one"),
                );
            }
            return;
        };
        let diagnostic = if at < body.own {
            let message = format!("the record has a field `{text}` already");
            Diagnostic::error(codes::COLUMN_TAKEN, name.span, message).help(help)
        } else {
            let message = format!("there is a stage `{text}` already");
            let diagnostic = Diagnostic::error(codes::COLUMN_TAKEN, name.span, message);
            diagnostic.also(body.measured[at].1, "here")
        };
        self.report(diagnostic);
    }

    fn emit_step(&mut self, emit: &'a ast::Emit, level: &mut Level, body: &mut Body) {
        level.emitted.get_or_insert(emit.span);
        level.open.clear();
        self.no_changes(emit);
        let Some((mut plan, condition)) = self.emit(emit, &body.scope(), body.key) else { return };
        let own = condition.as_ref().map(|typed| &typed.expr);
        for expr in plan.values.iter().chain(own) {
            body.read.extend(lower::columns_read(expr));
        }
        let condition = match (&level.guard, condition) {
            (guard, Some(condition)) => Some(and(guard.as_ref(), condition)),
            (guard, None) => guard.clone(),
        };
        if let Some(condition) = condition {
            if !self.bounded(emit.span, condition.shape) {
                return;
            }
            plan.condition = Some(condition.expr);
        }
        let text = emit.condition.as_ref().map(|it| self.input.sources.text(it.span));
        plan.text = text.map(one_line);
        plan.turns.clone_from(&level.turns);
        body.nodes.push(Node::Emit(plan));
    }

    /// Says what was too large, once.
    pub(super) fn too_many_steps(&mut self, span: Span, most: usize) {
        let message = format!("with its loops unrolled the flow has more than {most} steps");
        self.report(
            Diagnostic::error(codes::TOO_LARGE, span, message)
                .help("a loop stands for its body as often as it may go round"),
        );
    }
}

/// The step as the first one over all records.
fn began(step: &Step, why: Option<&'static str>) -> Option<Began> {
    let (word, span) = match step {
        Step::Group(group) => ("group", group.span),
        Step::Dedup(dedup) => ("dedup", dedup.span),
        Step::FlatMap(name, _) => ("flat_map", name.span),
        Step::Join(join) => ("join", join.span),
        Step::Emit(emit) => ("emit", emit.span),
        _ => return None,
    };
    Some(Began { word, span, why })
}

/// Text with its line ends and indentation made single blanks.
pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
