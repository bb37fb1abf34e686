//! Policies against what they claim: the order of the queue by a naive search at each decision, the
//! shares of tenants, homes of keys, gaps in time.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use sage_core::record::Datum;
use sage_core::schedule::{FleetConfig, Outcome, Scheduler, Task, key};

use super::harness::{MS, Run, SECOND, policy};

/// How urgent a waiting task is at this moment; the least runs first.
type Urgency = fn(now_ns: i128, task: &Task) -> i128;

const AGING_NS: i128 = 250 * MS as i128;
const FAR: i128 = 1 << 100;

/// Rules as one would say them, with the time that has passed in them.
const RULES: [(&str, Urgency); 5] = [
    ("fifo", |now, task| -(now - i128::from(task.arrived_ns))),
    ("priority(aging: 250ms)", |now, task| {
        let waited = now - i128::from(task.arrived_ns);
        -(i128::from(task.priority) * AGING_NS + waited)
    }),
    ("edf", |now, task| {
        let arrived = i128::from(task.arrived_ns);
        task.due_ns.map_or(FAR + arrived, |due| i128::from(due) - now)
    }),
    ("slack", |now, task| {
        let needs = i128::from(task.critical_ns.unwrap());
        let due = task.due_ns.map_or(FAR + i128::from(task.arrived_ns), i128::from);
        due - now - needs
    }),
    ("shortest_first(aging: 250ms)", |now, task| {
        let waited = now - i128::from(task.arrived_ns);
        // In seconds of length it would be `expected - waited / aging`.
        i128::from(task.expected_ns.unwrap()) * AGING_NS / i128::from(SECOND) - waited
    }),
];

prop_compose! {
    fn known_task()(
        priority in -3_i64..4,
        expected_ns in 0..2 * SECOND,
        critical_ns in 0..2 * SECOND,
        due_ns in proptest::option::of(0..9 * SECOND),
    ) -> Task {
        let (expected_ns, critical_ns) = (Some(expected_ns), Some(critical_ns));
        Task { priority, expected_ns, critical_ns, due_ns, ..Task::new(0, 0) }
    }
}

