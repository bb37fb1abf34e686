//! Which types go together, and what to say when they do not.

use super::typed::Typed;
use super::{Checker, Scope};
use crate::ast::{self, ExprKind};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::plan::{Expr, Function};
use crate::span::Span;
use crate::suggest;
use crate::types::{EnumType, RecordType, Type, Value};

/// Whether a value of type `from` may stand where `to` is due, after [`coerce`].
pub(crate) fn fits(from: &Type, to: &Type) -> bool {
    match (from, to) {
        (Type::Unknown, _) | (_, Type::Unknown) => true,
        (Type::Int | Type::Percent | Type::Tokens, Type::Float) => true,
        (Type::Int, Type::Tokens) | (Type::Tokens, Type::Int) => true,
        (Type::Vector(a), Type::Vector(b)) => a.is_none() || b.is_none() || a == b,
        (Type::Optional(a), Type::Optional(b)) => fits_inside(a, b),
        (a, Type::Optional(b)) => fits_inside(a, b),
        (Type::List(a), Type::List(b)) => fits_inside(a, b),
        (Type::Record(a), Type::Record(b)) => same_layout(a, b),
        (a, b) => a == b,
    }
}

/// Inside of lists and optionals nothing is converted, so int is not float there.
fn fits_inside(from: &Type, to: &Type) -> bool {
    match (from, to) {
        (Type::Int | Type::Percent | Type::Tokens, Type::Float) => false,
        _ => fits(from, to),
    }
}

fn same_layout(a: &RecordType, b: &RecordType) -> bool {
    a.fields.len() == b.fields.len()
        && a.fields
            .iter()
            .zip(&b.fields)
            .all(|(a, b)| a.name == b.name && fits_inside(&a.ty, &b.ty))
}

/// The type of a value that is one of two.
pub(crate) fn unify(a: &Type, b: &Type) -> Option<Type> {
    match (a, b) {
        (Type::Unknown, other) | (other, Type::Unknown) => Some(other.clone()),
        (a, b) if a == b => Some(a.clone()),
        (Type::Float, _) if fits(b, a) => Some(Type::Float),
        (_, Type::Float) if fits(a, b) => Some(Type::Float),
        (Type::Tokens, Type::Int) | (Type::Int, Type::Tokens) => Some(Type::Tokens),
        (Type::Vector(_), Type::Vector(_)) => Some(Type::Vector(None)),
        (Type::Optional(a), Type::Optional(b)) => Some(Type::Optional(Box::new(unify_same(a, b)?))),
        (Type::Optional(a), b) | (b, Type::Optional(a)) => {
            Some(Type::Optional(Box::new(unify_same(a, b)?)))
        }
        (Type::List(a), Type::List(b)) => Some(Type::List(Box::new(unify_same(a, b)?))),
        (Type::Record(x), Type::Record(y)) => same_layout(x, y).then(|| a.clone()),
        _ => None,
    }
}

fn unify_same(a: &Type, b: &Type) -> Option<Type> {
    if fits_inside(a, b) { Some(b.clone()) } else { fits_inside(b, a).then(|| a.clone()) }
}

/// `T?` of any type; an optional stays as it is.
pub(crate) fn optional(ty: Type) -> Type {
    match ty {
        Type::Optional(_) | Type::Unknown => ty,
        other => Type::Optional(Box::new(other)),
    }
}

/// `T?` of any type, also of one that is not known.
pub(super) fn nullable(ty: Type) -> Type {
    if ty == Type::Unknown { Type::Optional(Box::new(ty)) } else { optional(ty) }
}

/// The type without its `?`.
pub(crate) fn required(ty: &Type) -> &Type {
    if let Type::Optional(inner) = ty { inner } else { ty }
}

