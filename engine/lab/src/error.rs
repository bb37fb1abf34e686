//! What can go wrong in the lab.

use std::path::{Path, PathBuf};

/// Why a suite, a report or a comparison could not be made.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// A file or folder could not be used.
    #[error("cannot {action} `{}`: {reason}", path.display())]
    File {
        /// What was tried: `read`, `write`, `create`, ...
        action: &'static str,
        /// Which one.
        path: PathBuf,
        /// What the system says. It stands in the message, so it is no source of this error: a
        /// chain of errors would say it twice.
        reason: std::io::Error,
    },
    /// A file does not hold what it should.
    #[error("`{}`: {reason}", path.display())]
    Content {
        /// Which one.
        path: PathBuf,
        /// What is wrong with it, and what to do about it.
        reason: String,
    },
    /// The experiment cannot be run as it is asked for.
    #[error("experiment `{experiment}`: {reason}")]
    Design {
        /// Name of the experiment.
        experiment: String,
        /// What is wrong, and what to do about it.
        reason: String,
    },
    /// A plot could not be drawn.
    #[error("cannot draw `{picture}`: {reason}")]
    Picture {
        /// Name of its file.
        picture: String,
        /// What the drawing library says.
        reason: String,
    },
}

impl LabError {
    /// For `map_err` of what the system refuses.
    pub fn file(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> LabError {
        let path = path.to_owned();
        move |reason| LabError::File { action, path, reason }
    }

    /// A file with the wrong content.
    pub fn content(path: &Path, reason: impl std::fmt::Display) -> LabError {
        LabError::Content { path: path.to_owned(), reason: reason.to_string() }
    }
}
