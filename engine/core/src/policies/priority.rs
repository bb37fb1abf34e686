//! `priority`: the most urgent task first, to the least loaded worker.
//!
//! Waiting counts: after every `aging` a task stands one level higher, so nothing starves. A task
//! of priority 0 that came `n * aging` before one of priority `n` runs before it, however many
//! urgent ones keep coming. A long `aging` is nearly strict, a short one nearly first come, first
//! served. See [`Rank`] for why a growing priority needs no re-sorting.
//!
//! Linear ageing as in Kleinrock's time-dependent priorities (1964), with one slope for all.
//!
//! ```
//! use sage_core::policies::{build, parse};
//! use sage_core::schedule::{FleetConfig, Scheduler, Task};
//!
//! let (name, args) = parse("priority(aging: 10s)")?;
//! let fleet = FleetConfig::new(1, 3);
//! let mut scheduler = Scheduler::new(build(&name, &args)?, &fleet, 0, 100, None);
//! for (id, priority) in [(0, 0), (1, 5), (2, 1)] {
//!     scheduler.arrive(Task { priority, ..Task::new(id, 0) }, 0)?;
//! }
//! let placed: Vec<_> = std::iter::from_fn(|| Some(scheduler.next(0)?.task.id)).collect();
//! assert_eq!(placed, [1, 2, 0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use rand::Rng;
use sage_dsl::catalog::{Kind, Param, Signature};

use super::{PolicySpec, Promises, Wants};
use crate::schedule::{Fleet, Policy, Rank, Task, Verdict};

pub(super) const SPEC: PolicySpec = PolicySpec {
    signature: Signature {
        name: "priority",
        summary: "highest priority first, without starving the rest",
        params: &[Param {
            name: "aging",
            kind: Kind::Duration,
            default: Some("10s"),
            doc: "waiting time that is worth one level of priority",
        }],
        example: "schedule { policy: priority(aging: 10s) }",
        takes_fields: false,
    },
    promises: Promises {
        work_conserving: true,
        deterministic: true,
        keeps_order: false,
        starves_nobody: true,
    },
    wants: Some(Wants::Priority),
    build: |args| match args.duration_ns("aging")? {
        aging_ns if aging_ns > 0 => Ok(Box::new(Priority { aging_ns })),
        _ => Err("`aging` must be longer than 0s".to_owned()),
    },
};

struct Priority {
    aging_ns: i64,
}

impl Policy for Priority {
    fn rank(&mut self, task: &Task) -> Rank {
        // Two factors of 64 bits fit 128 with room for the arrival.
        let head_start = i128::from(task.priority) * i128::from(self.aging_ns);
        Rank(i128::from(task.arrived_ns) - head_start)
    }

    fn place(&mut self, _task: &Task, fleet: &Fleet, _rng: &mut dyn Rng) -> Verdict {
        fleet.spread().map_or(Verdict::Hold, Verdict::Run)
    }

    fn reason(&self) -> &'static str {
        "most urgent, fewest in flight"
    }
}
