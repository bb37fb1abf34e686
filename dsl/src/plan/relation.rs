//! What a plan does with the contributions of its records: groups and what follows them.
//!
//! Up to the first such step a record is worked on alone, in a task. What it leaves there is a
//! *contribution*, one packed row. Contributions of all workers then meet by key, and the steps here
//! are kept up to date over them. The steps are a closed enum for the same reason as the nodes are:
//! a new one breaks the build wherever it must be answered.

use serde::{Deserialize, Serialize};

use super::{Column, EmitPlan, Expr, FilterPlan, Node, Plan, SourcePlan};
use crate::types::{Type, Value};

/// The steps over contributions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RelationPlan {
    /// What a record contributes, over the columns of the record in flight.
    pub values: Vec<Expr>,
    /// Name and type of each of them, and of the two numbers behind them if it is `numbered`.
    pub columns: Vec<Column>,
    /// Whether two more columns follow: number of the task, and of the record within it. They say
    /// which of two records came first in the source.
    pub numbered: bool,
    /// Steps in order; each is over the columns that the one before leaves.
    pub steps: Vec<RelationStep>,
}

/// One step over contributions. Closed on purpose.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum RelationStep {
    /// Keep rows for which the predicate is true.
    Filter(FilterPlan),
    /// One more column, behind those that are there.
    Compute(ComputePlan),
    /// Of the rows with one key only the first.
    Dedup(DedupPlan),
    /// Of the rows with one key only the last, and that only if it says that it is there.
    Latest(LatestPlan),
    /// A row for each element of a list, which is one more column.
    FlatMap(ComputePlan),
    /// A row for each record of another source with the same key, which is one more column.
    Join(Box<JoinPlan>),
    /// A row for each window that a row lies in, with its begin and end behind it.
    Window(WindowPlan),
    /// A row for each key, in place of its rows.
    Group(GroupPlan),
    /// Send a row into a sink.
    Emit(EmitPlan),
}

/// `stage name = expression` behind a group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComputePlan {
    /// The column's name.
    pub name: String,
    /// Its type.
    pub ty: Type,
    /// What it is.
    pub value: Expr,
    /// 1-based line in the program, for messages.
    pub line: u32,
}

/// `dedup by key`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DedupPlan {
    /// What rows have in common of which one is kept.
    pub keys: Vec<Expr>,
    /// Position of the number of the task; that of the record stands behind it. Without it the
    /// smallest row is the first.
    pub order: Option<usize>,
    /// Source text, for explain.
    pub text: String,
    /// 1-based line in the program, for messages.
    pub line: u32,
}

/// The versions of a record in a source of changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LatestPlan {
    /// Position of the record's key.
    pub key: usize,
    /// Position of the bool that says whether this version is there; a deletion is not.
    pub present: usize,
    /// Position of the number of the task; that of the record stands behind it.
    pub order: usize,
    /// What a version has to meet besides, as it is written, for explain.
    #[serde(default)]
    pub conditions: Vec<String>,
}

/// `join source on key == source.field`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JoinPlan {
    /// What is joined; read when the run begins.
    pub source: SourcePlan,
    /// The key of a row.
    pub on: Expr,
    /// Position of the field of the source that equals it.
    pub field: usize,
    /// Whether a row without a record stays, with null in its place.
    pub left: bool,
    /// Source text, for explain.
    pub text: String,
    /// 1-based line in the program, for messages.
    pub line: u32,
}

/// `window tumbling(size, by: at)`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WindowPlan {
    /// When a row was; where it is null the row is in no window.
    pub at: Expr,
    /// Length of a window, in the unit of `at`.
    pub size: i64,
    /// From the begin of one to the begin of the next.
    pub every: i64,
    /// Type of `at`, and of begin and end.
    pub ty: Type,
}

/// `group by key { name: aggregate }`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupPlan {
    /// What rows of one group have in common; all rows are one group if there is none.
    pub keys: Vec<Expr>,
    /// What is computed of the rows of a group.
    pub aggregates: Vec<AggregatePlan>,
    /// What it leaves: keys, then aggregates.
    pub columns: Vec<Column>,
    /// Source text in front of the aggregates, for explain.
    pub text: String,
    /// 1-based line in the program, for messages.
    pub line: u32,
}

