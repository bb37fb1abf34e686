//! A run in virtual time: the dataflow of a single worker, in the caller's thread, whose clock goes
//! on when nothing is left to be done.
//!
//! The operators, the stages and the files are those of any run. What is different is who moves the
//! time: alarms of operators and what happens outside (the endpoint, a [`World`]) come in order of
//! their times, each as soon as everything before it has been worked off. So half a minute takes as
//! long as what happens in it, and a run is the same every time.

use std::rc::Rc;
use std::time::Instant;

use timely::WorkerConfig;
use timely::communication::Allocator;
use timely::communication::allocator::Thread;
use timely::worker::Worker;

use crate::clock::{Clock, VirtualClock, VirtualTime};
use crate::error::DataflowError;
use crate::worker::{WorkerOutcome, WorkerSetup, one};

/// What happens outside of the dataflow, in the same time.
pub trait World {
    /// When something happens next.
    fn next_ns(&self) -> Option<u64>;

    /// Let it happen: everything up to `now_ns`.
    fn advance(&self, now_ns: u64);
}

/// Steps in a row in which nobody looked at the clock, until all is quiet. Between two operators of
/// ours there is one of timely at most, and each hands on what it has within a step.
const QUIET: u32 = 4;
/// Steps without anything to wait for until a run is given up: the end of a run, when timely's
/// workers agree that nothing is left, takes fewer.
const PATIENCE: u32 = 2_000;
/// No run lasts longer; a week.
const LONGEST_NS: u64 = 7 * 86_400_000_000_000;

/// Run `setup` by the clock `time`. It has one process and one thread, and is not held.
pub fn rehearse(
    setup: WorkerSetup,
    time: VirtualTime,
    world: &dyn World,
) -> Result<WorkerOutcome, DataflowError> {
    let alone = Allocator::Thread(Thread::default());
    // With a timer timely can say that it has nothing to do; none of its own is ever set.
    let mut worker = Worker::new(WorkerConfig::default(), alone, Some(Instant::now()));
    let setup = WorkerSetup { index: 0, sockets: Vec::new(), begin: None, ..setup };
    let clock = Clock::Virtual(Rc::new(VirtualClock::new(time)));
    one(&mut worker, &setup, 1, clock, Some(world))
}

/// Work off what there is to do at this time, then go on to the next one.
pub(crate) fn turn(
    worker: &mut Worker,
    clock: &VirtualClock,
    world: &dyn World,
) -> Result<(), DataflowError> {
    settle(worker, clock, QUIET);
    let next = clock.next_ns().into_iter().chain(world.next_ns()).min();
    let Some(next_ns) = next else {
        settle(worker, clock, PATIENCE);
        let over = !worker.has_dataflows() || clock.next_ns().or(world.next_ns()).is_some();
        return if over {
            Ok(())
        } else {
            Err(DataflowError::Broken(
                "nothing is left to happen, and the run has not ended".into(),
            ))
        };
    };
    if next_ns > LONGEST_NS {
        return Err(DataflowError::Broken("the run takes more than a week of its time".into()));
    }
    let now_ns = next_ns.max(clock.now_ns());
    world.advance(now_ns);
    clock.advance(now_ns);
    Ok(())
}

/// Step until nobody has looked at the clock for `quiet` steps.
fn settle(worker: &mut Worker, clock: &VirtualClock, quiet: u32) {
    let mut still = 0;
    while still < quiet && worker.has_dataflows() {
        let before = clock.looks();
        worker.step();
        still = if clock.looks() == before { still + 1 } else { 0 };
    }
}
