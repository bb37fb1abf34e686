//! Experiments made by hand, and a backend that runs nothing and leaves what a run leaves.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "helpers of tests; each test file uses its own part"
)]

use std::path::Path;

use sage_core::metrics::{NodeSummary, Summary, TaskOutcome, TaskRow, csv_header};
use sage_dsl::experiment::{
    Aggregate, Backend as Place, Claim, Condition, Experiment, JobRef, Point, Setting, Sweep,
};
use sage_dsl::plan::BinaryOp;
use sage_lab::results::{Results, gather};
use sage_lab::suite::{Ended, Suite, Watcher};
use sage_lab::trial::{Backend, Overrides, Trial, TrialError, expand};
use serde_json::{Map, Value, json};

pub fn job(name: &str, settings: Vec<Setting>) -> JobRef {
    let (flow, file) = (name.to_owned(), format!("pipelines/{name}.sage"));
    JobRef { name: name.to_owned(), flow, file, settings }
}

pub fn sweep(name: &str, points: Vec<(&str, Vec<Setting>)>) -> Sweep {
    let points = points.into_iter();
    let points = points.map(|(label, settings)| Point { label: label.to_owned(), settings });
    Sweep { name: name.to_owned(), points: points.collect() }
}

pub fn policies(names: &[&str]) -> Sweep {
    let point = |label: &&str| {
        let name = label.split('(').next().unwrap().to_owned();
        Point { label: (*label).to_owned(), settings: vec![Setting::Policy { name, args: vec![] }] }
    };
    Sweep { name: "policy".into(), points: names.iter().map(point).collect() }
}

pub fn nodes(counts: &[u32]) -> Sweep {
    let point =
        |count: &u32| Point { label: count.to_string(), settings: vec![Setting::Nodes(*count)] };
    Sweep { name: "nodes".into(), points: counts.iter().map(point).collect() }
}

/// Like `exp2b` of the plan.
pub fn experiment() -> Experiment {
    Experiment {
        name: "exp2b".into(),
        summary: Some("which scheduling operator is best under medium load?".into()),
        file: "experiments/exp2b.sage".into(),
        line: 6,
        jobs: vec![job("rag", vec![]), job("compute", vec![])],
        settings: vec![Setting::Tasks(200), Setting::Nodes(4), Setting::Slots(16)],
        sweeps: vec![policies(&["fifo", "load_aware(spread)", "priority"])],
        repeat: 5,
        seed: 7,
        baseline: Some("fifo".into()),
        report: ["throughput_per_s", "latency_p99_ms", "balance"].map(str::to_owned).into(),
        claims: Vec::new(),
        backends: Vec::new(),
        quick: Vec::new(),
        quick_repeat: None,
        quick_points: Vec::new(),
    }
}

/// Like `exp4a` of the plan: three jobs at once.
pub fn together() -> Experiment {
    let fair = |label, fair| (label, vec![Setting::Fair(fair)]);
    Experiment {
        name: "exp4a".into(),
        jobs: vec![job("rag", vec![]), job("compute", vec![]), job("llm", vec![])],
        settings: vec![
            Setting::Tasks(60),
            Setting::Nodes(2),
            Setting::Together(true),
            Setting::StaggerNs(2_000_000_000),
        ],
        sweeps: vec![sweep("fair", vec![fair("on", true), fair("off", false)])],
        repeat: 3,
        baseline: Some("off".into()),
        ..experiment()
    }
}

pub fn claim(text: &str, condition: Condition) -> Claim {
    Claim { text: text.into(), condition, source: text.into(), line: 1 }
}

pub fn col(name: &str) -> Condition {
    Condition::Column(name.into())
}

pub fn at(name: &str, labels: &[&str]) -> Condition {
    let labels = labels.iter().map(|label| (*label).to_owned()).collect();
    Condition::At { column: name.into(), labels }
}

pub fn num(number: f64) -> Condition {
    Condition::Number(number)
}

pub fn over(aggregate: Aggregate, inner: Condition) -> Condition {
    Condition::Over(aggregate, Box::new(inner))
}

pub fn op(left: Condition, op: BinaryOp, right: Condition) -> Condition {
    Condition::Binary(op, Box::new(left), Box::new(right))
}

