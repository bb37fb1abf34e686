//! Groups and what follows them: a dataflow of its own over the contributions of all records.
//!
//! Each worker feeds what its tasks contributed, as soon as that is noted for the next commit.
//! Differential brings rows of one key to one worker and keeps the results up to date; they are
//! written when the frontier says that nothing can change them. After a loss or in a run that goes
//! on the contributions that were committed are fed again, and everything is computed anew: so the
//! results have no commits of their own (`Content::Totals`). Those for a sink that sends them on do, and
//! only what differs from them is written.
//!
//! Not in the dataflow of the tasks: there time stands still until the last task has ended.

mod aggregate;
mod failed;
mod feed;
mod join;
mod packed;
mod pick;
mod sight;
mod steps;
#[cfg(test)]
mod tests;
mod window;
mod write;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use differential_dataflow::collection::concatenate;
use sage_dsl::plan::{Plan, RelationPlan};
use timely::worker::Worker;

use crate::context::Context;
use crate::error::DataflowError;

pub(crate) use failed::{Failed, Place};
pub(crate) use feed::Feed;
pub(crate) use packed::Packed;
use steps::{Changing, Round, Steps};
pub(crate) use write::{sole_writer, writer_of};

/// From one round of changes to the next.
pub(crate) const ROUND: Duration = Duration::from_secs(1);

/// Whether somebody is told of changes while the run goes on.
pub(crate) fn in_rounds(plan: &Plan) -> bool {
    let mut emits = plan.relation().into_iter().flat_map(RelationPlan::emits);
    emits.any(|emit| plan.sinks.get(emit.sink).is_some_and(|sink| sink.changes))
}

/// Build the dataflow of the plan's steps over all records, if it has any. Every worker must.
pub(crate) fn build(worker: &mut Worker, context: &Rc<Context>) -> Result<(), DataflowError> {
    let (Some(plan), Some(feed)) = (context.plan.relation(), &context.feed) else { return Ok(()) };
    let steps = Steps::compile(plan)?;
    let mut rights: Vec<Rc<Feed>> = Vec::new();
    for join in plan.joined() {
        let right = Rc::new(Feed::default());
        if context.first {
            right.add(join::records(&join.source)?.into_iter().map(|row| (row, 1)));
        }
        right.close();
        rights.push(right);
    }
    let places = steps.places();
    worker.dataflow_named::<Round, _, _>("relation", |scope| {
        let joined = rights.iter().map(|right| right.rows(scope)).collect();
        let rows = feed.rows(scope);
        // Several emits may send into one sink: its rows are written by one operator, in one order.
        let mut sent: BTreeMap<usize, Vec<Changing<'_>>> = BTreeMap::new();
        let failed = steps.render(rows, joined, &context.templates, |sink, rows| {
            sent.entry(sink).or_default().push(rows);
        });
        for (sink, rows) in sent {
            let rows = concatenate(scope, rows);
            if context.plan.sinks.get(sink).is_some_and(|sink| sink.changes) {
                write::write_changes(rows, sink, context);
            } else {
                write::write_final(rows, sink, context);
            }
        }
        write::write_failed(failed, places, context);
    });
    // What earlier generations committed.
    context.contribute();
    Ok(())
}
