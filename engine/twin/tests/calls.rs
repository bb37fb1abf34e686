//! Stages that wait: batches, lingering, calls side by side, time limits, tokens.

#![expect(clippy::unwrap_used, reason = "in a test a failed unwrap is a failed test")]

mod common;

use std::sync::Arc;

use common::{MS, S, US, call, demands, endpoint, job, lives, local, model, run, timer};
use sage_core::endpoint::Lane;
use sage_core::event::{Event, Kind};
use sage_dsl::experiment::Arrivals;
use sage_dsl::plan::RetryPlan;
use sage_twin::model::{
    Ask, Demand, Host, Job, Member, Model, Overheads, Segment, ServerKind, Work,
};

fn embed(tokens: u32) -> Work {
    Work::Embed { tokens }
}

/// Records that ask a server for 5 ms each, in batches.
fn batched(records: usize, slots: u32, batch: usize, linger_ns: u64) -> Model {
    let calling = job(demands(vec![embed(10); records]));
    let behind = vec![call(0, 0, batch, linger_ns)];
    let mut model = model(1, vec![Job { slots, behind, ..calling }]);
    model.endpoints = vec![endpoint(ServerKind::Fixed { service_ns: 5 * MS }, 64)];
    model
}

/// The time limit of the first stage of a group.
fn timeout(segment: &mut Segment) -> &mut u64 {
    let Segment::Ask { members } = segment else { unreachable!() };
    let Ask::Call { timeout_ns, .. } = &mut members[0].ask else { unreachable!() };
    timeout_ns
}

fn of_kind(events: &[Event], kind: Kind) -> Vec<&Event> {
    events.iter().filter(|event| event.kind() == Some(kind)).collect()
}

#[test]
fn a_full_batch_leaves_at_once() {
    let (events, outcome) = run(&batched(8, 8, 4, S));
    assert_eq!((outcome.endpoints[0].calls, outcome.end_ns), (2, 5 * MS));
    assert_eq!(lives(&events).len(), 8);
}

#[test]
fn a_batch_does_not_linger_when_nobody_else_can_come() {
    // Three slots, batches of four: the three that are there leave without waiting for a fourth.
    let (_, outcome) = run(&batched(3, 3, 4, S));
    assert_eq!((outcome.endpoints[0].calls, outcome.end_ns), (1, 5 * MS));
    // With a fourth slot free somebody may come, so it lingers.
    let (_, outcome) = run(&batched(3, 4, 4, 2 * MS));
    assert_eq!((outcome.endpoints[0].calls, outcome.end_ns), (1, 7 * MS));
}

#[test]
fn who_waits_for_a_slot_sees_to_it_that_nobody_lingers() {
    // Records come every millisecond; the first lingers alone for 3 ms and takes those that came.
    let mut model = batched(4, 8, 16, 3 * MS);
    model.jobs[0].arrivals = Arrivals::Constant { per_s: 1000.0 };
    let (events, outcome) = run(&model);
    assert_eq!(outcome.endpoints[0].calls, 1);
    let ends: Vec<u64> = lives(&events).values().map(|life| life.ended.unwrap()).collect();
    assert_eq!(ends, [8 * MS; 4]);
}

#[test]
fn who_is_on_the_way_is_waited_for() {
    // Both slots are taken, but the second task still computes: the first one's batch waits for it.
    let works = vec![Work::Cpu(5 * MS), embed(10)];
    let two = vec![Demand { work: works, ..Demand::default() }; 2];
    let behind = vec![local(&[0]), call(1, 0, 4, S)];
    let mut model = model(1, vec![Job { slots: 2, behind, ..job(two) }]);
    model.endpoints = vec![endpoint(ServerKind::Fixed { service_ns: 5 * MS }, 64)];
    let (_, outcome) = run(&model);
    assert_eq!((outcome.endpoints[0].calls, outcome.end_ns), (1, 15 * MS));
}

