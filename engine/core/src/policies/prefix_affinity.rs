//! `prefix_affinity`: tasks that have something in common go to the same worker.
//!
//! What they have in common is the `affinity` entry of the schedule block: a document, a
//! conversation, the beginning of a prompt. Each key has a home, and stays there while the home has
//! a free place and is not busier than the least loaded worker by more than `spread` tasks; beyond
//! that it goes to the next worker in the key's own order that is not. So a popular key has a second home and a third,
//! always the same ones, instead of burying one worker, and what a worker has in its caches is used
//! again. Tasks without a key are spread by load.
//!
//! A key's order is a stream of draws from a hash of the key: nothing is remembered, and the loss of
//! a worker moves no other worker's keys. Consistent hashing with bounded loads: Mirrokni, Thorup and
//! Zadimoghaddam (2018); drawing the next worker instead of taking the neighbour on the circle, which
//! would be flooded, is from Chen, Coleman and Shrivastava, "Revisiting Consistent Hashing with
//! Bounded Loads" (2021). Routers of model servers weigh cached prefixes against load in the same
//! way: Zheng et al., "SGLang: Efficient Execution of Structured Language Model Programs" (2024);
//! Srivatsa et al., "Preble: Efficient Distributed Prompt Scheduling for LLM Serving" (2024).
//!
//! ```
//! use sage_core::policies::{build, parse};
//! use sage_core::schedule::{FleetConfig, Scheduler, Task};
//!
//! let (name, args) = parse("prefix_affinity(spread: 2)")?;
//! let fleet = FleetConfig::new(4, 8);
//! let mut scheduler = Scheduler::new(build(&name, &args)?, &fleet, 0, 100, None);
//! for id in 0..4 {
//!     scheduler.arrive(Task { affinity: 77, ..Task::new(id, 0) }, 0)?;
//! }
//! let placed: Vec<_> = std::iter::from_fn(|| scheduler.next(0)?.worker()).collect();
//! // Its home takes three, which are two more than others have got before.
//! assert!(placed[0] == placed[1] && placed[1] == placed[2]);
//! assert_ne!(placed[3], placed[0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use rand::Rng;
use sage_dsl::catalog::{Kind, Param, Signature};

use super::{PolicySpec, Promises, Wants, below, mixed};
use crate::schedule::{Fleet, Policy, Task, Verdict};

pub(super) const SPEC: PolicySpec = PolicySpec {
    signature: Signature {
        name: "prefix_affinity",
        summary: "equal affinity keys to the same worker while its load allows",
        params: &[Param {
            name: "spread",
            kind: Kind::Int,
            default: Some("2"),
            doc: "tasks by which a key's worker may be busier than the least loaded one; a full one is left",
        }],
        example: "schedule { policy: prefix_affinity(spread: 2) }",
        takes_fields: false,
    },
    promises: Promises {
        work_conserving: true,
        deterministic: true,
        keeps_order: true,
        starves_nobody: true,
    },
    wants: Some(Wants::Affinity),
    build: |args| match u32::try_from(args.int("spread")?) {
        Ok(spread) => Ok(Box::new(PrefixAffinity { spread: f64::from(spread), reason: BY_LOAD })),
        Err(_) => Err("`spread` must be from 0 to 4294967295".to_owned()),
    },
};

/// So many workers of a key's order are looked at; then the least loaded one takes it. More than a
/// few draws are only needed when nearly all workers are at the bound.
const MOST_DRAWS: u64 = 64;

const BY_LOAD: &str = "no key, fewest in flight";
const HOME: &str = "at home";
const AWAY: &str = "home too busy, next in the key's order";
const LEAST: &str = "its workers too busy, fewest in flight";

struct PrefixAffinity {
    spread: f64,
    reason: &'static str,
}

impl Policy for PrefixAffinity {
    fn place(&mut self, task: &Task, fleet: &Fleet, _rng: &mut dyn Rng) -> Verdict {
        if task.affinity == 0 {
            self.reason = BY_LOAD;
            return fleet.spread().map_or(Verdict::Hold, Verdict::Run);
        }
        let Some(least_loaded) = fleet.least_loaded() else { return Verdict::Hold };
        let workers = fleet.workers();
        let least = workers[least_loaded].load();
        self.reason = HOME;
        for draw in 0..MOST_DRAWS {
            let number = drawn(task.affinity, draw, workers.len());
            let worker = &workers[number];
            let most = least * f64::from(worker.slots) + self.spread;
            if worker.free() && f64::from(worker.in_flight) <= most {
                return Verdict::Run(number);
            }
            // A worker that is down is nobody's home.
            if worker.up {
                self.reason = AWAY;
            }
        }
        self.reason = LEAST;
        Verdict::Run(least_loaded)
    }

    fn reason(&self) -> &'static str {
        self.reason
    }
}

/// The worker at a place in a key's order: SplitMix64 seeded by the key.
fn drawn(key: u64, draw: u64, workers: usize) -> usize {
    let state = key.wrapping_add((draw + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    below(mixed(state), workers)
}
