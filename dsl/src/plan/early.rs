//! What is decided about a record while the source is read, before it is a task.
//!
//! A source is read in order and by one thread, so what depends on the records before is the same in
//! every run, for any number of workers, and in a run that goes on. It may look at what the steps of
//! the flow in front of it make of a record, as far as these only compute: the plan has copies of
//! them, over a row of the same columns, and the flow keeps its own.

use serde::{Deserialize, Serialize};

use super::{Expr, SourcePlan, StagePlan};
use crate::lower::columns_read;

/// A step of the flow that can be foreseen while a record is read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum EarlyStep {
    /// What is not true here is left to the flow, which drops it.
    Filter {
        /// The condition.
        predicate: Expr,
        /// Source text, for explain.
        text: String,
    },
    /// A column.
    Compute {
        /// Its position; columns before it that nobody computes are null.
        column: usize,
        /// What it is.
        value: Expr,
        /// Where this is not true it is null.
        when: Option<Expr>,
        /// Name of the step, for explain.
        text: String,
    },
    /// A column that a stage makes, which asks nobody and no index.
    Stage(Box<StagePlan>),
}

impl EarlyStep {
    /// What it is, for people.
    pub fn text(&self) -> String {
        match self {
            EarlyStep::Filter { text, .. } => format!("where {text}"),
            EarlyStep::Compute { text, .. } => format!("stage {text}"),
            EarlyStep::Stage(stage) => format!("stage {} by {}", stage.name, stage.kind),
        }
    }

    /// Columns that it reads.
    pub(crate) fn reads(&self) -> Vec<usize> {
        match self {
            EarlyStep::Filter { predicate, .. } => columns_read(predicate),
            EarlyStep::Compute { value, when, .. } => {
                when.iter().chain([value]).flat_map(columns_read).collect()
            }
            EarlyStep::Stage(stage) => stage.reads.clone(),
        }
    }
}

impl SourcePlan {
    /// What is done while it is read, for people, in its order; `without` is said of the elements of a
    /// list.
    pub fn as_read(&self, without: &str) -> Vec<String> {
        let dedup = |it: &DistinctPlan| format!("{} as it is read", it.text);
        let mut lines = Vec::new();
        match &self.expand {
            None => lines.extend(self.distinct.as_ref().map(dedup)),
            Some(expand) => {
                // These are done when a record is read, and are no operators of the flow any more.
                lines.extend(expand.before.iter().map(EarlyStep::text));
                if let Some(distinct) = &self.distinct {
                    lines.insert(distinct.before.len().min(lines.len()), dedup(distinct));
                }
                lines.push(format!("a record for each {}{without}", expand.text));
                lines.extend(expand.distinct.as_ref().map(dedup));
            }
        }
        lines.extend(self.watermark.iter().map(|it| format!("late if {} behind", it.text)));
        lines
    }
}

/// `dedup by key` where nothing in front of it calls or waits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DistinctPlan {
    /// What stands in front of it.
    #[serde(default)]
    pub before: Vec<EarlyStep>,
    /// What records have in common of which one is kept.
    pub keys: Vec<Expr>,
    /// Source text, for explain.
    pub text: String,
}

/// `flat_map name = list` where nothing in front of it calls or waits: each element is a record. It has
/// all columns up to the element, so the steps in front of it are done, and are none of the flow's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExpandPlan {
    /// What stands in front of it.
    pub before: Vec<EarlyStep>,
    /// The list.
    pub list: Expr,
    /// Position of the element.
    pub column: usize,
    /// Columns that nothing behind it reads; null in its records.
    #[serde(default)]
    pub drops: Vec<usize>,
    /// Which elements are left out.
    #[serde(default)]
    pub distinct: Option<DistinctPlan>,
    /// Name of the element, for people.
    pub text: String,
}

/// `lateness` of a window: records that lie further behind the newest one before them are late.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WatermarkPlan {
    /// What stands in front of it, as far as it only computes.
    pub before: Vec<EarlyStep>,
    /// The time of a record; one without is never late.
    pub at: Expr,
    /// How far a record may lie behind, in the unit of `at`.
    pub lateness: i64,
    /// The same for people, such as `5min`.
    pub text: String,
}