#[test]
fn stages_of_a_group_run_side_by_side_and_groups_one_after_the_other() {
    let works = vec![Work::Wait(3 * MS), embed(7), Work::Wait(2 * MS)];
    let mut both = job(vec![Demand { work: works, ..Demand::default() }]);
    let Segment::Ask { members } = call(1, 0, 1, 0) else { unreachable!() };
    let mut group = vec![Member { stage: 0, ask: Ask::Timer }];
    group.extend(members);
    both.behind = vec![Segment::Ask { members: group }, timer(2)];
    let mut model = model(1, vec![both]);
    model.endpoints = vec![endpoint(ServerKind::Fixed { service_ns: 5 * MS }, 1)];
    let (events, outcome) = run(&model);
    assert_eq!(outcome.end_ns, 7 * MS);
    let done = of_kind(&events, Kind::StageDone);
    let stages: Vec<(u16, u64, u64)> =
        done.iter().map(|event| (event.stage, event.at_ns, event.value)).collect();
    assert_eq!(stages, [(0, 5 * MS, 3 * MS), (1, 5 * MS, 5 * MS), (2, 7 * MS, 2 * MS)]);
    assert_eq!((done[1].detail, done[0].detail), (1, 0));
}

#[test]
fn the_way_of_a_call_costs_what_it_costs() {
    let mut model = batched(2, 2, 1, 0);
    model.overheads =
        Overheads { call_ns: 60 * US, hop_ns: 300 * US, gateway_ns: 200 * US, ..Overheads::NONE };
    let (events, outcome) = run(&model);
    // The second call waits for the worker's thread, then for the gateway's.
    let ends: Vec<u64> = lives(&events).values().map(|life| life.ended.unwrap()).collect();
    let way = 300 * US + 5 * MS + 300 * US;
    assert_eq!(ends, [60 * US + 200 * US + way, 60 * US + 400 * US + way]);
    assert_eq!(outcome.nodes[0].cpu_busy_ns, 120 * US);
    assert_eq!(outcome.gateway_busy_ns, 400 * US);
    // The gateway is a thread like others: on one core it shares with what computes.
    model.jobs.push(Job { behind: vec![local(&[0])], ..job(demands([Work::Cpu(100 * MS)])) });
    model.hosts = vec![Host { cores: 1.0 }];
    let (events, _) = run(&model);
    // Two share until the first call is made (120 us), then three until the second is (180 us), then
    // two again until the gateway has done what is left of its 200 us (280 us).
    let first = lives(&events)[&(0, 0)].ended.unwrap();
    assert_eq!(first, (120 + 180 + 280) * US + way);
}

#[test]
fn a_call_without_an_answer_in_time_fails_its_records() {
    let mut model = batched(2, 2, 1, 0);
    model.endpoints[0] = endpoint(ServerKind::Fixed { service_ns: 50 * MS }, 1);
    model.endpoints[0].retry = RetryPlan { max: 0, ..RetryPlan::default() };
    *timeout(&mut model.jobs[0].behind[0]) = 20 * MS;
    model.overheads.hop_ns = MS;
    let (events, outcome) = run(&model);
    for life in lives(&events).values() {
        assert_eq!((life.ok, life.late, life.ended), (0, false, Some(20 * MS)));
    }
    assert_eq!(of_kind(&events, Kind::Failed).len(), 2);
    assert!(of_kind(&events, Kind::Completed).iter().all(|event| event.extra == 1));
    assert_eq!((outcome.endpoints[0].ok, outcome.endpoints[0].errors), (0, 2));
    // A deadline that ends the call makes them late instead.
    model.jobs[0].deadline_ns = Some(10 * MS);
    let (events, _) = run(&model);
    for life in lives(&events).values() {
        assert_eq!((life.ok, life.late, life.ended), (0, true, Some(10 * MS)));
    }
}

