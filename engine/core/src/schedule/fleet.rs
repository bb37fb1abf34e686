//! `Fleet`: all a policy may know about the workers, as a read-only view.
//!
//! Load is kept apart from choice: the scheduler maintains these estimates, policies only compare
//! them. The rows are small and lie side by side, so that a scan over a thousand workers stays in
//! the cache.

use super::Task;

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
}

/// The workers and the queue as they stand at one moment.
#[derive(Debug, Clone, Default)]
pub struct Fleet {
    /// The moment.
    pub now_ns: u64,
    /// Tasks waiting in the central queue, the one being placed included.
    pub queue_len: usize,
    /// All workers of the run, by number.
    pub workers: Vec<Worker>,
    /// Decaying average of the service times of the whole fleet.
    pub mean_service_ns: Option<f64>,
}

impl Fleet {
    /// A fleet of idle workers.
    pub fn new(config: &FleetConfig) -> Self {
        let worker = Worker::new(config.slots, config.window_extra);
        Fleet { workers: vec![worker; config.workers], ..Fleet::default() }
    }

    /// Whether worker number `worker` exists, is up and has room in its window.
    pub fn free(&self, worker: usize) -> bool {
        self.workers.get(worker).is_some_and(Worker::free)
    }

    /// Numbers of the workers that may be given a task, in ascending order.
    pub fn candidates(&self) -> impl Iterator<Item = usize> {
        self.workers
            .iter()
            .enumerate()
            .filter(|(_, worker)| worker.free())
            .map(|(number, _)| number)
    }

    /// The free worker with the smallest key; of equal ones the lowest-numbered.
    pub fn least<K: PartialOrd>(&self, mut key: impl FnMut(&Worker) -> K) -> Option<usize> {
        let mut best: Option<(usize, K)> = None;
        for (number, worker) in self.workers.iter().enumerate() {
            if worker.free() {
                let key = key(worker);
                if best.as_ref().is_none_or(|(_, least)| key < *least) {
                    best = Some((number, key));
                }
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
