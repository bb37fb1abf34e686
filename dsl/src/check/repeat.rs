//! `loop`: a body that goes round a bounded number of times, unrolled.
//!
//! The body is checked once a round, over the columns before it and the values of that round. A
//! carried value is a column a round; what it is behind the last one is its value after the loop. A
//! record that is through keeps its values: from then on the condition stays what it was, so one
//! look at the values of a round says whether that round is still its own.

use super::Checker;
use super::body::{Body, Hidden, Level, and, either, not};
use super::mention::declared;
use super::step::one_line;
use super::typed::Typed;
use crate::ast::{self, Step};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::lower;
use crate::plan::{Expr, Turn};
use crate::span::Span;
use crate::types::Type;

/// Most rounds of a loop.
const MOST: u32 = 16;

/// What is carried.
#[derive(Debug, Clone)]
struct Carried {
    name: ast::Name,
    ty: Type,
    /// Column of the round at hand.
    column: usize,
    /// Its value in the next round.
    next: Option<Typed>,
}

/// A round of a loop while its body is checked.
#[derive(Debug)]
pub(super) struct Round {
    /// Places of the first values, which are there already.
    first: Vec<Span>,
    carried: Vec<Carried>,
}

impl<'a> Checker<'a> {
    pub(super) fn repeat(&mut self, it: &'a ast::Loop, level: &mut Level, body: &mut Body) {
        let before = self.diagnostics.len();
        let rounds = self.rounds(&it.count);
        let firsts = self.first_values(it, &body.poisoned);
        let until = it.until.as_ref().map(|it| one_line(self.input.sources.text(it.span)));
        let turn = |number| Turn::Round {
            number,
            of: rounds,
            until: until.clone(),
            line: self.input.sources.line(it.span),
        };
        let turns: Vec<Turn> = (0..=rounds).map(turn).collect();
        let nested = level.loops > 0;
        let named = |name: &str, number: u32| match number {
            1 if !nested => name.to_owned(),
            number => format!("{name}.{number}"),
        };

        // What the rounds define is explained where it cannot be used.
        hide_body(body, it, &firsts);
        let mut outside = level.branch(level.guard.clone(), turns[0].clone());
        let mut carried = Vec::new();
        for first in &firsts {
            carried.push(self.first_value(first, &named(&first.name.text, 1), &outside, body));
        }
        let spans: Vec<Span> = firsts.iter().map(|first| first.span).collect();
        let mut alive = level.guard.clone();
        for number in 1..=rounds {
            let said = self.diagnostics.len();
            let start = body.columns.len();
            let pending = body.pending.len();
            let mut inner = level.branch(alive.clone(), turns[number as usize].clone());
            inner.loops += 1;
            inner.round = Some(Round { first: spans.clone(), carried });
            self.steps(&it.steps, &mut inner, body);
            body.pending.truncate(pending);
            body.leave(start, |name| named(name, number));
            (level.emitted, level.open) = (inner.emitted, inner.open);
            carried = inner.round.map(|round| round.carried).unwrap_or_default();
            outside.turns.clone_from(&inner.turns);
            for value in &mut carried {
                let measured = named(&value.name.text, number + 1);
                // All records that come to the loop are in its first round.
                let alive = alive.as_ref().filter(|_| number > 1);
                self.next_round(value, measured, alive, &outside, body);
            }
            if let Some(written) = &it.until {
                self.slots = 0;
                let ends = self.condition(written, &body.scope());
                body.read.extend(lower::columns_read(&ends.expr));
                alive = Some(and(level.guard.as_ref(), not(ends)));
                if alive.as_ref().is_some_and(|alive| !self.bounded(written.span, alive.shape)) {
                    break;
                }
            }
            if number > 1 {
                // What there is to warn of was said in the first round.
                let again = self.diagnostics.split_off(said);
                self.diagnostics.extend(again.into_iter().filter(Diagnostic::is_error));
            }
            let wrong = self.diagnostics[before..].iter().any(Diagnostic::is_error);
            if wrong || self.full() || body.left == 0 {
                break;
            }
        }
    }

    /// The bound of a loop; 1 when it is none.
    fn rounds(&mut self, count: &ast::Name) -> u32 {
        let number = count.text.replace('_', "").parse::<u32>().ok();
        if let Some(number) = number.filter(|number| (1..=MOST).contains(number)) {
            return number;
        }
        let message = format!("a loop goes round 1 to {MOST} times, found `{}`", count.text);
        self.report(
            Diagnostic::error(codes::BAD_LOOP, count.span, message)
                .help("write a whole number, as in `loop up to 3 until condition { ... }`"),
        );
        1
    }

