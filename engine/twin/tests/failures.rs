//! Nodes that are lost: what they held runs again, what they had not told is told again, and the
//! first node stops its jobs for as long as it is away.

#![expect(clippy::unwrap_used, reason = "in a test a failed unwrap is a failed test")]

mod common;

use common::{MS, call, demands, endpoint, job, lives, local, model, run, timer};
use sage_core::event::Kind;
use sage_dsl::experiment::NodeFailure;
use sage_twin::Lost;
use sage_twin::model::{Demand, Job, Model, Overheads, ServerKind, Work};

fn lost(mut model: Model, node: u32, at_ns: u64, for_ns: Option<u64>) -> Model {
    model.failures.push(NodeFailure { node, at_ns, for_ns });
    model
}

fn two_nodes(works: &[u64]) -> Model {
    let waits = job(demands(works.iter().copied().map(Work::Wait)));
    model(2, vec![Job { nodes: 2, policy: "round_robin".into(), ..waits }])
}

#[test]
fn what_a_lost_node_held_runs_again_elsewhere() {
    // Task 0 on the first node until 10 ms, task 1 on the second, which is lost at 4 ms for good.
    let model = lost(two_nodes(&[10 * MS, 10 * MS]), 1, 4 * MS, None);
    let (events, outcome) = run(&model);
    let lives = lives(&events);
    assert_eq!((lives[&(0, 0)].lives, lives[&(0, 0)].ended), (1, Some(10 * MS)));
    let second = &lives[&(0, 1)];
    assert_eq!((second.lives, second.node, second.started), (2, 0, Some(10 * MS)));
    // Its latency counts from its first arrival.
    assert_eq!((second.arrived, second.ended, outcome.end_ns), (Some(0), Some(20 * MS), 20 * MS));
}

#[test]
fn a_node_that_is_back_is_given_work_again() {
    let works = [10 * MS; 12];
    let model = lost(two_nodes(&works), 1, 5 * MS, Some(20 * MS));
    let (events, _) = run(&model);
    let starts = events.iter().filter(|event| event.kind() == Some(Kind::Started));
    let on_second: Vec<u64> = starts.filter(|e| e.node == 1).map(|e| e.at_ns).collect();
    assert_eq!(on_second.first(), Some(&0));
    assert!(on_second[1..].iter().all(|at| *at >= 25 * MS), "{on_second:?}");
    assert!(on_second.len() > 2);
    assert!(lives(&events).values().all(|life| life.ended.is_some()));
}

#[test]
fn a_completion_that_was_not_told_before_the_loss_is_done_again() {
    let mut model = lost(two_nodes(&[10 * MS, 10 * MS]), 1, 11 * MS, None);
    model.overheads = Overheads { complete_ns: 2 * MS, ..Overheads::NONE };
    let (events, outcome) = run(&model);
    let second = &lives(&events)[&(0, 1)];
    // It has its outcome from the first time; the run goes on until its second life is over.
    assert_eq!((second.ends, second.lives, second.ended), (2, 2, Some(10 * MS)));
    assert_eq!(outcome.end_ns, 21 * MS);
    assert_eq!(outcome.jobs[0].tasks, 2);
}

#[test]
fn a_job_pauses_while_its_first_node_is_away() {
    // Both nodes work; at 4 ms the first is lost until 34 ms. The second ends its task at 10 ms, and
    // nobody hears of it before the first is back.
    let model = lost(two_nodes(&[10 * MS, 10 * MS, 10 * MS]), 0, 4 * MS, Some(30 * MS));
    let (events, outcome) = run(&model);
    let decided: Vec<(u64, u64)> = events
        .iter()
        .filter(|event| event.kind() == Some(Kind::Decided))
        .map(|event| (event.at_ns, event.task))
        .collect();
    assert!(decided.iter().all(|(at, _)| *at == 0 || *at >= 34 * MS), "{decided:?}");
    let lives = lives(&events);
    assert_eq!(lives[&(0, 1)].ended, Some(10 * MS));
    assert!(lives.values().all(|life| life.ends == 1), "{lives:?}");
    assert_eq!(outcome.jobs[0].tasks, 3);
}