proptest! {
    /// One worker with one slot: each time it is free, the task that it gets is the one that a look
    /// at all that wait finds most urgent now. So a rank that is fixed on arrival is enough.
    #[test]
    fn the_next_task_is_the_most_urgent_of_all_that_wait(
        steps in proptest::collection::vec((0..SECOND, proptest::option::of(known_task())), 1..200),
    ) {
        for (text, urgency) in RULES {
            let fleet = FleetConfig { window_extra: 0, ..FleetConfig::new(1, 1) };
            let mut scheduler = Scheduler::new(policy(text), &fleet, 0, 10, None);
            let mut waiting: BTreeMap<u64, Task> = BTreeMap::new();
            let mut running: Option<u64> = None;
            let mut now = 0;
            for (id, (pause, arriving)) in (0..).zip(&steps) {
                now += pause;
                if let Some(task) = arriving {
                    let due_ns = task.due_ns.map(|due| now + due);
                    let task = Task { id, arrived_ns: now, due_ns, ..*task };
                    scheduler.arrive(task, now).unwrap();
                    waiting.insert(id, task);
                } else if let Some(done) = running.take() {
                    scheduler.complete(done, 0, MS, true, now).unwrap();
                }
                if running.is_none() {
                    let first = waiting.values().min_by_key(|task| {
                        (urgency(i128::from(now), task), task.id)
                    });
                    let first = first.map(|task| task.id);
                    let placed = scheduler.next(now).map(|decision| decision.task.id);
                    prop_assert_eq!(placed, first, "{}", text);
                    running = placed;
                    placed.iter().for_each(|id| { waiting.remove(id); });
                }
            }
        }
    }

    /// Over all pairs of a run: nobody is passed by one that came so much later.
    #[test]
    fn shortest_first_bounds_who_may_pass(
        tasks in proptest::collection::vec((0..SECOND, known_task()), 2..80),
    ) {
        let mut now = 0;
        let numbered = (0..).zip(tasks).map(|(id, (gap, task))| {
            now += gap;
            Task { id, arrived_ns: now, ..task }
        });
        let tasks: Vec<Task> = numbered.collect();
        let fleet = FleetConfig { window_extra: 0, ..FleetConfig::new(1, 1) };
        let mut run = Run::new("shortest_first(aging: 250ms)", &fleet, 0, None);
        run.run(&tasks, &mut |task, _| task.expected_ns.unwrap());
        let mut passed: Vec<&Task> = Vec::new();
        for (id, _) in &run.trace {
            let task = &tasks[*id as usize];
            let aging_ns = AGING_NS as u64 * task.expected_ns.unwrap() / SECOND;
            for other in &passed {
                prop_assert!(other.arrived_ns <= task.arrived_ns + aging_ns);
            }
            passed.push(task);
        }
    }

    /// A token bucket over any stretch of time, and no slower than it has to be.
    #[test]
    fn staggered_keeps_the_gap_and_wastes_no_time(
        arrivals in proptest::collection::vec(0..60 * MS, 1..80), burst in 1_usize..4,
    ) {
        let gap = 20 * MS;
        let mut now = 0;
        let tasks: Vec<Task> = (0..).zip(&arrivals).map(|(id, pause)| {
            now += pause;
            Task::new(id, now)
        }).collect();
        let text = format!("staggered(gap: 20ms, burst: {burst})");
        let mut run = Run::new(&text, &FleetConfig::new(2, 100), 0, None);
        run.run(&tasks, &mut |_, _| 5 * MS);
        prop_assert_eq!(run.trace.len(), tasks.len());
        for (first, from) in run.placed_ns.iter().enumerate() {
            for (last, until) in run.placed_ns.iter().enumerate().skip(first + burst) {
                let steps = (last - first + 1 - burst) as u64;
                prop_assert!(until - from >= steps * gap, "{first} to {last}");
            }
        }
        // Slots are never short here, so the naive bucket says exactly when each is placed.
        let (mut tokens, mut filled, mut free_at) = (burst as u64 * gap, 0, 0);
        for (task, placed) in tasks.iter().zip(&run.placed_ns) {
            let mut at = task.arrived_ns.max(free_at);
            tokens = (tokens + at - filled).min(burst as u64 * gap);
            if tokens < gap {
                at += gap - tokens;
                tokens = gap;
            }
            filled = at;
            tokens -= gap;
            free_at = at;
            prop_assert_eq!(*placed, at);
        }
    }

    /// Whatever is placed by its key, no worker is busier than the least loaded by more than the
    /// spread when it is given one more.
    #[test]
    fn prefix_affinity_bounds_the_spread(
        keys in proptest::collection::vec((0..8 * MS, 1_u64..6), 1..150),
        workers in 1_usize..7, spread in 0_u32..5,
    ) {
        let mut now = 0;
        let tasks: Vec<Task> = (0..).zip(&keys).map(|(id, (gap, affinity))| {
            now += gap;
            Task { affinity: *affinity, ..Task::new(id, now) }
        }).collect();
        let text = format!("prefix_affinity(spread: {spread})");
        let mut run = Run::new(&text, &FleetConfig::new(workers, 3), 0, None);
        run.look = Box::new(move |task, worker, loads| {
            let least = loads.iter().min().unwrap();
            assert!(loads[worker] <= least + spread, "task {} on {worker}: {loads:?}", task.id);
        });
        run.run(&tasks, &mut |task, _| (1 + task.id % 30) * MS);
    }
}

#[test]
fn an_unknown_time_counts_as_the_average_of_what_completed() {
    for text in ["shortest_first", "slack"] {
        let fleet = FleetConfig { window_extra: 0, ..FleetConfig::new(1, 1) };
        let mut scheduler = Scheduler::new(policy(text), &fleet, 0, 10, None);
        for (id, took) in [(0, 2), (1, 4)] {
            scheduler.arrive(Task::new(id, 0), 0).unwrap();
            scheduler.next(0).unwrap();
            scheduler.complete(id, 0, took * SECOND, true, 0).unwrap();
        }
        // A failure says nothing about how long a task takes.
        scheduler.arrive(Task::new(2, 0), 0).unwrap();
        scheduler.next(0).unwrap();
        scheduler.complete(2, 0, 900 * SECOND, false, 0).unwrap();
        for (id, expected) in [(10, Some(2)), (11, None), (12, Some(4))] {
            let expected_ns = expected.map(|seconds| seconds * SECOND);
            let task = Task { expected_ns, due_ns: Some(99 * SECOND), ..Task::new(id, 0) };
            scheduler.arrive(task, 0).unwrap();
        }
        let mut order = Vec::new();
        while let Some(decision) = scheduler.next(0) {
            order.push(decision.task.id);
            scheduler.complete(decision.task.id, 0, SECOND, true, 0).unwrap();
        }
        let expected = if text == "slack" { [12, 11, 10] } else { [10, 11, 12] };
        assert_eq!(order, expected, "{text}");
    }
}

