//! Expressions of a plan: typed, over columns, names resolved.

use serde::{Deserialize, Serialize};

use crate::types::Value;

/// A typed expression over columns. Evaluation order is left to right; `Let` slots are numbered
/// from 0 within one expression.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Expr {
    /// A constant.
    Literal(Value),
    /// A column of the record in flight.
    Column(usize),
    /// Field of a record, by position.
    Field(Box<Expr>, usize),
    /// Field of every record of a list: `hits.text`.
    FieldOfEach(Box<Expr>, usize),
    /// A record with these fields of another, or every record of a list so; null stays null. Made
    /// where a type with fewer fields is due.
    Pick(Box<Expr>, Vec<usize>),
    /// `list[i]`; null when out of range.
    At(Box<Expr>, Box<Expr>),
    /// `-x`, `not x`.
    Unary(UnaryOp, Box<Expr>),
    /// Two operands. `and`, `or`, `??` evaluate the right side only when needed.
    Binary(BinaryOp, Box<Expr>, Box<Expr>),
    /// `if c then a else b`.
    If(Box<Expr>, Box<Expr>, Box<Expr>),
    /// `match x { value => e, _ => e }`; patterns are constants, `None` is `_`.
    Match(Box<Expr>, Vec<(Option<Value>, Expr)>),
    /// A built-in function.
    Call(Function, Vec<Expr>),
    /// A rendered prompt.
    Template(usize, Vec<Expr>),
    /// A record, fields in order.
    Record(Vec<Expr>),
    /// A list.
    List(Vec<Expr>),
    /// Evaluate each binding into its slot, then the body. Made when a user `fn` is inlined.
    Let(Vec<(usize, Expr)>, Box<Expr>),
    /// Value of a slot.
    Local(usize),
}

/// Operators with one operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum UnaryOp {
    /// `-x`
    Neg,
    /// `not x`
    Not,
}

/// Operators with two operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the operators")]
pub enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    And,
    Or,
    Contains,
    In,
    Coalesce,
}

impl BinaryOp {
    /// As it is written in programs.
    pub fn symbol(self) -> &'static str {
        match self {
            BinaryOp::Add => "+",
            BinaryOp::Sub => "-",
            BinaryOp::Mul => "*",
            BinaryOp::Div => "/",
            BinaryOp::Rem => "%",
            BinaryOp::Eq => "==",
            BinaryOp::Ne => "!=",
            BinaryOp::Lt => "<",
            BinaryOp::Le => "<=",
            BinaryOp::Gt => ">",
            BinaryOp::Ge => ">=",
            BinaryOp::And => "and",
            BinaryOp::Or => "or",
            BinaryOp::Contains => "contains",
            BinaryOp::In => "in",
            BinaryOp::Coalesce => "??",
        }
    }
}

/// Built-in functions. `FUNCTIONS` in `functions.rs` gives their signatures and texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "documented in the function registry")]
pub enum Function {
    Length,
    Lower,
    Upper,
    Trim,
    Words,
    Join,
    Split,
    Fnv1a,
    Hash,
    Min,
    Max,
    Abs,
    Round,
    Floor,
    Ceil,
    ToString,
    ToInt,
    ToFloat,
    StartsWith,
    EndsWith,
    Replace,
    Slice,
    Union,
    CountTokens,
    Time,
}
