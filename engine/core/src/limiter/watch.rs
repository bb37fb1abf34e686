//! Signs of saturation in the server's own metrics.
//!
//! The thresholds follow what SkyRL's and CONCUR's (arXiv 2601.22705) controllers look at: requests
//! that wait, a KV cache that is nearly full, preemptions. Of queues only a **standing** one counts,
//! one that each poll of a whole round trip finds (as CoDel's, Nichols and Jacobson, ACM Queue 2012):
//! calls of like length come back and are sent again in bursts, which wait for a moment even on a
//! server with room, and so do the prompts that a raise of the limit lets in.
//!
//! The server counts everybody's calls. Where others fill it, only **our share** of the queue is
//! ours to shorten: with `s` the share of our calls in all of the server's, the queue counts when
//! `s * waiting` exceeds what `s * running` allows. So a flood of others pushes the limit down to
//! a few calls but does not starve us, and clients that all steer like this share evenly, as TCP's
//! flows do (Chiu and Jain 1989: additive increase, multiplicative decrease).

use super::load::ServerLoad;
use super::signal::Reason;

/// Requests that may wait, at least, and as a share of those that run. A share of 0.05 cost 7 % of
/// the throughput of short answers in closed loop with the model, whose batches it left unfilled.
const WAITING: (f64, f64) = (2.0, 0.5);
/// Share of the KV cache that may be used.
const KV_USAGE: f64 = 0.92;
/// Polls, at least, that must find a queue.
const POLLS: u32 = 3;
/// Polls further apart than this many usual gaps have stopped.
const MISSED_POLLS: f64 = 5.0;
/// Bounds of that in nanoseconds.
const LEAST_SILENCE_NS: f64 = 250e6;
const MOST_SILENCE_NS: f64 = 60e9;

/// What the last polls said.
#[derive(Debug, Clone, Default)]
pub(super) struct Watch {
    polled_ns: Option<u64>,
    gap_ns: f64,
    preemptions: Option<u64>,
    /// Since when, and by how many polls, a queue was found each time.
    queued_ns: u64,
    queued_polls: u32,
    max_running: Option<u32>,
}

impl Watch {
    /// Take in a poll; the sign of saturation in it, if there is one.
    pub(super) fn poll(
        &mut self,
        load: ServerLoad,
        in_flight: u32,
        rtt_ns: u64,
        now_ns: u64,
    ) -> Option<Reason> {
        let sound = |value: f64| value.is_finite() && value >= 0.0;
        if !(sound(load.running) && sound(load.waiting)) {
            return None;
        }
        if let Some(before) = self.polled_ns {
            let gap = now_ns.saturating_sub(before) as f64;
            self.gap_ns += if self.gap_ns == 0.0 { gap } else { (gap - self.gap_ns) / 8.0 };
        }
        self.polled_ns = Some(now_ns);
        self.max_running = load.max_running.filter(|most| *most > 0);
        // A counter that fell means that the server was started anew.
        let preempted = match (self.preemptions, load.preemptions) {
            (Some(before), Some(now)) => now > before,
            _ => false,
        };
        self.preemptions = load.preemptions.or(self.preemptions);
        let total = load.running + load.waiting;
        let share = if total > 0.0 { (f64::from(in_flight) / total).min(1.0) } else { 0.0 };
        if share * load.waiting <= WAITING.0.max(WAITING.1 * share * load.running) {
            self.queued_polls = 0;
        } else {
            if self.queued_polls == 0 {
                self.queued_ns = now_ns;
            }
            self.queued_polls = self.queued_polls.saturating_add(1);
        }
        let queued = self.queued_polls >= POLLS && now_ns.saturating_sub(self.queued_ns) >= rtt_ns;
        if queued {
            // The next sign takes another round trip: the effect of this one must show first.
            self.queued_polls = 0;
        }
        if in_flight == 0 {
            None
        } else if preempted {
            Some(Reason::Preemption)
        } else if load.kv_usage.is_some_and(|usage| usage.is_finite() && usage > KV_USAGE) {
            Some(Reason::KvPressure)
        } else {
            queued.then_some(Reason::ServerQueue)
        }
    }

    /// Whether polls come in.
    pub(super) fn is_live(&self, now_ns: u64) -> bool {
        let silence = if self.gap_ns > 0.0 { MISSED_POLLS * self.gap_ns } else { MOST_SILENCE_NS };
        let silence = silence.clamp(LEAST_SILENCE_NS, MOST_SILENCE_NS);
        self.polled_ns.is_some_and(|at| now_ns.saturating_sub(at) as f64 <= silence)
    }

    /// Most requests the server computes at once, if it says so.
    pub(super) fn max_running(&self) -> Option<u32> {
        self.max_running
    }
}
