//! Expressions: names, fields, branches.

use super::fit::{fits, optional, required};
use super::foreign_name::in_sight;
use super::names::Decl;
use super::typed::Typed;
use super::{Checker, Place, Scope};
use crate::ast::{self, ExprKind};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::plan::Expr;
use crate::span::Span;
use crate::suggest::{self, did_you_mean};
use crate::types::{EnumType, RecordType, Type, Value};

impl Checker<'_> {
    /// Checks an expression. `expected` helps where a word alone is ambiguous; it is not enforced.
    pub(crate) fn expr(
        &mut self,
        written: &ast::Expr,
        scope: &Scope<'_>,
        expected: Option<&Type>,
    ) -> Typed {
        if self.full() {
            return Typed::poison();
        }
        let typed = self.deeper(written.span, |this| this.expr_of(written, scope, expected));
        self.see(written.span, &typed.ty);
        typed
    }

    fn expr_of(
        &mut self,
        written: &ast::Expr,
        scope: &Scope<'_>,
        expected: Option<&Type>,
    ) -> Typed {
        let span = written.span;
        match &written.kind {
            ExprKind::Bad => Typed::poison(),
            ExprKind::Literal(value) => {
                if let Value::String(_) = value {
                    self.interpolation(span, scope);
                }
                Typed::constant(value.clone(), type_of(value))
            }
            ExprKind::Name(name) => self.name(name, span, scope, expected),
            ExprKind::Own(field) => self.own(field.as_ref(), span, scope),
            ExprKind::Field(inner, name) => self.field(inner, name, span, scope),
            ExprKind::At(list, index) => self.at(list, index, span, scope),
            ExprKind::Call(call) => self.call(call, scope),
            ExprKind::Unary(op, inner) => self.unary(*op, inner, span, scope),
            ExprKind::Binary(op, left, right) => self.binary(*op, left, right, span, scope),
            ExprKind::If(condition, yes, no) => {
                self.if_expr([condition, yes, no], span, scope, expected)
            }
            ExprKind::Match(subject, cases) => {
                self.match_expr(subject, cases, span, scope, expected)
            }
            ExprKind::List(items) => self.list(items, span, scope, expected),
            ExprKind::Record(name, block) => {
                self.record(name.as_ref(), block, span, scope, expected)
            }
        }
    }

    /// An expression of type bool.
    pub(crate) fn condition(&mut self, written: &ast::Expr, scope: &Scope<'_>) -> Typed {
        let typed = self.expr(written, scope, Some(&Type::Bool));
        if fits(&typed.ty, &Type::Bool) {
            return Typed { ty: Type::Bool, ..typed };
        }
        let text = self.input.sources.text(written.span).to_owned();
        let help = match &typed.ty {
            Type::Optional(inner) if **inner == Type::Bool => {
                format!("it may be null: write `{text} ?? false`")
            }
            Type::Int => format!("compare it, as in `{text} > 0`"),
            Type::String | Type::List(_) => format!("compare it, as in `length({text}) > 0`"),
            _ => "compare it with something".to_owned(),
        };
        let message = format!("a condition is a bool, found {}", typed.ty);
        self.report(Diagnostic::error(codes::NOT_BOOL, written.span, message).help(help));
        Typed::poison()
    }

    fn name(
        &mut self,
        name: &str,
        span: Span,
        scope: &Scope<'_>,
        expected: Option<&Type>,
    ) -> Typed {
        if let Some(slot) = scope.locals.iter().position(|(local, _)| local == name) {
            return Typed::leaf(Expr::Local(slot), scope.locals[slot].1.clone());
        }
        let stages = scope.columns.iter().enumerate().skip(scope.own);
        if let Some((at, column)) = stages.into_iter().find(|(_, column)| column.name == name) {
            return Typed::leaf(Expr::Column(at), column.ty.clone());
        }
        if let Some(Type::Enum(item)) = expected.map(required)
            && item.variants.iter().any(|variant| variant == name)
        {
            return variant(name, item);
        }
        if scope.poisoned.iter().any(|other| other == name) {
            self.used.insert(name.to_owned());
            return Typed::poison();
        }
        if let Some((declared, decl)) = self.names.values.get(name).copied() {
            self.used.insert(name.to_owned());
            if let Decl::Param(_) = decl {
                let (ty, value) = self.param(name);
                return Typed::constant(value, ty);
            }
            let message = format!("`{name}` is {}, not a value", decl.kind());
            let help = match decl {
                Decl::Fn(_) | Decl::Prompt(_) => format!("call it: `{name}(...)`"),
                Decl::Source(_) => "fields of the record are written `.field`".to_owned(),
                Decl::Endpoint(_) => format!("an endpoint stands after the call: `on {name}`"),
                Decl::Sink(_) if scope.place == Place::Outcome => {
                    "a test can look at the sinks that its flow emits to".to_owned()
                }
                _ => "an index is an argument of `retrieve` or `search`".to_owned(),
            };
            self.report(
                Diagnostic::error(codes::WRONG_DECLARATION, span, message)
                    .also(declared, "declared here")
                    .help(help),
            );
            return Typed::poison();
        }
        if let Some(item) = self.enum_with(name) {
            return variant(name, &item);
        }
        if !self.names.is_poisoned(name) && !self.unit_of_rate(name, span) {
            self.unknown_name(name, span, scope, expected);
        }
        Typed::poison()
    }

    /// The enum that alone has a variant of this name.
    fn enum_with(&mut self, name: &str) -> Option<EnumType> {
        let mut found = None;
        for lazy in self.types.values() {
            if let super::Lazy::Done(Type::Enum(item)) = lazy
                && item.variants.iter().any(|variant| variant == name)
            {
                if found.is_some() {
                    return None;
                }
                found = Some(item.clone());
            }
        }
        found
    }

    fn unknown_name(&mut self, name: &str, span: Span, scope: &Scope<'_>, expected: Option<&Type>) {
        if let Some(hidden) = scope.hidden.iter().rev().find(|hidden| hidden.name == name) {
            self.report(
                Diagnostic::error(codes::OTHER_PATH, span, hidden.message.clone())
                    .help(hidden.help.clone()),
            );
            return;
        }
        let behind = |stage: &&ast::Name| stage.text == name && stage.span > span;
        if let Some(later) = self.stages.iter().find(behind).filter(|_| scope.is_step()) {
            let message = format!("stage `{name}` is made further down");
            let diagnostic = Diagnostic::error(codes::UNKNOWN_NAME, span, message)
                .also(later.span, "here")
                .help("a step sees the stages above it; move that stage up, or this step down");
            self.report(diagnostic);
            return;
        }
        let mut diagnostic =
            Diagnostic::error(codes::UNKNOWN_NAME, span, format!("unknown name `{name}`"));
        if let Some(meant) = super::foreign::constant(name) {
            self.report(diagnostic.help(format!("write `{meant}`")).fix(span, meant));
            return;
        }
        let fields = &scope.columns[..scope.own];
        if fields.iter().any(|field| field.name == name) {
            diagnostic = diagnostic
                .help(format!("fields of the record are written with a dot: `.{name}`"))
                .fix(span, format!(".{name}"));
        } else {
            let params =
                self.names.values.iter().filter_map(|(name, (_, decl))| {
                    matches!(decl, Decl::Param(_)).then_some(*name)
                });
            let variants = match expected.map(required) {
                Some(Type::Enum(item)) => item.variants.as_slice(),
                _ => &[],
            };
            let known = scope.columns[scope.own..]
                .iter()
                .map(|column| column.name.as_str())
                .chain(scope.locals.iter().map(|(name, _)| name.as_str()))
                .chain(variants.iter().map(String::as_str))
                .chain(params);
            let help = did_you_mean(name, known);
            diagnostic = diagnostic.maybe_help(help.or_else(|| {
                let dotted = suggest::closest(name, fields.iter().map(|field| field.name.as_str()));
                if let Some(field) = dotted.first() {
                    return Some(format!("did you mean the field `.{field}`?"));
                }
                if variants.is_empty() {
                    return in_sight(name, scope);
                }
                Some(format!("variants are {}", suggest::list(variants.iter().map(String::as_str))))
            }));
        }
        self.report(diagnostic);
    }

    /// `.field` of the record at hand.
    fn own(&mut self, field: Option<&ast::Name>, span: Span, scope: &Scope<'_>) -> Typed {
        let fields = &scope.columns[..scope.own];
        let why_not = match (scope.place, field) {
            (Place::Function, _) => Some("a function sees its parameters only"),
            (Place::Constant | Place::Setting | Place::Outcome, _) => {
                Some("there is no record here")
            }
            (_, None) => Some("a `.` alone is not a value"),
            _ => None,
        };
        if let Some(message) = why_not {
            let help = match scope.place {
                Place::Function => "pass the field as an argument",
                Place::Constant | Place::Setting => "settings are constants: literals and params",
                Place::Outcome => "name the row of a sink, as in `answers[0].text`",
                _ => "name a field, as in `.text`",
            };
            self.report(Diagnostic::error(codes::NOT_CONSTANT, span, message).help(help));
            return Typed::poison();
        }
        let Some(name) = field else { return Typed::poison() };
        if let Some(at) = fields.iter().position(|column| column.name == name.text) {
            return Typed::leaf(Expr::Column(at), fields[at].ty.clone());
        }
        let text = &name.text;
        let mut diagnostic = Diagnostic::error(
            codes::UNKNOWN_FIELD,
            name.span,
            format!("the record has no field `{text}`"),
        );
        if scope.columns.iter().any(|column| column.name == *text) {
            diagnostic = diagnostic
                .help(format!("`{text}` is a stage; its name stands without a dot"))
                .fix(span, text.clone());
        } else if scope.poisoned.iter().any(|other| other == text || other == "*") {
            return Typed::poison();
        } else {
            let names = || fields.iter().map(|column| column.name.as_str());
            diagnostic =
                diagnostic.help(did_you_mean(text, names()).unwrap_or_else(|| fields_are(names())));
        }
        self.report(diagnostic);
        Typed::poison()
    }

    fn field(
        &mut self,
        inner: &ast::Expr,
        name: &ast::Name,
        span: Span,
        scope: &Scope<'_>,
    ) -> Typed {
        if self.qualified(inner, name, span, scope) {
            return Typed::poison();
        }
        let value = self.expr(inner, scope, None);
        let shape = value.shape.under(2);
        match &value.ty {
            Type::Unknown => Typed::poison(),
            Type::List(item) => match item.as_ref() {
                Type::Record(record) => {
                    let Some((at, ty)) = self.field_of(record, name) else {
                        return Typed::poison();
                    };
                    let ty = Type::List(Box::new(ty));
                    self.node(span, Expr::FieldOfEach(Box::new(value.expr), at), ty, shape)
                }
                Type::Unknown => Typed::poison(),
                _ => self.no_fields(&value.ty, name, inner.span),
            },
            ty => match required(ty) {
                Type::Record(record) => {
                    let Some((at, found)) = self.field_of(record, name) else {
                        return Typed::poison();
                    };
                    let ty = if matches!(ty, Type::Optional(_)) { optional(found) } else { found };
                    self.node(span, Expr::Field(Box::new(value.expr), at), ty, shape)
                }
                _ => self.no_fields(ty, name, inner.span),
            },
        }
    }

    fn no_fields(&mut self, ty: &Type, name: &ast::Name, of: Span) -> Typed {
        let text = self.input.sources.text(of).to_owned();
        let message = format!("{ty} has no fields");
        let help = match (required(ty), name.text.as_str()) {
            (Type::String | Type::List(_), "length" | "len" | "count" | "size") => {
                Some(format!("write `length({text})`"))
            }
            (Type::Time, _) => Some(super::foreign::PART_OF_TIME.replace(".at", &text)),
            (Type::Duration, name) => super::foreign::unit_of_duration(name)
                .map(|unit| format!("a duration is a number by division: `{text} / {unit}`")),
            (Type::String, "text") => Some("it is the text already; leave `.text` out".to_owned()),
            _ => None,
        };
        let length = help.as_ref().is_some_and(|help| help.starts_with("write `length("));
        let diagnostic = Diagnostic::error(codes::NO_FIELDS, name.span, message).maybe_help(help);
        self.report(if length && !matches!(ty, Type::Optional(_)) {
            diagnostic.fix(of.to(name.span), format!("length({text})"))
        } else {
            diagnostic
        });
        Typed::poison()
    }

    fn field_of(&mut self, record: &RecordType, name: &ast::Name) -> Option<(usize, Type)> {
        if let Some((at, field)) = record.field(&name.text) {
            return Some((at, field.ty.clone()));
        }
        let names = || record.fields.iter().map(|field| field.name.as_str());
        let help = did_you_mean(&name.text, names()).unwrap_or_else(|| fields_are(names()));
        let message = format!("{} has no field `{}`", record.name, name.text);
        self.report(Diagnostic::error(codes::UNKNOWN_FIELD, name.span, message).help(help));
        None
    }
}

/// Which fields there are.
pub(super) fn fields_are<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let known = suggest::list(names);
    if known.is_empty() { "it has no fields".to_owned() } else { format!("its fields are {known}") }
}

fn variant(name: &str, item: &EnumType) -> Typed {
    Typed::constant(Value::String(name.to_owned()), Type::Enum(item.clone()))
}

/// Type of a literal.
pub(crate) fn type_of(value: &Value) -> Type {
    match value {
        Value::Bool(_) => Type::Bool,
        Value::Int(_) => Type::Int,
        Value::Float(_) => Type::Float,
        Value::String(_) => Type::String,
        Value::Time(_) => Type::Time,
        Value::Duration(_) => Type::Duration,
        Value::Size(_) => Type::Size,
        Value::Rate(_) => Type::Rate,
        Value::Percent(_) => Type::Percent,
        Value::Tokens(_) => Type::Tokens,
        Value::List(items) => Type::List(Box::new(items.first().map_or(Type::Unknown, type_of))),
        Value::Null | Value::Call { .. } => Type::Unknown,
    }
}
