//! Results of an experiment: one row for each combination of settings and job, with the figures of
//! all repeats and what they say together.

mod column;
mod derive;
mod gather;
mod notes;
mod tasks;
mod together;
mod value;

use std::collections::BTreeMap;

use sage_dsl::experiment::Backend;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use column::{COLUMNS, Column, Direction, column};
pub use gather::gather;
pub use value::value;

pub(crate) use tasks::TASKS;

/// Version of [`Results`] and of `metrics.json` in the folder of an experiment.
pub const SCHEMA: u32 = 1;

/// Name of the job in rows over all jobs of a trial.
pub const ALL: &str = "all";

/// All results of one experiment on one backend.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// Version of this shape.
    pub schema: u32,
    /// Name of the experiment.
    pub experiment: String,
    /// The question it asks.
    pub summary: Option<String>,
    /// Where it ran.
    pub backend: Backend,
    /// Whether any figure comes from a simulated endpoint or the twin; then every output says so.
    pub simulated: bool,
    /// Whether it was a quick run.
    pub quick: bool,
    /// What the command line changed of the experiment, as its options; `None` if nothing.
    #[serde(default)]
    pub changed: Option<String>,
    /// Machine, commit, versions, seed, parameters: `setup.json`.
    pub setup: Value,
    /// Names of the dimensions, in order.
    pub dimensions: Vec<String>,
    /// Names of the columns to show, in order.
    pub report: Vec<String>,
    /// Label of the baseline.
    pub baseline: Option<String>,
    /// The rows, in the order of the sweeps.
    pub rows: Vec<Row>,
    /// Verdicts.
    pub claims: Vec<Verdict>,
    /// Trials without a result: identity and reason.
    pub failed: Vec<(String, String)>,
    /// What the reader should know of the design.
    #[serde(default)]
    pub notes: Vec<String>,
}

impl Results {
    /// What the figures are, in words that stand on every output.
    pub fn label(&self) -> &'static str {
        match (self.backend, self.simulated) {
            (Backend::Twin, _) => "twin (virtual time)",
            (_, true) => "simulated endpoint",
            (Backend::Live, false) => "live",
            (Backend::Sim, false) => "real processes, no endpoint",
        }
    }

    /// What speedup and efficiency are relative to, where that is not one node.
    pub(crate) fn speedup_base(&self) -> Option<String> {
        derive::base_words(&self.rows)
    }

    /// Rows of jobs as they were asked for: not those that ran alone for comparison.
    pub fn asked(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| !row.solo)
    }
}

impl Row {
    /// The mean of a column, by its name or an alias.
    pub fn mean(&self, name: &str) -> Option<f64> {
        let name = column(name).map_or(name, |column| column.name);
        self.figures.get(name).map(|found| found.mean)
    }

    /// The label in a dimension.
    pub fn label(&self, dimension: &str) -> Option<&str> {
        let found = self.point.iter().find(|(name, _)| name == dimension);
        found.map(|(_, label)| label.as_str())
    }
}

/// One combination of settings and one job.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Row {
    /// Dimension and label, in the order of [`Results::dimensions`].
    pub point: Vec<(String, String)>,
    /// Name of the job; `all` for a row over all jobs of a trial that ran them together.
    pub job: String,
    /// Whether it is a job that ran alone for comparison.
    pub solo: bool,
    /// The whole `metrics.json` of each repeat, in order of the repeats; empty where it failed. Of
    /// [`ALL`] it is what can be added up over the jobs.
    pub runs: Vec<Map<String, Value>>,
    /// Folders of the runs, relative to the results' folder, in the same order; of [`ALL`] the
    /// trials' folders.
    pub folders: Vec<String>,
    /// By column name; a column that no repeat measured is not there.
    pub figures: BTreeMap<String, Estimate>,
    /// Difference to the baseline's row with the same other labels, by column name.
    pub versus: BTreeMap<String, Difference>,
}

/// A figure over the repeats.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Estimate {
    /// The value of each repeat; `None` where it was not measured.
    pub values: Vec<Option<f64>>,
    /// Their mean.
    pub mean: f64,
    /// 95 % interval of the mean by bootstrap over the repeats; `None` with fewer than 3.
    pub interval: Option<(f64, f64)>,
}

impl Estimate {
    /// Whether the two intervals do not touch; without intervals, whether the means differ.
    pub fn apart(&self, other: &Estimate) -> bool {
        let ends = |found: &Estimate| found.interval.unwrap_or((found.mean, found.mean));
        let ((low, high), (other_low, other_high)) = (ends(self), ends(other));
        high < other_low || other_high < low
    }
}

/// A difference over paired repeats.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Difference {
    /// Mean of (this / baseline - 1).
    pub relative: f64,
    /// 95 % interval of it; `None` with fewer than 3 repeats.
    pub interval: Option<(f64, f64)>,
}

/// What became of a claim.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The claim in words.
    pub text: String,
    /// The condition as written.
    pub condition: String,
    /// What it came to.
    pub outcome: Outcome,
    /// In how many repeats the condition held, of how many, where it can be said of one repeat.
    pub repeats: Option<(u32, u32)>,
    /// The figures it was decided on, or why it was not: one line for each group.
    pub detail: Vec<String>,
}

impl Verdict {
    /// Whether some repeat by itself came to another outcome than the means of all.
    pub fn is_split(&self) -> bool {
        let Some((held, of)) = self.repeats else { return false };
        match self.outcome {
            Outcome::Holds => held < of,
            Outcome::Fails => held > 0,
            Outcome::NotMeasurable => false,
        }
    }
}

/// Verdict in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It holds.
    Holds,
    /// It does not.
    Fails,
    /// A figure is missing.
    NotMeasurable,
}
