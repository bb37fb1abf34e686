//! Which worker delivers what: its own rows, and what workers that are gone left.

use std::path::Path;

use sage_dsl::plan::{Plan, RelationPlan, SinkPlan};

use super::Writer;
use crate::commit::{Commit, Tracked, part_name};
use crate::error::DataflowError;
use crate::kafka::outbox::{self, Outbox, Sender};
use crate::outside::Outside;
use crate::relation::sole_writer;
use crate::sinks::{Target, connect, entry};

/// Whether one worker is to write all rows of the steps that go to this sink, since others may have to
/// come before them: changes have an order, and what a generation leaves of groups must be at its place
/// before anybody sends how they are now. Whether it is there already is known to the one that looks, and
/// not in the same moment to all, so only a sink that was given nothing yet has many writers.
pub(super) fn in_order(sink: &SinkPlan, name: &str, earlier: &Commit) -> bool {
    sink.changes || !outbox::left(name, earlier).is_empty()
}

/// Let what is committed of some files be delivered, too.
pub(super) fn start(
    plan: &Plan,
    out: &Path,
    writer: Writer,
    (earlier, outside): (&Commit, &Outside),
    tracked: &mut [Tracked],
) -> Result<(), DataflowError> {
    for (number, sink) in plan.sinks.iter().enumerate() {
        let Some(Target::Published(name)) = entry(sink).map(|entry| (entry.target)(sink)) else {
            continue;
        };
        let mut emits = plan.relation().into_iter().flat_map(RelationPlan::emits);
        let computed = emits.any(|emit| emit.sink == number);
        // Who writes what is computed anew also sends what was computed before, and that first.
        let heir = if computed { sole_writer(number) % writer.peers.max(1) as u64 } else { 0 };
        let left =
            if writer.peer as u64 == heir { outbox::left(&name, earlier) } else { Vec::new() };
        let part = part_name(&name, writer.generation, writer.peer);
        if let Some(file) = tracked.iter_mut().find(|file| file.name == part) {
            let sender =
                Sender { name: sink.name.clone(), line: sink.line, out: out.to_owned(), part };
            file.outbox = Some(Outbox::start(connect(sink, outside)?, sender, left)?);
        }
    }
    Ok(())
}
