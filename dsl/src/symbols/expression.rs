//! Names in expressions: which of the things in sight each is.

use super::SymbolKind;
use super::walk::{Around, Walk};
use crate::ast::{self, ExprKind, Pattern};
use crate::span::Span;
use crate::types::{RecordType, Type};

impl<'a> Walk<'a> {
    pub(super) fn record(&mut self, ty: Option<&str>, block: &'a ast::Block, around: Around<'a>) {
        for entry in &block.entries {
            if let Some(ty) = ty {
                self.note(SymbolKind::Field, Some(ty), &entry.key, false);
            }
            self.expr(&entry.value, around);
        }
    }

    pub(super) fn block(&mut self, block: &'a ast::Block, around: Around<'a>) {
        block.entries.iter().for_each(|entry| self.expr(&entry.value, around));
    }

    /// A word that stands for a value of the type of `subject`.
    pub(super) fn pattern(&mut self, pattern: &Pattern, subject: Span) {
        if let (Pattern::Name(name), Some(ty)) = (pattern, self.types.get(&subject)) {
            self.variant(&name.text, name.span, ty);
        }
    }

    fn variant(&mut self, name: &str, span: Span, ty: &Type) -> bool {
        let ty = if let Type::Optional(inner) = ty { inner } else { ty };
        let Type::Enum(item) = ty else { return false };
        let known = item.variants.iter().any(|variant| variant == name);
        if known {
            self.note_at(SymbolKind::Variant, Some(&item.name), name, span, false);
        }
        known
    }

    fn name(&mut self, name: &str, span: Span, around: Around<'a>) {
        if let Some(function) = around.function
            && function.params.iter().any(|param| param.name.text == name)
        {
            return self.note_at(SymbolKind::Local, Some(&function.name.text), name, span, false);
        }
        if let Some(flow) = around.flow.filter(|flow| self.columns.contains(&(*flow, name))) {
            return self.note_at(SymbolKind::Column, Some(flow), name, span, false);
        }
        if let Some(ty) = self.types.get(&span)
            && self.variant(name, span, ty)
        {
            return;
        }
        if let Some(kind) = self.declared.get(name).copied() {
            self.note_at(kind, None, name, span, false);
        }
    }

    pub(super) fn expr(&mut self, expr: &'a ast::Expr, around: Around<'a>) {
        match &expr.kind {
            ExprKind::Literal(_) | ExprKind::Own(None) | ExprKind::Bad => {}
            ExprKind::Name(name) => self.name(name, expr.span, around),
            ExprKind::Own(Some(field)) => {
                let grouped = around.flow.filter(|flow| {
                    let start = self.grouped.get(&(*flow, field.text.as_str()));
                    start.is_some_and(|start| *start < field.span.start)
                });
                if grouped.is_some() {
                    self.note(SymbolKind::Column, grouped, field, false);
                } else if let Some(record) = around.record {
                    self.note(SymbolKind::Field, Some(record), field, false);
                }
            }
            ExprKind::Field(inner, field) => {
                self.expr(inner, around);
                if let Some(record) = self.types.get(&inner.span).and_then(record)
                    && record.field(&field.text).is_some()
                {
                    self.note(SymbolKind::Field, Some(&record.name), field, false);
                }
            }
            ExprKind::At(list, index) => {
                self.expr(list, around);
                self.expr(index, around);
            }
            ExprKind::Call(call) => self.call(call, around),
            ExprKind::Unary(_, inner) => self.expr(inner, around),
            ExprKind::Binary(_, left, right) => {
                self.expr(left, around);
                self.expr(right, around);
            }
            ExprKind::If(condition, yes, no) => {
                [condition, yes, no].into_iter().for_each(|it| self.expr(it, around));
            }
            ExprKind::Match(subject, cases) => {
                self.expr(subject, around);
                for (pattern, value) in cases {
                    self.pattern(pattern, subject.span);
                    self.expr(value, around);
                }
            }
            ExprKind::List(items) => items.iter().for_each(|item| self.expr(item, around)),
            ExprKind::Record(name, block) => {
                name.iter().for_each(|name| self.type_name(&name.text, name.span));
                let inferred = self.types.get(&expr.span).and_then(record);
                let own = name.as_ref().map(|name| name.text.as_str());
                self.record(own.or(inferred.map(|it| it.name.as_str())), block, around);
            }
        }
    }

    fn call(&mut self, call: &'a ast::Call, around: Around<'a>) {
        let kind = self.declared.get(call.name.text.as_str()).copied();
        let of = kind.filter(|kind| matches!(kind, SymbolKind::Function | SymbolKind::Prompt));
        of.iter().for_each(|kind| self.reference(*kind, &call.name));
        for arg in &call.args {
            if let (Some(name), Some(_)) = (&arg.name, of) {
                self.note(SymbolKind::Local, Some(&call.name.text), name, false);
            }
            self.expr(&arg.value, around);
        }
    }
}

/// The record behind a type: of the elements of a list, of what may be null.
pub(super) fn record(ty: &Type) -> Option<&RecordType> {
    match ty {
        Type::Record(record) => Some(record),
        Type::List(inner) | Type::Optional(inner) => record(inner),
        _ => None,
    }
}
