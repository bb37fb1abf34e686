//! Conditions on the documents of an index: `search(docs, .text, where: docs.lang == .lang)`.
//!
//! The name of the index stands for one of its documents, as the name of a source does in a join, and
//! `.field` for the record as everywhere. In the plan the document is the first slot of the
//! expression, so that rules which move columns do not take it for one.

use super::argument::Given;
use super::{Checker, Scope};
use crate::ast;
use crate::catalog::{Kind, Param};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::lower;
use crate::plan::Argument;
use crate::types::Type;

impl Checker<'_> {
    /// One argument of a stage, which may be about the `earlier` ones.
    pub(super) fn argument_after(
        &mut self,
        param: &Param,
        written: &ast::Expr,
        scope: &Scope<'_>,
        earlier: &[(String, Argument)],
    ) -> Given {
        if param.kind != Kind::Documents {
            return self.argument(param, written, scope);
        }
        let index = earlier.iter().find_map(|(_, argument)| match argument {
            Argument::Index(at) => self.indexes[*at].as_ref(),
            Argument::Expr(_) => None,
        });
        let Some(index) = index else { return Given::Bad };
        let name = index.name.clone();
        let locals = [(name.clone(), Type::Record(index.record.clone()))];
        self.slots = locals.len();
        let before = self.diagnostics.len();
        let typed = self.condition(written, &Scope { locals: &locals, ..*scope });
        if typed.is_poison() || self.diagnostics[before..].iter().any(Diagnostic::is_error) {
            return Given::Bad;
        }
        if !lower::reads_slot(&typed.expr, 0) {
            let message = format!("this says nothing of the documents of `{name}`");
            self.report(Diagnostic::error(codes::BAD_STAGE, written.span, message).help(format!(
                "a field of a document is written `{name}.field`; what concerns the record alone is \
                 a step `where ...` of the flow"
            )));
            return Given::Bad;
        }
        Given::Expr(typed)
    }
}
