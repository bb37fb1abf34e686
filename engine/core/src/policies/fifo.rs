//! `fifo`: first come, first served, by the lowest-numbered worker that is free.
//!
//! The baseline, and the right choice when tasks are alike and it matters that they start in the
//! order they came. It fills low-numbered workers first, so its balance is poor whenever the load
//! is below capacity; `load_aware` costs hardly more and spreads.
//! Takes a worker with a free slot before one where the task would wait in the window.
//!
//! ```
//! use sage_core::policies::{build, parse};
//! use sage_core::schedule::{FleetConfig, Scheduler, Task};
//!
//! let (name, args) = parse("fifo")?;
//! let fleet = FleetConfig::new(3, 2);
//! let mut scheduler = Scheduler::new(build(&name, &args)?, &fleet, 0, 100, None);
//! for id in 0..4 {
//!     scheduler.arrive(Task::new(id, 0), 0)?;
//! }
//! let placed: Vec<_> = std::iter::from_fn(|| scheduler.next(0)?.worker()).collect();
//! assert_eq!(placed, [0, 0, 1, 1]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use rand::Rng;
use sage_dsl::catalog::Signature;

use super::{PolicySpec, Promises};
use crate::schedule::{Fleet, Policy, Task, Verdict};

pub(super) const SPEC: PolicySpec = PolicySpec {
    signature: Signature {
        name: "fifo",
        summary: "order of arrival, lowest-numbered free worker",
        params: &[],
        example: "schedule { policy: fifo }",
        takes_fields: false,
    },
    promises: Promises {
        work_conserving: true,
        deterministic: true,
        keeps_order: true,
        starves_nobody: true,
    },
    wants: None,
    build: |_| Ok(Box::new(Fifo)),
};

struct Fifo;

impl Policy for Fifo {
    fn place(&mut self, _task: &Task, fleet: &Fleet, _rng: &mut dyn Rng) -> Verdict {
        let worker = fleet.first_with_slot().or_else(|| fleet.free_from(0));
        worker.map_or(Verdict::Hold, Verdict::Run)
    }

    fn reason(&self) -> &'static str {
        "first free worker"
    }
}
