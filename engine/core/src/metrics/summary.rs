//! `Summary`: the numbers of a run, with the names they have in `metrics.json`.
//!
//! What was not measured is `None`, hence `null`, never 0. The unit stands in the name.

use serde::{Deserialize, Serialize};

use super::balance::balance;
use super::histogram::Histogram;
use super::recorder::{Counts, Recorder};

/// The numbers of a run that follow from its events.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Summary {
    /// Records by outcome: `tasks_in`, `tasks_ok`, `tasks_dead`, `tasks_late`, `tasks_pending`.
    #[serde(flatten)]
    pub counts: Counts,
    /// From the first arrival to the last outcome of any kind.
    pub makespan_s: Option<f64>,
    /// Records that succeeded, over the time from the first arrival to the last success.
    pub throughput_per_s: Option<f64>,
    /// The same, of records that succeeded within the deadline; `None` without a deadline.
    pub goodput_per_s: Option<f64>,
    /// Mean of arrival to completion.
    pub latency_mean_ms: Option<f64>,
    /// Median of arrival to completion.
    pub latency_p50_ms: Option<f64>,
    /// 90th percentile of arrival to completion.
    pub latency_p90_ms: Option<f64>,
    /// 95th percentile of arrival to completion.
    pub latency_p95_ms: Option<f64>,
    /// 99th percentile of arrival to completion.
    pub latency_p99_ms: Option<f64>,
    /// Maximum of arrival to completion.
    pub latency_max_ms: Option<f64>,
    /// Mean of arrival to decision.
    pub scheduling_mean_ms: Option<f64>,
    /// Median of arrival to decision.
    pub scheduling_p50_ms: Option<f64>,
    /// 90th percentile of arrival to decision.
    pub scheduling_p90_ms: Option<f64>,
    /// 95th percentile of arrival to decision.
    pub scheduling_p95_ms: Option<f64>,
    /// 99th percentile of arrival to decision.
    pub scheduling_p99_ms: Option<f64>,
    /// Maximum of arrival to decision.
    pub scheduling_max_ms: Option<f64>,
    /// Mean of decision to start.
    pub queueing_mean_ms: Option<f64>,
    /// Median of decision to start.
    pub queueing_p50_ms: Option<f64>,
    /// 90th percentile of decision to start.
    pub queueing_p90_ms: Option<f64>,
    /// 95th percentile of decision to start.
    pub queueing_p95_ms: Option<f64>,
    /// 99th percentile of decision to start.
    pub queueing_p99_ms: Option<f64>,
    /// Maximum of decision to start.
    pub queueing_max_ms: Option<f64>,
    /// Mean of start to completion.
    pub execution_mean_ms: Option<f64>,
    /// Median of start to completion.
    pub execution_p50_ms: Option<f64>,
    /// 90th percentile of start to completion.
    pub execution_p90_ms: Option<f64>,
    /// 95th percentile of start to completion.
    pub execution_p95_ms: Option<f64>,
    /// 99th percentile of start to completion.
    pub execution_p99_ms: Option<f64>,
    /// Maximum of start to completion.
    pub execution_max_ms: Option<f64>,
    /// Median of the time inside the policy, over all decisions.
    pub decision_p50_us: Option<f64>,
    /// 99th percentile of the time inside the policy.
    pub decision_p99_us: Option<f64>,
    /// Median of decision to arrival in the worker's hands, over all tasks that ended.
    pub dispatch_p50_us: Option<f64>,
    /// 99th percentile of decision to arrival in the worker's hands.
    pub dispatch_p99_us: Option<f64>,
    /// [`balance`] of the records that succeeded, over all nodes.
    pub balance: Option<f64>,
    /// [`balance`] of the busy time, over all nodes.
    pub busy_balance: Option<f64>,
    /// Busy time over the time of all slots from the first arrival to the last outcome.
    pub utilization: Option<f64>,
    /// Calls that were tried again.
    pub retries: u64,
    /// Records that succeeded but are left out of the latency figures as warm-up.
    pub warmup_excluded: u64,
    /// Records whose latency is known but not its parts, because an event was lost.
    pub splits_missing: u64,
    /// Every node of the run.
    pub nodes: Vec<NodeSummary>,
    /// Every stage of the plan.
    pub stages: Vec<StageSummary>,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct NodeSummary {
    /// Number of the node.
    pub node: u32,
    /// Records that succeeded there.
    pub tasks: u64,
    /// Execution time of all its tasks, summed over its slots.
    pub busy_s: f64,
}

/// One stage. Its figures are of all its calls, those of warm-up and of failed tasks included.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct StageSummary {
    /// Name in the program.
    pub name: String,
    /// How often it was done.
    pub calls: u64,
    /// Mean time.
    pub mean_ms: Option<f64>,
    /// 99th percentile of the time.
    pub p99_ms: Option<f64>,
    /// Tokens sent.
    pub prompt_tokens: u64,
    /// Tokens generated.
    pub completion_tokens: u64,
}

impl Recorder {
    /// The summary of what was seen so far.
    pub fn finish(&self) -> Summary {
        let totals = &self.totals;
        let (warmup, rest) =
            self.held.split(totals.first_arrival_ns.unwrap_or(0), self.config.warmup);
        let mut parts = totals.parts.clone();
        let mut splits_missing = totals.splits_missing;
        for sample in &rest {
            parts[0].record(sample.latency_ns, sample.records);
            match sample.split_ns {
                Some(split) => {
                    for (part, ns) in parts[1..].iter_mut().zip(split) {
                        part.record(ns, sample.records);
                    }
                }
                None => splits_missing += sample.records,
            }
        }
        let mut summary = Summary {
            counts: totals.counts(),
            retries: totals.retries,
            warmup_excluded: warmup.iter().map(|sample| sample.records).sum(),
            splits_missing,
            ..Summary::default()
        };
        summary.rates(self);
        summary.times(&parts, self);
        summary.places(self);
        summary
    }
}