#[test]
fn what_the_deadline_ends_is_late_though_the_gateway_gives_up_before_it() {
    let ended = |timeout_ns: u64, deadline_ns: u64| {
        let mut model = batched(2, 2, 1, 0);
        model.endpoints[0] = endpoint(ServerKind::Fixed { service_ns: 900 * MS }, 1);
        *timeout(&mut model.jobs[0].behind[0]) = timeout_ns;
        model.jobs[0].deadline_ns = Some(deadline_ns);
        let (events, _) = run(&model);
        let lives = lives(&events);
        lives.values().map(|life| (life.late, life.ended.unwrap() / MS)).collect::<Vec<_>>()
    };
    // The gateway has a tenth less, so that its word comes in time.
    assert_eq!(ended(S, 100 * MS), [(true, 90); 2]);
    assert_eq!(ended(100 * MS, S), [(false, 90); 2]);
}

#[test]
fn the_time_that_a_batch_lingers_is_part_of_the_time_of_its_stage() {
    // 15 ms for company that does not come, and then the server would take 10 of the 20 ms.
    let mut model = batched(1, 2, 2, 15 * MS);
    model.endpoints[0] = endpoint(ServerKind::Fixed { service_ns: 10 * MS }, 1);
    model.endpoints[0].retry = RetryPlan { max: 0, ..RetryPlan::default() };
    *timeout(&mut model.jobs[0].behind[0]) = 20 * MS;
    let (events, _) = run(&model);
    let life = &lives(&events)[&(0, 0)];
    // The gateway is told 4 of the 5 ms that are left: a tenth less, in whole milliseconds.
    assert_eq!((life.ok, life.ended), (0, Some(19 * MS)));
    // What cannot be asked in time is not asked at all.
    *timeout(&mut model.jobs[0].behind[0]) = 15 * MS;
    let (events, outcome) = run(&model);
    let life = &lives(&events)[&(0, 0)];
    assert_eq!((life.ok, life.ended, outcome.endpoints[0].calls), (0, Some(15 * MS), 0));
}

#[test]
fn a_record_that_fails_twice_is_dead_once() {
    let mut model = batched(1, 1, 1, 0);
    let Segment::Ask { members } = &mut model.jobs[0].behind[0] else { unreachable!() };
    let Ask::Call { timeout_ns, .. } = &mut members[0].ask else { unreachable!() };
    *timeout_ns = 3 * MS;
    members.push(Member { stage: 1, ..members[0].clone() });
    model.jobs[0].stages.push("other".into());
    let both = Demand { work: vec![embed(1), embed(1)], ..Demand::default() };
    model.jobs[0].demands = [both].into();
    let (events, _) = run(&model);
    assert_eq!(of_kind(&events, Kind::Failed).len(), 1);
    let end = of_kind(&events, Kind::Completed)[0];
    // The gateway is told a little less than there is, in whole milliseconds.
    assert_eq!((end.value, end.extra, end.at_ns), (0, 1, 2 * MS));
}

#[test]
fn how_long_a_call_takes_is_learned() {
    // A token takes a millisecond. After four tasks the line is drawn, and the short ones go first.
    let sizes: Vec<u32> = (0..24).map(|n| 5 + n * 7 % 24 * 3).collect();
    let asking = job(demands(sizes.iter().copied().map(embed)));
    let behind = vec![call(0, 0, 1, 0)];
    let policy = "shortest_first".into();
    let mut model = model(1, vec![Job { behind, policy, ..asking }]);
    model.endpoints = vec![endpoint(ServerKind::Queue { servers: 1 }, 1)];
    let (events, _) = run(&model);
    let decided = of_kind(&events, Kind::Decided);
    let order: Vec<u32> = decided.iter().map(|event| sizes[event.task as usize]).collect();
    // Two are on their way to the node beside the one that runs.
    assert!(!order[..7].is_sorted() && order[7..].is_sorted(), "{order:?}");
}

