//! The sinks a flow may write: one file each, plus one word in the registry.
//!
//! A sink is a format: it turns rows into bytes. Where the bytes go is the same for all: each
//! worker appends to a part file of its own, and the supervisor joins the parts under the final
//! name at the end of the run, so workers share no file and a final file is never half written.
//! The exception is the standard output, which only the first worker may write: rows for it travel
//! there.

mod part;

use sage_core::record::Datum;
use sage_dsl::catalog::Signature;
use sage_dsl::plan::{SinkPlan, lookup};
use sage_dsl::types::{RecordType, Value};

pub(crate) use part::Part;
pub use part::{JoinReport, join_parts, parts_folder};

/// A sink the engine can write.
#[derive(Debug)]
pub struct SinkEntry {
    /// Name, summary, parameters.
    pub signature: Signature,
    /// Where its bytes go.
    pub(crate) target: fn(&SinkPlan) -> Target,
    /// Line that names the columns, if the format has one.
    pub(crate) header: fn(&RecordType) -> Vec<u8>,
    /// Append one row.
    pub(crate) row: fn(&RecordType, &[Datum<'_>], &mut Vec<u8>),
}

crate::registry! {
    /// Every sink. A new sink is one file and one word here.
    pub SINKS: SinkEntry, SIGNATURES: Signature = signature, [csv, jsonl, stdout, tally]
}

/// Where a sink's bytes go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// A file in the run's output folder.
    File(String),
    /// A file of distinct rows with their counts.
    Counted(String),
    /// The standard output of the first worker.
    Printed,
}

/// The entry of a sink.
pub(crate) fn entry(plan: &SinkPlan) -> Option<&'static SinkEntry> {
    SINKS.iter().copied().find(|entry| entry.signature.name == plan.kind)
}

fn file(plan: &SinkPlan, extension: &str) -> Target {
    let path = lookup(&plan.args, "path").and_then(Value::as_str);
    Target::File(path.map_or_else(|| format!("{}.{extension}", plan.name), str::to_owned))
}

/// Name of the file a sink writes, within the run's output folder; `None` for the standard output.
pub fn file_name(plan: &SinkPlan) -> Option<String> {
    match (entry(plan)?.target)(plan) {
        Target::File(name) | Target::Counted(name) => Some(name),
        Target::Printed => None,
    }
}

/// Line that names the columns of a sink's file; empty for formats without one.
pub fn header(plan: &SinkPlan) -> Vec<u8> {
    entry(plan).map(|entry| (entry.header)(&plan.record)).unwrap_or_default()
}
