//! The sources a flow may read: one file each, plus one word in the registry.
//!
//! A source is a plain reader that is asked for a few rows at a time. It runs on a thread of its
//! own (see [`feed`]), so a blocking file or pipe never holds up the dataflow, and a full queue
//! stops the reading.

mod distinct;
mod early;
mod expand;
mod feed;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod live;
mod opened;
mod supply;
mod watermark;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use roaring::RoaringTreemap;
use sage_core::record::Rows;
use sage_core::web::Web;
use sage_dsl::catalog::Signature;
use sage_dsl::plan::{DistinctPlan, SourcePlan, lookup};
use sage_dsl::types::Value;

use crate::commit::Commit;
use crate::commit::ledger::Passed;
use crate::error::DataflowError;

use distinct::Distinct;
use expand::Expand;
use opened::Opened;
use watermark::Watermark;

pub(crate) use feed::{Fed, FeedSettings, Feeder, Fresh, renamed};
pub(crate) use http_get::KIND as HTTP_GET;
pub(crate) use live::{Needs, Place};
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use live::{change_feed, change_log};
pub use live::{is_endless, is_watched};
pub(crate) use supply::Supply;

/// A source the engine can read.
#[derive(Debug)]
pub struct SourceEntry {
    /// Name, summary, parameters.
    pub signature: Signature,
    open: fn(&SourcePlan) -> Result<Box<dyn Source>, DataflowError>,
}

crate::registry! {
    /// Every source. A new source is one file and one word here.
    pub SOURCES: SourceEntry, SIGNATURES: Signature = signature, [csv, dir, generate, http, http_get, jsonl, kafka, parquet, stdin]
}

/// A reader of records.
pub(crate) trait Source: Send {
    /// Said before the first read of a run: what is read is kept, and how far the run is. A source
    /// that gives the same records in the same order each time need not know.
    fn keep(&mut self, _kept: &Kept) -> Result<(), DataflowError> {
        Ok(())
    }

    /// Append up to `rows` rows to `batch`; `false` when there are no more.
    fn read(&mut self, batch: &mut Batch, rows: usize) -> Result<bool, DataflowError>;

    /// Where the record that was read last stands, for people; a file and its line.
    fn place(&self) -> Option<String> {
        None
    }

    /// Records so far that were left out, because one like them had come before.
    fn left_out(&self) -> u64 {
        0
    }
}

/// How far a run is with its source.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    /// The run's folder.
    pub(crate) out: PathBuf,
    /// Which set of workers this is.
    pub(crate) generation: u32,
    /// Tasks that were done before.
    pub(crate) done: Arc<RoaringTreemap>,
    /// Unreadable rows that were buried before; the first ones, since they are met in order.
    pub(crate) buried: u64,
    /// Most records and unreadable rows.
    pub(crate) most: u64,
    /// How often the source was read before, to its end.
    pub(crate) round: u64,
    /// Makes the requests of a source that needs some.
    pub(crate) web: Option<Arc<dyn Web>>,
}

/// What a source read.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// Done before all that follows, so it is not given once more.
    pub(crate) passed: Passed,
    /// Good rows.
    pub(crate) rows: Rows,
    /// Good rows that came too late.
    pub(crate) late: Rows,
    /// Rows that are no records of the declared type.
    pub(crate) bad: Vec<BadRow>,
}

/// A row that is no record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadRow {
    /// Where: file and line.
    pub(crate) place: String,
    /// The row as it stands there, shortened when it is very long.
    pub(crate) text: String,
    /// What is wrong with it.
    pub(crate) reason: String,
    /// Key of the record that it was or is to be, packed, if that can be told.
    pub(crate) key: Option<Vec<u8>>,
}

impl BadRow {
    pub(crate) fn new(place: String, text: &[u8], reason: impl Into<String>) -> Self {
        let shown = &text[..text.len().min(4096)];
        let text = String::from_utf8_lossy(shown).into_owned();
        BadRow { place, text, reason: reason.into(), key: None }
    }

    /// The same, of the record with this key.
    pub(crate) fn of(self, key: Option<Vec<u8>>) -> Self {
        BadRow { key, ..self }
    }
}

/// An input that knows whether a further read may have to wait. A batch from a pipe ends where
/// waiting would begin: the rows that are there must not wait for those that are not.
pub(crate) trait Patient {
    /// Whether a further read may have to wait for somebody.
    fn would_wait(&self) -> bool;
}

impl Patient for std::io::BufReader<std::io::Stdin> {
    fn would_wait(&self) -> bool {
        self.buffer().is_empty()
    }
}

/// Open the source of a plan, to read what is there now.
pub(crate) fn open(plan: &SourcePlan) -> Result<Box<dyn Source>, DataflowError> {
    live::once(plan)?.map_or_else(|| open_plain(plan), |once| open_plain(&once))
}

