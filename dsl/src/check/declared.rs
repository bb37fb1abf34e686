//! Types, enums and params.

use super::fit::fits;
use super::names::{Decl, TypeDecl};
use super::{Checker, Lazy, Scope};
use crate::ast::{self, TyKind};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::parse;
use crate::span::Span;
use crate::suggest::{self, did_you_mean};
use crate::types::{EnumType, Field, RecordType, Type, Value};

const BUILT_IN: &[(&str, Type)] = &[
    ("int", Type::Int),
    ("float", Type::Float),
    ("bool", Type::Bool),
    ("string", Type::String),
    ("bytes", Type::Bytes),
    ("time", Type::Time),
    ("duration", Type::Duration),
    ("size", Type::Size),
    ("rate", Type::Rate),
    ("percent", Type::Percent),
    ("tokens", Type::Tokens),
    ("vector", Type::Vector(None)),
];

/// Names of types in other languages.
const FOREIGN: &[(&str, &str)] = &[
    ("str", "string"),
    ("String", "string"),
    ("text", "string"),
    ("integer", "int"),
    ("i64", "int"),
    ("number", "float"),
    ("double", "float"),
    ("f64", "float"),
    ("boolean", "bool"),
    ("list", "[T]"),
    ("array", "[T]"),
];

/// Fields a type may have once everything in it is spelt out.
const MAX_FIELDS: usize = 1_000;

impl<'a> Checker<'a> {
    pub(crate) fn check_types(&mut self) {
        let names: Vec<&'a str> = self.names.types.keys().copied().collect();
        for name in names {
            self.declared_type(name);
        }
    }

    /// A written type.
    pub(crate) fn ty(&mut self, ty: &ast::Ty) -> Type {
        let inner = match &ty.kind {
            TyKind::List(item) => Type::List(Box::new(self.ty(item))),
            TyKind::Vector(length) => Type::Vector(*length),
            TyKind::Name(name) => self.named_type(name, ty.span),
        };
        if ty.optional && inner != Type::Unknown { Type::Optional(Box::new(inner)) } else { inner }
    }

    pub(crate) fn named_type(&mut self, name: &str, span: Span) -> Type {
        if let Some((_, ty)) = BUILT_IN.iter().find(|(built_in, _)| *built_in == name) {
            return ty.clone();
        }
        if let Some((declared, _)) = self.names.types.get_key_value(name) {
            let declared = *declared;
            self.used.insert(declared.to_owned());
            return self.declared_type(declared);
        }
        if self.names.is_poisoned(name) {
            return Type::Unknown;
        }
        let known = self.names.types.keys().copied().chain(BUILT_IN.iter().map(|(name, _)| *name));
        let help = match FOREIGN.iter().find(|(foreign, _)| *foreign == name) {
            Some((_, right)) => Some(format!("write `{right}`")),
            None => did_you_mean(name, known),
        };
        let help = help.or_else(|| {
            Some(format!(
                "declare it by `type {name} {{ ... }}`, or use one of {}",
                suggest::list(BUILT_IN.iter().take(4).map(|(name, _)| *name))
            ))
        });
        self.report(
            Diagnostic::error(codes::UNKNOWN_TYPE, span, format!("unknown type `{name}`"))
                .maybe_help(help),
        );
        Type::Unknown
    }

    fn declared_type(&mut self, name: &'a str) -> Type {
        let (span, decl) = match (self.types.get(name), self.names.types.get(name)) {
            (Some(Lazy::Done(ty)), _) => return ty.clone(),
            (Some(Lazy::Busy), Some((span, _))) => {
                let message = format!("type `{name}` contains itself");
                let diagnostic = Diagnostic::error(codes::RECURSION, *span, message)
                    .help("a record has a fixed layout; refer to another record by its key");
                self.report(diagnostic);
                self.types.insert(name.to_owned(), Lazy::Done(Type::Unknown));
                return Type::Unknown;
            }
            (_, Some(found)) => *found,
            _ => return Type::Unknown,
        };
        self.types.insert(name.to_owned(), Lazy::Busy);
        let ty = match decl {
            TypeDecl::Enum(def) => self.enum_type(def),
            TypeDecl::Record(def) => {
                if let Some(ty) = self.nested(|this| this.record_type(def)) {
                    ty
                } else {
                    self.too_nested(span, "types");
                    Type::Unknown
                }
            }
        };
        // A type found to contain itself stays unknown.
        if let Some(Lazy::Done(poisoned)) = self.types.get(name) {
            return poisoned.clone();
        }
        self.types.insert(name.to_owned(), Lazy::Done(ty.clone()));
        ty
    }

    pub(crate) fn too_nested(&mut self, span: Span, what: &str) {
        let message = format!("{what} refer to each other too deeply");
        self.report(Diagnostic::error(codes::TOO_DEEP, span, message));
    }

