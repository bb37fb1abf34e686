//! What holds a predicted run up: the resource of which more would let more records through.
//!
//! How much of a resource is in use does not tell. A slot is taken while its task waits for a permit,
//! a permit while its call waits for a server, and a server that computes all the time may well
//! compute for twice as many calls at once. So the twin is asked: the run is simulated again with
//! twice as much of each, and the bottleneck is what raises the throughput. Where several would, the
//! one that raises it most is named, and of equals the one that the others wait for.

use sage_core::event::Event;
use sage_core::metrics::{Recorder, RecorderConfig};
use sage_dsl::experiment::Arrivals;
use sage_twin::Model;
use sage_twin::model::{Host, Node};

use super::{Course, Worked};

/// What there is only so much of, those that others wait for first. Numbers are positions in the
/// model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Servers(usize),
    Limit(usize),
    Requests(usize),
    Tokens(usize),
    /// Of the one host on which all nodes are.
    Cores,
    Workers,
    /// What the first worker does for all: reading, what stands before the scheduler, scheduling.
    First,
    Gateway,
    Slots(usize),
}

/// One of them in a run.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Resource {
    pub(super) what: What,
    pub(super) name: String,
    /// Share that is in use, on average over the run.
    pub(super) used: f64,
    /// What twice as much of it changes; `None` when too little of it is in use for that to matter.
    pub(super) gain: Option<Gain>,
    /// What more of it would be.
    pub(super) remedy: &'static str,
}

/// A change in what gets done, as a part of what got done before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Gain {
    /// In the records a second that succeed.
    Throughput(f64),
    /// Fewer records succeed in all, however fast.
    Losses(f64),
}

impl Gain {
    pub(super) fn part(self) -> f64 {
        match self {
            Gain::Throughput(part) | Gain::Losses(part) => part,
        }
    }
}

/// All of them, and those that hold the run up.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Finding {
    pub(super) resources: Vec<Resource>,
    /// Positions of the resources: none, one, or two that only help together.
    pub(super) named: Vec<usize>,
    /// Whether records come at times of their own.
    pub(super) paced: bool,
}

/// Twice as much of a bottleneck raises the throughput by more than this.
const MATTERS: f64 = 0.1;
/// A resource that is used less than this holds nobody up.
const IDLE: f64 = 0.2;
/// Two resources hold a run up together only if each is used at least this much.
const SCARCE: f64 = 0.7;
/// Gains this near to the largest one count as equal to it.
const NEAR: f64 = 0.9;

/// What a run uses, those that others wait for first.
fn resources(worked: &Worked, course: &Course) -> Vec<Resource> {
    let (model, outcome) = (&worked.model, &course.outcome);
    let end_ns = outcome.end_ns.max(1) as f64;
    let share = |ns: u64| ns as f64 / end_ns;
    let mut all = Vec::new();
    let mut add = |what, name, used, remedy| {
        all.push(Resource { what, name, used, gain: None, remedy });
    };
    for (at, (endpoint, stats)) in model.endpoints.iter().zip(&outcome.endpoints).enumerate() {
        let (name, servers) = (&endpoint.name, endpoint.servers.len());
        let used = share(stats.busy_ns) / servers.max(1) as f64;
        add(
            What::Servers(at),
            format!("servers of `{name}` ({servers})"),
            used,
            "more or faster servers",
        );
        let used = share(stats.held_ns) / stats.mean_limit.max(1.0);
        let (limit, remedy) = match endpoint.concurrency {
            Some(limit) => (format!("{limit} calls"), "a higher `concurrency`"),
            None => (format!("auto, {:.0} calls", stats.mean_limit), "a higher `auto(max: ...)`"),
        };
        add(What::Limit(at), format!("limit of `{name}` ({limit})"), used, remedy);
        let rates = [
            (What::Requests(at), "requests", endpoint.requests_per_s, stats.attempts),
            (
                What::Tokens(at),
                "tokens",
                endpoint.tokens_per_s,
                stats.prompt_tokens + stats.completion_tokens,
            ),
        ];
        for (what, unit, rate, count) in rates {
            let Some(rate) = rate else { continue };
            let used = count as f64 / (rate * end_ns / 1e9);
            let name = format!("{unit} a second of `{name}` ({rate})");
            add(what, name, used, "a higher rate limit");
        }
    }
    let nodes: u64 = outcome.nodes.iter().map(|node| node.cpu_busy_ns).sum();
    if let ([host], false) = (model.hosts.as_slice(), model.nodes.len() == 1) {
        let used = share(nodes + outcome.gateway_busy_ns) / host.cores;
        add(What::Cores, format!("cores of the host ({})", host.cores), used, "more cores");
    }
    let threads = model.nodes.len().max(1) as f64;
    let used = share(nodes) / threads;
    let name = format!("processors of the workers ({threads})");
    let together = model.hosts.len() < model.nodes.len();
    let remedy =
        if together { "more workers" } else { "more workers, each with a core of its own" };
    add(What::Workers, name, used, remedy);
    add(
        What::First,
        "the first worker's part for all: reading and scheduling".into(),
        share(outcome.coordinator_busy_ns),
        "less to do before the scheduler, or more records in a task",
    );
    let used = share(outcome.gateway_busy_ns);
    add(What::Gateway, "thread of the gateway".into(), used, "larger batches");
    for (at, (job, own)) in model.jobs.iter().zip(&course.jobs).enumerate() {
        let several = model.jobs.len() > 1;
        let of = if several { format!(" of `{}`", job.name) } else { String::new() };
        let name = format!("slots{of} ({})", job.nodes as u64 * u64::from(job.slots));
        let used = own.summary.utilization.unwrap_or(0.0);
        add(What::Slots(at), name, used, "more slots");
    }
    all
}

