//! Running a program on one record.

use std::cmp::Ordering;

use bumpalo::Bump;
use bumpalo::collections::Vec as ArenaVec;
use sage_dsl::plan::{BinaryOp, UnaryOp};

use super::compile::{Op, Program};
use super::function;
use super::template::Templates;
use crate::record::{Datum, Items, pack, pack_record};

/// Why an expression has no value for a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {
    /// `x / 0`, `x % 0`.
    #[error("division by zero")]
    DivisionByZero,
    /// A result outside 64 bits.
    #[error("integer overflow in `{0}`")]
    Overflow(&'static str),
    /// A result that no float can hold.
    #[error("the result of `{0}` is too large for a float")]
    TooLarge(&'static str),
    /// A value of a kind the operation does not take; the checker rules it out for checked plans,
    /// null is the usual cause.
    #[error("`{operation}` cannot use {found}")]
    Kind {
        /// Operator or function.
        operation: &'static str,
        /// What it met.
        found: &'static str,
    },
    /// A count or a time below zero.
    #[error("{value} is negative; a count or a time must not be")]
    Negative {
        /// The value.
        value: i64,
    },
    /// No arm of a `match` fits the value.
    #[error("no arm of `match` fits the value")]
    NoArm,
    /// A text that is not a number.
    #[error("`{operation}` cannot read `{text}` as a number")]
    Parse {
        /// Function.
        operation: &'static str,
        /// Start of the text.
        text: String,
    },
    /// A text that is not a time.
    #[error("`time` expected {expected}, found `{text}`")]
    Time {
        /// What it reads.
        expected: &'static str,
        /// Start of the text.
        text: String,
    },
    /// A prompt template failed.
    #[error("prompt `{name}`: {message}")]
    Template {
        /// Prompt's name.
        name: String,
        /// What the template engine said.
        message: String,
    },
}

impl Program {
    /// Evaluate over `columns`. New strings and lists are made in `arena`; the result lives as long
    /// as program, row and arena together.
    pub fn evaluate<'a>(
        &'a self,
        columns: &[Datum<'a>],
        templates: &'a Templates,
        arena: &'a Bump,
    ) -> Result<Datum<'a>, EvalError> {
        // The commonest programs need no stack.
        match *self.ops.as_slice() {
            [Op::Column(column)] => return Ok(column_at(columns, column)),
            [Op::Constant(at)] => return Ok(self.constant_at(at)),
            [Op::Column(column), Op::Call { function, arguments: 1 }] => {
                return function::call(function, &[column_at(columns, column)], arena);
            }
            [Op::Column(column), Op::Constant(at), Op::Call { function, arguments: 2 }] => {
                let arguments = [column_at(columns, column), self.constant_at(at)];
                return function::call(function, &arguments, arena);
            }
            [Op::Column(column), Op::Constant(at), Op::HashJoined] => {
                let (list, separator) = (column_at(columns, column), self.constant_at(at));
                return function::hash_joined(list, separator, arena);
            }
            [
                Op::Column(column),
                Op::Constant(at),
                Op::Call { function: inner, arguments: 2 },
                Op::Call { function: outer, arguments: 1 },
            ] => {
                let arguments = [column_at(columns, column), self.constant_at(at)];
                let value = function::call(inner, &arguments, arena)?;
                return function::call(outer, &[value], arena);
            }
            [Op::Column(column), Op::Constant(at), Op::Binary(op)] => {
                return binary(op, column_at(columns, column), self.constant_at(at), arena);
            }
            _ => {}
        }
        self.run(Datum::Null, columns, templates, arena)
    }

    /// Whether its value depends on the record.
    pub fn reads_columns(&self) -> bool {
        self.ops.iter().any(|op| matches!(op, Op::Column(_)))
    }

    /// Evaluate over `columns` where the first slot is given: what a condition on documents is
    /// about.
    pub fn evaluate_about<'a>(
        &'a self,
        subject: Datum<'a>,
        columns: &[Datum<'a>],
        templates: &'a Templates,
        arena: &'a Bump,
    ) -> Result<Datum<'a>, EvalError> {
        self.run(subject, columns, templates, arena)
    }

    fn run<'a>(
        &'a self,
        first: Datum<'a>,
        columns: &[Datum<'a>],
        templates: &'a Templates,
        arena: &'a Bump,
    ) -> Result<Datum<'a>, EvalError> {
        let mut stack: ArenaVec<'_, Datum<'a>> = ArenaVec::with_capacity_in(8, arena);
        let mut locals: ArenaVec<'_, Datum<'a>> = ArenaVec::new_in(arena);
        locals.resize(self.locals, Datum::Null);
        if let Some(slot) = locals.first_mut() {
            *slot = first;
        }
        let mut at = 0;
        while let Some(op) = self.ops.get(at) {
            at += 1;
            match *op {
                Op::Constant(offset) => stack.push(self.constant_at(offset)),
                Op::Column(column) => stack.push(column_at(columns, column)),
                Op::Field(field) => {
                    let record = pop(&mut stack);
                    stack.push(record.items().get(field as usize));
                }
                Op::FieldOfEach(field) => {
                    let list = pop(&mut stack);
                    stack.push(list_in(arena, 64, |out| {
                        for record in list.items() {
                            pack(out, record.items().get(field as usize));
                        }
                    }));
                }
                Op::Pick { from, count } => {
                    let value = pop(&mut stack);
                    let fields = &self.picked[from as usize..(from + count) as usize];
                    stack.push(picked(value, fields, arena));
                }
                Op::At => {
                    let index = pop(&mut stack).as_int();
                    let list = pop(&mut stack);
                    let position = index.and_then(|index| usize::try_from(index).ok());
                    stack.push(position.map_or(Datum::Null, |p| list.items().get(p)));
                }
                Op::Unary(op) => {
                    let operand = pop(&mut stack);
                    stack.push(unary(op, operand)?);
                }
                Op::Binary(op) => {
                    let right = pop(&mut stack);
                    let left = pop(&mut stack);
                    stack.push(binary(op, left, right, arena)?);
                }
                Op::JumpUnlessTrue(target) => {
                    if pop(&mut stack) != Datum::Bool(true) {
                        at = target as usize;
                    }
                }
                Op::JumpIfFalseKeep(target) => {
                    if stack.last() == Some(&Datum::Bool(false)) {
                        at = target as usize;
                    }
                }
                Op::JumpIfTrueKeep(target) => {
                    if stack.last() == Some(&Datum::Bool(true)) {
                        at = target as usize;
                    }
                }
                Op::JumpIfSomeKeep(target) => {
                    if !matches!(stack.last(), Some(Datum::Null) | None) {
                        at = target as usize;
                    }
                }
                Op::JumpUnlessConstant { constant, target } => {
                    if stack.last() != Some(&self.constant_at(constant)) {
                        at = target as usize;
                    }
                }
                Op::Jump(target) => at = target as usize,
                Op::Pop => drop(stack.pop()),
                Op::NoArm => return Err(EvalError::NoArm),
                Op::Call { function, arguments } => {
                    let from = stack.len().saturating_sub(arguments as usize);
                    let value = function::call(function, &stack[from..], arena)?;
                    stack.truncate(from);
                    stack.push(value);
                }
                Op::HashJoined => {
                    let separator = pop(&mut stack);
                    let list = pop(&mut stack);
                    stack.push(function::hash_joined(list, separator, arena)?);
                }
                Op::Template { template, arguments } => {
                    let from = stack.len().saturating_sub(arguments as usize);
                    let text = templates.render(template as usize, &stack[from..])?;
                    stack.truncate(from);
                    stack.push(Datum::Str(arena.alloc_str(&text)));
                }
                Op::Record(n) | Op::List(n) => {
                    let from = stack.len().saturating_sub(n as usize);
                    let mut bytes = Vec::new();
                    stack[from..].iter().for_each(|value| pack(&mut bytes, *value));
                    let items = Items::new(arena.alloc_slice_copy(&bytes));
                    stack.truncate(from);
                    let record = matches!(op, Op::Record(_));
                    stack.push(if record { Datum::Record(items) } else { Datum::List(items) });
                }
                Op::Store(slot) => locals[slot as usize] = pop(&mut stack),
                Op::Load(slot) => stack.push(locals[slot as usize]),
            }
        }
        Ok(pop(&mut stack))
    }
}

