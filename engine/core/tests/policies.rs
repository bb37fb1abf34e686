//! Properties that hold for every policy in the registry: a new one is tested by being listed.
//!
//! Four kinds of test. *Choice*: `place` on arbitrary fleets, also ones a run would never reach.
//! *Trace*: whole runs through the scheduler in simulated time, with workers lost and regained.
//! *Quality*: what a policy is for, such as the balance of `load_aware`. *Oracle* (`oracles.rs`): a
//! policy's order, computed naively at each decision, and the bounds that it claims.

#![expect(clippy::unwrap_used, reason = "in a test a failed unwrap is a failed test")]

#[path = "policies/harness.rs"]
mod harness;
#[path = "policies/oracles.rs"]
mod oracles;

use std::collections::BTreeSet;

use harness::{MS, Run, SECOND, any_task, any_tasks, named, policy, variants};
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use sage_core::metrics::balance;
use sage_core::policies::{POLICIES, build, parse, signatures};
use sage_core::schedule::{Fleet, FleetConfig, ScheduleError, Task, Verdict, Worker};

prop_compose! {
    fn any_worker()(
        slots in 1_u32..9, extra in 0_u32..3, held in 0_u32..13, up: bool,
        ewma in proptest::option::of(0.0..1e12_f64), assigned in 0_u64..1000,
        work_left_ns in 0.0..1e12_f64, slowdown in 0.0..100.0_f64,
    ) -> Worker {
        let mut worker = Worker::new(slots, extra);
        worker.in_flight = held.min(worker.window);
        worker.up = up;
        worker.ewma_service_ns = ewma;
        worker.assigned = assigned;
        worker.work_left_ns = work_left_ns;
        worker.slowdown = slowdown;
        worker
    }
}

