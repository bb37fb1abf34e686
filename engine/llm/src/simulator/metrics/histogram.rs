//! Histograms with vLLM's buckets.

use super::exposition::Exposition;

pub(super) const FIRST_TOKEN: &[f64] = &[
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
    20.0, 40.0, 80.0, 160.0, 640.0, 2560.0,
];
pub(super) const PER_TOKEN: &[f64] = &[
    0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0,
    40.0, 80.0,
];
pub(super) const PHASE: &[f64] = &[
    0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 120.0, 240.0,
    480.0, 960.0, 1920.0, 7680.0,
];
pub(super) const CHOICES: &[f64] = &[1.0, 2.0, 5.0, 10.0, 20.0];
pub(super) const ITERATION: &[f64] =
    &[1.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0, 8192.0, 16384.0];

/// 1, 2, 5, 10, 20, 50 and so on, up to `most`.
pub(super) fn one_two_five(most: u32) -> Vec<f64> {
    let decades = (0..10).map(|exponent| 10_u64.pow(exponent));
    let all = decades.flat_map(|ten| [1, 2, 5].map(|mantissa| mantissa * ten));
    all.take_while(|&bound| bound <= u64::from(most)).map(|bound| bound as f64).collect()
}

/// Counts of values by size.
#[derive(Debug, Clone)]
pub(super) struct Histogram {
    name: &'static str,
    help: &'static str,
    bounds: Vec<f64>,
    /// One more than bounds: the last counts what exceeds them all.
    counts: Vec<u64>,
    sum: f64,
}

impl Histogram {
    pub(super) fn new(name: &'static str, help: &'static str, bounds: &[f64]) -> Self {
        let counts = vec![0; bounds.len() + 1];
        Histogram { name, help, bounds: bounds.to_vec(), counts, sum: 0.0 }
    }

    pub(super) fn record(&mut self, value: f64) {
        self.counts[self.bounds.partition_point(|&bound| bound < value)] += 1;
        self.sum += value;
    }

    pub(super) fn render(&self, out: &mut Exposition) {
        out.family(self.name, "histogram", self.help);
        let bucket = format!("{}_bucket", self.name);
        let mut total = 0;
        for (index, count) in self.counts.iter().enumerate() {
            total += count;
            let bound = self.bounds.get(index).map_or("+Inf".to_owned(), |b| format!("{b:?}"));
            out.sample(&bucket, &[("le", &bound)], total as f64);
        }
        out.sample(&format!("{}_count", self.name), &[], total as f64);
        out.sample(&format!("{}_sum", self.name), &[], self.sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_cumulative() {
        let mut histogram = Histogram::new("x", "Help.", &[0.08, 0.1]);
        histogram.record(0.1);
        histogram.record(0.4);
        let mut out = Exposition::new(&[]);
        histogram.render(&mut out);
        let text = out.text();
        for line in [
            "vllm:x_bucket{le=\"0.08\"} 0.0",
            "vllm:x_bucket{le=\"0.1\"} 1.0",
            "vllm:x_bucket{le=\"+Inf\"} 2.0",
            "vllm:x_sum{} 0.5",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }

    #[test]
    fn token_buckets_end_at_the_context() {
        assert_eq!(one_two_five(100), [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0]);
        assert_eq!(one_two_five(32_768).last(), Some(&20_000.0));
    }
}