    fn enum_type(&mut self, def: &ast::EnumDef) -> Type {
        let mut variants: Vec<String> = Vec::new();
        for variant in &def.variants {
            if variants.contains(&variant.text) {
                let message = format!("variant `{}` is given twice", variant.text);
                self.report(Diagnostic::error(codes::TWICE, variant.span, message));
            } else {
                variants.push(variant.text.clone());
            }
        }
        Type::Enum(EnumType { name: def.name.text.clone(), variants })
    }

    fn record_type(&mut self, def: &'a ast::TypeDef) -> Type {
        let mut fields: Vec<Field> = Vec::new();
        for field in &def.fields {
            if fields.iter().any(|other| other.name == field.name.text) {
                let message = format!("field `{}` is given twice", field.name.text);
                self.report(Diagnostic::error(codes::TWICE, field.name.span, message));
                continue;
            }
            let ty = self.ty(&field.ty);
            let default = field
                .default
                .as_ref()
                .and_then(|value| self.constant(value, &Scope::constant(), &ty));
            let mut key = false;
            for attribute in &field.attributes {
                key |= attribute.text == "key";
                if attribute.text != "key" {
                    let message = format!("unknown attribute `@{}`", attribute.text);
                    self.report(
                        Diagnostic::error(codes::BAD_ATTRIBUTE, attribute.span, message)
                            .help("`@key` marks the identity of a record"),
                    );
                }
            }
            if key && fields.iter().any(|other| other.key) {
                let message = "a type has one `@key`";
                self.report(Diagnostic::error(codes::BAD_ATTRIBUTE, field.name.span, message));
                key = false;
            }
            fields.push(Field { name: field.name.text.clone(), ty, default, key });
        }
        let record = Type::Record(RecordType { name: def.name.text.clone(), fields });
        if !self.bounded_type(def.name.span, &record) {
            return Type::Unknown;
        }
        if count_fields(&record) > MAX_FIELDS {
            let message = format!("type `{}` has more than {MAX_FIELDS} fields", def.name.text);
            self.report(Diagnostic::error(codes::TOO_LARGE, def.name.span, message));
            return Type::Unknown;
        }
        record
    }

    /// A constant of type `ty`; reported and `None` when it is none.
    pub(crate) fn constant(
        &mut self,
        written: &ast::Expr,
        scope: &Scope<'_>,
        ty: &Type,
    ) -> Option<Value> {
        let before = self.diagnostics.len();
        self.slots = 0;
        let typed = self.want(written, scope, ty);
        if typed.is_poison() {
            return None;
        }
        if let Some(value) = typed.value() {
            return (self.diagnostics.len() == before).then(|| value.clone());
        }
        if self.diagnostics.len() == before {
            self.report(
                Diagnostic::error(codes::NOT_CONSTANT, written.span, "a constant is needed here")
                    .help("constants are literals, params, and arithmetic on them"),
            );
        }
        None
    }

