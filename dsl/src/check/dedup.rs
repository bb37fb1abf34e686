//! `dedup by key`: of the records with one key the first of the source.

use super::Checker;
use super::body::{Body, Level};
use super::early::{Early, READ_IN_ORDER};
use super::relation::NUMBERS;
use super::step::one_line;
use crate::ast;
use crate::lower::columns_read;
use crate::plan::{DedupPlan, DistinctPlan, Node, RelationStep};

impl<'a> Checker<'a> {
    /// Where nothing in front of it calls or waits, it is known while the source is read which record is
    /// the first, and the others are never worked on. Says whether that is so.
    fn dedup_of_source(&mut self, dedup: &'a ast::Dedup, level: &Level, body: &mut Body) -> bool {
        let Some(Node::Source(source)) = body.nodes.first() else { return false };
        let first = body.relation.is_none() && body.feed.is_none() && level.emitted.is_none();
        let read_once_in_order = READ_IN_ORDER.contains(&source.kind.as_str());
        let early = Early::of(&body.nodes);
        let place = source.expand.as_ref().map_or(&source.distinct, |expand| &expand.distinct);
        if !first || !early.whole || !read_once_in_order || place.is_some() {
            return false;
        }
        let before = self.diagnostics.len();
        let mut keys = Vec::new();
        for key in &dedup.keys {
            self.slots = 0;
            keys.push(self.expr(key, &body.scope(), None));
        }
        if keys.iter().any(|key| key.is_poison() || !early.knows(&key.expr)) {
            // Said again, or gone about in another way, over all records.
            self.diagnostics.truncate(before);
            return false;
        }
        for key in &keys {
            body.read.extend(columns_read(&key.expr));
        }
        let keys = keys.into_iter().map(|key| key.expr).collect();
        let text = one_line(self.input.sources.text(dedup.span));
        if let Some(Node::Source(source)) = body.nodes.first_mut() {
            let distinct = DistinctPlan { before: early.steps, keys, text };
            let place = match &mut source.expand {
                Some(expand) => &mut expand.distinct,
                None => &mut source.distinct,
            };
            *place = Some(distinct);
        }
        true
    }

    pub(super) fn dedup(&mut self, dedup: &'a ast::Dedup, level: &mut Level, body: &mut Body) {
        if !self.relates_here("dedup", dedup.span, level) {
            return;
        }
        if self.dedup_of_source(dedup, level, body) {
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
