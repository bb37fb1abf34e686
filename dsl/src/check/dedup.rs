//! `dedup by key`: of the records with one key the first of the source.

use super::Checker;
use super::body::{Body, Level};
use super::relation::NUMBERS;
use super::step::one_line;
use crate::ast;
use crate::lower::{columns_read, visit_mut};
use crate::plan::{DedupPlan, DistinctPlan, Expr, Node, RelationStep};

/// Sources that are the same each time they are read. Whoever asks over HTTP wants an answer, like the
/// one before or not, and what came from a queue is to be acknowledged.
const READ_IN_ORDER: [&str; 6] = ["csv", "dir", "generate", "jsonl", "parquet", "stdin"];

impl<'a> Checker<'a> {
    /// Right behind `from` nothing can have happened to a record: it is known while the source is read
    /// which one is the first, and the others are never worked on.
    fn dedup_of_source(&mut self, dedup: &'a ast::Dedup, level: &Level, body: &mut Body) -> bool {
        let [Node::Source(source)] = body.nodes.as_slice() else { return false };
        let first = body.relation.is_none() && body.feed.is_none() && level.emitted.is_none();
        let read_once_in_order = READ_IN_ORDER.contains(&source.kind.as_str());
        if !first || !read_once_in_order || source.distinct.is_some() {
            return false;
        }
        let before = self.diagnostics.len();
        let mut keys = Vec::new();
        for key in &dedup.keys {
            self.slots = 0;
            keys.push(self.expr(key, &body.scope(), None));
        }
        if keys.iter().any(|key| key.is_poison() || has_prompt(&key.expr)) {
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
            source.distinct = Some(DistinctPlan { keys, text });
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

/// Whether a value is made by a template, which a source does not have.
fn has_prompt(expr: &Expr) -> bool {
    let mut found = false;
    visit_mut(&mut expr.clone(), &mut |expr| found |= matches!(expr, Expr::Template(..)));
    found
}
