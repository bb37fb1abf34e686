//! A flow while it grows: its columns and nodes, and what is known of the path at hand.
//!
//! Routes and loops add nothing to a plan but guards: an arm, or a round of a loop, is a run of
//! nodes that do something only for some records. So a flow stays one line of nodes with one column
//! a stage. **A column has two names**: the one that steps may use while it is in sight, and the one
//! that the plan and the figures know it by (`multi.hits.2`). One that is out of sight begins with a
//! dot, which no name of the language does.

use std::collections::BTreeSet;

use super::merge::Merge;
use super::relation::Relation;
use super::typed::{Shape, Typed};
use super::{Place, Scope};
use crate::ast;
use crate::catalog::EndpointUse;
use crate::lower;
use crate::plan::{BinaryOp, Column, Expr, Node, StagePlan, Turn, UnaryOp};
use crate::span::Span;
use crate::types::{Type, Value};

/// A stage as written, and one of the columns that it makes.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) name: ast::Name,
    pub(super) column: usize,
    pub(super) calls: EndpointUse,
}

/// A name that is not in sight, and why.
#[derive(Debug, Clone)]
pub(crate) struct Hidden {
    pub(crate) name: String,
    pub(crate) message: String,
    pub(crate) help: String,
}

/// All of a flow that was checked so far.
pub(super) struct Body {
    pub(super) columns: Vec<Column>,
    /// Fields of the record: the first columns.
    pub(super) own: usize,
    /// Names in the plan, by column, and where each was written.
    pub(super) measured: Vec<(String, Span)>,
    pub(super) nodes: Vec<Node>,
    /// Position of the source's key.
    pub(super) key: Option<usize>,
    pub(super) poisoned: Vec<String>,
    pub(super) made: Vec<Made>,
    /// Columns that something reads.
    pub(super) read: BTreeSet<usize>,
    pub(super) hidden: Vec<Hidden>,
    /// Names that all arms of a route define, until somebody uses them.
    pub(super) pending: Vec<Merge>,
    /// Steps that may still be checked.
    pub(super) left: usize,
    /// What the records contribute to, from the first step over all of them on.
    pub(super) relation: Option<Relation>,
    /// The step with which it began to be about all records, and why there.
    pub(super) began: Option<Began>,
    /// Position of the key, if the source is one of changes.
    pub(super) feed: Option<usize>,
    /// What its versions have to meet, as it is written.
    pub(super) conditions: Vec<String>,
}

/// The first step over all records of a flow.
#[derive(Debug, Clone)]
pub(super) struct Began {
    pub(super) word: &'static str,
    pub(super) span: Span,
    /// Why it is not done record by record, where it might have been.
    pub(super) why: Option<&'static str>,
}

/// Records that have not come to an `emit` yet.
#[derive(Debug, Clone)]
pub(super) enum Open {
    Flow,
    /// Those of the arm that is written there.
    Arm(Span),
}

/// A path through the flow: what holds for the records that take it.
#[derive(Debug, Default)]
pub(super) struct Level {
    /// True for these records; always true when absent.
    pub(super) guard: Option<Typed>,
    pub(super) turns: Vec<Turn>,
    /// The first `emit` that they have passed.
    pub(super) emitted: Option<Span>,
    pub(super) open: Vec<Open>,
    /// `where false`: there are none.
    pub(super) dropped: bool,
    /// Loops around.
    pub(super) loops: usize,
    /// The round at hand, in the body of a loop itself.
    pub(super) round: Option<super::repeat::Round>,
}

impl Level {
    /// A path that branches off here.
    pub(super) fn branch(&self, guard: Option<Typed>, turn: Turn) -> Level {
        let mut turns = self.turns.clone();
        turns.push(turn);
        Level {
            guard,
            turns,
            emitted: self.emitted,
            open: self.open.clone(),
            loops: self.loops,
            ..Level::default()
        }
    }
}