impl Checker<'_> {
    /// Checks an expression that must have type `to`.
    pub(crate) fn want(&mut self, expr: &ast::Expr, scope: &Scope<'_>, to: &Type) -> Typed {
        let typed = self.expr(expr, scope, Some(to));
        self.coerce(expr, typed, to)
    }

    /// Makes a checked expression fit `to`, or reports why it does not.
    pub(crate) fn coerce(&mut self, written: &ast::Expr, typed: Typed, to: &Type) -> Typed {
        let null = matches!(written.kind, ExprKind::Literal(Value::Null))
            && !matches!(to, Type::Optional(_) | Type::Unknown);
        if null || !fits(&typed.ty, to) {
            if let Some(narrowed) = narrowed(&typed, to) {
                return narrowed;
            }
            let ty = if null { nullable(typed.ty) } else { typed.ty };
            self.mismatch(written, &Typed { ty, ..typed }, to);
            return Typed::poison();
        }
        self.warn_of_remainder(written, &typed, to);
        convert(typed, to)
    }

    /// Says that a value does not fit, and what would.
    pub(crate) fn mismatch(&mut self, written: &ast::Expr, typed: &Typed, to: &Type) {
        let span = written.span;
        if let Some(help) = missing_unit(typed, to) {
            self.report(
                Diagnostic::error(codes::MISSING_UNIT, span, format!("a {to} needs a unit"))
                    .help(help),
            );
            return;
        }
        let text = self.input.sources.text(span).to_owned();
        let text = if text.len() > 40 || text.is_empty() { "x".to_owned() } else { text };
        let found = &typed.ty;
        let mut diagnostic =
            Diagnostic::error(codes::TYPE_MISMATCH, span, format!("expected {to}, found {found}"))
                .label(format!("this is {found}"));
        diagnostic = match (found, to, &written.kind) {
            (Type::Int | Type::Float, ty, _) if *required(ty) == Type::Percent => diagnostic
                .help("a share that is computed is a `float`; declare it so: 0.05 is what `5%` is"),
            (Type::List(item), Type::String, ExprKind::List(_)) if **item == Type::String => {
                diagnostic.help("one text is due here, and this is a list of texts")
            }
            (Type::List(item), Type::String, _) if **item == Type::String => diagnostic
                .help(format!("write `join({text}, \"\\n\")` to make one string of the list"))
                .fix(span, format!("join({text}, \"\\n\")")),
            (Type::String, ty, kind) if *required(ty) == Type::Time => {
                text_for_time(diagnostic, kind, (span, &text))
            }
            (Type::Optional(_), _, ExprKind::Literal(Value::Null)) => {
                diagnostic.help(format!("only `{to}?` takes null"))
            }
            (Type::Optional(inner), _, _) if fits(inner, to) => {
                diagnostic.help(format!("it may be null: write `{text} ?? {}`", sample(to)))
            }
            (
                Type::String,
                Type::Int | Type::Float | Type::Bool | Type::Duration | Type::Rate | Type::Percent,
                ExprKind::Literal(Value::String(s)),
            ) => {
                let diagnostic = diagnostic.help(format!("write `{s}` without quotes"));
                let constant = matches!(s.as_str(), "true" | "false");
                match crate::literal::number(s) {
                    Ok(_) => diagnostic.fix(span, s.clone()),
                    Err(_) if constant => diagnostic.fix(span, s.clone()),
                    Err(crate::literal::LiteralError { fix: Some(fix), .. }) => {
                        diagnostic.fix(span, fix)
                    }
                    Err(_) => diagnostic,
                }
            }
            (Type::String, ty, kind) if matches!(required(ty), Type::Enum(_)) => {
                match required(ty) {
                    Type::Enum(item) => text_for_enum(diagnostic, kind, (span, &text), item),
                    _ => diagnostic,
                }
            }
            (Type::String, Type::Int, _) => diagnostic.help(format!("write `to_int({text})`")),
            (Type::String, Type::Float, _) => diagnostic.help(format!("write `to_float({text})`")),
            (Type::Float, Type::Int, _) => diagnostic.help(format!("write `round({text})`")),
            (
                Type::Int | Type::Float | Type::Bool | Type::Tokens | Type::Enum(_),
                Type::String,
                _,
            ) => diagnostic.help(format!("write `to_string({text})`")),
            (Type::Record(_), _, ExprKind::Record(None, block)) if !block.entries.is_empty() => {
                let value =
                    |entry: &ast::Entry| self.input.sources.text(entry.value.span).to_owned();
                if let [entry] = block.entries.as_slice() {
                    let value = value(entry);
                    diagnostic.help(format!("write `{value}`")).fix(span, value)
                } else {
                    let named = block.entries.iter();
                    let named = named.map(|entry| format!("{}: {}", entry.key.text, value(entry)));
                    let named = named.collect::<Vec<_>>().join(", ");
                    diagnostic.help(format!("values of a call stand without braces: `{named}`"))
                }
            }
            (Type::Record(record), _, _) => {
                let fields = record.fields.iter().filter(|field| fits(&field.ty, to));
                let known: Vec<String> =
                    fields.take(3).map(|field| format!("`{text}.{}`", field.name)).collect();
                if known.is_empty() {
                    diagnostic
                } else {
                    diagnostic.help(format!("of its fields, {} would fit", known.join(", ")))
                }
            }
            (_, Type::List(item), _) if fits(found, item) => {
                diagnostic.help(format!("write `[{text}]` for a list of one"))
            }
            _ => diagnostic,
        };
        self.report(diagnostic);
    }
}

/// How a text is made a variant of an enum: the bare word, or a choice of them.
pub(super) fn text_for_enum(
    diagnostic: Diagnostic,
    kind: &ExprKind,
    (span, text): (Span, &str),
    item: &EnumType,
) -> Diagnostic {
    let variants = || item.variants.iter().map(String::as_str);
    if let ExprKind::Literal(Value::String(word)) = kind {
        let known = suggest::list(variants());
        let diagnostic = diagnostic.help(format!("variants are bare words: {known}"));
        return match variants().find(|variant| variant.eq_ignore_ascii_case(word.trim())) {
            Some(variant) => diagnostic.fix(span, variant),
            None => diagnostic,
        };
    }
    let first = variants().next().unwrap_or("word");
    let last = variants().next_back().unwrap_or(first);
    diagnostic.help(format!(
        "say which text is which word: `match {text} {{ \"{first}\" => {first}, _ => {last} }}`; or \
         declare what is read as `{}` where it comes from",
        item.name
    ))
}

