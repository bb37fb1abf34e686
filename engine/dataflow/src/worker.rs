//! One worker process: build the dataflow, step it until it is done, report.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use sage_core::endpoint::Endpoint;
use sage_core::expr::Templates;
use sage_core::index::Index;
use sage_core::metrics::{Counts, Price, RecorderConfig, Summary};
use sage_core::service::Service;
use sage_dsl::plan::{Plan, StagePlan};
use serde::{Deserialize, Serialize};
use timely::WorkerConfig;
use timely::communication::Hooks;
use timely::communication::allocator::zero_copy::initialize::initialize_networking_from_sockets;
use timely::communication::allocator::{AllocatorBuilder, ProcessBuilder};
use timely::worker::Worker;

use crate::arrivals::Schedule;
use crate::clock::{Clock, RunClock};
use crate::commit::{self, Commit, Outcomes};
use crate::context::{Context, Intake};
use crate::error::DataflowError;
use crate::figures::Figures;
use crate::operators::{Measurements, Slots};
use crate::outlets::{Outlets, Writer};
use crate::outside::Outside;
use crate::rehearse::{self, World};
use crate::relation;
use crate::render::{Parts, Position, render};
use crate::served::is_served;
use crate::socket::Socket;
use crate::timeline::Timeline;

/// Settings of a run, the same on every worker.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunSettings {
    /// The run's output folder.
    pub out: PathBuf,
    /// Which set of workers of this run this is, from 1. Those before it are gone, and what they
    /// committed was recovered (see [`crate::commit`]).
    pub generation: u32,
    /// When the run began, on the host's monotonic clock ([`RunClock::host_ns`]).
    pub origin_ns: u64,
    /// Seed of everything that draws.
    pub seed: u64,
    /// Timely threads per process.
    pub threads: usize,
    /// Exactly so many records.
    pub tasks: Option<u64>,
    /// At most so many records.
    pub limit: Option<u64>,
    /// How records arrive; as fast as they are taken otherwise.
    pub arrivals: Option<Schedule>,
    /// What is special about each node, in order; nothing about those that are not in it.
    pub nodes: Vec<NodeSettings>,
}

/// What is special about a node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeSettings {
    /// Tasks it executes at once; the plan's number otherwise.
    pub slots: Option<u32>,
    /// Free-form properties, which policies may look at.
    pub labels: Vec<String>,
}

impl RunSettings {
    /// Tasks that node `node` executes at once, in a run of this plan.
    pub fn slots_of(&self, node: usize, plan: &Plan) -> u32 {
        self.nodes.get(node).and_then(|node| node.slots).unwrap_or(plan.schedule.slots).max(1)
    }
}

/// When the records of a run that is held begin to arrive; said once, by the supervisor.
#[derive(Debug, Default)]
pub struct Begin(AtomicU64);

impl Begin {
    /// At `host_ns` of the host's monotonic clock ([`RunClock::host_ns`]).
    pub fn at(&self, host_ns: u64) {
        self.0.store(host_ns.max(1), Ordering::Release);
    }

    pub(crate) fn said(&self) -> Option<u64> {
        Some(self.0.load(Ordering::Acquire)).filter(|at| *at > 0)
    }
}

/// What a worker process is given.
pub struct WorkerSetup {
    /// What to run.
    pub plan: Plan,
    /// How to run it.
    pub settings: RunSettings,
    /// Number of this process.
    pub index: usize,
    /// A connected socket to each other process, in order; `None` at this one's own number.
    pub sockets: Vec<Option<Socket>>,
    /// Answers the calls of stages.
    pub endpoint: Arc<dyn Endpoint>,
    /// Whose requests are the records, in the first process of a plan that serves.
    pub service: Option<Arc<dyn Service>>,
    /// The plan's indexes, opened.
    pub indexes: Vec<Arc<dyn Index>>,
    /// Holds the source back until it is said when to begin; `None` begins at once.
    pub begin: Option<Arc<Begin>>,
    /// Raised to stop gracefully: queued tasks stay pending, those in flight end.
    pub stop: Arc<AtomicBool>,
    /// Hears of progress and failures.
    pub reporter: Arc<dyn Reporter>,
    /// What else is there.
    pub outside: Outside,
}

/// Hears of a worker while it runs.
pub trait Reporter: Send + Sync {
    /// The dataflow is built and waits for records; said once per dataflow thread.
    fn ready(&self) {}
    /// How far the run is; from the first worker, a few times a second.
    fn progress(&self, progress: Progress);
    /// The run cannot end well; said once per worker.
    fn failure(&self, message: String);
    /// A dataflow thread cannot go on while its peers wait for it, and no word would reach them: who
    /// hears this ends the process.
    fn stranded(&self, message: String) {
        self.failure(message);
    }
}

/// How far a run is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Records by outcome.
    pub counts: Counts,
    /// Tasks in flight on each node.
    pub in_flight: Vec<u64>,
    /// Records done by each node.
    pub tasks: Vec<u64>,
    /// Seconds since the run began.
    pub elapsed_s: f64,
}

