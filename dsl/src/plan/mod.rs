//! The plan: what a checked program asks the engine to do.
//!
//! A plan is self-contained and serialisable; workers receive it and never see source text.
//! Names are gone: columns, templates, indexes and endpoints are positions. **Nodes are a small
//! closed enum** on purpose: adding one breaks the build in every consumer (renderer, explain,
//! twin) until each answers it. Stages, sources, sinks and policies stay open: the plan holds their
//! registry name and resolved arguments.
//!
//! A record in flight is one row. Its first columns are the fields of the source's type in order;
//! each stage appends exactly one column, in node order.

mod early;
mod expression;
mod given;
mod index;
mod measure;
mod relation;
mod turn;
mod written;

use serde::{Deserialize, Serialize};

use crate::catalog::{EndpointUse, StageClass};
use crate::experiment::Claim;
use crate::types::{Field, RecordType, Type, Value};

pub use early::{DistinctPlan, EarlyStep, ExpandPlan, WatermarkPlan};
pub use expression::{BinaryOp, Expr, Function, UnaryOp};
pub use index::{IndexPlan, SearchPlan, VectorPlan};
pub use measure::{FigurePlan, MeasurePlan};
pub use relation::{
    Aggregate, AggregatePlan, ComputePlan, DedupPlan, GroupPlan, JoinPlan, LatestPlan,
    RelationPlan, RelationStep, WindowPlan,
};
pub use turn::Turn;
pub use written::Written;

/// A checked program for one flow. The default does nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Name of the flow, also the default name of a run.
    pub name: String,
    /// First line of the flow's doc comment, if any.
    pub summary: Option<String>,
    /// Steps in dependency order; the first is `Source`, the last are `Emit`s.
    pub nodes: Vec<Node>,
    /// Shared services, referred to by position.
    pub endpoints: Vec<EndpointPlan>,
    /// Retrievable collections, referred to by position.
    pub indexes: Vec<IndexPlan>,
    /// Prompt templates, referred to by position.
    pub templates: Vec<Template>,
    /// Where results go, referred to by position.
    pub sinks: Vec<SinkPlan>,
    /// The scheduling operator's settings.
    pub schedule: SchedulePlan,
    /// Objectives of the `slo` block, conditions over the columns of one run's results.
    #[serde(default)]
    pub slo: Vec<Claim>,
    /// Figures that are written while it runs.
    #[serde(default)]
    pub measures: Vec<MeasurePlan>,
    /// Every column of the record in flight: source fields, then stages.
    pub columns: Vec<Column>,
    /// Values of all `param`s after `--set`, for reports.
    pub params: Vec<(String, Value)>,
    /// What is declared in another file than the flow's, and the name of that file, for explain.
    #[serde(skip)]
    pub imported: Written,
}

/// One column of the record in flight.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Field or stage name.
    pub name: String,
    /// Type of the column.
    pub ty: Type,
}

/// One step of the flow. Closed on purpose.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Node {
    /// Records enter.
    Source(SourcePlan),
    /// Keep records for which the predicate is true.
    Filter(FilterPlan),
    /// Compute one more column.
    Stage(StagePlan),
    /// The scheduling operator and the exchange behind it. Placed by the planner before the first
    /// expensive stage; exactly one per flow.
    Schedule,
    /// Send a row into a sink.
    Emit(EmitPlan),
    /// What the records contribute to, over all of them; at most one, the last node.
    Relate(RelationPlan),
}

/// A source of records.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SourcePlan {
    /// Name in the program.
    pub name: String,
    /// Registry name, such as `csv`.
    pub kind: String,
    /// Arguments by parameter name, defaults filled in; `Path` parameters are resolved against the
    /// program's folder.
    pub args: Vec<(String, Value)>,
    /// Extra named arguments that fill fields of the record (`generate(text: "task {{ n }}")`).
    pub fields: Vec<(String, Value)>,
    /// The record it yields.
    pub record: RecordType,
    /// Position of the `@key` column.
    pub key: Option<usize>,
    /// What to do with a row that cannot be read.
    pub bad_rows: BadRows,
    /// Position of the column that says what became of the record with this key; one that is
    /// `delete` takes back what earlier ones contributed.
    #[serde(default)]
    pub changes: Option<usize>,
    /// Which records of a flow are left out while the source is read: all but the first with a key.
    #[serde(default)]
    pub distinct: Option<DistinctPlan>,
    /// What becomes of a record: one for each element of a list.
    #[serde(default)]
    pub expand: Option<Box<ExpandPlan>>,
    /// Which records are too late for the windows of the flow.
    #[serde(default)]
    pub watermark: Option<Box<WatermarkPlan>>,
    /// 1-based line of the declaration, for messages.
    pub line: u32,
}