#[test]
fn tasks_that_wait_are_ranked_by_what_is_known_by_now() {
    for (text, expected) in [("shortest_first", [2, 1, 3]), ("slack", [3, 1, 2])] {
        let fleet = FleetConfig { window_extra: 0, ..FleetConfig::new(1, 1) };
        let mut scheduler = Scheduler::new(policy(text), &fleet, 0, 10, None);
        for id in 0..4 {
            scheduler.arrive(Task::new(id, 0), 0).unwrap();
        }
        assert_eq!(scheduler.next(0).unwrap().task.id, 0);
        scheduler.revise(|task| {
            let seconds = [9, 2, 1, 3][task.id as usize];
            task.expected_ns = Some(seconds * SECOND);
        });
        let mut order = Vec::new();
        for done in [0, expected[0], expected[1]] {
            scheduler.complete(done, 0, SECOND, true, 0).unwrap();
            let decision = scheduler.next(0).unwrap();
            assert!(decision.task.expected_ns.is_some());
            order.push(decision.task.id);
        }
        assert_eq!(order, expected, "{text}");
    }
}

/// Work done for each flow after `steps` placements; all flows have tasks waiting all the time.
/// `flows`: number and expected time of its tasks.
fn shares(text: &str, flows: &[(u64, u64)], steps: usize) -> BTreeMap<u64, f64> {
    let fleet = FleetConfig { window_extra: 0, ..FleetConfig::new(1, 1) };
    let mut scheduler = Scheduler::new(policy(text), &fleet, 0, 10, None);
    let mut id = 0;
    let mut arrive = |scheduler: &mut Scheduler, flow: u64, takes: u64| {
        // 0 is nothing known.
        let expected_ns = Some(takes).filter(|takes| *takes > 0);
        scheduler.arrive(Task { flow, expected_ns, ..Task::new(id, 0) }, 0).unwrap();
        id += 1;
    };
    for (flow, takes) in flows {
        (0..10).for_each(|_| arrive(&mut scheduler, *flow, *takes));
    }
    let mut work = BTreeMap::new();
    for step in 0..steps {
        let task = scheduler.next(0).unwrap().task;
        scheduler.complete(task.id, 0, MS, true, 0).unwrap();
        let takes = task.expected_ns.unwrap_or(0);
        *work.entry(task.flow).or_default() += takes.max(1) as f64;
        arrive(&mut scheduler, task.flow, takes);
        // Looking at the waiting tasks again must not change who gets what.
        if step % 500 == 0 {
            scheduler.revise(|_| ());
        }
    }
    work
}

#[test]
fn weighted_fair_gives_each_flow_its_share_of_the_work() {
    let flow = |name: &str| key(Datum::Str(name));
    let (gold, silver, other) = (flow("gold"), flow("silver"), flow("other"));
    let weighted = r#"weighted_fair(weights: "gold=3, silver=2")"#;
    let cases = [
        ("weighted_fair", [0, 0, 0], [1.0, 1.0, 1.0]),
        (weighted, [0, 0, 0], [3.0, 2.0, 1.0]),
        // By work, not by number: a tenant's long tasks count for more.
        ("weighted_fair", [10 * MS, 40 * MS, 20 * MS], [1.0, 1.0, 1.0]),
        (weighted, [10 * MS, 40 * MS, 20 * MS], [3.0, 2.0, 1.0]),
    ];
    for (text, takes, weights) in cases {
        let flows = [(gold, takes[0]), (silver, takes[1]), (other, takes[2])];
        let work = shares(text, &flows, 6000);
        let sum: f64 = work.values().sum();
        let of: f64 = weights.iter().sum();
        for ((flow, _), weight) in flows.iter().zip(weights) {
            let (found, due) = (work[flow] / sum, weight / of);
            assert!((found - due).abs() < 0.02 * due, "{text} {takes:?}: {found}, due {due}");
        }
    }
}

