//! Everything one worker writes: its parts of the sinks' files and of the dead-letter file.

use std::path::Path;

use rustc_hash::FxHashMap;
use sage_core::record::{Datum, Items, pack, write_json, write_json_object};
use sage_dsl::plan::Plan;
use sage_dsl::types::{Field, RecordType};
use serde::Serialize;

use crate::error::DataflowError;
use crate::sinks::{Part, SinkEntry, Target, entry};
use crate::task::{Counted, Dead};

/// Name of the dead-letter file in a run's output folder.
pub const DEAD_LETTERS: &str = "dead_letters.jsonl";

/// Most distinct rows of a counting sink on one worker: they are kept in memory until the end.
const MOST_DISTINCT: usize = 1 << 20;

/// One sink of this worker.
struct Outlet {
    name: String,
    line: u32,
    entry: &'static SinkEntry,
    record: RecordType,
    /// `None` for the standard output.
    part: Option<Part>,
    /// Rows so far, of a counting sink.
    counts: Option<FxHashMap<Box<[u8]>, u64>>,
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
    /// HTTP status, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
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
            let target = (entry.target)(sink);
            let counts = matches!(target, Target::Counted(_)).then(FxHashMap::default);
            let part = match target {
                Target::File(name) | Target::Counted(name) => Some(Part::create(out, &name, peer)?),
                Target::Printed => None,
            };
            let record = sink.record.clone();
            let (name, line) = (sink.name.clone(), sink.line);
            sinks.push(Outlet {
                name,
                line,
                entry,
                record,
                part,
                counts,
                buffer: Vec::new(),
                rows: 0,
            });
        }
        let source_record = plan.source().map(|source| source.record.clone());
        let source_record =
            source_record.ok_or_else(|| DataflowError::Plan("the flow has no source".into()))?;
        Ok(Outlets { sinks, dead: Part::create(out, DEAD_LETTERS, peer)?, source_record })
    }

    /// Write one row to a sink.
    pub(crate) fn write(&mut self, sink: usize, row: &[Datum<'_>]) -> Result<(), DataflowError> {
        let Some(outlet) = self.sinks.get_mut(sink) else { return Ok(()) };
        if let Some(counts) = &mut outlet.counts {
            // The buffer is only scratch here: what is written are the counts, at the end.
            outlet.buffer.clear();
            row.iter().for_each(|value| pack(&mut outlet.buffer, *value));
            let full = counts.len() == MOST_DISTINCT;
            match counts.get_mut(outlet.buffer.as_slice()) {
                Some(count) => *count += 1,
                None if full => {
                    return Err(DataflowError::Sink {
                        name: outlet.name.clone(),
                        line: outlet.line,
                        message: format!(
                            "it has more than {MOST_DISTINCT} distinct rows on one worker; a tally is \
                             for few, use `csv` or `jsonl` for many"
                        ),
                    });
                }
                None => drop(counts.insert(outlet.buffer.as_slice().into(), 1)),
            }
            outlet.buffer.clear();
            return Ok(());
        }
        (outlet.entry.row)(&outlet.record, row, &mut outlet.buffer);
        outlet.rows += 1;
        if outlet.buffer.len() >= GATHER {
            outlet.spill()?;
        }
        Ok(())
    }

    /// The counts of this worker's counting sinks, taken out.
    pub(crate) fn take_counts(&mut self) -> impl Iterator<Item = Counted> {
        let counts = self.sinks.iter_mut().enumerate().filter_map(|(sink, outlet)| {
            outlet.counts.as_mut().map(|counts| (sink as u32, std::mem::take(counts)))
        });
        counts.flat_map(|(sink, counts)| {
            let counted =
                move |(row, count): (Box<[u8]>, u64)| Counted { sink, row: row.into(), count };
            counts.into_iter().map(counted)
        })
    }

    /// Write a distinct row of a counting sink.
    pub(crate) fn write_counted(
        &mut self,
        sink: usize,
        row: &[u8],
        count: u64,
    ) -> Result<(), DataflowError> {
        let Some(outlet) = self.sinks.get_mut(sink) else { return Ok(()) };
        let values: Vec<Datum<'_>> = Items::new(row).collect();
        (outlet.entry.row)(&outlet.record, &values, &mut outlet.buffer);
        outlet.buffer.pop();
        outlet.buffer.extend_from_slice(format!(",{count}\n").as_bytes());
        outlet.rows += 1;
        outlet.spill()
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
            status: dead.status,
            message: &dead.message,
            place: None,
            row: None,
        };
        let mut line = json(&letter);
        line.pop();
        if let Some((at, key)) = self.key() {
            line.extend_from_slice(b",\"key\":");
            write_json(&mut line, &key.ty, Items::new(&dead.row).get(at));
        }
        line.extend_from_slice(b",\"record\":");
        write_json_object(&mut line, &self.source_record, Items::new(&dead.row));
        line.extend_from_slice(b"}\n");
        self.dead.write(&line, 1)?;
        self.dead.flush()
    }

    /// Where the identity of a record stands.
    fn key(&self) -> Option<(usize, &Field)> {
        self.source_record.fields.iter().enumerate().find(|(_, field)| field.key)
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
            status: None,
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
