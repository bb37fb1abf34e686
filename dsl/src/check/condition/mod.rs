//! Conditions over the columns of results: claims of experiments and objectives of programs.
//!
//! They are no expressions over records: their names are columns, and what stands in brackets is
//! the label of a point. **Units are settled here**: every number of a checked condition is in the
//! unit of the column it is compared with, so that whoever evaluates it sees plain numbers.

mod column;
mod operand;
pub(super) mod unit;

use super::Checker;
use super::experiment::Labels;
use crate::ast::{self, ExprKind};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::experiment::{Claim, Condition};
use crate::plan::UnaryOp;
use crate::span::Span;
use crate::types::Value;

use unit::Unit;

/// Levels of a condition. A result that holds it is JSON, whose readers stop at 128 levels.
const MAX_LEVELS: usize = 50;

/// What a condition is said about, and what was found in it.
pub(super) struct About<'l> {
    /// Labels of the experiment; an objective is about a single run and has none.
    labels: Option<&'l Labels>,
    /// Inside of an aggregate over rows.
    inside: bool,
    levels: usize,
    /// Columns outside of aggregates: place, name, and the dimensions that their labels settle.
    looks: Vec<Look>,
    /// Aggregates.
    overs: Vec<Over>,
    /// Number of the comparison at hand.
    comparison: usize,
}

struct Look {
    span: Span,
    column: String,
    dimensions: Vec<usize>,
    comparison: usize,
}

/// An aggregate, and the dimensions that labels in it name; it does not go over them.
struct Over {
    span: Span,
    dimensions: Vec<usize>,
    comparison: usize,
}

/// A checked piece.
struct Part {
    condition: Condition,
    kind: Kind,
    /// No column is in it.
    constant: bool,
    /// Its unit can be read where it stands: `latency_p99_ms` says it, `p99(latency)` does not.
    said: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Bool,
    Number(Unit),
}

