//! What a `measure` block may name: figures of the running time, one registry for the checker, the
//! reference page and the sampler that computes them.

/// How a figure may be taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dimension {
    /// By worker.
    Node,
    /// By stage.
    Stage,
}

impl Dimension {
    /// The word behind `by`.
    pub fn word(self) -> &'static str {
        match self {
            Dimension::Node => "node",
            Dimension::Stage => "stage",
        }
    }
}

/// A figure that can be measured while a run goes on.
#[derive(Debug, Clone, Copy)]
pub struct MeasureSpec {
    /// As written.
    pub name: &'static str,
    /// Its unit, as it stands in the rows; empty for a number without one.
    pub unit: &'static str,
    /// Whether it has statistics, as in `latency.p99`.
    pub statistics: bool,
    /// What may stand behind `by`.
    pub by: &'static [Dimension],
    /// What it is, in one line.
    pub doc: &'static str,
}

/// The statistics of a time; without one it is the mean.
pub const STATISTICS: &[&str] = &["mean", "p50", "p90", "p95", "p99", "max"];

use Dimension::{Node, Stage};

const fn time(name: &'static str, by: &'static [Dimension], doc: &'static str) -> MeasureSpec {
    MeasureSpec { name, unit: "ms", statistics: true, by, doc }
}

const fn number(
    name: &'static str,
    unit: &'static str,
    by: &'static [Dimension],
    doc: &'static str,
) -> MeasureSpec {
    MeasureSpec { name, unit, statistics: false, by, doc }
}

/// Every figure, in order of their names.
pub const MEASURES: &[MeasureSpec] = &[
    number("balance", "", &[], "how evenly the records that succeeded are spread over the nodes"),
    number("cached", "answers", &[Node, Stage], "answers that had been paid for earlier"),
    number("calls", "calls", &[Node, Stage], "how often a stage was done for a task"),
    number("completion_tokens", "tokens", &[Node, Stage], "generated tokens"),
    time("execution", &[Node], "from the start of a record's work to its completion"),
    number("failed", "records", &[Node, Stage], "records that failed in a stage"),
    time("first_token", &[Node, Stage], "from a streamed call to its first token"),
    number("in_flight", "tasks", &[Node], "tasks that a node holds at that moment"),
    time("latency", &[Node], "from the arrival of a record to its completion"),
    number("prompt_tokens", "tokens", &[Node, Stage], "tokens sent"),
    time("queueing", &[Node], "from the decision to the start of a record's work"),
    number("retries", "calls", &[Node], "calls that were tried again"),
    time("scheduling", &[Node], "from the arrival of a record to the decision where it runs"),
    time("stage_time", &[Node, Stage], "time that a stage took for a task"),
    number("tasks_dead", "records", &[Node], "records that failed for good"),
    number("tasks_in", "records", &[], "records that came in"),
    number("tasks_late", "records", &[Node], "records whose time was up"),
    number("tasks_ok", "records", &[Node], "records that succeeded"),
    number("tasks_pending", "records", &[], "records without an outcome at that moment"),
    number("throughput", "records/s", &[Node], "records that succeeded, a second"),
];

/// The figure called so.
pub fn find_measure(name: &str) -> Option<&'static MeasureSpec> {
    MEASURES.iter().find(|spec| spec.name == name)
}
