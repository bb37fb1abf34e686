//! `Recorder`: takes in events, gives out rows, live counts and the summary.

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::done::Done;
use super::histogram::Histogram;
use super::open::Open;
use super::price::{Price, Spent};
use super::row::TaskRow;
use super::warmup::{Held, Sample, Warmup};
use crate::event::{Event, Kind};

/// What a recorder must know before the first event.
#[derive(Debug, Clone, PartialEq)]
pub struct RecorderConfig {
    /// Nodes of the run; each is in the summary, with or without tasks.
    pub nodes: usize,
    /// Slots of all nodes together.
    pub capacity: u64,
    /// Names of the plan's stages, by position.
    pub stages: Vec<String>,
    /// What is left out of the latency figures.
    pub warmup: Warmup,
    /// A record that succeeds within this time of its arrival is part of the goodput, nanoseconds.
    pub deadline_ns: Option<u64>,
    /// Prices of the tokens of the stages' calls, by position; a stage without one has no cost.
    pub prices: Vec<Option<Price>>,
}

impl RecorderConfig {
    /// `slots` for each node, the usual warm-up, no deadline, no prices.
    pub fn new(nodes: usize, slots: u32, stages: Vec<String>) -> Self {
        RecorderConfig {
            nodes,
            capacity: nodes as u64 * u64::from(slots),
            stages,
            warmup: Warmup::default(),
            deadline_ns: None,
            prices: Vec::new(),
        }
    }
}

/// Records by outcome. `tasks_in` is the sum of the other four, at every moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Came in.
    pub tasks_in: u64,
    /// Succeeded.
    pub tasks_ok: u64,
    /// Failed for good.
    pub tasks_dead: u64,
    /// Not done because their time was up.
    pub tasks_late: u64,
    /// Without an outcome yet.
    pub tasks_pending: u64,
}

/// A node at this moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NodeLoad {
    /// Records that succeeded there.
    pub tasks: u64,
    /// Tasks it holds.
    pub in_flight: u64,
    /// Execution time of the tasks that ended there, nanoseconds.
    pub busy_ns: u64,
}

/// Calls of one stage.
#[derive(Debug, Default)]
pub(super) struct StageTotal {
    pub(super) times: Histogram,
    pub(super) first_token: Histogram,
    pub(super) spent: Spent,
    pub(super) cached: u64,
    pub(super) failed: u64,
}

/// Everything that is counted as time passes.
#[derive(Debug, Default)]
pub(super) struct Totals {
    pub(super) counts: Counts,
    pub(super) in_time: u64,
    pub(super) first_arrival_ns: Option<u64>,
    pub(super) last_ok_ns: Option<u64>,
    pub(super) last_end_ns: Option<u64>,
    /// Latency, scheduling, queueing, execution.
    pub(super) parts: [Histogram; 4],
    pub(super) splits_missing: u64,
    pub(super) decision: Histogram,
    pub(super) dispatch: Histogram,
    pub(super) retries: u64,
    pub(super) nodes: Vec<NodeLoad>,
    pub(super) stages: Vec<StageTotal>,
}

/// Turns the events of a run, or of some of its tasks, into numbers.
#[derive(Debug)]
pub struct Recorder {
    pub(super) config: RecorderConfig,
    pub(super) totals: Totals,
    pub(super) held: Held,
    open: FxHashMap<(u16, u64), Open>,
    done: FxHashMap<u16, Done>,
}

impl Recorder {
    /// A recorder that has seen nothing.
    pub fn new(config: RecorderConfig) -> Self {
        let totals = Totals {
            nodes: vec![NodeLoad::default(); config.nodes],
            stages: config.stages.iter().map(|_| StageTotal::default()).collect(),
            ..Totals::default()
        };
        Recorder {
            config,
            totals,
            held: Held::default(),
            open: FxHashMap::default(),
            done: FxHashMap::default(),
        }
    }

