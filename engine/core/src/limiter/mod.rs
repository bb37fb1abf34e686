//! The adaptive limit of calls in flight at one server (`concurrency: auto`): a pure state machine.
//!
//! ```text
//! completed() --> Meter: throughput at this limit --> Climb: elasticity, next limit --+
//! server()    --> Watch: queue, KV cache, preemptions --> x 0.85, at most each RTT/2 --+--> limit
//! overloaded() ----------------------------------------> x 0.5, at most once an RTT --+
//! ```
//!
//! The climb runs always: alone it finds the knee of any server; under a server whose metrics can be
//! read it is what lets the limit grow, and what ends growth on workloads whose throughput falls
//! before a queue forms (long prompts slow down the decoding of everybody else). The signs of
//! saturation react sooner, and to what a client cannot see: KV pressure, other clients' calls. When
//! the polls fail or lie, what remains is the climb.
//!
//! All intervals are multiples of the measured round trip time (at least [`LEAST_INTERVAL_NS`]),
//! so that a server ten or a hundred times as fast is learnt ten or a hundred times as fast.

mod climb;
mod load;
mod meter;
mod refusals;
mod signal;
mod watch;

use climb::{Bounds, Climb};
use meter::Meter;
use refusals::Refusals;
use watch::Watch;

pub use load::ServerLoad;
pub use signal::{LimiterConfig, Overload, Reason, Sample, Source};

/// Least time between two decisions.
const LEAST_INTERVAL_NS: u64 = 50_000_000;
/// Factor at a sign of saturation in the server's metrics.
const SATURATED: f64 = 0.85;
/// Factor at an overload.
const OVERLOADED: f64 = 0.5;
/// Where the limit's doubling ends after an overload, as a share of the limit that met it.
const CAUTION: f64 = 0.75;
/// By how much the memory of an overload fades with each epoch.
const FORGIVENESS: f64 = 1.03;
/// Epochs without a result after this many round trips begin anew.
const STALE_EPOCH: f64 = 30.0;
/// Answers after a change of the limit that tell of the old one, as a share of the greater of the
/// two: once as many calls as were in flight have been answered, the rest was sent under the new.
const SETTLE: f64 = 1.2;
/// An overload cannot make a server wait longer than this.
const MOST_RETRY_AFTER_NS: u64 = 600_000_000_000;

/// The limit of one server. Tell it of every answered call, of every refusal and of every poll of
/// the server's metrics, and call [`tick`](Self::tick) a few times a second.
///
/// ```
/// use sage_core::limiter::{AutoLimiter, LimiterConfig, Sample};
/// let mut limiter = AutoLimiter::new(LimiterConfig { initial: 4, ..LimiterConfig::default() });
/// let sample = Sample { latency_ns: 1_000_000, output_tokens: 10, in_flight: 4, ..Sample::default() };
/// for call in 1..200 {
///     limiter.completed(sample, call * 1_000_000);
/// }
/// assert!(limiter.tick(4, 100, 300_000_000) > 4, "it grows while that brings more");
/// ```
#[derive(Debug, Clone)]
pub struct AutoLimiter {
    config: LimiterConfig,
    meter: Meter,
    climb: Climb,
    watch: Watch,
    refusals: Refusals,
    limit: u32,
    in_flight: u32,
    reason: Reason,
    idle: bool,
    source: Source,
    /// The latest time heard of.
    now_ns: u64,
    /// No further reduction by the server's metrics before this.
    saturated_until_ns: u64,
    /// No growth before this.
    hold_until_ns: u64,
    /// The limit at the last overload, fading.
    ceiling: f64,
}

impl AutoLimiter {
    /// A limit at its initial value.
    pub fn new(config: LimiterConfig) -> Self {
        let min = config.min.max(1);
        let max = config.max.max(min);
        let config = LimiterConfig { min, max, initial: config.initial.clamp(min, max), ..config };
        AutoLimiter {
            climb: Climb::new(f64::from(config.initial)),
            limit: config.initial,
            config,
            meter: Meter::default(),
            watch: Watch::default(),
            refusals: Refusals::default(),
            in_flight: 0,
            reason: Reason::default(),
            idle: false,
            source: Source::default(),
            now_ns: 0,
            saturated_until_ns: 0,
            hold_until_ns: 0,
            ceiling: f64::INFINITY,
        }
    }

    /// A call was answered.
    pub fn completed(&mut self, sample: Sample, now_ns: u64) {
        self.advance(now_ns);
        self.refusals.outcome(false, self.interval_ns(1.0), self.now_ns);
        self.meter.add(&sample, self.limit, self.now_ns);
        self.learn();
    }

