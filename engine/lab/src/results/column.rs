//! The columns of results: what claims, objectives and reports may name.
//!
//! Most stand under their names in `metrics.json`. Those that follow from several fields of a run
//! are computed in `value.rs`, those that follow from several runs in `derive.rs`.

use Direction::{Down, Neutral, Up};
use sage_dsl::experiment::Backend;

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The more the better.
    Up,
    /// The less the better.
    Down,
    /// Neither.
    Neutral,
}

/// A column.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// As written in programs and files; the unit stands in it.
    pub name: &'static str,
    /// Other names it goes by in programs, such as `throughput`.
    pub aliases: &'static [&'static str],
    /// As shown in tables and plots.
    pub title: &'static str,
    /// Unit, as shown; empty for a number without one.
    pub unit: &'static str,
    /// Which way is better.
    pub direction: Direction,
    /// What it is, in one line.
    pub doc: &'static str,
    /// Whether it is said of jobs that run together as a whole, and stands in the row `all`.
    pub together: bool,
}

impl Column {
    /// Whether it is assumed on this backend and not measured: the twin takes fixed times for what
    /// a decision and its way to the node cost.
    pub fn assumed(&self, backend: Backend) -> bool {
        let cost = ["decision_", "dispatch_"].iter().any(|start| self.name.starts_with(start));
        backend == Backend::Twin && cost
    }

    const fn together(self) -> Column {
        Column { together: true, ..self }
    }
}

/// The column called `name`, by its name or an alias.
pub fn column(name: &str) -> Option<&'static Column> {
    COLUMNS.iter().find(|column| column.name == name || column.aliases.contains(&name))
}

type Words = &'static str;

const fn col(
    name: Words,
    aliases: &'static [Words],
    title: Words,
    unit: Words,
    direction: Direction,
    doc: Words,
) -> Column {
    Column { name, aliases, title, unit, direction, doc, together: false }
}

