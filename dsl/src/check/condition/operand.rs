//! Operators of a condition: which figures go together.

use super::unit::Unit;
use super::{About, Kind, Part};
use crate::ast;
use crate::check::Checker;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::experiment::Condition;
use crate::plan::BinaryOp;

impl Checker<'_> {
    pub(super) fn operands(
        &mut self,
        op: BinaryOp,
        left: &ast::Expr,
        right: &ast::Expr,
        written: &ast::Expr,
        about: &mut About<'_>,
    ) -> Option<Part> {
        use BinaryOp::{Add, And, Contains, Div, Eq, Ge, Gt, In, Le, Lt, Mul, Ne, Or, Sub};
        if matches!(op, Eq | Ne | Lt | Le | Gt | Ge) {
            about.comparison += 1;
        }
        let (a, b) = (self.piece(left, about), self.piece(right, about));
        let (a, b) = (a?, b?);
        if matches!(op, Contains | In | BinaryOp::Coalesce | BinaryOp::Rem) {
            let message = "this operator has no meaning in a condition";
            self.report(
                Diagnostic::error(codes::NOT_A_CLAIM, written.span, message)
                    .help("there are `+`, `-`, `*`, `/`, comparisons, `and`, `or` and `not`"),
            );
            return None;
        }
        if matches!(op, And | Or) {
            for (part, side) in [(&a, left), (&b, right)] {
                if part.kind != Kind::Bool {
                    let text = self.shown(side);
                    let message = format!("`{text}` is a number, and no condition");
                    self.report(
                        Diagnostic::error(codes::NOT_A_CLAIM, side.span, message)
                            .help(format!("compare it, as in `{text} > 1`")),
                    );
                    return None;
                }
            }
            return Some(join(op, a, b, Kind::Bool));
        }
        let (Kind::Number(first), Kind::Number(second)) = (a.kind, b.kind) else {
            let side = if a.kind == Kind::Bool { left } else { right };
            let message = format!("`{}` is a condition, and no number", self.shown(side));
            self.report(
                Diagnostic::error(codes::NOT_A_CLAIM, side.span, message)
                    .help("join conditions by `and` and `or`"),
            );
            return None;
        };
        let kind = match op {
            Mul | Div => {
                let (a, b, unit) = scaled(op, a, b, first, second);
                return Some(join(op, a, b, Kind::Number(unit)));
            }
            Eq | Ne | Lt | Le | Gt | Ge => Some(Kind::Bool),
            Add | Sub => None,
            _ => return None,
        };
        if let Some((number, side)) = unitless((&a, first, left), (&b, second, right)) {
            let message = format!("a time is compared with `{number}`, which has no unit");
            self.report(
                Diagnostic::error(codes::MISSING_UNIT, side.span, message)
                    .help(format!("write `{number}s` or `{number}ms`")),
            );
            return None;
        }
        let Some((a, b, unit)) = same_unit(a, b, first, second) else {
            let message = format!(
                "`{}` is {}, `{}` is {}",
                self.shown(left),
                first.words(),
                self.shown(right),
                second.words()
            );
            let mut diagnostic = Diagnostic::error(codes::INCOMPARABLE, written.span, message);
            diagnostic = match (first, second) {
                (Unit::Time(_), _) | (_, Unit::Time(_)) => {
                    diagnostic.help("times are compared with times, as in `p99(latency) < 10s`")
                }
                (Unit::Rate, _) | (_, Unit::Rate) => {
                    diagnostic.help("rates are compared with rates, as in `throughput > 5/s`")
                }
                _ => diagnostic.help("compare figures of the same kind"),
            };
            self.report(diagnostic);
            return None;
        };
        Some(join(op, a, b, kind.unwrap_or(Kind::Number(unit))))
    }

    fn shown(&self, written: &ast::Expr) -> String {
        let text = super::one_line(self.input.sources.text(written.span));
        match text.char_indices().nth(40) {
            Some((end, _)) => format!("{}...", &text[..end]),
            None => text,
        }
    }
}

fn join(op: BinaryOp, a: Part, b: Part, kind: Kind) -> Part {
    let constant = a.constant && b.constant;
    let said = a.said && b.said;
    let condition = Condition::Binary(op, Box::new(a.condition), Box::new(b.condition));
    Part { condition, kind, constant, said }
}

/// A number without a unit beside a time whose unit cannot be seen.
fn unitless<'e>(
    (a, first, left): (&Part, Unit, &'e ast::Expr),
    (b, second, right): (&Part, Unit, &'e ast::Expr),
) -> Option<(f64, &'e ast::Expr)> {
    let (number, side) = match (first, second) {
        (Unit::Time(_), Unit::Plain) if !a.said => (b, right),
        (Unit::Plain, Unit::Time(_)) if !b.said => (a, left),
        _ => return None,
    };
    match number.condition {
        // Nothing is nothing in every unit.
        Condition::Number(x) if x != 0.0 => Some((x, side)),
        _ => None,
    }
}

/// Both sides in one unit; `None` when they measure different things.
fn same_unit(a: Part, b: Part, first: Unit, second: Unit) -> Option<(Part, Part, Unit)> {
    let unit = match (first, second) {
        (Unit::Time(x), Unit::Time(y)) => {
            // A written time takes the unit of the column.
            return Some(if a.constant && !b.constant {
                (convert(a, x, y), b, second)
            } else {
                (a, convert(b, y, x), first)
            });
        }
        (x, y) if x == y => x,
        (Unit::Plain, Unit::Share) | (Unit::Share, Unit::Plain) => Unit::Plain,
        (Unit::Plain, other) if a.constant => other,
        (other, Unit::Plain) if b.constant => other,
        _ => return None,
    };
    Some((a, b, unit))
}

/// Sides of a product or a quotient, and the unit of it.
fn scaled(op: BinaryOp, a: Part, b: Part, first: Unit, second: Unit) -> (Part, Part, Unit) {
    match (first, second) {
        (Unit::Time(x), Unit::Time(y)) if op == BinaryOp::Div => {
            let b = convert(b, y, x);
            (a, b, Unit::Plain)
        }
        (x, y) if x == y && op == BinaryOp::Div => (a, b, Unit::Plain),
        (Unit::Share, Unit::Share) => (a, b, Unit::Share),
        (x, y) if x.is_factor() && y.is_factor() => (a, b, Unit::Plain),
        (x, y) if y.is_factor() => (a, b, x),
        (x, y) if x.is_factor() && op == BinaryOp::Mul => (a, b, y),
        _ => (a, b, Unit::Derived),
    }
}

/// A time in units of `from` nanoseconds as one in units of `to`.
fn convert(part: Part, from: f64, to: f64) -> Part {
    if from.to_bits() == to.to_bits() {
        return part;
    }
    let condition = match part.condition {
        Condition::Number(x) => Condition::Number(x * from / to),
        other => {
            let factor = Condition::Number(from / to);
            Condition::Binary(BinaryOp::Mul, Box::new(other), Box::new(factor))
        }
    };
    Part { condition, kind: Kind::Number(Unit::Time(to)), constant: part.constant, said: part.said }
}