impl Body {
    pub(super) fn scope(&self) -> Scope<'_> {
        Scope {
            columns: &self.columns,
            own: self.own,
            place: Place::Record,
            poisoned: &self.poisoned,
            hidden: &self.hidden,
            ..Scope::constant()
        }
    }

    /// One more column, in sight.
    pub(super) fn add(&mut self, name: &str, measured: String, span: Span, ty: Type) -> usize {
        self.columns.push(Column { name: name.to_owned(), ty });
        self.measured.push((measured, span));
        self.columns.len() - 1
    }

    /// Take a column out of sight.
    pub(super) fn hide(&mut self, at: usize) {
        self.columns[at].name = format!(".{}", self.measured[at].0);
    }

    /// A path ends: the columns from `start` on go out of sight and are known as `rename` says.
    pub(super) fn leave(&mut self, start: usize, rename: impl Fn(&str) -> String) {
        for at in start..self.columns.len() {
            self.measured[at].0 = rename(&self.measured[at].0);
            self.hide(at);
        }
    }

    /// Append a stage of the path.
    pub(super) fn push(&mut self, mut stage: StagePlan, level: &Level) {
        if let Some(guard) = &level.guard {
            let besides = lower::columns_read(&guard.expr);
            let besides: Vec<usize> =
                besides.into_iter().filter(|column| !stage.reads.contains(column)).collect();
            stage.reads.extend(besides);
            stage.when = Some(guard.expr.clone());
        }
        stage.turns.clone_from(&level.turns);
        self.nodes.push(Node::Stage(stage));
    }

    /// An expression of the path that is a column.
    pub(super) fn map(
        &mut self,
        (name, measured): (&str, String),
        value: Typed,
        (span, line): (Span, u32),
        level: &Level,
    ) -> usize {
        let column = self.add(name, measured, span, value.ty.clone());
        let reads = lower::columns_read(&value.expr);
        self.read.extend(&reads);
        let stage = StagePlan {
            name: name.to_owned(),
            kind: "map".to_owned(),
            column,
            ty: value.ty,
            args: vec![("value".to_owned(), crate::plan::Argument::Expr(value.expr))],
            texts: crate::plan::Written::default(),
            endpoint: None,
            options: Vec::new(),
            reads,
            when: None,
            turns: Vec::new(),
            sends: None,
            class: crate::catalog::StageClass::Cheap,
            calls: EndpointUse::None,
            line,
        };
        self.push(stage, level);
        column
    }
}

/// `a and b`, where `a` may be absent.
pub(super) fn and(a: Option<&Typed>, b: Typed) -> Typed {
    match a {
        None => b,
        Some(a) if b.value() == Some(&Value::Bool(true)) => a.clone(),
        Some(a) => joined(BinaryOp::And, a.clone(), b),
    }
}

/// `not a or b`.
pub(super) fn unless(a: &Typed, b: Typed) -> Typed {
    joined(BinaryOp::Or, not(a.clone()), b)
}

pub(super) fn not(a: Typed) -> Typed {
    if let Some(Value::Bool(flag)) = a.value() {
        return Typed::constant(Value::Bool(!flag), Type::Bool);
    }
    let shape = a.shape.under(2);
    Typed { expr: Expr::Unary(UnaryOp::Not, Box::new(a.expr)), ty: Type::Bool, shape }
}

/// `if condition then yes else no`, both of one type.
pub(super) fn either(condition: &Typed, yes: Typed, no: Typed) -> Typed {
    let shape: Shape = condition.shape.and(yes.shape).and(no.shape).under(2);
    let condition = Box::new(condition.expr.clone());
    let expr = Expr::If(condition, Box::new(yes.expr), Box::new(no.expr));
    Typed { expr, ty: yes.ty, shape }
}

fn joined(op: BinaryOp, a: Typed, b: Typed) -> Typed {
    let shape = a.shape.and(b.shape).under(2);
    Typed { expr: Expr::Binary(op, Box::new(a.expr), Box::new(b.expr)), ty: Type::Bool, shape }
}
