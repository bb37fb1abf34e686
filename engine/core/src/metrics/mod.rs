//! Measurement: the only place that turns events into numbers.
//!
//! ```text
//! Event --> Recorder --> TaskRow (one line of tasks.csv, as soon as a task ends)
//!              |---> Counts, per-node load: live, at any moment
//!              '---> Summary (metrics.json, summary.txt), at the end
//! ```
//!
//! Live engine, simulator and twin feed the same recorder, so a number means the same everywhere.
//! A recorder holds the open tasks, a bounded warm-up buffer and histograms: its memory does not
//! grow with the run.
//!
//! Definitions:
//! - **latency** = completion - arrival = scheduling (arrival to decision) + queueing (decision to
//!   start) + execution (start to completion), in whole nanoseconds, exactly, for every task.
//! - a record is **ok**, **dead**, **late** or **pending**, and the four add up to what came in.
//! - latencies are those of records that succeeded, and weigh by records.
//! - **tokens and cost** are those that were paid for: an answer of the journal adds none, a failed
//!   or repaired answer does.
//! - **warm-up**: the earliest-arrived 5 % of the completed tasks are left out of the latency
//!   figures, and of these only those that arrived within 5 s of the first.

mod balance;
mod done;
mod histogram;
mod open;
mod price;
mod recorder;
mod render;
mod row;
mod sampler;
mod summary;
mod warmup;

pub use balance::balance;
pub use histogram::Histogram;
pub use price::{Price, Spent};
pub use recorder::{Counts, NodeLoad, Recorder, RecorderConfig};
pub use render::summary_text;
pub use row::{TaskOutcome, TaskRow, csv_header};
pub use sampler::{SAMPLE_HEADER, Sample, Sampler};
pub use summary::{NodeSummary, StageSummary, Summary};
pub use warmup::Warmup;
