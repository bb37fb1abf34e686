//! Operators of other languages: read as what they would be here, reported, and mended by a fix.

use pest::iterators::Pair;

use super::{Reader, Rule, children};
use crate::ast::{Expr, ExprKind};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::span::Span;

/// Choices in a chain that are read on; the tree is as deep as the chain is long.
const MAX_CHOICES: usize = 16;

impl Reader<'_> {
    /// `condition ? yes : no`, or a chain of such, read as what it would be here.
    pub(super) fn choice(&mut self, condition: Expr, pair: Pair<'_, Rule>, span: Span) -> Expr {
        let mut parts = vec![condition];
        parts.extend(children(pair).map(|part| self.expression(part)));
        let text = |part: &Expr| self.text.get(part.span.start as usize..part.span.end as usize);
        let written: Vec<&str> = parts.iter().map(|part| text(part).unwrap_or("").trim()).collect();
        let mut meant = String::new();
        for pair in written.chunks(2) {
            match pair {
                [condition, yes] => meant += &format!("if {condition} then {yes} else "),
                last => meant.extend(last.iter().copied()),
            }
        }
        let sign = Span { start: parts[0].span.end, end: parts[1].span.start, ..span };
        let help = format!("write `{meant}`");
        self.report(
            Diagnostic::error(codes::FOREIGN_OPERATOR, sign, "there is no `? :`")
                .help(help)
                .fix(span, meant),
        );
        if parts.len() > 2 * MAX_CHOICES {
            return Expr { kind: ExprKind::Bad, span };
        }
        let Some(mut value) = parts.pop() else { return Expr { kind: ExprKind::Bad, span } };
        while let (Some(yes), Some(condition)) = (parts.pop(), parts.pop()) {
            let kind = ExprKind::If(Box::new(condition), Box::new(yes), Box::new(value));
            value = Expr { kind, span };
        }
        value
    }

    /// An operator that is a word here, with one blank on each side of it, but none at the ends of
    /// lines.
    pub(super) fn foreign_word(&mut self, at: Span, given: &str, meant: &str) {
        let before = self.text.get(..at.start as usize).unwrap_or("");
        let trimmed = before.trim_end_matches([' ', '\t']);
        let (start, left) = match trimmed.chars().next_back() {
            None | Some('\n') => (at.start, ""),
            Some(_) => (trimmed.len() as u32, " "),
        };
        let end = self.blanks_behind(at.end);
        let behind = self.text.get(end as usize..).unwrap_or("");
        let ends = behind.is_empty() || behind.starts_with(['\n', '\r']);
        let (end, right) = if ends { (at.end, "") } else { (end, " ") };
        let replaced = Span { start, end, ..at };
        self.foreign(at, given, meant, replaced, &format!("{left}{meant}{right}"));
    }

    /// Where the blanks end that begin here.
    pub(super) fn blanks_behind(&self, start: u32) -> u32 {
        let rest = self.text.get(start as usize..).unwrap_or("");
        start + (rest.len() - rest.trim_start_matches([' ', '\t']).len()) as u32
    }

    pub(super) fn foreign(
        &mut self,
        at: Span,
        given: &str,
        meant: &str,
        replaced: Span,
        replacement: &str,
    ) {
        self.report(
            Diagnostic::error(codes::FOREIGN_OPERATOR, at, format!("`{given}` is not an operator"))
                .label(format!("write `{meant}`"))
                .fix(replaced, replacement),
        );
    }
}
