//! The sinks a flow may write: one file each, plus one word in the registry.
//!
//! A sink is a format: it turns rows into bytes. Where the bytes go is the same for all: each
//! worker appends to a part file of its own, and the supervisor joins the parts under the final
//! name at the end of the run, so workers share no file and a final file is never half written.
//! The exception is the standard output, which only the first worker may write: rows for it travel
//! there.

mod packed;
mod part;
mod published;

use std::path::{Component, Path};

use sage_core::record::Datum;
use sage_dsl::catalog::{Signature, is_place_of_run};
use sage_dsl::plan::{Plan, SinkPlan, lookup};
use sage_dsl::types::{RecordType, Value};

use crate::columns;
use crate::commit::Commit;
use crate::error::DataflowError;
use crate::kafka::Delivery;
use crate::outside::Outside;

pub(crate) use http_post::KIND as HTTP_POST;
pub(crate) use part::Part;
pub(crate) use part::PartOf;
pub use part::{JoinReport, PARTS, join_parts, parts_folder};
pub use published::{Published, published};

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
    pub SINKS: SinkEntry, SIGNATURES: Signature = signature, [csv, http_post, http_reply, jsonl, kafka, parquet, stdout, tally]
}

impl SinkEntry {
    /// Whether its file has each row once, with its count.
    pub(crate) fn counts(&self) -> bool {
        self.signature.name == tally::ENTRY.signature.name
    }
}

/// Where a sink's bytes go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// A file in the run's output folder.
    File(String),
    /// A file of columns, made of packed rows at the end.
    Columns(String),
    /// A file of distinct rows with their counts.
    Counted(String),
    /// The standard output of the first worker.
    Printed,
    /// Somewhere else, from part files of this name.
    Published(String),
    /// The client that asked, by the service that the first worker has.
    Replied,
}

/// The entry of a sink.
pub(crate) fn entry(plan: &SinkPlan) -> Option<&'static SinkEntry> {
    SINKS.iter().copied().find(|entry| entry.signature.name == plan.kind)
}

fn file(plan: &SinkPlan, extension: &str) -> Target {
    let path = lookup(&plan.args, "path").and_then(Value::as_str);
    Target::File(path.map_or_else(|| format!("{}.{extension}", plan.name), str::to_owned))
}

/// Say early whether the files of a plan's sinks can be written where they are meant to be: within
/// the run's folder, each by one sink, none under the name of a file the run itself writes.
pub fn probe(plan: &Plan, own_files: &[&str]) -> Result<(), DataflowError> {
    crate::served::probe(plan)?;
    let mut taken: Vec<(String, &SinkPlan)> = Vec::new();
    for sink in &plan.sinks {
        if let Some(Target::Published(_)) = entry(sink).map(|entry| (entry.target)(sink)) {
            if sink.kind == http_post::KIND {
                http_post::probe(sink)?;
            } else {
                kafka::probe(sink)?;
            }
            taken.push((part_of(sink), sink));
        }
        let Some(name) = file_name(sink) else { continue };
        let wrong = |message: String| {
            Err(DataflowError::Sink { name: sink.name.clone(), line: sink.line, message })
        };
        let path = Path::new(&name);
        let within = path.components().all(|part| matches!(part, Component::Normal(_)));
        if !within || name.is_empty() {
            return wrong(format!(
                "`{name}` does not lie within the run's output folder; give a plain file name"
            ));
        }
        if is_place_of_run(&name) || own_files.contains(&name.as_str()) {
            return wrong(format!("the run itself writes `{name}`; choose another name"));
        }
        if let Some((_, other)) = taken.iter().find(|(taken, _)| *taken == name) {
            return wrong(format!(
                "sink `{}` (line {}) writes `{name}` too",
                other.name, other.line
            ));
        }
        if let Some(Target::Columns(_)) = entry(sink).map(|entry| (entry.target)(sink)) {
            columns::check(sink)?;
        }
        taken.push((name, sink));
    }
    probe_figures(plan, own_files, &taken)
}

/// Say before a run starts whether those answer to whom rows are delivered.
pub fn reach(plan: &Plan) -> Result<(), DataflowError> {
    plan.sinks
        .iter()
        .filter(|sink| sink.kind == kafka::ENTRY.signature.name)
        .try_for_each(kafka::reach)
}

/// What [`probe`] is for sinks, for the files of `measure` blocks.
fn probe_figures(
    plan: &Plan,
    own_files: &[&str],
    sinks: &[(String, &SinkPlan)],
) -> Result<(), DataflowError> {
    let mut taken: Vec<&str> = Vec::new();
    for measure in &plan.measures {
        let Some(name) = measure.file() else { continue };
        let plain = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
        let message = if !plain || name.is_empty() || Path::new(name).components().count() > 1 {
            format!("`{name}` is no plain file name within the run's output folder")
        } else if is_place_of_run(name) || own_files.contains(&name) {
            format!("the run itself writes `{name}`; choose another name")
        } else if let Some((_, sink)) = sinks.iter().find(|(sink, _)| sink == name) {
            format!("sink `{}` (line {}) writes `{name}` too", sink.name, sink.line)
        } else if taken.contains(&name) {
            format!("another `measure` block writes `{name}` too")
        } else {
            taken.push(name);
            continue;
        };
        let what = "measure".to_owned();
        return Err(DataflowError::Sink { name: what, line: measure.line, message });
    }
    Ok(())
}

/// Make the file of a sink of what was committed of its parts; nothing for the standard output and
/// for answers to clients.
/// `finished` is as for [`join_parts`].
pub fn join_sink(
    out: &Path,
    sink: &SinkPlan,
    commit: &Commit,
    finished: bool,
) -> Result<Option<(String, JoinReport)>, DataflowError> {
    let Some(entry) = entry(sink) else { return Ok(None) };
    let (name, report) = match (entry.target)(sink) {
        Target::Printed | Target::Replied | Target::Published(_) => return Ok(None),
        Target::Columns(name) => {
            let report = part::replace(out, &name, commit, |beside, parts| {
                columns::join(sink, beside, parts)
            })?;
            (name, report)
        }
        Target::File(name) | Target::Counted(name) => {
            let report = join_parts(out, &name, &(entry.header)(&sink.record), commit, finished)?;
            (name, report)
        }
    };
    Ok(Some((name, report)))
}

/// Name of the file a sink writes, within the run's output folder; `None` for the standard output and
/// for answers to clients.
pub fn file_name(plan: &SinkPlan) -> Option<String> {
    match (entry(plan)?.target)(plan) {
        Target::File(name) | Target::Columns(name) | Target::Counted(name) => Some(name),
        Target::Printed | Target::Replied | Target::Published(_) => None,
    }
}

/// What delivers the rows of a sink that is published.
pub(crate) fn connect(
    plan: &SinkPlan,
    outside: &Outside,
) -> Result<Box<dyn Delivery>, DataflowError> {
    match plan.kind.as_str() {
        http_post::KIND => http_post::connect(plan, outside),
        _ => kafka::connect(plan),
    }
}

/// Name of the part files of a sink that is published.
pub(crate) fn part_of(plan: &SinkPlan) -> String {
    format!("%topic-{}", plan.name)
}

pub(super) fn wrong(plan: &SinkPlan, message: String) -> DataflowError {
    DataflowError::Sink { name: plan.name.clone(), line: plan.line, message }
}

/// Line that names the columns of a sink's file; empty for formats without one.
pub fn header(plan: &SinkPlan) -> Vec<u8> {
    entry(plan).map(|entry| (entry.header)(&plan.record)).unwrap_or_default()
}
