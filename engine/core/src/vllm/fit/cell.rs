//! What was observed.

/// One request as its client saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// Tokens of the prompt, as the endpoint counts them.
    pub prompt_tokens: u32,
    /// Tokens of the answer, likewise.
    pub output_tokens: u32,
    /// When it was sent, nanoseconds since the cell began.
    pub sent_ns: u64,
    /// When its first token came.
    pub first_ns: u64,
    /// When its last token came.
    pub last_ns: u64,
}

/// Requests that were sent by so many clients, each asking again once it was answered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cell {
    /// For people.
    pub name: String,
    /// Clients.
    pub concurrency: u32,
    /// Whether the fit must not see it.
    pub held_out: bool,
    /// The answered requests, in the order in which they were sent.
    pub samples: Vec<Sample>,
}

/// What a cell comes to.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Figures {
    /// Output tokens a second, over the whole cell.
    pub throughput: f64,
    /// Mean time to the first token, milliseconds.
    pub ttft_ms: f64,
    /// Mean time per output token after the first, milliseconds.
    pub tpot_ms: f64,
    /// Mean time of a whole request, milliseconds.
    pub latency_ms: f64,
}

impl Figures {
    /// Of the samples of one cell; zeros without any.
    pub fn of(samples: &[Sample]) -> Figures {
        let (mut figures, mut tokens, mut end, mut timed) = (Figures::default(), 0_u64, 0, 0);
        for sample in samples {
            let since = |from: u64, to: u64| to.saturating_sub(from) as f64 / 1e6;
            tokens += u64::from(sample.output_tokens);
            end = end.max(sample.last_ns);
            figures.ttft_ms += since(sample.sent_ns, sample.first_ns);
            figures.latency_ms += since(sample.sent_ns, sample.last_ns);
            if sample.output_tokens > 1 {
                timed += 1;
                let gaps = f64::from(sample.output_tokens - 1);
                figures.tpot_ms += since(sample.first_ns, sample.last_ns) / gaps;
            }
        }
        let count = samples.len().max(1) as f64;
        figures.ttft_ms /= count;
        figures.latency_ms /= count;
        figures.tpot_ms /= f64::from(timed.max(1));
        let start = samples.iter().map(|sample| sample.sent_ns).min().unwrap_or(0);
        let seconds = end.saturating_sub(start) as f64 / 1e9;
        figures.throughput = if seconds > 0.0 { tokens as f64 / seconds } else { 0.0 };
        figures
    }

    /// Relative errors of `self`, a model's, against `measured`: throughput, TTFT, TPOT, latency.
    pub fn errors(&self, measured: &Figures) -> [f64; 4] {
        let error = |model: f64, target: f64| if target > 0.0 { model / target - 1.0 } else { 0.0 };
        [
            error(self.throughput, measured.throughput),
            error(self.ttft_ms, measured.ttft_ms),
            error(self.tpot_ms, measured.tpot_ms),
            error(self.latency_ms, measured.latency_ms),
        ]
    }
}
