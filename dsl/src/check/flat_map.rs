//! `flat_map name = list`: a row for each element.

use super::Checker;
use super::body::{Body, Level, Open};
use super::fit::required;
use crate::ast;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::plan::{ComputePlan, RelationStep};
use crate::types::Type;

impl<'a> Checker<'a> {
    pub(super) fn flat_map(
        &mut self,
        name: &'a ast::Name,
        list: &'a ast::Expr,
        level: &mut Level,
        body: &mut Body,
    ) {
        if !self.relates_here("flat_map", name.span, level) {
            return;
        }
        if body.relation.is_none() {
            body.begin_with_all(level);
        }
        (level.emitted, level.open) = (None, vec![Open::Flow]);
        self.slots = 0;
        let typed = self.expr(list, &body.scope(), None);
        self.free_name(name, "each element is a column; give it a name of its own", body);
        let ty = match required(&typed.ty) {
            Type::List(item) => item.as_ref().clone(),
            other => {
                if !typed.is_poison() {
                    let message = format!("`flat_map` makes rows of a list, found {other}");
                    self.report(
                        Diagnostic::error(codes::NO_LIST, list.span, message)
                            .help("a list is for example `words(.text)` or `split(.text, \",\")`"),
                    );
                }
                Type::Unknown
            }
        };
        body.add(&name.text, name.text.clone(), name.span, ty.clone());
        let (name, line) = (name.text.clone(), self.line(name.span));
        body.relate(RelationStep::FlatMap(ComputePlan { name, ty, value: typed.expr, line }));
    }
}
