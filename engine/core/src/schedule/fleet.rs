//! `Fleet`: all a policy may know about the workers, as a read-only view.
//!
//! Load is kept apart from choice: the scheduler maintains these estimates, policies only compare
//! them. What most policies ask for is kept in order, so that it costs no scan over the workers:
//! [`Fleet::spread`], [`Fleet::least_loaded`], the free workers by number. Any other comparison is
//! [`Fleet::least`], which looks at each free worker.

use super::Task;
use super::order::{Order, Standing};

/// Shape of the fleet at the start of a run.
#[derive(Debug, Clone)]
pub struct FleetConfig {
    /// Number of workers.
    pub workers: usize,
    /// Tasks a worker executes at once.
    pub slots: u32,
    /// Tasks a worker may hold beyond its slots, so that a finished slot finds its next task
    /// without a round trip. 1 or 2; more makes binding early and losses dearer.
    pub window_extra: u32,
    /// Number of completions after which an old service time weighs half.
    pub half_life: f64,
}

impl FleetConfig {
    /// `workers` workers with `slots` slots, two tasks of read-ahead and a half-life of 16.
    pub fn new(workers: usize, slots: u32) -> Self {
        FleetConfig { workers, slots, window_extra: 2, half_life: 16.0 }
    }
}

/// What is known of one worker.
#[derive(Debug, Clone, PartialEq)]
pub struct Worker {
    /// Tasks it executes at once; at least 1.
    pub slots: u32,
    /// Tasks it may hold: slots plus read-ahead.
    pub window: u32,
    /// Tasks it holds.
    pub in_flight: u32,
    /// Whether it may be given work.
    pub up: bool,
    /// Decaying average of its service times; `None` before its first completion.
    pub ewma_service_ns: Option<f64>,
    /// Decaying average of measured over expected service time; 1 before anything is known.
    pub slowdown: f64,
    /// Tasks it completed.
    pub completed: u64,
    /// Tasks it was given.
    pub assigned: u64,
    /// Sum of the expected service times of the tasks it holds.
    pub work_left_ns: f64,
    /// Free-form properties, such as `gpu` or `zone=a`.
    pub labels: Box<[String]>,
}

impl Worker {
    /// An idle worker that is up.
    pub fn new(slots: u32, window_extra: u32) -> Self {
        let slots = slots.max(1);
        Worker {
            slots,
            window: slots.saturating_add(window_extra),
            in_flight: 0,
            up: true,
            ewma_service_ns: None,
            slowdown: 1.0,
            completed: 0,
            assigned: 0,
            work_left_ns: 0.0,
            labels: Box::default(),
        }
    }

    /// Whether it may be given one more task.
    pub fn free(&self) -> bool {
        self.up && self.in_flight < self.window
    }

    /// Whether one more task would start at once instead of waiting in the window.
    pub fn has_slot(&self) -> bool {
        self.up && self.in_flight < self.slots
    }

    /// Tasks it holds that wait for one of its slots.
    pub fn queued_ahead(&self) -> u32 {
        self.in_flight.saturating_sub(self.slots)
    }

    /// Tasks in flight relative to its slots.
    pub fn load(&self) -> f64 {
        f64::from(self.in_flight) / f64::from(self.slots)
    }

    /// Tasks it was given so far, relative to its slots.
    pub fn given(&self) -> f64 {
        self.assigned as f64 / f64::from(self.slots)
    }
}

/// The workers and the queue as they stand at one moment.
#[derive(Debug, Clone, Default)]
pub struct Fleet {
    /// The moment.
    pub now_ns: u64,
    /// Tasks waiting in the central queue, the one being placed included.
    pub queue_len: usize,
    /// Decaying average of the service times of the whole fleet.
    pub mean_service_ns: Option<f64>,
    workers: Vec<Worker>,
    order: Order,
}

impl Fleet {
    /// A fleet of idle workers.
    pub fn new(config: &FleetConfig) -> Self {
        let worker = Worker::new(config.slots, config.window_extra);
        Fleet::of(vec![worker; config.workers])
    }

    /// A fleet of these workers.
    pub fn of(workers: Vec<Worker>) -> Self {
        let order = Order::of(&workers);
        Fleet { workers, order, ..Fleet::default() }
    }

    /// All workers of the run, by number.
    pub fn workers(&self) -> &[Worker] {
        &self.workers
    }

    /// Changes a worker; one that is not there stays so. `None` if it is not there.
    pub(super) fn update<T>(
        &mut self,
        worker: usize,
        change: impl FnOnce(&mut Worker) -> T,
    ) -> Option<T> {
        let row = self.workers.get_mut(worker)?;
        let before = Standing::of(row);
        let answer = change(row);
        self.order.changed(worker, before, row);
        Some(answer)
    }

    /// Whether worker number `worker` exists, is up and has room in its window.
    pub fn free(&self, worker: usize) -> bool {
        self.workers.get(worker).is_some_and(Worker::free)
    }

    /// Number of workers that may be given a task.
    pub fn free_count(&self) -> usize {
        self.order.free.count()
    }

    /// Numbers of the workers that may be given a task, in ascending order.
    pub fn candidates(&self) -> impl Iterator<Item = usize> {
        self.order.free.iter()
    }

