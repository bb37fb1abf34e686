//! Which worker delivers what: its own rows, and what workers that are gone left.

use std::path::Path;

use sage_dsl::plan::{Plan, RelationPlan};

use super::Writer;
use crate::commit::{Commit, Tracked, part_name};
use crate::error::DataflowError;
use crate::kafka::outbox::{self, Outbox, Sender};
use crate::outside::Outside;
use crate::relation::writer_of;
use crate::sinks::{Target, connect, entry};

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
        // Changes are of use in their order only, so who writes them also sends those before.
        let heir = if computed && sink.changes {
            writer_of(sink, number, &[]) % writer.peers.max(1) as u64
        } else {
            0
        };
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
