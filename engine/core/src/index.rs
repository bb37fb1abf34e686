//! What the dataflow needs of an index: search, and the found documents' rows.
//!
//! Implemented by `sage-retrieval` over a memory-mapped file that all workers of a host share.

use std::sync::Arc;

/// A question to an index. At least one side should be given; a hybrid index uses both.
#[derive(Debug, Clone, Copy, Default)]
pub struct Query<'a> {
    /// Words, for the lexical side.
    pub text: Option<&'a str>,
    /// Vector, for the vector side; its length must be the index's [`Index::dimensions`].
    pub vector: Option<&'a [f32]>,
}

/// One found document.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// Number of the document, below [`Index::len`].
    pub document: u32,
    /// The higher the better; comparable within one result only.
    pub score: f32,
}

/// A searchable collection of documents.
pub trait Index: Send + Sync {
    /// The best `k` documents, best first; ties by document number, so results are the same on
    /// every worker.
    fn search(&self, query: Query<'_>, k: usize) -> Vec<Hit>;

    /// The same among the documents of these numbers, which rise: the others are left out before
    /// anything is ranked.
    fn search_among(&self, query: Query<'_>, k: usize, wanted: &[u32]) -> Vec<Hit>;

    /// The document's columns as a packed row (see [`crate::record`]), or `None` when there is no
    /// such document.
    fn document(&self, document: u32) -> Option<&[u8]>;

    /// Number of documents.
    fn len(&self) -> usize;

    /// Whether it holds nothing.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Length of its vectors; 0 when it has none.
    fn dimensions(&self) -> usize;

    /// The state that an index which changes is in now; one that never does has none. A search and
    /// the documents that it found have to be of the same state.
    fn current(&self) -> Option<Arc<dyn Index>> {
        None
    }
}
