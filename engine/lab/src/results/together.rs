//! The row over all jobs of a trial: what adds up, and what can only be said of jobs that ran
//! together.

use std::collections::BTreeMap;

use sage_core::metrics::balance;
use serde_json::{Map, Value, json};

use super::tasks::Times;
use super::value;

/// A job that ran with others.
pub(super) struct Member<'r> {
    /// Its `metrics.json`.
    pub(super) metrics: &'r Map<String, Value>,
    /// Times of its tasks, all jobs by one clock; `None` if its table cannot be read.
    pub(super) times: Option<Times>,
}

/// Fields that are added up over the jobs.
const SUMS: [&str; 11] = [
    "tasks_in",
    "tasks_ok",
    "tasks_dead",
    "tasks_late",
    "tasks_pending",
    "retries",
    "prompt_tokens",
    "completion_tokens",
    "cost",
    "cached",
    "cpu_s",
];

/// What a run of all jobs would have in its `metrics.json`, as far as it follows from theirs.
pub(super) fn metrics(members: &[Member<'_>]) -> Map<String, Value> {
    let mut all = Map::new();
    let each = |name: &str| members.iter().map(|job| value(name, job.metrics)).collect::<Vec<_>>();
    for name in SUMS {
        let values = each(name);
        // A cost that one job does not know is not known of all.
        let sum: Option<f64> = values.into_iter().sum();
        all.insert(name.into(), sum.map_or(Value::Null, number));
    }
    for word in ["backend", "endpoint", "schema"] {
        if let Some(found) = members.first().and_then(|job| job.metrics.get(word)) {
            all.insert(word.into(), found.clone());
        }
    }
    let times: Option<Vec<&Times>> = members.iter().map(|job| job.times.as_ref()).collect();
    let span = times.as_deref().and_then(Span::of);
    let ok = value("tasks_ok", &all);
    let per_s = |count: Option<f64>| {
        let seconds = span.as_ref()?.until_completion()?;
        Some(count? / seconds)
    };
    all.insert("makespan_s".into(), json!(span.as_ref().map(Span::whole)));
    all.insert("throughput_per_s".into(), json!(per_s(ok)));
    // Each job's goodput is over its own time; its count of tasks in time is not.
    let in_time = members.iter().map(|job| {
        let (good, throughput) =
            (value("goodput_per_s", job.metrics)?, value("throughput_per_s", job.metrics)?);
        let ok = value("tasks_ok", job.metrics)?;
        Some(if throughput > 0.0 { good * ok / throughput } else { 0.0 })
    });
    let in_time: Option<f64> = in_time.sum();
    all.insert("goodput_per_s".into(), json!(per_s(in_time)));
    for (name, field) in [("balance", "tasks"), ("busy_balance", "busy_s")] {
        all.insert(name.into(), json!(balance(&by_node(members, field))));
    }
    all
}

/// Whole numbers stay such.
fn number(sum: f64) -> Value {
    if sum.fract() == 0.0 && (0.0..9e15).contains(&sum) { json!(sum as u64) } else { json!(sum) }
}

/// Node by node, the sum over the jobs: worker `n` of each job is on node `n`.
fn by_node(members: &[Member<'_>], field: &str) -> Vec<f64> {
    let mut sums: BTreeMap<u64, f64> = BTreeMap::new();
    for job in members {
        for node in job.metrics.get("nodes").and_then(Value::as_array).into_iter().flatten() {
            let number = node.get("node").and_then(Value::as_u64).unwrap_or(u64::MAX);
            // An unknown part makes the whole unknown.
            let part = node.get(field).and_then(Value::as_f64).unwrap_or(f64::NAN);
            *sums.entry(number).or_default() += part;
        }
    }
    sums.into_values().collect()
}

/// From the first arrival of any job on.
struct Span {
    from: f64,
    last_completion: Option<f64>,
    last_end: f64,
}

impl Span {
    fn of(times: &[&Times]) -> Option<Span> {
        let firsts = times.iter().map(|job| job.first_arrival).collect::<Option<Vec<_>>>()?;
        let ends = times.iter().map(|job| job.last_end).collect::<Option<Vec<_>>>()?;
        let completions = times.iter().filter_map(|job| job.completions.last().copied());
        Some(Span {
            from: firsts.into_iter().reduce(f64::min)?,
            last_completion: completions.reduce(f64::max),
            last_end: ends.into_iter().reduce(f64::max)?,
        })
    }

    fn until_completion(&self) -> Option<f64> {
        self.last_completion.map(|last| last - self.from).filter(|seconds| *seconds > 0.0)
    }

    fn whole(&self) -> f64 {
        self.last_end - self.from
    }
}

/// (max - min) / mean of the jobs' throughput, over the time from the last first arrival to the
/// first last completion: only then do all jobs have something to do. `None` if there is no such
/// time, or fewer than two jobs.
///
/// A task of a cheap flow holds many records, and its table does not say how many; a job's records
/// are taken to be spread evenly over its tasks.
pub(super) fn isolation_spread(members: &[Member<'_>]) -> Option<f64> {
    let times = members.iter().map(|job| job.times.as_ref()).collect::<Option<Vec<_>>>()?;
    let firsts = times.iter().map(|job| job.first_arrival).collect::<Option<Vec<_>>>()?;
    let lasts: Option<Vec<f64>> = times.iter().map(|job| job.completions.last().copied()).collect();
    let from = firsts.into_iter().reduce(f64::max)?;
    let to = lasts?.into_iter().reduce(f64::min)?;
    if members.len() < 2 || to <= from {
        return None;
    }
    let rates = members.iter().zip(&times).map(|(job, times)| {
        let records = value("tasks_ok", job.metrics)?;
        Some(records * times.share_within(from, to) / (to - from))
    });
    let rates = rates.collect::<Option<Vec<f64>>>()?;
    let mean = rates.iter().sum::<f64>() / rates.len() as f64;
    let most = rates.iter().copied().reduce(f64::max)?;
    let least = rates.iter().copied().reduce(f64::min)?;
    (mean > 0.0).then(|| (most - least) / mean)
}

/// (sum x)^2 / (n * sum x^2): 1 when all have the same, 1/n when one has everything. R. Jain, D.
/// Chiu, W. Hawe, "A Quantitative Measure of Fairness", DEC-TR-301, 1984. `None` of nothing.
pub(super) fn jain(shares: &[f64]) -> Option<f64> {
    let squares: f64 = shares.iter().map(|share| share * share).sum();
    let sum: f64 = shares.iter().sum();
    (squares > 0.0).then(|| sum * sum / (shares.len() as f64 * squares))
}