/// What a fake run does with task `n` of a job: when it arrives, starts and ends, in milliseconds,
/// and where.
pub type Plan = Box<dyn FnMut(&Trial, usize) -> Vec<(f64, f64, f64, u32)>>;

/// Decides what becomes of a trial before it runs.
pub type Judge = Box<dyn FnMut(&Trial) -> Result<(), TrialError>>;

/// Leaves the files of a run without running anything.
pub struct Fake {
    pub place: Place,
    pub plan: Plan,
    /// Identities of the trials that were run, in order.
    pub ran: Vec<String>,
    /// Decides what becomes of a trial before it runs.
    pub verdict: Judge,
    /// Of these runs (part of their trial's identity) so many records are dead and so many late.
    pub lost: Vec<(&'static str, u64, u64)>,
}

impl Fake {
    pub fn new() -> Fake {
        Fake {
            place: Place::Twin,
            plan: Box::new(steady),
            ran: Vec::new(),
            verdict: Box::new(|_| Ok(())),
            lost: Vec::new(),
        }
    }
}

/// Tasks one after the other on each node; how long they take depends on policy, nodes and seed.
pub fn steady(trial: &Trial, number: usize) -> Vec<(f64, f64, f64, u32)> {
    let job = &trial.jobs[number];
    let policy = job.policy.as_ref().map_or(0, |(name, _)| name.len());
    let company = if trial.jobs.len() > 1 { 1.5 } else { 1.0 };
    (0..job.tasks.unwrap_or(20))
        .map(|task| {
            let node = (task % u64::from(job.nodes)) as u32;
            let wobble = (task * 7 + trial.seed * 3 + number as u64) % 5;
            let span = (10.0 + policy as f64 + wobble as f64) * company;
            let begin = (task / u64::from(job.nodes)) as f64 * 20.0 * company;
            (0.0, begin + 1.0, begin + span, node)
        })
        .collect()
}

impl Backend for Fake {
    fn place(&self) -> Place {
        self.place
    }