    /// Takes in one event; gives out the row of a task that ended with it. The events of one task
    /// may come in any order. Those of a task that has ended, and kinds that are not known, count
    /// for nothing.
    pub fn observe(&mut self, event: &Event) -> Option<TaskRow> {
        let kind = event.kind()?;
        if kind == Kind::Unreadable {
            self.totals.counts.tasks_in += u64::from(event.records);
            self.totals.counts.tasks_dead += u64::from(event.records);
            return None;
        }
        let key = (event.job, event.task);
        if self.done.get(&event.job).is_some_and(|done| done.contains(event.task)) {
            return None;
        }
        let stages = self.config.stages.len();
        let open = self.open.entry(key).or_insert_with(|| Open::new(stages));
        match kind {
            Kind::Arrived if open.arrived.is_none() => self.totals.arrived(event),
            Kind::Decided => {
                if event.detail == 0 {
                    self.totals.decision.record(event.value, 1);
                }
                if open.decided_ns.is_some() {
                    self.totals.leave(open.node);
                }
                if let Some(node) = self.totals.nodes.get_mut(event.node as usize) {
                    node.in_flight += 1;
                }
            }
            Kind::StageDone => {
                let (prompt, completion) = event.tokens();
                if let Some(stage) = self.totals.stages.get_mut(usize::from(event.stage)) {
                    stage.times.record(event.value, 1);
                    let price = self.config.prices.get(usize::from(event.stage));
                    let price = price.copied().flatten();
                    stage.spent.add(prompt.into(), completion.into(), price);
                    open.spent.add(prompt.into(), completion.into(), price);
                }
            }
            Kind::FirstToken | Kind::Cached | Kind::Failed => {
                if let Some(stage) = self.totals.stages.get_mut(usize::from(event.stage)) {
                    match kind {
                        Kind::FirstToken => stage.first_token.record(event.value, 1),
                        Kind::Cached => stage.cached = stage.cached.saturating_add(event.value),
                        _ => stage.failed += 1,
                    }
                }
            }
            Kind::Retried => {
                self.totals.retries = self.totals.retries.saturating_add(event.value.max(1));
            }
            _ => {}
        }
        open.apply(kind, event);
        let (row, ok) = open.finish(event.task, event.job)?;
        if open.decided_ns.is_some() {
            self.totals.leave(open.node);
        }
        if let (Some(decided), Some(dispatched)) = (open.decided_ns, open.dispatched_ns) {
            self.totals.dispatch.record(dispatched.saturating_sub(decided), 1);
        }
        let in_slot = !open.bypassed;
        self.open.remove(&key);
        self.done.entry(event.job).or_default().insert(event.task);
        self.ended(&row, ok, in_slot);
        Some(row)
    }

    /// Records by outcome, now.
    pub fn counts(&self) -> Counts {
        self.totals.counts()
    }

    /// Every node, now.
    pub fn nodes(&self) -> &[NodeLoad] {
        &self.totals.nodes
    }

    /// Tasks that have not ended; what the recorder's memory goes by.
    pub fn open_tasks(&self) -> usize {
        self.open.len()
    }

    /// Adds all that another recorder saw. The two must have seen different tasks, of runs of the
    /// same shape.
    pub fn merge(&mut self, other: Recorder) {
        self.totals.merge(&other.totals);
        let first_ns = self.totals.first_arrival_ns.unwrap_or(0);
        for sample in self.held.merge(other.held, first_ns, self.config.warmup) {
            self.totals.sample(&sample);
        }
        self.open.extend(other.open);
        for (job, done) in other.done {
            self.done.entry(job).or_default().merge(done);
        }
    }

