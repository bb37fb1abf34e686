//! What the twin runs: nodes, jobs with their steps and demands, endpoints. Plain data, made by the
//! caller from a compiled plan and its data, or from the record of an earlier run.

use std::sync::Arc;

use sage_core::distribution::Drawn;
use sage_core::endpoint::Lane;
use sage_core::vllm::{Embedder, Profile};
use sage_dsl::experiment::{Arrivals, NodeFailure};
use sage_dsl::plan::{HedgePlan, RetryPlan};
use sage_dsl::types::Value;

/// A whole run.
#[derive(Debug, Clone)]
pub struct Model {
    /// The nodes. Every job has its own scheduler, and its own worker process on each of the nodes
    /// it uses.
    pub nodes: Vec<Node>,
    /// The machines that nodes live on.
    pub hosts: Vec<Host>,
    /// Shared endpoints, by position.
    pub endpoints: Vec<EndpointModel>,
    /// The jobs; an `Event`'s `job` is the position here.
    pub jobs: Vec<Job>,
    /// What messages and bookkeeping cost.
    pub overheads: Overheads,
    /// Nodes that are lost on the way. The first node has the jobs' sources and schedulers: while it
    /// is away its jobs are paused, and it may not be lost for good.
    pub failures: Vec<NodeFailure>,
    /// Seed of policies, arrivals and everything else that is drawn.
    pub seed: u64,
}

/// Speeds that a node may have: beyond, times would leave what a clock of nanoseconds can tell.
pub const SPEEDS: std::ops::RangeInclusive<f64> = 0.001..=1000.0;

/// A node: one worker process of each job, with one dataflow thread.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Node {
    /// Position in [`Model::hosts`].
    pub host: usize,
    /// Relative speed of its processor: 1 is the machine that costs were measured on.
    pub speed: f64,
}

/// A machine. Threads that compute at the same time share its cores evenly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Host {
    /// Cores.
    pub cores: f64,
}

/// One job: a plan, its data, its settings.
#[derive(Debug, Clone)]
pub struct Job {
    /// Name, for reports.
    pub name: String,
    /// When it begins.
    pub start_ns: u64,
    /// How its records arrive, from its start on.
    pub arrivals: Arrivals,
    /// The times of `Arrivals::Trace`.
    pub trace: Arc<[u64]>,
    /// Records that arrive in all.
    pub records: u64,
    /// Records of one task.
    pub morsel: u32,
    /// Number of nodes it uses, from the first on.
    pub nodes: usize,
    /// Tasks of a node at once.
    pub slots: u32,
    /// Policy by registry name.
    pub policy: String,
    /// Its arguments.
    pub policy_args: Vec<(String, Value)>,
    /// Most records in the central queue before the source is paused.
    pub queue: u32,
    /// A task not dispatched within this time of its arrival is late.
    pub deadline_ns: Option<u64>,
    /// Names of the plan's stages; an `Event`'s `stage` is the position here.
    pub stages: Vec<String>,
    /// What stands before the scheduling operator, on the first node's thread.
    pub before: Vec<Segment>,
    /// What stands behind it, on the chosen node, in this order.
    pub behind: Vec<Segment>,
    /// What each record asks of the stages. Record number `n` of the job is `demands[n % len]`.
    pub demands: Arc<[Demand]>,
    /// Weight of the job at the endpoints.
    pub share: f64,
}

/// One operator of the dataflow.
#[derive(Debug, Clone)]
pub enum Segment {
    /// Stages that compute on the node's thread, one record after the other.
    Local {
        /// Positions of the stages.
        stages: Vec<u16>,
    },
    /// Stages that wait and do not read each other: all are asked side by side, and a task leaves
    /// when all have answered.
    Ask {
        /// The stages.
        members: Vec<Member>,
    },
}

/// A stage that waits.
#[derive(Debug, Clone)]
pub struct Member {
    /// Position of the stage.
    pub stage: u16,
    /// What it waits for.
    pub ask: Ask,
}

/// What a stage waits for.
#[derive(Debug, Clone)]
pub enum Ask {
    /// A timer.
    Timer,
    /// An endpoint.
    Call {
        /// Position in [`Model::endpoints`].
        endpoint: usize,
        /// Most items of a call.
        batch: usize,
        /// Most estimated tokens of a call.
        batch_tokens: Option<u64>,
        /// Longest wait for company.
        linger_ns: u64,
        /// Longest time until the answer.
        timeout_ns: u64,
        /// Lane in the gateway's line.
        lane: Lane,
    },
}

/// What one record asks of the stages of its job.
#[derive(Debug, Clone, Default)]
pub struct Demand {
    /// Priority, higher first.
    pub priority: i64,
    /// Expected service time as the planner's cost model says it. Without one it is learned from
    /// completions, as in the live engine.
    pub expected_ns: Option<u64>,
    /// Expected time of the longest chain of stages.
    pub critical_ns: Option<u64>,
    /// Wanted this long after its arrival.
    pub due_ns: Option<u64>,
    /// Tenant, for fair policies.
    pub flow: u64,
    /// Affinity key.
    pub affinity: u64,
    /// Stage whose filter drops the record, before that stage's successors; it then succeeds early.
    pub dropped_at: Option<u16>,
    /// Stage at which the record fails for good.
    pub fails_at: Option<u16>,
    /// By position of the stage.
    pub work: Vec<Work>,
}