#[test]
fn what_computes_before_the_scheduler_is_begun_anew_and_not_lost() {
    let mut computing = job(demands([10, 10, 1].map(|ms| Work::Cpu(ms * MS))));
    computing.before = vec![local(&[0])];
    computing.behind = Vec::new();
    let model = lost(model(1, vec![computing]), 0, 15 * MS, Some(5 * MS));
    let (events, outcome) = run(&model);
    // 10 ms, then 5 ms in vain, 5 ms away, 10 ms.
    let decided: Vec<u64> = lives(&events).values().map(|life| life.decided.unwrap()).collect();
    assert_eq!(decided, [10 * MS, 30 * MS, 31 * MS]);
    assert_eq!(outcome.nodes[0].cpu_busy_ns, 26 * MS);
}

#[test]
fn what_became_of_records_on_a_lost_node_is_forgotten() {
    // Two records: the second fails in the first stage. The node is lost while the first one waits.
    let demand = |ms, fails_at| Demand {
        fails_at,
        work: vec![Work::Cpu(ms * MS), Work::Wait(10 * MS)],
        ..Demand::default()
    };
    let mut two = job(vec![demand(1, None), demand(3, Some(0))]);
    two.morsel = 2;
    two.behind = vec![local(&[0]), timer(1)];
    let model = lost(model(1, vec![two]), 0, 6 * MS, Some(4 * MS));
    let (events, outcome) = run(&model);
    let failed = events.iter().filter(|event| event.kind() == Some(Kind::Failed));
    assert_eq!(failed.map(|event| event.at_ns).collect::<Vec<_>>(), [4 * MS, 14 * MS]);
    let life = &lives(&events)[&(0, 0)];
    assert_eq!((life.records, life.ok, life.ended), (2, 1, Some(24 * MS)));
    assert_eq!(outcome.nodes[0].cpu_busy_ns, 8 * MS);
}

#[test]
fn calls_of_a_lost_node_end_for_nothing() {
    let mut calling = job(demands([Work::Wait(10 * MS), Work::Wait(10 * MS)]));
    calling.behind = vec![call(0, 0, 1, 0)];
    (calling.nodes, calling.policy) = (2, "round_robin".into());
    let mut model = lost(model(2, vec![calling]), 1, 4 * MS, None);
    model.endpoints = vec![endpoint(ServerKind::Queue { servers: 4 }, 8)];
    let (events, outcome) = run(&model);
    assert_eq!(lives(&events)[&(0, 1)].ended, Some(20 * MS));
    // Three calls for two records, and each was answered.
    assert_eq!((outcome.endpoints[0].calls, outcome.endpoints[0].ok), (3, 3));
}

#[test]
fn what_is_lost_with_a_node_is_counted_and_what_never_came_is_said() {
    // Task 1 is in a slot of the second node for 4 ms, then again on the first one.
    let waiting = lost(two_nodes(&[10 * MS, 10 * MS]), 1, 4 * MS, None);
    let late = lost(waiting, 0, 900 * MS, Some(MS));
    let (_, outcome) = run(&late);
    assert_eq!(outcome.failures_came, [true, false]);
    let [first, second] = outcome.jobs[0].lost.as_slice() else { unreachable!() };
    assert_eq!(*first, Lost { attempts: 1, busy_ns: 4 * MS, ..Lost::default() });
    assert_eq!(*second, Lost::default());

    // A call that is under way is answered at 10 ms, to nobody.
    let mut asking = two_nodes(&[0, 0]);
    asking.jobs[0].demands = demands(vec![Work::Embed { tokens: 30 }; 2]).into();
    asking.jobs[0].behind = vec![call(0, 0, 1, 0)];
    asking.endpoints = vec![endpoint(ServerKind::Fixed { service_ns: 10 * MS }, 8)];
    let (events, outcome) = run(&lost(asking, 1, 4 * MS, None));
    let lost = outcome.jobs[0].lost[0];
    let expected = Lost { answers: 1, prompt_tokens: 30, attempts: 1, busy_ns: 4 * MS, ..lost };
    assert_eq!((lost, lost.completion_tokens), (expected, 0));
    // What tasks paid and what was lost is what the endpoint gave.
    let paid: u64 = events
        .iter()
        .filter(|event| event.kind() == Some(Kind::StageDone))
        .map(|event| u64::from(event.tokens().0))
        .sum();
    assert_eq!(paid + lost.prompt_tokens, outcome.endpoints[0].prompt_tokens);
}
