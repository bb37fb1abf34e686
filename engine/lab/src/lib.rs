//! Experiments: from a checked `experiment` block to trials, and from their results to statistics,
//! verdicts, tables and plots.
//!
//! ```text
//! Experiment -> trials -> Backend (twin, sim, live; given by the assembly) -> metrics.json each
//!                                      '-> Results -> claims -> summary, comparison, tables, plots
//! ```
//!
//! A trial's figures are read from the `metrics.json` of its runs and from nothing else, so a suite
//! that was interrupted goes on where it stopped, and a report can be made again at any time.

pub mod claims;
pub mod compare;
mod error;
mod files;
pub mod outputs;
pub mod page;
pub mod plots;
pub mod results;
pub mod stats;
pub mod suite;
pub mod trial;

pub use error::LabError;