/// One aggregate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AggregatePlan {
    /// The column's name.
    pub name: String,
    /// What is computed.
    pub aggregate: Aggregate,
    /// Of which value; rows where it is null do not count.
    pub value: Option<Expr>,
    /// What decides the order of the values, where that is not the values themselves.
    pub by: Option<Expr>,
    /// How many, or which share.
    pub parameter: Option<Value>,
    /// Position of the number of the task; that of the record stands behind it.
    pub order: Option<usize>,
    /// Source text, for explain.
    pub text: String,
}

/// What can be computed of a group. `AGGREGATES` gives signatures and texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "documented in the registry of aggregates")]
pub enum Aggregate {
    Count,
    Sum,
    Avg,
    Min,
    Max,
    Quantile,
    TopK,
    Collect,
    Distinct,
    CountDistinct,
}

impl Plan {
    /// What the records contribute to, if that is anything.
    pub fn relation(&self) -> Option<&RelationPlan> {
        self.nodes.iter().find_map(|node| match node {
            Node::Relate(relation) => Some(relation),
            _ => None,
        })
    }
}

impl RelationPlan {
    /// Every expression over contributions.
    pub fn expressions(&self) -> impl Iterator<Item = &Expr> {
        self.steps.iter().flat_map(RelationStep::expressions)
    }

    /// Sources that are joined, in order.
    pub fn joined(&self) -> impl Iterator<Item = &JoinPlan> {
        self.steps.iter().filter_map(|step| match step {
            RelationStep::Join(join) => Some(join.as_ref()),
            _ => None,
        })
    }

    /// Contribute nothing that no step looks at.
    pub(crate) fn prune(&mut self, read: impl Fn(&Expr) -> Vec<usize>) {
        let mut wanted = std::collections::BTreeSet::new();
        for step in &self.steps {
            step.expressions().into_iter().for_each(|expr| wanted.extend(read(expr)));
            match step {
                RelationStep::Latest(plan) => wanted.extend([plan.key, plan.present]),
                RelationStep::Group(_) => break,
                _ => {}
            }
        }
        for (at, value) in self.values.iter_mut().enumerate() {
            if !wanted.contains(&at) {
                *value = Expr::Literal(Value::Null);
            }
        }
    }

    /// The emits.
    pub fn emits(&self) -> impl Iterator<Item = &EmitPlan> {
        self.steps.iter().filter_map(|step| match step {
            RelationStep::Emit(emit) => Some(emit),
            _ => None,
        })
    }
}

impl RelationStep {
    fn expressions(&self) -> Vec<&Expr> {
        match self {
            RelationStep::Filter(filter) => vec![&filter.predicate],
            RelationStep::Compute(compute) => vec![&compute.value],
            RelationStep::Dedup(dedup) => dedup.keys.iter().collect(),
            RelationStep::Latest(_) => Vec::new(),
            RelationStep::FlatMap(list) => vec![&list.value],
            RelationStep::Join(join) => vec![&join.on],
            RelationStep::Window(window) => vec![&window.at],
            RelationStep::Group(group) => {
                let values = group.aggregates.iter().flat_map(|it| it.value.iter().chain(&it.by));
                group.keys.iter().chain(values).collect()
            }
            RelationStep::Emit(emit) => emit.values.iter().chain(&emit.condition).collect(),
        }
    }

    /// The same, to be changed.
    pub(crate) fn expressions_mut(&mut self) -> Vec<&mut Expr> {
        match self {
            RelationStep::Filter(filter) => vec![&mut filter.predicate],
            RelationStep::Compute(compute) => vec![&mut compute.value],
            RelationStep::Dedup(dedup) => dedup.keys.iter_mut().collect(),
            RelationStep::Latest(_) => Vec::new(),
            RelationStep::FlatMap(list) => vec![&mut list.value],
            RelationStep::Join(join) => vec![&mut join.on],
            RelationStep::Window(window) => vec![&mut window.at],
            RelationStep::Group(group) => {
                let values = group
                    .aggregates
                    .iter_mut()
                    .flat_map(|it| it.value.iter_mut().chain(&mut it.by));
                group.keys.iter_mut().chain(values).collect()
            }
            RelationStep::Emit(emit) => emit.values.iter_mut().chain(&mut emit.condition).collect(),
        }
    }
}
