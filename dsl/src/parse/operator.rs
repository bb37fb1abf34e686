//! Operators of other languages: read as what they would be here, reported, and mended by a fix.

use pest::iterators::Pair;

use super::odd_words::plain_text;
use super::{Reader, Rule, children};
use crate::ast::{Expr, ExprKind};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::plan::{BinaryOp, UnaryOp};
use crate::span::Span;

/// Operators that compare, of this language and of others.
const COMPARISONS: [Rule; 14] = [
    Rule::op_eq,
    Rule::op_ne,
    Rule::op_le,
    Rule::op_ge,
    Rule::op_lt,
    Rule::op_gt,
    Rule::op_assign,
    Rule::op_contains,
    Rule::op_like,
    Rule::op_between,
    Rule::op_not_in,
    Rule::op_in,
    Rule::op_is,
    Rule::op_is_not,
];

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

    /// `0.15/1M`, a price for a million tokens; whether it has been reported.
    pub(super) fn per_million(&mut self, text: &str, span: Span) -> bool {
        let before = self.text.get(..span.start as usize).unwrap_or("").trim_end_matches(' ');
        let Some(number) = before.strip_suffix('/') else { return false };
        let number = number.trim_end_matches(' ');
        let start = number.trim_end_matches(|c: char| c.is_ascii_digit() || "_.".contains(c)).len();
        let million = ["1M", "1m", "1Mtok", "1MTok", "1Mtokens", "1mtok"].contains(&text);
        if !million || start == number.len() {
            return false;
        }
        let meant = format!("{}/Mtok", &number[start..]);
        let at = Span { start: start as u32, ..span };
        self.report(
            Diagnostic::error(codes::UNKNOWN_UNIT, span, "a price is of a million tokens")
                .help(format!("write `{meant}`"))
                .fix(at, meant),
        );
        true
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

    /// `x between 1 and 3` among operators and operands; whether there is one.
    pub(super) fn between(&mut self, parts: &[Pair<'_, Rule>]) -> bool {
        let is = |part: &Pair<'_, Rule>, rules: &[Rule]| rules.contains(&part.as_rule());
        let Some(at) = parts.iter().position(|part| is(part, &[Rule::op_between])) else {
            return false;
        };
        let joins = [Rule::op_and, Rule::op_or];
        let mut start = parts[..at].iter().rposition(|part| is(part, &joins)).map_or(0, |n| n + 1);
        // What is denied is the whole of it.
        let mut denied = parts[at].as_str().starts_with(['n', 'N']);
        while start < at && is(&parts[start], &[Rule::not, Rule::bang]) {
            (start, denied) = (start + 1, true);
        }
        let and = parts[at..].iter().position(|part| is(part, &joins)).map(|n| at + n);
        let span = self.trimmed(&parts[at]);
        let diagnostic = Diagnostic::error(codes::FOREIGN_OPERATOR, span, "there is no `between`");
        let Some(and) = and.filter(|and| *and + 1 < parts.len() && start < at) else {
            self.report(diagnostic.help("write `1 <= x and x <= 3`"));
            return true;
        };
        let behind = parts[and + 1..].iter().position(|part| is(part, &joins));
        let end = behind.map_or(parts.len(), |n| and + 1 + n);
        let text = |parts: &[Pair<'_, Rule>]| {
            let (first, last) = (parts.first()?, parts.last()?);
            let (from, to) = (self.span(first).start, self.trimmed(last).end);
            Some((self.text.get(from as usize..to as usize)?.trim().to_owned(), from, to))
        };
        let pieces =
            (text(&parts[start..at]), text(&parts[at + 1..and]), text(&parts[and + 1..end]));
        let (Some((value, from, _)), Some((least, ..)), Some((most, _, to))) = pieces else {
            self.report(diagnostic.help("write `1 <= x and x <= 3`"));
            return true;
        };
        let inside = format!("{value} >= {least} and {value} <= {most}");
        let compared = parts[start..at].iter().chain(&parts[at + 1..end]);
        let again = compared.clone().any(|part| is(part, &COMPARISONS));
        // `not` of the word itself is not there yet, that in front of the value is.
        let meant = match (denied, parts[at].as_str().starts_with(['n', 'N'])) {
            (false, _) => inside,
            (true, false) => format!("({inside})"),
            (true, true) => format!("not ({inside})"),
        };
        let diagnostic = diagnostic.help(format!("write `{meant}`"));
        let whole = Span { start: from, end: to, ..span };
        self.report(if again { diagnostic } else { diagnostic.fix(whole, meant) });
        true
    }

    /// An operator that the language has in no form.
    pub(super) fn no_operator(&mut self, left: &Expr, op: &Pair<'_, Rule>, right: &Expr) -> Expr {
        let (at, span) = (self.trimmed(op), left.span.to(right.span));
        let text = |span: Span| self.text.get(span.start as usize..span.end as usize).unwrap_or("");
        let (a, b, sign) = (text(left.span).trim(), text(right.span).trim(), op.as_str().trim());
        let simple = matches!(
            left.kind,
            ExprKind::Own(_) | ExprKind::Name(_) | ExprKind::Literal(_) | ExprKind::Field(..)
        ) && !a.starts_with('-');
        let (meant, help) = if op.as_rule() == Rule::op_pow {
            let before = self.text.get(..left.span.start as usize).unwrap_or("").trim_end();
            let behind = self.text.get(right.span.end as usize..).unwrap_or("").trim_start();
            let alone = !before.ends_with("**")
                && !before.ends_with(['^', '-'])
                && !behind.starts_with("**")
                && !behind.starts_with('^');
            let meant = match b {
                "2" if simple && alone => Some(format!("{a} * {a}")),
                "3" if simple && alone => Some(format!("{a} * {a} * {a}")),
                _ => None,
            };
            // The square of a divisor is not divided twice, but once.
            let among = before.ends_with(['/', '%', '*']) || behind.starts_with(['/', '%', '*']);
            let meant = meant.map(|it| if among { format!("({it})") } else { it });
            (meant, "there are no powers; a small one is a product, as in `.x * .x`")
        } else {
            let denies =
                sign.len() > 4 && sign.get(..4).is_some_and(|it| it.eq_ignore_ascii_case("not "));
            let word = if denies { sign[4..].trim_start() } else { sign };
            let pattern =
                plain_text(b).filter(|it| word.eq_ignore_ascii_case("like") && !it.contains('_'));
            let meant = pattern.and_then(|pattern| {
                let (front, back) = (pattern.starts_with('%'), pattern.ends_with('%'));
                let inner = pattern.trim_matches('%');
                let inside = !inner.is_empty() && !inner.contains('%');
                inside
                    .then(|| match (front, back) {
                        (true, true) => format!("{a} contains \"{inner}\""),
                        (false, true) => format!("starts_with({a}, \"{inner}\")"),
                        (true, false) => format!("ends_with({a}, \"{inner}\")"),
                        (false, false) => format!("{a} == \"{inner}\""),
                    })
                    .map(|it| if denies { format!("not {it}") } else { it })
            });
            (
                meant,
                "there are no patterns; texts are tested by `.text contains \"a\"`, \
                 `starts_with(.text, \"a\")`, `ends_with(.text, \"a\")` and `==`",
            )
        };
        let help = meant.as_ref().map_or(help.to_owned(), |meant| format!("write `{meant}`"));
        let diagnostic =
            Diagnostic::error(codes::FOREIGN_OPERATOR, at, format!("`{sign}` is not an operator"))
                .help(help);
        self.report(match meant {
            Some(meant) => diagnostic.fix(span, meant),
            None => diagnostic,
        });
        Expr { kind: ExprKind::Bad, span }
    }

    /// `a not in b`.
    pub(super) fn not_in(&mut self, left: Expr, op: &Pair<'_, Rule>, right: Expr) -> Expr {
        let span = left.span.to(right.span);
        let text =
            |span: Span| self.text.get(span.start as usize..span.end as usize).unwrap_or("").trim();
        let meant = format!("not {} in {}", text(left.span), text(right.span));
        self.report(
            Diagnostic::error(
                codes::FOREIGN_OPERATOR,
                self.trimmed(op),
                "`not` stands in front of what it denies",
            )
            .help(format!("write `{meant}`"))
            .fix(span, meant),
        );
        let within = ExprKind::Binary(BinaryOp::In, Box::new(left), Box::new(right));
        let kind = ExprKind::Unary(UnaryOp::Not, Box::new(Expr { kind: within, span }));
        Expr { kind, span }
    }
}
