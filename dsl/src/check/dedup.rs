//! `dedup by key`: of the records with one key the first of the source.

use super::Checker;
use super::body::{Body, Level};
use super::relation::NUMBERS;
use super::step::one_line;
use crate::ast;
use crate::plan::{DedupPlan, RelationStep};

impl<'a> Checker<'a> {
    pub(super) fn dedup(&mut self, dedup: &'a ast::Dedup, level: &mut Level, body: &mut Body) {
        if !self.relates_here("dedup", dedup.span, level) {
            return;
        }
        if body.relation.is_none() {
            body.begin_with_all(level);
        }
        let order = body.columns.iter().position(|column| column.name == NUMBERS[0]);
        let mut keys = Vec::new();
        for key in &dedup.keys {
            self.slots = 0;
            let typed = self.expr(key, &body.scope(), None);
            if typed.is_poison() {
                return;
            }
            keys.push(typed.expr);
        }
        level.open = vec![super::body::Open::Flow];
        level.emitted = None;
        let text = one_line(self.input.sources.text(dedup.span));
        let line = self.line(dedup.span);
        body.relate(RelationStep::Dedup(DedupPlan { keys, order, text, line }));
    }
}
