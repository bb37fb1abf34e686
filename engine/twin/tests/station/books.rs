//! What each job asked for is counted for it alone, and adds up.

use sage_twin::model::EndpointModel;
use sage_twin::station::{JobStats, Station, StationCall};

use super::common::*;

/// Calls of three jobs, some of which are turned away, fail, are tried again or run out of time.
fn mixed() -> (Station, Vec<(u64, StationCall)>) {
    let model = EndpointModel {
        concurrency: Some(12),
        queue: 40,
        error_share: 0.2,
        ..endpoint(vllm(qwen()))
    };
    let calls = (0..400_u64).map(|id| {
        let job = [0, 0, 0, 1, 2, 2][(id % 6) as usize];
        let deadline_ns = if id % 11 == 0 { 300 * MS } else { u64::MAX };
        let one = call(id, [generate(100, 20 + 10 * job as u32, id)]);
        (id / 50 * 200 * MS, StationCall { job, deadline_ns, ..one })
    });
    (Station::new(&model, &[1.0, 2.0, 1.0], 9).unwrap(), calls.collect())
}

#[test]
fn jobs_are_counted_apart_and_add_up() {
    let (mut station, calls) = mixed();
    let asked = |job: usize| calls.iter().filter(|(_, call)| call.job == job).count() as u64;
    let asked = [asked(0), asked(1), asked(2)];
    let replies = run(&mut station, calls);
    assert_eq!(replies.len(), 400);
    let stats = station.stats();
    assert!(stats.errors > 0 && stats.retries > 0 && stats.ok > 50, "{stats:?}");
    let sum = |field: fn(&JobStats) -> u64| stats.jobs.iter().map(field).sum::<u64>();
    assert_eq!(stats.jobs.iter().map(|job| job.calls).collect::<Vec<_>>(), asked);
    assert_eq!((sum(|job| job.ok), sum(|job| job.errors)), (stats.ok, stats.errors));
    assert_eq!((sum(|job| job.attempts), sum(|job| job.retries)), (stats.attempts, stats.retries));
    assert_eq!(sum(|job| job.prompt_tokens), stats.prompt_tokens);
    assert_eq!(sum(|job| job.completion_tokens), stats.completion_tokens);
    for job in &stats.jobs {
        assert_eq!(job.calls, job.ok + job.errors);
        // They share the places, so each has fewer than all have together.
        assert!((1..12).contains(&job.max_in_flight), "{job:?}");
    }
    assert_eq!(stats.max_in_flight, 12);
}

#[test]
fn a_job_alone_is_all_there_is() {
    let (_, calls) = mixed();
    let model = EndpointModel { concurrency: Some(5), error_share: 0.2, ..endpoint(vllm(qwen())) };
    let mut station = Station::new(&model, &[1.0], 9).unwrap();
    let calls = calls.into_iter().map(|(at, call)| (at, StationCall { job: 0, ..call }));
    run(&mut station, calls.collect());
    let stats = station.stats();
    let only = &stats.jobs[0];
    assert_eq!((only.calls, only.ok, only.attempts), (stats.calls, stats.ok, stats.attempts));
    assert_eq!((only.max_in_flight, stats.max_in_flight), (5, 5));
}
