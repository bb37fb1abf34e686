//! The two engines of a simulated server, stepped in virtual time as the simulator's driver steps
//! them by the wall clock.
//!
//! Time in an engine is the station's time times the server's speed. An engine's requests are read
//! when they come, because they carry their time of arrival; those that leave are forgotten between
//! two steps, as a real scheduler does it.

use sage_core::limiter::ServerLoad;
use sage_core::vllm::{
    EmbedEngine, Embedder, Emission, Engine, Profile, Rejected, Request, Stats, Step,
};

/// Virtual nanoseconds by the wall clock's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    speed: f64,
    /// Time of the engine never runs backwards, whatever rounding does.
    now: u64,
}

impl Clock {
    fn new(speed: f64) -> Self {
        Clock { speed, now: 0 }
    }

    fn virtual_ns(&mut self, wall_ns: u64) -> u64 {
        self.now = self.now.max((wall_ns as f64 * self.speed) as u64);
        self.now
    }

    /// The wall clock does not show less than virtual time `ns` then.
    fn wall_ns(&self, ns: u64) -> u64 {
        (ns as f64 / self.speed).ceil() as u64
    }
}

/// What an engine does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    /// Nothing; the next request wakes it.
    Idle,
    /// It was woken and will begin at once.
    Woken,
    /// A step.
    Step,
}

/// The generator.
#[derive(Debug)]
pub(super) struct Generator {
    engine: Engine,
    clock: Clock,
    doing: Doing,
    step: Step,
    leavers: Vec<u64>,
    /// What its metrics say: as of the beginning of the step.
    published: Stats,
    /// Virtual time of its steps.
    busy_ns: u64,
}

impl Generator {
    pub(super) fn new(profile: &Profile, speed: f64) -> Self {
        Generator {
            engine: Engine::new(profile),
            clock: Clock::new(speed),
            doing: Doing::Idle,
            step: Step::default(),
            leavers: Vec::new(),
            published: Stats::default(),
            busy_ns: 0,
        }
    }

    /// Whether a prompt and the longest answer to it fit into the model's context.
    pub(super) fn fits(&self, prompt_tokens: u32, max_tokens: u32) -> bool {
        prompt_tokens.max(1).saturating_add(max_tokens) <= self.engine.profile().max_model_len
    }

    /// A request comes. True if the engine was idle: then it is to [`end`](Self::end) a step now.
    pub(super) fn submit(&mut self, request: Request, now_ns: u64) -> Result<bool, Rejected> {
        self.engine.submit(request, self.clock.virtual_ns(now_ns))?;
        Ok(wake(&mut self.doing))
    }

    /// A request goes away.
    pub(super) fn leave(&mut self, request: u64) {
        self.leavers.push(request);
    }

    /// The tokens of the step that ends now; give them back with [`begin`](Self::begin).
    pub(super) fn end(&mut self) -> Vec<Emission> {
        let ended = self.doing == Doing::Step;
        if ended {
            self.clock.now = self.clock.now.max(self.step.ends_at_ns);
        } else {
            self.step.emitted.clear();
        }
        std::mem::take(&mut self.step.emitted)
    }

    /// Begin the next step; when it ends, or `None` if there is nothing to do.
    pub(super) fn begin(&mut self, tokens: Vec<Emission>, now_ns: u64) -> Option<u64> {
        self.step.emitted = tokens;
        for request in self.leavers.drain(..) {
            self.engine.cancel(request);
        }
        let now = match self.doing {
            Doing::Step => self.step.ends_at_ns,
            Doing::Idle | Doing::Woken => self.clock.virtual_ns(now_ns),
        };
        let some = self.engine.step_into(now, &mut self.step);
        self.published = self.engine.stats();
        self.doing = if some { Doing::Step } else { Doing::Idle };
        let Step { starts_at_ns, ends_at_ns, load, .. } = &self.step;
        if some && load.tokens > 0 {
            self.busy_ns += ends_at_ns - starts_at_ns;
        }
        some.then(|| self.clock.wall_ns(*ends_at_ns))
    }