impl Checker<'_> {
    /// A claim or an objective: its condition, `text` in words, and the place of both.
    pub(super) fn claimed(
        &mut self,
        text: Option<&str>,
        written: &ast::Expr,
        labels: Option<&Labels>,
    ) -> Option<Claim> {
        let mut about = About {
            labels,
            inside: false,
            levels: 0,
            looks: Vec::new(),
            overs: Vec::new(),
            comparison: 0,
        };
        let part = self.piece(written, &mut about)?;
        let what = if labels.is_some() { "a claim" } else { "an objective" };
        let source = one_line(self.input.sources.text(written.span));
        if part.kind != Kind::Bool {
            let message = format!("{what} compares figures, and this is a number");
            self.report(
                Diagnostic::error(codes::NOT_A_CLAIM, written.span, message)
                    .help(format!("as in `{source} > 1`")),
            );
            return None;
        }
        if part.constant {
            let message = format!("{what} is about results, and this looks at none");
            self.report(
                Diagnostic::error(codes::NOT_A_CLAIM, written.span, message)
                    .help("name a column, as in `p99(latency) < 10s`"),
            );
            return None;
        }
        self.rows(&about);
        let text = text.map_or_else(|| source.clone(), str::to_owned);
        Some(Claim { text, condition: part.condition, source, line: self.line(written.span) })
    }

    fn piece(&mut self, written: &ast::Expr, about: &mut About<'_>) -> Option<Part> {
        if self.full() {
            return None;
        }
        if about.levels >= MAX_LEVELS {
            let message = format!("a condition may be {MAX_LEVELS} levels deep");
            self.report(Diagnostic::error(codes::TOO_LARGE, written.span, message));
            return None;
        }
        about.levels += 1;
        let part = self.piece_of(written, about);
        about.levels -= 1;
        part
    }

    fn piece_of(&mut self, written: &ast::Expr, about: &mut About<'_>) -> Option<Part> {
        match &written.kind {
            ExprKind::Bad => None,
            ExprKind::Literal(value) => self.literal(value, written.span),
            ExprKind::Name(_) | ExprKind::At(..) => self.look(written, about),
            ExprKind::Call(call) => self.condition_call(call, written, about),
            ExprKind::Unary(op, inner) => {
                let part = self.piece(inner, about)?;
                let wanted = if *op == UnaryOp::Not { Kind::Bool } else { part.number() };
                if part.kind != wanted {
                    let message = match op {
                        UnaryOp::Not => "`not` takes a comparison",
                        UnaryOp::Neg => "`-` takes a number",
                    };
                    self.report(Diagnostic::error(codes::NOT_A_CLAIM, written.span, message));
                    return None;
                }
                let condition = match (op, part.condition) {
                    (UnaryOp::Neg, Condition::Number(x)) => Condition::Number(-x),
                    (op, inner) => Condition::Unary(*op, Box::new(inner)),
                };
                Some(Part { condition, ..part })
            }
            ExprKind::Binary(op, left, right) => self.operands(*op, left, right, written, about),
            _ => {
                let message = "a condition is made of columns, numbers and comparisons";
                let mut diagnostic = Diagnostic::error(codes::NOT_A_CLAIM, written.span, message);
                if let ExprKind::Field(inner, name) = &written.kind
                    && let ExprKind::Name(family) = &inner.kind
                {
                    diagnostic = diagnostic.help(format!("write `{}({family})`", name.text));
                }
                self.report(diagnostic);
                None
            }
        }
    }

    fn literal(&mut self, value: &Value, span: Span) -> Option<Part> {
        let (number, unit) = match value {
            Value::Bool(flag) => {
                let condition = Condition::Bool(*flag);
                return Some(Part { condition, kind: Kind::Bool, constant: true, said: true });
            }
            Value::Int(n) => (*n as f64, Unit::Plain),
            Value::Float(x) => (*x, Unit::Plain),
            Value::Percent(share) => (*share, Unit::Share),
            Value::Duration(nanos) => (*nanos as f64, Unit::Time(1.0)),
            Value::Rate(rate) => (*rate, Unit::Rate),
            Value::Tokens(n) => (*n as f64, Unit::Tokens),
            _ => {
                let message = "results are numbers; this is none";
                let diagnostic = Diagnostic::error(codes::NOT_A_CLAIM, span, message);
                // `"10s"` is a number in quotes.
                let number = value.as_str().map(str::trim).filter(|text| is_number(text));
                self.report(match number {
                    Some(text) => {
                        diagnostic.help(format!("write `{text}` without quotes")).fix(span, text)
                    }
                    None => diagnostic,
                });
                return None;
            }
        };
        let condition = Condition::Number(number);
        Some(Part { condition, kind: Kind::Number(unit), constant: true, said: true })
    }

    /// Whether each column means one row: the labels of a claim say along which dimensions rows are
    /// compared, and each column has to say where on each of them it stands.
    fn rows(&mut self, about: &About<'_>) {
        let Some(labels) = about.labels else { return };
        let looks = about.looks.iter().map(|look| &look.dimensions);
        let overs = about.overs.iter().map(|over| &over.dimensions);
        let mut named: Vec<usize> = looks.chain(overs).flatten().copied().collect();
        named.sort_unstable();
        named.dedup();
        self.vacuous(about, &named);
        for look in &about.looks {
            let missing = named.iter().find(|dimension| {
                // Figures of jobs that run together stand in a row of their own.
                let same = |other: &Look| {
                    other.column == look.column && other.dimensions.contains(dimension)
                };
                !look.dimensions.contains(dimension)
                    && (!labels.is_jobs(**dimension) || about.looks.iter().any(same))
            });
            let Some(missing) = missing else { continue };
            let text = self.input.sources.text(look.span).to_owned();
            let name = labels.name(*missing);
            let message =
                format!("`{text}` says nothing of `{name}`, by which rows are compared here");
            let example = labels.some(*missing);
            self.report(Diagnostic::error(codes::SEVERAL_ROWS, look.span, message).help(format!(
                "write `{text}[{example}]`, or `max`, `min` or `mean` of it for all rows"
            )));
            return;
        }
    }
}

impl Checker<'_> {
    /// Aggregates that go over a single row, since the claim names no point along any other: that
    /// `min(x) > 0.9 * max(x)` would hold by itself.
    fn vacuous(&mut self, about: &About<'_>, named: &[usize]) {
        for (at, over) in about.overs.iter().enumerate() {
            let beside = |other: usize| other == over.comparison;
            let compared = about.looks.iter().any(|look| beside(look.comparison))
                || about.overs.iter().enumerate().any(|(n, it)| n != at && beside(it.comparison));
            let free = named.iter().any(|dimension| !over.dimensions.contains(dimension));
            if free || !compared {
                continue;
            }
            let message =
                "this goes over one row: the claim names no point of what it is to go over";
            self.report(Diagnostic::error(codes::SEVERAL_ROWS, over.span, message).help(
                "compare with one of those points, as in `min(balance) > 0.9 * balance[fifo]`, \
                     or leave it out",
            ));
            return;
        }
    }
}

impl Part {
    /// The kind of a number, its own if it is one.
    fn number(&self) -> Kind {
        match self.kind {
            Kind::Bool => Kind::Number(Unit::Plain),
            number @ Kind::Number(_) => number,
        }
    }
}

/// Text with its line ends and indentation made single blanks.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether a text is a number of the language, with its unit.
fn is_number(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit()) && crate::literal::number(text).is_ok()
}
