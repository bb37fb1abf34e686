//! Processors: slower nodes, cores that threads share, and what coordination costs.

#![expect(clippy::unwrap_used, reason = "in a test a failed unwrap is a failed test")]

mod common;

use common::{MS, US, demands, job, lives, local, model, run};
use sage_core::event::Kind;
use sage_twin::model::{Host, Job, Node, Overheads, Work};

fn computing(work: &[u64]) -> Job {
    Job { behind: vec![local(&[0])], ..job(demands(work.iter().copied().map(Work::Cpu))) }
}

#[test]
fn half_the_speed_is_twice_the_time() {
    let mut model = model(1, vec![computing(&[3 * MS])]);
    for (speed, expected) in [(1.0, 3 * MS), (0.5, 6 * MS), (2.0, 3 * MS / 2)] {
        model.nodes[0].speed = speed;
        let (events, outcome) = run(&model);
        assert_eq!((outcome.end_ns, outcome.nodes[0].cpu_busy_ns), (expected, expected));
        let done = events.iter().find(|event| event.kind() == Some(Kind::StageDone)).unwrap();
        assert_eq!(done.value, expected);
    }
}

#[test]
fn two_threads_on_one_core_take_twice_as_long() {
    // Two jobs on one node are two threads of it; two nodes on one host are as well.
    for (cores, expected) in [(1.0, 8 * MS), (2.0, 4 * MS), (0.5, 16 * MS)] {
        let mut two_jobs = model(1, vec![computing(&[4 * MS]), computing(&[4 * MS])]);
        two_jobs.hosts[0].cores = cores;
        let (events, outcome) = run(&two_jobs);
        for life in lives(&events).values() {
            assert_eq!(life.latency(), expected);
        }
        // Of processor time it took as much as before.
        assert_eq!(outcome.nodes[0].cpu_busy_ns, 8 * MS);

        let mut two_nodes = model(2, vec![Job { nodes: 2, ..computing(&[4 * MS, 4 * MS]) }]);
        two_nodes.nodes[1].host = 0;
        two_nodes.hosts[0].cores = cores;
        let (events, _) = run(&two_nodes);
        let lives = lives(&events);
        assert_eq!(lives.values().map(|life| life.node).collect::<Vec<_>>(), [0, 1]);
        for life in lives.values() {
            assert_eq!(life.latency(), expected);
        }
    }
}

#[test]
fn a_short_burst_beside_a_long_one_ends_as_sharing_says() {
    // Both share until the short one has had its 1 ms; then the long one has the core alone.
    let mut model = model(1, vec![computing(&[MS]), computing(&[5 * MS])]);
    model.hosts = vec![Host { cores: 1.0 }];
    let (events, _) = run(&model);
    let ends: Vec<u64> = lives(&events).values().map(common::Life::latency).collect();
    assert_eq!(ends, [2 * MS, 6 * MS]);
}

#[test]
fn the_time_of_a_task_is_shared_out_over_its_stages() {
    let demand = sage_twin::model::Demand {
        // The third is not for this record, and is not heard of.
        work: vec![Work::Cpu(MS), Work::Cpu(0), Work::None, Work::Cpu(2 * MS)],
        ..Default::default()
    };
    let two = || Job { behind: vec![local(&[0, 1, 2, 3])], ..job(vec![demand.clone()]) };
    let mut model = model(1, vec![two(), two()]);
    model.hosts[0].cores = 1.0;
    let (events, _) = run(&model);
    let done = events.iter().filter(|event| event.kind() == Some(Kind::StageDone));
    let values: Vec<u64> = done.filter(|event| event.job == 0).map(|event| event.value).collect();
    assert_eq!(values, [2 * MS, 0, 4 * MS]);
}

#[test]
fn a_node_that_computes_keeps_decisions_waiting_for_one_turn() {
    // The second task arrives while the first node computes; the second node has nothing to do, and
    // still the decision waits until the first node's thread is free.
    let mut late = computing(&[20 * MS, MS]);
    late.nodes = 2;
    late.policy = "round_robin".into();
    late.arrivals = sage_dsl::experiment::Arrivals::Trace { path: String::new() };
    late.trace = [0, 5 * MS].into();
    let (events, _) = run(&model(2, vec![late]));
    let second = &lives(&events)[&(0, 1)];
    assert_eq!((second.arrived, second.decided, second.node), (Some(5 * MS), Some(20 * MS), 1));
}

#[test]
fn overheads_fall_on_the_thread_that_has_them() {
    let overheads = Overheads {
        coordinate_ns: 30 * US,
        decision_ns: 2 * US,
        dispatch_ns: 150 * US,
        complete_ns: 100 * US,
        task_ns: 40 * US,
        ..Overheads::NONE
    };
    let two = Job { nodes: 2, ..computing(&[MS, MS]) };
    let mut model = model(2, vec![two]);
    model.overheads = overheads;
    let (events, outcome) = run(&model);
    let lives = lives(&events);
    // Both enter in one activation: half of the cost of coordination for each.
    let decided = 30 * US;
    assert!(lives.values().all(|life| life.decided == Some(decided)));
    assert_eq!((lives[&(0, 0)].node, lives[&(0, 1)].node), (0, 1));
    // On the first node no message travels.
    assert_eq!(lives[&(0, 0)].started, Some(decided));
    assert_eq!(lives[&(0, 1)].started, Some(decided + 150 * US));
    assert_eq!(lives[&(0, 1)].ended, Some(decided + 150 * US + MS + 40 * US));
    assert_eq!(outcome.end_ns, decided + 150 * US + MS + 40 * US + 100 * US + 15 * US);
    assert_eq!(outcome.coordinator_busy_ns, 60 * US);
    let busy: Vec<u64> = outcome.nodes.iter().map(|node| node.cpu_busy_ns).collect();
    assert_eq!(busy, [60 * US + MS + 40 * US, MS + 40 * US]);
    let values = events.iter().filter(|event| event.kind() == Some(Kind::Decided));
    assert!(values.into_iter().all(|event| event.value == 2 * US));
}

#[test]
fn a_morsel_is_computed_as_a_whole_and_short_tasks_share_a_turn() {
    let work: Vec<u64> = vec![100 * US; 24];
    let job = Job { morsel: 4, slots: 8, ..computing(&work) };
    let (events, outcome) = run(&model(1, vec![job]));
    let lives = lives(&events);
    assert_eq!((lives.len(), outcome.end_ns), (6, 24 * 100 * US));
    // Three tasks of 0.4 ms fill a turn of 1 ms; their ends are told together.
    let ends: Vec<u64> = lives.values().map(|life| life.ended.unwrap()).collect();
    assert_eq!(ends, [1200, 1200, 1200, 2400, 2400, 2400].map(|us| us * US));
    let done = events.iter().filter(|event| event.kind() == Some(Kind::StageDone));
    assert!(done.into_iter().all(|event| event.value == 400 * US && event.records == 4));
}

#[test]
fn nodes_of_unequal_speed_are_nodes_all_the_same() {
    let mut model = model(2, vec![Job { nodes: 2, ..computing(&[MS; 40]) }]);
    model.nodes[1] = Node { host: 1, speed: 0.25 };
    let (events, _) = run(&model);
    let on = |node| lives(&events).values().filter(|life| life.node == node).count();
    assert_eq!(on(0) + on(1), 40);
    assert!(on(0) > 2 * on(1), "the fast node did {}, the slow one {}", on(0), on(1));
}