proptest! {
    #[test]
    fn no_policy_picks_a_worker_that_is_down_or_full(
        workers in proptest::collection::vec(any_worker(), 0..20),
        mean_service_ns in proptest::option::of(0.0..1e12_f64),
        task in any_task(), priority: i64, expected_ns: Option<u64>, due_ns: Option<u64>, seed: u64,
    ) {
        let mut fleet = Fleet::of(workers);
        fleet.now_ns = 7;
        fleet.queue_len = 1;
        fleet.mean_service_ns = mean_service_ns;
        // No number may overflow.
        let task = Task { id: 1, arrived_ns: u64::MAX, priority, expected_ns, due_ns, ..task };
        for text in variants() {
            let mut policy = policy(&text);
            policy.rank(&task);
            let mut rng = Pcg64Mcg::seed_from_u64(seed);
            for _ in 0..4 {
                match policy.place(&task, &fleet, &mut rng) {
                    Verdict::Run(worker) => prop_assert!(fleet.free(worker), "{text}"),
                    Verdict::Hold | Verdict::Shed(_) => {
                        let may_hold = !fleet.workers().iter().any(Worker::has_slot)
                            || !named(&text).promises.work_conserving;
                        prop_assert!(may_hold, "{text} held a task");
                    }
                }
            }
        }
    }

    #[test]
    fn runs_lose_nothing_repeat_by_seed_and_keep_their_promises(
        tasks in any_tasks(), workers in 1_usize..6, slots in 1_u32..4,
        seed: u64, services in proptest::collection::vec(MS..40 * MS, 16),
        deadline in proptest::option::of(MS..100 * MS),
    ) {
        let fleet = FleetConfig::new(workers, slots);
        for text in variants() {
            let trace = |seed| {
                let mut run = Run::new(&text, &fleet, seed, deadline);
                run.run(&tasks, &mut |task, worker| {
                    services[(task.id as usize + 3 * worker) % services.len()]
                });
                (run.trace, run.late, run.completed, run.scheduler)
            };
            let (placed, late, completed, scheduler) = trace(seed);
            prop_assert_eq!(scheduler.violations(), 0);
            prop_assert_eq!((scheduler.queue_len(), scheduler.in_flight()), (0, 0));
            // in = placed + late, each task once, and every placement completed.
            let once: BTreeSet<u64> =
                placed.iter().map(|(task, _)| *task).chain(late.iter().copied()).collect();
            prop_assert_eq!(once.len(), tasks.len(), "{}", text);
            prop_assert_eq!(placed.len() + late.len(), tasks.len(), "{}", text);
            prop_assert_eq!(completed.iter().sum::<u64>() as usize, placed.len(), "{}", text);
            prop_assert_eq!(trace(seed).0, placed.clone(), "{} differs from itself", text);
            let promises = named(&text).promises;
            if promises.deterministic {
                prop_assert_eq!(trace(!seed).0, placed.clone(), "{} drew at random", text);
            }
            if promises.keeps_order {
                prop_assert!(placed.is_sorted_by_key(|(task, _)| *task), "{}", text);
            }
        }
    }

    #[test]
    fn tasks_that_are_ranked_anew_without_new_knowledge_keep_their_order(
        tasks in any_tasks(), at in 0_usize..120,
    ) {
        let at = at.min(tasks.len());
        // What `weighted_fair` has served is forgotten by it, no more than a task a tenant.
        for text in variants().into_iter().filter(|text| text != "weighted_fair") {
            let order = |revise: bool| {
                let mut run = Run::new(&text, &FleetConfig::new(2, 2), 1, None);
                let mut service = |task: &Task, _: usize| (1 + task.id % 7) * MS;
                run.run(&tasks[..at], &mut service);
                for task in &tasks[at..] {
                    run.scheduler.arrive(*task, task.arrived_ns).unwrap();
                }
                if revise {
                    // Numbers and arrivals cannot be changed.
                    run.scheduler.revise(|task| (task.id, task.arrived_ns) = (0, 0));
                }
                run.decide(tasks[tasks.len() - 1].arrived_ns, &mut service);
                run.advance(u64::MAX, &mut service);
                run.trace
            };
            prop_assert_eq!(order(true), order(false), "{}", text);
        }
    }

    #[test]
    fn tasks_of_a_lost_worker_come_back_and_complete_once(
        tasks in any_tasks(), workers in 2_usize..5, lost in 0_usize..2, at in 0_usize..120,
    ) {
        let at = at.min(tasks.len() - 1);
        for text in variants() {
            let mut run = Run::new(&text, &FleetConfig::new(workers, 2), 1, None);
            let mut service = |task: &Task, _: usize| (1 + task.id % 7) * MS;
            run.run(&tasks[..at], &mut service);
            // The last of those before may have been placed later than the next arrives.
            let now = tasks[at].arrived_ns.max(run.placed_ns.last().copied().unwrap_or(0));
            for task in &tasks[at..] {
                run.scheduler.arrive(Task { arrived_ns: now, ..*task }, now).unwrap();
            }
            run.decide(now, &mut service);
            let back = run.scheduler.worker_down(lost, now);
            prop_assert_eq!(run.scheduler.fleet().workers()[lost].in_flight, 0);
            for task in &back {
                let late_report = run.scheduler.complete(task.id, lost, 1, true, now);
                prop_assert_eq!(late_report, Err(ScheduleError::NotInFlight(task.id)));
                run.scheduler.arrive(*task, now).unwrap();
            }
            run.decide(now, &mut service);
            run.advance(u64::MAX, &mut service);
            run.scheduler.worker_up(lost, now);
            prop_assert!(run.scheduler.fleet().free(lost));
            prop_assert_eq!((run.scheduler.queue_len(), run.scheduler.in_flight()), (0, 0));
            prop_assert_eq!(run.completed.iter().sum::<u64>() as usize, tasks.len(), "{}", text);
        }
    }
}

#[test]
fn when_only_time_passes_every_task_is_placed() {
    for text in variants() {
        // Slots for all, so that no completion is needed, and none comes.
        let mut run = Run::new(&text, &FleetConfig::new(3, 40), 1, None);
        let mut now = 0;
        for id in 0..60 {
            let task =
                Task { due_ns: Some(99), flow: id % 3, affinity: id % 5, ..Task::new(id, 0) };
            run.scheduler.arrive(task, 0).unwrap();
        }
        run.decide(now, &mut |_, _| SECOND);
        while let Some(wake) = run.scheduler.next_wake_ns() {
            assert!(wake > now, "{text}: a timer that is over rings for ever");
            now = wake;
            run.decide(now, &mut |_, _| SECOND);
        }
        assert_eq!((run.trace.len(), run.scheduler.queue_len()), (60, 0), "{text}");
    }
}

/// Where in the order of placements the least favoured of tasks is, number `least`, while favoured
/// ones keep coming, twice as many as the worker can do.
fn place_of_the_least_favoured(text: &str, least: u64, stream: u64) -> usize {
    let fleet = FleetConfig { window_extra: 0, ..FleetConfig::new(1, 1) };
    let mut run = Run::new(text, &fleet, 0, None);
    let favoured = |id: u64| Task {
        priority: 3,
        expected_ns: Some(2 * SECOND),
        critical_ns: Some(2 * SECOND),
        due_ns: Some((id + 1) * SECOND),
        flow: 1 + id % 5,
        affinity: 1,
        ..Task::new(id, id * SECOND)
    };
    let mut tasks: Vec<Task> = (0..stream).map(favoured).collect();
    let victim = &mut tasks[least as usize];
    *victim = Task {
        priority: -2,
        expected_ns: Some(10 * SECOND),
        flow: 99,
        affinity: 2,
        ..Task::new(least, victim.arrived_ns)
    };
    run.run(&tasks, &mut |_, _| 2 * SECOND);
    run.trace.iter().position(|(task, _)| *task == least).unwrap()
}

