//! `dedup by key`: of the records with one key the first of the source.

use super::Checker;
use super::body::{Body, Level};
use super::relation::NUMBERS;
use super::step::one_line;
use super::typed::Typed;
use crate::ast;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::lower::{columns_read, visit_mut};
use crate::plan::{DedupPlan, DistinctPlan, Expr, Node, RelationStep};

/// Sources that are the same each time they are read. Whoever asks over HTTP wants an answer, like the
/// one before or not, and what came from a queue is to be acknowledged.
const READ_IN_ORDER: [&str; 6] = ["csv", "dir", "generate", "jsonl", "parquet", "stdin"];

impl<'a> Checker<'a> {
    /// Right behind `from` nothing can have happened to a record: it is known while the source is read
    /// which one is the first, and the others are never worked on.
    fn dedup_of_source(&mut self, dedup: &'a ast::Dedup, level: &Level, body: &mut Body) -> bool {
        if body.relation.is_some() || why_not(level, body).is_some() {
            return false;
        }
        let before = self.diagnostics.len();
        let Some(keys) = self.keys_of_dedup(dedup, body) else { return true };
        if keys.iter().any(|key| has_prompt(&key.expr)) {
            // Gone about in another way, over all records.
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

    /// What tells the records apart; `None` when something is wrong with it, which has been said.
    fn keys_of_dedup(&mut self, dedup: &'a ast::Dedup, body: &Body) -> Option<Vec<Typed>> {
        let mut keys = Vec::new();
        let mut good = true;
        for key in &dedup.keys {
            self.slots = 0;
            let typed = self.expr(key, &body.scope(), None);
            if !typed.is_poison() && typed.value().is_some() {
                let message = "every record has this key, so only the first of all would be kept";
                let diagnostic = Diagnostic::error(codes::BAD_DEDUP, key.span, message);
                self.report(diagnostic.help(match body.key {
                    Some(at) => format!("write `dedup by .{}`", body.columns[at].name),
                    None => "name a field, as in `dedup by .text`".to_owned(),
                }));
                good = false;
            }
            good &= !typed.is_poison();
            keys.push(typed);
        }
        good.then_some(keys)
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
        let Some(keys) = self.keys_of_dedup(dedup, body) else { return };
        let keys = keys.into_iter().map(|key| key.expr).collect();
        level.open = vec![super::body::Open::Flow];
        level.emitted = None;
        let text = one_line(self.input.sources.text(dedup.span));
        let line = self.line(dedup.span);
        body.relate(RelationStep::Dedup(DedupPlan { keys, order, text, line }));
    }
}

/// Why a step is over all records although the source might have done it.
pub(super) fn why_of_all(step: &ast::Step, level: &Level, body: &Body) -> Option<&'static str> {
    matches!(step, ast::Step::Dedup(_)).then(|| {
        let prompt = "its key is made by a prompt, which a source does not have";
        why_not(level, body).unwrap_or(prompt)
    })
}

/// What keeps a `dedup` from being done while the source is read.
fn why_not(level: &Level, body: &Body) -> Option<&'static str> {
    let [Node::Source(source)] = body.nodes.as_slice() else {
        return Some("here other steps stand between the two");
    };
    if source.distinct.is_some() {
        return Some("this is the second `dedup`: give the first one all keys");
    }
    if body.feed.is_some() {
        return Some("of a source with `changes` the last version of a record counts");
    }
    if level.emitted.is_some() {
        return Some("here an `emit` stands before it");
    }
    let in_order = READ_IN_ORDER.contains(&source.kind.as_str());
    (!in_order).then_some("this source is no file that is read in order")
}

/// Whether a value is made by a template, which a source does not have.
fn has_prompt(expr: &Expr) -> bool {
    let mut found = false;
    visit_mut(&mut expr.clone(), &mut |expr| found |= matches!(expr, Expr::Template(..)));
    found
}
