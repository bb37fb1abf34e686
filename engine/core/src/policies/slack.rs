//! `slack`: least slack first, the slack of a task being what is left to wait for.
//!
//! Slack is the time to the due time less the time the task still needs: its longest chain of
//! stages, from the stages' cost models and from what earlier tasks took. Two tasks that are due at
//! the same moment are not equally urgent if one has a long generation before it and the other only
//! a look-up; `edf` does not see that, this does.
//!
//! The rank is due time less critical path and does not change while the task waits: `now` is the
//! same for all at any moment and cancels out, and a task that waits here has all of its chain still
//! before it. (Slack that shrinks while tasks run is what makes least slack preempt all the time on
//! a processor; a task that has been dispatched is not taken back.)
//!
//! Tasks without a due time come after all that have one, as if each were due at its arrival: of
//! those that came together the longest chain first, which is the order that ends a batch early
//! (Graham, "Bounds on Multiprocessing Timing Anomalies", 1969), and otherwise by arrival. A task
//! whose chain is not known counts as an average one, and while nothing is known this is `edf`.
//!
//! Least slack: Mok, "Fundamental Design Problems of Distributed Systems for the Hard-Real-Time
//! Environment" (1983); in job shops Conway, Maxwell and Miller, "Theory of Scheduling" (1967).
//!
//! ```
//! use sage_core::policies::{build, parse};
//! use sage_core::schedule::{FleetConfig, Scheduler, Task};
//!
//! let (name, args) = parse("slack")?;
//! let fleet = FleetConfig::new(1, 4);
//! let mut scheduler = Scheduler::new(build(&name, &args)?, &fleet, 0, 100, None);
//! for (id, due_ns, critical_ns) in [(0, 500, 100), (1, 600, 400), (2, 700, 100)] {
//!     let (due_ns, critical_ns) = (Some(due_ns), Some(critical_ns));
//!     scheduler.arrive(Task { due_ns, critical_ns, ..Task::new(id, 0) }, 0)?;
//! }
//! let placed: Vec<_> = std::iter::from_fn(|| Some(scheduler.next(0)?.task.id)).collect();
//! // The second is due later than the first and still has less time to lose.
//! assert_eq!(placed, [1, 0, 2]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use rand::Rng;
use sage_dsl::catalog::Signature;

use super::{HALF_LIFE, PolicySpec, Promises, Wants};
use crate::schedule::{Average, Fleet, Observation, Policy, Rank, Task, Verdict};

pub(super) const SPEC: PolicySpec = PolicySpec {
    signature: Signature {
        name: "slack",
        summary: "least time to lose first: due time less what its stages still need",
        params: &[],
        example: "schedule { policy: slack }",
        takes_fields: false,
    },
    promises: Promises {
        work_conserving: true,
        deterministic: true,
        keeps_order: false,
        starves_nobody: false,
    },
    wants: Some(Wants::Due),
    build: |_| Ok(Box::new(LeastSlack { service: Average::new(HALF_LIFE) })),
};

struct LeastSlack {
    /// What tasks took, for those of which nothing else is known.
    service: Average,
}

/// Further than any moment of a run is from its beginning, in both directions.
const NEVER: i128 = 1 << 66;

impl Policy for LeastSlack {
    fn rank(&mut self, task: &Task) -> Rank {
        let known = task.critical_ns.or(task.expected_ns);
        let needs = known.unwrap_or_else(|| self.service.get().unwrap_or(0.0) as u64);
        Rank(match task.due_ns {
            Some(due_ns) => i128::from(due_ns) - i128::from(needs),
            None => NEVER + i128::from(task.arrived_ns) - i128::from(needs),
        })
    }

    fn place(&mut self, _task: &Task, fleet: &Fleet, _rng: &mut dyn Rng) -> Verdict {
        fleet.spread().map_or(Verdict::Hold, Verdict::Run)
    }

    fn reason(&self) -> &'static str {
        "least slack, fewest in flight"
    }

    fn observe(&mut self, observation: &Observation) {
        if let Observation::Completed { service_ns, ok: true, .. } = observation {
            self.service.observe(*service_ns as f64);
        }
    }
}
