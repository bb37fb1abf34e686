//! What is turned away, and models that make no sense.

use sage_core::endpoint::ErrorClass;
use sage_twin::model::{EndpointModel, ServerKind, ServerModel, Work};
use sage_twin::station::{Station, StationCall, StationError};

use super::common::*;

#[test]
fn a_full_line_refuses_at_once() {
    let model = EndpointModel {
        concurrency: Some(2),
        queue: 3,
        ..endpoint(ServerKind::Fixed { service_ns: SECOND })
    };
    let mut station = Station::new(&model, &[1.0], 1).unwrap();
    let replies =
        run_by_id(&mut station, (0..9).map(|id| (5, call(id, [Work::Wait(1)]))).collect());
    for (id, reply) in &replies {
        if *id < 5 {
            assert_eq!(reply.result, Ok(vec![(0, 0)]));
        } else {
            assert_eq!((reply.result.clone(), reply.at_ns), (Err(ErrorClass::Throttled), 5));
            assert_eq!(reply.attempts, 0);
        }
    }
    assert_eq!((station.stats().calls, station.stats().errors), (9, 4));
}

#[test]
fn calls_that_make_no_sense_are_rejected_at_the_door() {
    let mut station =
        Station::new(&endpoint(ServerKind::Fixed { service_ns: 10 }), &[1.0], 1).unwrap();
    let many = vec![Work::Embed { tokens: 1 }; 5_000];
    let calls = vec![
        (0, call(0, [])),
        (0, call(1, [Work::Wait(1), Work::Embed { tokens: 1 }])),
        (0, StationCall { job: 1, ..call(2, [Work::Wait(1)]) }),
        (0, call(3, many)),
    ];
    let replies = run_by_id(&mut station, calls);
    assert_eq!(replies.len(), 4);
    for reply in replies.values() {
        assert_eq!((reply.result.clone(), reply.attempts), (Err(ErrorClass::Rejected), 0));
    }
    // A number that is in flight is not taken twice, and is free again afterwards.
    station.submit(call(9, [Work::Wait(1)]), 100);
    station.submit(call(9, [Work::Wait(1)]), 101);
    let mut out = Vec::new();
    station.advance(200, &mut out);
    let ends: Vec<_> = out.iter().map(|reply| (reply.at_ns, reply.result.is_ok())).collect();
    assert_eq!(ends, [(101, false), (110, true)]);
    assert!(run(&mut station, vec![(300, call(9, [Work::Wait(1)]))])[0].result.is_ok());
}

#[test]
fn models_that_make_no_sense_are_named_with_the_remedy() {
    let fine = || endpoint(ServerKind::Fixed { service_ns: 10 });
    let fails = |model: EndpointModel, shares: &[f64]| -> StationError {
        Station::new(&model, shares, 1).unwrap_err()
    };
    let says = |model: EndpointModel, shares: &[f64], expected: &str| {
        let text = fails(model, shares).to_string();
        assert!(text.starts_with("endpoint `e`") && text.contains(expected), "{text}");
    };
    says(endpoint_of(Vec::new()), &[1.0], "no server");
    let server = ServerModel { kind: ServerKind::Fixed { service_ns: 1 }, speed: 1.0 };
    says(endpoint_of(vec![server.clone(); 65]), &[1.0], "65 servers; at most 64");
    says(fine(), &[], "no jobs");
    says(fine(), &[1.0, f64::NAN], "weight of a job is NaN");
    let slow = ServerModel { speed: 0.0, ..server };
    says(endpoint_of(vec![slow]), &[1.0], "speed of a server is 0; it must be a number above 0");
    says(endpoint(ServerKind::Queue { servers: 0 }), &[1.0], "places is 0");
    says(
        EndpointModel { requests_per_s: Some(-1.0), ..fine() },
        &[1.0],
        "requests per second is -1",
    );
    says(EndpointModel { tokens_per_s: Some(0.0), ..fine() }, &[1.0], "tokens per second is 0");
    says(EndpointModel { error_share: 1.5, ..fine() }, &[1.0], "is 1.5; it must be from 0 to 1");
}