/// What to do with a row that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum BadRows {
    /// Into the dead-letter file, the run goes on (default).
    DeadLetter,
    /// The run fails at the first one.
    Fail,
}

/// `where`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FilterPlan {
    /// Predicate over the columns so far; of type bool.
    pub predicate: Expr,
    /// Source text of the predicate, for explain.
    pub text: String,
    /// Arms and rounds that it stands in, outside first.
    #[serde(default)]
    pub turns: Vec<Turn>,
}

/// `stage name = call(...) on endpoint { option: value }`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StagePlan {
    /// The column's name. With the arms that it stands in before it and the number of a round behind
    /// it, so that it is told from others in the figures: `multi.hits.2`.
    pub name: String,
    /// Registry name; a stage that is a plain expression is `map`.
    pub kind: String,
    /// Position of the column it appends.
    pub column: usize,
    /// Type of that column.
    pub ty: Type,
    /// Arguments in the order of the signature's parameters, defaults filled in.
    pub args: Vec<(String, Argument)>,
    /// Source text of arguments, by name, for explain.
    #[serde(skip)]
    pub texts: Written,
    /// Position in `Plan::endpoints` for stages that call one.
    pub endpoint: Option<usize>,
    /// Options by name, defaults filled in.
    pub options: Vec<(String, Value)>,
    /// The columns its arguments read, in order; behind them those that `when` reads besides.
    pub reads: Vec<usize>,
    /// Where this is not true the stage does not run for a record, and its column is null; of type
    /// bool. Made of the arms and rounds that it stands in.
    #[serde(default)]
    pub when: Option<Expr>,
    /// Arms and rounds that it stands in, outside first.
    #[serde(default)]
    pub turns: Vec<Turn>,
    /// Type of what it sends to a program of the machine.
    #[serde(default)]
    pub sends: Option<Type>,
    /// How the planner treats it.
    pub class: StageClass,
    /// Kind of call it makes, if any.
    pub calls: EndpointUse,
    /// 1-based line in the program, for messages.
    pub line: u32,
}

/// An argument of a stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Argument {
    /// Evaluated per record.
    Expr(Expr),
    /// An index by position.
    Index(usize),
}

/// `emit Type { .. } into sink if condition`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EmitPlan {
    /// Position in `Plan::sinks`.
    pub sink: usize,
    /// One expression per field of the sink's record.
    pub values: Vec<Expr>,
    /// Emit only when true.
    pub condition: Option<Expr>,
    /// Source text behind its `if`, for explain.
    #[serde(default)]
    pub text: Option<String>,
    /// Arms and rounds that it stands in, outside first.
    #[serde(default)]
    pub turns: Vec<Turn>,
}

/// A sink.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SinkPlan {
    /// Name in the program.
    pub name: String,
    /// Registry name: `csv`, `jsonl`, `stdout`.
    pub kind: String,
    /// Arguments by parameter name; paths are relative to the run's output folder.
    pub args: Vec<(String, Value)>,
    /// The record it takes.
    pub record: RecordType,
    /// Whether it gets every change of what the steps over all records leave, with 1 or -1 in a last
    /// column, and not only what is left at the end.
    #[serde(default)]
    pub changes: bool,
    /// 1-based line of the declaration.
    pub line: u32,
}

/// A shared service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EndpointPlan {
    /// Name in the program.
    pub name: String,
    /// `http(s)://...` base URL, or `sim:PROFILE[@SPEED]`.
    pub url: String,
    /// Further servers of the same model, in the same forms.
    pub replicas: Vec<String>,
    /// Send prompts that begin alike to the same server, unless its load is far above the others'.
    pub affinity: bool,
    /// Model name sent with each call.
    pub model: String,
    /// Cluster-wide number of calls in flight; `None` is `auto`.
    pub concurrency: Option<u32>,
    /// Upper bound for `auto`.
    pub concurrency_max: u32,
    /// Median latency that `auto` gives throughput up for, nanoseconds.
    pub latency_target_ns: Option<i64>,
    /// Second tries beside a slow first one, for calls that may safely be made twice.
    pub hedge: Option<HedgePlan>,
    /// Retry rule.
    pub retry: RetryPlan,
    /// Requests per second allowed, if limited.
    pub requests_per_s: Option<f64>,
    /// Tokens per second allowed, if limited.
    pub tokens_per_s: Option<f64>,
    /// Price of a million prompt tokens, if given.
    pub price_input_per_mtok: Option<f64>,
    /// Price of a million answer tokens, if given.
    pub price_output_per_mtok: Option<f64>,
    /// Name of the environment variable that holds the key; the key itself is never in a plan.
    pub api_key_env: Option<String>,
    /// 1-based line of the declaration.
    pub line: u32,
}