#[test]
fn who_starves_nobody_lets_no_stream_of_others_decide_how_long_a_task_waits() {
    for text in variants() {
        // One that comes just before the worker is free, and one that comes just after.
        let places = [4, 5].map(|least| {
            [1000, 2000].map(|stream| place_of_the_least_favoured(&text, least, stream))
        });
        let starves = places.iter().any(|[short, long]| short != long);
        assert_eq!(starves, !named(&text).promises.starves_nobody, "{text}: {places:?}");
    }
}

#[test]
fn the_registry_is_sorted_and_lists_every_file() {
    let names: Vec<&str> = signatures().iter().map(|signature| signature.name).collect();
    assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/policies");
    let files: BTreeSet<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .filter(|stem| !["mod", "args", "error", "parse"].contains(&stem.as_str()))
        .collect();
    assert_eq!(files, names.iter().map(|name| (*name).to_owned()).collect());
    for signature in signatures() {
        let call = signature.example.strip_prefix("schedule { policy: ").unwrap();
        let call = call.strip_suffix(" }").unwrap();
        assert_eq!(parse(call).unwrap().0, signature.name);
        policy(call);
    }
}

#[test]
fn a_name_that_is_like_none_is_answered_with_all_of_them() {
    let error = build("teapot", &[]).err().unwrap().to_string();
    for signature in signatures() {
        assert!(error.contains(signature.name), "{error}");
    }
    assert!(error.starts_with("unknown policy `teapot`; there are edf, "), "{error}");
    assert!(error.ends_with("(see `sage-flow list policies`)"), "{error}");
}

#[test]
fn wrong_arguments_are_told_apart() {
    let cases = [
        ("fifoo", "unknown policy `fifoo`, did you mean `fifo`?"),
        ("FIFO", "unknown policy `FIFO`, did you mean `fifo`?"),
        ("fifo(1)", "policy `fifo` takes at most 0 arguments"),
        ("random(sead: 1)", "policy `random` has no parameter `sead`, did you mean `seed`?"),
        ("random(1, seed: 1)", "policy `random`: `seed` is given twice"),
        ("random(1s)", "policy `random`: `seed` must be a whole number"),
        (
            "load_aware(fast)",
            "policy `load_aware`: `mode` must be one of `spread`, `balanced`, `pack`",
        ),
        ("priority(aging: 0s)", "policy `priority`: `aging` must be longer than 0s"),
        ("shortest_first(aging: 0s)", "policy `shortest_first`: `aging` must be longer than 0s"),
        ("staggered(gap: 0s)", "policy `staggered`: `gap` must be longer than 0s"),
        ("staggered(gap: -1ms)", "policy `staggered`: `gap` must be longer than 0s"),
        ("staggered(1ms, 0)", "policy `staggered`: `burst` must be at least 1"),
        ("prefix_affinity(-1)", "policy `prefix_affinity`: `spread` must be from 0 to 4294967295"),
        ("weighted_fair(3)", "policy `weighted_fair`: `weights` must be text in double quotes"),
        ("weighted_fair(\"gold\")", "policy `weighted_fair`: `gold` is no weight such as `gold=3`"),
        (
            "weighted_fair(\"gold=0\")",
            "policy `weighted_fair`: the weight in `gold=0` must be a number from 0.001 to 1000",
        ),
        ("weighted_fair(\"gold=1, gold=2\")", "policy `weighted_fair`: `gold` is weighed twice"),
        ("priority(10)", "policy `priority`: `aging` must be a duration such as `10s`"),
    ];
    for (text, message) in cases {
        let (name, args) = parse(text).unwrap();
        assert_eq!(build(&name, &args).err().map(|error| error.to_string()), Some(message.into()));
    }
}

#[test]
fn fifo_fills_slots_from_the_lowest_number_then_windows() {
    let mut run = Run::new("fifo", &FleetConfig::new(2, 2), 0, None);
    // Eight tasks at once, 10 ms each: 4 slots, 2 window places, then whoever finishes.
    let all: Vec<Task> = (0..8).map(|id| Task::new(id, 0)).collect();
    run.run(&all, &mut |_, _| 10 * MS);
    let golden = [(0, 0), (1, 0), (2, 1), (3, 1), (4, 0), (5, 0), (6, 1), (7, 1)];
    assert_eq!(run.trace, golden);
}

