//! `weighted_fair`: tenants share the workers by weight, however many tasks each has waiting.
//!
//! Whose a task is says the `fair` entry of the schedule block, such as `fair: .tenant`. While
//! several tenants have tasks waiting, each gets its share of the work; a share that is not used is
//! used by the others, and cannot be saved up. Weights are given by name, as in
//! `weighted_fair(weights: "gold=3, silver=2")`; who is not named weighs 1.
//!
//! Start-time fair queueing (Goyal, Vin and Cheng, "Start-Time Fair Queuing: A Scheduling Algorithm
//! for Integrated Services Packet Switching Networks", 1996). A task's start tag is the finish tag
//! of its tenant's previous task, but no less than the virtual time, which is the start tag of the
//! task that was placed last; its finish tag lies cost / weight later. The least start tag runs
//! first. A tag is fixed on arrival, so the tag is the rank. For tenants that both always have tasks
//! waiting, the placed cost per weight never differs by more than one task of each.
//!
//! The cost of a task is its expected time relative to the average one, and 1 where that is not
//! known. The tasks of one tenant run in order of arrival. Nobody starves while the number of
//! tenants is bounded: each newcomer has a right to its share.
//!
//! ```
//! use sage_core::policies::{build, parse};
//! use sage_core::record::Datum;
//! use sage_core::schedule::{FleetConfig, Scheduler, Task, key};
//!
//! let (name, args) = parse(r#"weighted_fair(weights: "gold=2")"#)?;
//! let fleet = FleetConfig::new(1, 6);
//! let mut scheduler = Scheduler::new(build(&name, &args)?, &fleet, 0, 100, None);
//! let (gold, other) = (key(Datum::Str("gold")), key(Datum::Str("other")));
//! for (id, flow) in [other, other, other, gold, gold, gold].into_iter().enumerate() {
//!     scheduler.arrive(Task { flow, ..Task::new(id as u64, 0) }, 0)?;
//! }
//! let placed: Vec<_> = std::iter::from_fn(|| Some(scheduler.next(0)?.task.id)).collect();
//! // It came last, and has two for each of the other's.
//! assert_eq!(placed, [0, 3, 4, 1, 5, 2]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use rand::Rng;
use rustc_hash::FxHashMap;
use sage_dsl::catalog::{Kind, Param, Signature};

use super::{HALF_LIFE, PolicySpec, Promises, Wants};
use crate::record::Datum;
use crate::schedule::{Average, Fleet, Observation, Policy, Rank, Task, Verdict, key};

pub(super) const SPEC: PolicySpec = PolicySpec {
    signature: Signature {
        name: "weighted_fair",
        summary: "shares the workers between tenants by weight",
        params: &[Param {
            name: "weights",
            kind: Kind::String,
            default: Some("\"\""),
            doc: "weights by tenant, as in \"gold=3, silver=2\"; others weigh 1",
        }],
        example: "schedule { policy: weighted_fair(weights: \"gold=3, silver=2\") }",
        takes_fields: false,
    },
    promises: Promises {
        work_conserving: true,
        deterministic: true,
        keeps_order: false,
        starves_nobody: true,
    },
    wants: Some(Wants::Fair),
    build: |args| {
        Ok(Box::new(WeightedFair {
            weights: weights(args.text("weights")?)?,
            flows: FxHashMap::default(),
            queued: FxHashMap::default(),
            virtual_time: 0,
            expected: Average::new(HALF_LIFE),
        }))
    },
};

/// Tags are whole numbers: an average task of weight 1 is so long.
const UNIT: f64 = 1_048_576.0;

/// A task costs at least this part of an average one and at most this multiple, so that no estimate
/// makes a task free or shuts a tenant out.
const COSTS: std::ops::RangeInclusive<f64> = 0.001..=1000.0;

/// Weights below and above would be a mistake.
const WEIGHTS: std::ops::RangeInclusive<f64> = 0.001..=1000.0;

/// Most tenants without waiting tasks that are remembered.
const MOST_IDLE: usize = 1 << 16;

struct WeightedFair {
    weights: FxHashMap<u64, f64>,
    flows: FxHashMap<u64, Flow>,
    /// Start tags of the tasks that wait, for the virtual time.
    queued: FxHashMap<u64, i128>,
    virtual_time: i128,
    expected: Average,
}

struct Flow {
    /// Finish tag of its last task.
    finish: i128,
    /// Its tasks that wait.
    waiting: u32,
}

impl WeightedFair {
    /// Tags between the start and the finish of a task.
    fn span(&mut self, task: &Task) -> i128 {
        let expected = task.expected_ns.map(|ns| ns as f64);
        expected.into_iter().for_each(|ns| self.expected.observe(ns));
        let cost = match (expected, self.expected.get()) {
            (Some(expected), Some(mean)) if mean > 0.0 => expected / mean,
            _ => 1.0,
        };
        let cost = cost.clamp(*COSTS.start(), *COSTS.end());
        let weight = self.weights.get(&task.flow).copied().unwrap_or(1.0);
        (UNIT * cost / weight).round() as i128
    }

