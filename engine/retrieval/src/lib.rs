//! Retrieval: documents in, one file out, searched in place by every worker of a host.
//!
//! ```text
//! documents::*  ->  Document  ->  IndexBuilder  ->  one file  ->  MappedIndex (read-only map)
//!                                 (supervisor)                    (each worker; pages shared)
//! ```
//!
//! **Invariant: an index file never changes.** It is complete and on disk before it gets its name,
//! and is replaced, never edited. That is what makes sharing it by memory map sound.
//!
//! **Invariant: no byte of a file can panic a process.** Opening verifies lengths and checksums;
//! every read afterwards is checked all the same.
//!
//! **Invariant: the same documents and query give the same hits**, in the same order, in every
//! process: equal scores are ordered by document number.
//!
//! This crate knows neither timely nor HTTP: vectors made by a model are given to it.

pub mod documents;

mod analysis;
mod bm25;
mod builder;
mod error;
mod format;
mod fusion;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod graph;
mod graph_builder;
mod index;
mod live;
mod local;
mod map;
mod names;
mod reuse;
mod search;
mod store;
mod vectors;

pub use builder::{BuildOptions, IndexBuilder, IndexInfo};
pub use error::RetrievalError;
pub use fusion::SearchMode;
pub use index::MappedIndex;
pub use live::LiveIndex;
pub use local::LocalEmbedder;
pub use reuse::{KeptVector, TextHash, text_hash};
pub use store::{Fingerprint, IndexStore, KeptIndexes, Taken};
