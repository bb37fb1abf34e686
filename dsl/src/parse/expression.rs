//! Readers of expressions.
//!
//! Operators of other languages are accepted by the grammar and reported here, with the right one
//! taken in their place, so that one habit does not hide the next error.

use std::sync::LazyLock;

use pest::iterators::Pair;
use pest::pratt_parser::{Assoc, Op, PrattParser};

use super::{Reader, Rule, children};
use crate::ast::{self, Expr, ExprKind, Pattern};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::literal;
use crate::plan::{BinaryOp, UnaryOp};
use crate::span::Span;
use crate::types::Value;

/// Operators in one expression without parentheses. The tree of a chain is as deep as it is long.
const MAX_OPERATORS: usize = 48;

static OPERATORS: LazyLock<PrattParser<Rule>> = LazyLock::new(|| {
    let left = |rule| Op::infix(rule, Assoc::Left);
    PrattParser::new()
        .op(left(Rule::op_or))
        .op(left(Rule::op_and))
        .op(Op::prefix(Rule::not) | Op::prefix(Rule::bang))
        .op(left(Rule::op_eq)
            | left(Rule::op_ne)
            | left(Rule::op_le)
            | left(Rule::op_ge)
            | left(Rule::op_lt)
            | left(Rule::op_gt)
            | left(Rule::op_assign)
            | left(Rule::op_contains)
            | left(Rule::op_like)
            | left(Rule::op_between)
            | left(Rule::op_not_in)
            | left(Rule::op_is)
            | left(Rule::op_is_not)
            | left(Rule::op_in))
        .op(left(Rule::op_coalesce))
        .op(left(Rule::op_add) | left(Rule::op_sub))
        .op(left(Rule::op_mul) | left(Rule::op_div) | left(Rule::op_rem))
        .op(left(Rule::op_pow))
        .op(Op::prefix(Rule::neg))
        .op(Op::postfix(Rule::access) | Op::postfix(Rule::subscript))
});

