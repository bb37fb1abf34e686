//! The answer journal: every answer that was paid for is durable before it is handed out.
//!
//! A folder of append-only segments `answers-000001.seg`, ... of entries with checksums, an index
//! in memory of key to place, one thread that writes and one that syncs.
//! An entry is written as soon as it comes: from then on it outlives the process.
//! Entries that arrive while the disk syncs share the next sync (group commit, as in the log
//! managers of databases: DeWitt et al., "Implementation techniques for main memory database
//! systems", SIGMOD 1984), and only then are they found and handed out.
//!
//! **Sharing.** A journal of a run has one process ([`Kind::Run`]); the content cache
//! ([`Kind::Content`]) has several. Each process appends to a segment of its own, on which it
//! holds a `flock`; the kernel releases it when the process dies, so nothing stale blocks anyone.
//! A segment without a lock may be adopted, cut or dropped by whoever gets the lock. What others
//! have appended is read at a lookup that misses, at most four times a second. Both need a file
//! system whose `flock` works between the processes, which those of one machine have.
//!
//! **Bound.** When the folder would outgrow its bound the segments that were written longest ago
//! go, whole; an entry that is read often is not kept longer. A process that shares the folder
//! looks at what the others wrote whenever it begins a segment, so the bound holds to one segment
//! a process.
//!
//! **Damage.** A torn tail is cut by the next writer, a flipped bit costs the one entry it is in,
//! and a lookup verifies the checksums again: it gives what was recorded or nothing.

use std::ffi::OsString;
use std::path::PathBuf;

use bytes::Bytes;

mod error;
mod folder;
mod frame;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod handle;
mod index;
mod key;
mod scan;
mod segment;
mod survey;
mod sync;
mod writer;

pub use error::JournalError;
pub use folder::is_journal;
pub use handle::Journal;
pub use key::{Key, KeyBuilder};
pub use survey::{Cleared, ModelUse, Survey, clear, survey};

/// Bound of the content cache unless the configuration gives another, in bytes.
pub const CONTENT_BYTES: u64 = 1 << 30;
/// Bound of a run's journal, in bytes.
pub const RUN_BYTES: u64 = 4 << 30;
/// The smallest bound a journal works with, in bytes.
pub const LEAST_BYTES: u64 = 64 << 10;

/// One answer, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The answer to one item, as JSON; the journal does not look into it.
    pub body: Bytes,
    /// Tokens of the prompt that were paid.
    pub prompt_tokens: u64,
    /// Tokens of the answer that were paid.
    pub completion_tokens: u64,
    /// Whether a simulator answered.
    pub simulated: bool,
    /// The model that answered.
    pub model: String,
}

/// Who shares a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One run: one process at a time.
    Run,
    /// All runs of a user: any number of processes at once.
    Content,
}

impl Kind {
    /// `run` or `content`.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Run => "run",
            Kind::Content => "content",
        }
    }
}

/// Where a journal is and how much it may hold.
#[derive(Debug, Clone)]
pub struct JournalConfig {
    /// Its folder; made when it is not there, readable for its owner only.
    pub path: PathBuf,
    /// Most bytes of all segments; at least [`LEAST_BYTES`].
    pub max_bytes: u64,
    /// Who shares it.
    pub kind: Kind,
}

/// What a journal holds and has done since it was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JournalStats {
    /// Entries that a lookup can find; one recorded twice may count twice.
    pub entries: u64,
    /// Bytes of all segments.
    pub bytes: u64,
    /// Segments.
    pub segments: u64,
    /// Lookups that found an answer.
    pub hits: u64,
    /// Lookups that found none.
    pub misses: u64,
    /// Entries this process made durable.
    pub appended: u64,
    /// Entries this process could not make durable.
    pub failed: u64,
    /// Entries that were dropped to stay within the bound, as far as this process knows.
    pub dropped: u64,
    /// Damaged places and torn tails that were met.
    pub damaged: u64,
}

/// The folder of the content cache: `$SAGE_CACHE_DIR`, else `$XDG_CACHE_HOME/sage-flow`, else
/// `~/.cache/sage-flow`; nothing when none of the variables is set.
pub fn default_folder() -> Option<PathBuf> {
    folder_of(|name| std::env::var_os(name))
}

fn folder_of(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let set = |name| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    // The XDG specification has relative paths ignored.
    let cache = || set("XDG_CACHE_HOME").filter(|path| path.is_absolute());
    set("SAGE_CACHE_DIR")
        .or_else(|| cache().map(|path| path.join("sage-flow")))
        .or_else(|| set("HOME").map(|home| home.join(".cache/sage-flow")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_is_where_the_variables_say() {
        let with = |pairs: &'static [(&str, &str)]| {
            folder_of(move |name| {
                let pair = pairs.iter().find(|(variable, _)| *variable == name)?;
                Some(OsString::from(pair.1))
            })
        };
        let all = [("SAGE_CACHE_DIR", "/a"), ("XDG_CACHE_HOME", "/b"), ("HOME", "/c")];
        let all: &'static [_] = Box::leak(Box::new(all));
        assert_eq!(with(all), Some(PathBuf::from("/a")));
        assert_eq!(with(&all[1..]), Some(PathBuf::from("/b/sage-flow")));
        assert_eq!(with(&all[2..]), Some(PathBuf::from("/c/.cache/sage-flow")));
        let odd = with(&[("SAGE_CACHE_DIR", ""), ("XDG_CACHE_HOME", "here"), ("HOME", "/c")]);
        assert_eq!(odd, Some(PathBuf::from("/c/.cache/sage-flow")));
        assert_eq!(with(&[]), None);
    }
}
