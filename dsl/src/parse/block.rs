//! Readers of `{ name: value }` blocks.

use pest::iterators::Pair;

use super::{Reader, Rule, children};
use crate::ast;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::span::Span;

/// Entries of a block; the checks on them compare each with each.
const MAX_ENTRIES: usize = 1_000;

impl Reader<'_> {
    pub(super) fn block_or_empty(
        &mut self,
        pair: Option<Pair<'_, Rule>>,
        near: Span,
    ) -> ast::Block {
        match pair {
            Some(pair) => self.block(pair),
            None => ast::Block { entries: Vec::new(), broken: false, span: near.after() },
        }
    }

    pub(super) fn block(&mut self, pair: Pair<'_, Rule>) -> ast::Block {
        let span = self.span(&pair);
        let mut entries: Vec<ast::Entry> = Vec::new();
        let mut broken = false;
        let mut last = None;
        for part in children(pair) {
            if part.as_rule() == Rule::entry {
                self.apart(&mut last, &part);
                let Some(entry) = self.entry(part) else { continue };
                if entries.len() >= MAX_ENTRIES {
                    let message = format!("a block may have {MAX_ENTRIES} entries");
                    self.report(Diagnostic::error(codes::TOO_LARGE, entry.key.span, message));
                    break;
                }
                let before = entries.iter().find(|other| other.key.text == entry.key.text);
                if let Some(before) = before {
                    let message = format!("`{}` is given twice", entry.key.text);
                    let diagnostic = Diagnostic::error(codes::TWICE, entry.key.span, message)
                        .also(before.key.span, "first given here");
                    self.report(diagnostic);
                } else {
                    entries.push(entry);
                }
            } else {
                // What could not be read belongs to the value before it: that one is not whole.
                if last.take().is_some_and(|end: u32| self.goes_on(end, &part))
                    && let Some(entry) = entries.last_mut()
                {
                    entry.value.kind = ast::ExprKind::Bad;
                }
                broken |= part.as_str().trim() != ",";
                self.bad_entry(&part, "an entry is `name: value`");
            }
        }
        ast::Block { entries, broken, span }
    }

    /// Says so where an entry begins in the line of the one before without a comma between them.
    /// `last` is where that one ended.
    pub(super) fn apart(&mut self, last: &mut Option<u32>, pair: &Pair<'_, Rule>) {
        let span = self.trimmed(pair);
        let Some(end) = last.replace(span.end) else { return };
        let text = |from: u32, to: u32| self.text.get(from as usize..to as usize).unwrap_or("");
        let between = Span { start: end, end: span.start, ..span };
        let ended = text(end, span.start).contains('\n') || text(0, end).ends_with(',');
        // A sign of another language between them has been told.
        if ended || self.silent(between) {
            return;
        }
        let at = Span { start: end, end, ..span };
        self.report(
            Diagnostic::warning(codes::NO_COMMA, at, "a `,` is missing between two entries")
                .help("a comma or a new line ends an entry")
                .fix(at, ","),
        );
    }

    /// Whether a piece that could not be read goes on in the line of what ended at `end`.
    pub(super) fn goes_on(&self, end: u32, pair: &Pair<'_, Rule>) -> bool {
        let between = self.text.get(end as usize..self.span(pair).start as usize);
        !self.text[..end as usize].ends_with(',')
            && !pair.as_str().starts_with(',')
            && between.is_some_and(|text| !text.contains(['\n', ',']))
    }

    pub(super) fn entry(&mut self, pair: Pair<'_, Rule>) -> Option<ast::Entry> {
        let mut parts = children(pair);
        let key = self.entry_key(&parts.next()?);
        let colon = parts.next()?;
        self.equals_for_colon(&colon, key.span);
        let value = self.expression(parts.next()?);
        Some(ast::Entry { key, value })
    }

    /// Reports a `=` between the key that ends with `key` and its value.
    pub(super) fn equals_for_colon(&mut self, colon: &Pair<'_, Rule>, key: Span) {
        if colon.as_str() != "=" {
            return;
        }
        let span = self.span(colon);
        self.report(
            Diagnostic::error(
                codes::EQUALS_FOR_COLON,
                span,
                "entries of a block are `name: value`",
            )
            .label("write `:` here")
            .fix(Span { start: key.end, ..span }, ":"),
        );
    }
}