    /// The server refused or failed a call: the limit is halved, at most once in a round trip, and
    /// not any more when halving turns out not to help.
    pub fn overloaded(&mut self, what: Overload, now_ns: u64) {
        self.advance(now_ns);
        let rtt_ns = self.interval_ns(1.0);
        if !self.refusals.outcome(true, rtt_ns, self.now_ns) {
            if self.refusals.are_tolerated() {
                self.ceiling = f64::INFINITY;
            }
            return;
        }
        let wait_ns = match what {
            Overload::Throttled { retry_after_ns } => retry_after_ns.unwrap_or(0),
            Overload::Failed => 0,
        };
        self.hold_until_ns =
            self.now_ns.saturating_add(wait_ns.min(MOST_RETRY_AFTER_NS).max(rtt_ns));
        let level = f64::from(self.limit);
        self.ceiling = level;
        self.climb.restart(level * OVERLOADED, true);
        self.reason = Reason::Overload;
        self.apply();
    }

    /// The server's metrics were read.
    pub fn server(&mut self, load: ServerLoad, now_ns: u64) {
        self.advance(now_ns);
        let rtt_ns = self.interval_ns(1.0);
        let sign = self.watch.poll(load, self.in_flight.min(self.limit), rtt_ns, self.now_ns);
        if let Some(reason) = sign
            && self.now_ns >= self.saturated_until_ns
        {
            self.saturated_until_ns = self.now_ns.saturating_add(self.interval_ns(0.5));
            self.climb.shrink(SATURATED);
            self.reason = reason;
        }
        self.apply();
    }

    /// Look at the clock; the limit from now on. `in_flight` calls are at the server, `waiting` ones
    /// would be if the limit let them. Call it every 200 ms to 1 s, and after any of the above.
    pub fn tick(&mut self, in_flight: u32, waiting: u32, now_ns: u64) -> u32 {
        self.advance(now_ns);
        self.in_flight = in_flight;
        self.idle = waiting == 0 && f64::from(in_flight) < 0.8 * f64::from(self.limit);
        let live = self.watch.is_live(self.now_ns);
        self.source = if live { Source::Server } else { Source::Estimator };
        self.learn();
        self.limit
    }

    /// The limit, between the configured bounds.
    pub fn limit(&self) -> u32 {
        self.limit
    }

    /// Why it is what it is.
    pub fn reason(&self) -> Reason {
        if self.idle && self.reason != Reason::Overload { Reason::Idle } else { self.reason }
    }

    /// What steers it.
    pub fn source(&self) -> Source {
        self.source
    }

    /// Clocks of several threads may be read out of order; time here never runs backwards.
    fn advance(&mut self, now_ns: u64) {
        self.now_ns = self.now_ns.max(now_ns);
    }

    fn interval_ns(&self, rtts: f64) -> u64 {
        ((self.meter.rtt_ns() * rtts) as u64).max(LEAST_INTERVAL_NS)
    }

    fn bounds(&self) -> Bounds {
        let most =
            self.watch.max_running().map_or(self.config.max, |most| most.min(self.config.max));
        let least = f64::from(self.config.min);
        Bounds { least: least.ln(), most: f64::from(most).min(self.ceiling).max(least).ln() }
    }

    /// If the epoch is over, go on to the next.
    fn learn(&mut self) {
        if self.now_ns < self.hold_until_ns {
            return;
        }
        let age = self.now_ns.saturating_sub(self.meter.began_ns());
        let least = self.climb.calls(f64::from(self.limit));
        let Some(reading) = (age >= LEAST_INTERVAL_NS).then(|| self.meter.reading(least)).flatten()
        else {
            if age > self.interval_ns(STALE_EPOCH) {
                self.meter.begin(self.now_ns, 0.0);
            }
            return;
        };
        let target_ns = self.config.latency_target_ns.map(|ns| ns as f64);
        self.ceiling *= FORGIVENESS;
        let mut bounds = self.bounds();
        if self.climb.is_slow_start() && self.ceiling.is_finite() {
            bounds.most = (bounds.most + CAUTION.ln()).max(bounds.least);
        }
        self.reason = match self.climb.learn(reading, bounds, target_ns) {
            Reason::Clamp if self.ceiling < f64::from(self.config.max) => Reason::Overload,
            reason => reason,
        };
        self.apply();
        if self.meter.began_ns() != self.now_ns {
            self.meter.begin(self.now_ns, 0.0);
        }
    }

    /// Put the climber's level into force.
    fn apply(&mut self) {
        let level = self.climb.level(self.bounds());
        let limit = (level.round() as u32).clamp(self.config.min, self.config.max);
        if limit != self.limit {
            self.meter.begin(self.now_ns, SETTLE * f64::from(limit.max(self.limit)));
        }
        self.limit = limit;
    }
}