/// Let there be twice as much of it.
fn double(model: &mut Model, what: What) {
    match what {
        What::Servers(at) => {
            let servers = &mut model.endpoints[at].servers;
            servers.extend(servers.clone());
        }
        What::Limit(at) => {
            let endpoint = &mut model.endpoints[at];
            endpoint.concurrency = endpoint.concurrency.map(|limit| limit.saturating_mul(2));
            endpoint.concurrency_max = endpoint.concurrency_max.saturating_mul(2);
        }
        What::Requests(at) => {
            let rate = &mut model.endpoints[at].requests_per_s;
            *rate = rate.map(|rate| rate * 2.0);
        }
        What::Tokens(at) => {
            let rate = &mut model.endpoints[at].tokens_per_s;
            *rate = rate.map(|rate| rate * 2.0);
        }
        What::Cores => model.hosts.iter_mut().for_each(|host| host.cores *= 2.0),
        What::Workers => more_workers(model),
        What::First => {
            if let Some(first) = model.nodes.first_mut() {
                first.speed *= 2.0;
            }
        }
        What::Gateway => model.overheads.gateway_ns /= 2,
        What::Slots(at) => {
            let slots = &mut model.jobs[at].slots;
            *slots = slots.saturating_mul(2);
        }
    }
}

/// Twice the workers, with as many slots in all as before, and a machine for each that had one.
fn more_workers(model: &mut Model) {
    let together = model.hosts.len() == 1 && model.nodes.len() > 1;
    for node in model.nodes.clone() {
        let host = if together {
            node.host
        } else {
            model.hosts.push(Host { cores: 1.0 });
            model.hosts.len() - 1
        };
        model.nodes.push(Node { host, ..node });
    }
    for job in &mut model.jobs {
        job.nodes *= 2;
        job.slots = job.slots.div_ceil(2);
    }
}

/// Records that succeed, and how many a second; `None` when the twin cannot simulate it.
fn done(model: &Model) -> Option<(f64, f64)> {
    let nodes = model.nodes.len();
    let mut recorder = Recorder::new(RecorderConfig::new(nodes, 1, Vec::new()));
    let mut observe = |event: &Event| drop(recorder.observe(event));
    sage_twin::simulate(model, &mut observe).ok()?;
    let summary = recorder.finish();
    Some((summary.counts.tasks_ok as f64, summary.throughput_per_s?))
}

/// What changes with twice as much of each of these sets.
fn gains(model: &Model, sets: &[Vec<What>]) -> Vec<Option<Gain>> {
    let base = done(model);
    let gain = |set: &Vec<What>| {
        let mut model = model.clone();
        set.iter().for_each(|what| double(&mut model, *what));
        let ((ok, per_s), (ok_before, per_s_before)) = (done(&model)?, base?);
        let gain = if ok < ok_before {
            // What dies sooner makes room sooner; that is no gain.
            Gain::Losses(ok / ok_before - 1.0)
        } else {
            Gain::Throughput(per_s / per_s_before - 1.0)
        };
        Some(gain).filter(|gain| !gain.part().is_nan())
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut all = Vec::new();
    for some in sets.chunks(cores) {
        std::thread::scope(|scope| {
            let running: Vec<_> = some.iter().map(|set| scope.spawn(move || gain(set))).collect();
            all.extend(running.into_iter().map(|one| one.join().ok().flatten()));
        });
    }
    all
}

/// Ask the twin what holds the run up.
pub(super) fn find(worked: &Worked, course: &Course) -> Finding {
    let mut resources = resources(worked, course);
    let busy: Vec<usize> = (0..resources.len()).filter(|at| resources[*at].used >= IDLE).collect();
    let alone: Vec<Vec<What>> = busy.iter().map(|at| vec![resources[*at].what]).collect();
    for (at, gain) in busy.iter().zip(gains(&worked.model, &alone)) {
        resources[*at].gain = gain;
    }
    let gained = |at: &usize| resources[*at].gain.map(Gain::part).filter(|gain| *gain > MATTERS);
    let most = busy.iter().filter_map(gained).fold(0.0, f64::max);
    let first = busy.iter().find(|at| gained(at).is_some_and(|gain| gain >= NEAR * most));
    let named = if let Some(at) = first {
        vec![*at]
    } else {
        let scarce = busy.into_iter().filter(|at| resources[*at].used >= SCARCE);
        pair(&worked.model, &resources, &scarce.collect::<Vec<_>>())
    };
    let paced = worked.model.jobs.iter().any(|job| job.arrivals != Arrivals::Batch);
    Finding { resources, named, paced }
}

/// Two resources of which more helps only together, such as slots and permits of equal number.
fn pair(model: &Model, resources: &[Resource], busy: &[usize]) -> Vec<usize> {
    let mut pairs = Vec::new();
    for (number, first) in busy.iter().enumerate() {
        pairs.extend(busy[number + 1..].iter().map(|second| vec![*first, *second]));
    }
    let sets: Vec<Vec<What>> =
        pairs.iter().map(|pair| pair.iter().map(|at| resources[*at].what).collect()).collect();
    let found = gains(model, &sets);
    let found: Vec<Option<f64>> = found.into_iter().map(|gain| gain.map(Gain::part)).collect();
    let most = found.iter().flatten().copied().fold(0.0, f64::max);
    let matters = |gain: &Option<f64>| gain.is_some_and(|gain| gain >= NEAR * most);
    match found.iter().position(matters).filter(|_| most > MATTERS) {
        Some(at) => pairs.swap_remove(at),
        None => Vec::new(),
    }
}
