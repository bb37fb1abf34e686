//! Who gets how much, and who goes first.

use sage_core::endpoint::Lane;
use sage_twin::model::{EndpointModel, ServerKind, Work};
use sage_twin::station::{Station, StationCall};

use super::common::*;

fn model(limit: u32) -> EndpointModel {
    EndpointModel { concurrency: Some(limit), aging_ns: 0, ..endpoint(vllm(qwen())) }
}

/// Tokens (with answers twice) that each job got while all had calls in the line, as parts of all.
fn parts(model: &EndpointModel, shares: &[f64]) -> Vec<f64> {
    let jobs = shares.len() as u64;
    let mut station = Station::new(model, shares, 1).unwrap();
    // The jobs' answers differ in length: what counts is work, not calls.
    let answer = |job: u64| 20 + 30 * job as u32;
    let each = 400;
    let calls = (0..each * jobs).map(|id| {
        let job = id % jobs;
        let one = call(id, [generate(100, answer(job), id)]);
        (0, StationCall { job: job as usize, ..one })
    });
    let replies = run(&mut station, calls.collect());
    let mut left = vec![each; shares.len()];
    let mut served = vec![0.0; shares.len()];
    for reply in replies {
        let job = (reply.id % jobs) as usize;
        left[job] -= 1;
        let (prompt, answer) = reply.result.unwrap()[0];
        served[job] += f64::from(prompt) + 2.0 * f64::from(answer);
        if left[job] == 20 {
            break;
        }
    }
    let sum: f64 = served.iter().sum();
    served.into_iter().map(|part| part / sum).collect()
}

#[test]
fn jobs_get_their_shares_of_the_work() {
    for shares in [&[1.0, 3.0][..], &[1.0, 1.0], &[2.0, 1.0, 1.0]] {
        let sum: f64 = shares.iter().sum();
        for (part, share) in parts(&model(16), shares).into_iter().zip(shares) {
            let expected = share / sum;
            assert!((part / expected - 1.0).abs() < 0.06, "{shares:?}: {part}, not {expected}");
        }
    }
}

/// What a call is expected to cost is wrong here for each one: short answers are bounded by their
/// limit, so that the average says too little of the long ones.
#[test]
fn what_calls_have_really_cost_counts() {
    let mut station = Station::new(&model(8), &[1.0, 1.0], 1).unwrap();
    let calls = (0..800_u64).map(|id| {
        let (job, answer, max_tokens) = match (id % 2, id / 2 % 2) {
            (0, 0) => (0, 10, 10),
            (0, _) => (0, 490, 1_000),
            _ => (1, 250, 260),
        };
        let Work::Generate { blocks, .. } = generate(64, answer, id) else { panic!() };
        let work = Work::Generate { prompt_tokens: 64, blocks, max_tokens, target_tokens: answer };
        (0, StationCall { job, ..call(id, [work]) })
    });
    let mut served = [0.0; 2];
    for reply in &run(&mut station, calls.collect())[..500] {
        let (prompt, answer) = reply.result.clone().unwrap()[0];
        served[(reply.id % 2) as usize] += f64::from(prompt) + 2.0 * f64::from(answer);
    }
    let ratio = served[0] / served[1];
    assert!((0.9..1.1).contains(&ratio), "{served:?}");
}

#[test]
fn without_shares_calls_go_in_order_of_arrival() {
    let unfair = EndpointModel {
        fair: false,
        concurrency: Some(1),
        ..endpoint(ServerKind::Fixed { service_ns: 10 })
    };
    let order = |model: &EndpointModel| -> Vec<u64> {
        let mut station = Station::new(model, &[1.0, 9.0], 1).unwrap();
        let calls = (0..30)
            .map(|id| (0, StationCall { job: usize::from(id >= 20), ..call(id, [Work::Wait(1)]) }));
        run(&mut station, calls.collect()).iter().map(|reply| reply.id).collect()
    };
    assert_eq!(order(&unfair), (0..30).collect::<Vec<_>>());
    let fair = order(&EndpointModel { fair: true, ..unfair });
    let last_of_second = fair.iter().position(|&id| id == 29).unwrap();
    assert!(last_of_second < 14, "nine parts in ten are the second job's: {fair:?}");
}

#[test]
fn lanes_order_the_calls_of_a_job_until_waiting_lifts_them() {
    let order = |aging_ns: u64| -> Vec<u64> {
        let model = EndpointModel {
            concurrency: Some(1),
            aging_ns,
            ..endpoint(ServerKind::Fixed { service_ns: 10 * MS })
        };
        let mut station = Station::new(&model, &[1.0], 1).unwrap();
        let at = |at, id, lane| (at, StationCall { lane, ..call(id, [Work::Wait(1)]) });
        let calls = vec![
            at(0, 0, Lane::Normal),
            at(1, 1, Lane::Batch),
            at(2, 2, Lane::Normal),
            at(3, 3, Lane::Control),
            at(15 * MS, 4, Lane::Control),
        ];
        run(&mut station, calls).iter().map(|reply| reply.id).collect()
    };
    assert_eq!(order(3_600 * SECOND), [0, 3, 4, 2, 1]);
    // At the first grant those in line have waited for two lanes and more, so arrival decides.
    assert_eq!(order(4 * MS), [0, 1, 2, 3, 4]);
    // One lane: the batch call is still behind.
    assert_eq!(order(8 * MS), [0, 2, 1, 3, 4]);
}

#[test]
fn a_flood_of_one_job_does_not_hold_the_other_up() {
    let model = EndpointModel {
        concurrency: Some(2),
        ..endpoint(ServerKind::Fixed { service_ns: 10 * MS })
    };
    let mut station = Station::new(&model, &[1.0, 1.0], 1).unwrap();
    let mut calls: Vec<_> = (0..500).map(|id| (0, call(id, [Work::Wait(1)]))).collect();
    calls.push((21 * MS, StationCall { job: 1, ..call(500, [Work::Wait(1)]) }));
    let replies = run_by_id(&mut station, calls);
    assert_eq!(replies[&500].at_ns, 40 * MS, "the next free place is its");
    assert_eq!(station.stats().max_in_flight, 2);
}
