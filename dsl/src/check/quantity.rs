//! Arithmetic where whole numbers are not meant: ratios of durations and sizes, these times a real
//! number, and quotients of ints that become floats.
//!
//! Durations and sizes are whole numbers of nanoseconds and bytes. Their ratio is still a real number,
//! as half of one and a half of another are.

use super::Checker;
use super::typed::Typed;
use crate::ast::{self, ExprKind};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::plan::{BinaryOp, Expr, Function};
use crate::span::Span;
use crate::types::{Type, Value};

/// What an operator means beyond whole numbers.
pub(super) enum Meant {
    /// How often one is in the other.
    Ratio,
    /// A duration or a size, times or by a real number.
    Scaled,
}

pub(super) fn meant(op: BinaryOp, a: &Type, b: &Type) -> Option<Meant> {
    let quantity = |ty: &Type| matches!(ty, Type::Duration | Type::Size);
    let real = |ty: &Type| matches!(ty, Type::Float | Type::Percent);
    match op {
        BinaryOp::Div if quantity(a) && a == b => Some(Meant::Ratio),
        BinaryOp::Div if quantity(a) && real(b) => Some(Meant::Scaled),
        BinaryOp::Mul if (quantity(a) && real(b)) || (real(a) && quantity(b)) => {
            Some(Meant::Scaled)
        }
        _ => None,
    }
}

/// Its number as a float.
pub(super) fn real(typed: Typed) -> Typed {
    if typed.is_poison() || typed.ty == Type::Float {
        return typed;
    }
    let number = match typed.value() {
        Some(Value::Duration(n)) => Some(*n as f64),
        Some(Value::Size(n)) => Some(*n as f64),
        Some(Value::Percent(x)) => Some(*x),
        _ => None,
    };
    match number {
        Some(number) => Typed::constant(Value::Float(number), Type::Float),
        None => Typed {
            expr: Expr::Call(Function::ToFloat, vec![typed.expr]),
            ty: Type::Float,
            shape: typed.shape.under(2),
        },
    }
}

impl Checker<'_> {
    /// Computed as real numbers, and a whole number of nanoseconds or bytes again.
    pub(super) fn scaled(
        &mut self,
        op: BinaryOp,
        (a, b): (Typed, Typed),
        ty: Type,
        span: Span,
    ) -> Typed {
        let result = self.combine(op, real(a), real(b), Type::Float, span);
        if result.is_poison() {
            return result;
        }
        let whole = |x: f64| (x.abs() < 9e18).then_some(x.round() as i64);
        let constant = match (result.value(), &ty) {
            (Some(Value::Float(x)), Type::Duration) => whole(*x).map(Value::Duration),
            (Some(Value::Float(x)), Type::Size) => {
                whole(*x).and_then(|n| u64::try_from(n).ok()).map(Value::Size)
            }
            _ => None,
        };
        if let Some(value) = constant {
            return Typed::constant(value, ty);
        }
        let shape = result.shape.under(2);
        self.node(span, Expr::Call(Function::Round, vec![result.expr]), ty, shape)
    }

    /// A quotient of ints in the place of a float has lost what a float is for.
    pub(super) fn warn_of_remainder(&mut self, written: &ast::Expr, typed: &Typed, to: &Type) {
        let ExprKind::Binary(BinaryOp::Div, left, _) = &written.kind else { return };
        if typed.ty != Type::Int || *super::fit::required(to) != Type::Float {
            return;
        }
        let text = self.input.sources.text(left.span).to_owned();
        let message = "`/` between ints drops the remainder, and then it becomes a float";
        let mut warning = Diagnostic::warning(codes::DROPPED_REMAINDER, written.span, message);
        let real =
            if enclosed(&text) { format!("to_float{text}") } else { format!("to_float({text})") };
        warning = if text.contains('\n') || text.len() > 60 {
            warning.help("write `to_float(...)` around the left side")
        } else {
            warning.help(format!("write `{real}` for the left side")).fix(left.span, real)
        };
        self.report(warning);
    }
}

/// Whether one pair of parentheses holds all of it.
fn enclosed(text: &str) -> bool {
    let mut depth = 0_usize;
    let closes_at = text.char_indices().find_map(|(at, sign)| {
        depth = match sign {
            '(' => depth + 1,
            ')' => depth.saturating_sub(1),
            _ => depth,
        };
        (depth == 0).then_some(at)
    });
    text.starts_with('(') && closes_at == Some(text.len() - 1)
}
