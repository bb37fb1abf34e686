//! Records written out: `Answer { id: .id, ... }` and `{ id: .id }`.

use super::fit::{convert, required};
use super::names::TypeDecl;
use super::typed::{Shape, Typed};
use super::{Checker, Scope};
use crate::ast;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::plan::Expr;
use crate::span::Span;
use crate::suggest::{self, did_you_mean};
use crate::types::{Field, RecordType, Type};

impl Checker<'_> {
    pub(crate) fn record(
        &mut self,
        name: Option<&ast::Name>,
        block: &ast::Block,
        span: Span,
        scope: &Scope<'_>,
        expected: Option<&Type>,
    ) -> Typed {
        let declared = match (name, expected.map(required)) {
            (Some(name), _) => {
                if let Some(record) = self.record_named(name) {
                    Some(record)
                } else {
                    for entry in &block.entries {
                        self.expr(&entry.value, scope, None);
                    }
                    return Typed::poison();
                }
            }
            (None, Some(Type::Record(record))) => Some(record.clone()),
            _ => None,
        };
        let (record, values) = match declared {
            Some(record) => {
                let Some(values) = self.fields_of(&record, block, span, scope) else {
                    return Typed::poison();
                };
                (record, values)
            }
            None => self.anonymous(block, scope),
        };
        let ty = Type::Record(record);
        if !self.bounded_type(span, &ty) {
            return Typed::poison();
        }
        let shape = Shape::of_all(&values).under(2);
        let values = values.into_iter().map(|value| value.expr).collect();
        self.node(span, Expr::Record(values), ty, shape)
    }

    /// The declared record type called so.
    pub(crate) fn record_named(&mut self, name: &ast::Name) -> Option<RecordType> {
        match self.named_type(&name.text, name.span) {
            Type::Record(record) => Some(record),
            Type::Unknown => None,
            other => {
                let message = format!("{other} is not a record");
                let mut diagnostic =
                    Diagnostic::error(codes::WRONG_DECLARATION, name.span, message)
                        .help("records are declared by `type Name { field: type }`");
                if let Some((span, TypeDecl::Enum(_))) = self.names.types.get(name.text.as_str()) {
                    diagnostic = diagnostic.also(*span, "this is an enum");
                }
                self.report(diagnostic);
                None
            }
        }
    }

    /// One value for each field of `record`, defaults filled in.
    pub(crate) fn fields_of(
        &mut self,
        record: &RecordType,
        block: &ast::Block,
        span: Span,
        scope: &Scope<'_>,
    ) -> Option<Vec<Typed>> {
        let mut good = true;
        for entry in &block.entries {
            if record.field(&entry.key.text).is_some() {
                continue;
            }
            good = false;
            let names = || record.fields.iter().map(|field| field.name.as_str());
            let help = did_you_mean(&entry.key.text, names())
                .unwrap_or_else(|| format!("its fields are {}", suggest::list(names())));
            let message = format!("{} has no field `{}`", record.name, entry.key.text);
            self.report(
                Diagnostic::error(codes::UNKNOWN_FIELD, entry.key.span, message).help(help),
            );
            self.expr(&entry.value, scope, None);
        }
        let mut values = Vec::new();
        let mut missing = Vec::new();
        for field in &record.fields {
            let entry = block.entries.iter().find(|entry| entry.key.text == field.name);
            let value = match (entry, &field.default, &field.ty) {
                (Some(entry), _, ty) => self.want(&entry.value, scope, ty),
                (None, Some(default), ty) => Typed::constant(default.clone(), ty.clone()),
                (None, None, ty @ Type::Optional(_)) => {
                    Typed::constant(crate::types::Value::Null, ty.clone())
                }
                (None, None, _) => {
                    missing.push(field.name.as_str());
                    continue;
                }
            };
            good &= !value.is_poison();
            values.push(value);
        }
        // After a misspelt field the missing one is the same mistake.
        let misspelt = block.entries.iter().any(|entry| record.field(&entry.key.text).is_none());
        if !missing.is_empty() && !misspelt && !block.broken {
            let message =
                format!("{} needs {}", record.name, suggest::list(missing.iter().copied()));
            self.report(
                Diagnostic::error(codes::MISSING_FIELD, span, message)
                    .help("give each field a value here, or a default in its type"),
            );
        }
        (good && missing.is_empty()).then_some(values)
    }

    fn anonymous(&mut self, block: &ast::Block, scope: &Scope<'_>) -> (RecordType, Vec<Typed>) {
        let mut fields = Vec::new();
        let mut values = Vec::new();
        for entry in &block.entries {
            let value = self.expr(&entry.value, scope, None);
            let key = entry.key.text == "id";
            fields.push(Field {
                name: entry.key.text.clone(),
                ty: value.ty.clone(),
                default: None,
                key,
            });
            let ty = value.ty.clone();
            values.push(convert(value, &ty));
        }
        (RecordType { name: "record".to_owned(), fields }, values)
    }
}
