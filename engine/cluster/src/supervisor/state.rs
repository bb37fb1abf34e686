//! What the supervisor knows about each worker, shared by its threads.
//!
//! A worker's end is seen by three threads (exit, closed socket, silence). They all report here, and
//! this is the one place that decides what counts as a loss and reports it once.

use std::net::SocketAddr;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::Arrivals;
use super::event::{ClusterEvent, LossCause, Lost};
use super::refusals::Refusals;
use crate::launcher::{Exit, WorkerProcess};
use crate::link::Link;

pub(super) struct Shared {
    pub(super) members: Vec<Member>,
    pub(super) events: SyncSender<ClusterEvent>,
    pub(super) heartbeat_timeout: Duration,
    state: Mutex<State>,
    changed: Condvar,
}

/// The two handles on a worker; each is set once.
#[derive(Default)]
pub(super) struct Member {
    pub(super) process: OnceLock<Arc<dyn WorkerProcess>>,
    pub(super) link: OnceLock<Arc<Link>>,
}

pub(super) struct State {
    pub(super) slots: Vec<Slot>,
    /// All workers are at work; from here on silence counts.
    pub(super) running: bool,
    /// The cluster is being ended; losses are not news any more.
    pub(super) stopping: bool,
    pub(super) losses: Vec<Lost>,
    pub(super) refusals: Refusals,
}

/// The life of one worker.
pub(super) struct Slot {
    pub(super) claimed: bool,
    pub(super) mesh: Option<SocketAddr>,
    pub(super) meshed: bool,
    pub(super) finished: bool,
    pub(super) closed: bool,
    pub(super) exit: Option<Exit>,
    lost: bool,
    /// A frame of the worker waits for the application to take events. The worker may be held up by
    /// that, so meanwhile its silence is not held against it.
    delivering: bool,
    seen: Instant,
}

impl Shared {
    pub(super) fn new(
        workers: usize,
        heartbeat_timeout: Duration,
        events: SyncSender<ClusterEvent>,
    ) -> Self {
        let slot = || Slot {
            claimed: false,
            mesh: None,
            meshed: false,
            finished: false,
            closed: false,
            exit: None,
            lost: false,
            delivering: false,
            seen: Instant::now(),
        };
        Self {
            members: (0..workers).map(|_| Member::default()).collect(),
            events,
            heartbeat_timeout,
            state: Mutex::new(State {
                slots: (0..workers).map(|_| slot()).collect(),
                running: false,
                stopping: false,
                losses: Vec::new(),
                refusals: Refusals::default(),
            }),
            changed: Condvar::new(),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and wakes whoever waits for a change.
    pub(super) fn update<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.lock());
        self.changed.notify_all();
        result
    }

    /// Waits until `ready` holds; false if the deadline came first.
    pub(super) fn wait(&self, deadline: Instant, ready: impl Fn(&State) -> bool) -> bool {
        let left = deadline.saturating_duration_since(Instant::now());
        let (state, _) = self
            .changed
            .wait_timeout_while(self.lock(), left, |state| !ready(state))
            .unwrap_or_else(PoisonError::into_inner);
        ready(&state)
    }

    /// Who has joined, and who was refused.
    pub(super) fn arrivals(&self) -> Arrivals {
        let state = self.lock();
        Arrivals {
            joined: state.slots.iter().filter(|slot| slot.mesh.is_some()).count(),
            workers: state.slots.len(),
            refusals: state.refusals.clone(),
        }
    }

    /// Where a worker is and what it said last, as far as its launcher knows.
    pub(super) fn note(&self, worker: usize) -> Option<String> {
        let process = self.members[worker].process.get()?;
        let host = process.host().map(|host| format!(" on host {host}")).unwrap_or_default();
        let words = process.last_stderr();
        let words = words.trim();
        match (host.is_empty(), words.is_empty()) {
            (true, true) => None,
            (_, true) => Some(format!("worker {worker}{host} has said nothing")),
            _ => Some(format!("worker {worker}{host} said last: {words}")),
        }
    }

    /// A frame came from the worker.
    pub(super) fn seen(&self, worker: usize) {
        self.lock().slots[worker].seen = Instant::now();
    }

    /// Hands an event to the application, which may take its time: the queue has a bound, and what
    /// does not fit waits in the worker's socket.
    pub(super) fn deliver(&self, worker: usize, event: ClusterEvent) {
        self.lock().slots[worker].delivering = true;
        // An error means the cluster is being ended and nobody listens any more.
        let _ = self.events.send(event);
        let mut state = self.lock();
        state.slots[worker].delivering = false;
        state.slots[worker].seen = Instant::now();
    }

    /// Reports a worker as lost, unless it was before, is finished or is being ended.
    pub(super) fn lose(&self, worker: usize, cause: LossCause) {
        let at = Instant::now();
        {
            let mut state = self.lock();
            let slot = &mut state.slots[worker];
            let harmless = match cause {
                // A launcher that cannot tell is believed to have nothing bad to tell.
                LossCause::Exited(exit) => exit.success() || exit == Exit::Unknown,
                LossCause::Silent(_) | LossCause::Disconnected => true,
            };
            let told = slot.lost || (slot.finished && harmless);
            if told || state.stopping {
                return;
            }
            state.slots[worker].lost = true;
        }
        let member = &self.members[worker];
        if let Some(link) = member.link.get() {
            link.close();
        }
        let process = member.process.get();
        let last_stderr = process.map_or(String::new(), |process| process.last_stderr());
        let lost = Lost { worker, cause, last_stderr, at };
        self.update(|state| state.losses.push(lost.clone()));
        let _ = self.events.send(ClusterEvent::Lost(lost));
        // What was given up must not come back and write. The kill follows the report, because its
        // peers will notice the kill at once and their reports are to come after this one.
        if let Some(process) = process.filter(|_| !matches!(cause, LossCause::Exited(_))) {
            let _ = process.kill();
        }
    }

    /// Workers whose silence is over the limit, with its length.
    pub(super) fn silent(&self, now: Instant) -> Vec<(usize, Duration)> {
        let state = self.lock();
        let slots = state.slots.iter().enumerate();
        slots
            .filter(|(_, slot)| state.running && !slot.lost && !slot.finished && !slot.delivering)
            .map(|(worker, slot)| (worker, now.saturating_duration_since(slot.seen)))
            .filter(|(_, silence)| *silence > self.heartbeat_timeout)
            .collect()
    }

    /// Gives every worker a new heartbeat timeout.
    pub(super) fn forgive(&self) {
        let now = Instant::now();
        self.lock().slots.iter_mut().for_each(|slot| slot.seen = now);
    }
}
