//! The errors of this crate.

use std::path::PathBuf;

/// Why a dataflow could not be built or did not end well.
#[derive(Debug, thiserror::Error)]
pub enum DataflowError {
    /// The plan asks for something this engine does not have; a checked plan never does.
    #[error("the plan cannot be run: {0}")]
    Plan(String),
    /// A file could not be used.
    #[error("cannot {action} `{path}`: {reason}", path = path.display())]
    File {
        /// `open`, `read`, `write`, `create`.
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system said.
        reason: std::io::Error,
    },
    /// A file of the run's commits is not what was written.
    #[error(
        "`{path}` is damaged: {message}; the run cannot go on from it: remove the folder `commit` of the \
         run to do its tasks again with the answers it has paid for, or give --fresh to pay again",
        path = path.display()
    )]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// A source cannot give records of the declared type.
    #[error("source `{name}` (line {line}): {message}")]
    Source {
        /// Name in the program.
        name: String,
        /// Line in the program.
        line: u32,
        /// What is wrong and how to mend it.
        message: String,
    },
    /// A file of arrival times cannot be used.
    #[error("{path}:{line}: {message}", path = path.display())]
    Arrivals {
        /// Which file.
        path: PathBuf,
        /// 1-based line.
        line: usize,
        /// What is wrong and how to mend it.
        message: String,
    },
    /// A sink cannot write where the program says.
    #[error("sink `{name}` (line {line}): {message}")]
    Sink {
        /// Name in the program.
        name: String,
        /// Line in the program.
        line: u32,
        /// What is wrong and how to mend it.
        message: String,
    },
    /// A row of the steps over all records cannot be computed.
    #[error("{place}, over all records: {message}")]
    Relation {
        /// Which step.
        place: String,
        /// What is wrong.
        message: String,
    },
    /// Timely could not start.
    #[error("the dataflow could not start: {0}")]
    Start(String),
    /// A worker thread died; in a cluster the usual cause is the loss of another process.
    #[error("the dataflow broke off: {0}")]
    Broken(String),
}
