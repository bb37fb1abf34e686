//! `Coordinator`: what stands around the pure scheduler of one job, as the live engine's dispatcher
//! does. The decisions are those of `sage_core::schedule::Scheduler`.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;
use sage_core::event::{Event, Kind};
use sage_core::policies;
use sage_core::schedule::{
    Decision, Declared, Estimates, FleetConfig, Outcome, Scheduler, Task as Queued,
};

use crate::error::TwinError;
use crate::layout::Layout;
use crate::log::Log;
use crate::model::{Demand, Work};
use crate::outcome::Lost;
use crate::task::Tasks;

/// Scheduler, queue and counts of one job; on the first node.
pub(crate) struct Coordinator {
    scheduler: Scheduler,
    estimates: Estimates,
    entry_of: FxHashMap<u64, u32>,
    /// Tasks that need no place in a window: all their records were dropped or failed before.
    bypass: VecDeque<u32>,
    /// The central queue is full: the source pauses.
    pub(crate) full: bool,
    /// Tasks that entered and whose end is not known.
    pub(crate) open: u64,
    /// Tasks that entered.
    pub(crate) tasks: u64,
    /// Whether the source has nothing more.
    pub(crate) ended: bool,
    /// When a task had its outcome last.
    pub(crate) last_end_ns: u64,
}

impl Coordinator {
    pub(crate) fn new(layout: &Layout<'_>, seed: u64) -> Result<Self, TwinError> {
        let job = layout.job;
        let policy = policies::build(&job.policy, &job.policy_args)
            .map_err(|source| TwinError::Policy { job: job.name.clone(), source })?;
        let fleet = FleetConfig::new(job.nodes, job.slots);
        let queue = (job.queue as usize).div_ceil(job.morsel.max(1) as usize).max(job.nodes);
        Ok(Coordinator {
            scheduler: Scheduler::new(policy, &fleet, seed, queue, job.deadline_ns),
            estimates: Estimates::default(),
            entry_of: FxHashMap::default(),
            bypass: VecDeque::new(),
            full: false,
            open: 0,
            tasks: 0,
            ended: false,
            last_end_ns: job.start_ns,
        })
    }

    /// A task enters the queue.
    pub(crate) fn arrived(&mut self, entry: u32, now: u64, layout: &Layout<'_>, tasks: &Tasks) {
        let task = tasks.get(entry);
        let rows = &task.fate.rows;
        let Some(row) = rows.iter().next() else {
            self.bypass.push_back(entry);
            return;
        };
        // Like the live engine, the first record stands for the whole task.
        let demand = layout.demand(task.first + u64::from(row));
        let mut queued = Queued {
            priority: demand.priority,
            records: rows.all,
            due_ns: demand.due_ns.map(|ns| task.arrived_ns.saturating_add(ns)),
            flow: demand.flow,
            affinity: demand.affinity,
            ..Queued::new(task.id, task.arrived_ns)
        };
        let size = tokens(demand, layout) * f64::from(rows.left);
        let declared = declared(demand, layout).times(rows.left as usize);
        self.estimates.arrived(&mut queued, size, declared);
        if self.scheduler.arrive(queued, now).is_ok() {
            self.entry_of.insert(task.id, entry);
        }
    }

    /// Word of a task's end.
    pub(crate) fn completed(&mut self, entry: u32, now: u64, tasks: &mut Tasks) {
        let task = tasks.get(entry);
        if task.scheduled {
            let (node, ok) = (task.node as usize, task.fate.dead == 0);
            let service_ns = task.service_ns.unwrap_or(0);
            if self.estimates.completed(task.id, service_ns, ok) {
                let Coordinator { scheduler, estimates, .. } = self;
                scheduler.revise(|task| estimates.revise(task));
            }
            // Words from lost nodes are sorted out before, so the task is in flight there.
            let _ = self.scheduler.complete(task.id, node, service_ns, ok, now);
            self.entry_of.remove(&task.id);
        }
        self.open -= 1;
        tasks.close(entry);
    }

