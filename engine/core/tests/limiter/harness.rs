//! A closed loop around the vLLM model: clients that always want more than the limit lets them.

use std::collections::HashMap;

use sage_core::limiter::{AutoLimiter, Sample, ServerLoad};
use sage_core::vllm::{Engine, Profile, Request, profile};

pub(crate) const SECOND: u64 = 1_000_000_000;

/// How long answers are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Lengths {
    /// Even, up to a quarter more or less.
    Spread,
    /// Exponential, cut at six times the mean.
    Exponential,
}

/// What the clients ask for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    pub(crate) input: u32,
    pub(crate) output: u32,
    pub(crate) lengths: Lengths,
    pub(crate) seed: u64,
}

impl Workload {
    pub(crate) const RAG: Workload = Workload::new("rag 1024/128", 1024, 128);
    pub(crate) const CHAT: Workload = Workload::new("chat 256/256", 256, 256);
    pub(crate) const CLASSIFY: Workload = Workload::new("classify 512/8", 512, 8);

    const fn new(name: &'static str, input: u32, output: u32) -> Self {
        Workload { name, input, output, lengths: Lengths::Spread, seed: 1 }
    }

    pub(crate) fn with(self, lengths: Lengths) -> Self {
        Workload { lengths, ..self }
    }

    /// The length of answer `n`; a hash, so that every controller meets the same answers.
    fn length(&self, n: u64) -> u32 {
        let hash = (n.wrapping_add(self.seed << 32).wrapping_mul(0x9e37_79b9_7f4a_7c15))
            .wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let hash = (hash ^ hash >> 31).wrapping_mul(0x94d0_49bb_1331_11eb);
        let uniform = (hash >> 11) as f64 / (1_u64 << 53) as f64;
        let mean = f64::from(self.output);
        let length = match self.lengths {
            Lengths::Spread => mean * (0.75 + uniform * 0.5),
            Lengths::Exponential => (-(1.0 - uniform).ln()).min(6.0) * mean,
        };
        (length.round() as u32).max(1)
    }
}

pub(crate) fn a100() -> Profile {
    profile("a100/qwen2.5-7b").expect("registered").clone()
}

/// The same machine, `factor` times slower (or faster, below 1).
pub(crate) fn slower(mut profile: Profile, factor: f64) -> Profile {
    let costs = &mut profile.costs;
    for cost in [
        &mut costs.weights,
        &mut costs.compute,
        &mut costs.elementwise,
        &mut costs.decode_context,
        &mut costs.prefill_pair,
        &mut costs.head_weights,
        &mut costs.head_compute,
        &mut costs.step_overhead,
        &mut costs.sequence_overhead,
        &mut profile.api_ms_per_request,
    ] {
        *cost *= factor;
    }
    profile
}

/// The limit of a run: fixed or adaptive.
pub(crate) enum Control {
    Fixed(u32),
    Auto(Box<AutoLimiter>),
}

/// What polls of the server's metrics find.
pub(crate) type Polls = fn(u64, ServerLoad) -> Option<ServerLoad>;

pub(crate) fn blind(_now: u64, _load: ServerLoad) -> Option<ServerLoad> {
    None
}

pub(crate) fn honest(_now: u64, load: ServerLoad) -> Option<ServerLoad> {
    Some(load)
}

/// What was seen between two moments.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    pub(crate) tokens: u64,
    pub(crate) calls: u64,
    pub(crate) latencies_ns: Vec<u64>,
    pub(crate) limits: Vec<u32>,
    pub(crate) seconds: f64,
}

impl Seen {
    pub(crate) fn token_rate(&self) -> f64 {
        self.tokens as f64 / self.seconds
    }

    pub(crate) fn p50_s(&self) -> f64 {
        let mut sorted = self.latencies_ns.clone();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).map_or(0.0, |ns| *ns as f64 / 1e9)
    }

    pub(crate) fn mean_limit(&self) -> f64 {
        self.limits.iter().map(|l| f64::from(*l)).sum::<f64>() / self.limits.len().max(1) as f64
    }
}

struct Call {
    sent_ns: u64,
    input: u32,
    in_flight: u32,
}

