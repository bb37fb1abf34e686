//! Exactly once: what a run has finished survives the processes that finished it.
//!
//! The unit of commit is the task. A task ends on one worker, which writes its rows to part files
//! of its own; so each worker commits by itself, and no word has to pass between workers. Several
//! tasks are committed together, by a thread beside the worker: the part files reach the disk, then
//! one checksummed record is appended to the worker's manifest. It says how long the part files are
//! and which tasks have ended since the record before. A record that is not whole was never written.
//!
//! ```text
//! commit/base                  all that earlier generations committed; written whole, renamed
//! commit/000003-0001.log       manifest of worker 1 in generation 3; appended
//! commit/000003-0001.base      what was at the head of that manifest before it grew too long
//! commit/offsets.000003        what was read of a topic, in which order
//! commit/came.000003           how many requests of a service have come
//! commit/counts-0.0000030001   rows of a counting sink, from which its totals are rebuilt; or what a
//!                              sink that sends rows on was given of the steps over all records
//! parts/NAME.0000030001        rows of a sink, or dead letters
//! parts/NAME.00000300010       dead letters of the steps over all records
//! ```
//!
//! A generation is one set of worker processes. Each writes files of its own, so a process that was
//! given up and comes back cannot harm what came after it. Between two generations [`recover`] adds
//! up what was committed, cuts the part files back to that, and writes it down as the new base.
//!
//! **Invariant: after recovery the rows in the part files are those of the done tasks, exactly.**
//! Damaged bytes give the last good state or an error that names the file, never a wrong state.

mod came;
mod committer;
mod entry;
mod extent;
mod frame;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod layout;
pub(crate) mod ledger;
mod lost;
mod manifest;
mod recovery;
#[cfg(test)]
mod tests;

pub(crate) use came::Came;
pub use came::noted as requests;
pub(crate) use committer::{Committer, Tracked};
pub use entry::{Commit, Outcomes};
pub use extent::{Content, Extent};
pub(crate) use extent::{Grown, Growth};
pub(crate) use layout::counts_of;
pub use layout::{FOLDER, folder};
pub(crate) use layout::{counts_name, dead_results, part_name};
pub use lost::recover_service;
pub(crate) use manifest::damaged;
pub(crate) use recovery::earlier;
pub use recovery::{begin, discard, read, recover};