    fn ended(&mut self, row: &TaskRow, ok: u64, in_slot: bool) {
        let totals = &mut self.totals;
        totals.last_end_ns = totals.last_end_ns.max(Some(row.finished_ns));
        if row.outcome == super::TaskOutcome::Late {
            totals.counts.tasks_late += u64::from(row.records);
        } else {
            totals.counts.tasks_ok += ok;
            totals.counts.tasks_dead += u64::from(row.records) - ok;
        }
        if let Some(node) = row.node.and_then(|node| totals.nodes.get_mut(node as usize)) {
            node.tasks += ok;
            let began_ns = row.started_ns.filter(|_| in_slot);
            node.busy_ns += began_ns.map_or(0, |started| row.finished_ns - started);
        }
        // An empty morsel has an outcome but nothing to weigh.
        if ok == 0 {
            return;
        }
        totals.last_ok_ns = totals.last_ok_ns.max(Some(row.finished_ns));
        if self.config.deadline_ns.is_none_or(|deadline| row.latency_ns() <= deadline) {
            totals.in_time += ok;
        }
        let sample = Sample {
            arrived_ns: row.arrived_ns,
            task: row.task,
            records: ok,
            latency_ns: row.latency_ns(),
            split_ns: row.split_ns(),
        };
        let first_ns = totals.first_arrival_ns.unwrap_or(0);
        if let Some(sample) = self.held.push(sample, first_ns, self.config.warmup) {
            totals.sample(&sample);
        }
    }
}

impl Totals {
    pub(super) fn counts(&self) -> Counts {
        let Counts { tasks_in, tasks_ok, tasks_dead, tasks_late, .. } = self.counts;
        // Outcomes are counted only for tasks whose arrival was, so this never goes below zero.
        Counts { tasks_pending: tasks_in - tasks_ok - tasks_dead - tasks_late, ..self.counts }
    }

    pub(super) fn sample(&mut self, sample: &Sample) {
        let [latency, split @ ..] = &mut self.parts;
        latency.record(sample.latency_ns, sample.records);
        match sample.split_ns {
            Some(parts) => {
                for (histogram, ns) in split.iter_mut().zip(parts) {
                    histogram.record(ns, sample.records);
                }
            }
            None => self.splits_missing += sample.records,
        }
    }

    fn arrived(&mut self, event: &Event) {
        self.counts.tasks_in += u64::from(event.records);
        let first = self.first_arrival_ns.unwrap_or(u64::MAX);
        self.first_arrival_ns = Some(first.min(event.at_ns));
    }

    fn leave(&mut self, node: Option<u32>) {
        if let Some(node) = node.and_then(|node| self.nodes.get_mut(node as usize)) {
            node.in_flight = node.in_flight.saturating_sub(1);
        }
    }

    fn merge(&mut self, other: &Totals) {
        self.counts.tasks_in += other.counts.tasks_in;
        self.counts.tasks_ok += other.counts.tasks_ok;
        self.counts.tasks_dead += other.counts.tasks_dead;
        self.counts.tasks_late += other.counts.tasks_late;
        self.in_time += other.in_time;
        self.first_arrival_ns =
            self.first_arrival_ns.into_iter().chain(other.first_arrival_ns).min();
        self.last_ok_ns = self.last_ok_ns.max(other.last_ok_ns);
        self.last_end_ns = self.last_end_ns.max(other.last_end_ns);
        self.parts.iter_mut().zip(&other.parts).for_each(|(mine, theirs)| mine.merge(theirs));
        self.splits_missing += other.splits_missing;
        self.decision.merge(&other.decision);
        self.dispatch.merge(&other.dispatch);
        self.retries += other.retries;
        for (mine, theirs) in self.nodes.iter_mut().zip(&other.nodes) {
            mine.tasks += theirs.tasks;
            mine.in_flight += theirs.in_flight;
            mine.busy_ns += theirs.busy_ns;
        }
        for (mine, theirs) in self.stages.iter_mut().zip(&other.stages) {
            mine.times.merge(&theirs.times);
            mine.first_token.merge(&theirs.first_token);
            mine.spent.merge(theirs.spent);
            mine.cached = mine.cached.saturating_add(theirs.cached);
            mine.failed += theirs.failed;
        }
    }
}
