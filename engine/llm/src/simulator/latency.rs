//! Latency histograms under vLLM's names and with its buckets, in virtual seconds.

use std::fmt::Write;

const FIRST_TOKEN: &[f64] = &[
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
    20.0, 40.0, 80.0, 160.0, 640.0, 2560.0,
];
const BETWEEN: &[f64] = &[
    0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0,
    40.0, 80.0,
];
const WHOLE: &[f64] = &[
    0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 120.0, 240.0,
    480.0, 960.0, 1920.0, 7680.0,
];

#[derive(Debug, Clone)]
struct Histogram {
    bounds: &'static [f64],
    /// One more than bounds: the last counts what exceeds them all.
    counts: Vec<u64>,
    sum: f64,
}

impl Histogram {
    fn new(bounds: &'static [f64]) -> Self {
        Histogram { bounds, counts: vec![0; bounds.len() + 1], sum: 0.0 }
    }

    fn record(&mut self, ns: u64) {
        let seconds = ns as f64 / 1e9;
        self.counts[self.bounds.partition_point(|&bound| bound < seconds)] += 1;
        self.sum += seconds;
    }

    fn render(&self, out: &mut String, name: &str, help: &str, labels: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "# HELP vllm:{name} {help}\n# TYPE vllm:{name} histogram");
        let mut total = 0;
        for (index, count) in self.counts.iter().enumerate() {
            total += count;
            let bound = self.bounds.get(index).map_or("+Inf".to_owned(), ToString::to_string);
            let _ = writeln!(out, "vllm:{name}_bucket{{{labels},le=\"{bound}\"}} {total}");
        }
        let _ = writeln!(out, "vllm:{name}_sum{{{labels}}} {}", self.sum);
        let _ = writeln!(out, "vllm:{name}_count{{{labels}}} {total}");
    }
}

/// When one request came and was last heard of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) arrived_ns: u64,
    pub(super) last_ns: u64,
}

/// The latencies of all requests.
#[derive(Debug, Clone)]
pub(super) struct Latencies {
    first_token: Histogram,
    between: Histogram,
    whole: Histogram,
}

impl Default for Latencies {
    fn default() -> Self {
        Latencies {
            first_token: Histogram::new(FIRST_TOKEN),
            between: Histogram::new(BETWEEN),
            whole: Histogram::new(WHOLE),
        }
    }
}

impl Latencies {
    /// Count a token at `now`.
    pub(super) fn token(&mut self, times: &mut Times, first: bool, last: bool, now: u64) {
        let since_arrival = now.saturating_sub(times.arrived_ns);
        if first {
            self.first_token.record(since_arrival);
        } else {
            self.between.record(now.saturating_sub(times.last_ns));
        }
        if last {
            self.whole.record(since_arrival);
        }
        times.last_ns = now;
    }

    /// Prometheus text of all three.
    pub(super) fn render(&self, out: &mut String, labels: &str) {
        let first = "Arrival to first token, s.";
        self.first_token.render(out, "time_to_first_token_seconds", first, labels);
        self.between.render(out, "inter_token_latency_seconds", "Between tokens, s.", labels);
        self.whole.render(out, "e2e_request_latency_seconds", "Arrival to end, s.", labels);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_cumulative() {
        let mut latencies = Latencies::default();
        let mut times = Times { arrived_ns: 1_000_000_000, last_ns: 0 };
        latencies.token(&mut times, true, false, 1_100_000_000);
        latencies.token(&mut times, false, true, 1_400_000_000);
        let mut out = String::new();
        latencies.render(&mut out, "a=\"b\"");
        for line in [
            "vllm:time_to_first_token_seconds_bucket{a=\"b\",le=\"0.08\"} 0",
            "vllm:time_to_first_token_seconds_bucket{a=\"b\",le=\"0.1\"} 1",
            "vllm:inter_token_latency_seconds_sum{a=\"b\"} 0.3",
            "vllm:e2e_request_latency_seconds_bucket{a=\"b\",le=\"+Inf\"} 1",
        ] {
            assert!(out.lines().any(|found| found == line), "{line}\n{out}");
        }
    }
}
