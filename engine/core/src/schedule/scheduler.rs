//! `Scheduler`: queue, fleet and policy in one state machine.
//!
//! The scheduler, not the policy, keeps the promises that a run depends on: it counts, it refuses
//! a worker that is down or full, and a completion it cannot place is an error value. A faulty
//! policy can make a run slow, never wrong.

use rand::SeedableRng;
use rand_pcg::Pcg64Mcg;
use rustc_hash::FxHashMap;

use super::queue::Queue;
use super::{Fleet, FleetConfig, Observation, Policy, Task, Verdict, Worker};

/// What became of a task at the head of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It goes to this worker.
    Placed {
        /// Number of the worker.
        worker: usize,
    },
    /// The policy refused it.
    Shed {
        /// Why.
        reason: &'static str,
    },
    /// Its deadline passed while it waited.
    Late,
}

/// One decision, as it is recorded. The loads it was taken on are told by [`Scheduler::loads`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// The task.
    pub task: Task,
    /// What became of it.
    pub outcome: Outcome,
    /// Tasks in the queue when it was taken, this one included.
    pub queue_len: usize,
    /// Why, in a few words.
    pub reason: &'static str,
}

impl Decision {
    /// The chosen worker, if it was placed.
    pub fn worker(&self) -> Option<usize> {
        match self.outcome {
            Outcome::Placed { worker } => Some(worker),
            Outcome::Shed { .. } | Outcome::Late => None,
        }
    }
}

/// A call that does not fit the scheduler's state. Nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// The task is already queued or in flight.
    #[error("task {0} is already in the scheduler")]
    Duplicate(u64),
    /// The task is not in flight: never placed, completed before, or lost with its worker.
    #[error("task {0} is not in flight")]
    NotInFlight(u64),
    /// The task is in flight on another worker.
    #[error("task {task} is not on worker {worker}")]
    WrongWorker {
        /// The task.
        task: u64,
        /// The worker that was named.
        worker: usize,
    },
}

#[derive(Debug)]
struct InFlight {
    task: Task,
    worker: usize,
    /// What was added to the worker's `work_left_ns`.
    expected_ns: f64,
}

/// Holds the queue, keeps a window per worker, and asks the policy.
pub struct Scheduler {
    policy: Box<dyn Policy>,
    fleet: Fleet,
    queue: Queue,
    in_flight: FxHashMap<u64, InFlight>,
    rng: Pcg64Mcg,
    queue_limit: usize,
    deadline_ns: Option<u64>,
    window_extra: u32,
    /// Weight of a new observation in the decaying averages.
    weight: f64,
    violations: u64,
    /// The last answer was that the first task has to wait although a worker is free.
    held: bool,
}

impl Scheduler {
    /// A scheduler with an empty queue and idle workers. The same `seed` and the same calls give
    /// the same decisions. A task not placed within `deadline_ns` of its arrival is late.
    pub fn new(
        policy: Box<dyn Policy>,
        config: &FleetConfig,
        seed: u64,
        queue_limit: usize,
        deadline_ns: Option<u64>,
    ) -> Self {
        Scheduler {
            policy,
            fleet: Fleet::new(config),
            queue: Queue::default(),
            in_flight: FxHashMap::default(),
            rng: Pcg64Mcg::seed_from_u64(seed),
            queue_limit: queue_limit.max(1),
            deadline_ns,
            window_extra: config.window_extra,
            weight: 1.0 - 0.5_f64.powf(1.0 / config.half_life.max(1.0)),
            violations: 0,
            held: false,
        }
    }

    /// Takes a task into the queue. Its `arrived_ns` is kept, so that a task that comes back from a
    /// lost worker does not go to the end. Accepts beyond the limit: what is already on its way
    /// when [`is_full`](Self::is_full) turns true must have a place.
    pub fn arrive(&mut self, task: Task, now_ns: u64) -> Result<(), ScheduleError> {
        self.tick(now_ns);
        if self.queue.contains(task.id) || self.in_flight.contains_key(&task.id) {
            return Err(ScheduleError::Duplicate(task.id));
        }
        let rank = self.policy.rank(&task);
        self.queue.push(rank, task, self.deadline_ns.is_some());
        Ok(())
    }

    /// Whether the source should pause.
    pub fn is_full(&self) -> bool {
        self.queue.len() >= self.queue_limit
    }

