//! What the tests of policies share: policies by name, tasks, and runs in simulated time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use proptest::prelude::*;
use sage_core::policies::{POLICIES, PolicySpec, build, find, parse};
use sage_core::schedule::{FleetConfig, Outcome, Policy, Scheduler, Task};

pub(crate) const MS: u64 = 1_000_000;
pub(crate) const SECOND: u64 = 1_000 * MS;

pub(crate) fn policy(text: &str) -> Box<dyn Policy> {
    let (name, args) = parse(text).unwrap();
    build(&name, &args).unwrap()
}

pub(crate) fn named(text: &str) -> &'static PolicySpec {
    find(&parse(text).unwrap().0).unwrap()
}

/// Every registry entry with its defaults, and every word of a parameter that takes words.
pub(crate) fn variants() -> Vec<String> {
    let mut all = Vec::new();
    for spec in POLICIES {
        let name = spec.signature.name;
        all.push(name.to_owned());
        for param in spec.signature.params {
            if let sage_dsl::catalog::Kind::Word(words) = param.kind {
                all.extend(words.iter().map(|word| format!("{name}({}: {word})", param.name)));
            }
        }
    }
    all
}

/// A run in simulated time.
pub(crate) struct Run {
    pub(crate) scheduler: Scheduler,
    /// End, task, worker, service time.
    running: BinaryHeap<Reverse<(u64, u64, usize, u64)>>,
    /// Task and worker of each placement.
    pub(crate) trace: Vec<(u64, usize)>,
    /// When each was placed.
    pub(crate) placed_ns: Vec<u64>,
    pub(crate) late: Vec<u64>,
    pub(crate) completed: Vec<u64>,
    /// When each slot of each worker is free; a task in the window waits for one.
    slots: Vec<Vec<u64>>,
    pub(crate) latency_ms: Vec<f64>,
    /// Looks at each placement before it takes effect: task, worker, loads.
    pub(crate) look: Look,
}

pub(crate) type Look = Box<dyn FnMut(&Task, usize, &[u32])>;

impl Run {
    pub(crate) fn new(
        text: &str,
        fleet: &FleetConfig,
        seed: u64,
        deadline_ns: Option<u64>,
    ) -> Self {
        Run {
            scheduler: Scheduler::new(policy(text), fleet, seed, 64, deadline_ns),
            running: BinaryHeap::new(),
            trace: Vec::new(),
            placed_ns: Vec::new(),
            late: Vec::new(),
            completed: vec![0; fleet.workers],
            slots: vec![vec![0; fleet.slots as usize]; fleet.workers],
            latency_ms: Vec::new(),
            look: Box::new(|_, _, _| ()),
        }
    }

    pub(crate) fn decide(&mut self, now: u64, service: &mut dyn FnMut(&Task, usize) -> u64) {
        while let Some(decision) = self.scheduler.next(now) {
            match decision.outcome {
                Outcome::Placed { worker } => {
                    let row = &self.scheduler.fleet().workers()[worker];
                    assert!(row.up && row.in_flight <= row.window);
                    let loads: Vec<u32> = self.scheduler.loads(&decision).collect();
                    assert_eq!(loads[worker] + 1, row.in_flight);
                    (self.look)(&decision.task, worker, &loads);
                    self.trace.push((decision.task.id, worker));
                    self.placed_ns.push(now);
                    let took = service(&decision.task, worker);
                    let slot = self.slots[worker].iter_mut().min().unwrap();
                    *slot = now.max(*slot) + took;
                    self.latency_ms.push((*slot - decision.task.arrived_ns) as f64 / MS as f64);
                    self.running.push(Reverse((*slot, decision.task.id, worker, took)));
                }
                Outcome::Late => self.late.push(decision.task.id),
                Outcome::Shed { reason } => panic!("no policy sheds, {reason}"),
            }
        }
    }

    /// Lets everything happen that is due until `until`: tasks end, timers ring.
    pub(crate) fn advance(&mut self, until: u64, service: &mut dyn FnMut(&Task, usize) -> u64) {
        loop {
            let end = self.running.peek().map(|Reverse((end, ..))| *end);
            let wake = self.scheduler.next_wake_ns();
            let Some(now) = end.into_iter().chain(wake).min().filter(|now| *now <= until) else {
                return;
            };
            if end == Some(now) {
                let Reverse((end, task, worker, took)) = self.running.pop().unwrap();
                // A task that was lost with its worker reports in vain, or its second life did.
                if self.scheduler.complete(task, worker, took, true, end).is_ok() {
                    self.completed[worker] += 1;
                }
            }
            self.decide(now, service);
        }
    }

    pub(crate) fn run(&mut self, tasks: &[Task], service: &mut dyn FnMut(&Task, usize) -> u64) {
        for task in tasks {
            self.advance(task.arrived_ns, service);
            self.scheduler.arrive(*task, task.arrived_ns).unwrap();
            self.decide(task.arrived_ns, service);
        }
        self.advance(u64::MAX, service);
    }
}

prop_compose! {
    /// A task at time 0, with everything that a policy may look at, or nothing.
    pub(crate) fn any_task()(
        priority in -3_i64..4,
        expected_ns in proptest::option::of(0..50 * MS),
        due_ns in proptest::option::of(0..500 * MS),
        critical_ns in proptest::option::of(0..50 * MS),
        flow in 0_u64..4,
        affinity in 0_u64..6,
    ) -> Task {
        Task { priority, expected_ns, due_ns, critical_ns, flow, affinity, ..Task::new(0, 0) }
    }
}

/// Tasks in order of arrival.
pub(crate) fn any_tasks() -> impl Strategy<Value = Vec<Task>> {
    proptest::collection::vec((0..5 * MS, any_task()), 1..120).prop_map(|tasks| {
        let mut now = 0;
        let numbered = (0..).zip(tasks).map(|(id, (gap, task))| {
            now += gap;
            let due_ns = task.due_ns.map(|due| now + due);
            Task { id, arrived_ns: now, due_ns, ..task }
        });
        numbered.collect()
    })
}
