//! `dedup by key`: of the records with one key the first of the source.

use super::Checker;
use super::body::{Body, Level};
use super::early::{Early, READ_IN_ORDER};
use super::relation::NUMBERS;
use super::step::one_line;
use super::typed::Typed;
use crate::ast;
use crate::catalog::Catalog;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::lower::columns_read;
use crate::plan::{DedupPlan, DistinctPlan, Node, RelationStep};

impl<'a> Checker<'a> {
    /// Where nothing in front of it calls or waits, it is known while the source is read which record is
    /// the first, and the others are never worked on. Says whether that is so.
    fn dedup_of_source(&mut self, dedup: &'a ast::Dedup, level: &Level, body: &mut Body) -> bool {
        if body.relation.is_some() || why_not(level, body, self.input.catalog).is_some() {
            return false;
        }
        let early = Early::of(&body.nodes, self.input.catalog);
        let before = self.diagnostics.len();
        let Some(keys) = self.keys_of_dedup(dedup, body) else { return true };
        if keys.iter().any(|key| !early.knows(&key.expr)) {
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
            let distinct = DistinctPlan { before: early.steps, keys, text };
            let place = match &mut source.expand {
                Some(expand) => &mut expand.distinct,
                None => &mut source.distinct,
            };
            *place = Some(distinct);
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
pub(super) fn why_of_all(
    step: &ast::Step,
    level: &Level,
    body: &Body,
    catalog: &Catalog,
) -> Option<&'static str> {
    match step {
        ast::Step::Dedup(_) => {
            let prompt = "its key is made by a prompt, which a source does not have";
            Some(why_not(level, body, catalog).unwrap_or(prompt))
        }
        ast::Step::FlatMap(..) => {
            let Some(Node::Source(source)) = body.nodes.first() else { return None };
            Some(if source.expand.is_some() {
                "this is the second `flat_map`, and a source makes records of one list only: make \
                 the second one in a flow of its own that reads this one's file"
            } else if !Early::of(&body.nodes, catalog).whole {
                "here a step before it calls or waits: move the `flat_map` up"
            } else {
                why_not(level, body, catalog)
                    .unwrap_or("its list is made by a prompt, which a source does not have")
            })
        }
        _ => None,
    }
}

/// What keeps a `dedup` from being done while the source is read.
fn why_not(level: &Level, body: &Body, catalog: &Catalog) -> Option<&'static str> {
    let Some(Node::Source(source)) = body.nodes.first() else {
        return Some("here there is no source");
    };
    let place = source.expand.as_ref().map_or(&source.distinct, |expand| &expand.distinct);
    if place.is_some() {
        return Some("this is the second `dedup`: give the first one all keys");
    }
    if body.feed.is_some() {
        return Some("of a source with `changes` the last version of a record counts");
    }
    if level.emitted.is_some() {
        return Some("here an `emit` stands before it");
    }
    if !READ_IN_ORDER.contains(&source.kind.as_str()) {
        return Some("this source is no file that is read in order");
    }
    let early = Early::of(&body.nodes, catalog);
    (!early.whole).then_some("here a step before it calls or waits: move the `dedup` up")
}