/// What a timely worker reports at its end.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct WorkerOutcome {
    /// Rows written to each sink of the plan.
    pub rows: Vec<u64>,
    /// The numbers of the run, from the first worker.
    pub summary: Option<Summary>,
    /// When the first task was in a worker's hands, seconds since the run began; from the first
    /// worker.
    pub first_dispatch_s: Option<f64>,
    /// Records that were queued when the run was asked to stop.
    pub given_back: u64,
    /// Records that `dedup` left out while the source was read.
    #[serde(default)]
    pub left_out: u64,
    /// What went wrong.
    pub failure: Option<String>,
}

/// Between two looks of the first worker at the stop flag, and two reports of progress.
const TICK: Duration = Duration::from_millis(200);

/// Between two looks whether a run that is held may begin.
const HELD: Duration = Duration::from_millis(2);

/// From one round of changes to the next.
const ROUND_NS: u64 = relation::ROUND.as_nanos() as u64;

/// Run this process's part of the dataflow; one outcome per timely thread.
pub fn run(setup: WorkerSetup) -> Result<Vec<WorkerOutcome>, DataflowError> {
    let threads = setup.settings.threads.max(1);
    let hooks = Hooks::default();
    let locals = ProcessBuilder::new_typed_vector(threads, hooks.refill.clone(), None);
    let mut setup = setup;
    let sockets = std::mem::take(&mut setup.sockets);
    let nodes = sockets.len().max(1);
    let (builders, comms) =
        initialize_networking_from_sockets(locals, sockets, setup.index, threads, hooks)
            .map_err(|error| DataflowError::Start(error.to_string()))?;
    let builders = builders.into_iter().map(AllocatorBuilder::Tcp).collect();
    let guards = timely::execute::execute_from(
        builders,
        Box::new(comms),
        // Workers of one host outnumber its cores: spinning before parking takes from the others.
        WorkerConfig::default().idle_spin(Duration::ZERO),
        move |worker| {
            let clock = Clock::Host(RunClock::new(setup.settings.origin_ns));
            one(worker, &setup, nodes, clock, None).inspect_err(|error| {
                setup.reporter.stranded(setup.outside.mask.hide(&error.to_string()).into());
            })
        },
    )
    .map_err(DataflowError::Start)?;
    // Joining panics when a peer is gone: the threads that talk to it died.
    let joined = catch_unwind(AssertUnwindSafe(|| guards.join()));
    let results = joined
        .map_err(|_| DataflowError::Broken("the connection to another worker was lost".into()))?;
    results.into_iter().map(|result| result.map_err(DataflowError::Broken)?).collect()
}