    pub(crate) fn check_overrides(&mut self) {
        for (name, _) in self.input.overrides {
            let is_param =
                |(_, (_, decl)): (&&'a str, &(Span, Decl<'a>))| matches!(decl, Decl::Param(_));
            if self.names.values.iter().any(|entry| *entry.0 == name.as_str() && is_param(entry))
                || self.names.is_poisoned(name)
            {
                continue;
            }
            let params: Vec<&str> = self
                .names
                .values
                .iter()
                .filter(|entry| is_param((entry.0, entry.1)))
                .map(|entry| *entry.0)
                .collect();
            let help = did_you_mean(name, params.iter().copied()).unwrap_or_else(|| {
                if params.is_empty() {
                    "the program declares no params".to_owned()
                } else {
                    format!("its params are {}", suggest::list(params.iter().copied()))
                }
            });
            let start = Span { file: 0, start: 0, end: 0 };
            self.report(
                Diagnostic::error(
                    codes::UNKNOWN_SET,
                    start,
                    format!("the program has no param `{name}`, given by `--set`"),
                )
                .help(help),
            );
        }
    }

    pub(crate) fn check_params(&mut self) {
        let names: Vec<&'a str> = self.names.values.keys().copied().collect();
        for name in names {
            if matches!(self.names.values.get(name), Some((_, Decl::Param(_)))) {
                self.param(name);
            }
        }
    }

    pub(crate) fn param_values(&self) -> Vec<(String, Value)> {
        let done = self.params.iter().filter_map(|(name, param)| match param {
            Lazy::Done((_, value)) => Some((name.clone(), value.clone())),
            Lazy::Busy => None,
        });
        done.collect()
    }

    /// Type and value of the param called `name`.
    pub(crate) fn param(&mut self, name: &str) -> (Type, Value) {
        let (span, param) = match (self.params.get(name), self.names.values.get(name)) {
            (Some(Lazy::Done(done)), _) => return done.clone(),
            (Some(Lazy::Busy), Some((span, _))) => {
                let message = format!("param `{name}` uses itself");
                let diagnostic = Diagnostic::error(codes::RECURSION, *span, message);
                self.report(diagnostic);
                return (Type::Unknown, Value::Null);
            }
            (None, Some((span, Decl::Param(param)))) => (*span, *param),
            _ => return (Type::Unknown, Value::Null),
        };
        self.params.insert(name.to_owned(), Lazy::Busy);
        let done = self.nested(|this| this.param_value(param)).unwrap_or_else(|| {
            self.too_nested(span, "params");
            (Type::Unknown, Value::Null)
        });
        self.params.insert(name.to_owned(), Lazy::Done(done.clone()));
        done
    }

    fn param_value(&mut self, param: &'a ast::Param) -> (Type, Value) {
        let name = &param.name;
        let declared = param.ty.as_ref().map(|ty| self.ty(ty));
        let given = self.input.overrides.iter().rev().find(|(key, _)| *key == name.text);
        let ty = declared.clone().unwrap_or(Type::Unknown);
        let default = param.default.as_ref().map(|value| {
            let before = self.diagnostics.len();
            self.slots = 0;
            let typed = self.want(value, &Scope::setting(), &ty);
            if typed.value().is_none() && self.diagnostics.len() == before {
                self.report(
                    Diagnostic::error(
                        codes::NOT_CONSTANT,
                        value.span,
                        "the default of a param is a constant",
                    )
                    .help(
                        "constants are literals, other params, `env(...)` and arithmetic on them",
                    ),
                );
            }
            let value = typed.value().filter(|_| !typed.is_poison()).cloned();
            (typed.ty.clone(), value)
        });
        if declared.is_none() {
            let guess = default.as_ref().map_or("string".to_owned(), |(ty, _)| ty.to_string());
            let guess = if guess == "unknown" { "string".to_owned() } else { guess };
            self.report(
                Diagnostic::error(
                    codes::PARAM_VALUE,
                    name.span,
                    format!("param `{}` has no type", name.text),
                )
                .help(format!("write `param {}: {guess} = ...`", name.text))
                .fix(name.span.after(), format!(": {guess}")),
            );
            return default.map_or((Type::Unknown, Value::Null), |(ty, value)| {
                (ty, value.unwrap_or(Value::Null))
            });
        }
        if let Some((_, text)) = given {
            return (ty.clone(), self.override_value(name, text, &ty));
        }
        if default.is_none() && !matches!(ty, Type::Optional(_)) {
            self.report(
                Diagnostic::error(
                    codes::PARAM_VALUE,
                    name.span,
                    format!("param `{}` has no value", name.text),
                )
                .help(format!("give a default by `= ...`, or run with `--set {}=...`", name.text)),
            );
            return (Type::Unknown, Value::Null);
        }
        match default {
            Some((_, None)) => (Type::Unknown, Value::Null),
            Some((_, Some(value))) => (ty, value),
            None => (ty, Value::Null),
        }
    }

    /// The value of `--set name=text`.
    fn override_value(&mut self, name: &ast::Name, text: &str, ty: &Type) -> Value {
        if *super::fit::required(ty) == Type::String {
            return Value::String(text.to_owned());
        }
        let Some(written) = parse::expression(u32::MAX, text) else {
            return self.bad_override(name, text, ty);
        };
        let before = self.diagnostics.len();
        let typed = self.expr(&written, &Scope::constant(), Some(ty));
        // Findings inside of the text have no place in a file.
        let silent = self.diagnostics.len() == before;
        self.diagnostics.truncate(before);
        if silent
            && fits(&typed.ty, ty)
            && let Some(value) = super::fit::convert(typed, ty).value()
        {
            return value.clone();
        }
        self.bad_override(name, text, ty)
    }

    fn bad_override(&mut self, name: &ast::Name, text: &str, ty: &Type) -> Value {
        let text: String = text.chars().take(60).collect();
        let help = match super::fit::required(ty) {
            Type::Enum(item) => {
                format!("it is one of {}", suggest::list(item.variants.iter().map(String::as_str)))
            }
            Type::Duration => "durations have a unit, as in `30s`".to_owned(),
            other => format!("give a value of type {other}"),
        };
        self.report(
            Diagnostic::error(
                codes::PARAM_VALUE,
                name.span,
                format!("`--set {}={text}` is not of type {ty}", name.text),
            )
            .label("declared here")
            .help(help),
        );
        Value::Null
    }
}

fn count_fields(ty: &Type) -> usize {
    match ty {
        Type::List(item) | Type::Optional(item) => count_fields(item),
        Type::Record(record) => record.fields.iter().map(|field| 1 + count_fields(&field.ty)).sum(),
        _ => 0,
    }
}
