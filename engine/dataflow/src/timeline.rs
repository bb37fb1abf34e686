//! Counts per second, node, stage and kind, maintained by differential dataflow.
//!
//! One collection of events, one `count`: a second that is still filling is corrected by a
//! retraction, and whoever reads the table sees each key's latest count. The time of an update is
//! the second in which the first worker heard of it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::rc::Rc;

use differential_dataflow::input::InputSession;
use sage_core::event::{Event, Kind};
use sage_dsl::plan::Plan;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::Operator;
use timely::worker::Worker;

use crate::error::DataflowError;

/// Second since the run began, node, kind, stage.
pub(crate) type Key = (u64, u32, u16, u16);

/// The table, on the first worker.
pub(crate) type Table = Rc<RefCell<BTreeMap<Key, i64>>>;

/// The input of the collection.
pub(crate) struct Timeline {
    input: Option<InputSession<u64, Key, isize>>,
    pub(crate) table: Table,
}

impl Timeline {
    /// Install the dataflow; every worker must do so at the same point. Only the first feeds it.
    pub(crate) fn install(worker: &mut Worker, feeds: bool) -> Self {
        let table: Table = Rc::default();
        let mut input = InputSession::new();
        let shown = Rc::clone(&table);
        worker.dataflow_named("timeline", |scope| {
            let counts = input.to_collection(scope).count();
            // (key, count), time, difference
            counts.inner.sink(
                Exchange::new(|_: &((Key, isize), u64, isize)| 0),
                "table",
                move |(input, _)| {
                    input.for_each(|_, updates| {
                        let mut table = shown.borrow_mut();
                        for ((key, count), _, difference) in updates.drain(..) {
                            let entry = table.entry(key).or_default();
                            *entry += (count * difference) as i64;
                        }
                    });
                },
            );
        });
        Timeline { input: feeds.then_some(input), table }
    }

    /// Add events and let the counts of past seconds become known.
    pub(crate) fn add(&mut self, events: impl IntoIterator<Item = Event>, now_ns: u64) {
        let Some(input) = &mut self.input else { return };
        for event in events {
            if event.kind().is_some_and(counted) {
                let second = event.at_ns / 1_000_000_000;
                input.insert((second, event.node, event.kind, event.stage));
            }
        }
        let now = now_ns / 1_000_000_000;
        if now > *input.time() {
            input.advance_to(now);
        }
        input.flush();
    }

    /// Nothing more will come.
    pub(crate) fn close(&mut self) {
        self.input = None;
    }
}

/// Name of the file in a run's output folder.
pub const TIMELINE: &str = "timeline.csv";

/// Write the table: one line per second, node, kind and stage.
pub(crate) fn write(
    out: &Path,
    table: &BTreeMap<Key, i64>,
    plan: &Plan,
) -> Result<(), DataflowError> {
    let path = out.join(TIMELINE);
    let stages: Vec<_> = plan.stages().map(|stage| stage.name.as_str()).collect();
    let mut text = String::from("second,node,what,stage,tasks\n");
    for ((second, node, kind, stage), count) in table {
        let (what, stage) = match Kind::ALL.get(usize::from(*kind)) {
            Some(Kind::Arrived) => ("arrived", ""),
            Some(Kind::Decided) => ("decided", ""),
            Some(Kind::StageDone) => {
                ("stage_done", stages.get(usize::from(*stage)).copied().unwrap_or(""))
            }
            Some(Kind::Completed) => ("completed", ""),
            _ => ("shed", ""),
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{second},{node},{what},{stage},{count}");
    }
    std::fs::write(&path, text).map_err(|source| DataflowError::File {
        action: "write",
        path,
        source,
    })
}

fn counted(kind: Kind) -> bool {
    matches!(kind, Kind::Arrived | Kind::Decided | Kind::StageDone | Kind::Completed | Kind::Shed)
}
