//! What goes into an adaptive limit and the words it answers with.

/// The bounds of a limit and what it steers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimiterConfig {
    /// Least calls in flight; 0 is taken as 1, without which nothing would ever be learnt.
    pub min: u32,
    /// The limit to begin with.
    pub initial: u32,
    /// Most calls in flight: the program's own bound and, when known, the server's `max_num_seqs`.
    pub max: u32,
    /// Keep the median latency of a call at or below this, even if that costs throughput.
    pub latency_target_ns: Option<u64>,
}

impl Default for LimiterConfig {
    fn default() -> Self {
        LimiterConfig { min: 1, initial: 8, max: 256, latency_target_ns: None }
    }
}

/// One call that was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sample {
    /// From sending to the last token.
    pub latency_ns: u64,
    /// Tokens of the prompt, 0 if the server does not say.
    pub input_tokens: u64,
    /// Tokens of the answer, 0 if the server does not say.
    pub output_tokens: u64,
    /// Calls in flight when this one was sent, itself included.
    pub in_flight: u32,
}

/// A server that cannot keep up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overload {
    /// It says so: status 429 or 503.
    Throttled {
        /// What `Retry-After` asked for. The limit does not grow before.
        retry_after_ns: Option<u64>,
    },
    /// Other 5xx, or timeouts, several in a row.
    Failed,
}

/// Why the limit is what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Reason {
    /// It doubles until the first sign of saturation.
    #[default]
    SlowStart,
    /// It grows while growing helps.
    Grow,
    /// It is where it should be.
    Hold,
    /// Requests wait in the server.
    ServerQueue,
    /// The server's KV cache is nearly full.
    KvPressure,
    /// The server preempts requests it had begun.
    Preemption,
    /// More calls in flight bring no more throughput.
    Elasticity,
    /// The median latency would be above the target.
    LatencyTarget,
    /// The server throttles or fails.
    Overload,
    /// It is at a bound: the program's, or the server's `max_num_seqs`.
    Clamp,
    /// There is too little to do to learn anything.
    Idle,
}

impl Reason {
    /// All of them, for metrics that carry one series a reason.
    pub const ALL: [Reason; 11] = [
        Reason::SlowStart,
        Reason::Grow,
        Reason::Hold,
        Reason::ServerQueue,
        Reason::KvPressure,
        Reason::Preemption,
        Reason::Elasticity,
        Reason::LatencyTarget,
        Reason::Overload,
        Reason::Clamp,
        Reason::Idle,
    ];

    /// The label in metrics and events.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::SlowStart => "slow_start",
            Reason::Grow => "grow",
            Reason::Hold => "hold",
            Reason::ServerQueue => "server_queue",
            Reason::KvPressure => "kv_pressure",
            Reason::Preemption => "preemption",
            Reason::Elasticity => "elasticity",
            Reason::LatencyTarget => "latency_target",
            Reason::Overload => "overload",
            Reason::Clamp => "clamp",
            Reason::Idle => "idle",
        }
    }
}

/// What the limit is steered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Source {
    /// The server's own metrics.
    Server,
    /// Latency and tokens of the calls alone.
    #[default]
    Estimator,
}

impl Source {
    /// The label in metrics and events.
    pub fn as_str(self) -> &'static str {
        match self {
            Source::Server => "server",
            Source::Estimator => "estimator",
        }
    }
}
