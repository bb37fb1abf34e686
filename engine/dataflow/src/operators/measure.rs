//! `measure`: the measurement stream. Events of all workers come together on the first one.
//!
//! They go two ways: into the recorder (rows of tasks.csv, live counts, the summary) and into a
//! differential collection that maintains counts per second, node, stage and kind. That collection
//! lives in a timely worker of its own (see `timeline`): were it part of the main dataflow, one slow
//! call would hold back every count behind it.

use std::cell::RefCell;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use sage_core::event::{Event, Kind};
use sage_core::metrics::{Recorder, RecorderConfig, csv_header};
use timely::dataflow::Stream;
use timely::dataflow::channels::pact::ExchangeCore;
use timely::dataflow::operators::Operator;

use super::Time;
use crate::commit::Commit;
use crate::context::Context;
use crate::error::DataflowError;
use crate::figures::Figures;
use crate::pod::PodVec;

/// Name of the table of tasks in a run's output folder.
pub const TASKS: &str = "tasks.csv";

/// What is measured, on the first worker.
pub(crate) struct Measurements {
    pub(crate) recorder: Recorder,
    /// Events for the per-second counts, not yet handed to differential.
    pub(crate) pending: Vec<Event>,
    /// When the first task was in a worker's hands, nanoseconds since the run began.
    pub(crate) first_dispatch_ns: Option<u64>,
    /// Of the `measure` blocks.
    figures: Figures,
    path: PathBuf,
    tasks: BufWriter<File>,
}

impl Measurements {
    /// Rows of tasks that were done before stay in the table.
    pub(crate) fn create(
        out: &Path,
        config: RecorderConfig,
        figures: Figures,
        earlier: &Commit,
    ) -> Result<Self, DataflowError> {
        let path = out.join(TASKS);
        let failed = |reason| DataflowError::File { action: "create", path: path.clone(), reason };
        let header = csv_header(&config.stages);
        let tasks = table(&path, &header, earlier).map_err(failed)?;
        Ok(Measurements {
            recorder: Recorder::new(config),
            pending: Vec::new(),
            first_dispatch_ns: None,
            figures,
            path,
            tasks,
        })
    }

    fn observe(&mut self, event: &Event) -> Result<(), DataflowError> {
        self.pending.push(*event);
        if event.kind() == Some(Kind::Dispatched) {
            let first = self.first_dispatch_ns.get_or_insert(event.at_ns);
            *first = event.at_ns.min(*first);
        }
        let row = self.recorder.observe(event);
        self.figures.observe(event, row.as_ref());
        if let Some(row) = row {
            writeln!(self.tasks, "{}", row.to_csv()).map_err(|reason| self.failed(reason))?;
        }
        Ok(())
    }

    /// Take in what the first worker's own operators noted.
    pub(crate) fn take_own(&mut self, context: &Context) {
        let own: Vec<Event> = context.log.borrow_mut().drain(..).collect();
        for event in &own {
            if let Err(error) = self.observe(event) {
                context.fail(error);
            }
        }
    }

    /// Write the figures that are due; at the end, what is left of them.
    pub(crate) fn write_figures(&mut self, now_ns: u64, end: bool) -> Result<(), DataflowError> {
        if end {
            return self.figures.finish(now_ns, &self.recorder);
        }
        self.figures.write(now_ns, &self.recorder)
    }

    /// Hand the table of tasks to the system.
    pub(crate) fn flush(&mut self) -> Result<(), DataflowError> {
        self.tasks.flush().map_err(|reason| self.failed(reason))
    }

    fn failed(&self, reason: std::io::Error) -> DataflowError {
        DataflowError::File { action: "write", path: self.path.clone(), reason }
    }
}

/// Make the table of tasks, with what the one that is there has on done tasks. A row of a task that
/// was not committed is none: the task is done again. Half a line at the end is none either.
fn table(path: &Path, header: &str, earlier: &Commit) -> std::io::Result<BufWriter<File>> {
    let beside = path.with_extension("tmp");
    let mut table = BufWriter::new(File::create(&beside)?);
    writeln!(table, "{header}")?;
    if !earlier.done.is_empty()
        && let Ok(old) = File::open(path)
    {
        let mut old = BufReader::new(old);
        let mut missing = earlier.done.clone();
        let mut line = Vec::new();
        while old.read_until(b'\n', &mut line)? > 0 {
            let task = line.split(|byte| *byte == b',').next();
            let task = task.and_then(|task| std::str::from_utf8(task).ok()?.parse().ok());
            if line.ends_with(b"\n") && task.is_some_and(|task| missing.remove(task)) {
                table.write_all(&line)?;
            }
            line.clear();
        }
    }
    table.flush()?;
    std::fs::rename(&beside, path)?;
    Ok(table)
}

pub(crate) fn measure(
    events: Stream<'_, Time, PodVec<Event>>,
    context: &Rc<Context>,
    measurements: Option<Rc<RefCell<Measurements>>>,
) {
    let context = Rc::clone(context);
    let to_first = ExchangeCore::new(|_: &Event| 0);
    events.sink(to_first, "measure", move |(input, _)| {
        input.for_each(|_, events| {
            let Some(measurements) = &measurements else { return };
            let mut measurements = measurements.borrow_mut();
            // What happened here first: arrival and decision precede what other workers tell.
            measurements.take_own(&context);
            for event in events.as_slice() {
                if let Err(error) = measurements.observe(event) {
                    context.fail(error);
                }
            }
        });
    });
}
