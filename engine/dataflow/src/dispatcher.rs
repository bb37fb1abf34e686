//! `Dispatcher`: between the scheduling operator and the pure scheduler. Keeps the rows of queued
//! tasks, chooses a thread within the chosen node, times and records decisions.

use std::collections::VecDeque;
use std::rc::Rc;

use bumpalo::Bump;
use rustc_hash::FxHashMap;
use sage_core::event::{Event, Kind};
use sage_core::schedule::{
    Decision, Estimates, FleetConfig, Outcome, Policy, Scheduler, Task as Queued,
};
use sage_dsl::plan::SchedulePlan;

use crate::commit::Outcomes;
use crate::context::Context;
use crate::cost::CostModel;
use crate::decisions::DecisionLog;
use crate::operators::failed;
use crate::task::{DEADLINE, Dead, Done, Task};
use crate::wants::Wants;
use crate::worker::NodeSettings;

/// What the scheduling operator needs besides the plan.
pub(crate) struct SchedulerSettings {
    pub(crate) nodes: usize,
    /// What is special about each.
    pub(crate) special: Vec<NodeSettings>,
    pub(crate) threads: usize,
    /// Records per task; the queue's bound counts records.
    pub(crate) morsel: usize,
    pub(crate) seed: u64,
    pub(crate) decisions: DecisionLog,
    pub(crate) cost: CostModel,
}

pub(crate) struct Dispatcher {
    scheduler: Scheduler,
    context: Rc<Context>,
    wants: Wants,
    cost: CostModel,
    estimates: Estimates,
    /// Whether what is wanted and expected is the same for all records.
    reads_nothing: bool,
    rows: FxHashMap<u64, Task>,
    /// Tasks that need no place in a window: all their records were dropped before, or refused.
    bypass: VecDeque<Task>,
    /// Tasks on each thread of each node.
    threads: Vec<Vec<u32>>,
    thread_of: FxHashMap<u64, usize>,
    decisions: DecisionLog,
    arena: Bump,
}

impl Dispatcher {
    pub(crate) fn new(
        context: Rc<Context>,
        plan: &SchedulePlan,
        policy: Box<dyn Policy>,
        wants: Wants,
        settings: SchedulerSettings,
    ) -> Self {
        let fleet = FleetConfig::new(settings.nodes, plan.slots);
        let deadline_ns = plan.deadline_ns.and_then(|ns| u64::try_from(ns).ok());
        let queue = (plan.queue as usize).div_ceil(settings.morsel.max(1)).max(settings.nodes);
        let mut scheduler = Scheduler::new(policy, &fleet, settings.seed, queue, deadline_ns);
        for (node, special) in settings.special.into_iter().enumerate().take(settings.nodes) {
            if let Some(slots) = special.slots {
                scheduler.set_slots(node, slots);
            }
            scheduler.set_labels(node, special.labels);
        }
        Dispatcher {
            scheduler,
            context,
            reads_nothing: wants.reads_nothing() && settings.cost.reads_nothing(),
            wants,
            cost: settings.cost,
            estimates: Estimates::default(),
            rows: FxHashMap::default(),
            bypass: VecDeque::new(),
            threads: vec![vec![0; settings.threads]; settings.nodes],
            thread_of: FxHashMap::default(),
            decisions: settings.decisions,
            arena: Bump::new(),
        }
    }

    /// A task enters the queue.
    pub(crate) fn arrived(&mut self, task: Task) {
        if task.rows.is_empty() {
            self.bypass.push_back(task);
            return;
        }
        let now = self.context.clock.now_ns();
        let queued = self.look(&task);
        if self.scheduler.arrive(queued, now).is_ok() {
            self.rows.insert(task.id, task);
        }
    }

    /// A task as the policy sees it; its first record stands for all of them.
    fn look(&mut self, task: &Task) -> Queued {
        let mut columns = Vec::new();
        if !self.reads_nothing {
            task.rows.unpack(0, &mut columns);
        }
        let (templates, arena) = (&self.context.templates, &self.arena);
        let wanted = self.wants.read(&columns, templates, arena);
        let declared = self.cost.declared(&columns, templates, arena).times(task.rows.len());
        let mut queued = Queued {
            priority: wanted.priority,
            records: task.records,
            due_ns: wanted.due_ns.map(|ns| task.arrived_ns.saturating_add(ns)),
            flow: wanted.flow,
            affinity: wanted.affinity,
            ..Queued::new(task.id, task.arrived_ns)
        };
        drop(columns);
        self.estimates.arrived(&mut queued, task.rows.byte_len() as f64, declared);
        self.arena.reset();
        queued
    }

