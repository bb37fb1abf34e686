//! Everything one worker writes: its parts of the sinks' files and of the dead-letter file, and the
//! commits that make them final.

mod contributions;
mod counts;
mod delivery;
mod letter;
mod noted;
mod told;

use std::path::Path;

use rustc_hash::FxHashMap;
use sage_core::record::{Datum, Items, pack};
use sage_core::secrets::Mask;
use sage_dsl::plan::Plan;
use sage_dsl::types::RecordType;

use self::contributions::{Contributions, MOST_BYTES};
use self::counts::{Counts, MOST_DISTINCT};
pub(crate) use self::letter::lost_letter;
use self::told::Told;
use crate::commit::{Commit, Committer, Content, Outcomes, begin, dead_results, part_name};
use crate::error::DataflowError;
use crate::outside::Outside;
use crate::relation::{Failed, Packed, Place, writer_of};
use crate::sinks::{Part, SinkEntry, Target, entry};
use crate::task::{Counted, Dead};

/// Name of the dead-letter file in a run's output folder.
pub const DEAD_LETTERS: &str = "dead_letters.jsonl";

/// One sink of this worker.
struct Outlet {
    name: String,
    line: u32,
    entry: &'static SinkEntry,
    record: RecordType,
    /// `None` for the standard output, and for answers.
    part: Option<Part>,
    /// Whether its rows are answers.
    replies: bool,
    /// Of a counting sink.
    counts: Option<Counts>,
    /// What it was given, if its rows are sent on and computed anew by each generation.
    told: Option<Told>,
    buffer: Vec<u8>,
    /// Rows in the buffer.
    buffered: u64,
    /// Rows for the standard output, or answered.
    printed: u64,
}

/// What one worker writes.
pub(crate) struct Outlets {
    sinks: Vec<Outlet>,
    /// To the steps over all records, if there are any.
    contributions: Option<Contributions>,
    dead: Part,
    /// Of the steps over all records, computed anew as their rows are.
    dead_results: Option<Part>,
    shown: letter::Shown,
    /// What no dead letter shows.
    mask: Mask,
    committer: Option<Committer>,
    /// Tasks that ended since they were last noted for the commit.
    done: Vec<u64>,
    outcomes: Outcomes,
}

/// Whose files these are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Writer {
    pub(crate) generation: u32,
    /// Number of the timely worker.
    pub(crate) peer: usize,
    /// How many there are.
    pub(crate) peers: usize,
}

/// Bytes a sink gathers before they are written.
const GATHER: usize = 1 << 15;

impl Outlets {
    /// Create this worker's files; `earlier` is what earlier generations committed.
    pub(crate) fn create(
        plan: &Plan,
        out: &Path,
        writer: Writer,
        earlier: &Commit,
        outside: &Outside,
    ) -> Result<Self, DataflowError> {
        begin(out)?;
        let Writer { generation, peer, .. } = writer;
        let part =
            |name: &str, content| Part::create(out, part_name(name, generation, peer), content);
        let relation = plan.relation();
        // Their rows are computed anew from what was committed.
        let computed: Vec<usize> =
            relation.iter().flat_map(|it| it.emits()).map(|emit| emit.sink).collect();
        let contributions = relation.is_some();
        let contributions = contributions
            .then(|| Contributions::create(out, plan.sinks.len(), writer, earlier))
            .transpose()?;
        let mut sinks = Vec::new();
        for (number, sink) in plan.sinks.iter().enumerate() {
            let entry = entry(sink).ok_or_else(|| {
                DataflowError::Plan(format!("line {}: there is no sink `{}`", sink.line, sink.kind))
            })?;
            let mut told = None;
            let (part, counts) = match (entry.target)(sink) {
                Target::File(name) | Target::Columns(name) if computed.contains(&number) => {
                    (Some(part(&name, Content::Totals)?), None)
                }
                Target::File(name) | Target::Columns(name) => {
                    (Some(part(&name, Content::Rows)?), None)
                }
                Target::Counted(name) if computed.contains(&number) => {
                    (Some(part(&name, Content::Totals)?), None)
                }
                Target::Counted(name) => {
                    let counts = Counts::create(out, number, writer, earlier)?;
                    (Some(part(&name, Content::Totals)?), Some(counts))
                }
                Target::Published(name) => {
                    if computed.contains(&number) {
                        let peers = writer.peers.max(1) as u64;
                        let in_order = delivery::in_order(sink, &name, earlier);
                        let mine =
                            |row: &[u8]| writer_of(in_order, number, row) % peers == peer as u64;
                        told = Some(Told::create(out, number, writer, earlier, mine, in_order)?);
                    }
                    (Some(part(&name, Content::Rows)?), None)
                }
                Target::Printed | Target::Replied => (None, None),
            };
            sinks.push(Outlet {
                name: sink.name.clone(),
                line: sink.line,
                replies: (entry.target)(sink) == Target::Replied,
                entry,
                record: sink.record.clone(),
                part,
                counts,
                told,
                buffer: Vec::new(),
                buffered: 0,
                printed: 0,
            });
        }
        let shown = letter::Shown::of(plan)
            .ok_or_else(|| DataflowError::Plan("the flow has no source".into()))?;
        let dead_results = dead_results(DEAD_LETTERS, generation, peer);
        let mut outlets = Outlets {
            sinks,
            contributions,
            dead: part(DEAD_LETTERS, Content::Rows)?,
            dead_results: relation
                .map(|_| Part::create(out, dead_results, Content::Totals))
                .transpose()?,
            shown,
            mask: outside.mask.clone(),
            committer: None,
            done: Vec::new(),
            outcomes: Outcomes::default(),
        };
        let mut tracked =
            outlets.parts().map(|part| part.tracked()).collect::<Result<Vec<_>, _>>()?;
        delivery::start(plan, out, writer, (earlier, outside), &mut tracked)?;
        outlets.committer = Some(Committer::start(out, generation, peer, tracked)?);
        Ok(outlets)
    }

