//! The run's clock: nanoseconds since the run began, the same for all processes of a host.
//!
//! Operators see a [`Clock`]: that of the host, or one that a rehearsal sets (see
//! [`crate::rehearse`]). They also leave it to the clock to rouse them later.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use timely::scheduling::Activator;

/// Reads the host's monotonic clock relative to the start of the run.
#[derive(Debug, Clone, Copy)]
pub struct RunClock {
    origin_ns: u64,
}

impl RunClock {
    /// A clock that reads 0 at `origin_ns` of the host's monotonic clock.
    pub fn new(origin_ns: u64) -> Self {
        RunClock { origin_ns }
    }

    /// The host's monotonic clock, for the supervisor to choose the origin.
    pub fn host_ns() -> u64 {
        let now = clock_gettime(ClockId::Monotonic);
        now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
    }

    /// A time of the host's clock on the run's.
    pub fn of_host(self, host_ns: u64) -> u64 {
        host_ns.saturating_sub(self.origin_ns)
    }

    /// Nanoseconds since the run began.
    pub fn now_ns(self) -> u64 {
        self.of_host(Self::host_ns())
    }
}

/// A time that nobody but its owner lets go on, nanoseconds since the beginning.
#[derive(Debug, Clone, Default)]
pub struct VirtualTime(Arc<AtomicU64>);

impl VirtualTime {
    /// The time.
    pub fn now_ns(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    fn set(&self, now_ns: u64) {
        self.0.store(now_ns, Ordering::Release);
    }
}

/// The clock of a worker's operators.
#[derive(Clone)]
pub(crate) enum Clock {
    /// That of the host.
    Host(RunClock),
    /// One that only goes on when nothing is left to be done at its time.
    Virtual(Rc<VirtualClock>),
}

impl Clock {
    /// Nanoseconds since the run began.
    pub(crate) fn now_ns(&self) -> u64 {
        match self {
            Clock::Host(clock) => clock.now_ns(),
            Clock::Virtual(clock) => clock.read(),
        }
    }

    /// For the time between two moments.
    pub(crate) fn stopwatch_ns(&self) -> u64 {
        match self {
            Clock::Host(_) => RunClock::host_ns(),
            Clock::Virtual(clock) => clock.read(),
        }
    }

    /// A time of the host's clock on the run's.
    pub(crate) fn of_host(&self, host_ns: u64) -> u64 {
        match self {
            Clock::Host(clock) => clock.of_host(host_ns),
            Clock::Virtual(_) => host_ns,
        }
    }

    /// Rouse an operator after `wait`.
    pub(crate) fn rouse_after(&self, operator: &Activator, wait: Duration) {
        match self {
            Clock::Host(_) => operator.activate_after(wait),
            Clock::Virtual(clock) => clock.rouse_after(operator.clone(), wait),
        }
    }

    /// The virtual clock, if it is one.
    pub(crate) fn as_virtual(&self) -> Option<&VirtualClock> {
        match self {
            Clock::Host(_) => None,
            Clock::Virtual(clock) => Some(clock),
        }
    }
}

/// See [`Clock::Virtual`].
pub(crate) struct VirtualClock {
    time: VirtualTime,
    /// How often somebody has looked: whoever does something looks at the clock.
    looks: Cell<u64>,
    /// Operators to be roused, in order of time and of asking.
    alarms: RefCell<BinaryHeap<Reverse<(u64, u64)>>>,
    asked: RefCell<Vec<Option<Activator>>>,
}

impl VirtualClock {
    pub(crate) fn new(time: VirtualTime) -> Self {
        VirtualClock {
            time,
            looks: Cell::default(),
            alarms: RefCell::default(),
            asked: RefCell::default(),
        }
    }

    fn read(&self) -> u64 {
        self.looks.set(self.looks.get() + 1);
        self.time.now_ns()
    }

    pub(crate) fn looks(&self) -> u64 {
        self.looks.get()
    }

    pub(crate) fn now_ns(&self) -> u64 {
        self.time.now_ns()
    }

    /// Time passes while an operator is at work.
    pub(crate) fn pass(&self, ns: u64) {
        self.time.set(self.time.now_ns().saturating_add(ns));
    }

    fn rouse_after(&self, operator: Activator, wait: Duration) {
        let wait = u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX);
        let mut asked = self.asked.borrow_mut();
        let alarm = (self.time.now_ns().saturating_add(wait), asked.len() as u64);
        asked.push(Some(operator));
        self.alarms.borrow_mut().push(Reverse(alarm));
    }

    /// The next alarm.
    pub(crate) fn next_ns(&self) -> Option<u64> {
        self.alarms.borrow().peek().map(|Reverse((at_ns, _))| *at_ns)
    }

    /// Go on to `now_ns`, and rouse whom it is time for.
    pub(crate) fn advance(&self, now_ns: u64) {
        self.time.set(now_ns.max(self.time.now_ns()));
        let mut alarms = self.alarms.borrow_mut();
        let mut asked = self.asked.borrow_mut();
        while let Some(Reverse((at_ns, number))) = alarms.peek().copied() {
            if at_ns > self.time.now_ns() {
                break;
            }
            alarms.pop();
            if let Some(operator) = asked.get_mut(number as usize).and_then(Option::take) {
                operator.activate();
            }
        }
        if alarms.is_empty() {
            asked.clear();
        }
    }
}