/// Open the source of a plan for a run, which keeps in `place` what it cannot read twice.
fn open_for(plan: &SourcePlan, place: Option<&Place>) -> Result<Box<dyn Source>, DataflowError> {
    match place.map(|place| live::open(plan, place)).transpose()?.flatten() {
        Some(watched) => Ok(watched),
        None => open(plan),
    }
}

fn open_plain(plan: &SourcePlan) -> Result<Box<dyn Source>, DataflowError> {
    let entry = SOURCES.iter().find(|entry| entry.signature.name == plan.kind);
    let entry = entry.ok_or_else(|| broken(plan, format!("there is no source `{}`", plan.kind)))?;
    let source = (entry.open)(plan)?;
    let distinct = |source: Box<dyn Source>, distinct: Option<&DistinctPlan>| match distinct {
        Some(distinct) => {
            Ok::<Box<dyn Source>, DataflowError>(Box::new(Distinct::new(source, plan, distinct)?))
        }
        None => Ok(source),
    };
    let source = distinct(source, plan.distinct.as_ref())?;
    let source = match &plan.expand {
        Some(expand) => {
            distinct(Box::new(Expand::new(source, plan, expand)?), expand.distinct.as_ref())?
        }
        None => source,
    };
    match &plan.watermark {
        Some(watermark) => Ok(Box::new(Watermark::new(source, watermark)?)),
        None => Ok(source),
    }
}

/// Say early whether the source of a plan can be read: the file is there, its header fits. Nobody
/// outside this machine is asked; see [`reach`].
pub fn probe(plan: &SourcePlan) -> Result<(), DataflowError> {
    if plan.kind == kafka::ENTRY.signature.name { kafka::probe(plan) } else { open(plan).map(drop) }
}

/// Say before a run starts whether a source that others hold is there.
pub fn reach(plan: &SourcePlan) -> Result<(), DataflowError> {
    if plan.kind == kafka::ENTRY.signature.name { open(plan).map(drop) } else { Ok(()) }
}

/// Whether the records of a source come from outside while a run goes on, so that it cannot be read
/// from its beginning once more.
pub fn is_live(plan: &SourcePlan) -> bool {
    [stdin::ENTRY.signature.name, kafka::ENTRY.signature.name].contains(&plan.kind.as_str())
}

/// Whether the run in `out` has begun to read a source that does not give the same records each time.
pub fn has_begun(out: &Path) -> bool {
    kafka::has_begun(out) || http_get::has_begun(out)
}

/// Tell whoever keeps it outside how far the run in `out` is, of which this is committed. The run
/// itself goes by what is committed alone.
pub fn settle(plan: &SourcePlan, out: &Path, commit: &Commit) -> Result<(), DataflowError> {
    if plan.kind != kafka::ENTRY.signature.name {
        return Ok(());
    }
    kafka::settle(
        plan,
        &Kept {
            out: out.to_owned(),
            generation: commit.generation,
            done: Arc::new(commit.done.clone()),
            buried: commit.outcomes.unreadable,
            most: u64::MAX,
            round: 0,
            web: None,
        },
    )
}

pub(crate) fn broken(plan: &SourcePlan, message: impl Into<String>) -> DataflowError {
    DataflowError::Source { name: plan.name.clone(), line: plan.line, message: message.into() }
}

fn text<'p>(plan: &'p SourcePlan, name: &str) -> Option<&'p str> {
    lookup(&plan.args, name).and_then(Value::as_str)
}

/// Open the file named by argument `path`; what is read is unpacked.
fn file(plan: &SourcePlan) -> Result<(PathBuf, Opened), DataflowError> {
    let (path, file) = plain_file(plan)?;
    match Opened::new(file) {
        Ok(opened) => Ok((path, opened)),
        Err(error) => Err(missing(plan, &path, &error)),
    }
}

/// Open the file named by argument `path` as it is.
pub(crate) fn plain_file(plan: &SourcePlan) -> Result<(PathBuf, std::fs::File), DataflowError> {
    let path = PathBuf::from(text(plan, "path").ok_or_else(|| broken(plan, "it names no file"))?);
    // Before it is opened: that alone waits for whoever writes to a named pipe.
    let metadata = std::fs::metadata(&path).map_err(|error| missing(plan, &path, &error))?;
    if metadata.is_dir() {
        return Err(broken(plan, format!("`{}` is a folder, not a file", path.display())));
    }
    if !metadata.is_file() {
        return Err(broken(
            plan,
            format!(
                "`{0}` is a pipe or a device, not a file, and what it gives cannot be read a second \
                 time, as a run that goes on does; read the source `stdin()` and run it with `< {0}`, \
                 or write the rows to a file",
                path.display()
            ),
        ));
    }
    let file = std::fs::File::open(&path).map_err(|error| missing(plan, &path, &error))?;
    Ok((path, file))
}

fn missing(plan: &SourcePlan, path: &Path, error: &std::io::Error) -> DataflowError {
    let remedy = if error.kind() == std::io::ErrorKind::NotFound {
        "; paths are relative to the folder of the program"
    } else {
        ""
    };
    broken(plan, format!("cannot open `{}`: {error}{remedy}", path.display()))
}