impl Reader<'_> {
    pub(super) fn expression(&mut self, pair: Pair<'_, Rule>) -> Expr {
        let span = self.trimmed(&pair);
        let mut parts: Vec<_> = children(pair).collect();
        let choice = parts.pop_if(|part| part.as_rule() == Rule::choice);
        let value = self.operation(parts, span);
        match choice {
            Some(choice) => self.choice(value, choice, span),
            None => value,
        }
    }

    /// Operators and what is between them.
    fn operation(&mut self, parts: Vec<Pair<'_, Rule>>, span: Span) -> Expr {
        if parts.len() > 2 * MAX_OPERATORS {
            let message = format!("more than {MAX_OPERATORS} operators in one expression");
            self.report(
                Diagnostic::error(codes::TOO_LARGE, span, message)
                    .help("give a part of it a name of its own by a `stage` or a `fn`"),
            );
            return Expr { kind: ExprKind::Bad, span };
        }
        if let Some(at) = chained(&parts).map(|part| self.trimmed(part)) {
            self.report(
                Diagnostic::error(codes::CHAINED, at, "comparisons do not chain")
                    .help("join them by `and`, as in `0 < x and x < 10`"),
            );
            return Expr { kind: ExprKind::Bad, span };
        }
        if self.between(&parts) {
            return Expr { kind: ExprKind::Bad, span };
        }
        let this = std::cell::RefCell::new(self);
        OPERATORS
            .map_primary(|part| this.borrow_mut().primary(part))
            .map_prefix(|op, inner| this.borrow_mut().prefix(&op, inner))
            .map_postfix(|inner, op| this.borrow_mut().postfix(inner, op))
            .map_infix(|left, op, right| this.borrow_mut().infix(left, &op, right))
            .parse(parts.into_iter())
    }

    fn prefix(&mut self, op: &Pair<'_, Rule>, inner: Expr) -> Expr {
        let at = self.span(op);
        let span = at.to(inner.span);
        match (op.as_rule(), &inner.kind) {
            // A negative number is a constant, also where only constants may stand.
            (Rule::neg, ExprKind::Literal(value)) => {
                if let Some(value) = literal::negate(value) {
                    return Expr { kind: ExprKind::Literal(value), span };
                }
                Expr { kind: ExprKind::Unary(UnaryOp::Neg, Box::new(inner)), span }
            }
            (Rule::neg, _) => Expr { kind: ExprKind::Unary(UnaryOp::Neg, Box::new(inner)), span },
            (rule, _) => {
                if rule == Rule::bang {
                    let end = self.blanks_behind(at.end);
                    self.foreign(at, "!", "not", Span { end, ..at }, "not ");
                } else if op.as_str().trim() == "NOT" {
                    self.foreign_word(at, "NOT", "not");
                }
                Expr { kind: ExprKind::Unary(UnaryOp::Not, Box::new(inner)), span }
            }
        }
    }

    fn postfix(&mut self, inner: Expr, op: Pair<'_, Rule>) -> Expr {
        let span = inner.span.to(self.trimmed(&op));
        let rule = op.as_rule();
        let Some(part) = children(op).next() else { return inner };
        let kind = if rule == Rule::access {
            ExprKind::Field(Box::new(inner), self.word(&part))
        } else {
            ExprKind::At(Box::new(inner), Box::new(self.expression(part)))
        };
        Expr { kind, span }
    }

    fn infix(&mut self, left: Expr, op: &Pair<'_, Rule>, right: Expr) -> Expr {
        let span = left.span.to(right.span);
        let at = self.trimmed(op);
        match op.as_rule() {
            Rule::op_pow | Rule::op_like => return self.no_operator(&left, op, &right),
            Rule::op_not_in => return self.not_in(left, op, right),
            _ => {}
        }
        let kind = match op.as_rule() {
            Rule::op_or => BinaryOp::Or,
            Rule::op_and => BinaryOp::And,
            Rule::op_coalesce => BinaryOp::Coalesce,
            Rule::op_eq | Rule::op_assign | Rule::op_is => BinaryOp::Eq,
            Rule::op_ne | Rule::op_is_not => BinaryOp::Ne,
            Rule::op_le => BinaryOp::Le,
            Rule::op_ge => BinaryOp::Ge,
            Rule::op_lt => BinaryOp::Lt,
            Rule::op_gt => BinaryOp::Gt,
            Rule::op_contains => BinaryOp::Contains,
            Rule::op_in => BinaryOp::In,
            Rule::op_add => BinaryOp::Add,
            Rule::op_sub => BinaryOp::Sub,
            Rule::op_mul => BinaryOp::Mul,
            Rule::op_div => BinaryOp::Div,
            _ => BinaryOp::Rem,
        };
        match at_text(op) {
            // Elsewhere it joins texts, or gives a value in the place of none.
            "||" if is_text(&left)
                || is_text(&right)
                || may_be_text(&left) && may_be_text(&right) =>
            {
                self.report(
                    Diagnostic::error(codes::FOREIGN_OPERATOR, at, "`||` is not an operator").help(
                        "texts are joined by `+`, conditions by `or`; a value in the place of \
                             null is `value ?? other`",
                    ),
                );
                return Expr { kind: ExprKind::Bad, span };
            }
            "||" => self.foreign_word(at, "||", "or"),
            "&&" => self.foreign_word(at, "&&", "and"),
            "=" => self.foreign(at, "=", "==", at, "=="),
            "===" => self.foreign(at, "===", "==", at, "=="),
            sign @ ("!==" | "<>") => self.foreign(at, sign, "!=", at, "!="),
            "++" => self.foreign(at, "++", "+", at, "+"),
            "AND" => self.foreign_word(at, "AND", "and"),
            "OR" => self.foreign_word(at, "OR", "or"),
            "IN" => self.foreign_word(at, "IN", "in"),
            word if op.as_rule() == Rule::op_is => self.foreign_word(at, word, "=="),
            word if op.as_rule() == Rule::op_is_not => self.foreign_word(at, word, "!="),
            _ => {}
        }
        Expr { kind: ExprKind::Binary(kind, Box::new(left), Box::new(right)), span }
    }

    /// An expression, or a record whose type is written as a value is.
    pub(super) fn value(&mut self, pair: Pair<'_, Rule>) -> Expr {
        if pair.as_rule() == Rule::lower_record {
            return self.primary(pair);
        }
        self.expression(pair)
    }

    pub(super) fn primary(&mut self, pair: Pair<'_, Rule>) -> Expr {
        let span = self.trimmed(&pair);
        let kind = match pair.as_rule() {
            Rule::parenthesis => {
                let mut parts = children(pair);
                let Some(inner) = parts.next() else { return Expr { kind: ExprKind::Bad, span } };
                let inner = self.expression(inner);
                return match parts.next() {
                    Some(rest) => self.tuple(inner, rest, span),
                    None => Expr { span, ..inner },
                };
            }
            Rule::date => self.date(&pair),
            Rule::number => self.number(pair.as_str(), span),
            Rule::string => ExprKind::Literal(Value::String(self.string(&pair))),
            Rule::triple => ExprKind::Literal(Value::String(literal::dedent(pair.as_str()))),
            Rule::name => self.bare(pair.as_str(), span),
            Rule::own => ExprKind::Own(children(pair).next().map(|key| self.word(&key))),
            Rule::call => self.call(pair).map_or(ExprKind::Bad, ExprKind::Call),
            Rule::list => ExprKind::List(children(pair).map(|item| self.value(item)).collect()),
            Rule::if_expr => {
                let mut parts = children(pair).map(|part| Box::new(self.expression(part)));
                match (parts.next(), parts.next(), parts.next()) {
                    (Some(condition), Some(yes), Some(no)) => ExprKind::If(condition, yes, no),
                    _ => ExprKind::Bad,
                }
            }
            Rule::match_expr => self.match_expr(pair),
            Rule::object => match children(pair).next() {
                Some(block) => ExprKind::Record(None, self.block(block)),
                None => ExprKind::Bad,
            },
            Rule::record | Rule::lower_record => {
                let mut parts = children(pair);
                match (parts.next(), parts.next()) {
                    (Some(name), Some(block)) => {
                        ExprKind::Record(Some(self.word(&name)), self.block(block))
                    }
                    _ => ExprKind::Bad,
                }
            }
            _ => ExprKind::Bad,
        };
        Expr { kind, span }
    }

    fn number(&mut self, text: &str, span: Span) -> ExprKind {
        match literal::number(text) {
            Ok(value) => ExprKind::Literal(value),
            Err(_) if self.per_million(text, span) => ExprKind::Bad,
            Err(error) => {
                let mut diagnostic =
                    Diagnostic::error(error.code, span, error.message).maybe_help(error.help);
                if let Some(fix) = error.fix {
                    diagnostic = diagnostic.fix(span, fix);
                }
                self.report(diagnostic);
                ExprKind::Bad
            }
        }
    }

    /// A bare word: a constant of the language, one of another language, or a name.
    fn bare(&mut self, text: &str, span: Span) -> ExprKind {
        let (value, meant) = match text {
            "true" => return ExprKind::Literal(Value::Bool(true)),
            "false" => return ExprKind::Literal(Value::Bool(false)),
            "null" => return ExprKind::Literal(Value::Null),
            "True" | "TRUE" => (Value::Bool(true), "true"),
            "False" | "FALSE" => (Value::Bool(false), "false"),
            "None" | "Null" | "NULL" | "nil" => (Value::Null, "null"),
            // What stands behind it is told of; it is no name.
            "f" | "r" | "b" | "s" if self.text[span.end as usize..].starts_with('"') => {
                return ExprKind::Bad;
            }
            "case" | "CASE" if self.text[span.end as usize..].trim_start().starts_with("when ") => {
                return ExprKind::Bad;
            }
            _ => return ExprKind::Name(text.to_owned()),
        };
        self.report(
            Diagnostic::error(codes::FOREIGN_WORD, span, format!("`{text}` is written `{meant}`"))
                .fix(span, meant),
        );
        ExprKind::Literal(value)
    }

    /// Text of a string literal; unknown escapes are reported.
    pub(super) fn string(&mut self, pair: &Pair<'_, Rule>) -> String {
        let (text, bad) = literal::unescape(pair.as_str());
        let start = self.span(pair).start;
        for offset in bad {
            let at = start + offset as u32;
            self.report(
                Diagnostic::error(
                    codes::BAD_ESCAPE,
                    Span { file: self.file, start: at, end: at + 1 },
                    "this escape is not known",
                )
                .help("known are `\\n`, `\\t`, `\\r`, `\\\"` and `\\\\`; a backslash is written `\\\\`"),
            );
        }
        text
    }

    pub(super) fn call(&mut self, pair: Pair<'_, Rule>) -> Option<ast::Call> {
        let span = self.trimmed(&pair);
        let mut parts = children(pair);
        let name = self.word(&parts.next()?);
        let mut args = Vec::new();
        for arg in children(parts.next()?) {
            let mut name = None;
            for part in children(arg) {
                match part.as_rule() {
                    Rule::key => name = Some(self.word(&part)),
                    Rule::expr => {
                        let value = self.expression(part);
                        args.push(self.argument(name.take(), value));
                    }
                    _ => {}
                }
            }
        }
        Some(ast::Call { name, args, span })
    }

    fn match_expr(&mut self, pair: Pair<'_, Rule>) -> ExprKind {
        let mut parts = children(pair);
        let Some(value) = parts.next() else { return ExprKind::Bad };
        let value = Box::new(self.expression(value));
        let (mut cases, mut broken, mut last) = (Vec::new(), false, None);
        for part in parts {
            if part.as_rule() == Rule::case {
                self.apart(&mut last, &part);
                self.cases(part, &mut cases);
            } else {
                (broken, last) = (true, None);
                self.bad_entry(&part, "a case is `value => result`, the last may be `_ => result`");
            }
        }
        if broken {
            return ExprKind::Bad;
        }
        ExprKind::Match(value, cases)
    }

    pub(super) fn pattern(&mut self, pair: Pair<'_, Rule>) -> Pattern {
        let span = self.trimmed(&pair);
        let Some(inner) = children(pair).next() else { return Pattern::Any };
        let kind = match inner.as_rule() {
            Rule::any => return Pattern::Any,
            Rule::string => ExprKind::Literal(Value::String(self.string(&inner))),
            Rule::minus_number => {
                let text = inner.as_str();
                match (self.number(text.trim_start_matches('-'), span), text.starts_with('-')) {
                    (ExprKind::Literal(value), true) => {
                        ExprKind::Literal(literal::negate(&value).unwrap_or(value))
                    }
                    (kind, _) => kind,
                }
            }
            _ => self.bare(inner.as_str(), span),
        };
        match kind {
            ExprKind::Literal(value) => Pattern::Literal(value, span),
            ExprKind::Name(text) => Pattern::Name(ast::Name { text, span }),
            _ => Pattern::Any,
        }
    }
}

/// Whether a value may be a text as well as a condition.
fn may_be_text(expr: &Expr) -> bool {
    matches!(expr.kind, ExprKind::Own(_) | ExprKind::Name(_) | ExprKind::Field(..))
}

fn is_text(expr: &Expr) -> bool {
    matches!(&expr.kind, ExprKind::Literal(Value::String(_)))
}

fn at_text<'i>(op: &Pair<'i, Rule>) -> &'i str {
    op.as_str().trim()
}

/// The second of two comparisons that nothing separates.
fn chained<'p, 'i>(parts: &'p [Pair<'i, Rule>]) -> Option<&'p Pair<'i, Rule>> {
    let mut open = false;
    for part in parts {
        match part.as_rule() {
            Rule::op_and | Rule::op_or | Rule::not | Rule::bang => open = false,
            Rule::op_eq
            | Rule::op_ne
            | Rule::op_is
            | Rule::op_is_not
            | Rule::op_lt
            | Rule::op_le
            | Rule::op_gt
            | Rule::op_ge
                if std::mem::replace(&mut open, true) =>
            {
                return Some(part);
            }
            _ => {}
        }
    }
    None
}
