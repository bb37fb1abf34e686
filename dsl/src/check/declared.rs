//! Types and enums.

use super::names::TypeDecl;
use super::{Checker, Lazy, Scope};
use crate::ast::{self, TyKind};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::span::Span;
use crate::suggest::{self, did_you_mean};
use crate::types::{EnumType, Field, RecordType, Type, Value};

pub(crate) const BUILT_IN: &[(&str, Type)] = &[
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
            TyKind::Bad => Type::Unknown,
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
        if self.names.is_poisoned(name) || self.full() {
            return Type::Unknown;
        }
        let known = self.names.types.keys().copied().chain(BUILT_IN.iter().map(|(name, _)| *name));
        let foreign = suggest::foreign_type(name);
        let help = match foreign {
            Some(right) if right.contains(' ') => Some(right.to_owned()),
            Some(right) => Some(format!("write `{right}`")),
            None => did_you_mean(name, known),
        };
        let help = help.or_else(|| {
            Some(format!(
                "declare it by `type {name} {{ ... }}`, or use one of {}",
                suggest::list(BUILT_IN.iter().take(4).map(|(name, _)| *name))
            ))
        });
        let diagnostic =
            Diagnostic::error(codes::UNKNOWN_TYPE, span, format!("unknown type `{name}`"))
                .maybe_help(help);
        let word = Span { end: span.start + name.len() as u32, ..span };
        self.report(match foreign.filter(|right| !right.contains(['T', ' '])) {
            Some(right) => diagnostic.fix(word, right),
            None => diagnostic,
        });
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
                    let diagnostic =
                        Diagnostic::error(codes::BAD_ATTRIBUTE, attribute.span, message)
                            .help("`@key` marks the identity of a record");
                    let meant = ["primary", "primary_key", "id", "pk", "Key", "KEY", "unique"]
                        .contains(&attribute.text.as_str());
                    self.report(if meant {
                        diagnostic.fix(attribute.span, "key")
                    } else {
                        diagnostic
                    });
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
            return (!self.wrong_since(before)).then(|| value.clone());
        }
        if !self.wrong_since(before) {
            self.report(
                Diagnostic::error(codes::NOT_CONSTANT, written.span, "a constant is needed here")
                    .help("constants are literals, params, and arithmetic on them"),
            );
        }
        None
    }
}

fn count_fields(ty: &Type) -> usize {
    match ty {
        Type::List(item) | Type::Optional(item) => count_fields(item),
        Type::Record(record) => record.fields.iter().map(|field| 1 + count_fields(&field.ty)).sum(),
        _ => 0,
    }
}
