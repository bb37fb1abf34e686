//! An index file, searched where it lies.
//!
//! Opening maps the file and verifies it once; nothing is copied to the heap, so sixteen workers of
//! a host share one copy in the page cache. A search allocates one number per document for each
//! side it uses, and nothing else that grows.

use std::path::{Path, PathBuf};

use sage_core::index::{Hit, Index, Query};

use crate::analysis::Analyzer;
use crate::bm25::{ENTRY, Lexicon};
use crate::error::RetrievalError;
use crate::format::{Layout, Section, u32_at, u64_at};
use crate::fusion::SearchMode;
use crate::graph::Graph;
use crate::map::Mapping;
use crate::vectors::{MAX_DIMS, Stored};

/// Counts and settings, the first section.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Meta {
    pub(crate) documents: u32,
    pub(crate) terms: u32,
    pub(crate) dims: u32,
    pub(crate) search: SearchMode,
    /// Occurrences of all terms.
    pub(crate) words: u64,
    /// Distinct pieces of words, and their occurrences.
    pub(crate) pieces: (u32, u64),
    /// Whether the vectors are hashed ones, which know no more than the pieces do.
    pub(crate) hashed: bool,
}

impl Meta {
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        let (mode, share) = match self.search {
            SearchMode::Bm25 => (0_u32, 0.0),
            SearchMode::Vector => (1, 0.0),
            SearchMode::Rrf => (2, 0.0),
            SearchMode::Weighted(share) => (3, share),
        };
        let numbers = [self.documents, self.terms, self.dims, mode];
        let mut bytes: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
        bytes.extend_from_slice(&share.to_le_bytes());
        bytes.extend_from_slice(&self.words.to_le_bytes());
        bytes.extend_from_slice(&self.pieces.1.to_le_bytes());
        bytes.extend_from_slice(&self.pieces.0.to_le_bytes());
        bytes.extend_from_slice(&u32::from(self.hashed).to_le_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let search = match u32_at(bytes, 12)? {
            0 => SearchMode::Bm25,
            1 => SearchMode::Vector,
            2 => SearchMode::Rrf,
            3 => SearchMode::Weighted(f64::from_bits(u64_at(bytes, 16)?)),
            _ => return None,
        };
        Some(Meta {
            documents: u32_at(bytes, 0)?,
            terms: u32_at(bytes, 4)?,
            dims: u32_at(bytes, 8)?,
            search,
            words: u64_at(bytes, 24)?,
            pieces: (u32_at(bytes, 40)?, u64_at(bytes, 32)?),
            hashed: u32_at(bytes, 44)? != 0,
        })
    }
}

/// All of them, in order.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) const ALL_SECTIONS: [Section; crate::format::SECTIONS] = [
    Section::Meta,
    Section::Terms,
    Section::TermText,
    Section::Postings,
    Section::Lengths,
    Section::Vectors,
    Section::Scales,
    Section::Ends,
    Section::Keys,
    Section::Rows,
    Section::PieceTerms,
    Section::PieceText,
    Section::PiecePostings,
    Section::PieceLengths,
    Section::Graph,
    Section::Texts,
    Section::Fingerprint,
    Section::Maker,
];

/// An open index.
pub struct MappedIndex {
    path: PathBuf,
    bytes: Mapping,
    layout: Layout,
    pub(crate) meta: Meta,
    pub(crate) analyzer: Analyzer,
}

impl MappedIndex {
    /// Maps and verifies the index at `path`.
    pub fn open(path: &Path) -> Result<Self, RetrievalError> {
        let bytes = Mapping::of(path)?;
        let layout = Layout::read(&bytes, path)?;
        let meta = Meta::from_bytes(layout.section(&bytes, Section::Meta))
            .filter(|meta| consistent(meta, &layout, &bytes))
            .ok_or(RetrievalError::Damaged {
                path: path.to_owned(),
                detail: "counts and section lengths disagree",
            })?;
        Ok(MappedIndex { path: path.to_owned(), bytes, layout, meta, analyzer: Analyzer::new() })
    }

    /// Identity of a document.
    pub fn key(&self, document: u32) -> Option<&str> {
        std::str::from_utf8(self.slice(document, Section::Keys, 0)?).ok()
    }

    /// How it is searched when a query gives both sides.
    pub fn search_mode(&self) -> SearchMode {
        self.meta.search
    }

    pub(crate) fn section(&self, section: Section) -> &[u8] {
        self.layout.section(&self.bytes, section)
    }

