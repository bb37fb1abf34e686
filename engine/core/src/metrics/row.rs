//! `TaskRow`: one line of `tasks.csv`.

use std::fmt::Write;

use super::price::Spent;

/// How a task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TaskOutcome {
    /// All its records succeeded.
    Ok,
    /// Some succeeded, some are dead.
    Partial,
    /// All are dead.
    Dead,
    /// Its time was up before it ran, or before all was asked that it needs.
    Late,
}

impl TaskOutcome {
    /// As written in `tasks.csv`.
    pub fn as_str(self) -> &'static str {
        match self {
            TaskOutcome::Ok => "ok",
            TaskOutcome::Partial => "partial",
            TaskOutcome::Dead => "dead",
            TaskOutcome::Late => "late",
        }
    }
}

/// A task that has ended. Times are nanoseconds since the run began, in ascending order.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskRow {
    /// Number of the task.
    pub task: u64,
    /// Number of the job.
    pub job: u16,
    /// Records in the task.
    pub records: u32,
    /// Where it ran; `None` if it never left the queue.
    pub node: Option<u32>,
    /// When it entered the queue.
    pub arrived_ns: u64,
    /// When a worker was chosen; `None` if that was not recorded.
    pub decided_ns: Option<u64>,
    /// When its first expensive stage began.
    pub started_ns: Option<u64>,
    /// When it ended.
    pub finished_ns: u64,
    /// How it ended.
    pub outcome: TaskOutcome,
    /// Most tries of any call; 0 if it made none.
    pub attempts: u16,
    /// Time in each stage, by position in the plan; `None` for a stage that did not run.
    pub stages_ns: Vec<Option<u64>>,
    /// What its calls cost.
    pub spent: Spent,
    /// From the submission of its last streamed call to the first token; `None` without one.
    pub first_token_ns: Option<u64>,
}

impl TaskRow {
    /// Completion - arrival.
    pub fn latency_ns(&self) -> u64 {
        self.finished_ns - self.arrived_ns
    }

    /// Scheduling, queueing and execution, which add up to the latency; `None` if the decision or
    /// the start was not recorded.
    pub fn split_ns(&self) -> Option<[u64; 3]> {
        let (decided, started) = (self.decided_ns?, self.started_ns?);
        Some([decided - self.arrived_ns, started - decided, self.finished_ns - started])
    }

    /// The line, without line break. What was not recorded is empty, never 0.
    pub fn to_csv(&self) -> String {
        let mut line = self.task.to_string();
        let cell = |line: &mut String, value: Option<u64>| {
            line.push(',');
            if let Some(ns) = value {
                // Whole nanoseconds, so that sums over a row stay exact.
                let _ = write!(line, "{}.{:06}", ns / 1_000_000, ns % 1_000_000);
            }
        };
        line.push(',');
        if let Some(node) = self.node {
            let _ = write!(line, "{node}");
        }
        cell(&mut line, Some(self.arrived_ns));
        cell(&mut line, self.decided_ns);
        cell(&mut line, self.started_ns);
        cell(&mut line, Some(self.finished_ns));
        let _ = write!(line, ",{},{}", self.outcome.as_str(), self.attempts);
        for stage in &self.stages_ns {
            cell(&mut line, *stage);
        }
        let Spent { prompt_tokens, completion_tokens, cost } = self.spent;
        let _ = write!(line, ",{prompt_tokens},{completion_tokens},");
        if let Some(cost) = cost {
            let _ = write!(line, "{cost}");
        }
        cell(&mut line, self.first_token_ns);
        line
    }
}

/// The head line of `tasks.csv`, without line break.
pub fn csv_header(stages: &[String]) -> String {
    let mut line =
        String::from("task_id,node,arrived_ms,decided_ms,started_ms,finished_ms,outcome,attempts");
    for stage in stages {
        let _ = write!(line, ",{stage}_ms");
    }
    line.push_str(",prompt_tokens,completion_tokens,cost,first_token_ms");
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_match_the_head_and_unknown_is_empty() {
        let mut row = TaskRow {
            task: 7,
            job: 0,
            records: 1,
            node: Some(3),
            arrived_ns: 1_500_000,
            decided_ns: Some(2_000_001),
            started_ns: None,
            finished_ns: 1_000_000_000,
            outcome: TaskOutcome::Dead,
            attempts: 2,
            stages_ns: vec![None, Some(42)],
            spent: Spent { prompt_tokens: 12, completion_tokens: 3, cost: None },
            first_token_ns: None,
        };
        let head = csv_header(&["embed".into(), "answer".into()]);
        assert!(
            head.ends_with(
                ",embed_ms,answer_ms,prompt_tokens,completion_tokens,cost,first_token_ms"
            )
        );
        assert_eq!(row.to_csv(), "7,3,1.500000,2.000001,,1000.000000,dead,2,,0.000042,12,3,,");
        row.spent.cost = Some(0.000_001_5);
        row.first_token_ns = Some(1_000_001);
        assert!(row.to_csv().ends_with(",12,3,0.0000015,1.000001"));
        assert_eq!(head.matches(',').count(), row.to_csv().matches(',').count());
        assert_eq!(row.split_ns(), None);
    }
}