fn column_at<'a>(columns: &[Datum<'a>], column: u32) -> Datum<'a> {
    columns.get(column as usize).copied().unwrap_or(Datum::Null)
}

fn pop<'a>(stack: &mut ArenaVec<'_, Datum<'a>>) -> Datum<'a> {
    stack.pop().unwrap_or(Datum::Null)
}

/// Build a list in the arena; `bytes` is a guess at its packed size, to grow once at most.
pub(super) fn list_in(arena: &Bump, bytes: usize, fill: impl FnOnce(&mut Vec<u8>)) -> Datum<'_> {
    let mut packed = Vec::with_capacity(bytes);
    fill(&mut packed);
    Datum::List(Items::new(arena.alloc_slice_copy(&packed)))
}

/// A record with some of its fields, or every record of a list so.
fn picked<'a>(value: Datum<'a>, fields: &[u32], arena: &'a Bump) -> Datum<'a> {
    let pick = |out: &mut Vec<u8>, record: Items<'a>| {
        fields.iter().for_each(|field| pack(out, record.get(*field as usize)));
    };
    match value {
        Datum::Record(record) => {
            let mut packed = Vec::new();
            pick(&mut packed, record);
            Datum::Record(Items::new(arena.alloc_slice_copy(&packed)))
        }
        Datum::List(items) => list_in(arena, items.bytes().len(), |out| {
            for item in items {
                match item {
                    Datum::Record(record) => pack_record(out, |out| pick(out, record)),
                    other => pack(out, other),
                }
            }
        }),
        other => other,
    }
}