/// Clients, limit and server in virtual time.
pub(crate) struct Loop {
    pub(crate) engine: Engine,
    pub(crate) control: Control,
    pub(crate) workload: Workload,
    pub(crate) polls: Polls,
    /// Most calls that clients want at once.
    pub(crate) demand: u32,
    pub(crate) tick_ns: u64,
    pub(crate) poll_ns: u64,
    pub(crate) now: u64,
    next_id: u64,
    open: HashMap<u64, Call>,
    next_tick: u64,
    next_poll: u64,
}

impl Loop {
    pub(crate) fn new(
        profile: &Profile,
        workload: Workload,
        control: Control,
        polls: Polls,
    ) -> Self {
        Loop {
            engine: Engine::new(profile),
            control,
            workload,
            polls,
            demand: 100_000,
            tick_ns: SECOND / 5,
            poll_ns: SECOND,
            now: 0,
            next_id: 0,
            open: HashMap::new(),
            next_tick: 0,
            next_poll: 0,
        }
    }

    pub(crate) fn limit(&self) -> u32 {
        match &self.control {
            Control::Fixed(limit) => *limit,
            Control::Auto(limiter) => limiter.limit(),
        }
    }

    /// Another server takes over; what ran is asked for again.
    pub(crate) fn replace_server(&mut self, profile: &Profile) {
        self.engine = Engine::new(profile);
        let mut ids: Vec<u64> = self.open.keys().copied().collect();
        ids.sort_unstable();
        for id in ids {
            self.submit(id);
        }
    }

    fn submit(&mut self, id: u64) {
        let request = Request {
            id,
            prompt_tokens: self.workload.input,
            max_tokens: self.workload.length(id),
            target_tokens: u32::MAX,
            ..Request::default()
        };
        self.engine.submit(request, self.now).expect("it fits");
    }

    fn fill(&mut self) {
        while (self.open.len() as u32) < self.limit().min(self.demand) {
            self.next_id += 1;
            let in_flight = self.open.len() as u32 + 1;
            let call = Call { sent_ns: self.now, input: self.workload.input, in_flight };
            self.open.insert(self.next_id, call);
            self.submit(self.next_id);
        }
    }

    fn steer(&mut self) {
        let in_flight = self.open.len() as u32;
        let waiting = self.demand.saturating_sub(in_flight);
        let Control::Auto(limiter) = &mut self.control else { return };
        if self.now >= self.next_poll {
            self.next_poll = self.now + self.poll_ns;
            let stats = self.engine.stats();
            let load = ServerLoad {
                running: stats.running as f64,
                waiting: stats.waiting as f64,
                kv_usage: Some(stats.kv_usage),
                preemptions: Some(stats.preemptions),
                max_running: None,
            };
            if let Some(load) = (self.polls)(self.now, load) {
                limiter.server(load, self.now);
            }
        }
        if self.now >= self.next_tick {
            self.next_tick = self.now + self.tick_ns;
            limiter.tick(in_flight, waiting, self.now);
        }
    }

    pub(crate) fn limiter(&self) -> &AutoLimiter {
        match &self.control {
            Control::Auto(limiter) => limiter,
            Control::Fixed(_) => panic!("the limit is fixed"),
        }
    }

    /// Run for `seconds`; what was seen in them.
    pub(crate) fn run(&mut self, seconds: f64) -> Seen {
        let (start, end) = (self.now, self.now + (seconds * 1e9) as u64);
        let mut seen = Seen::default();
        while self.now < end {
            self.steer();
            self.fill();
            let Some(step) = self.engine.step(self.now) else {
                self.now += self.tick_ns;
                continue;
            };
            self.now = step.ends_at_ns;
            seen.tokens += step.emitted.len() as u64;
            seen.limits.push(self.limit());
            for token in step.emitted.iter().filter(|token| token.finish.is_some()) {
                let Some(call) = self.open.remove(&token.id) else { continue };
                let latency_ns = self.now - call.sent_ns;
                seen.calls += 1;
                seen.latencies_ns.push(latency_ns);
                if let Control::Auto(limiter) = &mut self.control {
                    let sample = Sample {
                        latency_ns,
                        input_tokens: u64::from(call.input),
                        output_tokens: u64::from(token.produced),
                        in_flight: call.in_flight,
                    };
                    limiter.completed(sample, self.now);
                }
            }
        }
        seen.seconds = (self.now - start) as f64 / 1e9;
        seen
    }
}