#[test]
fn priority_runs_the_urgent_first_and_starves_nobody() {
    let fleet = FleetConfig { window_extra: 0, ..FleetConfig::new(1, 1) };
    let mut run = Run::new("priority(aging: 20ms)", &fleet, 0, None);
    // One modest task, then urgent ones for ever, twice as many as the worker can do.
    let urgent = |id: u64| Task { priority: 3, ..Task::new(id, id * MS) };
    let mut all: Vec<Task> = (0..1000).map(urgent).collect();
    all[5].priority = 0;
    run.run(&all, &mut |_, _| 2 * MS);
    let at = run.trace.iter().position(|(task, _)| *task == 5).unwrap();
    // Exactly those that came less than 3 * 20 ms after it may pass; then it is its turn.
    assert_eq!(at, 64);
    assert!(run.trace[..at].iter().all(|(task, _)| *task < 65));
}

fn uniform(rng: &mut Pcg64Mcg, low: f64, high: f64) -> u64 {
    let unit = (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
    (low + unit * (high - low)) as u64
}

#[test]
fn spread_shares_out_evenly() {
    for seed in 0..10 {
        for gap in [0.0, 6.0 * MS as f64] {
            // A backlog from the start, and arrivals at about three quarters of the capacity.
            let mut rng = Pcg64Mcg::seed_from_u64(seed);
            let mut now = 0;
            let tasks: Vec<Task> = (0..2000)
                .map(|id| {
                    now += uniform(&mut rng, 0.0, 2.0 * gap);
                    Task::new(id, now)
                })
                .collect();
            let mut run = Run::new("load_aware(spread)", &FleetConfig::new(16, 8), seed, None);
            let ms = MS as f64;
            run.run(&tasks, &mut |_, _| uniform(&mut rng, 350.0 * ms, 850.0 * ms));
            let counts: Vec<f64> = run.completed.iter().map(|count| *count as f64).collect();
            let found = balance(&counts).unwrap();
            assert!(found >= 0.97, "seed {seed}, gap {gap}: {found} {counts:?}");
        }
    }
}

/// Mean latency in milliseconds with one worker in four being four times slower and one task in
/// twenty ten times longer, at three quarters of the capacity.
fn mean_latency(text: &str) -> f64 {
    let mut rng = Pcg64Mcg::seed_from_u64(3);
    let ms = MS as f64;
    let task = |id| {
        let long = if id % 20 == 0 { 10 } else { 1 };
        let took = long * uniform(&mut rng, 15.0 * ms, 25.0 * ms);
        Task { expected_ns: Some(took), ..Task::new(id, id * MS * 2 / 5) }
    };
    let tasks: Vec<Task> = (0..4000).map(task).collect();
    let mut run = Run::new(text, &FleetConfig::new(16, 8), 3, None);
    run.run(&tasks, &mut |task, worker| {
        let took = task.expected_ns.unwrap();
        if worker % 4 == 0 { 4 * took } else { took }
    });
    run.latency_ms.iter().sum::<f64>() / run.latency_ms.len() as f64
}

#[test]
fn policies_that_learn_speed_beat_blind_ones_on_unequal_workers() {
    let blind = mean_latency("round_robin");
    for text in ["load_aware(balanced)", "least_work"] {
        let found = mean_latency(text);

        assert!(found < 0.95 * blind, "{text} {found} ms, round robin {blind} ms");
    }
}

#[test]
fn pack_leaves_workers_idle() {
    let mut run = Run::new("load_aware(pack)", &FleetConfig::new(8, 4), 0, None);
    let tasks: Vec<Task> = (0..200).map(|id| Task::new(id, id * MS)).collect();
    run.run(&tasks, &mut |_, _| 5 * MS);
    assert_eq!(run.completed.iter().filter(|count| **count > 0).count(), 2);
}

#[test]
fn the_table_in_the_documentation_says_what_policies_promise() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/scheduling.md");
    let page = std::fs::read_to_string(page).unwrap();
    for spec in POLICIES {
        let name = spec.signature.name;
        let row = page.lines().find(|line| line.starts_with(&format!("| `{name}` |")));
        let row = row.unwrap_or_else(|| panic!("{name} has no row in docs/scheduling.md"));
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let promises = spec.promises;
        let words = [
            promises.work_conserving,
            promises.deterministic,
            promises.keeps_order,
            promises.starves_nobody,
        ];
        let words = words.map(|kept| if kept { "yes" } else { "no" });
        assert_eq!(cells[cells.len() - 4..], words, "{row}");
    }
}
