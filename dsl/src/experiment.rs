//! An experiment: what is run, what is varied, how often, and what is claimed to come out.
//!
//! Like a plan, an `Experiment` is checked, self-contained data; unlike a plan it does not hold the
//! flows it runs. A job names a flow and its file, and each combination of settings compiles that
//! file anew, so that two pipelines may be compared that could not be one program.

use serde::{Deserialize, Serialize};

use crate::types::Value;

/// Most records of a job.
pub const MAX_TASKS: u64 = 1_000_000_000;
/// Most nodes; the twin keeps some memory for each.
pub const MAX_NODES: u32 = 65_536;

/// A checked `experiment` block.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Experiment {
    /// Name in the program.
    pub name: String,
    /// First line of its doc comment, if any: the question it asks.
    pub summary: Option<String>,
    /// Path of the file it stands in.
    pub file: String,
    /// 1-based line of the block.
    pub line: u32,
    /// The jobs, at least one.
    pub jobs: Vec<JobRef>,
    /// What holds for every run unless a sweep, or a job, says otherwise. `Together` and `Stagger`
    /// stand here too.
    pub settings: Vec<Setting>,
    /// What is varied. Several sweeps are crossed; the first varies slowest.
    pub sweeps: Vec<Sweep>,
    /// Runs of every combination, at least 1; run `r` of every combination has the same seed.
    pub repeat: u32,
    /// Seed of the first repeat.
    pub seed: u64,
    /// Label of the point that all others are compared with.
    pub baseline: Option<String>,
    /// Columns shown in reports, by their names in the results.
    pub report: Vec<String>,
    /// What is expected to come out.
    pub claims: Vec<Claim>,
    /// Where it can be run; empty means everywhere.
    pub backends: Vec<Backend>,
    /// Settings that take the place of others in a quick run.
    pub quick: Vec<Setting>,
    /// Repeats of a quick run, if said.
    pub quick_repeat: Option<u32>,
    /// Sweeps that a quick run does not make in full: the name of the sweep, and the labels of the
    /// points it keeps.
    #[serde(default)]
    pub quick_points: Vec<(String, Vec<String>)>,
}

impl Experiment {
    /// Points of `sweep` that are run, in order; a quick run may keep fewer.
    pub fn points<'e>(&'e self, sweep: &'e Sweep, quick: bool) -> Vec<&'e Point> {
        let kept = self.quick_points.iter().find(|(name, _)| quick && *name == sweep.name);
        let keeps = |point: &&Point| kept.is_none_or(|(_, labels)| labels.contains(&point.label));
        sweep.points.iter().filter(keeps).collect()
    }

    /// Combinations of settings: the points of all sweeps, crossed.
    pub fn combinations(&self, quick: bool) -> u64 {
        let points = self.sweeps.iter().map(|sweep| self.points(sweep, quick).len() as u64);
        points.fold(1, u64::saturating_mul)
    }

    /// Runs of every combination.
    pub fn repeats(&self, quick: bool) -> u32 {
        self.quick_repeat.filter(|_| quick).unwrap_or(self.repeat)
    }
}

/// Where an experiment runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backend {
    /// Virtual time, in one thread.
    Twin,
    /// Worker processes and a simulated endpoint.
    Sim,
    /// Worker processes and the endpoint of the program.
    Live,
}

impl Backend {
    /// All of them.
    pub const ALL: [Backend; 3] = [Backend::Twin, Backend::Sim, Backend::Live];

    /// The word in programs, options and files.
    pub fn as_str(self) -> &'static str {
        match self {
            Backend::Twin => "twin",
            Backend::Sim => "sim",
            Backend::Live => "live",
        }
    }

    /// The backend called `word`.
    pub fn parse(word: &str) -> Option<Backend> {
        Backend::ALL.into_iter().find(|backend| backend.as_str() == word)
    }
}

/// A flow that an experiment runs, `rag` or `bulk = llm { tasks: 500 }`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobRef {
    /// Name in the experiment, unique there; the flow's unless another is given.
    pub name: String,
    /// Name of the flow.
    pub flow: String,
    /// Resolved path of the file it is compiled from, as a program of its own: the one that declares
    /// the flow, or an imported one that sets something beside it (a `schedule`, a param).
    pub file: String,
    /// What holds for this job alone.
    pub settings: Vec<Setting>,
}

/// `sweep NAME in [...]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sweep {
    /// Name of the dimension: what is varied (`policy`, `nodes`, a param), or a name of its own.
    pub name: String,
    /// Its points, with different labels.
    pub points: Vec<Point>,
}