    /// The next decision, or `None` while nothing can be decided. Call until it says `None`.
    /// Costs what the policy asks of the fleet, one heap operation, and a walk up two binary trees
    /// over the workers.
    pub fn next(&mut self, now_ns: u64) -> Option<Decision> {
        self.tick(now_ns);
        self.held = false;
        self.fleet.queue_len = self.queue.len();
        if let Some(decision) = self.next_late() {
            return Some(decision);
        }
        if self.fleet.free_count() == 0 {
            return None;
        }
        let task = self.queue.first()?;
        let outcome = match self.policy.place(&task, &self.fleet, &mut self.rng) {
            Verdict::Run(worker) if self.fleet.free(worker) => Outcome::Placed { worker },
            Verdict::Run(_) => {
                self.violations += 1;
                return None;
            }
            Verdict::Hold => {
                self.held = true;
                return None;
            }
            Verdict::Shed(reason) => Outcome::Shed { reason },
        };
        let reason = match outcome {
            Outcome::Shed { reason } => reason,
            _ => self.policy.reason(),
        };
        let decision = self.decided(task, outcome, reason);
        if let Outcome::Placed { worker } = outcome {
            let expected = self.fleet.expected_ns(&task, &self.fleet.workers()[worker]);
            let expected_ns = expected.unwrap_or(0.0);
            self.fleet.update(worker, |row| {
                row.in_flight += 1;
                row.assigned += 1;
                row.work_left_ns += expected_ns;
            });
            self.in_flight.insert(task.id, InFlight { task, worker, expected_ns });
        }
        Some(decision)
    }

    /// A worker reports the end of a task. Frees its place and returns the task.
    pub fn complete(
        &mut self,
        task: u64,
        worker: usize,
        service_ns: u64,
        ok: bool,
        now_ns: u64,
    ) -> Result<Task, ScheduleError> {
        self.tick(now_ns);
        let entry = self.in_flight.get(&task).ok_or(ScheduleError::NotInFlight(task))?;
        if entry.worker != worker {
            return Err(ScheduleError::WrongWorker { task, worker });
        }
        let entry = self.in_flight.remove(&task).ok_or(ScheduleError::NotInFlight(task))?;
        let (weight, service) = (self.weight, service_ns as f64);
        self.fleet.update(worker, |row| {
            row.release(entry.expected_ns);
            row.completed += 1;
            // A failure's time says how fast it fails, not how fast the worker works: without this
            // a worker that refuses everything at once would look like the best one.
            if ok {
                row.ewma_service_ns = Some(blend(row.ewma_service_ns, service, weight));
                if let Some(estimate) = entry.task.expected_ns.filter(|estimate| *estimate > 0) {
                    row.slowdown += weight * (service / estimate as f64 - row.slowdown);
                }
            }
        });
        if ok {
            self.fleet.mean_service_ns = Some(blend(self.fleet.mean_service_ns, service, weight));
        }
        self.policy.observe(&Observation::Completed { task: entry.task, worker, service_ns, ok });
        Ok(entry.task)
    }

    /// A worker is lost. Returns the tasks it held, in order of their numbers; the caller lets them
    /// [`arrive`](Self::arrive) again or gives them up. Their late completions are errors.
    pub fn worker_down(&mut self, worker: usize, now_ns: u64) -> Vec<Task> {
        self.tick(now_ns);
        let known = self.fleet.update(worker, |row| {
            row.up = false;
            row.in_flight = 0;
            row.work_left_ns = 0.0;
        });
        if known.is_none() {
            return Vec::new();
        }
        let mut lost: Vec<Task> = self
            .in_flight
            .extract_if(|_, entry| entry.worker == worker)
            .map(|(_, e)| e.task)
            .collect();
        lost.sort_unstable_by_key(|task| task.id);
        self.policy.observe(&Observation::Down(worker));
        lost
    }

    /// A worker is there again. What was learned of its speed is forgotten: it may be another
    /// machine.
    pub fn worker_up(&mut self, worker: usize, now_ns: u64) {
        self.tick(now_ns);
        if self.fleet.workers().get(worker).is_none_or(|row| row.up) {
            return;
        }
        self.fleet.update(worker, |row| {
            row.up = true;
            row.ewma_service_ns = None;
            row.slowdown = 1.0;
        });
        self.policy.observe(&Observation::Up(worker));
    }

    /// Changes the number of slots of a worker. Tasks it already holds stay there.
    pub fn set_slots(&mut self, worker: usize, slots: u32) {
        let extra = self.window_extra;
        self.fleet.update(worker, |row| {
            row.slots = slots.max(1);
            row.window = row.slots.saturating_add(extra);
        });
    }

    /// Gives a worker its labels.
    pub fn set_labels(&mut self, worker: usize, labels: Vec<String>) {
        self.fleet.update(worker, |row| row.labels = labels.into_boxed_slice());
    }

    /// Takes one task out of the queue, for example because its job was cancelled.
    pub fn cancel(&mut self, task: u64) -> Option<Task> {
        let task = self.queue.remove(task)?;
        self.policy.observe(&Observation::Left(task));
        Some(task)
    }