/// Every column, in the order of reports.
pub const COLUMNS: &[Column] = &[
    col(
        "throughput_per_s",
        &["throughput"],
        "Throughput",
        "tasks/s",
        Up,
        "completed tasks over the time from the first arrival to the last completion",
    ),
    col(
        "goodput_per_s",
        &["goodput"],
        "Goodput",
        "tasks/s",
        Up,
        "the same, of tasks completed within the deadline; only with a deadline",
    ),
    col(
        "speedup",
        &[],
        "Speedup",
        "",
        Up,
        "throughput over that of 1 node, or of the fewest nodes that were run",
    ),
    col("efficiency", &[], "Efficiency", "", Up, "speedup over the ratio of the numbers of nodes"),
    col("success", &[], "Success", "", Up, "share of the records that succeeded"),
    col("tasks_in", &[], "Records", "", Neutral, "records that came in"),
    col("tasks_ok", &[], "Completed", "", Up, "records that succeeded"),
    col("tasks_dead", &["dead"], "Dead", "", Down, "records that failed"),
    col("tasks_late", &["late"], "Late", "", Down, "records whose time was up"),
    col("tasks_pending", &["pending"], "Pending", "", Down, "records without an outcome"),
    col(
        "left_out",
        &[],
        "Left out",
        "",
        Neutral,
        "records that the source kept back: like one before, or dropped before a `flat_map`",
    ),
    col(
        "latency_mean_ms",
        &["latency", "latency_mean"],
        "Mean latency",
        "ms",
        Down,
        "mean of arrival to completion",
    ),
    col(
        "latency_p50_ms",
        &["latency_p50", "p50"],
        "P50 latency",
        "ms",
        Down,
        "median of arrival to completion",
    ),
    col(
        "latency_p90_ms",
        &["latency_p90", "p90"],
        "P90 latency",
        "ms",
        Down,
        "90th percentile of arrival to completion",
    ),
    col(
        "latency_p95_ms",
        &["latency_p95", "p95"],
        "P95 latency",
        "ms",
        Down,
        "95th percentile of arrival to completion",
    ),
    col(
        "latency_p99_ms",
        &["latency_p99", "p99"],
        "P99 latency",
        "ms",
        Down,
        "99th percentile of arrival to completion",
    ),
    col(
        "latency_max_ms",
        &["latency_max"],
        "Max latency",
        "ms",
        Down,
        "maximum of arrival to completion",
    ),
    col(
        "scheduling_mean_ms",
        &["scheduling"],
        "Scheduling",
        "ms",
        Down,
        "mean of arrival to decision",
    ),
    col("scheduling_p50_ms", &[], "P50 scheduling", "ms", Down, "median of arrival to decision"),
    col(
        "scheduling_p90_ms",
        &[],
        "P90 scheduling",
        "ms",
        Down,
        "90th percentile of arrival to decision",
    ),
    col(
        "scheduling_p95_ms",
        &[],
        "P95 scheduling",
        "ms",
        Down,
        "95th percentile of arrival to decision",
    ),
    col(
        "scheduling_p99_ms",
        &[],
        "P99 scheduling",
        "ms",
        Down,
        "99th percentile of arrival to decision",
    ),
    col("scheduling_max_ms", &[], "Max scheduling", "ms", Down, "maximum of arrival to decision"),
    col("queueing_mean_ms", &["queueing"], "Queueing", "ms", Down, "mean of decision to start"),
    col("queueing_p50_ms", &[], "P50 queueing", "ms", Down, "median of decision to start"),
    col("queueing_p90_ms", &[], "P90 queueing", "ms", Down, "90th percentile of decision to start"),
    col("queueing_p95_ms", &[], "P95 queueing", "ms", Down, "95th percentile of decision to start"),
    col("queueing_p99_ms", &[], "P99 queueing", "ms", Down, "99th percentile of decision to start"),
    col("queueing_max_ms", &[], "Max queueing", "ms", Down, "maximum of decision to start"),
    col(
        "execution_mean_ms",
        &["execution"],
        "Execution",
        "ms",
        Down,
        "mean of start to completion",
    ),
    col("execution_p50_ms", &[], "P50 execution", "ms", Down, "median of start to completion"),
    col(
        "execution_p90_ms",
        &[],
        "P90 execution",
        "ms",
        Down,
        "90th percentile of start to completion",
    ),
    col(
        "execution_p95_ms",
        &[],
        "P95 execution",
        "ms",
        Down,
        "95th percentile of start to completion",
    ),
    col(
        "execution_p99_ms",
        &[],
        "P99 execution",
        "ms",
        Down,
        "99th percentile of start to completion",
    ),
    col("execution_max_ms", &[], "Max execution", "ms", Down, "maximum of start to completion"),
    col(
        "ttft_p50_ms",
        &["ttft_p50"],
        "P50 first token",
        "ms",
        Down,
        "median time to the first token, of the streamed stage where it is longest",
    ),
    col(
        "ttft_p95_ms",
        &["ttft_p95"],
        "P95 first token",
        "ms",
        Down,
        "95th percentile of the time to the first token, of the streamed stage where it is longest",
    ),
    col(
        "ttft_p99_ms",
        &["ttft_p99"],
        "P99 first token",
        "ms",
        Down,
        "99th percentile of the time to the first token, of the streamed stage where it is longest",
    ),
    col("balance", &[], "Balance", "", Up, "1 - sd / mean of the tasks completed by all nodes"),
    col("busy_balance", &[], "Busy balance", "", Up, "the same of the time that nodes were busy"),
    col("utilization", &[], "Utilization", "", Neutral, "busy time over the time of all slots"),
    col(
        "decision_p50_us",
        &["decision_p50"],
        "P50 decision",
        "µs",
        Down,
        "median time inside the policy for one decision",
    ),
    col(
        "decision_p99_us",
        &["decision_p99"],
        "P99 decision",
        "µs",
        Down,
        "99th percentile of the time inside the policy for one decision",
    ),
    col(
        "dispatch_p50_us",
        &["dispatch_p50"],
        "P50 dispatch",
        "µs",
        Down,
        "median of decision to arrival in the worker's hands",
    ),
    col(
        "dispatch_p99_us",
        &["dispatch_p99"],
        "P99 dispatch",
        "µs",
        Down,
        "99th percentile of decision to arrival in the worker's hands",
    ),
    col(
        "isolation_spread",
        &[],
        "Isolation spread",
        "",
        Down,
        "(max - min) / mean of the jobs' throughput while all of them run",
    )
    .together(),
    col(
        "parallel_gain",
        &[],
        "Parallel gain",
        "",
        Up,
        "sum of the jobs' makespans alone over their makespan together",
    )
    .together(),
    col(
        "jain",
        &["fairness"],
        "Jain index",
        "",
        Up,
        "Jain's fairness index over the jobs' goodput, or throughput without deadlines",
    )
    .together(),
    col("slowdown", &[], "Slowdown", "", Down, "makespan of a job with the others over that alone"),
    col(
        "makespan_s",
        &["makespan", "duration", "duration_s"],
        "Duration",
        "s",
        Down,
        "from the first arrival to the last outcome",
    ),
    col("wall_s", &["wall"], "Wall time", "s", Down, "the whole run, start-up included"),
    col("startup_s", &["startup"], "Start-up", "s", Down, "until the first dispatch"),
    col("drain_s", &["drain"], "Drain", "s", Down, "from the last outcome to the end of the run"),
    col("retries", &[], "Retries", "", Down, "calls that were tried again"),
    col("endpoint_calls", &["calls"], "Calls", "", Neutral, "calls of all endpoints"),
    col("endpoint_shed", &["shed"], "Shed", "", Down, "tries that a busy server turned away"),
    col(
        "endpoint_limit",
        &["limit"],
        "Limit",
        "",
        Neutral,
        "limit of calls in flight at the end, of the endpoint where it is largest",
    ),
    col(
        "endpoint_in_flight_max",
        &["in_flight_max"],
        "Most in flight",
        "",
        Neutral,
        "most calls in flight at once, of the endpoint where it is largest",
    ),
    col("prompt_tokens", &[], "Prompt tokens", "", Neutral, "tokens sent that were paid for"),
    col(
        "completion_tokens",
        &[],
        "Generated tokens",
        "",
        Neutral,
        "tokens generated that were paid for",
    ),
    col("cost", &[], "Cost", "", Down, "cost of these tokens by the program's prices"),
    col("cached", &[], "Cached", "", Neutral, "answers that had been paid for earlier"),
    col("cpu_s", &["cpu"], "CPU", "s", Down, "processor time of all processes"),
    col("rss_peak_mb", &["rss"], "Memory", "MiB", Down, "peak memory of the largest worker"),
    col(
        "warmup_excluded",
        &[],
        "Warm-up",
        "",
        Neutral,
        "records left out of the latency figures as warm-up",
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_name_is_used_twice_and_units_stand_in_names() {
        let mut names = BTreeSet::new();
        for column in COLUMNS {
            for name in [column.name].iter().chain(column.aliases) {
                assert!(names.insert(*name), "{name} is used twice");
                assert_eq!(super::column(name).unwrap().name, column.name);
            }
            for (suffix, unit) in [("_ms", "ms"), ("_us", "µs"), ("_s", "s"), ("_mb", "MiB")] {
                let per_s = column.name.ends_with("_per_s");
                if column.name.ends_with(suffix) && !per_s {
                    assert_eq!(column.unit, unit, "{}", column.name);
                }
            }
        }
        assert!(column("nonsense").is_none());
    }
}
