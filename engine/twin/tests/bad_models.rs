//! Models that make no sense: each gives an error that says what, where and what to do.

#![expect(clippy::unwrap_used, reason = "in a test a failed unwrap is a failed test")]

mod common;

use common::{MS, call, demands, endpoint, job, local, model};
use sage_dsl::experiment::{Arrivals, NodeFailure};
use sage_twin::model::{Demand, Model, Segment, ServerKind, Work};
use sage_twin::simulate;

fn good() -> Model {
    let mut calling = job(vec![Demand {
        work: vec![Work::Wait(MS), Work::Cpu(MS), Work::Embed { tokens: 3 }],
        ..Demand::default()
    }]);
    calling.behind.extend([local(&[1]), call(2, 0, 1, 0)]);
    let mut model = model(2, vec![calling]);
    model.endpoints = vec![endpoint(ServerKind::Fixed { service_ns: MS }, 1)];
    model
}

fn refused(expected: &str, spoil: impl FnOnce(&mut Model)) {
    let mut model = good();
    spoil(&mut model);
    let mut events = 0;
    let error = simulate(&model, &mut |_| events += 1).err().map(|error| error.to_string());
    let error = error.unwrap_or_else(|| panic!("expected: {expected}"));
    assert!(error.contains(expected), "`{error}` does not say `{expected}`");
    assert_eq!(events, 0, "{expected}");
}

#[test]
fn every_mistake_is_named() {
    assert!(simulate(&good(), &mut |_| {}).is_ok());
    refused("model: it has no nodes", |model| model.nodes.clear());
    refused("model: it has no hosts", |model| model.hosts.clear());
    refused("model: it has no jobs", |model| model.jobs.clear());
    refused("host 1: 0 cores", |model| model.hosts[1].cores = 0.0);
    refused("node 0: it is on host 7, and there are 2", |model| model.nodes[0].host = 7);
    refused("node 1: speed NaN", |model| model.nodes[1].speed = f64::NAN);
    refused("from 0.001 to 1000", |model| model.nodes[1].speed = 1e-300);
    refused("job `job`: it uses 3 nodes, and there are 2", |model| model.jobs[0].nodes = 3);
    refused("job `job`: it uses 0 nodes", |model| model.jobs[0].nodes = 0);
    refused("job `job`: 0 slots", |model| model.jobs[0].slots = 0);
    refused("job `job`: tasks of 0 records", |model| model.jobs[0].morsel = 0);
    refused("job `job`: share -1", |model| model.jobs[0].share = -1.0);
    refused("1 records and no demands", |model| model.jobs[0].demands = [].into());
    refused("unknown policy `fifi`, did you mean `fifo`", |model| {
        model.jobs[0].policy = "fifi".into();
    });
    refused("a segment names stage 9, and there are 3", |model| {
        model.jobs[0].before.push(local(&[9]));
    });
    refused("a group of no stages", |model| {
        model.jobs[0].behind.push(Segment::Ask { members: Vec::new() });
    });
    refused("stage 2 calls endpoint 4, and there are 1", |model| {
        model.jobs[0].behind[2] = call(2, 4, 1, 0);
    });
    refused("has batch 0", |model| model.jobs[0].behind[2] = call(2, 0, 0, 0));
    refused("at most 128 are simulated", |model| {
        model.jobs[0].before = vec![local(&[]); 200];
    });
    refused("no server", |model| model.endpoints[0].servers.clear());
}

#[test]
fn demands_that_do_not_fit_their_stages_are_named() {
    let with = |expected: &str, change: &dyn Fn(&mut Demand)| {
        refused(expected, |model| {
            let mut demand = model.jobs[0].demands[0].clone();
            change(&mut demand);
            model.jobs[0].demands = [demand].into();
        });
    };
    with("demand 0 of job `job`: work for 4 stages", &|demand| demand.work.push(Work::None));
    with("ends at stage 3, and there are 3", &|demand| demand.fails_at = Some(3));
    with("ends at stage 3, and there are 3", &|demand| demand.dropped_at = Some(3));
    with("Cpu(1) for stage 0, which waits for a timer", &|demand| demand.work[0] = Work::Cpu(1));
    with("Wait(1) for stage 1, which computes", &|demand| demand.work[1] = Work::Wait(1));
    with("Cpu(1) for stage 2, which calls an endpoint", &|demand| demand.work[2] = Work::Cpu(1));
    refused("has another kind of work in an earlier one", |model| {
        let first = model.jobs[0].demands[0].clone();
        let mut second = first.clone();
        second.work[2] = Work::Wait(1);
        model.jobs[0].demands = [first, second].into();
    });
    refused("which stands in no segment", |model| model.jobs[0].behind.truncate(2));
    refused("which calls a model server", |model| {
        model.endpoints = vec![endpoint(common::vllm(), 1)];
        let mut demand = model.jobs[0].demands[0].clone();
        demand.work[2] = Work::Wait(1);
        model.jobs[0].demands = [demand].into();
    });
}

#[test]
fn arrivals_that_cannot_be_are_named() {
    let with = |expected: &str, arrivals: Arrivals| {
        refused(expected, |model| {
            model.jobs[0].arrivals = arrivals;
            model.jobs[0].trace = [5, 3].into();
        });
    };
    with("arrivals of job `job`: 0 records a second", Arrivals::Poisson { per_s: 0.0 });
    with(
        "arrivals of job `job`: inf records a second",
        Arrivals::Constant { per_s: f64::INFINITY },
    );
    with("bursts of 0 records", Arrivals::Burst { size: 0, every_ns: 1 });
    with("the trace does not ascend", Arrivals::Trace { path: String::new() });
}

#[test]
fn failures_that_cannot_be_are_named() {
    let with = |expected: &str, failures: &[(u32, u64, Option<u64>)]| {
        refused(expected, |model| {
            let failure = |(node, at_ns, for_ns): &(u32, u64, Option<u64>)| NodeFailure {
                node: *node,
                at_ns: *at_ns,
                for_ns: *for_ns,
            };
            model.failures = failures.iter().map(failure).collect();
        });
    };
    with("failure 0: node 2, and there are 2", &[(2, 5, None)]);
    with("failure 1: node 0 is lost for good", &[(1, 0, None), (0, 5, None)]);
    with("failure 0: node 1 is lost while it is away already", &[(1, 8, None), (1, 5, None)]);
    with("failure 1: node 1 is lost while it is away already", &[(1, 5, Some(3)), (1, 8, Some(2))]);
    with("failure 0: a loss of 0 ns", &[(1, 5, Some(0))]);
}

#[test]
fn a_job_of_no_records_is_over_when_it_begins() {
    let mut model = good();
    model.jobs[0].records = 0;
    model.jobs[0].start_ns = 5 * MS;
    let outcome = simulate(&model, &mut |_| panic!("nothing happens")).unwrap();
    assert_eq!(
        (outcome.end_ns, outcome.jobs[0].finished_ns, outcome.jobs[0].tasks),
        (5 * MS, 5 * MS, 0)
    );
    let mut empty = good();
    empty.jobs[0] = job(demands([Work::Wait(1)]));
    empty.jobs[0].arrivals = Arrivals::Trace { path: String::new() };
    let outcome = simulate(&empty, &mut |_| panic!("nothing happens")).unwrap();
    assert_eq!((outcome.end_ns, outcome.events), (0, 0));
}
