//! The tree as written: names unresolved, types unchecked, every node with its place.
//!
//! Deeper than the text is long it cannot be: the scanner bounds nesting before the parser runs.

mod test;

use crate::plan::{BinaryOp, UnaryOp};
use crate::span::Span;
use crate::types::Value;

pub(crate) use test::{Fault, Given, Mock, Test, TestPart};

/// A word and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Name {
    pub(crate) text: String,
    pub(crate) span: Span,
}

/// One file.
#[derive(Debug, Default)]
pub(crate) struct File {
    pub(crate) imports: Vec<Name>,
    pub(crate) items: Vec<Item>,
    /// Names that broken items would have declared; uses of them are not reported.
    pub(crate) poisoned: Vec<String>,
    /// It has an edition line.
    pub(crate) edition: bool,
    /// There is an experiment in it, if only a broken one.
    pub(crate) studies: bool,
}

/// A declaration.
#[derive(Debug)]
pub(crate) enum Item {
    Param(Param),
    Type(TypeDef),
    Enum(EnumDef),
    Endpoint(Endpoint),
    Source(Leaf),
    Sink(Leaf),
    Index(Leaf),
    Prompt(Prompt),
    Fn(FnDef),
    Flow(Flow),
    Schedule(Block),
    Slo(Slo),
    Measure(Measure),
    Experiment(Experiment),
    Test(Test),
}

#[derive(Debug)]
pub(crate) struct Param {
    pub(crate) name: Name,
    pub(crate) ty: Option<Ty>,
    pub(crate) default: Option<Expr>,
}

#[derive(Debug)]
pub(crate) struct TypeDef {
    pub(crate) name: Name,
    pub(crate) fields: Vec<Field>,
}

#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: Name,
    pub(crate) ty: Ty,
    pub(crate) default: Option<Expr>,
    pub(crate) attributes: Vec<Name>,
}

#[derive(Debug)]
pub(crate) struct EnumDef {
    pub(crate) name: Name,
    pub(crate) variants: Vec<Name>,
}

/// A written type.
#[derive(Debug, Clone)]
pub(crate) struct Ty {
    pub(crate) kind: TyKind,
    pub(crate) optional: bool,
    pub(crate) span: Span,
}

#[derive(Debug, Clone)]
pub(crate) enum TyKind {
    Name(String),
    List(Box<Ty>),
    Vector(Option<u32>),
    /// What it is could not be told.
    Bad,
}

#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) name: Name,
    pub(crate) block: Block,
}

/// `source`, `sink` and `index`: something outside with a type and a call.
#[derive(Debug)]
pub(crate) struct Leaf {
    pub(crate) name: Name,
    pub(crate) ty: Option<Name>,
    pub(crate) call: Call,
    pub(crate) block: Block,
}

#[derive(Debug)]
pub(crate) struct Prompt {
    pub(crate) name: Name,
    pub(crate) params: Vec<TypedName>,
    pub(crate) result: Option<Ty>,
    /// Dedented text.
    pub(crate) text: String,
    /// The quoted text in the file, quotes included.
    pub(crate) raw: Span,
}

#[derive(Debug)]
pub(crate) struct TypedName {
    pub(crate) name: Name,
    pub(crate) ty: Ty,
}

#[derive(Debug)]
pub(crate) struct FnDef {
    pub(crate) name: Name,
    pub(crate) params: Vec<TypedName>,
    pub(crate) result: Option<Ty>,
    pub(crate) body: Expr,
}

#[derive(Debug)]
pub(crate) struct Flow {
    pub(crate) name: Name,
    pub(crate) steps: Vec<Step>,
    /// A step could not be read: conclusions from what is absent would be wrong.
    pub(crate) broken: bool,
    /// Names of stages that could not be read.
    pub(crate) poisoned: Vec<String>,
}

#[derive(Debug)]
pub(crate) enum Step {
    From(Name, Block),
    Where(Expr),
    Stage(Stage),
    Emit(Emit),
    Route(Route),
    Loop(Loop),
    Carry(Carry),
    Group(Group),
    Dedup(Dedup),
    FlatMap(Name, Expr),
    Join(Join),
}

/// `join left source on key == source.field`.
#[derive(Debug)]
pub(crate) struct Join {
    pub(crate) left: bool,
    pub(crate) source: Name,
    pub(crate) on: Expr,
    pub(crate) span: Span,
}

/// `dedup by key, key`.
#[derive(Debug)]
pub(crate) struct Dedup {
    pub(crate) keys: Vec<Expr>,
    pub(crate) span: Span,
}

/// `group by key, name: key window call { name: aggregate }`.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) keys: Vec<Key>,
    pub(crate) window: Option<Call>,
    pub(crate) aggregates: Block,
    /// What stands before the block.
    pub(crate) span: Span,
}

/// A key of a group.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: Option<Name>,
    pub(crate) value: Expr,
}

/// `route subject { when pattern => { steps } else => { steps } }`.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) subject: Expr,
    pub(crate) arms: Vec<Arm>,
    /// An arm could not be read: what is not covered may be in that one.
    pub(crate) broken: bool,
    /// The word.
    pub(crate) span: Span,
}

