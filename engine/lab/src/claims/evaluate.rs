//! Evaluation of a condition in one group of rows.
//!
//! What was not measured makes a condition not measurable, except where the other side of `and`,
//! `or` and `??` settles it.

use sage_dsl::experiment::{Aggregate, Condition};
use sage_dsl::plan::{BinaryOp, UnaryOp};

use super::groups::{Binding, Groups};
use super::text;
use crate::results::column;

/// Whether a condition holds, or why that cannot be said.
pub(super) type Truth = Result<bool, String>;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Scalar {
    Number(f64),
    Bool(bool),
}

/// Evaluates conditions and keeps the numbers they were decided on.
pub(super) struct Evaluator<'a> {
    groups: &'a Groups,
    /// Figure of a row, by the row's number and the column's proper name.
    figure: &'a dyn Fn(usize, &str) -> Option<f64>,
    /// What was looked up: as written, and the value.
    pub(super) numbers: Vec<(String, f64)>,
    /// Aggregates in progress; what they look up is not noted one by one.
    depth: u32,
}

impl<'a> Evaluator<'a> {
    pub(super) fn new(
        groups: &'a Groups,
        figure: &'a dyn Fn(usize, &str) -> Option<f64>,
    ) -> Evaluator<'a> {
        Evaluator { groups, figure, numbers: Vec::new(), depth: 0 }
    }

    pub(super) fn truth(&mut self, condition: &Condition, binding: &Binding) -> Truth {
        match self.scalar(condition, binding)? {
            Scalar::Bool(truth) => Ok(truth),
            Scalar::Number(_) => {
                Err(format!("`{}` is not a condition", text::condition(condition)))
            }
        }
    }

    fn number(&mut self, condition: &Condition, binding: &Binding) -> Result<f64, String> {
        match self.scalar(condition, binding)? {
            Scalar::Number(number) => Ok(number),
            Scalar::Bool(_) => Err(format!("`{}` is not a number", text::condition(condition))),
        }
    }

    fn scalar(&mut self, condition: &Condition, binding: &Binding) -> Result<Scalar, String> {
        Ok(match condition {
            Condition::Number(number) => Scalar::Number(*number),
            Condition::Bool(flag) => Scalar::Bool(*flag),
            Condition::Column(name) => Scalar::Number(self.look_up(name, name, binding)?),
            Condition::At { column, labels } => {
                let mut narrow = binding.clone();
                narrow.extend(self.groups.bind(labels)?);
                let shown = text::at(column, labels);
                Scalar::Number(self.look_up(column, &shown, &narrow)?)
            }
            Condition::Over(aggregate, inner) => {
                self.depth += 1;
                let found = self.over(*aggregate, inner, binding);
                self.depth -= 1;
                let found = found?;
                self.note(&text::condition(condition), found);
                Scalar::Number(found)
            }
            Condition::Unary(UnaryOp::Neg, inner) => Scalar::Number(-self.number(inner, binding)?),
            Condition::Unary(UnaryOp::Not, inner) => Scalar::Bool(!self.truth(inner, binding)?),
            Condition::Abs(inner) => Scalar::Number(self.number(inner, binding)?.abs()),
            Condition::Binary(op, left, right) => self.binary(*op, left, right, binding)?,
        })
    }

    fn binary(
        &mut self,
        op: BinaryOp,
        left: &Condition,
        right: &Condition,
        binding: &Binding,
    ) -> Result<Scalar, String> {
        match op {
            BinaryOp::And | BinaryOp::Or => {
                let settles = op == BinaryOp::Or;
                let sides = [self.truth(left, binding), self.truth(right, binding)];
                if sides.contains(&Ok(settles)) {
                    return Ok(Scalar::Bool(settles));
                }
                let [left, right] = sides;
                left?;
                right?;
                Ok(Scalar::Bool(!settles))
            }
            BinaryOp::Coalesce => match self.scalar(left, binding) {
                Err(_) => self.scalar(right, binding),
                found => found,
            },
            BinaryOp::Contains | BinaryOp::In => {
                Err(format!("`{}` has no meaning for figures", op.symbol()))
            }
            BinaryOp::Eq | BinaryOp::Ne => {
                let (left, right) = (self.scalar(left, binding), self.scalar(right, binding));
                Ok(Scalar::Bool((left? == right?) == (op == BinaryOp::Eq)))
            }
            _ => {
                // Both are looked up, so that both are shown.
                let (left, right) = (self.number(left, binding), self.number(right, binding));
                arithmetic(op, left?, right?)
            }
        }
    }

    fn over(
        &mut self,
        aggregate: Aggregate,
        inner: &Condition,
        binding: &Binding,
    ) -> Result<f64, String> {
        let mut free = self.groups.open(binding);
        let mut column = None;
        if let Some(fixed) = self.fixed(inner, &mut column)? {
            free.retain(|dimension| !fixed.contains(dimension));
        }
        let Some(column) = column else {
            return Err(format!("`{}` names no column", text::condition(inner)));
        };
        let mut within = binding.clone();
        if free.is_empty() && self.groups.over_all {
            (within, free) = self.groups.all_points(binding);
        }
        let bindings = self.groups.spread(&within, &free, &column);
        let mut values = Vec::with_capacity(bindings.len());
        for binding in &bindings {
            values.push(self.number(inner, binding)?);
        }
        let count = values.len() as f64;
        match aggregate {
            Aggregate::Max => values.into_iter().reduce(f64::max),
            Aggregate::Min => values.into_iter().reduce(f64::min),
            Aggregate::Sum => values.into_iter().reduce(|a, b| a + b),
            Aggregate::Mean => values.into_iter().reduce(|a, b| a + b).map(|sum| sum / count),
        }
        .ok_or_else(|| format!("`{}` has no rows", text::condition(inner)))
    }

    /// Dimensions whose label is the same wherever `inner` looks; `None` if it looks nowhere. An
    /// aggregate does not go over them.
    fn fixed(
        &self,
        inner: &Condition,
        column: &mut Option<String>,
    ) -> Result<Option<Vec<usize>>, String> {
        Ok(match inner {
            Condition::Number(_) | Condition::Bool(_) => None,
            Condition::Column(name) => {
                column.get_or_insert_with(|| name.clone());
                Some(Vec::new())
            }
            Condition::At { column: name, labels } => {
                column.get_or_insert_with(|| name.clone());
                Some(self.groups.bind(labels)?.into_keys().collect())
            }
            Condition::Over(_, inner) | Condition::Unary(_, inner) | Condition::Abs(inner) => {
                self.fixed(inner, column)?
            }
            Condition::Binary(_, left, right) => {
                match (self.fixed(left, column)?, self.fixed(right, column)?) {
                    (Some(mut left), Some(right)) => {
                        left.retain(|dimension| right.contains(dimension));
                        Some(left)
                    }
                    (one, other) => one.or(other),
                }
            }
        })
    }

    fn look_up(&mut self, name: &str, shown: &str, binding: &Binding) -> Result<f64, String> {
        let proper = column(name).map_or(name, |column| column.name);
        match self.groups.matching(binding, proper)[..] {
            [row] => {
                let found = (self.figure)(row, proper)
                    .ok_or_else(|| format!("{shown} was not measured"))?;
                self.note(shown, found);
                Ok(found)
            }
            [] => Err(format!("{shown} is of no row")),
            _ => {
                let open = self.groups.names(&self.groups.open(binding));
                Err(format!("{shown} is of several rows (of {open}); name one, or use max or mean"))
            }
        }
    }

    fn note(&mut self, shown: &str, value: f64) {
        if self.depth == 0 {
            self.numbers.push((shown.to_owned(), value));
        }
    }
}

fn arithmetic(op: BinaryOp, left: f64, right: f64) -> Result<Scalar, String> {
    let number = match op {
        BinaryOp::Lt => return Ok(Scalar::Bool(left < right)),
        BinaryOp::Le => return Ok(Scalar::Bool(left <= right)),
        BinaryOp::Gt => return Ok(Scalar::Bool(left > right)),
        BinaryOp::Ge => return Ok(Scalar::Bool(left >= right)),
        BinaryOp::Add => left + right,
        BinaryOp::Sub => left - right,
        BinaryOp::Mul => left * right,
        BinaryOp::Div => left / right,
        _ => left % right,
    };
    if number.is_finite() {
        Ok(Scalar::Number(number))
    } else {
        Err(format!("{} {} {} is no number", left, op.symbol(), right))
    }
}
