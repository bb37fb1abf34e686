//! `flat_map name = list`: a row for each element, or a record of its own where stages are to follow.

use super::Checker;
use super::body::{Body, Level, Open};
use super::early::{Early, READ_IN_ORDER};
use super::fit::required;
use crate::ast::{self, ExprKind, Step};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::lower::columns_read;
use crate::plan::{ComputePlan, ExpandPlan, Node, RelationStep};
use crate::types::Type;

impl<'a> Checker<'a> {
    /// Whether what follows can only be done for records.
    fn wants_records(&self, rest: &[Step]) -> bool {
        let until_group =
            rest.iter().take_while(|step| !matches!(step, Step::Group(_) | Step::Join(_)));
        until_group.into_iter().any(|step| match step {
            Step::Route(_) | Step::Loop(_) | Step::Carry(_) => true,
            Step::Stage(stage) => match &stage.value.kind {
                ExprKind::Call(call) => {
                    let name = call.name.text.as_str();
                    let declared = self.names.values.contains_key(name);
                    !declared && name != "map" && self.input.catalog.stage(name).is_some()
                }
                _ => false,
            },
            _ => false,
        })
    }

    /// Where nothing in front of it calls or waits, the source itself gives a record for each element.
    /// Says whether that is so.
    fn elements_of_source(
        &mut self,
        name: &'a ast::Name,
        list: &'a ast::Expr,
        level: &Level,
        body: &mut Body,
    ) -> bool {
        let Some(Node::Source(source)) = body.nodes.first() else { return false };
        let first = body.relation.is_none() && body.feed.is_none() && level.emitted.is_none();
        let read_once_in_order = READ_IN_ORDER.contains(&source.kind.as_str());
        let early = Early::of(&body.nodes, self.input.catalog);
        if !first || !early.whole || !read_once_in_order || source.expand.is_some() {
            return false;
        }
        let before = self.diagnostics.len();
        self.slots = 0;
        let typed = self.expr(list, &body.scope(), None);
        let element = match required(&typed.ty) {
            Type::List(item) if early.knows(&typed.expr) => item.as_ref().clone(),
            // Said again, or gone about in another way, over all records.
            _ => {
                self.diagnostics.truncate(before);
                return false;
            }
        };
        body.read.extend(columns_read(&typed.expr));
        self.free_name(name, "each element is a column; give it a name of its own", body);
        self.see(name.span, &element);
        let column = body.add(&name.text, name.text.clone(), name.span, element);
        body.nodes.truncate(1);
        if let Some(Node::Source(source)) = body.nodes.first_mut() {
            let (before, list, text) = (early.steps, typed.expr, name.text.clone());
            let drops = Vec::new();
            let expand = ExpandPlan { before, list, column, drops, distinct: None, text };
            source.expand = Some(Box::new(expand));
        }
        true
    }

    pub(super) fn flat_map(
        &mut self,
        name: &'a ast::Name,
        (list, rest): (&'a ast::Expr, &'a [Step]),
        level: &mut Level,
        body: &mut Body,
    ) {
        if !self.relates_here("flat_map", name.span, level) {
            return;
        }
        if self.wants_records(rest) && self.elements_of_source(name, list, level, body) {
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