/// How a text is made a time.
pub(super) fn text_for_time(
    diagnostic: Diagnostic,
    kind: &ExprKind,
    (span, text): (Span, &str),
) -> Diagnostic {
    match kind {
        ExprKind::Literal(Value::String(literal)) if crate::time::parse(literal).is_err() => {
            diagnostic.help("a time is written `time(\"2026-11-28T10:00:00Z\")`")
        }
        _ => diagnostic.help(format!("write `time({text})`")).fix(span, format!("time({text})")),
    }
}

/// Turns a value that fits into exactly `to`, as far as the two are held differently.
pub(crate) fn convert(typed: Typed, to: &Type) -> Typed {
    let target = required(to);
    let ty = to.clone();
    match (typed.expr, &typed.ty, target) {
        (Expr::Literal(Value::Int(n)), _, Type::Float) => {
            Typed::constant(Value::Float(n as f64), ty)
        }
        (Expr::Literal(Value::Percent(x)), _, Type::Float) => Typed::constant(Value::Float(x), ty),
        (Expr::Literal(Value::Tokens(n)), _, Type::Int) => Typed::constant(Value::Int(n), ty),
        (Expr::Literal(Value::Int(n)), _, Type::Tokens) => Typed::constant(Value::Tokens(n), ty),
        (expr, Type::Int | Type::Tokens | Type::Percent, Type::Float) => Typed {
            expr: Expr::Call(Function::ToFloat, vec![expr]),
            ty,
            shape: typed.shape.under(1),
        },
        (expr, from, _) => {
            // What is known of the value says more than the place, unless it is a mere null.
            let keep = !vague(from)
                && matches!(
                    (from, to),
                    (Type::List(_) | Type::Vector(_) | Type::Record(_), _) | (_, Type::Unknown)
                );
            let ty = if keep { from.clone() } else { ty };
            Typed { expr, ty, shape: typed.shape }
        }
    }
}

/// A record, or a list of records, without the fields that `to` does not have; `None` where that is
/// not all the difference.
pub(crate) fn narrowed(typed: &Typed, to: &Type) -> Option<Typed> {
    let fields = match (required(&typed.ty), required(to)) {
        _ if matches!(typed.ty, Type::Optional(_)) && !matches!(to, Type::Optional(_)) => None,
        (Type::Record(from), Type::Record(to)) => picked(from, to),
        (Type::List(from), Type::List(to)) => match (from.as_ref(), to.as_ref()) {
            (Type::Record(from), Type::Record(to)) => picked(from, to),
            _ => None,
        },
        _ => None,
    }?;
    let expr = Expr::Pick(Box::new(typed.expr.clone()), fields);
    Some(Typed { expr, ty: to.clone(), shape: typed.shape.under(2) })
}

/// Where the fields of `to` stand in `from`.
fn picked(from: &RecordType, to: &RecordType) -> Option<Vec<usize>> {
    let place = |field: &crate::types::Field| {
        let (at, found) = from.field(&field.name)?;
        fits_inside(&found.ty, &field.ty).then_some(at)
    };
    to.fields.iter().map(place).collect()
}

pub(crate) fn vague(ty: &Type) -> bool {
    match ty {
        Type::Unknown => true,
        Type::List(item) | Type::Optional(item) => vague(item),
        _ => false,
    }
}

/// Help for a bare number where a unit is due.
fn missing_unit(typed: &Typed, to: &Type) -> Option<String> {
    let number = match typed.value()? {
        Value::Int(n) => n.to_string(),
        Value::Float(x) => x.to_string(),
        _ => return None,
    };
    Some(match required(to) {
        Type::Duration => format!("write `{number}s` or `{number}ms`"),
        Type::Size => format!("write `{number}MiB` or `{number}KiB`"),
        Type::Rate => format!("write `{number}/s` or `{number}/min`"),
        Type::Percent => match typed.value()? {
            // A share is often written as a fraction elsewhere.
            Value::Float(x) if *x > 0.0 && *x <= 1.0 => {
                format!("write `{}%`", (x * 1e8).round() / 1e6)
            }
            _ => format!("write `{number}%`"),
        },
        _ => return None,
    })
}

pub(super) fn sample(ty: &Type) -> &'static str {
    match ty {
        Type::String => "\"\"",
        Type::Float => "0.0",
        Type::Bool => "false",
        Type::List(_) => "[]",
        Type::Time => "time(\"1970-01-01\")",
        Type::Duration => "0s",
        Type::Int | Type::Tokens | Type::Size | Type::Rate | Type::Percent => "0",
        _ => "...",
    }
}