#[test]
fn records_that_are_dropped_succeed_and_records_that_fail_are_dead() {
    let work = vec![Work::Cpu(MS), embed(3), Work::Cpu(MS)];
    let demand = |dropped_at, fails_at| Demand {
        dropped_at,
        fails_at,
        work: work.clone(),
        ..Demand::default()
    };
    let mut all = job(vec![
        demand(None, None),
        demand(Some(0), None),
        demand(None, Some(0)),
        demand(Some(1), None),
        demand(None, Some(1)),
        demand(None, Some(2)),
    ]);
    all.morsel = 6;
    all.behind = vec![local(&[0]), call(1, 0, 8, 0), local(&[2])];
    let mut model = model(1, vec![all]);
    model.endpoints = vec![endpoint(ServerKind::Fixed { service_ns: MS }, 1)];
    let (events, _) = run(&model);
    let end = of_kind(&events, Kind::Completed)[0];
    assert_eq!((end.records, end.value, end.extra), (6, 3, 3));
    let failed: Vec<u16> = of_kind(&events, Kind::Failed).iter().map(|event| event.stage).collect();
    assert_eq!(failed, [0, 1, 2]);
    // Six compute, four are asked (in one call of 1 ms), two compute once more. What failed took its
    // time, but no stage was done with it.
    let done = of_kind(&events, Kind::StageDone);
    let values: Vec<u64> = done.iter().map(|event| event.value).collect();
    assert_eq!(values, [5 * MS, MS, MS]);
    assert_eq!(end.at_ns, 6 * MS + MS + 2 * MS);
}

#[test]
fn a_record_that_is_gone_before_the_scheduler_passes_it_by() {
    let demand = Demand {
        dropped_at: Some(0),
        work: vec![Work::Cpu(MS), Work::Wait(MS)],
        ..Demand::default()
    };
    let mut gone = job(vec![demand]);
    (gone.before, gone.behind) = (vec![local(&[0])], vec![timer(1)]);
    let (events, _) = run(&model(1, vec![gone]));
    let decided = of_kind(&events, Kind::Decided)[0];
    assert_eq!((decided.detail, decided.at_ns), (1, MS));
    assert!(of_kind(&events, Kind::Dispatched).is_empty());
    let end = of_kind(&events, Kind::Completed)[0];
    assert_eq!((end.at_ns, end.value, end.extra), (MS, 1, 0));
}

#[test]
fn tokens_and_first_tokens_of_a_model_server_are_told() {
    let generate = Work::Generate {
        prompt_tokens: 200,
        blocks: Arc::new([1, 2, 3]),
        max_tokens: 64,
        target_tokens: 20,
    };
    let mut asking = job(demands(vec![generate; 4]));
    asking.behind = vec![call(0, 0, 1, 0)];
    asking.slots = 4;
    let mut model = model(1, vec![asking]);
    let kind = common::vllm();
    model.endpoints = vec![endpoint(kind, 8)];
    let (events, outcome) = run(&model);
    let done = of_kind(&events, Kind::StageDone);
    assert!(done.iter().all(|event| event.tokens() == (200, 20) && event.detail == 1));
    let first = of_kind(&events, Kind::FirstToken);
    assert_eq!(first.len(), 4);
    assert!(first.iter().all(|event| 0 < event.value && event.value < outcome.end_ns));
    assert_eq!(outcome.endpoints[0].completion_tokens, 80);
}

#[test]
fn lanes_and_jobs_reach_the_endpoint() {
    // Two jobs with shares 3 and 1 at an endpoint of one place: served about 3 to 1 while both wait.
    let calling = |share| Job {
        share,
        slots: 64,
        behind: vec![call(0, 0, 1, 0)],
        ..job(demands(vec![embed(10); 40]))
    };
    let mut model = model(1, vec![calling(3.0), calling(1.0)]);
    model.endpoints = vec![endpoint(ServerKind::Fixed { service_ns: MS }, 1)];
    let (events, _) = run(&model);
    let half = 40 * MS;
    let early = |job| {
        let ends = of_kind(&events, Kind::Completed).into_iter();
        ends.filter(|event| event.job == job && event.at_ns <= half).count()
    };
    assert!((28..=32).contains(&early(0)), "{} and {}", early(0), early(1));
    let Segment::Ask { members } = &mut model.jobs[0].behind[0] else { unreachable!() };
    let Ask::Call { lane, .. } = &mut members[0].ask else { unreachable!() };
    *lane = Lane::Batch;
    assert_eq!(lives(&run(&model).0).len(), 80);
}
