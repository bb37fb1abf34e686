//! `random`: any free worker, each as likely as the other.
//!
//! The control group: a policy that does not beat it is not worth its code. The stream comes from
//! the run's seed; `seed` selects another stream within the same run.
//!
//! ```
//! use sage_core::policies::{build, parse};
//! use sage_core::schedule::{FleetConfig, Scheduler, Task};
//!
//! let (name, args) = parse("random(seed: 7)")?;
//! let fleet = FleetConfig::new(3, 2);
//! let mut scheduler = Scheduler::new(build(&name, &args)?, &fleet, 0, 100, None);
//! for id in 0..4 {
//!     scheduler.arrive(Task::new(id, 0), 0)?;
//! }
//! let placed: Vec<_> = std::iter::from_fn(|| scheduler.next(0)?.worker()).collect();
//! assert_eq!(placed.len(), 4);
//! assert!(placed.iter().all(|worker| *worker < 3));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use rand::Rng;
use sage_dsl::catalog::{Kind, Param, Signature};

use super::{PolicySpec, Promises, below, spread_seed};
use crate::schedule::{Fleet, Policy, Task, Verdict};

pub(super) const SPEC: PolicySpec = PolicySpec {
    signature: Signature {
        name: "random",
        summary: "any free worker, each as likely",
        params: &[Param {
            name: "seed",
            kind: Kind::Int,
            default: Some("0"),
            doc: "another number makes other choices in the same run",
        }],
        example: "schedule { policy: random(seed: 7) }",
        takes_fields: false,
    },
    promises: Promises {
        work_conserving: true,
        deterministic: false,
        keeps_order: true,
        starves_nobody: true,
    },
    wants: None,
    build: |args| Ok(Box::new(Random { mask: spread_seed(args.int("seed")?) })),
};

struct Random {
    mask: u64,
}

impl Policy for Random {
    fn place(&mut self, _task: &Task, fleet: &Fleet, rng: &mut dyn Rng) -> Verdict {
        let free = fleet.free_count();
        if free == 0 {
            return Verdict::Hold;
        }
        let pick = below(rng.next_u64() ^ self.mask, free);
        fleet.nth_free(pick).map_or(Verdict::Hold, Verdict::Run)
    }

    fn reason(&self) -> &'static str {
        "drawn at random"
    }
}