#[test]
fn a_tenant_that_was_away_has_saved_nothing_and_owes_nothing() {
    let mut scheduler =
        Scheduler::new(policy("weighted_fair"), &FleetConfig::new(1, 200), 0, 10, None);
    let mut placed = Vec::new();
    let arrive = |scheduler: &mut Scheduler, ids: std::ops::Range<u64>, flow: u64| {
        for id in ids {
            scheduler.arrive(Task { flow, ..Task::new(id, 0) }, 0).unwrap();
        }
    };
    arrive(&mut scheduler, 0..60, 1);
    for _ in 0..30 {
        placed.push(scheduler.next(0).unwrap().task.flow);
    }
    // The other comes with as many as are left: from here on they take turns.
    arrive(&mut scheduler, 100..130, 2);
    while let Some(decision) = scheduler.next(0) {
        placed.push(decision.task.flow);
    }
    let late = &placed[30..];
    assert_eq!(late.len(), 60);
    for turn in 1..=late.len() {
        let second = late[..turn].iter().filter(|flow| **flow == 2).count();
        assert!((second as f64 - turn as f64 / 2.0).abs() <= 1.0, "{late:?}");
    }
}

/// Share of tasks that went where most of their key's tasks went.
fn at_home(text: &str, keys: u64) -> f64 {
    let mut rng = Pcg64Mcg::seed_from_u64(5);
    let tasks: Vec<Task> = (0..4000)
        .map(|id| Task { affinity: 1 + rng.next_u64() % keys, ..Task::new(id, id * MS) })
        .collect();
    let mut run = Run::new(text, &FleetConfig::new(8, 8), 0, None);
    // Half of the slots are busy on average.
    run.run(&tasks, &mut |task, _| (20 + task.id * 31 % 25) * MS);
    let mut counts: BTreeMap<u64, BTreeMap<usize, u64>> = BTreeMap::new();
    for (task, worker) in &run.trace {
        let of_key = counts.entry(tasks[*task as usize].affinity).or_default();
        *of_key.entry(*worker).or_default() += 1;
    }
    let home: u64 = counts.values().map(|of_key| of_key.values().max().unwrap()).sum();
    home as f64 / tasks.len() as f64
}

#[test]
fn prefix_affinity_keeps_keys_together_where_load_alone_scatters_them() {
    let blind = at_home("load_aware", 200);
    let [tight, usual, loose] =
        [0, 2, 8].map(|spread| at_home(&format!("prefix_affinity(spread: {spread})"), 200));
    assert!(usual > 0.7 && usual > 2.0 * blind, "{usual}, by load alone {blind}");
    assert!(tight < usual && usual < loose, "{tight} {usual} {loose}");
    assert!(loose > 0.99, "{loose}");
}

#[test]
fn a_lost_worker_moves_only_its_own_keys() {
    let fleet = FleetConfig::new(6, 4);
    let homes = |lost: Option<usize>| {
        let mut scheduler = Scheduler::new(policy("prefix_affinity"), &fleet, 0, 10, None);
        let mut homes = BTreeMap::new();
        let mut id = 0;
        let mut round = |scheduler: &mut Scheduler| {
            for affinity in 1..100 {
                scheduler.arrive(Task { affinity, ..Task::new(id, 0) }, 0).unwrap();
                let decision = scheduler.next(0).unwrap();
                let Outcome::Placed { worker } = decision.outcome else { panic!() };
                scheduler.complete(id, worker, MS, true, 0).unwrap();
                homes.insert(affinity, worker);
                id += 1;
            }
        };
        // Once before, so that what is remembered has to be given up.
        round(&mut scheduler);
        lost.iter().for_each(|lost| drop(scheduler.worker_down(*lost, 0)));
        round(&mut scheduler);
        homes
    };
    let before = homes(None);
    assert_eq!(before.values().collect::<BTreeSet<_>>().len(), 6);
    for lost in 0..6 {
        for (affinity, home) in homes(Some(lost)) {
            assert_ne!(home, lost);
            assert!(home == before[&affinity] || before[&affinity] == lost);
        }
    }
}