impl Summary {
    /// Name and mean, p50, p90, p95, p99, max in milliseconds, of the latency and its parts.
    pub fn parts(&self) -> [(&'static str, [Option<f64>; 6]); 4] {
        [
            (
                "latency",
                [
                    self.latency_mean_ms,
                    self.latency_p50_ms,
                    self.latency_p90_ms,
                    self.latency_p95_ms,
                    self.latency_p99_ms,
                    self.latency_max_ms,
                ],
            ),
            (
                "scheduling",
                [
                    self.scheduling_mean_ms,
                    self.scheduling_p50_ms,
                    self.scheduling_p90_ms,
                    self.scheduling_p95_ms,
                    self.scheduling_p99_ms,
                    self.scheduling_max_ms,
                ],
            ),
            (
                "queueing",
                [
                    self.queueing_mean_ms,
                    self.queueing_p50_ms,
                    self.queueing_p90_ms,
                    self.queueing_p95_ms,
                    self.queueing_p99_ms,
                    self.queueing_max_ms,
                ],
            ),
            (
                "execution",
                [
                    self.execution_mean_ms,
                    self.execution_p50_ms,
                    self.execution_p90_ms,
                    self.execution_p95_ms,
                    self.execution_p99_ms,
                    self.execution_max_ms,
                ],
            ),
        ]
    }

    fn rates(&mut self, recorder: &Recorder) {
        let totals = &recorder.totals;
        let seconds_until = |end: Option<u64>| {
            let ns = end?.saturating_sub(totals.first_arrival_ns?);
            Some(ns as f64 / 1e9)
        };
        self.makespan_s = seconds_until(totals.last_end_ns);
        let per_s = |records: u64| match seconds_until(totals.last_ok_ns) {
            // Tasks ended and none of them succeeded.
            None => self.makespan_s.map(|_| 0.0),
            Some(seconds) => (seconds > 0.0).then(|| records as f64 / seconds),
        };
        self.throughput_per_s = per_s(self.counts.tasks_ok);
        self.goodput_per_s = recorder.config.deadline_ns.and_then(|_| per_s(totals.in_time));
    }

    fn times(&mut self, parts: &[Histogram; 4], recorder: &Recorder) {
        let [latency, scheduling, queueing, execution] = parts;
        [
            self.latency_mean_ms,
            self.latency_p50_ms,
            self.latency_p90_ms,
            self.latency_p95_ms,
            self.latency_p99_ms,
            self.latency_max_ms,
        ] = spread_ms(latency);
        [
            self.scheduling_mean_ms,
            self.scheduling_p50_ms,
            self.scheduling_p90_ms,
            self.scheduling_p95_ms,
            self.scheduling_p99_ms,
            self.scheduling_max_ms,
        ] = spread_ms(scheduling);
        [
            self.queueing_mean_ms,
            self.queueing_p50_ms,
            self.queueing_p90_ms,
            self.queueing_p95_ms,
            self.queueing_p99_ms,
            self.queueing_max_ms,
        ] = spread_ms(queueing);
        [
            self.execution_mean_ms,
            self.execution_p50_ms,
            self.execution_p90_ms,
            self.execution_p95_ms,
            self.execution_p99_ms,
            self.execution_max_ms,
        ] = spread_ms(execution);
        let us = |histogram: &Histogram, q| histogram.quantile_ns(q).map(|ns| ns / 1e3);
        let Recorder { totals, .. } = recorder;
        self.decision_p50_us = us(&totals.decision, 0.50);
        self.decision_p99_us = us(&totals.decision, 0.99);
        self.dispatch_p50_us = us(&totals.dispatch, 0.50);
        self.dispatch_p99_us = us(&totals.dispatch, 0.99);
    }

    fn places(&mut self, recorder: &Recorder) {
        let Recorder { config, totals, .. } = recorder;
        let nodes = totals.nodes.iter().enumerate();
        self.nodes = nodes
            .map(|(number, node)| NodeSummary {
                node: number as u32,
                tasks: node.tasks,
                busy_s: node.busy_ns as f64 / 1e9,
            })
            .collect();
        let over = |of: fn(&NodeSummary) -> f64| self.nodes.iter().map(of).collect::<Vec<_>>();
        let busy = over(|node| node.busy_s);
        self.balance = balance(&over(|node| node.tasks as f64));
        self.busy_balance = balance(&busy);
        let slots = self.nodes.len() as f64 * f64::from(config.slots);
        self.utilization = self
            .makespan_s
            .map(|seconds| seconds * slots)
            .filter(|available| *available > 0.0)
            .map(|available| busy.iter().sum::<f64>() / available);
        let ms = |ns: Option<f64>| ns.map(|ns| ns / 1e6);
        self.stages = config
            .stages
            .iter()
            .zip(&totals.stages)
            .map(|(name, stage)| StageSummary {
                name: name.clone(),
                calls: stage.times.count(),
                mean_ms: ms(stage.times.mean_ns()),
                p99_ms: ms(stage.times.quantile_ns(0.99)),
                prompt_tokens: stage.prompt_tokens,
                completion_tokens: stage.completion_tokens,
            })
            .collect();
    }
}

/// Mean, p50, p90, p95, p99, max in milliseconds.
fn spread_ms(histogram: &Histogram) -> [Option<f64>; 6] {
    let quantile = |q| histogram.quantile_ns(q);
    [
        histogram.mean_ns(),
        quantile(0.50),
        quantile(0.90),
        quantile(0.95),
        quantile(0.99),
        histogram.max_ns(),
    ]
    .map(|ns| ns.map(|ns| ns / 1e6))
}
