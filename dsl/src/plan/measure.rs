//! What a plan measures while it runs: `measure to csv("figures.csv") every 1s { ... }`.

use serde::{Deserialize, Serialize};

use super::lookup;
use crate::types::Value;

/// A stream of figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeasurePlan {
    /// Registry name of the sink that gives its rows their form: `csv`, `jsonl` or `stdout`.
    pub kind: String,
    /// Arguments of the sink by parameter name.
    pub args: Vec<(String, Value)>,
    /// From one set of rows to the next, nanoseconds.
    pub every_ns: u64,
    /// What is measured.
    pub figures: Vec<FigurePlan>,
    /// 1-based line in the program, for messages.
    pub line: u32,
}

/// One figure; `MEASURES` says what it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FigurePlan {
    /// Registry name.
    pub measure: String,
    /// `p99` of `latency.p99`.
    pub statistic: Option<String>,
    /// Whether there is a row for each node.
    pub by_node: bool,
    /// Whether there is a row for each stage.
    pub by_stage: bool,
}

impl MeasurePlan {
    /// Name of its file within the run's output folder; `None` for the standard output.
    pub fn file(&self) -> Option<&str> {
        lookup(&self.args, "path").and_then(Value::as_str)
    }
}

impl FigurePlan {
    /// As written in front of `by`.
    pub fn name(&self) -> String {
        match &self.statistic {
            Some(statistic) => format!("{}.{statistic}", self.measure),
            None => self.measure.clone(),
        }
    }

    /// As written.
    pub fn text(&self) -> String {
        let by = [(self.by_node, "node"), (self.by_stage, "stage")];
        let by: Vec<&str> = by.iter().filter(|(there, _)| *there).map(|(_, word)| *word).collect();
        if by.is_empty() { self.name() } else { format!("{} by {}", self.name(), by.join(", ")) }
    }
}