/// One value of a sweep, or several settings under one label: `low { tasks: 100, nodes: 2 }`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// As shown, and as claims name it: `fifo`, `load_aware(spread)`, `16`, `2s`, `low`.
    pub label: String,
    /// What it sets.
    pub settings: Vec<Setting>,
}

/// One thing an experiment may set. Of several of the same kind the innermost wins: quick run, then
/// job, then sweep, then experiment, then what the pipeline says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Setting {
    /// Records of each job.
    Tasks(u64),
    /// Worker processes; each is one node.
    Nodes(u32),
    /// Tasks a node executes at once.
    Slots(u32),
    /// Scheduling policy by registry name, with its arguments.
    Policy {
        /// Registry name.
        name: String,
        /// Its arguments; positional ones have an empty name.
        args: Vec<(String, Value)>,
    },
    /// Calls in flight at each endpoint; `None` is `auto`.
    Concurrency(Option<u32>),
    /// All jobs at once instead of one after the other.
    Together(bool),
    /// Time between the starts of jobs that run together, nanoseconds.
    StaggerNs(u64),
    /// How records arrive.
    Arrivals(Arrivals),
    /// Whether the gateway shares the endpoint fairly between jobs, or serves in order of arrival.
    Fair(bool),
    /// Weight of a job at the gateway.
    Share(f64),
    /// URL of every endpoint, `http(s)://...` or `sim:...`.
    Endpoint(String),
    /// A task not dispatched within this time is late, nanoseconds.
    DeadlineNs(u64),
    /// Most tasks in the central queue.
    Queue(u32),
    /// Relative speed of the nodes, repeated over them (twin only).
    Speeds(Vec<f64>),
    /// Nodes that are lost on the way (twin only).
    Failures(Vec<NodeFailure>),
    /// Which jobs run, by name: a workload mix.
    Jobs(Vec<String>),
    /// A `param` of the jobs' programs; ignored by jobs that have none of this name.
    Param {
        /// Name of the param.
        name: String,
        /// Its value, of the param's type.
        value: Value,
    },
}

/// A node that is lost and may come back.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct NodeFailure {
    /// Number of the node.
    pub node: u32,
    /// When, nanoseconds since the run began.
    pub at_ns: u64,
    /// For how long, nanoseconds; `None` is for good.
    pub for_ns: Option<u64>,
}

/// How the records of a job arrive.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arrivals {
    /// All at once; latency is then the draining of a backlog.
    #[default]
    Batch,
    /// One after the other, evenly.
    Constant {
        /// Records a second.
        per_s: f64,
    },
    /// At random, independently: exponential gaps.
    Poisson {
        /// Records a second, on average.
        per_s: f64,
    },
    /// So many at once, again and again.
    Burst {
        /// Records of a burst.
        size: u64,
        /// Time from one burst to the next, nanoseconds.
        every_ns: u64,
    },
    /// At the times in a file: one number a line, seconds since the beginning, ascending.
    Trace {
        /// Resolved path.
        path: String,
    },
}

/// `claim "text" { condition }`, and one line of `slo`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// What is claimed, in words; the condition's own text for `slo`.
    pub text: String,
    /// What must hold.
    pub condition: Condition,
    /// The condition as written.
    pub source: String,
    /// 1-based line.
    pub line: u32,
}

/// An expression over the columns of results.
///
/// A claim is about one group of rows at a time: dimensions whose labels the condition names vary
/// within a group, all others (the jobs of an experiment, usually) tell groups apart, and a claim
/// holds if it holds in every group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Condition {
    /// A number, in the unit of the column it is compared with.
    Number(f64),
    /// A truth value.
    Bool(bool),
    /// A column of the results; in the group there must be one row left, or the condition is inside
    /// an `Over`.
    Column(String),
    /// The same, at the rows with these labels (`balance[fifo]`, `throughput[rag][16]`).
    At {
        /// The column.
        column: String,
        /// Labels, of any dimensions.
        labels: Vec<String>,
    },
    /// Over all rows of the group that are left.
    Over(Aggregate, Box<Condition>),
    /// `-x`, `not x`.
    Unary(crate::plan::UnaryOp, Box<Condition>),
    /// Arithmetic, comparison, `and`, `or`.
    Binary(crate::plan::BinaryOp, Box<Condition>, Box<Condition>),
    /// `abs(x)`.
    Abs(Box<Condition>),
}

/// From several rows to one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aggregate {
    /// The largest.
    Max,
    /// The smallest.
    Min,
    /// The mean.
    Mean,
    /// The sum.
    Sum,
}
