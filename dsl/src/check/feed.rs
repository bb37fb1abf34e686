//! Sources whose records change, and sinks that are told of changes.
//!
//! A record of such a source is a version of what has its key. All of its stages stand under the
//! guard that it is no deletion, so a deletion pays for nothing; `where` makes the guard narrower in
//! place of dropping the version, which has to take the place of the one before.

use super::Checker;
use super::typed::{Shape, Typed};
use crate::ast::{self, ExprKind};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::plan::{BinaryOp, Expr};
use crate::types::{Field, RecordType, Type, Value};

/// The word for a deletion.
const DELETE: &str = "delete";

/// Name of the last column of a sink of changes.
const CHANGE: &str = "change";

/// True for a record that is no deletion; `changes` is the column that says so.
pub(super) fn not_deleted(column: usize) -> Typed {
    let delete = Expr::Literal(Value::String(DELETE.to_owned()));
    let expr = Expr::Binary(BinaryOp::Ne, Box::new(Expr::Column(column)), Box::new(delete));
    Typed { expr, ty: Type::Bool, shape: Shape { size: 3, depth: 3 } }
}

impl Checker<'_> {
    /// Position of the field that `changes:` names.
    pub(super) fn changes_of(&mut self, leaf: &ast::Leaf, record: &RecordType) -> Option<usize> {
        let entry = leaf.block.entries.iter().find(|entry| entry.key.text == "changes")?;
        let ExprKind::Literal(Value::String(name)) = &entry.value.kind else { return None };
        let span = entry.value.span;
        let (message, help) = match record.field(name) {
            _ if record.key().is_none() => (
                format!("records of type {} have no key", record.name),
                "a change is of the record with one key: mark a field of the type `@key`"
                    .to_owned(),
            ),
            None => {
                let names = record.fields.iter().map(|field| field.name.as_str());
                (
                    format!("{} has no field `{name}`", record.name),
                    crate::suggest::did_you_mean(name, names)
                        .unwrap_or_else(|| format!("add `{name}: string` to the type")),
                )
            }
            Some((at, field)) => match &field.ty {
                Type::String => return Some(at),
                Type::Enum(item) if item.variants.iter().any(|it| it == DELETE) => return Some(at),
                other => (
                    format!("`{name}` is of type {other} and cannot say `{DELETE}`"),
                    format!("it is a string, or an enum with `{DELETE}` in it"),
                ),
            },
        };
        self.report(Diagnostic::error(codes::BAD_CHANGES, span, message).help(help));
        None
    }

    /// Says so if a row that cannot change is sent into a sink of changes.
    pub(super) fn no_changes(&mut self, emit: &ast::Emit) {
        let known = self.sinks.iter().find(|sink| sink.name == emit.sink.text);
        if known.is_some_and(|sink| sink.changes) {
            let message =
                format!("sink `{}` is for changes, and this row does not change", emit.sink.text);
            self.report(Diagnostic::error(codes::BAD_CHANGES, emit.sink.span, message).help(
                "leave `mode: changes` out, or emit behind a `group`, or read a source with `changes:`",
            ));
        }
    }

    /// The last column of every sink of changes.
    pub(super) fn columns_of_changes(&mut self) {
        let mut taken = Vec::new();
        for sink in self.sinks.iter_mut().filter(|sink| sink.changes) {
            if sink.record.field(CHANGE).is_some() || sink.kind == "tally" {
                taken.push((sink.name.clone(), sink.kind == "tally"));
                continue;
            }
            let (name, ty) = (CHANGE.to_owned(), Type::Int);
            sink.record.fields.push(Field { name, ty, default: None, key: false });
        }
        for (name, tally) in taken {
            let span = self.names.values.get(name.as_str()).map(|(span, _)| *span);
            let Some(span) = span else { continue };
            let (message, help) = if tally {
                ("a tally has no changes, only totals", "use `csv` or `jsonl` for changes")
            } else {
                ("its rows have a field `change` already", "give that field another name")
            };
            self.report(Diagnostic::error(codes::BAD_CHANGES, span, message).help(help));
        }
    }
}