    /// Changes what is known of the queued tasks, but not their numbers and arrivals, and ranks them
    /// anew. To the policy they all leave and arrive again. For estimates that have become much
    /// better; costs as much as if all arrived now.
    pub fn revise(&mut self, mut change: impl FnMut(&mut Task)) {
        let Scheduler { policy, queue, .. } = self;
        queue.tasks().for_each(|task| policy.observe(&Observation::Left(*task)));
        queue.revise(|task| {
            let known = (task.id, task.arrived_ns);
            change(task);
            (task.id, task.arrived_ns) = known;
            policy.rank(task)
        });
    }

    /// Gives back all queued tasks, in the order they would have run. For a graceful stop: they are
    /// pending, not lost. Tasks in flight still complete.
    pub fn drain(&mut self) -> Vec<Task> {
        let tasks = self.queue.drain();
        tasks.iter().for_each(|task| self.policy.observe(&Observation::Left(*task)));
        tasks
    }

    /// When the oldest queued task becomes late; the driver sets a timer to it.
    pub fn next_late_ns(&mut self) -> Option<u64> {
        let deadline_ns = self.deadline_ns?;
        self.queue.oldest().map(|task| task.arrived_ns.saturating_add(deadline_ns))
    }

    /// When [`next`](Self::next) may say something new although nothing was reported: the oldest
    /// queued task becomes late, or the policy's reason to hold is over. The driver sets a timer.
    /// A moment for which the policy held is always later than the last call.
    pub fn next_wake_ns(&mut self) -> Option<u64> {
        // Without a free worker no timer helps, and one that is over would ring for ever.
        let held = if self.held { self.policy.wake_ns() } else { None };
        let held = held.map(|wake_ns| wake_ns.max(self.fleet.now_ns.saturating_add(1)));
        self.next_late_ns().into_iter().chain(held).min()
    }

    /// Tasks in the queue.
    pub fn queue_len(&self) -> usize {
        self.queue.len()
    }

    /// Tasks on workers.
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Tasks in flight on every worker when `decision` was taken, if it is the last one and nothing
    /// else has happened since.
    pub fn loads(&self, decision: &Decision) -> impl Iterator<Item = u32> + '_ {
        let chosen = decision.worker();
        let load = move |(number, worker): (usize, &Worker)| {
            worker.in_flight.saturating_sub(u32::from(chosen == Some(number)))
        };
        self.fleet.workers().iter().enumerate().map(load)
    }

    /// How often the policy named a worker that was down, full or not there.
    pub fn violations(&self) -> u64 {
        self.violations
    }

    /// The fleet as it stands.
    pub fn fleet(&self) -> &Fleet {
        &self.fleet
    }

    /// Time as seen by policies never runs backwards, whatever the callers' clocks do.
    fn tick(&mut self, now_ns: u64) {
        self.fleet.now_ns = self.fleet.now_ns.max(now_ns);
    }

    fn next_late(&mut self) -> Option<Decision> {
        let deadline_ns = self.deadline_ns?;
        let task = self.queue.oldest()?;
        let waited = self.fleet.now_ns.saturating_sub(task.arrived_ns);
        (waited >= deadline_ns).then(|| self.decided(task, Outcome::Late, "deadline passed"))
    }

    fn decided(&mut self, task: Task, outcome: Outcome, reason: &'static str) -> Decision {
        let queue_len = self.queue.len();
        self.queue.remove(task.id);
        if !matches!(outcome, Outcome::Placed { .. }) {
            self.policy.observe(&Observation::Left(task));
        }
        Decision { task, outcome, queue_len, reason }
    }
}

impl Worker {
    fn release(&mut self, expected_ns: f64) {
        self.in_flight = self.in_flight.saturating_sub(1);
        // Sums of floats drift; an idle worker has exactly nothing left.
        self.work_left_ns =
            if self.in_flight == 0 { 0.0 } else { (self.work_left_ns - expected_ns).max(0.0) };
    }
}

