//! One request on its way through the engine.

/// What is asked of the engine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Request {
    /// Name of the request, unique among those in flight.
    pub id: u64,
    /// Tokens of the prompt.
    pub prompt_tokens: u32,
    /// Chained hashes of the prompt's full blocks ([`tokens::block_hashes`]); where there are fewer
    /// than full blocks, the rest of the prompt is taken to be shared with nobody.
    ///
    /// [`tokens::block_hashes`]: super::tokens::block_hashes
    pub blocks: Vec<u64>,
    /// Most tokens to generate; at least one is.
    pub max_tokens: u32,
    /// Tokens that the model would generate by itself, the end-of-text token included.
    pub target_tokens: u32,
    /// Lower goes first, if the profile's scheduling heeds it.
    pub priority: i32,
}

impl Request {
    /// Tokens it gets, with `room` for them, and why it then ends.
    pub(super) fn goal(&self, room: u32) -> (u32, Finish) {
        let allowed = self.max_tokens.min(room).max(1);
        let target = self.target_tokens.max(1);
        let reason = if target <= allowed { Finish::Stop } else { Finish::Length };
        (target.min(allowed), reason)
    }
}

/// Why a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Finish {
    /// The model ended its text.
    Stop,
    /// `max_tokens` or the model's context was used up.
    Length,
}

impl Finish {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Finish::Stop => "stop",
            Finish::Length => "length",
        }
    }
}

/// Why a request is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// Prompt and answer exceed the model's context.
    #[error(
        "this model's maximum context length is {limit} tokens, the prompt has {prompt_tokens} and \
         at least one must be left for the answer"
    )]
    ContextLength {
        /// Tokens of the prompt.
        prompt_tokens: u32,
        /// Longest prompt and answer together.
        limit: u32,
    },
    /// The KV cache could not hold the prompt even alone.
    #[error("the prompt has {prompt_tokens} tokens, the KV cache holds {capacity}")]
    CacheCapacity {
        /// Tokens of the prompt.
        prompt_tokens: u32,
        /// Tokens that the cache holds.
        capacity: u32,
    },
    /// A request of this id is in flight.
    #[error("request {0} is in flight already")]
    Duplicate(u64),
}

/// Place in the waiting queue: priority, then arrival.
pub(super) type Key = (i32, u64);

/// A request in the engine.
#[derive(Debug)]
pub(super) struct Sequence {
    pub(super) id: u64,
    pub(super) key: Key,
    /// When it left the front end.
    pub(super) queued_at: u64,
    shared: Vec<u64>,
    pub(super) prompt: u32,
    pub(super) produced: u32,
    /// Tokens whose keys and values are in `blocks`.
    pub(super) computed: u32,
    /// Tokens at which the request ends, and why it does.
    goal: u32,
    reason: Finish,
    pub(super) blocks: Vec<u32>,
    pub(super) finish: Option<Finish>,
    pub(super) seen: bool,
}

impl Sequence {
    pub(super) fn new(request: Request, arrival: u64, priority: i32, room: u32) -> Self {
        let (goal, reason) = request.goal(room);
        Sequence {
            id: request.id,
            key: (priority, arrival),
            queued_at: 0,
            shared: request.blocks,
            prompt: request.prompt_tokens.max(1),
            produced: 0,
            computed: 0,
            goal,
            reason,
            blocks: Vec::new(),
            finish: None,
            seen: false,
        }
    }

    /// Tokens whose values are known: prompt and answer so far.
    pub(super) fn total(&self) -> u32 {
        self.prompt + self.produced
    }

    /// Hash of everything up to the end of full block `index`. What a model writes is unknown to
    /// other requests, so generated blocks are named by their request: it finds them again after a
    /// preemption, nobody else does.
    pub(super) fn hash(&self, index: u32) -> u64 {
        match self.shared.get(index as usize) {
            Some(&hash) => hash,
            None => super::tokens::mix(self.key.1 ^ (1 << 63), u64::from(index)),
        }
    }

    /// Count one more generated token.
    pub(super) fn produce(&mut self) {
        self.produced += 1;
        if self.produced >= self.goal {
            self.finish = Some(self.reason);
        }
    }
}
