//! What flows: tasks on their way through the stages, and word of their completion.

use sage_core::record::{Datum, Items, Rows, pack};
use sage_core::service::Reply;
use serde::{Deserialize, Serialize};

/// One task: one record of an expensive flow, or a morsel of a cheap one.
///
/// A record that fails leaves `rows` and enters `dead`; the task itself always goes on to the end,
/// with whatever is left of it, so every task is completed exactly once.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Number in source order.
    pub id: u64,
    /// Timely worker (process times threads plus thread) that executes it.
    pub peer: u64,
    /// Whether it occupies a place in the scheduler's window; a task whose records were all dropped
    /// before the scheduling operator does not.
    pub scheduled: bool,
    /// When its first stage behind the scheduling operator began; 0 before.
    pub started_ns: u64,
    /// When it entered the queue, nanoseconds since the run began.
    pub arrived_ns: u64,
    /// How often its source had been read before; then keys repeat.
    pub round: u32,
    /// Records it came with.
    pub records: u32,
    /// Most tries any of its calls took.
    pub attempts: u16,
    /// Records that are alive.
    pub rows: Rows,
    /// Records that are not.
    pub dead: Vec<Dead>,
    /// The run is to stop, and it has not ended: it stays pending.
    pub given_back: bool,
}

impl Task {
    /// Put null in the place of columns that nobody reads any more.
    pub(crate) fn drop_columns(&mut self, columns: &[usize]) {
        if columns.is_empty() || self.rows.is_empty() {
            return;
        }
        let mut rows = Rows::with_capacity(self.rows.len(), self.rows.byte_len());
        for row in self.rows.iter() {
            rows.push(|out| {
                for (at, value) in Items::new(row).enumerate() {
                    pack(out, if columns.contains(&at) { Datum::Null } else { value });
                }
            });
        }
        self.rows = rows;
    }
}

/// Class of a record whose time was up.
pub(crate) const DEADLINE: &str = "deadline";

/// Class of a record that came too late for its window.
pub(crate) const LATE: &str = "late";

/// Class of a record or row of which an expression cannot be computed.
pub(crate) const EXPRESSION: &str = "expression";

/// A record that failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dead {
    /// Name of the stage (or `source`, or `emit`).
    pub stage: String,
    /// Tries.
    pub attempts: u16,
    /// Class of the error: one of the endpoint's classes, `invalid_output` (an answer that is no
    /// value of its type, after all repairs), `expression`, `bad_row`, `deadline`, `late`, `shed`.
    pub class: String,
    /// HTTP status, if there was one.
    pub status: Option<u16>,
    /// What happened.
    pub message: String,
    /// The record's columns at that point; the first are the source's.
    pub row: Vec<u8>,
}

/// A task is done on its worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// The task.
    pub id: u64,
    /// The node it ran on.
    pub node: u32,
    /// Whether the scheduler counts it.
    pub scheduled: bool,
    /// From its start to its end, nanoseconds.
    pub service_ns: u64,
    /// Whether no record of it failed.
    pub ok: bool,
    /// Records of it that stay pending, since the run is to stop.
    pub given_back: u32,
}

/// A distinct row of a counting sink and how often one worker emitted it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// Position among the plan's sinks.
    pub sink: u32,
    /// The packed row.
    pub row: Vec<u8>,
    /// How often.
    pub count: u64,
}

/// What became of the record of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replied {
    /// Number of the task, which is that of the request.
    pub task: u64,
    /// What is answered.
    pub reply: Reply,
}

/// Text for a sink that only one process may write (the standard output).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Printed {
    /// Position among the plan's sinks.
    pub sink: u32,
    /// Whole lines.
    pub text: Vec<u8>,
}