    fn run(&mut self, trial: &Trial, folder: &Path) -> Result<(), TrialError> {
        (self.verdict)(trial)?;
        self.ran.push(trial.id.clone());
        for (number, job) in trial.jobs.iter().enumerate() {
            let tasks = (self.plan)(trial, number);
            leave(&folder.join(&job.name), job.nodes, &tasks);
            for (part, dead, late) in &self.lost {
                if trial.id.contains(part) {
                    lose(&folder.join(&job.name), *dead, *late);
                }
            }
        }
        Ok(())
    }
}

/// Write `tasks.csv` and `metrics.json` of these tasks, and some files that are no results.
pub fn leave(folder: &Path, nodes: u32, tasks: &[(f64, f64, f64, u32)]) {
    std::fs::create_dir_all(folder.join("parts")).unwrap();
    std::fs::write(folder.join("parts/0"), "rows").unwrap();
    std::fs::write(folder.join("answers.jsonl"), "{}\n").unwrap();
    std::fs::write(folder.join("dead_letters.jsonl"), "").unwrap();
    let mut table = csv_header(&["answer".into()]) + "\n";
    for (task, (arrived, started, finished, node)) in tasks.iter().enumerate() {
        let ns = |ms: f64| (ms * 1e6) as u64;
        let row = TaskRow {
            task: task as u64,
            job: 0,
            records: 1,
            node: Some(*node),
            arrived_ns: ns(*arrived),
            decided_ns: Some(ns(*arrived)),
            started_ns: Some(ns(*started)),
            finished_ns: ns(*finished),
            outcome: TaskOutcome::Ok,
            attempts: 1,
            stages_ns: vec![Some(ns(finished - started))],
            spent: sage_core::metrics::Spent::default(),
            first_token_ns: None,
        };
        table += &(row.to_csv() + "\n");
    }
    std::fs::write(folder.join("tasks.csv"), table).unwrap();
    std::fs::write(folder.join("metrics.json"), metrics(nodes, tasks).to_string()).unwrap();
}

/// Make `dead` and `late` of the records that succeeded in `run` such.
pub fn lose(run: &Path, dead: u64, late: u64) {
    let path = run.join("metrics.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut metrics: Map<String, Value> = serde_json::from_str(&text).unwrap();
    let ok = metrics["tasks_ok"].as_u64().unwrap() - dead - late;
    for (name, count) in [("tasks_ok", ok), ("tasks_dead", dead), ("tasks_late", late)] {
        metrics.insert(name.into(), json!(count));
    }
    std::fs::write(path, json!(metrics).to_string()).unwrap();
    let letter = |class: &str, message: &str| {
        json!({"class": class, "message": message, "record": {"id": "x"}}).to_string() + "\n"
    };
    let letters = letter("expression", "division by zero").repeat(dead as usize)
        + &letter("deadline", "the deadline passed while it waited").repeat(late as usize);
    std::fs::write(run.join("dead_letters.jsonl"), letters).unwrap();
}

/// The figures of these tasks, computed in the plainest way.
pub fn metrics(nodes: u32, tasks: &[(f64, f64, f64, u32)]) -> Value {
    let first = tasks.iter().map(|task| task.0).fold(f64::INFINITY, f64::min);
    let last = tasks.iter().map(|task| task.2).fold(0.0, f64::max);
    let seconds = (last - first) / 1e3;
    let count = tasks.len() as f64;
    let mut latencies: Vec<f64> = tasks.iter().map(|task| task.2 - task.0).collect();
    latencies.sort_by(f64::total_cmp);
    let mut summary = Summary {
        makespan_s: Some(seconds),
        throughput_per_s: Some(count / seconds),
        latency_mean_ms: Some(latencies.iter().sum::<f64>() / count),
        latency_p50_ms: latencies.get(latencies.len() / 2).copied(),
        latency_p90_ms: latencies.get(latencies.len() * 9 / 10).copied(),
        latency_p99_ms: latencies.get(latencies.len() * 99 / 100).copied(),
        decision_p99_us: Some(3.5),
        ..Summary::default()
    };
    summary.counts.tasks_in = tasks.len() as u64;
    summary.counts.tasks_ok = tasks.len() as u64;
    let of = |node: u32| tasks.iter().filter(move |task| task.3 == node);
    summary.nodes = (0..nodes)
        .map(|node| NodeSummary {
            node,
            tasks: of(node).count() as u64,
            busy_s: of(node).map(|task| (task.2 - task.1) / 1e3).sum(),
        })
        .collect();
    let work: Vec<f64> = summary.nodes.iter().map(|node| node.tasks as f64).collect();
    summary.balance = sage_core::metrics::balance(&work);
    let mut object = Map::new();
    for (name, value) in [
        ("schema", json!(1)),
        ("status", json!("complete")),
        ("pipeline", json!("fake")),
        ("backend", json!("twin")),
        ("endpoint", json!("sim:test")),
        ("workers", json!(nodes)),
        ("wall_s", json!(seconds + 0.5)),
    ] {
        object.insert(name.into(), value);
    }
    let Value::Object(fields) = serde_json::to_value(summary).unwrap() else { unreachable!() };
    object.extend(fields);
    object.insert("cpu_s".into(), json!(0.25));
    object.into()
}

/// Counts what happens.
#[derive(Default)]
pub struct Count {
    pub begun: usize,
    pub ended: usize,
    /// Stop before the trial after so many.
    pub stop_after: Option<usize>,
}

impl Watcher for Count {
    fn begins(&mut self, _number: usize, _of: usize, _trial: &Trial) {
        self.begun += 1;
    }

    fn ended(&mut self, _trial: &Trial, _ended: &Ended) {
        self.ended += 1;
    }

    fn stop(&self) -> bool {
        self.stop_after.is_some_and(|after| self.ended >= after)
    }
}

pub fn suite(experiment: &Experiment) -> Suite {
    let design = expand(experiment, false, &Overrides::default()).unwrap();
    Suite::new(experiment.clone(), Place::Twin, design)
}

/// Run all of `experiment` with `fake` into `folder`, and gather.
pub fn results(experiment: &Experiment, fake: &mut Fake, folder: &Path) -> Results {
    let mut suite = suite(experiment);
    suite.backend = fake.place;
    suite.begin(folder).unwrap();
    suite.run(folder, fake, &mut Count::default()).unwrap();
    gather(&suite, folder).unwrap()
}
