//! Warm-up: the first tasks of a run are measured but kept out of the latency figures.
//!
//! Which tasks are the first 5 % is known only at the end, when their number is. So the
//! earliest-arrived ones among those that could be warm-up are held back, up to a bound, and
//! everything else goes straight into the histograms. The result is exact up to
//! `HELD / share` completed tasks (1.3 million at 5 %); beyond that a little less than the share
//! is left out. The share is of completed tasks, so that it works where all arrive at once, as it
//! does with `batch` arrivals: time alone would leave out everything.

use std::collections::BinaryHeap;

const HELD: usize = 1 << 16;

/// How much of the start of a run is left out of the latency figures: the smaller of the two.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Warmup {
    /// At most this share of the completed tasks.
    pub share: f64,
    /// Only tasks that arrived within this time of the first one, nanoseconds.
    pub within_ns: u64,
}

impl Default for Warmup {
    fn default() -> Self {
        Warmup { share: 0.05, within_ns: 5_000_000_000 }
    }
}

impl Warmup {
    /// Nothing is left out.
    pub const NONE: Warmup = Warmup { share: 0.0, within_ns: 0 };
}

/// The latency of one completed task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Sample {
    // Arrival and identity come first: they are the order.
    pub(super) arrived_ns: u64,
    pub(super) task: u64,
    pub(super) records: u64,
    pub(super) latency_ns: u64,
    /// Scheduling, queueing, execution; absent if an event of the task was lost.
    pub(super) split_ns: Option<[u64; 3]>,
}

/// Holds back the earliest samples until the end.
#[derive(Debug, Default)]
pub(super) struct Held {
    samples: BinaryHeap<Sample>,
    completed: u64,
}

impl Held {
    /// Takes a sample; gives back the one that is certainly not warm-up, if there is one.
    pub(super) fn push(&mut self, sample: Sample, first_ns: u64, rule: Warmup) -> Option<Sample> {
        self.completed += 1;
        self.hold(sample, first_ns, rule)
    }

    fn hold(&mut self, sample: Sample, first_ns: u64, rule: Warmup) -> Option<Sample> {
        if rule.share <= 0.0 || sample.arrived_ns.saturating_sub(first_ns) >= rule.within_ns {
            return Some(sample);
        }
        self.samples.push(sample);
        if self.samples.len() > HELD { self.samples.pop() } else { None }
    }

    /// Takes over what another one holds; gives back what is too much.
    pub(super) fn merge(&mut self, other: Held, first_ns: u64, rule: Warmup) -> Vec<Sample> {
        self.completed += other.completed;
        other.samples.into_iter().filter_map(|sample| self.hold(sample, first_ns, rule)).collect()
    }

    /// Splits what is held into warm-up (first) and the rest.
    pub(super) fn split(&self, first_ns: u64, rule: Warmup) -> (Vec<Sample>, Vec<Sample>) {
        let most = (self.completed as f64 * rule.share.clamp(0.0, 1.0)).floor() as usize;
        let mut warmup = self.samples.clone().into_sorted_vec();
        let within = warmup.partition_point(|sample| {
            // A merge may have moved the first arrival forward since the sample was taken.
            sample.arrived_ns.saturating_sub(first_ns) < rule.within_ns
        });
        let rest = warmup.split_off(most.min(within));
        (warmup, rest)
    }
}
