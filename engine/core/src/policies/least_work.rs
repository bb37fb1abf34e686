//! `least_work`: the worker with the least expected work left.
//!
//! Counts time instead of tasks: what a worker holds is summed up from the stages' cost models,
//! corrected by how the worker kept earlier estimates, or from its recent service times where there
//! is no estimate. Choose it for tasks of very different length, where ten short ones are less than
//! one long one. While nothing is known it falls back to the number of tasks.
//!
//! Optimal-in-the-limit routing by workload; see Harchol-Balter, "Performance Modeling and Design
//! of Computer Systems" (2013), chapter 24, on least-work-left.
//!
//! ```
//! use sage_core::policies::{build, parse};
//! use sage_core::schedule::{FleetConfig, Scheduler, Task};
//!
//! let (name, args) = parse("least_work")?;
//! let fleet = FleetConfig::new(2, 4);
//! let mut scheduler = Scheduler::new(build(&name, &args)?, &fleet, 0, 100, None);
//! for id in 0..5 {
//!     // The first is as long as all others together.
//!     let expected_ns = Some(if id == 0 { 40 } else { 10 });
//!     scheduler.arrive(Task { expected_ns, ..Task::new(id, 0) }, 0)?;
//! }
//! let placed: Vec<_> = std::iter::from_fn(|| scheduler.next(0)?.worker()).collect();
//! assert_eq!(placed, [0, 1, 1, 1, 1]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use rand::Rng;
use sage_dsl::catalog::Signature;

use super::{PolicySpec, Promises};
use crate::schedule::{Fleet, Policy, Task, Verdict};

pub(super) const SPEC: PolicySpec = PolicySpec {
    signature: Signature {
        name: "least_work",
        summary: "least expected work left, in time instead of tasks",
        params: &[],
        example: "schedule { policy: least_work }",
        takes_fields: false,
    },
    promises: Promises {
        work_conserving: true,
        deterministic: true,
        keeps_order: true,
        starves_nobody: true,
    },
    wants: None,
    build: |_| Ok(Box::new(LeastWork)),
};

struct LeastWork;

impl Policy for LeastWork {
    fn place(&mut self, task: &Task, fleet: &Fleet, _rng: &mut dyn Rng) -> Verdict {
        let worker = fleet.least(|worker| {
            // The task's own time is part of it: on a slow worker it is longer.
            let own = fleet.expected_ns(task, worker).unwrap_or(0.0);
            let left = (worker.work_left_ns + own) / f64::from(worker.slots);
            (!worker.has_slot(), left, worker.load(), worker.assigned)
        });
        worker.map_or(Verdict::Hold, Verdict::Run)
    }

    fn reason(&self) -> &'static str {
        "least expected work left"
    }
}
