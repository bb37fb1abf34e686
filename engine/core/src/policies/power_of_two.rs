//! `power_of_two`: draws two free workers, takes the less loaded.
//!
//! Nearly as even as comparing all, after looking at two: the longest queue falls from
//! log n / log log n to log log n (Mitzenmacher, "The Power of Two Choices in Randomized Load
//! Balancing", IEEE TPDS 2001). Choose it where the loads are known late: many schedulers that all
//! pick the one least loaded worker would overrun it, two random choices do not.
//!
//! ```
//! use sage_core::policies::{build, parse};
//! use sage_core::schedule::{FleetConfig, Scheduler, Task};
//!
//! let (name, args) = parse("power_of_two")?;
//! let fleet = FleetConfig::new(2, 2);
//! let mut scheduler = Scheduler::new(build(&name, &args)?, &fleet, 0, 100, None);
//! for id in 0..4 {
//!     scheduler.arrive(Task::new(id, 0), 0)?;
//! }
//! let placed: Vec<_> = std::iter::from_fn(|| scheduler.next(0)?.worker()).collect();
//! // Of two workers both are drawn, so the less loaded one is always found.
//! assert_eq!(placed.iter().sum::<usize>(), 2);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use rand::Rng;
use sage_dsl::catalog::{Kind, Param, Signature};

use super::{PolicySpec, Promises, below, spread_seed};
use crate::schedule::{Fleet, Policy, Task, Verdict};

pub(super) const SPEC: PolicySpec = PolicySpec {
    signature: Signature {
        name: "power_of_two",
        summary: "the less loaded of two drawn at random",
        params: &[Param {
            name: "seed",
            kind: Kind::Int,
            default: Some("0"),
            doc: "another number makes other choices in the same run",
        }],
        example: "schedule { policy: power_of_two }",
        takes_fields: false,
    },
    promises: Promises {
        work_conserving: true,
        deterministic: false,
        keeps_order: true,
        starves_nobody: true,
    },
    wants: None,
    build: |args| Ok(Box::new(PowerOfTwo { mask: spread_seed(args.int("seed")?) })),
};

struct PowerOfTwo {
    mask: u64,
}

impl Policy for PowerOfTwo {
    fn place(&mut self, _task: &Task, fleet: &Fleet, rng: &mut dyn Rng) -> Verdict {
        let free = fleet.free_count();
        if free == 0 {
            return Verdict::Hold;
        }
        let one = below(rng.next_u64() ^ self.mask, free);
        let Some(first) = fleet.nth_free(one) else { return Verdict::Hold };
        if free == 1 {
            return Verdict::Run(first);
        }
        // The second is drawn from the others: two equal ones would be no choice.
        let other = (one + 1 + below(rng.next_u64() ^ self.mask, free - 1)) % free;
        let Some(second) = fleet.nth_free(other) else { return Verdict::Run(first) };
        // Of equal loads the one drawn first, so that ties do not favour low numbers.
        let load = |worker: usize| fleet.workers()[worker].load();
        Verdict::Run(if load(second) < load(first) { second } else { first })
    }

    fn reason(&self) -> &'static str {
        "less loaded of two drawn"
    }
}
