//! `round_robin`: workers take turns; one that is down or full is passed over.
//!
//! For alike tasks on alike workers it balances perfectly at no cost. It is blind to load: with
//! tasks of very different length, work piles up behind the long ones.
//!
//! ```
//! use sage_core::policies::{build, parse};
//! use sage_core::schedule::{FleetConfig, Scheduler, Task};
//!
//! let (name, args) = parse("round_robin")?;
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
use sage_dsl::catalog::Signature;

use super::{PolicySpec, Promises};
use crate::schedule::{Fleet, Policy, Task, Verdict};

pub(super) const SPEC: PolicySpec = PolicySpec {
    signature: Signature {
        name: "round_robin",
        summary: "workers take turns, whatever their load",
        params: &[],
        example: "schedule { policy: round_robin }",
        takes_fields: false,
    },
    promises: Promises {
        work_conserving: true,
        deterministic: true,
        keeps_order: true,
        starves_nobody: true,
    },
    wants: None,
    build: |_| Ok(Box::new(RoundRobin { next: 0 })),
};

struct RoundRobin {
    next: usize,
}

impl Policy for RoundRobin {
    fn place(&mut self, _task: &Task, fleet: &Fleet, _rng: &mut dyn Rng) -> Verdict {
        let turn = fleet.free_from(self.next).or_else(|| fleet.free_from(0));
        let Some(worker) = turn else { return Verdict::Hold };
        self.next = worker + 1;
        Verdict::Run(worker)
    }

    fn reason(&self) -> &'static str {
        "next in turn"
    }
}