    /// The `carry` steps that a loop begins with.
    fn first_values(&mut self, it: &'a ast::Loop, poisoned: &[String]) -> Vec<&'a ast::Carry> {
        let mut firsts: Vec<&ast::Carry> = Vec::new();
        let mut nexts: Vec<&ast::Carry> = Vec::new();
        let mut begun: Option<&Step> = None;
        for step in &it.steps {
            let Step::Carry(carry) = step else {
                begun.get_or_insert(step);
                continue;
            };
            let name = &carry.name.text;
            let same = |other: &&&ast::Carry| other.name.text == *name;
            if let Some(next) = nexts.iter().find(same) {
                let message = format!("`{name}` is carried twice");
                self.report(
                    Diagnostic::error(codes::BAD_CARRY, carry.name.span, message)
                        .also(next.span, "its value in the next round is here already")
                        .help("say once what it is in the next round, by `if` where that depends"),
                );
            } else if firsts.iter().any(|first| first.name.text == *name) {
                nexts.push(carry);
            } else if begun.is_some() {
                let message = format!("`{name}` has no first value");
                self.report(
                    Diagnostic::error(codes::BAD_CARRY, carry.name.span, message)
                        .help(format!("begin the loop by `carry {name}: type = value`")),
                );
                nexts.push(carry);
            } else {
                firsts.push(carry);
            }
        }
        for first in &firsts {
            let name = &first.name.text;
            let set = nexts.iter().any(|next| next.name.text == *name);
            if !set && !poisoned.contains(name) {
                let message = format!("`{name}` is the same in every round");
                self.report(Diagnostic::error(codes::BAD_CARRY, first.name.span, message).help(
                    format!(
                        "end the loop by `carry {name} = ...`, or make it a `stage` before the loop"
                    ),
                ));
            }
        }
        if firsts.is_empty() && nexts.is_empty() {
            let message = "nothing is carried, so every round does the same";
            self.report(Diagnostic::error(codes::BAD_CARRY, it.span, message).help(
                "begin it by `carry name: type = value` and end it by `carry name = next value`",
            ));
        }
        firsts
    }

    fn first_value(
        &mut self,
        carry: &'a ast::Carry,
        measured: &str,
        outside: &Level,
        body: &mut Body,
    ) -> Carried {
        let name = &carry.name;
        self.free_name(name, "a carried value is a column; give it a name of its own", body);
        self.slots = 0;
        let declared = carry.ty.as_ref().map(|ty| self.ty(ty));
        let value = match &declared {
            Some(ty) => self.want(&carry.value, &body.scope(), ty),
            None => self.expr(&carry.value, &body.scope(), None),
        };
        let poison = value.is_poison();
        let ty = declared.unwrap_or_else(|| value.ty.clone());
        if !poison && super::fit::vague(&ty) {
            let message = format!("the type of `{}` cannot be told from this value", name.text);
            self.report(
                Diagnostic::error(codes::BAD_CARRY, carry.value.span, message)
                    .help(format!("write it, as in `carry {}: [string] = []`", name.text)),
            );
        }
        let value = Typed { ty: ty.clone(), ..value };
        let names = (name.text.as_str(), measured.to_owned());
        self.see(name.span, &value.ty);
        let column = body.map(names, value, (name.span, self.line(carry.span)), outside);
        Carried { name: name.clone(), ty, column, next: None }
    }

    /// A `carry` among the steps: what a value is in the next round.
    pub(super) fn carry(&mut self, carry: &'a ast::Carry, level: &mut Level, body: &mut Body) {
        let name = &carry.name;
        let Some(round) = &mut level.round else {
            let (message, help) = if level.loops > 0 {
                (
                    "`carry` stands in the body of the loop itself",
                    "give every arm a stage of one name, and carry that behind the route",
                )
            } else {
                (
                    "`carry` stands in the body of a `loop`",
                    "a value of a record is `stage name = ...`",
                )
            };
            self.report(Diagnostic::error(codes::BAD_CARRY, name.span, message).help(help));
            return;
        };
        if round.first.contains(&carry.span) {
            return;
        }
        self.slots = 0;
        let Some(known) = round.carried.iter_mut().find(|it| it.name.text == name.text) else {
            self.expr(&carry.value, &body.scope(), None);
            return;
        };
        if let Some(ty) = &carry.ty {
            let message = format!("the type of `{}` was said with its first value", name.text);
            self.report(Diagnostic::error(codes::BAD_CARRY, ty.span, message).help("leave it out"));
        }
        let value = self.want(&carry.value, &body.scope(), &known.ty);
        body.read.extend(lower::columns_read(&value.expr));
        if known.next.is_none() && !value.is_poison() {
            known.next = Some(Typed { ty: known.ty.clone(), ..value });
        }
    }

    /// All values change at the end of a round, for the records that were in it.
    fn next_round(
        &mut self,
        value: &mut Carried,
        measured: String,
        alive: Option<&Typed>,
        outside: &Level,
        body: &mut Body,
    ) {
        let Some(next) = value.next.take() else { return };
        let last = Typed::leaf(Expr::Column(value.column), value.ty.clone());
        let now = match alive {
            Some(alive) => either(alive, next, last),
            None => next,
        };
        let span = value.name.span;
        if !self.bounded(span, now.shape) {
            return;
        }
        body.hide(value.column);
        let names = (value.name.text.as_str(), measured);
        value.column = body.map(names, now, (span, self.line(span)), outside);
    }
}

/// Names of a loop's rounds, so that a use of one outside can be explained.
fn hide_body(body: &mut Body, it: &ast::Loop, firsts: &[&ast::Carry]) {
    for name in declared(&it.steps) {
        if firsts.iter().any(|first| first.name.text == name) {
            continue;
        }
        body.hidden.push(Hidden {
            name: name.to_owned(),
            message: format!("`{name}` is a stage of the loop and ends with each round"),
            help: format!(
                "carry what is needed of it: begin the loop by `carry x: type = ...` and end it by \
                 `carry x = {name}`"
            ),
        });
    }
}
