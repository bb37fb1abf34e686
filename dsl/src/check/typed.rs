//! A checked expression: what to compute, its type, and how large it is.
//!
//! Size and depth are bounded while an expression is built. Inlining functions could otherwise
//! double it at every call, and a plan is read by recursive code (evaluators, JSON readers with a
//! limit of 128 levels). Depth is therefore counted in levels of JSON; most nodes take two.

use super::{Checker, constant};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::plan::Expr;
use crate::span::Span;
use crate::types::{Type, Value};

const MAX_SIZE: u32 = 10_000;
const MAX_DEPTH: u32 = 112;
/// Levels of the written expression. Each is at least one node, so this is no further limit; it
/// stops the checker itself from going deeper.
const MAX_WRITTEN: usize = 60;
/// Levels of JSON that a type may take.
const MAX_TYPE: u32 = 90;

#[derive(Debug, Clone)]
pub(crate) struct Typed {
    pub(crate) expr: Expr,
    pub(crate) ty: Type,
    pub(crate) shape: Shape,
}

/// Number of nodes and of levels.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Shape {
    pub(crate) size: u32,
    pub(crate) depth: u32,
}

impl Shape {
    /// Both side by side.
    pub(crate) fn and(self, other: Shape) -> Shape {
        Shape { size: self.size.saturating_add(other.size), depth: self.depth.max(other.depth) }
    }

    /// One node with this inside, `levels` further down.
    pub(crate) fn under(self, levels: u32) -> Shape {
        Shape { size: self.size.saturating_add(1), depth: self.depth.saturating_add(levels) }
    }

    pub(crate) fn of_all<'t>(parts: impl IntoIterator<Item = &'t Typed>) -> Shape {
        parts.into_iter().fold(Shape::default(), |all, part| all.and(part.shape))
    }
}

impl Typed {
    /// Stands for a piece that was reported. Not a null: that would make others optional.
    pub(crate) fn poison() -> Typed {
        Typed::constant(Value::Bool(false), Type::Unknown)
    }

    pub(crate) fn is_poison(&self) -> bool {
        self.ty == Type::Unknown && matches!(self.expr, Expr::Literal(Value::Bool(_)))
    }

    pub(crate) fn constant(value: Value, ty: Type) -> Typed {
        let depth = 1 + value_depth(&value);
        Typed { expr: Expr::Literal(value), ty, shape: Shape { size: 1, depth } }
    }

    pub(crate) fn leaf(expr: Expr, ty: Type) -> Typed {
        Typed { expr, ty, shape: Shape { size: 1, depth: 1 } }
    }

    pub(crate) fn value(&self) -> Option<&Value> {
        if let Expr::Literal(value) = &self.expr { Some(value) } else { None }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self.expr, Expr::Literal(Value::Null))
    }
}

impl Checker<'_> {
    /// Whether an expression of this shape is allowed; says so if not.
    pub(crate) fn bounded(&mut self, span: Span, shape: Shape) -> bool {
        if shape.size <= MAX_SIZE && shape.depth <= MAX_DEPTH {
            return true;
        }
        let message = if shape.size > MAX_SIZE {
            format!("the expression has more than {MAX_SIZE} parts once functions are inlined")
        } else {
            format!(
                "the expression is more than {} levels deep once functions are inlined",
                MAX_DEPTH / 2
            )
        };
        self.report(
            Diagnostic::error(codes::TOO_LARGE, span, message)
                .help("give a part of it a column of its own by a `stage`"),
        );
        false
    }

    /// Runs `inner` one level further down, if the written expression may go so deep.
    pub(crate) fn deeper(&mut self, span: Span, inner: impl FnOnce(&mut Self) -> Typed) -> Typed {
        if self.written >= MAX_WRITTEN {
            self.bounded(span, Shape { size: 0, depth: MAX_DEPTH + 1 });
            return Typed::poison();
        }
        self.written += 1;
        let typed = inner(self);
        self.written -= 1;
        typed
    }

    /// Whether a type is of a depth that a plan can hold; says so if not.
    pub(crate) fn bounded_type(&mut self, span: Span, ty: &Type) -> bool {
        let good = type_depth(ty) <= MAX_TYPE;
        if !good {
            let message = "records are nested too deeply in this type";
            self.report(Diagnostic::error(codes::TOO_LARGE, span, message));
        }
        good
    }

    /// A node over checked parts; constants are folded.
    pub(crate) fn node(&mut self, span: Span, expr: Expr, ty: Type, shape: Shape) -> Typed {
        if !self.bounded(span, shape) {
            return Typed::poison();
        }
        match constant::fold(&expr) {
            Some(value) => Typed::constant(value, ty),
            None => Typed { expr, ty, shape },
        }
    }
}

fn value_depth(value: &Value) -> u32 {
    match value {
        Value::List(items) => 2 + items.iter().map(value_depth).max().unwrap_or(0),
        Value::Call { args, .. } => {
            4 + args.iter().map(|(_, arg)| value_depth(arg)).max().unwrap_or(0)
        }
        _ => 1,
    }
}

fn type_depth(ty: &Type) -> u32 {
    match ty {
        Type::List(item) | Type::Optional(item) => 1 + type_depth(item),
        Type::Record(record) => {
            4 + record.fields.iter().map(|field| type_depth(&field.ty)).max().unwrap_or(0)
        }
        _ => 2,
    }
}
