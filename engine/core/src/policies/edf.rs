//! `edf`: earliest deadline first.
//!
//! The task whose result is wanted first runs first, on the least loaded worker. When it is wanted
//! is its due time: the `due` entry of the schedule block, else its `deadline`. Tasks without a due
//! time run after all that have one, in order of arrival; under a load that never lets up they may
//! wait for ever, which is what it means that nobody wants them at any time.
//!
//! If any order keeps all due times on one worker, this one does (Liu and Layland, "Scheduling
//! Algorithms for Multiprogramming in a Hard-Real-Time Environment", 1973), and of all orders it has
//! the least maximal lateness (Jackson, "Scheduling a Production Line to Minimize Maximum
//! Tardiness", 1955). Neither holds for a load that cannot be kept: then it works on what is late
//! already and makes the next late, too. `shortest_first` bears that better, and a `deadline` takes
//! what is hopeless out of the queue.
//!
//! ```
//! use sage_core::policies::{build, parse};
//! use sage_core::schedule::{FleetConfig, Scheduler, Task};
//!
//! let (name, args) = parse("edf")?;
//! let fleet = FleetConfig::new(1, 4);
//! let mut scheduler = Scheduler::new(build(&name, &args)?, &fleet, 0, 100, None);
//! for (id, due_ns) in [(0, None), (1, Some(900)), (2, Some(300)), (3, Some(600))] {
//!     scheduler.arrive(Task { due_ns, ..Task::new(id, 0) }, 0)?;
//! }
//! let placed: Vec<_> = std::iter::from_fn(|| Some(scheduler.next(0)?.task.id)).collect();
//! assert_eq!(placed, [2, 3, 1, 0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use rand::Rng;
use sage_dsl::catalog::Signature;

use super::{PolicySpec, Promises, Wants};
use crate::schedule::{Fleet, Policy, Rank, Task, Verdict};

pub(super) const SPEC: PolicySpec = PolicySpec {
    signature: Signature {
        name: "edf",
        summary: "earliest due time first",
        params: &[],
        example: "schedule { policy: edf }",
        takes_fields: false,
    },
    promises: Promises {
        work_conserving: true,
        deterministic: true,
        keeps_order: false,
        starves_nobody: false,
    },
    wants: Some(Wants::Due),
    build: |_| Ok(Box::new(EarliestDeadline)),
};

struct EarliestDeadline;

/// Further than any moment of a run: what is ranked beyond it comes after all that is due.
const NEVER: i128 = 1 << 64;

impl Policy for EarliestDeadline {
    fn rank(&mut self, task: &Task) -> Rank {
        Rank(match task.due_ns {
            Some(due_ns) => i128::from(due_ns),
            None => NEVER + i128::from(task.arrived_ns),
        })
    }

    fn place(&mut self, _task: &Task, fleet: &Fleet, _rng: &mut dyn Rng) -> Verdict {
        fleet.spread().map_or(Verdict::Hold, Verdict::Run)
    }

    fn reason(&self) -> &'static str {
        "due first, fewest in flight"
    }
}
