//! `route`: arms that take the records whose value is theirs.

use super::Checker;
use super::body::{Body, Level, Open, and, not};
use super::branch::Cover;
use super::mention::declared;
use super::merge::{Ended, Merge, only_in};
use super::step::one_line;
use super::typed::Typed;
use crate::ast::{self, Pattern};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::lower;
use crate::plan::{BinaryOp, Expr, Turn};
use crate::types::{Type, Value};

const ARMS: Cover = Cover { code: codes::BAD_ROUTE, what: "route", rest: "else => { ... }" };

impl<'a> Checker<'a> {
    pub(super) fn route(&mut self, route: &'a ast::Route, level: &mut Level, body: &mut Body) {
        self.slots = 0;
        let subject = self.expr(&route.subject, &body.scope(), None);
        body.read.extend(lower::columns_read(&subject.expr));
        let conditions = self.conditions(route, &subject);
        let text = one_line(self.input.sources.text(route.subject.span));
        let line = self.line(route.span);
        let heads: Vec<String> = route.arms.iter().map(|arm| self.head(arm)).collect();
        let declares: Vec<Vec<&str>> = route.arms.iter().map(|arm| declared(&arm.steps)).collect();
        let hidden = body.hidden.len();
        let (mut emitted, mut open) = (level.emitted, Vec::new());
        let mut ended: Vec<Ended<'a>> = Vec::new();
        let mut labels: Vec<String> = Vec::new();
        for (at, (arm, condition)) in route.arms.iter().zip(conditions).enumerate() {
            body.hidden.truncate(hidden);
            hide_others(body, at, &heads, &declares);
            let guard = match &condition {
                Some(condition) => Some(and(level.guard.as_ref(), condition.clone())),
                None => level.guard.clone(),
            };
            if guard.as_ref().is_some_and(|guard| !self.bounded(arm.span, guard.shape)) {
                continue;
            }
            let pattern =
                arm.pattern.as_ref().map(|_| one_line(heads[at].trim_start_matches("when ")));
            let turn = Turn::Arm { subject: text.clone(), pattern, line };
            let mut inner = level.branch(guard, turn);
            if !inner.open.is_empty() {
                inner.open = vec![Open::Arm(arm.span)];
            }
            let (start, pending) = (body.columns.len(), body.pending.len());
            self.steps(&arm.steps, &mut inner, body);
            let defines = defined(body, start, pending);
            let label = label(&heads[at], at, &labels);
            body.leave(start, |name| format!("{label}.{name}"));
            labels.push(label);
            emitted = emitted.or(inner.emitted);
            open.extend(inner.open);
            ended.push(Ended {
                head: heads[at].clone(),
                condition,
                defines,
                declares: declares[at].clone(),
                dropped: inner.dropped,
            });
        }
        body.hidden.truncate(hidden);
        if !ended.is_empty() {
            level.emitted = emitted;
            level.open = open;
        }
        self.after_route(route, &ended, body);
    }

    /// When each arm is taken; `None` where that is not known.
    fn conditions(&mut self, route: &'a ast::Route, subject: &Typed) -> Vec<Option<Typed>> {
        let mut conditions = Vec::new();
        let mut patterns: Vec<Option<Value>> = Vec::new();
        let mut good = true;
        for (at, arm) in route.arms.iter().enumerate() {
            let found = match &arm.pattern {
                None => {
                    good &= self.is_last(route, at);
                    Some(None)
                }
                Some(Pattern::Any) => {
                    // A broken constant was reported by the parser.
                    if self.input.sources.text(arm.span).ends_with('_') {
                        let message = "the arm for all other values is `else`";
                        self.report(
                            Diagnostic::error(codes::BAD_ROUTE, arm.span, message)
                                .fix(arm.span, "else"),
                        );
                    }
                    None
                }
                Some(pattern) => self.pattern(pattern, &subject.ty, &ARMS),
            };
            good &= found.is_some();
            if let Some(Some(value)) = &found
                && let Some(before) = patterns.iter().position(|it| it.as_ref() == Some(value))
            {
                let message = format!("`{}` has an arm already", self.head(arm));
                self.report(
                    Diagnostic::error(codes::BAD_ROUTE, arm.span, message)
                        .also(route.arms[before].span, "here"),
                );
            }
            conditions.push(taken(subject, found.as_ref(), &patterns));
            patterns.push(found.flatten());
        }
        let covers = route.arms.iter().any(|arm| arm.pattern.is_none());
        if good && !route.broken && !covers {
            if route.arms.is_empty() {
                let message = "a `route` without arms";
                self.report(
                    Diagnostic::error(codes::BAD_ROUTE, route.span, message)
                        .help("an arm is `when constant => { ... }`"),
                );
            } else {
                self.exhaustive(&subject.ty, &patterns, route.span, &ARMS);
            }
        }
        conditions
    }

