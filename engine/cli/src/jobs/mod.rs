//! The local state directory: what is said there of every `run`, `retry` and `experiment` of this
//! user, so that another terminal can list, stop and resume them.
//!
//! ```text
//! verb -> tracked -> begin (folders are claimed) -> counts, workers, trials -> end
//!                      '------- one record a job, replaced by rename about once a second
//! ```
//!
//! The record is a courtesy to the user and no part of the run: if it cannot be written, the run
//! says so once and goes on. A process is known by its number and the time of its start, so that a
//! number which the system gave away again is never taken for it.

mod command;
mod credentials;
mod current;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod launch;
mod place;
mod process;
mod record;
mod store;

pub(crate) use self::command::{again, shown, silent, without_secrets};
pub(crate) use self::credentials::{credentials_file, left_behind};
pub(crate) use self::current::{RESUMED, Watch, begin, cut_off, outcome, tracked, trials, watch};
pub(crate) use self::place::state;
pub(crate) use self::process::{Life, Process};
pub(crate) use self::record::{Kind, Record, State, Worker, counted};
pub(crate) use self::store::{Listed, Store, Unread};

#[cfg(test)]
pub(crate) use self::record::tests::example;
