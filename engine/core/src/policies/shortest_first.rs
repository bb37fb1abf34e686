//! `shortest_first`: the task expected to take least runs first.
//!
//! Of all orders of a backlog this one has the least mean latency (Smith, "Various Optimizers for
//! Single-Stage Production", 1956; Schrage, "A Proof of the Optimality of the Shortest Remaining
//! Processing Time Discipline", 1968, for tasks that may be interrupted): each short task that goes
//! first lets one long task wait a little and spares the short one a long wait. Choose it for mixes
//! of short and long tasks when the mean counts; the longest tasks pay for it.
//!
//! Waiting counts, so that nothing starves: `aging` of waiting is worth one second of length. A task
//! that takes a second longer than another runs before it if it came `aging` earlier, and no task of
//! length `s` seconds is passed by one that came more than `s * aging` after it. With `30s` a task
//! of two seconds may be passed by newcomers for a minute. See [`Rank`] for why no re-sorting is
//! needed.
//!
//! How long a task takes is its estimate from the stages' cost models or from earlier tasks. One
//! without an estimate counts as an average one of those that completed, and while none has, all
//! count the same, which is order of arrival.
//!
//! ```
//! use sage_core::policies::{build, parse};
//! use sage_core::schedule::{FleetConfig, Scheduler, Task};
//!
//! let (name, args) = parse("shortest_first(aging: 30s)")?;
//! let fleet = FleetConfig::new(1, 4);
//! let mut scheduler = Scheduler::new(build(&name, &args)?, &fleet, 0, 100, None);
//! let second = 1_000_000_000;
//! for (id, arrived_s, takes_s) in [(0, 0, 9), (1, 0, 2), (2, 10, 1), (3, 100, 1)] {
//!     let expected_ns = Some(takes_s * second);
//!     scheduler.arrive(Task { expected_ns, ..Task::new(id, arrived_s * second) }, 100 * second)?;
//! }
//! let placed: Vec<_> = std::iter::from_fn(|| Some(scheduler.next(0)?.task.id)).collect();
//! // The last is shorter than the second, but came more than 30 s later.
//! assert_eq!(placed, [2, 1, 3, 0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use rand::Rng;
use sage_dsl::catalog::{Kind, Param, Signature};

use super::{HALF_LIFE, PolicySpec, Promises};
use crate::schedule::{Average, Fleet, Observation, Policy, Rank, Task, Verdict};

pub(super) const SPEC: PolicySpec = PolicySpec {
    signature: Signature {
        name: "shortest_first",
        summary: "shortest expected time first, without starving the rest",
        params: &[Param {
            name: "aging",
            kind: Kind::Duration,
            default: Some("30s"),
            doc: "waiting time that is worth one second of expected time",
        }],
        example: "schedule { policy: shortest_first(aging: 30s) }",
        takes_fields: false,
    },
    promises: Promises {
        work_conserving: true,
        deterministic: true,
        keeps_order: false,
        starves_nobody: true,
    },
    wants: None,
    build: |args| match args.duration_ns("aging")? {
        aging_ns if aging_ns > 0 => {
            Ok(Box::new(ShortestFirst { aging_ns, service: Average::new(HALF_LIFE) }))
        }
        _ => Err("`aging` must be longer than 0s".to_owned()),
    },
};

const SECOND_NS: i128 = 1_000_000_000;

struct ShortestFirst {
    aging_ns: i64,
    /// What tasks took, for those without an estimate.
    service: Average,
}

impl Policy for ShortestFirst {
    fn rank(&mut self, task: &Task) -> Rank {
        let expected = task.expected_ns.unwrap_or_else(|| self.service.get().unwrap_or(0.0) as u64);
        // A signed and an unsigned factor of 64 bits fit 128, and the quotient leaves room.
        let handicap = i128::from(expected) * i128::from(self.aging_ns) / SECOND_NS;
        Rank(i128::from(task.arrived_ns) + handicap)
    }

    fn place(&mut self, _task: &Task, fleet: &Fleet, _rng: &mut dyn Rng) -> Verdict {
        fleet.spread().map_or(Verdict::Hold, Verdict::Run)
    }

    fn reason(&self) -> &'static str {
        "shortest, fewest in flight"
    }

    fn observe(&mut self, observation: &Observation) {
        if let Observation::Completed { service_ns, ok: true, .. } = observation {
            self.service.observe(*service_ns as f64);
        }
    }
}