    /// The words of the documents.
    pub(crate) fn lexicon(&self) -> Lexicon<'_> {
        Lexicon {
            entries: self.section(Section::Terms),
            text: self.section(Section::TermText),
            postings: self.section(Section::Postings),
            lengths: self.section(Section::Lengths),
            documents: self.meta.documents as usize,
            words: self.meta.words,
        }
    }

    /// Pieces of words of the documents.
    pub(crate) fn pieces(&self) -> Lexicon<'_> {
        Lexicon {
            entries: self.section(Section::PieceTerms),
            text: self.section(Section::PieceText),
            postings: self.section(Section::PiecePostings),
            lengths: self.section(Section::PieceLengths),
            documents: self.meta.documents as usize,
            words: self.meta.pieces.1,
        }
    }

    /// The vectors of the documents.
    pub(crate) fn stored(&self) -> Stored<'_> {
        Stored {
            vectors: self.section(Section::Vectors),
            scales: self.section(Section::Scales),
            dims: self.dimensions(),
        }
    }

    /// The graph of the vectors; none where all of them are compared.
    pub(crate) fn graph(&self) -> Option<Graph<'_>> {
        Graph::read(self.section(Section::Graph), self.meta.documents)
    }

    /// A document's part of `section`, whose end is the `side`-th number of its entry.
    fn slice(&self, document: u32, section: Section, side: usize) -> Option<&[u8]> {
        let ends = self.section(Section::Ends);
        let end = |document: usize| u64_at(ends, document * 16 + side * 8);
        let document = document as usize;
        let start = document.checked_sub(1).map_or(Some(0), end)?;
        self.section(section).get(start as usize..end(document)? as usize)
    }
}

/// Whether the sections are as long as the counts say.
fn consistent(meta: &Meta, layout: &Layout, bytes: &[u8]) -> bool {
    let length = |section| layout.section(bytes, section).len() as u64;
    let (documents, dims) = (u64::from(meta.documents), u64::from(meta.dims));
    dims <= MAX_DIMS as u64
        && length(Section::Terms) == u64::from(meta.terms) * ENTRY as u64
        && length(Section::Lengths) == documents * 4
        && length(Section::Vectors) == documents * dims
        && length(Section::Scales) == documents * if dims > 0 { 4 } else { 0 }
        && length(Section::Ends) == documents * 16
        && length(Section::PieceTerms) == u64::from(meta.pieces.0) * ENTRY as u64
        && [0, documents * 4].contains(&length(Section::PieceLengths))
        && length(Section::Texts) == documents * 16
        && (length(Section::Graph) == 0
            || Graph::read(layout.section(bytes, Section::Graph), meta.documents).is_some())
}

impl Index for MappedIndex {
    fn search(&self, query: Query<'_>, k: usize) -> Vec<Hit> {
        self.search_by(self.meta.search, query, k)
    }

    fn search_among(&self, query: Query<'_>, k: usize, wanted: &[u32]) -> Vec<Hit> {
        self.search_by_among(self.meta.search, query, k, wanted)
    }

    fn document(&self, document: u32) -> Option<&[u8]> {
        self.slice(document, Section::Rows, 1)
    }

    fn len(&self) -> usize {
        self.meta.documents as usize
    }

    fn dimensions(&self) -> usize {
        self.meta.dims as usize
    }
}

impl std::fmt::Debug for MappedIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MappedIndex")
            .field("path", &self.path)
            .field("meta", &self.meta)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::format::{header, padding};
    use crate::{BuildOptions, IndexBuilder, graph_builder};

    proptest! {
        /// Checksums find damage; they do not stop someone who computes them anew.
        #[test]
        fn a_forged_file_cannot_panic(
            section in 0..crate::format::SECTIONS,
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("docs.index");
            let options = BuildOptions { search: SearchMode::Rrf, dims: 4 };
            let mut builder = IndexBuilder::new(options).unwrap();
            for key in ["alpha beta", "beta gamma", "gamma"] {
                builder.push(key, key, key.as_bytes(), None).unwrap();
            }
            builder.build_to(&path).unwrap();

            let bytes = std::fs::read(&path).unwrap();
            let layout = Layout::read(&bytes, &path).unwrap();
            let mut sections = ALL_SECTIONS.map(|section| layout.section(&bytes, section).to_vec());
            let of = |section: Section| &sections[section as usize];
            let stored = Stored { vectors: of(Section::Vectors), scales: of(Section::Scales), dims: 4 };
            let graph = graph_builder::build(stored, 3);
            sections[Section::Graph as usize] = graph;
            let length = sections[section].len();
            for (at, value) in changes.iter().filter(|_| length > 0) {
                sections[section][at.index(length)] = *value;
            }
            let mut forged = header(&sections.each_ref().map(Vec::as_slice));
            for section in &sections {
                forged.extend_from_slice(section);
                forged.extend_from_slice(&[0; 8][..padding(section.len())]);
            }
            std::fs::write(&path, &forged).unwrap();
            let Ok(index) = MappedIndex::open(&path) else { return Ok(()) };
            let query = Query { text: Some("alpha beta gamma"), vector: Some(&[0.1, 0.2, -0.3, 1.0]) };
            for mode in [SearchMode::Bm25, SearchMode::Vector, SearchMode::Rrf, SearchMode::Weighted(0.5)] {
                for hit in index.search_by(mode, query, 10) {
                    let _ = (index.document(hit.document), index.key(hit.document));
                }
            }
        }
    }
}
