//! Models at random: every kind of segment, arrival, loss and overhead, small enough for many runs.

use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use sage_core::endpoint::Lane;
use sage_dsl::experiment::{Arrivals, NodeFailure};
use sage_dsl::plan::RetryPlan;
use sage_twin::model::{
    Ask, Demand, Host, Job, Member, Model, Node, Overheads, Segment, ServerKind, Work,
};

use crate::common::{MS, US, endpoint};

/// Any model; with `failures`, nodes are lost and come back.
pub(crate) fn any_model(failures: bool) -> impl Strategy<Value = Model> {
    any::<u64>().prop_map(move |seed| draw(seed, failures))
}

/// Draws are made by hand: a model is too much of a graph for strategies, and its seed is enough to
/// repeat it.
fn draw(seed: u64, failures: bool) -> Model {
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    let rng = &mut rng;
    let hosts = rng.random_range(1..4_usize);
    let nodes = rng.random_range(1..6_usize);
    let endpoints = vec![
        endpoint(ServerKind::Fixed { service_ns: rng.random_range(1..5) * MS }, 3),
        endpoint(ServerKind::Queue { servers: rng.random_range(1..4) }, 2),
    ];
    let jobs = rng.random_range(1..4_usize);
    let mut model = Model {
        nodes: (0..nodes)
            .map(|_| Node { host: rng.random_range(0..hosts), speed: pick(rng, &[1.0, 0.5, 1.7]) })
            .collect(),
        hosts: (0..hosts).map(|_| Host { cores: pick(rng, &[1.0, 2.0, 0.7, 64.0]) }).collect(),
        endpoints,
        jobs: (0..jobs).map(|_| job(rng, nodes)).collect(),
        overheads: overheads(rng),
        failures: Vec::new(),
        seed,
    };
    for endpoint in &mut model.endpoints {
        endpoint.retry = RetryPlan { max: 2, ..endpoint.retry };
        endpoint.error_share = pick(rng, &[0.0, 0.0, 0.1]);
    }
    if failures {
        for _ in 0..rng.random_range(1..4) {
            let node = rng.random_range(0..nodes as u32);
            let away = (node == 0 || rng.random()).then(|| rng.random_range(1..20 * MS));
            let earlier = model.failures.iter().filter(|other| other.node == node);
            let mut back = earlier.map(|other| other.for_ns.map(|ns| other.at_ns + ns + 1));
            let free = back.try_fold(0, |latest, back| back.map(|back| latest.max(back)));
            // Only while it is there.
            if let Some(from) = free {
                let at_ns = from + rng.random_range(0..30 * MS);
                model.failures.push(NodeFailure { node, at_ns, for_ns: away });
            }
        }
    }
    model
}

fn pick<T: Copy>(rng: &mut Pcg64Mcg, of: &[T]) -> T {
    of[rng.random_range(0..of.len())]
}

fn overheads(rng: &mut Pcg64Mcg) -> Overheads {
    if rng.random_bool(0.3) {
        return Overheads::NONE;
    }
    let mut some = || if rng.random() { rng.random_range(0..200 * US) } else { 0 };
    Overheads {
        coordinate_ns: some(),
        decision_ns: some(),
        dispatch_ns: some(),
        complete_ns: some(),
        task_ns: some(),
        call_ns: some(),
        hop_ns: some(),
        gateway_ns: some(),
    }
}

/// What a stage of a drawn job does.
#[derive(Clone, Copy)]
enum Does {
    Compute,
    Wait,
    /// Endpoint 0 takes embeddings here, endpoint 1 plain times.
    Call(usize),
}

fn job(rng: &mut Pcg64Mcg, nodes: usize) -> Job {
    let mut stages: Vec<Does> = Vec::new();
    let before: Vec<Segment> =
        (0..rng.random_range(0..3)).map(|_| segment(rng, &mut stages)).collect();
    let behind: Vec<Segment> =
        (0..rng.random_range(0..4)).map(|_| segment(rng, &mut stages)).collect();
    let morsel = pick(rng, &[1, 1, 2, 5]);
    let records = rng.random_range(0..60);
    let per_s = rng.random_range(50.0..5_000.0);
    let arrivals = match rng.random_range(0..5) {
        0 => Arrivals::Batch,
        1 => Arrivals::Constant { per_s },
        2 => Arrivals::Poisson { per_s },
        3 => Arrivals::Burst {
            size: rng.random_range(1..20),
            every_ns: rng.random_range(0..20 * MS),
        },
        _ => Arrivals::Trace { path: String::new() },
    };
    let mut trace: Vec<u64> =
        (0..rng.random_range(0..80)).map(|_| rng.random_range(0..50 * MS)).collect();
    trace.sort_unstable();
    Job {
        name: "job".into(),
        start_ns: rng.random_range(0..5 * MS),
        arrivals,
        trace: trace.into(),
        records,
        morsel,
        nodes: rng.random_range(1..=nodes),
        slots: rng.random_range(1..5),
        policy: pick(
            rng,
            &["fifo", "load_aware", "random", "round_robin", "least_work", "priority"],
        )
        .into(),
        policy_args: Vec::new(),
        queue: rng.random_range(1..80),
        deadline_ns: rng.random_bool(0.3).then(|| rng.random_range(1..60 * MS)),
        stages: (0..stages.len()).map(|stage| format!("s{stage}")).collect(),
        before,
        behind,
        demands: (0..rng.random_range(1..20)).map(|_| demand(rng, &stages)).collect(),
        share: pick(rng, &[1.0, 3.0]),
    }
}

fn segment(rng: &mut Pcg64Mcg, stages: &mut Vec<Does>) -> Segment {
    let number = rng.random_range(1..4);
    let first = stages.len() as u16;
    let numbers = first..first + number;
    if rng.random() {
        stages.extend(numbers.clone().map(|_| Does::Compute));
        return Segment::Local { stages: numbers.collect() };
    }
    let members = numbers.map(|stage| {
        let does = pick(rng, &[Does::Wait, Does::Call(0), Does::Call(1)]);
        stages.push(does);
        let ask = match does {
            Does::Call(endpoint) => Ask::Call {
                endpoint,
                batch: rng.random_range(1..6),
                batch_tokens: rng.random_bool(0.3).then_some(50),
                linger_ns: rng.random_range(0..4 * MS),
                timeout_ns: pick(rng, &[5 * MS, 600_000 * MS]),
                lane: pick(rng, &Lane::ALL),
            },
            _ => Ask::Timer,
        };
        Member { stage, ask }
    });
    Segment::Ask { members: members.collect() }
}

fn demand(rng: &mut Pcg64Mcg, stages: &[Does]) -> Demand {
    let exit = |rng: &mut Pcg64Mcg, share| {
        (!stages.is_empty() && rng.random_bool(share))
            .then(|| rng.random_range(0..stages.len() as u16))
    };
    let (dropped_at, fails_at) = (exit(rng, 0.15), exit(rng, 0.1));
    let work = stages.iter().map(|does| match does {
        _ if rng.random_bool(0.1) => Work::None,
        Does::Compute => Work::Cpu(rng.random_range(0..3 * MS)),
        Does::Wait => Work::Wait(rng.random_range(0..8 * MS)),
        Does::Call(0) => Work::Embed { tokens: rng.random_range(1..40) },
        Does::Call(_) => Work::Wait(rng.random_range(0..4 * MS)),
    });
    let work = work.collect();
    Demand {
        priority: rng.random_range(-2..3),
        expected_ns: rng.random::<bool>().then(|| rng.random_range(0..10 * MS)),
        dropped_at,
        fails_at,
        work,
        ..Demand::default()
    }
}