/// What one record asks of one stage.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Work {
    /// Nothing: the stage is not for the record, or the record does not come to it.
    #[default]
    None,
    /// Computing on the node's thread, nanoseconds at speed 1.
    Cpu(u64),
    /// Computing on the node's thread for a time that every task draws by its number.
    Drawn(Arc<Drawn>),
    /// Waiting, nanoseconds.
    Wait(u64),
    /// A vector for a text.
    Embed {
        /// Tokens of the text.
        tokens: u32,
    },
    /// A text.
    Generate {
        /// Tokens of the prompt.
        prompt_tokens: u32,
        /// Chained hashes of the prompt's full blocks; see `sage_core::vllm::tokens::block_hashes`.
        blocks: Arc<[u64]>,
        /// Most tokens to generate.
        max_tokens: u32,
        /// Tokens the model generates by itself, the end-of-text token included.
        target_tokens: u32,
    },
}

/// A shared endpoint behind its gateway.
#[derive(Debug, Clone)]
pub struct EndpointModel {
    /// Name in the program.
    pub name: String,
    /// The servers, at least one.
    pub servers: Vec<ServerModel>,
    /// Send prompts that begin alike to the same server.
    pub affinity: bool,
    /// Calls in flight; `None` is `auto`.
    pub concurrency: Option<u32>,
    /// Bound of `auto`.
    pub concurrency_max: u32,
    /// Median latency that `auto` gives throughput up for.
    pub latency_target_ns: Option<u64>,
    /// Most calls in the line; more are refused.
    pub queue: u32,
    /// Waiting time worth one lane.
    pub aging_ns: u64,
    /// Whether jobs share it fairly, or all calls stand in one line.
    pub fair: bool,
    /// Retry rule.
    pub retry: RetryPlan,
    /// Second tries beside slow first ones.
    pub hedge: Option<HedgePlan>,
    /// Requests per second allowed.
    pub requests_per_s: Option<f64>,
    /// Tokens per second allowed.
    pub tokens_per_s: Option<f64>,
    /// Share of tries that fail with a 5xx, at random; for studies of faults.
    pub error_share: f64,
}

/// One server.
#[derive(Debug, Clone)]
pub struct ServerModel {
    /// What it serves and how fast.
    pub kind: ServerKind,
    /// Virtual seconds per second, as in `sim:PROFILE@SPEED`.
    pub speed: f64,
}

/// What a server serves. A simulated server serves both, its engines independent of each other.
#[derive(Debug, Clone)]
pub enum ServerKind {
    /// A vLLM server with an embedding model beside the generator.
    Vllm {
        /// The generator.
        generator: Box<Profile>,
        /// The embedding model.
        embedder: Embedder,
    },
    /// Answers every call after a fixed time, any number at once: for analytic checks and for
    /// servers of which only the latency is known.
    Fixed {
        /// Time of one call, nanoseconds.
        service_ns: u64,
    },
    /// Serves calls one after the other on so many places; the time is in the work (`Work::Wait`),
    /// or 1 ms a token. For analytic checks.
    Queue {
        /// Places.
        servers: u32,
    },
}

/// What messages and bookkeeping cost; measured on the live engine, see `benches`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Overheads {
    /// Processor time of the first node's thread for one task: half when it enters the scheduler,
    /// half when its end is heard of.
    pub coordinate_ns: u64,
    /// Time inside the policy, as it is recorded.
    pub decision_ns: u64,
    /// From a decision until the task is in the worker's hands; on the first node, where the
    /// scheduler is, no message travels.
    pub dispatch_ns: u64,
    /// From a task's end on its node until the scheduler knows; nothing on the first node.
    pub complete_ns: u64,
    /// Processor time of a node's thread for one task: receiving, emitting, writing. Spent when its
    /// stages are done, before its end.
    pub task_ns: u64,
    /// Processor time of a node's thread for one call.
    pub call_ns: u64,
    /// One way from a worker through the gateway to the server, and the same back.
    pub hop_ns: u64,
    /// Processor time of the gateway (one thread of the first host) for one call.
    pub gateway_ns: u64,
}

impl Overheads {
    /// Nothing costs anything: for analytic checks.
    pub const NONE: Overheads = Overheads {
        coordinate_ns: 0,
        decision_ns: 0,
        dispatch_ns: 0,
        complete_ns: 0,
        task_ns: 0,
        call_ns: 0,
        hop_ns: 0,
        gateway_ns: 0,
    };
}

impl Default for Overheads {
    /// What a machine of two cores showed in `figures --only overheads`: processor times of a run that
    /// has enough to do, which is where they count (a task that comes alone costs a worker about
    /// 150 us, because each message wakes it up), and times of messages in a calm run. A hop has in
    /// it that the simulated endpoint's timer is up to a millisecond late, as it is in a run.
    fn default() -> Self {
        Overheads {
            coordinate_ns: 10_000,
            decision_ns: 1_400,
            dispatch_ns: 150_000,
            complete_ns: 150_000,
            task_ns: 10_000,
            call_ns: 100_000,
            hop_ns: 1_000_000,
            gateway_ns: 190_000,
        }
    }
}