    /// A task is done.
    pub(crate) fn completed(&mut self, done: &Done) {
        let open = &self.context.intake.open;
        open.set(open.get().saturating_sub(1));
        let given_back = &self.context.intake.given_back;
        given_back.set(given_back.get() + u64::from(done.given_back));
        if !done.scheduled {
            return;
        }
        if self.estimates.completed(done.id, done.service_ns, done.ok) {
            self.scheduler.revise(|task| self.estimates.revise(task));
        }
        let node = done.node as usize;
        let now = self.context.clock.now_ns();
        // A completion the scheduler does not know changes nothing.
        let _ = self.scheduler.complete(done.id, node, done.service_ns, done.ok, now);
        if let Some(thread) = self.thread_of.remove(&done.id)
            && let Some(load) = self.threads.get_mut(node).and_then(|t| t.get_mut(thread))
        {
            *load = load.saturating_sub(1);
        }
    }

    /// The next task that leaves, with its worker chosen.
    pub(crate) fn next(&mut self) -> Option<Task> {
        if let Some(task) = self.bypass.pop_front() {
            // Its latency has the same parts as any other's; no policy was asked.
            let now = self.context.clock.now_ns();
            let event = Event {
                detail: 1,
                records: task.records,
                ..Event::new(Kind::Decided, task.id, now)
            };
            self.context.note(event);
            return Some(task);
        }
        let now = self.context.clock.now_ns();
        let began_ns = self.context.clock.stopwatch_ns();
        let decision = self.scheduler.next(now)?;
        let spent_ns = self.context.clock.stopwatch_ns().saturating_sub(began_ns);
        let loads = self.scheduler.loads(&decision);
        if let Err(error) = self.decisions.record(now, spent_ns, &decision, loads) {
            self.context.fail(error);
        }
        let mut task = self.rows.remove(&decision.task.id)?;
        match decision.outcome {
            Outcome::Placed { worker } => {
                self.note_decided(&decision, worker, now, spent_ns);
                let threads = &mut self.threads[worker];
                let (thread, load) =
                    threads.iter_mut().enumerate().min_by_key(|(_, load)| **load)?;
                *load += 1;
                task.peer = (worker * self.threads[worker].len() + thread) as u64;
                task.scheduled = true;
                self.thread_of.insert(task.id, thread);
                Some(task)
            }
            Outcome::Late => {
                self.refuse(&task, DEADLINE, "the deadline passed while it waited");
                self.next()
            }
            Outcome::Shed { reason } => {
                self.refuse(&task, "shed", reason);
                self.next()
            }
        }
    }

    fn note_decided(&self, decision: &Decision, worker: usize, now: u64, spent_ns: u64) {
        // The node of this event is the chosen one, not the one that chose.
        self.context.log.borrow_mut().push(Event {
            node: worker as u32,
            value: spent_ns,
            extra: decision.queue_len as u64,
            records: decision.task.records,
            ..Event::new(Kind::Decided, decision.task.id, now)
        });
    }

    /// A task leaves without having run: late.
    fn refuse(&mut self, task: &Task, class: &str, message: &str) {
        self.estimates.left(task.id);
        for row in task.rows.iter() {
            let dead = Dead {
                stage: "schedule".into(),
                attempts: 0,
                class: class.into(),
                status: None,
                message: message.into(),
                row: row.to_vec(),
            };
            self.context.outlets.borrow_mut().bury(task.id, &dead);
            if let Some(service) = &self.context.service {
                service.answer(task.id, failed(&dead));
            }
        }
        let outcomes = Outcomes { late: task.records.into(), ..Outcomes::default() };
        self.context.outlets.borrow_mut().end(task.id, outcomes);
        self.context.settle();
        self.context.mark(Kind::Shed, task.id, task.records);
        let open = &self.context.intake.open;
        open.set(open.get().saturating_sub(1));
    }

    /// The run is asked to stop: queued tasks are pending, and stay so.
    pub(crate) fn give_back(&mut self) {
        let queued = self.scheduler.drain();
        let intake = &self.context.intake;
        intake.open.set(intake.open.get().saturating_sub(queued.len() as u64));
        for task in queued {
            self.rows.remove(&task.id);
            self.estimates.left(task.id);
            intake.given_back.set(intake.given_back.get() + u64::from(task.records));
        }
    }

    /// Whether nothing is queued.
    pub(crate) fn is_empty(&self) -> bool {
        self.scheduler.queue_len() == 0 && self.bypass.is_empty()
    }

    /// Pause or resume the source, or let it see that all is done.
    pub(crate) fn tell_source(&mut self) {
        let intake = &self.context.intake;
        let full = self.scheduler.is_full();
        if intake.full.replace(full) && !full || intake.open.get() == 0 {
            intake.rouse_source();
        }
    }

    /// When a decision may fall due by itself.
    pub(crate) fn next_wake_ns(&mut self) -> Option<u64> {
        self.scheduler.next_wake_ns()
    }
}