    fn is_last(&mut self, route: &ast::Route, at: usize) -> bool {
        let Some(next) = route.arms.get(at + 1) else { return true };
        let message = "`else` is the last arm of a route";
        self.report(
            Diagnostic::error(codes::BAD_ROUTE, route.arms[at].span, message)
                .also(next.span, "this arm would never be taken"),
        );
        false
    }

    /// As written before the `=>`.
    fn head(&self, arm: &ast::Arm) -> String {
        one_line(self.input.sources.text(arm.span))
    }
}

/// Names of the other arms, so that a use of one can be explained.
fn hide_others(body: &mut Body, at: usize, heads: &[String], declares: &[Vec<&str>]) {
    let mut told: Vec<&str> = Vec::new();
    for name in declares.iter().flatten().copied() {
        if declares[at].contains(&name) || told.contains(&name) {
            continue;
        }
        told.push(name);
        let arms = heads.iter().zip(declares).filter(|(_, names)| names.contains(&name));
        body.hidden.push(only_in(name, arms.map(|(head, _)| head.as_str())));
    }
}

/// Names in sight at the end of an arm that began with these columns and pending names.
fn defined(body: &mut Body, start: usize, pending: usize) -> Vec<Merge> {
    let columns = (start..body.columns.len()).filter(|at| !body.columns[*at].name.starts_with('.'));
    let mut defines: Vec<Merge> = columns
        .map(|at| Merge {
            name: body.columns[at].name.clone(),
            value: Typed::leaf(Expr::Column(at), body.columns[at].ty.clone()),
            span: body.measured[at].1,
        })
        .collect();
    defines.extend(body.pending.drain(pending..));
    defines
}

/// When an arm is taken, by its constant; for `else`, where none of those before is.
fn taken(
    subject: &Typed,
    found: Option<&Option<Value>>,
    before: &[Option<Value>],
) -> Option<Typed> {
    let test = |op, value: Value| {
        let value = Typed::constant(value, subject.ty.clone());
        let shape = subject.shape.and(value.shape).under(2);
        let expr = Expr::Binary(op, Box::new(subject.expr.clone()), Box::new(value.expr));
        match super::constant::fold(&expr) {
            Some(value) => Typed::constant(value, Type::Bool),
            None => Typed { expr, ty: Type::Bool, shape },
        }
    };
    if subject.ty == Type::Unknown {
        return None;
    }
    if let Some(value) = found? {
        return Some(test(BinaryOp::Eq, value.clone()));
    }
    let others: Vec<Value> = before.iter().flatten().cloned().collect();
    (!others.is_empty()).then(|| not(test(BinaryOp::In, Value::List(others))))
}

/// What the columns of an arm are known by: its constant as a word.
fn label(head: &str, at: usize, taken: &[String]) -> String {
    let word = head.strip_prefix("when ").unwrap_or(head);
    let word: String = word
        .trim_matches('"')
        .replace('-', "minus_")
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .take(32)
        .collect();
    if word.is_empty() || taken.contains(&word) { format!("arm_{}", at + 1) } else { word }
}