    /// The free worker with `below` free ones before it. Looks at 64 workers at once.
    pub fn nth_free(&self, below: usize) -> Option<usize> {
        self.order.free.nth(below)
    }

    /// The first free worker that is not below number `start`.
    pub fn free_from(&self, start: usize) -> Option<usize> {
        self.order.free.from(start)
    }

    /// The first worker with a free slot.
    pub fn first_with_slot(&self) -> Option<usize> {
        self.order.slot.from(0)
    }

    /// The free worker with the fewest tasks in flight for its slots; of equal ones the one that was
    /// given the fewest so far for its slots, then the lowest-numbered. Takes no search.
    pub fn least_loaded(&self) -> Option<usize> {
        self.order.least_loaded()
    }

    /// The default choice: [`least_loaded`](Self::least_loaded) among those with a free slot. Places
    /// beyond the slots go only to a worker that was given no more than the average so far: no slot
    /// idles for it, and at the end of a backlog those behind have a task or two more to come than
    /// those ahead. `None` if that is nobody. Takes no search.
    pub fn spread(&self) -> Option<usize> {
        let worker = self.least_loaded()?;
        if self.workers[worker].has_slot() {
            return Some(worker);
        }
        let behind = self.order.least_given()?;
        self.order.behind_average(&self.workers[behind]).then_some(behind)
    }

    /// The free worker with the smallest key; of equal ones the lowest-numbered. Looks at each free
    /// worker.
    pub fn least<K: PartialOrd>(&self, mut key: impl FnMut(&Worker) -> K) -> Option<usize> {
        let mut best: Option<(usize, K)> = None;
        for number in self.candidates() {
            let key = key(&self.workers[number]);
            if best.as_ref().is_none_or(|(_, least)| key < *least) {
                best = Some((number, key));
            }
        }
        best.map(|(number, _)| number)
    }

    /// How long `task` is expected to run on `worker`, from its cost estimate corrected by how the
    /// worker kept earlier estimates, else from what the worker, else the fleet, took so far.
    pub fn expected_ns(&self, task: &Task, worker: &Worker) -> Option<f64> {
        match task.expected_ns {
            Some(estimate) => Some(estimate as f64 * worker.slowdown),
            None => worker.ewma_service_ns.or(self.mean_service_ns),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The smallest by looking at all.
    fn naive<K: PartialOrd>(fleet: &Fleet, key: impl Fn(&Worker) -> K) -> Option<usize> {
        let mut best: Option<usize> = None;
        for (number, worker) in fleet.workers.iter().enumerate() {
            let better = |least: usize| key(worker) < key(&fleet.workers[least]);
            if worker.free() && best.is_none_or(better) {
                best = Some(number);
            }
        }
        best
    }

    proptest! {
        #[test]
        fn what_is_kept_in_order_is_what_a_search_finds(
            count in 0_usize..140,
            changes in proptest::collection::vec(
                (any::<prop::sample::Index>(), 0_u32..4, 0_u64..6, 1_u32..4, prop::bool::weighted(0.8)),
                0..80),
        ) {
            let mut fleet = Fleet::of(vec![Worker::new(2, 1); count]);
            prop_assert_eq!(fleet.update(count, |_| ()), None);
            for (at, in_flight, assigned, slots, up) in changes {
                if count > 0 {
                    let changed = fleet.update(at.index(count), |worker| {
                        *worker = Worker { in_flight, up, assigned, ..Worker::new(slots, 1) };
                    });
                    prop_assert_eq!(changed, Some(()));
                }
                let by_load = naive(&fleet, |w| (!w.has_slot(), w.load(), w.given()));
                prop_assert_eq!(fleet.least_loaded(), by_load);
                prop_assert_eq!(fleet.least(Worker::load), naive(&fleet, Worker::load));
                let free: Vec<usize> = (0..count).filter(|n| fleet.free(*n)).collect();
                prop_assert_eq!(fleet.candidates().collect::<Vec<_>>(), free.clone());
                prop_assert_eq!(fleet.free_count(), free.len());
                for nth in (0..=free.len()).step_by(3) {
                    prop_assert_eq!(fleet.nth_free(nth), free.get(nth).copied());
                }
                for start in (0..count + 70).step_by(11) {
                    let next = free.iter().copied().find(|number| *number >= start);
                    prop_assert_eq!(fleet.free_from(start), next);
                }
                let slot = (0..count).find(|number| fleet.workers[*number].has_slot());
                prop_assert_eq!(fleet.first_with_slot(), slot);
                // Nobody with a slot: the one given least, if not ahead of the average.
                let up = || fleet.workers.iter().filter(|worker| worker.up);
                let slots: u64 = up().map(|worker| u64::from(worker.slots)).sum();
                let assigned: u64 = up().map(|worker| worker.assigned).sum();
                let behind = naive(&fleet, Worker::given).filter(|number| {
                    let worker = &fleet.workers[*number];
                    worker.assigned * slots <= assigned * u64::from(worker.slots)
                });
                let spread = by_load.filter(|n| fleet.workers[*n].has_slot()).or(behind);
                prop_assert_eq!(fleet.spread(), spread);
            }
        }
    }
}
