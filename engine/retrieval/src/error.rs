//! What can go wrong with documents and index files.

use std::io;
use std::path::{Path, PathBuf};

/// An error of this crate. Each message names the file and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum RetrievalError {
    /// The operating system refused.
    #[error("cannot {action} `{}`", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// Not an index file.
    #[error("`{}` is not an index of sage-flow; delete it and run again to rebuild it", .0.display())]
    Foreign(PathBuf),
    /// Written by another version.
    #[error(
        "index `{}` has format {found}, this version reads {supported}; delete it and run again to \
         rebuild it",
        path.display()
    )]
    Version {
        /// The index file.
        path: PathBuf,
        /// Format it has.
        found: u32,
        /// Format this version reads.
        supported: u32,
    },
    /// Cut short or changed since it was written.
    #[error("index `{}` is damaged ({detail}); delete it and run again to rebuild it", path.display())]
    Damaged {
        /// The index file.
        path: PathBuf,
        /// What does not hold.
        detail: &'static str,
    },
    /// Two documents with one identity.
    #[error("two documents have the key `{0}`; keys must be unique within an index")]
    DuplicateKey(String),
    /// A vector that does not fit the index.
    #[error("document `{key}` has a vector of length {found}, the index takes {expected}")]
    VectorLength {
        /// The document.
        key: String,
        /// Length given.
        found: usize,
        /// Length of the index.
        expected: usize,
    },
    /// More than the format can hold.
    #[error("too much for one index: {0}")]
    TooLarge(&'static str),
    /// A path or file with nothing to index.
    #[error("no documents in `{}`; {remedy}", path.display())]
    NoDocuments {
        /// The first path given.
        path: PathBuf,
        /// What to check.
        remedy: &'static str,
    },
    /// Every row was bad.
    #[error("unreadable corpus: all {count} rows are bad; the first is {first}")]
    AllBad {
        /// How many.
        count: usize,
        /// File, line and reason of the first.
        first: String,
    },
    /// A model in this process, in a build without such models.
    #[error(
        "the model in `{}` cannot be used: this build has no models of its own; build sage-flow \
         with `--features local-embeddings`, or give the address of an embedding server",
        .0.display()
    )]
    NotBuiltIn(PathBuf),
    /// A file of a model that cannot be read.
    #[error(
        "cannot read `{}`; the folder of a model has config.json, tokenizer.json and \
         model.safetensors",
        path.display()
    )]
    ModelFile {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// A model that cannot be used.
    #[error("the model in `{}` cannot be used: {why}", folder.display())]
    Model {
        /// Its folder.
        folder: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Embedding was stopped.
    #[error("stopped after {done} of {of} texts; their vectors are kept")]
    Interrupted {
        /// Texts that have their vectors.
        done: usize,
        /// All texts.
        of: usize,
    },
    /// An argument of a document source that is missing or of the wrong kind.
    #[error("`{source_name}` needs {expected}")]
    Argument {
        /// The document source.
        source_name: &'static str,
        /// What it needs.
        expected: &'static str,
    },
}

impl RetrievalError {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| RetrievalError::Io { action, path, source }
    }
}
