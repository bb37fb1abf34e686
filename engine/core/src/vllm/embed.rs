//! An embedding model beside the generator: prefill only, so a batch is a sum of tokens.
//!
//! A step takes whole texts, first come, first served, up to 32 k tokens, and lasts 6 ms plus
//! tokens over rate. The rates are estimates at 35 to 40 % of an A100's peak; no published
//! measurement was found, so results that hang on them say nothing about a real server.

use std::collections::VecDeque;

/// An embedding model that can be simulated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Embedder {
    /// The model id that the server serves.
    pub model: &'static str,
    /// Length of its vectors.
    pub dimensions: usize,
    /// Longest text in tokens.
    pub max_model_len: u32,
    /// Tokens a second in a full batch.
    pub tokens_per_s: f64,
}

/// All embedding models, by name.
pub const EMBEDDERS: &[Embedder] = &[
    Embedder {
        model: "BAAI/bge-base-en-v1.5",
        dimensions: 768,
        max_model_len: 512,
        tokens_per_s: 6e5,
    },
    Embedder {
        model: "BAAI/bge-large-en-v1.5",
        dimensions: 1024,
        max_model_len: 512,
        tokens_per_s: 2e5,
    },
    Embedder {
        model: "BAAI/bge-small-en-v1.5",
        dimensions: 384,
        max_model_len: 512,
        tokens_per_s: 1e6,
    },
];

/// The embedding model with this id, in any case.
pub fn embedder(model: &str) -> Option<&'static Embedder> {
    EMBEDDERS.iter().find(|embedder| embedder.model.eq_ignore_ascii_case(model))
}

const STEP_TOKENS: u64 = 32_768;
const STEP_OVERHEAD_S: f64 = 6e-3;

/// One batch of texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmbedStep {
    /// When the vectors are there.
    pub ends_at_ns: u64,
    /// The requests that the batch answers.
    pub finished: Vec<u64>,
    /// Tokens of the batch.
    pub tokens: u64,
}

/// The queue in front of an embedding model.
///
/// ```
/// use sage_core::vllm::{EmbedEngine, embedder};
/// let mut engine = EmbedEngine::new(embedder("BAAI/bge-small-en-v1.5").expect("registered"));
/// engine.submit(1, 4_000, 0);
/// let step = engine.step(0).expect("one text waits");
/// assert_eq!((step.ends_at_ns, step.finished), (10_000_000, vec![1]));
/// assert_eq!(engine.step(10_000_000), None);
/// ```
#[derive(Debug)]
pub struct EmbedEngine {
    embedder: Embedder,
    /// Request, its tokens, its arrival.
    waiting: VecDeque<(u64, u64, u64)>,
    busy_until: u64,
}

impl EmbedEngine {
    /// An idle server of `embedder`.
    pub fn new(embedder: &Embedder) -> Self {
        EmbedEngine { embedder: *embedder, waiting: VecDeque::new(), busy_until: 0 }
    }

    /// Queue a request that arrives at `now` and whose texts have `tokens` tokens together.
    pub fn submit(&mut self, id: u64, tokens: u64, now: u64) {
        self.waiting.push_back((id, tokens, now));
    }

    /// Forget a request; false when it is not waiting any more.
    pub fn cancel(&mut self, id: u64) -> bool {
        let before = self.waiting.len();
        self.waiting.retain(|entry| entry.0 != id);
        self.waiting.len() < before
    }

    /// Requests that wait for a batch.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Start a batch at `now`, or at the end of the current one if that is later; `None` when
    /// nothing waits. A request that alone exceeds a batch gets one for itself.
    pub fn step(&mut self, now: u64) -> Option<EmbedStep> {
        let first_arrival = self.waiting.front()?.2;
        let start = now.max(self.busy_until).max(first_arrival);
        let (mut finished, mut tokens) = (Vec::new(), 0);
        while let Some(&(id, size, arrival)) = self.waiting.front() {
            if arrival > start || (!finished.is_empty() && tokens + size > STEP_TOKENS) {
                break;
            }
            self.waiting.pop_front();
            finished.push(id);
            tokens += size;
        }
        let seconds = STEP_OVERHEAD_S + tokens as f64 / self.embedder.tokens_per_s;
        self.busy_until = start + (seconds * 1e9).round() as u64;
        Some(EmbedStep { ends_at_ns: self.busy_until, finished, tokens })
    }
}
