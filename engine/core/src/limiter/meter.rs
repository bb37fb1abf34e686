//! What one limit yields: throughput and median latency of the calls under it.
//!
//! Throughput comes from **Little's law**, `X = N / W`: calls in flight over the mean time in the
//! server. Counting answers in a window instead is several times as noisy, because as much work as
//! is in flight falls on either side of each edge of the window.
//!
//! Calls differ in length, so both are per unit of work: `answer tokens + 0.05 x prompt tokens`.
//! Against the model of vLLM, weights between 0.03 and 0.1 make the scatter of a reading least, on
//! prompts of 256 to 1024 and answers of 8 to 256 tokens: for spread lengths 0.3 to 2 % over as many
//! calls as are in flight, for exponential ones 2 to 9 %.

use super::signal::Sample;

/// What a prompt token counts, in answer tokens.
const PROMPT_WEIGHT: f64 = 0.05;
/// Share of the limit that must be in flight for a call to tell something about the limit.
const USED: f64 = 0.8;
/// Most latencies kept for a median.
const MOST_LATENCIES: usize = 512;

/// What a limit yielded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Reading {
    /// Logarithm of the calls in flight.
    pub(super) ln_n: f64,
    /// Logarithm of the throughput, units of work a second.
    pub(super) ln_x: f64,
    /// Median latency.
    pub(super) p50_ns: f64,
}

/// Measures one epoch after another: the time a limit stays as it is.
#[derive(Debug, Clone, Default)]
pub(super) struct Meter {
    rtt_ns: f64,
    /// When the epoch began.
    began_ns: u64,
    /// Answers still to come from calls of the epoch before.
    skip: f64,
    calls: f64,
    time_ns: f64,
    work: f64,
    /// Calls sent in the epoch, and the sum of those in flight then.
    sent: f64,
    in_flight: f64,
    latencies: Vec<u64>,
}

impl Meter {
    /// Mean time of a call lately; one second as long as none was answered.
    pub(super) fn rtt_ns(&self) -> f64 {
        if self.rtt_ns > 0.0 { self.rtt_ns } else { 1e9 }
    }

    /// A new epoch begins now and counts the answers after the first `skip`.
    pub(super) fn begin(&mut self, now_ns: u64, skip: f64) {
        let (rtt_ns, mut latencies) = (self.rtt_ns, std::mem::take(&mut self.latencies));
        latencies.clear();
        *self = Meter { rtt_ns, latencies, began_ns: now_ns, skip, ..Meter::default() };
    }

    /// When the epoch began.
    pub(super) fn began_ns(&self) -> u64 {
        self.began_ns
    }

    /// A call was answered. It says nothing about `limit` if fewer were in flight.
    pub(super) fn add(&mut self, sample: &Sample, limit: u32, now_ns: u64) {
        let latency = (sample.latency_ns as f64).max(1.0);
        let pace = 1.0 / f64::from(limit).clamp(8.0, 64.0);
        self.rtt_ns += if self.rtt_ns == 0.0 { latency } else { (latency - self.rtt_ns) * pace };
        let sent_in_epoch = now_ns.saturating_sub(sample.latency_ns) >= self.began_ns;
        let in_flight = f64::from(sample.in_flight.min(limit));
        if self.skip >= 1.0 {
            self.skip -= 1.0;
            return;
        }
        if sent_in_epoch && in_flight < USED * f64::from(limit) {
            return;
        }
        if sent_in_epoch {
            self.sent += 1.0;
            self.in_flight += in_flight;
        }
        // A call that reports no tokens counts as one.
        let work = sample.output_tokens as f64 + PROMPT_WEIGHT * sample.input_tokens as f64;
        self.work += if work > 0.0 { work } else { 1.0 };
        self.calls += 1.0;
        self.time_ns += latency;
        if self.latencies.len() == MOST_LATENCIES {
            let replaced = self.calls as usize % MOST_LATENCIES;
            self.latencies.swap_remove(replaced);
        }
        self.latencies.push(sample.latency_ns);
    }

    /// The yield, if at least `least` calls tell of it.
    pub(super) fn reading(&self, least: f64) -> Option<Reading> {
        if self.calls < least.max(1.0) || self.sent < 1.0 {
            return None;
        }
        let n = (self.in_flight / self.sent).max(1.0);
        let x = n * self.work / self.time_ns * 1e9;
        let mut sorted = self.latencies.clone();
        let middle = sorted.len() / 2;
        let (_, median, _) = sorted.select_nth_unstable(middle);
        Some(Reading { ln_n: n.ln(), ln_x: x.max(1e-9).ln(), p50_ns: *median as f64 })
    }
}