pub(super) fn kind_error(operation: &'static str, found: Datum<'_>) -> EvalError {
    let found = match found {
        Datum::Null => "null",
        Datum::Bool(_) => "a bool",
        Datum::Int(_) => "an int",
        Datum::Float(_) => "a float",
        Datum::Str(_) => "a string",
        Datum::Bytes(_) => "bytes",
        Datum::List(_) => "a list",
        Datum::Record(_) => "a record",
        Datum::Vector(_) => "a vector",
    };
    EvalError::Kind { operation, found }
}

fn unary(op: UnaryOp, operand: Datum<'_>) -> Result<Datum<'_>, EvalError> {
    match (op, operand) {
        (UnaryOp::Not, Datum::Bool(flag)) => Ok(Datum::Bool(!flag)),
        (UnaryOp::Neg, Datum::Int(n)) => {
            n.checked_neg().map(Datum::Int).ok_or(EvalError::Overflow("-"))
        }
        (UnaryOp::Neg, Datum::Float(x)) => Ok(Datum::Float(-x)),
        (UnaryOp::Not, other) => Err(kind_error("not", other)),
        (UnaryOp::Neg, other) => Err(kind_error("-", other)),
    }
}

fn binary<'a>(
    op: BinaryOp,
    left: Datum<'a>,
    right: Datum<'a>,
    arena: &'a Bump,
) -> Result<Datum<'a>, EvalError> {
    Ok(match op {
        BinaryOp::Add => match (left, right) {
            (Datum::Str(a), Datum::Str(b)) => {
                let mut text =
                    bumpalo::collections::String::with_capacity_in(a.len() + b.len(), arena);
                text.push_str(a);
                text.push_str(b);
                Datum::Str(text.into_bump_str())
            }
            (Datum::List(a), Datum::List(b)) => {
                list_in(arena, a.bytes().len() + b.bytes().len(), |out| {
                    out.extend_from_slice(a.bytes());
                    out.extend_from_slice(b.bytes());
                })
            }
            _ => arithmetic("+", left, right, i64::checked_add, |a, b| a + b)?,
        },
        BinaryOp::Sub => arithmetic("-", left, right, i64::checked_sub, |a, b| a - b)?,
        BinaryOp::Mul => arithmetic("*", left, right, i64::checked_mul, |a, b| a * b)?,
        BinaryOp::Div | BinaryOp::Rem if right == Datum::Int(0) && left.as_int().is_some() => {
            return Err(EvalError::DivisionByZero);
        }
        BinaryOp::Div => arithmetic("/", left, right, i64::checked_div, |a, b| a / b)?,
        BinaryOp::Rem => arithmetic("%", left, right, i64::checked_rem, |a, b| a % b)?,
        BinaryOp::Eq => Datum::Bool(left == right),
        BinaryOp::Ne => Datum::Bool(left != right),
        BinaryOp::Lt => Datum::Bool(compare(left, right) == Some(Ordering::Less)),
        BinaryOp::Le => Datum::Bool(compare(left, right).is_some_and(Ordering::is_le)),
        BinaryOp::Gt => Datum::Bool(compare(left, right) == Some(Ordering::Greater)),
        BinaryOp::Ge => Datum::Bool(compare(left, right).is_some_and(Ordering::is_ge)),
        BinaryOp::Contains => Datum::Bool(contains(left, right)),
        BinaryOp::In => Datum::Bool(contains(right, left)),
        // Compiled to jumps; what arrives here is the right side's value.
        BinaryOp::And | BinaryOp::Or | BinaryOp::Coalesce => right,
    })
}

/// Null compares with nothing: `null < 1` and `null > 1` are both false.
fn compare(left: Datum<'_>, right: Datum<'_>) -> Option<Ordering> {
    match (left, right) {
        (Datum::Null, _) | (_, Datum::Null) => None,
        _ => Some(left.cmp(&right)),
    }
}

fn contains(whole: Datum<'_>, part: Datum<'_>) -> bool {
    match (whole, part) {
        (Datum::Str(text), Datum::Str(part)) => text.contains(part),
        (Datum::List(mut items), part) => items.any(|item| item == part),
        _ => false,
    }
}

fn arithmetic<'a>(
    operation: &'static str,
    left: Datum<'a>,
    right: Datum<'a>,
    int: fn(i64, i64) -> Option<i64>,
    float: fn(f64, f64) -> f64,
) -> Result<Datum<'a>, EvalError> {
    match (left, right) {
        (Datum::Int(a), Datum::Int(b)) => {
            int(a, b).map(Datum::Int).ok_or(EvalError::Overflow(operation))
        }
        _ => match (left.as_float(), right.as_float()) {
            // JSON has no word for what is not finite; a null would hide it.
            (Some(a), Some(b)) => match float(a, b) {
                result if result.is_finite() || !a.is_finite() || !b.is_finite() => {
                    Ok(Datum::Float(result))
                }
                _ if b == 0.0 && operation == "/" => Err(EvalError::DivisionByZero),
                _ => Err(EvalError::TooLarge(operation)),
            },
            (None, _) => Err(kind_error(operation, left)),
            (_, None) => Err(kind_error(operation, right)),
        },
    }
}