    /// All part files, always in the same order.
    fn parts(&mut self) -> impl Iterator<Item = &mut Part> {
        let sinks = self.sinks.iter_mut().flat_map(Outlet::parts);
        let contributions = self.contributions.iter_mut().map(Contributions::log);
        let dead = std::iter::once(&mut self.dead).chain(&mut self.dead_results);
        sinks.chain(contributions).chain(dead)
    }

    /// Write one row to a sink, or to the steps over all records, whose number follows the sinks'.
    pub(crate) fn write(&mut self, sink: usize, row: &[Datum<'_>]) {
        if sink == self.sinks.len()
            && let Some(contributions) = &mut self.contributions
        {
            let mut packed = Vec::with_capacity(16 * row.len());
            row.iter().for_each(|value| pack(&mut packed, *value));
            contributions.add(&packed);
            return;
        }
        let Some(outlet) = self.sinks.get_mut(sink) else { return };
        if let Some(counts) = &mut outlet.counts {
            // The buffer is only scratch here: what is written are the counts.
            outlet.buffer.clear();
            row.iter().for_each(|value| pack(&mut outlet.buffer, *value));
            counts.add(&outlet.buffer);
            outlet.buffer.clear();
            return;
        }
        (outlet.entry.row)(&outlet.record, row, &mut outlet.buffer);
        outlet.buffered += 1;
        if outlet.buffer.len() >= GATHER {
            outlet.spill();
        }
    }

    /// The counts of this worker's counting sinks, taken out.
    pub(crate) fn take_counts(&mut self) -> impl Iterator<Item = Counted> {
        let sinks = self.sinks.iter_mut().enumerate();
        sinks.flat_map(|(sink, outlet)| {
            let rows = outlet.counts.as_mut().map(Counts::take);
            let counted = move |(row, count): (Box<[u8]>, u64)| Counted {
                sink: sink as u32,
                row: row.into(),
                count,
            };
            rows.into_iter().flatten().map(counted)
        })
    }

    /// Write a distinct row of a counting sink.
    pub(crate) fn write_counted(&mut self, sink: usize, row: &[u8], count: u64) {
        let Some(outlet) = self.sinks.get_mut(sink) else { return };
        let values: Vec<Datum<'_>> = Items::new(row).collect();
        (outlet.entry.row)(&outlet.record, &values, &mut outlet.buffer);
        outlet.buffer.pop();
        outlet.buffer.extend_from_slice(format!(",{count}\n").as_bytes());
        outlet.buffered += 1;
        outlet.spill();
    }

    /// What was contributed to the steps over all records since the last time.
    pub(crate) fn take_contributions(&mut self) -> Vec<(Packed, isize)> {
        self.contributions.as_mut().map(Contributions::take).unwrap_or_default()
    }

    /// Whether only the first worker may write to a sink.
    pub(crate) fn is_printed(&self, sink: usize) -> bool {
        self.sinks.get(sink).is_some_and(|outlet| outlet.part.is_none() && !outlet.replies)
    }

    /// Whether the rows of a sink are answers to clients.
    pub(crate) fn is_reply(&self, sink: usize) -> bool {
        self.sinks.get(sink).is_some_and(|outlet| outlet.replies)
    }

    /// Write a row of the steps over all records, so many times.
    pub(crate) fn write_result(&mut self, sink: usize, row: &[u8], count: u64) {
        let Some(outlet) = self.sinks.get(sink) else { return };
        if outlet.entry.counts() {
            return self.write_counted(sink, row, count);
        }
        let values: Vec<Datum<'_>> = Items::new(row).collect();
        (0..count).for_each(|_| self.write(sink, &values));
    }

    /// Whether one worker writes all that the steps over all records send to a sink.
    pub(crate) fn in_order(&self, sink: usize) -> bool {
        let told = self.sinks.get(sink).and_then(|outlet| outlet.told.as_ref());
        told.is_some_and(Told::in_order)
    }

    /// What earlier generations gave to a sink that sends it on, taken out.
    pub(crate) fn take_told(&mut self, sink: usize) -> FxHashMap<Packed, isize> {
        let told = self.sinks.get_mut(sink).and_then(|outlet| outlet.told.as_mut());
        told.map(Told::take).unwrap_or_default()
    }

    /// A row of the steps over all records goes to a sink, or what went there does not hold any more.
    pub(crate) fn tell(&mut self, sink: usize, row: &[u8], count: isize) {
        if let Some(told) = self.sinks.get_mut(sink).and_then(|outlet| outlet.told.as_mut()) {
            told.note(row, count);
        }
    }

    /// Before rows of the steps over all records may leave: wait until what they are computed of is
    /// committed on this worker.
    pub(crate) fn secure(&mut self) {
        if let Some(committer) = &self.committer
            && self.sinks.iter().any(|outlet| outlet.told.is_some())
        {
            committer.wait();
        }
    }

    /// Lines gathered for sinks that only the first worker may write.
    pub(crate) fn take_printed(&mut self) -> impl Iterator<Item = (usize, Vec<u8>)> {
        let printed = |(i, outlet): (usize, &mut Outlet)| {
            (outlet.part.is_none() && !outlet.replies && !outlet.buffer.is_empty()).then(|| {
                outlet.printed += std::mem::take(&mut outlet.buffered);
                (i, std::mem::take(&mut outlet.buffer))
            })
        };
        self.sinks.iter_mut().enumerate().filter_map(printed)
    }

    /// What the task that has just ended answers: how many rows, and the lines.
    pub(crate) fn take_reply(&mut self) -> (u64, Vec<u8>) {
        let Some(outlet) = self.sinks.iter_mut().find(|outlet| outlet.replies) else {
            return (0, Vec::new());
        };
        let count = std::mem::take(&mut outlet.buffered);
        outlet.printed += count;
        (count, std::mem::take(&mut outlet.buffer))
    }

    /// Write a failed record to the dead-letter file.
    pub(crate) fn bury(&mut self, task: u64, dead: &Dead) {
        self.dead.write(&letter::of_record(task, dead, &self.shown, &self.mask), 1);
    }

    /// Write a row that is no record to the dead-letter file.
    pub(crate) fn bury_row(&mut self, place: &str, row: &str, why: &str) {
        self.outcomes.unreadable += 1;
        self.dead.write(&letter::of_row(place, row, why, &self.mask), 1);
    }

    /// Write a row of the steps over all records to the dead-letter file.
    pub(crate) fn bury_result(&mut self, place: &Place, failed: &Failed) {
        if let Some(part) = &mut self.dead_results {
            part.write(&letter::of_result(place, failed, &self.mask), 1);
        }
    }

    /// A task has ended, and all it leaves is written.
    pub(crate) fn end(&mut self, task: u64, outcomes: Outcomes) {
        self.done.push(task);
        self.outcomes.add(outcomes);
    }

    /// Hand everything to the thread that commits. No task may be half written.
    pub(crate) fn settle(&mut self) -> Result<(), DataflowError> {
        for outlet in &mut self.sinks {
            outlet.spill();
            if outlet.counts.as_mut().is_some_and(|counts| !counts.settle()) {
                return Err(DataflowError::Sink {
                    name: outlet.name.clone(),
                    line: outlet.line,
                    message: format!(
                        "it has more than {MOST_DISTINCT} distinct rows on one worker; a tally is for \
                         few, use `csv` or `jsonl` for many"
                    ),
                });
            }
        }
        if self.contributions.as_mut().is_some_and(|it| !it.settle()) {
            return Err(DataflowError::Relation {
                place: "what the records contribute".into(),
                message: format!(
                    "there are more than {} GiB of it on one worker, where it is kept in memory; group \
                     by less, aggregate fewer values, or use more workers",
                    MOST_BYTES >> 30
                ),
            });
        }
        let Some(committer) = &self.committer else { return Ok(()) };
        let sinks = self.sinks.iter_mut().flat_map(Outlet::parts);
        let contributions = self.contributions.iter_mut().map(Contributions::log);
        let dead = std::iter::once(&mut self.dead).chain(&mut self.dead_results);
        let parts = sinks.chain(contributions).chain(dead).enumerate();
        let growths = parts.filter_map(|(number, part)| Some((number, part.growth()?)));
        committer.note(&mut self.done, std::mem::take(&mut self.outcomes), growths)
    }

    /// Commit what is left.
    pub(crate) fn close(&mut self) -> Result<(), DataflowError> {
        self.committer.take().map_or(Ok(()), Committer::close)
    }

    /// Rows written to each sink.
    pub(crate) fn rows(&self) -> Vec<u64> {
        let rows = |outlet: &Outlet| outlet.part.as_ref().map_or(outlet.printed, Part::rows);
        self.sinks.iter().map(rows).collect()
    }
}

impl Outlet {
    fn parts(&mut self) -> impl Iterator<Item = &mut Part> {
        let counts = self.counts.as_mut().map(Counts::log);
        self.part.iter_mut().chain(counts).chain(self.told.as_mut().map(Told::log))
    }

    fn spill(&mut self) {
        if let Some(part) = &mut self.part {
            part.write(&self.buffer, std::mem::take(&mut self.buffered));
            self.buffer.clear();
        }
    }
}