    /// A task no longer waits; returns its start tag.
    fn left(&mut self, task: &Task) -> Option<i128> {
        let start = self.queued.remove(&task.id)?;
        if let Some(flow) = self.flows.get_mut(&task.flow) {
            flow.waiting = flow.waiting.saturating_sub(1);
        }
        Some(start)
    }

    /// Forgets tenants of whom nothing is left to remember: nobody waits, and the next task would
    /// start at the virtual time anyway. If too many still owe something, that is forgotten, too; it
    /// is no more than a part of the last task of each.
    fn forget(&mut self) {
        if self.queued.is_empty() {
            // The end of a busy period ends all debts.
            self.flows.clear();
        } else if self.flows.len() > MOST_IDLE + self.queued.len() {
            let now = self.virtual_time;
            self.flows.retain(|_, flow| flow.waiting > 0 || flow.finish > now);
            if self.flows.len() > MOST_IDLE / 2 + self.queued.len() {
                self.flows.retain(|_, flow| flow.waiting > 0);
            }
        }
    }
}

impl Policy for WeightedFair {
    fn rank(&mut self, task: &Task) -> Rank {
        self.forget();
        let span = self.span(task);
        let now = self.virtual_time;
        let flow = self.flows.entry(task.flow).or_insert(Flow { finish: now, waiting: 0 });
        let start = flow.finish.max(now);
        flow.finish = start + span;
        flow.waiting += 1;
        self.queued.insert(task.id, start);
        Rank(start)
    }

    fn place(&mut self, task: &Task, fleet: &Fleet, _rng: &mut dyn Rng) -> Verdict {
        let Some(worker) = fleet.spread() else { return Verdict::Hold };
        if let Some(start) = self.left(task) {
            self.virtual_time = self.virtual_time.max(start);
        }
        Verdict::Run(worker)
    }

    fn reason(&self) -> &'static str {
        "least served tenant, fewest in flight"
    }

    fn observe(&mut self, observation: &Observation) {
        if let Observation::Left(task) = observation {
            self.left(task);
        }
    }
}

/// Reads `name=weight, name=weight`.
fn weights(text: &str) -> Result<FxHashMap<u64, f64>, String> {
    let mut weights = FxHashMap::default();
    for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
        let (name, weight) =
            entry.split_once('=').ok_or(format!("`{entry}` is no weight such as `gold=3`"))?;
        let weight = weight.trim().parse().ok().filter(|weight| WEIGHTS.contains(weight));
        let weight =
            weight.ok_or(format!("the weight in `{entry}` must be a number from 0.001 to 1000"))?;
        if weights.insert(key(Datum::Str(name.trim())), weight).is_some() {
            return Err(format!("`{}` is weighed twice", name.trim()));
        }
    }
    Ok(weights)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_pcg::Pcg64Mcg;

    use super::*;
    use crate::schedule::FleetConfig;

    fn policy(weights: &str) -> WeightedFair {
        WeightedFair {
            weights: super::weights(weights).unwrap(),
            flows: FxHashMap::default(),
            queued: FxHashMap::default(),
            virtual_time: 0,
            expected: Average::new(HALF_LIFE),
        }
    }

    #[test]
    fn any_number_of_tenants_of_one_task_each_leave_a_bounded_memory() {
        let (mut policy, mut rng) = (policy(""), Pcg64Mcg::seed_from_u64(0));
        let fleet = Fleet::new(&FleetConfig::new(1, 1));
        // One tenant has tasks waiting all the time, so that no busy period ends.
        policy.rank(&Task { flow: 1, ..Task::new(0, 0) });
        for id in 1..300_000 {
            let task = Task { flow: 1 + id, ..Task::new(id, 0) };
            policy.rank(&task);
            if id % 3 == 0 {
                policy.observe(&Observation::Left(task));
            } else {
                policy.place(&task, &fleet, &mut rng);
            }
            assert!(policy.flows.len() <= MOST_IDLE + 3);
        }
        assert_eq!(policy.queued.len(), 1);
        policy.observe(&Observation::Left(Task { flow: 1, ..Task::new(0, 0) }));
        policy.rank(&Task::new(0, 0));
        assert_eq!((policy.flows.len(), policy.queued.len()), (1, 1));
    }

    #[test]
    fn weights_are_read_by_name_and_numbers_too() {
        let weights = weights(" gold = 3 ,7=0.5,").unwrap();
        assert_eq!(weights.len(), 2);
        assert_eq!(weights.get(&key(Datum::Str("gold"))), Some(&3.0));
        assert_eq!(weights.get(&key(Datum::Int(7))), Some(&0.5));
        for wrong in ["gold", "gold=", "gold=NaN", "gold=-1", "gold=1e9", "a=1,a=1"] {
            assert!(super::weights(wrong).is_err(), "{wrong}");
        }
    }
}
