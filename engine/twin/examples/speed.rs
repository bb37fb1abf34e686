//! How fast the twin is: measurement events a second, for a job that computes, a million tasks on
//! 1024 nodes, and a job of calls to a model server.
//!
//! ```text
//! cargo run -p sage-twin --release --example speed [compute|wide|llm ...]
//! ```

#![expect(clippy::print_stdout, reason = "its output is the result")]

use std::sync::Arc;
use std::time::Instant;

use sage_core::endpoint::Lane;
use sage_core::event::Event;
use sage_core::metrics::{Recorder, RecorderConfig};
use sage_core::vllm::{embedder, profile};
use sage_dsl::experiment::Arrivals;
use sage_dsl::plan::RetryPlan;
use sage_twin::model::{
    Ask, Demand, EndpointModel, Host, Job, Member, Model, Node, Overheads, Segment, ServerKind,
    ServerModel, Work,
};
use sage_twin::simulate;

const MS: u64 = 1_000_000;

type Made = Box<dyn Fn() -> Result<Model, &'static str>>;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let cases: [(&str, Made); 4] = [
        ("compute", Box::new(|| Ok(compute(16, 200_000, "load_aware")))),
        ("wide", Box::new(|| Ok(compute(1024, 1_000_000, "load_aware")))),
        ("wide_fifo", Box::new(|| Ok(compute(1024, 1_000_000, "fifo")))),
        ("llm", Box::new(|| llm(16, 20_000))),
    ];
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    println!(
        "case       tasks    events   steps    wall_s cpu_s  events/cpu_s virtual_s peak_rss_MiB"
    );
    for (name, made) in &cases {
        if wanted.is_empty() || wanted.iter().any(|word| word == name) {
            measure(name, &made()?)?;
        }
    }
    Ok(())
}

fn measure(name: &str, model: &Model) -> Result<(), Box<dyn std::error::Error>> {
    let job = &model.jobs[0];
    let mut recorder = Recorder::new(RecorderConfig::new(job.nodes, job.slots, job.stages.clone()));
    // First without a recorder, since what a caller makes of the events is not the twin's time.
    let (began, cpu) = (Instant::now(), cpu_s());
    let mut bytes = 0_u64;
    let outcome = simulate(model, &mut |event: &Event| bytes ^= event.at_ns)?;
    let wall_s = began.elapsed().as_secs_f64();
    let cpu_s = cpu_s().zip(cpu).map_or(wall_s, |(now, then)| now - then);
    simulate(model, &mut |event: &Event| drop(recorder.observe(event)))?;
    let counts = recorder.counts();
    if counts.tasks_ok != counts.tasks_in || counts.tasks_in != job.records {
        return Err(format!("{name}: {counts:?}").into());
    }
    println!(
        "{name:<10} {:<8} {:<8} {:<8} {wall_s:<6.2} {cpu_s:<6.2} {:<12.0} {:<9.1} {}",
        outcome.jobs[0].tasks,
        outcome.events,
        outcome.steps,
        outcome.events as f64 / cpu_s,
        outcome.end_ns as f64 / 1e9,
        peak_rss_mib().map_or_else(|| "?".to_owned(), |mib| mib.to_string()),
    );
    Ok(())
}

/// Processor time of this thread so far, as far as the system says so; on a machine with other work
/// the time by the clock says nothing.
fn cpu_s() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    stat.split_whitespace().next()?.parse::<u64>().ok().map(|ns| ns as f64 / 1e9)
}

/// Most memory this process held at once, as far as the system says so.
fn peak_rss_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib / 1024)
}

fn places(nodes: usize) -> (Vec<Node>, Vec<Host>) {
    // 32 nodes on a machine of 32 cores.
    let hosts = nodes.div_ceil(32);
    let nodes = (0..nodes).map(|node| Node { host: node / 32, speed: 1.0 });
    (nodes.collect(), vec![Host { cores: 32.0 }; hosts])
}

fn job(nodes: usize, records: u64, policy: &str, demands: Vec<Demand>) -> Job {
    Job {
        name: "speed".into(),
        start_ns: 0,
        arrivals: Arrivals::Batch,
        trace: Arc::default(),
        records,
        morsel: 1,
        nodes,
        slots: 4,
        policy: policy.into(),
        policy_args: Vec::new(),
        queue: 10_000,
        deadline_ns: None,
        stages: (0..demands[0].work.len()).map(|stage| format!("s{stage}")).collect(),
        before: Vec::new(),
        behind: Vec::new(),
        demands: demands.into(),
        share: 1.0,
    }
}

/// Three chained stages of together about 20 ms a record.
fn compute(nodes: usize, records: u64, policy: &str) -> Model {
    let demand = |n: u64| Demand {
        work: vec![
            Work::Cpu(MS + n * 7_919 % MS),
            Work::Cpu(5 * MS + n * 104_729 % MS),
            Work::Cpu(12 * MS + n * 15_485_863 % (4 * MS)),
        ],
        ..Demand::default()
    };
    let mut job = job(nodes, records, policy, (0..1_000).map(demand).collect());
    job.behind = vec![Segment::Local { stages: vec![0, 1, 2] }];
    let (nodes, hosts) = places(nodes);
    Model {
        nodes,
        hosts,
        endpoints: Vec::new(),
        jobs: vec![job],
        // The coordinator of a thousand nodes would be the bottleneck of the run, not of the twin.
        overheads: Overheads { coordinate_ns: 5_000, ..Overheads::default() },
        failures: Vec::new(),
        seed: 1,
    }
}

/// A query embedding, then a generation of about 100 tokens.
fn llm(nodes: usize, records: u64) -> Result<Model, &'static str> {
    let demand = |n: u64| Demand {
        work: vec![
            Work::Embed { tokens: 12 + (n % 20) as u32 },
            Work::Generate {
                prompt_tokens: 300 + (n * 37 % 400) as u32,
                blocks: Arc::default(),
                max_tokens: 256,
                target_tokens: 40 + (n * 53 % 120) as u32,
            },
        ],
        ..Demand::default()
    };
    let ask = |batch, linger_ns, stage| Segment::Ask {
        members: vec![Member {
            stage,
            ask: Ask::Call {
                endpoint: 0,
                batch,
                batch_tokens: None,
                linger_ns,
                timeout_ns: 600_000 * MS,
                lane: Lane::Normal,
            },
        }],
    };
    let mut job = job(nodes, records, "load_aware", (0..1_000).map(demand).collect());
    job.slots = 16;
    job.behind = vec![ask(8, 5 * MS, 0), ask(1, 0, 1)];
    let (nodes, hosts) = places(nodes);
    let generator = profile("a100/qwen2.5-7b").ok_or("no such profile")?.clone();
    let embedder = *embedder("BAAI/bge-small-en-v1.5").ok_or("no such embedder")?;
    let kind = ServerKind::Vllm { generator: Box::new(generator), embedder };
    Ok(Model {
        nodes,
        hosts,
        endpoints: vec![EndpointModel {
            name: "gpu".into(),
            servers: vec![ServerModel { kind, speed: 1.0 }],
            affinity: false,
            concurrency: Some(128),
            concurrency_max: 128,
            latency_target_ns: None,
            queue: 10_000,
            aging_ns: 10_000 * MS,
            fair: true,
            retry: RetryPlan::default(),
            hedge: None,
            requests_per_s: None,
            tokens_per_s: None,
            error_share: 0.0,
        }],
        jobs: vec![job],
        overheads: Overheads::default(),
        failures: Vec::new(),
        seed: 1,
    })
}