/// `retry: backoff(max: 4, base: 200ms, cap: 10s)`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RetryPlan {
    /// Tries after the first.
    pub max: u32,
    /// First delay, nanoseconds.
    pub base_ns: i64,
    /// Longest delay, nanoseconds.
    pub cap_ns: i64,
    /// Retries allowed as a share of the calls, over all workers.
    pub budget: f64,
}

/// `hedge: quantile(95%, budget: 2%)`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct HedgePlan {
    /// A call is made a second time when it has taken longer than this share of the calls did.
    pub quantile: f64,
    /// Second calls allowed as a share of the calls.
    pub budget: f64,
}

impl Default for RetryPlan {
    fn default() -> Self {
        RetryPlan { max: 4, base_ns: 200_000_000, cap_ns: 10_000_000_000, budget: 0.1 }
    }
}

/// A prompt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Template {
    /// Name in the program.
    pub name: String,
    /// Parameter names in order; `Expr::Template` gives values in this order.
    pub params: Vec<String>,
    /// Their types, which tell the names of the fields of records; without them a record is a list.
    #[serde(default)]
    pub types: Vec<Type>,
    /// Template text (minijinja syntax), dedented and trimmed.
    pub text: String,
    /// What a generation with it answers; anything but a string is structured output. Fields of
    /// records have no defaults here: an answer leaves nothing out.
    pub result: Type,
}

/// The `schedule` block.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SchedulePlan {
    /// Registry name of the policy.
    pub policy: String,
    /// Its arguments by parameter name.
    pub policy_args: Vec<(String, Value)>,
    /// Tasks a worker executes at once.
    pub slots: u32,
    /// Priority of a record (higher runs first), if given; of type int.
    pub priority: Option<Expr>,
    /// Whose a record is (a tenant, a user), if given: policies that share the workers fairly do so
    /// between equal values.
    #[serde(default)]
    pub fair: Option<Expr>,
    /// How long after its arrival a record is wanted, if given; of type duration. Policies that look
    /// at due times use it in place of `deadline_ns`, which is when a task is given up.
    #[serde(default)]
    pub due: Option<Expr>,
    /// What records have in common that run best on one worker (the beginning of a prompt, a
    /// document), if given.
    #[serde(default)]
    pub affinity: Option<Expr>,
    /// Most tasks waiting in the central queue before the source is paused.
    pub queue: u32,
    /// A task not dispatched within this time of its arrival is late, nanoseconds.
    pub deadline_ns: Option<i64>,
    /// Records per task; 0 lets the planner choose from the stages' cost.
    pub morsel: u32,
    /// Columns that nothing behind the scheduling operator reads; null from there on.
    #[serde(default)]
    pub drops: Vec<usize>,
}

impl Plan {
    /// The source node's settings.
    pub fn source(&self) -> Option<&SourcePlan> {
        self.nodes.iter().find_map(|node| match node {
            Node::Source(source) => Some(source),
            _ => None,
        })
    }

    /// All stages in order.
    pub fn stages(&self) -> impl Iterator<Item = &StagePlan> {
        self.nodes.iter().filter_map(|node| match node {
            Node::Stage(stage) => Some(stage),
            _ => None,
        })
    }

    /// The prompt whose answer `stage` takes apart: the stage generates, its argument is the call
    /// of a prompt and nothing around it, and the prompt answers with a type of its own. The
    /// stage's column then has that type.
    pub fn structured(&self, stage: &StagePlan) -> Option<&Template> {
        if stage.calls != EndpointUse::Generate {
            return None;
        }
        let given = stage.args.iter().find_map(|(_, argument)| match argument {
            Argument::Expr(Expr::Template(at, _)) => self.templates.get(*at),
            _ => None,
        });
        given.filter(|template| template.result != Type::String)
    }
}

/// The option or argument called `name`.
pub fn lookup<'a>(entries: &'a [(String, Value)], name: &str) -> Option<&'a Value> {
    entries.iter().find(|(key, _)| key == name).map(|(_, value)| value)
}

/// Fields of a record as columns.
pub fn columns_of(fields: &[Field]) -> Vec<Column> {
    fields.iter().map(|field| Column { name: field.name.clone(), ty: field.ty.clone() }).collect()
}
