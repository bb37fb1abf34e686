//! Operators: what each takes, what comes out, and what was probably meant otherwise.

use super::fit::{convert, fits, required, text_for_enum, text_for_time, unify};
use super::quoted_number::without_quotes;
use super::typed::Typed;
use super::{Checker, Scope, quantity};
use crate::ast::{self, ExprKind};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::plan::{BinaryOp, Expr, UnaryOp};
use crate::span::Span;
use crate::types::{Type, Value};

impl Checker<'_> {
    pub(crate) fn unary(
        &mut self,
        op: UnaryOp,
        inner: &ast::Expr,
        span: Span,
        scope: &Scope<'_>,
    ) -> Typed {
        let typed = match op {
            UnaryOp::Not => self.condition(inner, scope),
            UnaryOp::Neg => self.expr(inner, scope, None),
        };
        let number = matches!(
            typed.ty,
            Type::Int | Type::Float | Type::Duration | Type::Percent | Type::Tokens | Type::Unknown
        );
        if op == UnaryOp::Neg && !number {
            let message = format!("`-` takes a number, found {}", typed.ty);
            self.report(Diagnostic::error(codes::OPERAND_TYPES, span, message));
            return Typed::poison();
        }
        if typed.is_poison() {
            return typed;
        }
        let shape = typed.shape.under(2);
        self.node(span, Expr::Unary(op, Box::new(typed.expr)), typed.ty, shape)
    }

    pub(crate) fn binary(
        &mut self,
        op: BinaryOp,
        left: &ast::Expr,
        right: &ast::Expr,
        span: Span,
        scope: &Scope<'_>,
    ) -> Typed {
        if matches!(op, BinaryOp::And | BinaryOp::Or) {
            if self.half_condition(op, left, right, scope) {
                return Typed::poison();
            }
            let (a, b) = (self.condition(left, scope), self.condition(right, scope));
            return self.combine(op, a, b, Type::Bool, span);
        }
        let (a, b) = self.sides(op, left, right, scope);
        if a.is_poison() || b.is_poison() {
            return Typed::poison();
        }
        if a.ty == Type::Unknown && b.ty == Type::Unknown && op != BinaryOp::Coalesce {
            return self.combine(op, a, b, Type::Unknown, span);
        }
        let zero = matches!(b.value(), Some(Value::Int(0)));
        if zero && matches!(op, BinaryOp::Div | BinaryOp::Rem) && a.ty == Type::Int {
            let message = "division by zero";
            self.report(Diagnostic::error(codes::DIVISION_BY_ZERO, right.span, message));
            return Typed::poison();
        }
        let Some((ty, side)) = result(op, &a.ty, &b.ty) else {
            self.bad_operands(op, (left, &a), (right, &b), span);
            return Typed::poison();
        };
        match quantity::meant(op, &a.ty, &b.ty) {
            Some(quantity::Meant::Ratio) => {
                return self.combine(op, quantity::real(a), quantity::real(b), ty, span);
            }
            Some(quantity::Meant::Scaled) => return self.scaled(op, (a, b), ty, span),
            None => {}
        }
        let (a, b) = match side {
            Some(side) => {
                self.warn_of_remainder(left, &a, &side);
                self.warn_of_remainder(right, &b, &side);
                (convert(a, &side), convert(b, &side))
            }
            None => (a, b),
        };
        self.combine(op, a, b, ty, span)
    }

    /// Both sides; a bare word may be a variant of the enum on the other side.
    fn sides(
        &mut self,
        op: BinaryOp,
        left: &ast::Expr,
        right: &ast::Expr,
        scope: &Scope<'_>,
    ) -> (Typed, Typed) {
        let element = |ty: &Type| match ty {
            Type::List(item) => item.as_ref().clone(),
            other => other.clone(),
        };
        let right_first =
            matches!(left.kind, ExprKind::Name(_)) && !matches!(right.kind, ExprKind::Name(_));
        if right_first && op != BinaryOp::Contains {
            let b = self.expr(right, scope, None);
            let expected = if op == BinaryOp::In { element(&b.ty) } else { b.ty.clone() };
            return (self.expr(left, scope, Some(&expected)), b);
        }
        let a = self.expr(left, scope, None);
        let expected = match op {
            BinaryOp::Contains => element(&a.ty),
            BinaryOp::In => Type::List(Box::new(a.ty.clone())),
            _ => a.ty.clone(),
        };
        let strict = op == BinaryOp::In
            && matches!(right.kind, ExprKind::List(_))
            && !matches!(expected, Type::List(ref item) if matches!(**item, Type::Enum(_)));
        let b = self.expr(right, scope, (!strict).then_some(&expected));
        (a, b)
    }

    pub(super) fn combine(
        &mut self,
        op: BinaryOp,
        a: Typed,
        b: Typed,
        ty: Type,
        span: Span,
    ) -> Typed {
        if a.is_poison() || b.is_poison() {
            return Typed::poison();
        }
        let shape = a.shape.and(b.shape).under(2);
        self.node(span, Expr::Binary(op, Box::new(a.expr), Box::new(b.expr)), ty, shape)
    }

    fn bad_operands(
        &mut self,
        op: BinaryOp,
        (left, a): (&ast::Expr, &Typed),
        (right, b): (&ast::Expr, &Typed),
        span: Span,
    ) {
        let sign = op.symbol();
        let text = |expr: &ast::Expr| {
            let text = self.input.sources.text(expr.span);
            if text.len() > 40 { "x".to_owned() } else { text.to_owned() }
        };
        let (left_text, right_text) = (text(left), text(right));
        let unit = |number: &Typed, other: &Type| match (number.value(), other) {
            (Some(Value::Int(n)), Type::Duration) => Some(format!("write `{n}s` or `{n}ms`")),
            (Some(Value::Int(n)), Type::Size) => Some(format!("write `{n}MiB` or `{n}KiB`")),
            (Some(Value::Int(n)), Type::Rate) => Some(format!("write `{n}/s` or `{n}/min`")),
            _ => None,
        };
        let mut fix = None;
        let help = match (&a.ty, &b.ty, op) {
            (Type::String, other, BinaryOp::Add) if printable(required(other)) => {
                let written = self.input.sources.text(right.span);
                fix = is_sure(other).then(|| (right.span, as_text(written, other)));
                Some(format!("write `{left_text} + {}`", as_text(&right_text, other)))
            }
            (other, Type::String, BinaryOp::Add) if printable(required(other)) => {
                let written = self.input.sources.text(left.span);
                fix = is_sure(other).then(|| (left.span, as_text(written, other)));
                Some(format!("write `{} + {right_text}`", as_text(&left_text, other)))
            }
            (Type::String, _, BinaryOp::Rem) => Some(
                "values are not put into a text by `%`; pieces are joined by `+`, as in \
                 `\"a \" + .text`"
                    .to_owned(),
            ),
            (ty, Type::String, _) if without_quotes(right, ty).is_some() => {
                fix = without_quotes(right, ty).map(|number| (right.span, number));
                fix.as_ref().map(|(_, number)| format!("write `{left_text} {sign} {number}`"))
            }
            (Type::String, ty, _) if without_quotes(left, ty).is_some() => {
                fix = without_quotes(left, ty).map(|number| (left.span, number));
                fix.as_ref().map(|(_, number)| format!("write `{number} {sign} {right_text}`"))
            }
            (ty, Type::String, _) if reads_text(ty) => {
                return self.text_beside(sign, (left, a), (right, b), (right, ty), span);
            }
            (Type::String, ty, _) if reads_text(ty) => {
                return self.text_beside(sign, (left, a), (right, b), (left, ty), span);
            }
            (Type::Optional(inner), _, _) => {
                let other = super::fit::sample(inner);
                Some(format!("the left side may be null: write `({left_text} ?? {other})`"))
            }
            (_, Type::Optional(inner), _) => {
                let other = super::fit::sample(inner);
                Some(format!("the right side may be null: write `({right_text} ?? {other})`"))
            }
            (Type::List(_), _, op) if compares(op) && !matches!(left.kind, ExprKind::List(_)) => {
                Some(format!(
                    "`{left_text}` is a list: one of it is `{left_text}[0]`, their number \
                 `length({left_text})`"
                ))
            }
            (a_ty, Type::List(item), BinaryOp::Contains) if fits(a_ty, item) => {
                Some(format!("turned around: `{right_text} contains {left_text}`"))
            }
            _ => unit(b, &a.ty).or_else(|| unit(a, &b.ty)),
        };
        let code = if help.as_ref().is_some_and(|_| unit(b, &a.ty).or(unit(a, &b.ty)).is_some()) {
            codes::MISSING_UNIT
        } else {
            codes::OPERAND_TYPES
        };
        let message = format!("`{sign}` does not take {} and {}", a.ty, b.ty);
        let diagnostic = Diagnostic::error(code, span, message)
            .maybe_help(help)
            .also(left.span, format!("this is {}", a.ty))
            .also(right.span, format!("this is {}", b.ty));
        self.report(match fix {
            Some((at, text)) => diagnostic.fix(at, text),
            None => diagnostic,
        });
    }

    /// A time or an enum beside a text that should be one.
    fn text_beside(
        &mut self,
        sign: &str,
        (left, a): (&ast::Expr, &Typed),
        (right, b): (&ast::Expr, &Typed),
        (text, ty): (&ast::Expr, &Type),
        span: Span,
    ) {
        let written = self.input.sources.text(text.span).to_owned();
        let message = format!("`{sign}` does not take {} and {}", a.ty, b.ty);
        let diagnostic = Diagnostic::error(codes::OPERAND_TYPES, span, message)
            .also(left.span, format!("this is {}", a.ty))
            .also(right.span, format!("this is {}", b.ty));
        self.report(match required(ty) {
            Type::Enum(item) => text_for_enum(diagnostic, &text.kind, (text.span, &written), item),
            _ => text_for_time(diagnostic, &text.kind, (text.span, &written)),
        });
    }
}

