//! Emits: what leaves a flow, and the record each sink takes.

use super::fit::fits;
use super::names::Decl;
use super::typed::Typed;
use super::{Checker, Scope};
use crate::ast::{self, ExprKind};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::plan::{Column, EmitPlan, Expr};
use crate::types::{Field, RecordType, Type};

/// What is in sight for a sink with a type of its own: its fields, if all of them are there.
fn chosen(record: &RecordType, scope: &Scope<'_>) -> Option<(RecordType, Vec<Expr>)> {
    let value = |field: &Field| {
        let named = |column: &Column| column.name == field.name && column.ty == field.ty;
        scope.columns.iter().position(named).map(Expr::Column)
    };
    let values = record.fields.iter().map(value).collect::<Option<Vec<_>>>()?;
    Some((record.clone(), values))
}

/// What a record lacks of another, and what it has besides.
fn differences(found: &RecordType, wanted: &RecordType) -> Option<String> {
    let other = wanted.fields.iter().find_map(|want| {
        let (_, have) = found.field(&want.name)?;
        (!fits(&have.ty, &want.ty))
            .then(|| format!("its `{}` is {}, and `{}` is sent", want.name, want.ty, have.ty))
    });
    let missing = wanted.fields.iter().find(|want| found.field(&want.name).is_none());
    let missing = missing.map(|field| format!("it has `{}`, which is not sent", field.name));
    let more = found.fields.iter().find(|have| wanted.field(&have.name).is_none());
    let more = more.map(|field| format!("`{}` is sent, which it has not", field.name));
    let said: Vec<String> = [other, missing, more].into_iter().flatten().collect();
    (!said.is_empty()).then(|| {
        let said = said.join("; ");
        format!("{said}; write its fields out: `emit {{ name: value }} into ...`, or declare another sink")
    })
}

impl Checker<'_> {
    /// The emit without its condition, which is beside it. `key` is the position of the source's
    /// key, for records without a type.
    pub(crate) fn emit(
        &mut self,
        emit: &ast::Emit,
        scope: &Scope<'_>,
        key: Option<usize>,
    ) -> Option<(EmitPlan, Option<Typed>)> {
        let sink = self.sink_named(&emit.sink);
        self.slots = 0;
        let condition = emit.condition.as_ref().map(|written| self.condition(written, scope));
        let declared = sink
            .filter(|at| self.sink_known[*at])
            .map(|at| self.sinks[at].record.clone())
            // A sink whose own type is broken says nothing about its emits.
            .filter(|record| !record.name.is_empty());
        let (record, values) = self.emitted(emit, scope, key, declared.as_ref())?;
        let at = sink?;
        match declared {
            Some(known) if !fits(&Type::Record(record.clone()), &Type::Record(known.clone())) => {
                let span = emit.record.as_ref().map_or(emit.span, |record| record.span);
                let message = format!(
                    "sink `{}` takes {}, found {}",
                    emit.sink.text, known.name, record.name
                );
                let help = differences(&record, &known).unwrap_or_else(|| {
                    "all emits into a sink send one record type; declare another sink for another"
                        .to_owned()
                });
                self.report(Diagnostic::error(codes::EMITS_DIFFER, span, message).help(help));
                return None;
            }
            Some(_) => {}
            None if self.sink_known[at] => return None,
            None => {
                self.sinks[at].record = record;
                self.sink_known[at] = true;
            }
        }
        let condition = match condition {
            Some(typed) if typed.is_poison() => return None,
            other => other,
        };
        Some((
            EmitPlan { sink: at, values, condition: None, text: None, turns: Vec::new() },
            condition,
        ))
    }

    fn sink_named(&mut self, name: &ast::Name) -> Option<usize> {
        if let Some(at) = self.sinks.iter().position(|sink| sink.name == name.text) {
            self.used.insert(name.text.clone());
            return Some(at);
        }
        let known: Vec<String> = self.sinks.iter().map(|sink| sink.name.clone()).collect();
        let declare = format!("sink {0} to jsonl(\"{0}.jsonl\")", name.text);
        self.wrong_reference(name, "sink", &known, &declare);
        None
    }

    fn emitted(
        &mut self,
        emit: &ast::Emit,
        scope: &Scope<'_>,
        key: Option<usize>,
        declared: Option<&RecordType>,
    ) -> Option<(RecordType, Vec<Expr>)> {
        let Some(written) = &emit.record else {
            // Of a step with mistakes not all columns are known, and that has been said.
            if scope.poisoned.iter().any(|name| name == "*") {
                return None;
            }
            if let Some(chosen) = declared.and_then(|record| chosen(record, scope)) {
                return Some(chosen);
            }
            // Columns of other paths begin with a dot.
            let in_sight =
                || scope.columns.iter().enumerate().filter(|(_, it)| !it.name.starts_with('.'));
            let fields = in_sight().map(|(at, column)| Field {
                name: column.name.clone(),
                ty: column.ty.clone(),
                default: None,
                key: key == Some(at),
            });
            let record = RecordType { name: "record".to_owned(), fields: fields.collect() };
            let values = in_sight().map(|(at, _)| Expr::Column(at)).collect();
            return Some((record, values));
        };
        let expected = declared.map(|record| Type::Record(record.clone()));
        let before = self.diagnostics.len();
        // Each field is an expression of its own: slots and bounds count per field.
        let ExprKind::Record(name, block) = &written.kind else {
            self.expr(written, scope, expected.as_ref());
            return None;
        };
        let record = match (name, declared) {
            (Some(name), _) => Some(self.record_named(name)),
            (None, Some(record)) => Some(Some(record.clone())),
            (None, None) => None,
        };
        let (record, values) = match record {
            Some(Some(record)) => {
                let values = self.fields_of(&record, block, written.span, scope)?;
                (record, values)
            }
            Some(None) => {
                for entry in &block.entries {
                    self.expr(&entry.value, scope, None);
                }
                return None;
            }
            None => {
                let typed = self.expr(written, scope, None);
                let Type::Record(record) = typed.ty else { return None };
                return match typed.expr {
                    Expr::Record(values) => Some((record, values)),
                    Expr::Literal(_) if block.entries.is_empty() => Some((record, Vec::new())),
                    _ => None,
                };
            }
        };
        if self.diagnostics[before..].iter().any(Diagnostic::is_error) {
            return None;
        }
        Some((record, values.into_iter().map(|value| value.expr).collect()))
    }

    /// Warns of declarations of the main file that nothing uses.
    pub(crate) fn warn_unused(&mut self) {
        // After an error the use may be in what could not be read.
        if self.failed() {
            return;
        }
        let mut unused = Vec::new();
        for (name, (span, decl)) in &self.names.values {
            let matters = matches!(
                decl,
                Decl::Endpoint(_) | Decl::Source(_) | Decl::Sink(_) | Decl::Index(_)
            );
            if matters && span.file == 0 && !self.used.contains(*name) {
                let message = format!("`{name}` is declared but not used");
                unused.push(Diagnostic::warning(codes::UNUSED, *span, message));
            }
        }
        self.diagnostics.extend(unused);
    }
}
