//! Why a journal cannot be opened or an answer not be kept, each with what to do about it.
//!
//! The errors are `Clone` because one failed sync is the answer to every entry that waited for
//! it; so the system's words are kept as text.

use std::io;
use std::path::{Path, PathBuf};

/// Why there is no journal, or an answer is not in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// The system refused something.
    #[error("answer journal: cannot {what} {path}: {reason}; {remedy}", path = .path.display())]
    Io {
        /// What was tried, as a verb.
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        reason: String,
        /// What to do about it.
        remedy: &'static str,
    },
    /// Another process holds the journal.
    #[error(
        "answer journal {path} is in use by another process; wait for its end or choose another folder",
        path = .path.display()
    )]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// The folder holds no journal, or one of another kind.
    #[error(
        "{path} is not an answer journal of this kind: its file `journal.lock` is missing or says something else; choose another folder, or, if it is one and only that file is damaged, remove the file: the answers stay",
        path = .path.display()
    )]
    NotAJournal {
        /// The folder.
        path: PathBuf,
    },
    /// The bound leaves no room for answers.
    #[error(
        "answer journal {path}: a bound of {given} bytes is too small; give at least {least} bytes",
        path = .path.display()
    )]
    Bound {
        /// The folder.
        path: PathBuf,
        /// The bound that was asked for, in bytes.
        given: u64,
        /// The smallest that works, in bytes.
        least: u64,
    },
    /// One answer is larger than the journal takes.
    #[error(
        "answer journal {path}: an answer of {bytes} bytes is not kept, at most {most} are; raise the bound, or ask for shorter answers",
        path = .path.display()
    )]
    TooLarge {
        /// The folder.
        path: PathBuf,
        /// Size of the answer in bytes.
        bytes: u64,
        /// The most that is kept, in bytes.
        most: u64,
    },
    /// The disk takes too long; the entry may still become durable later.
    #[error(
        "answer journal {path}: the disk has not confirmed a write for {seconds} s; check it, or move the journal to another one",
        path = .path.display()
    )]
    Slow {
        /// The folder.
        path: PathBuf,
        /// How long was waited, in seconds.
        seconds: u64,
    },
    /// The journal was closed.
    #[error("answer journal {path} is closed; open it again", path = .path.display())]
    Closed {
        /// The folder.
        path: PathBuf,
    },
}

impl JournalError {
    /// What the system said while doing `what` with `path`.
    pub(super) fn io(what: &'static str, path: &Path, error: &io::Error) -> Self {
        let remedy = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                "free space there, lower the journal's bound, or move it to another disk"
            }
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                "choose a folder you may write to"
            }
            io::ErrorKind::NotFound => "create it, or choose another folder",
            _ => "check the disk, or choose another folder",
        };
        JournalError::Io { what, path: path.to_owned(), reason: error.to_string(), remedy }
    }
}