fn compares(op: BinaryOp) -> bool {
    use BinaryOp::{Eq, Ge, Gt, Le, Lt, Ne};
    matches!(op, Eq | Ne | Lt | Le | Gt | Ge)
}

/// Whether a text may stand for such a value elsewhere.
fn reads_text(ty: &Type) -> bool {
    matches!(required(ty), Type::Time | Type::Enum(_))
}

fn printable(ty: &Type) -> bool {
    matches!(ty, Type::Int | Type::Float | Type::Bool | Type::Tokens | Type::Duration | Type::Time)
}

/// Whether a value is never null, so that it has a text.
fn is_sure(ty: &Type) -> bool {
    !matches!(ty, Type::Optional(_))
}

/// How a value is made a text to join.
fn as_text(text: &str, ty: &Type) -> String {
    match ty {
        Type::Optional(inner) => format!("to_string({text} ?? {})", super::fit::sample(inner)),
        _ => format!("to_string({text})"),
    }
}

/// Type of the result, and the type both sides are brought to, if any.
fn result(op: BinaryOp, a: &Type, b: &Type) -> Option<(Type, Option<Type>)> {
    use BinaryOp::{
        Add, And, Coalesce, Contains, Div, Eq, Ge, Gt, In, Le, Lt, Mul, Ne, Or, Rem, Sub,
    };
    let number = |ty: &Type| matches!(ty, Type::Int | Type::Float | Type::Tokens | Type::Percent);
    let same = || unify(a, b).map(|ty| (ty.clone(), Some(ty)));
    match op {
        And | Or => Some((Type::Bool, None)),
        Coalesce => {
            let inner = required(a);
            let ty = unify(inner, required(b))?;
            let result = if matches!(b, Type::Optional(_)) { super::fit::optional(ty) } else { ty };
            Some((result, None))
        }
        Eq | Ne => {
            let both = unify(a, b)?;
            let comparable = !matches!(required(&both), Type::Vector(_));
            comparable.then_some((Type::Bool, Some(both)))
        }
        Lt | Le | Gt | Ge => {
            let both = unify(a, b)?;
            let ordered = number(&both)
                || matches!(
                    both,
                    Type::String
                        | Type::Duration
                        | Type::Time
                        | Type::Size
                        | Type::Rate
                        | Type::Unknown
                );
            ordered.then_some((Type::Bool, Some(both)))
        }
        Contains => contains(a, b).then_some((Type::Bool, None)),
        In => contains(b, a).then_some((Type::Bool, None)),
        Add => match (a, b) {
            (Type::Time, Type::Duration) | (Type::Duration, Type::Time) => Some((Type::Time, None)),
            (Type::String, Type::String) | (Type::List(_), Type::List(_)) => same(),
            _ => arithmetic(a, b),
        },
        Sub => match (a, b) {
            (Type::Time, Type::Time) => Some((Type::Duration, None)),
            (Type::Time, Type::Duration) => Some((Type::Time, None)),
            _ => arithmetic(a, b),
        },
        Mul => match (a, b) {
            (Type::Duration | Type::Size | Type::Rate, n) if number(n) => Some((a.clone(), None)),
            (n, Type::Duration | Type::Size | Type::Rate) if number(n) => Some((b.clone(), None)),
            _ if number(a) && number(b) => share_of(a, b).or_else(|| arithmetic(a, b)),
            _ if unknown(a, b) => Some((Type::Unknown, None)),
            _ => None,
        },
        Div => match (a, b) {
            (Type::Duration | Type::Size | Type::Rate, n) if number(n) => Some((a.clone(), None)),
            (Type::Duration, Type::Duration) | (Type::Size, Type::Size) => {
                Some((Type::Float, None))
            }
            _ if number(a) && number(b) => share_of(a, b).or_else(|| arithmetic(a, b)),
            _ if unknown(a, b) => Some((Type::Unknown, None)),
            _ => None,
        },
        Rem => match (a, b) {
            (Type::Int | Type::Tokens, Type::Int | Type::Tokens) => arithmetic(a, b),
            _ if unknown(a, b) => Some((Type::Unknown, None)),
            _ => None,
        },
    }
}

fn unknown(a: &Type, b: &Type) -> bool {
    *a == Type::Unknown || *b == Type::Unknown
}

fn contains(list: &Type, item: &Type) -> bool {
    match list {
        Type::Unknown => true,
        Type::String => fits(item, &Type::String),
        Type::List(element) => unify(element, item).is_some(),
        _ => false,
    }
}

/// A percentage and a whole number are real numbers together.
fn share_of(a: &Type, b: &Type) -> Option<(Type, Option<Type>)> {
    let whole = |ty: &Type| matches!(ty, Type::Int | Type::Tokens);
    let both = (*a == Type::Percent && whole(b)) || (whole(a) && *b == Type::Percent);
    both.then_some((Type::Float, Some(Type::Float)))
}

fn arithmetic(a: &Type, b: &Type) -> Option<(Type, Option<Type>)> {
    if unknown(a, b) {
        return Some((Type::Unknown, None));
    }
    let ty = match unify(a, b)? {
        Type::Percent => Type::Float,
        ty @ (Type::Int
        | Type::Float
        | Type::Tokens
        | Type::Duration
        | Type::Size
        | Type::Unknown) => ty,
        _ => return None,
    };
    Some((ty.clone(), Some(ty)))
}
