//! Models for tests, and what their events say.
#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::BTreeMap;
use std::sync::Arc;

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use sage_core::endpoint::Lane;
use sage_core::event::{Event, Kind};
use sage_core::vllm::{embedder, profile};
use sage_dsl::experiment::Arrivals;
use sage_dsl::plan::RetryPlan;
use sage_twin::model::{
    Ask, Demand, EndpointModel, Host, Job, Member, Model, Node, Overheads, Segment, ServerKind,
    ServerModel, Work,
};
use sage_twin::{Outcome, simulate};

pub(crate) const US: u64 = 1_000;
pub(crate) const MS: u64 = 1_000_000;
pub(crate) const S: u64 = 1_000_000_000;

/// A job of one stage that waits, on one node with one slot; one record for each demand, all at once.
pub(crate) fn job(demands: Vec<Demand>) -> Job {
    let stages = demands.iter().map(|demand| demand.work.len()).max().unwrap_or(0);
    Job {
        name: "job".into(),
        start_ns: 0,
        arrivals: Arrivals::Batch,
        trace: Arc::default(),
        records: demands.len() as u64,
        morsel: 1,
        nodes: 1,
        slots: 1,
        policy: "fifo".into(),
        policy_args: Vec::new(),
        queue: 1_000,
        deadline_ns: None,
        stages: (0..stages).map(|stage| format!("stage{stage}")).collect(),
        before: Vec::new(),
        behind: vec![timer(0)],
        demands: demands.into(),
        share: 1.0,
    }
}

/// `nodes` nodes of speed 1, each with a host of many cores, no overheads.
pub(crate) fn model(nodes: usize, jobs: Vec<Job>) -> Model {
    Model {
        nodes: (0..nodes).map(|host| Node { host, speed: 1.0 }).collect(),
        hosts: vec![Host { cores: 64.0 }; nodes],
        endpoints: Vec::new(),
        jobs,
        overheads: Overheads::NONE,
        failures: Vec::new(),
        seed: 7,
    }
}

pub(crate) fn timer(stage: u16) -> Segment {
    Segment::Ask { members: vec![Member { stage, ask: Ask::Timer }] }
}

pub(crate) fn local(stages: &[u16]) -> Segment {
    Segment::Local { stages: stages.to_vec() }
}

pub(crate) fn call(stage: u16, endpoint: usize, batch: usize, linger_ns: u64) -> Segment {
    let ask = Ask::Call {
        endpoint,
        batch,
        batch_tokens: None,
        linger_ns,
        timeout_ns: 600 * S,
        lane: Lane::Normal,
    };
    Segment::Ask { members: vec![Member { stage, ask }] }
}

pub(crate) fn endpoint(kind: ServerKind, concurrency: u32) -> EndpointModel {
    EndpointModel {
        name: "e".into(),
        servers: vec![ServerModel { kind, speed: 1.0 }],
        affinity: false,
        concurrency: Some(concurrency),
        concurrency_max: concurrency,
        latency_target_ns: None,
        queue: 100_000,
        aging_ns: 10 * S,
        fair: true,
        retry: RetryPlan::default(),
        hedge: None,
        requests_per_s: None,
        tokens_per_s: None,
        error_share: 0.0,
    }
}

/// A model server with an embedding model.
pub(crate) fn vllm() -> ServerKind {
    ServerKind::Vllm {
        generator: Box::new(profile("a100/qwen2.5-7b").unwrap().clone()),
        embedder: *embedder("BAAI/bge-small-en-v1.5").unwrap(),
    }
}

/// One demand for each amount of work, for one stage.
pub(crate) fn demands(work: impl IntoIterator<Item = Work>) -> Vec<Demand> {
    work.into_iter().map(|work| Demand { work: vec![work], ..Demand::default() }).collect()
}

/// Exponential times with this mean.
pub(crate) fn exponential(mean_ns: f64, number: usize, seed: u64) -> Vec<u64> {
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    (0..number).map(|_| (-(1.0 - rng.random::<f64>()).ln() * mean_ns) as u64).collect()
}

/// Run a model that can be run.
pub(crate) fn run(model: &Model) -> (Vec<Event>, Outcome) {
    let mut events = Vec::new();
    let outcome = simulate(model, &mut |event| events.push(*event)).unwrap();
    (events, outcome)
}

/// When a task went through which state, and where.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Life {
    pub(crate) arrived: Option<u64>,
    pub(crate) decided: Option<u64>,
    pub(crate) dispatched: Option<u64>,
    pub(crate) started: Option<u64>,
    pub(crate) ended: Option<u64>,
    pub(crate) node: u32,
    pub(crate) records: u32,
    pub(crate) ok: u64,
    pub(crate) late: bool,
    /// Whether no policy was asked.
    pub(crate) bypassed: bool,
    /// Outcomes; more than one only if a node was lost.
    pub(crate) ends: u32,
    /// Decisions.
    pub(crate) lives: u32,
}

impl Life {
    pub(crate) fn wait(&self) -> u64 {
        self.started.unwrap() - self.arrived.unwrap()
    }

    pub(crate) fn latency(&self) -> u64 {
        self.ended.unwrap() - self.arrived.unwrap()
    }
}

/// The lives of all tasks, by job and number. A task that was decided on again begins anew, unless it
/// has ended.
pub(crate) fn lives(events: &[Event]) -> BTreeMap<(u16, u64), Life> {
    let mut lives: BTreeMap<(u16, u64), Life> = BTreeMap::new();
    for event in events {
        let life = lives.entry((event.job, event.task)).or_default();
        let ended = life.ended.is_some();
        match event.kind().unwrap() {
            Kind::Arrived => {
                assert_eq!(life.arrived.replace(event.at_ns), None, "{event:?}");
                life.records = event.records;
            }
            Kind::Decided => {
                life.lives += 1;
                if !ended {
                    (life.decided, life.dispatched, life.started) = (Some(event.at_ns), None, None);
                    (life.node, life.bypassed) = (event.node, event.detail == 1);
                }
            }
            Kind::Dispatched if !ended => {
                assert_eq!(life.dispatched.replace(event.at_ns), None, "{event:?}");
                assert_eq!(life.node, event.node);
            }
            Kind::Started if !ended => {
                assert_eq!(life.started.replace(event.at_ns), None, "{event:?}");
            }
            Kind::Completed | Kind::Shed => {
                life.ends += 1;
                if !ended {
                    life.ended = Some(event.at_ns);
                    life.ok = event.value;
                    life.late = event.kind() == Some(Kind::Shed);
                }
            }
            _ => {}
        }
    }
    lives
}

/// A hash of all bytes of all events, in order (FNV-1a).
pub(crate) fn digest(events: &[Event]) -> u64 {
    events.iter().flat_map(bytes).fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn bytes(event: &Event) -> Vec<u8> {
    let Event { task, at_ns, value, extra, node, records, job, stage, kind, detail } = event;
    let mut bytes = Vec::with_capacity(48);
    [task, at_ns, value, extra].iter().for_each(|word| bytes.extend(word.to_le_bytes()));
    [node, records].iter().for_each(|word| bytes.extend(word.to_le_bytes()));
    [job, stage, kind, detail].iter().for_each(|word| bytes.extend(word.to_le_bytes()));
    bytes
}