fn blend(average: Option<f64>, value: f64, weight: f64) -> f64 {
    average.map_or(value, |average| average + weight * (value - average))
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::*;
    use crate::policies::build;

    const MS: u64 = 1_000_000;

    #[test]
    fn deadlines_and_a_graceful_stop_account_for_every_task() {
        let fleet = FleetConfig { window_extra: 0, ..FleetConfig::new(1, 1) };
        let mut scheduler =
            Scheduler::new(build("priority", &[]).unwrap(), &fleet, 0, 3, Some(10 * MS));
        for id in 0..4 {
            // The later, the more urgent; task 0 waits behind all others.
            scheduler
                .arrive(Task { priority: id as i64, ..Task::new(id, id * MS) }, id * MS)
                .unwrap();
        }
        assert!(scheduler.is_full());
        assert_eq!(scheduler.arrive(Task::new(2, 0), 0), Err(ScheduleError::Duplicate(2)));
        let placed = scheduler.next(4 * MS).unwrap();
        assert_eq!((placed.task.id, placed.outcome), (3, Outcome::Placed { worker: 0 }));
        assert_eq!((placed.queue_len, scheduler.next(4 * MS)), (4, None));
        // The only worker is busy, and still the deadline of the task at the far end is kept.
        assert_eq!(scheduler.next_late_ns(), Some(10 * MS));
        assert_eq!(scheduler.next(9 * MS), None);
        let late = scheduler.next(10 * MS).unwrap();
        assert_eq!((late.task.id, late.outcome), (0, Outcome::Late));
        assert_eq!(scheduler.cancel(1).map(|task| task.id), Some(1));
        assert_eq!(scheduler.drain().iter().map(|task| task.id).collect::<Vec<_>>(), [2]);
        let wrong = scheduler.complete(3, 5, 1, true, 11 * MS);
        assert_eq!(wrong, Err(ScheduleError::WrongWorker { task: 3, worker: 5 }));
        assert_eq!(scheduler.complete(3, 0, 1, true, 11 * MS).map(|task| task.id), Ok(3));
        assert_eq!(scheduler.complete(3, 0, 1, true, 11 * MS), Err(ScheduleError::NotInFlight(3)));
    }

    #[test]
    fn a_task_that_comes_back_is_late_at_its_own_deadline() {
        let fleet = FleetConfig { window_extra: 0, ..FleetConfig::new(1, 1) };
        let mut scheduler =
            Scheduler::new(build("fifo", &[]).unwrap(), &fleet, 0, 10, Some(10 * MS));
        scheduler.arrive(Task::new(1, 0), 0).unwrap();
        assert!(scheduler.next(0).is_some());
        scheduler.arrive(Task::new(2, 3 * MS), 3 * MS).unwrap();
        for task in scheduler.worker_down(0, 4 * MS) {
            scheduler.arrive(task, 4 * MS).unwrap();
        }
        // It is behind the other in the order of its return, and due before it.
        assert_eq!(scheduler.next_late_ns(), Some(10 * MS));
        let late = |decision: Decision| (decision.task.id, decision.outcome);
        assert_eq!(scheduler.next(10 * MS).map(late), Some((1, Outcome::Late)));
        assert_eq!(scheduler.next(10 * MS), None);
        assert_eq!(scheduler.next(13 * MS).map(late), Some((2, Outcome::Late)));
    }

    #[test]
    fn a_timer_is_set_only_for_a_task_that_a_free_worker_could_take() {
        let policy = build("staggered", &[]).unwrap();
        let fleet = FleetConfig { window_extra: 0, ..FleetConfig::new(1, 1) };
        let mut scheduler = Scheduler::new(policy, &fleet, 0, 10, None);
        for id in 0..3 {
            scheduler.arrive(Task::new(id, 0), 0).unwrap();
        }
        assert!(scheduler.next(0).is_some());
        // The only worker is full: a timer for the gap would ring in vain.
        assert_eq!((scheduler.next(5), scheduler.next_wake_ns()), (None, None));
        scheduler.complete(0, 0, 5, true, 5).unwrap();
        assert_eq!((scheduler.next(5), scheduler.next_wake_ns()), (None, Some(20 * MS)));
        assert!(scheduler.next(20 * MS).is_some());
        assert_eq!((scheduler.next(50 * MS), scheduler.next_wake_ns()), (None, None));
    }

    #[test]
    fn a_faulty_policy_is_refused_not_obeyed() {
        struct Always(Verdict);
        impl Policy for Always {
            fn place(&mut self, _: &Task, _: &Fleet, _: &mut dyn Rng) -> Verdict {
                self.0
            }
            fn reason(&self) -> &'static str {
                "stubborn"
            }
        }
        for worker in [0, 7] {
            let fleet = FleetConfig::new(2, 1);
            let mut scheduler =
                Scheduler::new(Box::new(Always(Verdict::Run(worker))), &fleet, 0, 10, None);
            scheduler.worker_down(0, 0);
            scheduler.arrive(Task::new(1, 0), 0).unwrap();
            assert_eq!(scheduler.next(0), None);
            assert_eq!((scheduler.violations(), scheduler.queue_len()), (1, 1));
        }
        let always = Box::new(Always(Verdict::Shed("no room")));
        let mut scheduler = Scheduler::new(always, &FleetConfig::new(2, 1), 0, 10, None);
        scheduler.arrive(Task::new(1, 0), 0).unwrap();
        let shed = scheduler.next(0).map(|decision| decision.reason);
        assert_eq!((shed, scheduler.queue_len(), scheduler.in_flight()), (Some("no room"), 0, 0));
    }
}
