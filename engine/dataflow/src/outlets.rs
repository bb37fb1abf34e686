//! Everything one worker writes: its parts of the sinks' files and of the dead-letter file.

use std::path::Path;

use sage_core::record::{Datum, Items, write_json_object};
use sage_dsl::plan::Plan;
use sage_dsl::types::RecordType;
use serde::Serialize;

use crate::error::DataflowError;
use crate::sinks::{Part, SinkEntry, Target, entry};
use crate::task::Dead;

/// Name of the dead-letter file in a run's output folder.
pub const DEAD_LETTERS: &str = "dead_letters.jsonl";

/// One sink of this worker.
struct Outlet {
    entry: &'static SinkEntry,
    record: RecordType,
    /// `None` for the standard output.
    part: Option<Part>,
    buffer: Vec<u8>,
    rows: u64,
}

/// What one worker writes.
pub(crate) struct Outlets {
    sinks: Vec<Outlet>,
    dead: Part,
    source_record: RecordType,
}

/// A dead letter, as a line of the file.
#[derive(Serialize)]
struct Letter<'a> {
    task: Option<u64>,
    stage: &'a str,
    class: &'a str,
    attempts: u16,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    row: Option<&'a str>,
}

/// Bytes a sink gathers before they are written.
const GATHER: usize = 1 << 15;

impl Outlets {
    /// Create this worker's part files.
    pub(crate) fn create(plan: &Plan, out: &Path, peer: usize) -> Result<Self, DataflowError> {
        let mut sinks = Vec::new();
        for sink in &plan.sinks {
            let entry = entry(sink).ok_or_else(|| {
                DataflowError::Plan(format!("line {}: there is no sink `{}`", sink.line, sink.kind))
            })?;
            let part = match (entry.target)(sink) {
                Target::File(name) => Some(Part::create(out, &name, peer)?),
                Target::Printed => None,
            };
            let record = sink.record.clone();
            sinks.push(Outlet { entry, record, part, buffer: Vec::new(), rows: 0 });
        }
        let source_record = plan.source().map(|source| source.record.clone());
        let source_record =
            source_record.ok_or_else(|| DataflowError::Plan("the flow has no source".into()))?;
        Ok(Outlets { sinks, dead: Part::create(out, DEAD_LETTERS, peer)?, source_record })
    }

    /// Write one row to a sink.
    pub(crate) fn write(&mut self, sink: usize, row: &[Datum<'_>]) -> Result<(), DataflowError> {
        let Some(outlet) = self.sinks.get_mut(sink) else { return Ok(()) };
        (outlet.entry.row)(&outlet.record, row, &mut outlet.buffer);
        outlet.rows += 1;
        if outlet.buffer.len() >= GATHER {
            outlet.spill()?;
        }
        Ok(())
    }

    /// Lines gathered for sinks that only the first worker may write.
    pub(crate) fn take_printed(&mut self) -> impl Iterator<Item = (usize, Vec<u8>)> {
        let printed = |(i, outlet): (usize, &mut Outlet)| {
            (outlet.part.is_none() && !outlet.buffer.is_empty())
                .then(|| (i, std::mem::take(&mut outlet.buffer)))
        };
        self.sinks.iter_mut().enumerate().filter_map(printed)
    }

    /// Write a failed record to the dead-letter file.
    pub(crate) fn bury(&mut self, task: u64, dead: &Dead) -> Result<(), DataflowError> {
        let letter = Letter {
            task: Some(task),
            stage: &dead.stage,
            class: &dead.class,
            attempts: dead.attempts,
            message: &dead.message,
            place: None,
            row: None,
        };
        let mut line = json(&letter);
        line.pop();
        line.extend_from_slice(b",\"record\":");
        write_json_object(&mut line, &self.source_record, Items::new(&dead.row));
        line.extend_from_slice(b"}\n");
        self.dead.write(&line, 1)?;
        self.dead.flush()
    }

    /// Write a row that is no record to the dead-letter file.
    pub(crate) fn bury_row(
        &mut self,
        place: &str,
        row: &str,
        why: &str,
    ) -> Result<(), DataflowError> {
        let letter = Letter {
            task: None,
            stage: "source",
            class: "bad_row",
            attempts: 0,
            message: why,
            place: Some(place),
            row: Some(row),
        };
        let mut line = json(&letter);
        line.push(b'\n');
        self.dead.write(&line, 1)?;
        self.dead.flush()
    }

    /// Hand everything to the system, so that a killed worker loses nothing it had finished.
    pub(crate) fn flush(&mut self) -> Result<(), DataflowError> {
        for outlet in &mut self.sinks {
            outlet.spill()?;
            if let Some(part) = &mut outlet.part {
                part.flush()?;
            }
        }
        self.dead.flush()
    }

    /// Rows written to each sink.
    pub(crate) fn rows(&self) -> Vec<u64> {
        self.sinks.iter().map(|outlet| outlet.rows).collect()
    }
}

impl Outlet {
    fn spill(&mut self) -> Result<(), DataflowError> {
        if let Some(part) = &mut self.part {
            part.write(&self.buffer, 0)?;
            self.buffer.clear();
        }
        Ok(())
    }
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("a struct of texts and numbers is JSON")
}
