//! Experiments, as the binary runs them: found in files, changed by options, run on a backend, and
//! reported.
//!
//! ```text
//! find -> (options) -> Part: one experiment on one backend -> folder -> Suite -> Results -> outputs
//! ```
//!
//! What an experiment means is `sage-lab`'s business; here are the files, the clock, the terminal
//! and the two backends.

pub(crate) mod checksum;
mod find;
mod folder;
mod inputs;
mod machine;
mod options;
mod part;
mod sim;
mod watch;

pub(crate) use self::find::{FOLDER, Found, Programs, find, programs};
pub(crate) use self::folder::last;
pub(crate) use self::options::{Changed, changed};
pub(crate) use self::part::{
    Part, Request, Status, folder_of, missing, places, report, run, suite,
};
pub(crate) use self::sim::plan;

/// Cores that this process may use.
pub(crate) fn cores() -> f64 {
    machine::cores() as f64
}
