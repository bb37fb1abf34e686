//! Counts per second, node, stage and kind, maintained by differential dataflow.
//!
//! One collection of events, one `count`: a second that is still filling is corrected by a
//! retraction, and whoever reads the table sees each key's latest count. The time of an update is
//! the second in which the first worker heard of it.
//!
//! It runs in a timely worker of its own inside the first worker's thread. As a dataflow of the
//! whole cluster it would exchange a few updates and then broadcast progress between all pairs of
//! processes several times a second; that was a quarter of all messages of a run with 16 workers.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::rc::Rc;

use differential_dataflow::input::InputSession;
use sage_core::event::{Event, Kind};
use sage_dsl::plan::Plan;
use timely::WorkerConfig;
use timely::communication::Allocator;
use timely::communication::allocator::Thread;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Operator;
use timely::worker::Worker;

use crate::error::DataflowError;

/// Second since the run began, node, kind, stage.
type Key = (u64, u32, u16, u16);

/// Name of the file in a run's output folder.
pub const TIMELINE: &str = "timeline.csv";

/// The maintained counts.
pub(crate) struct Timeline {
    worker: Worker,
    input: InputSession<u64, Key, isize>,
    table: Rc<RefCell<BTreeMap<Key, isize>>>,
}

impl Timeline {
    pub(crate) fn new() -> Self {
        let alone = Allocator::Thread(Thread::default());
        let mut worker = Worker::new(WorkerConfig::default(), alone, None);
        let table: Rc<RefCell<BTreeMap<Key, isize>>> = Rc::default();
        let mut input = InputSession::new();
        let shown = Rc::clone(&table);
        worker.dataflow_named("timeline", |scope| {
            let counts = input.to_collection(scope).count();
            counts.inner.sink(Pipeline, "table", move |(input, _)| {
                input.for_each(|_, updates| {
                    let mut table = shown.borrow_mut();
                    for ((key, count), _, difference) in updates.drain(..) {
                        let entry = table.entry(key).or_default();
                        *entry += count * difference;
                    }
                });
            });
        });
        Timeline { worker, input, table }
    }

    /// Add events and bring the counts of past seconds up to date.
    pub(crate) fn add(&mut self, events: impl IntoIterator<Item = Event>, now_ns: u64) {
        for event in events {
            if event.kind().is_some_and(counted) {
                let second = event.at_ns / 1_000_000_000;
                self.input.insert((second, event.node, event.kind, event.stage));
            }
        }
        let now = now_ns / 1_000_000_000;
        if now > *self.input.time() {
            self.input.advance_to(now);
        }
        self.input.flush();
        self.worker.step();
    }

    /// Nothing more will come: write the table, one line per second, node, kind and stage.
    pub(crate) fn finish(self, out: &Path, plan: &Plan) -> Result<(), DataflowError> {
        let Timeline { mut worker, input, table } = self;
        drop(input);
        while worker.has_dataflows() {
            worker.step();
        }
        let path = out.join(TIMELINE);
        let text = rendered(&table.borrow(), plan);
        std::fs::write(&path, text).map_err(|reason| DataflowError::File {
            action: "write",
            path,
            reason,
        })
    }
}

fn rendered(table: &BTreeMap<Key, isize>, plan: &Plan) -> String {
    let stages: Vec<_> = plan.stages().map(|stage| stage.name.as_str()).collect();
    let mut text = String::from("second,node,what,stage,tasks\n");
    for ((second, node, kind, stage), count) in table {
        let name = stages.get(usize::from(*stage)).copied().unwrap_or("");
        let (what, stage) = match Kind::ALL.get(usize::from(*kind)) {
            Some(Kind::Arrived) => ("arrived", ""),
            Some(Kind::Decided) => ("decided", ""),
            Some(Kind::StageDone) => ("stage_done", name),
            Some(Kind::Completed) => ("completed", ""),
            _ => ("shed", ""),
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{second},{node},{what},{stage},{count}");
    }
    text
}

fn counted(kind: Kind) -> bool {
    matches!(kind, Kind::Arrived | Kind::Decided | Kind::StageDone | Kind::Completed | Kind::Shed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The oracle counts what is in the list; the table must say the same after every addition of
    /// a past second.
    #[test]
    fn counts_are_those_of_a_naive_recount() {
        let mut timeline = Timeline::new();
        let mut all: BTreeMap<Key, isize> = BTreeMap::new();
        for i in 0..3000_u64 {
            let at_ns = i * 1_000_000;
            let kind = if i % 3 == 0 { Kind::Completed } else { Kind::StageDone };
            let event =
                Event { node: (i % 5) as u32, stage: (i % 2) as u16, ..Event::new(kind, i, at_ns) };
            *all.entry((at_ns / 1_000_000_000, event.node, event.kind, event.stage))
                .or_default() += 1;
            timeline.add([event], at_ns);
        }
        let Timeline { mut worker, input, table } = timeline;
        drop(input);
        while worker.has_dataflows() {
            worker.step();
        }
        assert_eq!(*table.borrow(), all);
    }
}