    /// What a look at the server's metrics finds.
    pub(super) fn load(&self) -> ServerLoad {
        let Stats { running, waiting, kv_usage, preemptions, .. } = self.published;
        ServerLoad {
            running: running as f64,
            waiting: waiting as f64,
            kv_usage: Some(kv_usage.min(1.0)),
            preemptions: Some(preemptions),
            max_running: None,
        }
    }

    #[cfg(test)]
    pub(super) fn is_idle(&self) -> bool {
        let Stats { running, waiting, arriving, .. } = self.engine.stats();
        self.doing == Doing::Idle && (running, waiting, arriving) == (0, 0, 0)
    }

    /// Counters of the engine.
    pub(super) fn stats(&self) -> Stats {
        self.engine.stats()
    }

    /// Time during which it computed.
    pub(super) fn busy_ns(&self) -> u64 {
        (self.busy_ns as f64 / self.clock.speed) as u64
    }
}

/// The embedding model.
#[derive(Debug)]
pub(super) struct Texts {
    engine: EmbedEngine,
    clock: Clock,
    doing: Doing,
    ends_at_ns: u64,
    finished: Vec<u64>,
    leavers: Vec<u64>,
    max_model_len: u32,
    busy_ns: u64,
}

impl Texts {
    pub(super) fn new(embedder: &Embedder, speed: f64) -> Self {
        Texts {
            engine: EmbedEngine::new(embedder),
            clock: Clock::new(speed),
            doing: Doing::Idle,
            ends_at_ns: 0,
            finished: Vec::new(),
            leavers: Vec::new(),
            max_model_len: embedder.max_model_len,
            busy_ns: 0,
        }
    }

    /// Whether a text is not too long.
    pub(super) fn fits(&self, tokens: u32) -> bool {
        tokens <= self.max_model_len
    }

    /// A text comes. True if the engine was idle.
    pub(super) fn submit(&mut self, request: u64, tokens: u32, now_ns: u64) -> bool {
        let now = self.clock.virtual_ns(now_ns);
        self.engine.submit(request, u64::from(tokens.max(1)), now);
        wake(&mut self.doing)
    }

    /// A text goes away.
    pub(super) fn leave(&mut self, request: u64) {
        self.leavers.push(request);
    }

    #[cfg(test)]
    pub(super) fn is_idle(&self) -> bool {
        self.doing == Doing::Idle && self.engine.waiting() == 0
    }

    /// The texts of the batch that ends now.
    pub(super) fn end(&mut self) -> Vec<u64> {
        if self.doing == Doing::Step {
            self.clock.now = self.clock.now.max(self.ends_at_ns);
        }
        std::mem::take(&mut self.finished)
    }

    /// Begin the next batch; when it ends, or `None` if there is nothing to do.
    pub(super) fn begin(&mut self, now_ns: u64) -> Option<u64> {
        for request in self.leavers.drain(..) {
            self.engine.cancel(request);
        }
        let now = match self.doing {
            Doing::Step => self.ends_at_ns,
            Doing::Idle | Doing::Woken => self.clock.virtual_ns(now_ns),
        };
        let Some(step) = self.engine.step(now) else {
            self.doing = Doing::Idle;
            return None;
        };
        self.doing = Doing::Step;
        self.busy_ns += step.ends_at_ns.saturating_sub(now);
        (self.ends_at_ns, self.finished) = (step.ends_at_ns, step.finished);
        Some(self.clock.wall_ns(self.ends_at_ns))
    }

    /// Time during which it computed.
    pub(super) fn busy_ns(&self) -> u64 {
        (self.busy_ns as f64 / self.clock.speed) as u64
    }
}

fn wake(doing: &mut Doing) -> bool {
    let idle = *doing == Doing::Idle;
    if idle {
        *doing = Doing::Woken;
    }
    idle
}