/// Everything one timely worker does; `world` is what its virtual clock goes by, if it has one.
pub(crate) fn one(
    worker: &mut Worker,
    setup: &WorkerSetup,
    nodes: usize,
    clock: Clock,
    world: Option<&dyn World>,
) -> Result<WorkerOutcome, DataflowError> {
    let (peer, settings) = (worker.index(), &setup.settings);
    let position = Position { nodes, peer };
    let plan = Rc::new(setup.plan.clone());
    let templates = Templates::compile(&plan.templates)
        .map_err(|error| DataflowError::Plan(error.to_string()))?;
    let earlier =
        if settings.generation > 1 { commit::earlier(&settings.out)? } else { Commit::default() };
    let writer = Writer { generation: settings.generation, peer, peers: worker.peers() };
    let context = Rc::new(Context {
        templates: Rc::new(templates),
        clock,
        endpoint: Arc::clone(&setup.endpoint),
        service: setup.service.clone().filter(|_| peer == 0),
        served: is_served(&plan),
        web: setup.outside.web.clone(),
        stop: Arc::clone(&setup.stop),
        node: setup.index as u32,
        first: peer == 0,
        log: RefCell::default(),
        failure: RefCell::default(),
        intake: Intake::default(),
        // A node's slots are shared out over its threads, rounded up.
        slots: Slots::new(
            (settings.slots_of(setup.index, &plan) as usize).div_ceil(settings.threads.max(1)),
        ),
        outlets: RefCell::new(Outlets::create(
            &plan,
            &settings.out,
            writer,
            &earlier,
            &setup.outside,
        )?),
        feed: plan.relation().map(|_| Rc::default()),
        plan,
    });
    let first = peer == 0;
    let measurements =
        first.then(|| measurements(&context, settings, nodes, &earlier)).transpose()?;
    let mut begin = setup.begin.clone().filter(|_| first);
    let parts =
        Parts::build(&context, settings, begin.clone(), position, &setup.indexes, &earlier)?;

    worker.dataflow_named("flow", |scope| render(scope, &context, parts, measurements.clone()));
    relation::build(worker, &context)?;
    let mut timeline = first.then(Timeline::new);
    setup.reporter.ready();

    let rounds = relation::in_rounds(&context.plan);
    let often = context.plan.measures.iter().map(|it| Duration::from_nanos(it.every_ns)).min();
    let usual = often.unwrap_or(TICK).min(TICK);
    let mut last_round = 0;
    let mut told = false;
    let mut last_tick = 0;
    while worker.has_dataflows() {
        if let (Clock::Virtual(clock), Some(world)) = (&context.clock, world) {
            rehearse::turn(worker, clock, world)?;
        } else {
            let tick = if begin.is_some() { HELD } else { usual };
            worker.step_or_park((first || rounds).then_some(tick));
        }
        if rounds && context.clock.now_ns().saturating_sub(last_round) >= ROUND_NS {
            last_round = context.clock.now_ns();
            context.feed.iter().for_each(|feed| feed.end_round());
        }
        if begin.take_if(|begin| begin.said().is_some()).is_some() {
            context.intake.rouse_source();
        }
        if let (false, Some(error)) = (told, context.failure.borrow().as_ref()) {
            setup.reporter.failure(setup.outside.mask.hide(&error.to_string()).into());
            context.intake.draining.set(true);
            context.intake.rouse();
            told = true;
        }
        let Some(measurements) = &measurements else { continue };
        let now = context.clock.now_ns();
        if now - last_tick < usual.as_nanos() as u64 {
            continue;
        }
        last_tick = now;
        if setup.stop.load(Ordering::Relaxed) && !context.intake.draining.replace(true) {
            context.intake.rouse();
        }
        let mut measurements = measurements.borrow_mut();
        measurements.take_own(&context);
        if let Some(timeline) = &mut timeline {
            timeline.add(measurements.pending.drain(..), now);
        }
        setup.reporter.progress(progress(&measurements, &earlier, now));
        let figures = measurements.write_figures(now, false);
        if let Err(error) = figures.and_then(|()| measurements.flush()) {
            context.fail(error);
        }
    }

    context.settle();
    // All that this worker did is durable before it says that it is done.
    let closed = context.outlets.borrow_mut().close();
    if let Err(error) = closed {
        context.fail(error);
    }
    let mut outcome = WorkerOutcome {
        rows: context.outlets.borrow().rows(),
        given_back: context.intake.given_back.get(),
        left_out: context.intake.left_out.get(),
        ..WorkerOutcome::default()
    };
    if let Some(measurements) = measurements {
        let mut measurements = measurements.borrow_mut();
        measurements.take_own(&context);
        measurements.write_figures(context.clock.now_ns(), true)?;
        measurements.flush()?;
        let mut summary = measurements.recorder.finish();
        summary.counts = with(summary.counts, &earlier);
        outcome.summary = Some(summary);
        outcome.first_dispatch_s = measurements.first_dispatch_ns.map(|ns| ns as f64 / 1e9);
        if let Some(mut timeline) = timeline {
            timeline.add(measurements.pending.drain(..), context.clock.now_ns());
            timeline.finish(&settings.out, &context.plan)?;
        }
    }
    let failure = context.failure.borrow().as_ref().map(ToString::to_string);
    outcome.failure = failure.map(|failure| setup.outside.mask.hide(&failure).into());
    Ok(outcome)
}

fn measurements(
    context: &Context,
    settings: &RunSettings,
    nodes: usize,
    earlier: &Commit,
) -> Result<Rc<RefCell<Measurements>>, DataflowError> {
    let stages = context.plan.stages().map(|stage| stage.name.clone()).collect();
    let mut config = RecorderConfig::new(nodes, context.plan.schedule.slots, stages);
    config.capacity =
        (0..nodes).map(|node| u64::from(settings.slots_of(node, &context.plan))).sum();
    config.prices = prices(&context.plan);
    config.deadline_ns = context.plan.schedule.deadline_ns.and_then(|ns| u64::try_from(ns).ok());
    let again = (settings.generation > 1).then(|| context.clock.now_ns());
    let figures = Figures::create(&context.plan, &settings.out, nodes, again)?;
    let made = Measurements::create(&settings.out, config, figures, earlier)?;
    Ok(Rc::new(RefCell::new(made)))
}

/// What the tokens of each stage's calls cost.
fn prices(plan: &Plan) -> Vec<Option<Price>> {
    let price = |stage: &StagePlan| {
        let endpoint = plan.endpoints.get(stage.endpoint?)?;
        Price::of(endpoint.price_input_per_mtok, endpoint.price_output_per_mtok)
    };
    plan.stages().map(price).collect()
}

/// The records of this generation and of those before.
fn with(counts: Counts, earlier: &Commit) -> Counts {
    let Outcomes { ok, dead, late, unreadable } = earlier.outcomes;
    Counts {
        tasks_in: counts.tasks_in + earlier.outcomes.total(),
        tasks_ok: counts.tasks_ok + ok,
        tasks_dead: counts.tasks_dead + dead + unreadable,
        tasks_late: counts.tasks_late + late,
        tasks_pending: counts.tasks_pending,
    }
}

fn progress(measurements: &Measurements, earlier: &Commit, now_ns: u64) -> Progress {
    let nodes = measurements.recorder.nodes();
    Progress {
        counts: with(measurements.recorder.counts(), earlier),
        in_flight: nodes.iter().map(|node| node.in_flight).collect(),
        tasks: nodes.iter().map(|node| node.tasks).collect(),
        elapsed_s: now_ns as f64 / 1e9,
    }
}
