//! `load_aware`: looks at what every worker has in flight and how fast it has been.
//!
//! The default. Tasks run in order of arrival; the mode says what the load is used for:
//! - `spread`: the worker with the fewest tasks in flight for its slots; of equal ones the one that
//!   was given the fewest so far. Even load, and robust when nothing is known about the tasks.
//! - `balanced`: the worker expected to finish first, from its tasks in flight and its own recent
//!   service times. For workers of different speed.
//! - `pack`: the fullest worker that still has a free slot, so that as few workers as possible are
//!   busy. For fleets that switch idle workers off, or whose caches profit from company.
//!
//! Every mode gives a task a slot before a place in a window. Under a backlog each finished slot is
//! refilled at once, whatever the mode: the counts then follow the workers' speed, and evening them
//! out fully would mean to leave slots idle, which this policy never does.
//!
//! `spread` and `balanced` are the join-shortest-queue rule (Winston 1977) and its form for unequal
//! servers, shortest expected delay (Whitt 1986).
//!
//! ```
//! use sage_core::policies::{build, parse};
//! use sage_core::schedule::{FleetConfig, Scheduler, Task};
//!
//! let (name, args) = parse("load_aware(spread)")?;
//! let fleet = FleetConfig::new(3, 2);
//! let mut scheduler = Scheduler::new(build(&name, &args)?, &fleet, 0, 100, None);
//! for id in 0..4 {
//!     scheduler.arrive(Task::new(id, 0), 0)?;
//! }
//! let placed: Vec<_> = std::iter::from_fn(|| scheduler.next(0)?.worker()).collect();
//! assert_eq!(placed, [0, 1, 2, 0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use rand::Rng;
use sage_dsl::catalog::{Kind, Param, Signature};

use super::{PolicySpec, Promises};
use crate::schedule::{Fleet, Policy, Task, Verdict};

pub(super) const SPEC: PolicySpec = PolicySpec {
    signature: Signature {
        name: "load_aware",
        summary: "by tasks in flight and recent service times",
        params: &[Param {
            name: "mode",
            kind: Kind::Word(&["spread", "balanced", "pack"]),
            default: Some("spread"),
            doc: "even load, first expected to finish, or as few workers as possible",
        }],
        example: "schedule { policy: load_aware(spread) }",
        takes_fields: false,
    },
    promises: Promises {
        work_conserving: true,
        deterministic: true,
        keeps_order: true,
        starves_nobody: true,
    },
    wants: None,
    build: |args| {
        let mode = match args.word("mode")? {
            "balanced" => Mode::Balanced,
            "pack" => Mode::Pack,
            _ => Mode::Spread,
        };
        Ok(Box::new(LoadAware { mode }))
    },
};

#[derive(Clone, Copy)]
enum Mode {
    Spread,
    Balanced,
    Pack,
}

struct LoadAware {
    mode: Mode,
}

impl Policy for LoadAware {
    fn place(&mut self, task: &Task, fleet: &Fleet, _rng: &mut dyn Rng) -> Verdict {
        let worker = match self.mode {
            Mode::Spread => fleet.spread(),
            Mode::Balanced => balanced(task, fleet),
            Mode::Pack => fleet.least(|worker| (!worker.has_slot(), -worker.load())),
        };
        worker.map_or(Verdict::Hold, Verdict::Run)
    }

    fn reason(&self) -> &'static str {
        match self.mode {
            Mode::Spread => "fewest in flight for its slots",
            Mode::Balanced => "expected to finish first",
            Mode::Pack => "fullest with a free slot",
        }
    }
}

/// A worker that has not finished anything yet counts as an average one, and while none has, all
/// count the same, which is `spread`.
fn balanced(task: &Task, fleet: &Fleet) -> Option<usize> {
    fleet.least(|worker| {
        let service = fleet.expected_ns(task, worker).unwrap_or(1.0).max(1.0);
        let share = f64::from(worker.in_flight + 1) / f64::from(worker.slots);
        (!worker.has_slot(), share * service, worker.given())
    })
}