    /// The next task that leaves, with its node chosen.
    pub(crate) fn next(
        &mut self,
        now: u64,
        decision_ns: u64,
        layout: &Layout<'_>,
        tasks: &mut Tasks,
        log: &mut Log<'_>,
    ) -> Option<u32> {
        if let Some(entry) = self.bypass.pop_front() {
            let task = tasks.get(entry);
            log.note(Event {
                detail: 1,
                records: task.fate.rows.all,
                job: layout.number,
                ..Event::new(Kind::Decided, task.id, now)
            });
            return Some(entry);
        }
        loop {
            let decision = self.scheduler.next(now)?;
            let entry = *self.entry_of.get(&decision.task.id)?;
            let Outcome::Placed { worker } = decision.outcome else {
                self.refuse(entry, &decision, now, layout, tasks, log);
                continue;
            };
            log.note(Event {
                node: worker as u32,
                value: decision_ns,
                extra: decision.queue_len as u64,
                records: decision.task.records,
                job: layout.number,
                ..Event::new(Kind::Decided, decision.task.id, now)
            });
            tasks.get_mut(entry).place(worker as u32);
            return Some(entry);
        }
    }

    /// A task leaves without having run: late, or refused by the policy.
    fn refuse(
        &mut self,
        entry: u32,
        decision: &Decision,
        now: u64,
        layout: &Layout<'_>,
        tasks: &mut Tasks,
        log: &mut Log<'_>,
    ) {
        log.note(Event {
            records: decision.task.records,
            job: layout.number,
            ..Event::new(Kind::Shed, decision.task.id, now)
        });
        self.last_end_ns = self.last_end_ns.max(now);
        self.entry_of.remove(&decision.task.id);
        self.estimates.left(decision.task.id);
        self.open -= 1;
        tasks.close(entry);
    }

    /// Look at the queue again. Whether the source has to be roused.
    pub(crate) fn rouses_source(&mut self) -> bool {
        let full = self.scheduler.is_full();
        std::mem::replace(&mut self.full, full) && !full
    }

    /// When a decision may fall due by itself.
    pub(crate) fn next_wake_ns(&mut self) -> Option<u64> {
        self.scheduler.next_wake_ns()
    }

    /// A node is lost: what it held stands in the queue again, with its time of arrival.
    pub(crate) fn lost(&mut self, node: u32, now: u64, tasks: &mut Tasks, lost: &mut Lost) {
        for task in self.scheduler.worker_down(node as usize, now) {
            if let Some(entry) = self.entry_of.get(&task.id) {
                let held = tasks.get_mut(*entry);
                if let Some(busy_ns) = held.held_ns(now) {
                    lost.attempt(busy_ns);
                }
                held.forget();
                // It was in flight a moment ago, so it is not in the queue.
                let _ = self.scheduler.arrive(task, now);
            }
        }
    }

    /// A task without records was on the first node when that was lost: it passes once more.
    pub(crate) fn passes_again(&mut self, entry: u32) {
        self.bypass.push_back(entry);
    }

    /// A node is there again.
    pub(crate) fn back(&mut self, node: u32, now: u64) {
        self.scheduler.worker_up(node as usize, now);
    }

    pub(crate) fn violations(&self) -> u64 {
        self.scheduler.violations()
    }

    /// Whether every task that can come has come and ended.
    pub(crate) fn is_over(&self) -> bool {
        self.ended && self.open == 0
    }
}

/// What is declared of one record: all of it, or what it computes, and the rest is learned.
fn declared(demand: &Demand, layout: &Layout<'_>) -> Declared {
    if let Some(ns) = demand.expected_ns {
        let chain_ns = demand.critical_ns.unwrap_or(ns) as f64;
        return Declared { all_ns: ns as f64, chain_ns, complete: true };
    }
    let computed = |work: &Work| match work {
        Work::Cpu(ns) => *ns as f64,
        Work::Drawn(drawn) => drawn.mean_ns() as f64,
        _ => 0.0,
    };
    let all_ns = layout.behind(demand).map(computed).sum();
    Declared { all_ns, chain_ns: all_ns, complete: false }
}

/// The size of a record. The live engine takes the bytes of its row, of which these grow in
/// proportion, or at least along a line, and the estimate is drawn along a line too.
fn tokens(demand: &Demand, layout: &Layout<'_>) -> f64 {
    let tokens = |work: &Work| match work {
        Work::Embed { tokens } => f64::from(*tokens),
        Work::Generate { prompt_tokens, .. } => f64::from(*prompt_tokens),
        Work::None | Work::Cpu(_) | Work::Drawn(_) | Work::Wait(_) => 0.0,
    };
    layout.behind(demand).map(tokens).sum()
}