#[derive(Debug)]
pub(crate) struct Arm {
    /// `None` is `else`.
    pub(crate) pattern: Option<Pattern>,
    pub(crate) steps: Vec<Step>,
    /// What stands before the `=>`.
    pub(crate) span: Span,
}

/// `loop up to count until condition { steps }`.
#[derive(Debug)]
pub(crate) struct Loop {
    /// As written.
    pub(crate) count: Name,
    pub(crate) until: Option<Expr>,
    pub(crate) steps: Vec<Step>,
    /// The word.
    pub(crate) span: Span,
}

/// `carry name: type = value`.
#[derive(Debug)]
pub(crate) struct Carry {
    pub(crate) name: Name,
    pub(crate) ty: Option<Ty>,
    pub(crate) value: Expr,
    pub(crate) span: Span,
}

/// `stage name: type = value on endpoint { options }`.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) name: Name,
    pub(crate) ty: Option<Ty>,
    pub(crate) value: Expr,
    pub(crate) on: Option<Name>,
    pub(crate) block: Block,
    pub(crate) span: Span,
}

#[derive(Debug)]
pub(crate) struct Emit {
    pub(crate) record: Option<Expr>,
    pub(crate) sink: Name,
    pub(crate) condition: Option<Expr>,
    pub(crate) span: Span,
}

/// `slo { condition ... }`.
#[derive(Debug)]
pub(crate) struct Slo {
    pub(crate) objectives: Vec<Expr>,
    /// The word.
    pub(crate) span: Span,
}

/// `measure to sink every interval { figure ... }`.
#[derive(Debug)]
pub(crate) struct Measure {
    pub(crate) to: Call,
    pub(crate) every: Option<Expr>,
    pub(crate) figures: Vec<Figure>,
    /// The word.
    pub(crate) span: Span,
}

/// `latency.p99 by node`.
#[derive(Debug)]
pub(crate) struct Figure {
    pub(crate) name: Name,
    pub(crate) by: Vec<Name>,
}

#[derive(Debug)]
pub(crate) struct Experiment {
    pub(crate) name: Name,
    pub(crate) parts: Vec<Part>,
    /// A part could not be read: conclusions from what is absent would be wrong.
    pub(crate) broken: bool,
}

/// What an experiment is made of, in any order.
#[derive(Debug)]
pub(crate) enum Part {
    /// The word `jobs` and the jobs.
    Jobs(Name, Vec<Job>),
    Setting(Entry),
    Sweep(Sweep),
    Claim(Claim),
    /// The word `quick` and its settings.
    Quick(Name, Block),
}

/// `flow`, or `name = flow { settings }`.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) name: Name,
    pub(crate) flow: Name,
    pub(crate) block: Block,
}

/// `sweep key in [points]`.
#[derive(Debug)]
pub(crate) struct Sweep {
    pub(crate) key: Name,
    pub(crate) points: Vec<Point>,
    /// What stands behind the `in`.
    pub(crate) span: Span,
}

#[derive(Debug)]
pub(crate) enum Point {
    Value(Expr),
    /// `label { settings }`.
    Group(Name, Block),
}

#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) text: Name,
    pub(crate) condition: Expr,
}

/// `{ key: value, ... }`; empty when not written.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    pub(crate) entries: Vec<Entry>,
    /// An entry could not be read: what is absent may be that one.
    pub(crate) broken: bool,
    pub(crate) span: Span,
}

#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: Name,
    pub(crate) value: Expr,
}

#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) name: Name,
    pub(crate) args: Vec<Arg>,
    pub(crate) span: Span,
}

#[derive(Debug, Clone)]
pub(crate) struct Arg {
    pub(crate) name: Option<Name>,
    pub(crate) value: Expr,
}

#[derive(Debug, Clone)]
pub(crate) struct Expr {
    pub(crate) kind: ExprKind,
    pub(crate) span: Span,
}

#[derive(Debug, Clone)]
pub(crate) enum ExprKind {
    Literal(Value),
    Name(String),
    /// `.field`, or `.` alone.
    Own(Option<Name>),
    Field(Box<Expr>, Name),
    At(Box<Expr>, Box<Expr>),
    Call(Call),
    Unary(UnaryOp, Box<Expr>),
    Binary(BinaryOp, Box<Expr>, Box<Expr>),
    If(Box<Expr>, Box<Expr>, Box<Expr>),
    Match(Box<Expr>, Vec<(Pattern, Expr)>),
    List(Vec<Expr>),
    Record(Option<Name>, Block),
    /// Already reported; fits everywhere.
    Bad,
}

#[derive(Debug, Clone)]
pub(crate) enum Pattern {
    Any,
    Name(Name),
    Literal(Value, Span),
}

impl Expr {
    /// The names that a list of names holds; of anything else, its name if it is one.
    pub(crate) fn names(&self) -> Vec<&str> {
        match &self.kind {
            ExprKind::Name(name) => vec![name],
            ExprKind::List(items) => items.iter().flat_map(Expr::names).collect(),
            _ => Vec::new(),
        }
    }
}
