//! Gathers documents and writes them as one index file.
//!
//! Everything is numbered and packed as it arrives, so building needs about as much memory as the
//! file is long. The file appears under its name at once and complete: it is written under a
//! temporary name in the same folder, synced and renamed, so a reader sees the old index or the new
//! one, and a crash leaves neither half of one.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use rustc_hash::FxHashSet;
use sage_core::text::hashed_vector;
use sage_dsl::plan::VectorPlan;

use crate::analysis::{Terms, Vocabulary};
use crate::bm25::{Inverted, Written};
use crate::error::RetrievalError;
use crate::format::{SECTIONS, header, padding};
use crate::fusion::SearchMode;
use crate::graph_builder;
use crate::index::Meta;
use crate::reuse::{KeptVector, text_hash};
use crate::store::Fingerprint;
use crate::vectors::{MAX_DIMS, Stored, push_vector};

/// Up to so many documents the exact search is as quick as one by a graph, whoever asks for it.
const FEW: usize = 1_000;
/// From so many documents on there is a graph, unless the exact search is asked for: comparing all
/// of their vectors takes several milliseconds.
const MANY: usize = 50_000;

/// Settings of an index.
#[derive(Debug, Clone, Copy)]
pub struct BuildOptions {
    /// How it is searched.
    pub search: SearchMode,
    /// Length of its vectors; 0 for none.
    pub dims: usize,
}

/// What was built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexInfo {
    /// Documents.
    pub documents: usize,
    /// Distinct terms.
    pub terms: usize,
    /// Length of the vectors.
    pub dims: usize,
    /// Length of the file.
    pub bytes: u64,
}

/// Gathers documents; see the module's text.
pub struct IndexBuilder {
    options: BuildOptions,
    nearest: VectorPlan,
    fingerprint: Option<Fingerprint>,
    maker: Option<Fingerprint>,
    words: Side,
    pieces: Side,
    /// Whether all vectors are hashed ones.
    hashed: bool,
    vectors: Vec<u8>,
    scales: Vec<u8>,
    ends: Vec<u8>,
    keys: Vec<u8>,
    rows: Vec<u8>,
    texts: Vec<u8>,
    seen: FxHashSet<Box<str>>,
}

/// One kind of terms.
struct Side {
    vocabulary: Vocabulary,
    inverted: Inverted,
    buffer: String,
    numbers: Vec<u32>,
}

impl Side {
    fn new(kind: Terms) -> Self {
        let (vocabulary, inverted) = (Vocabulary::new(kind), Inverted::default());
        Side { vocabulary, inverted, buffer: String::new(), numbers: Vec::new() }
    }

    fn push(&mut self, document: u32, text: &str) {
        self.numbers.clear();
        self.vocabulary.number(text, &mut self.buffer, &mut self.numbers);
        self.inverted.push(document, &mut self.numbers);
    }

    fn write(self) -> Result<Written, RetrievalError> {
        let written = self.inverted.write(&self.vocabulary.into_sorted());
        written.ok_or(RetrievalError::TooLarge("more than 4 GiB of distinct words"))
    }
}

impl IndexBuilder {
    /// An empty index.
    pub fn new(options: BuildOptions) -> Result<Self, RetrievalError> {
        if options.dims > MAX_DIMS {
            return Err(RetrievalError::TooLarge("vectors may have at most 16384 dimensions"));
        }
        Ok(IndexBuilder {
            options,
            nearest: VectorPlan::Usual,
            fingerprint: None,
            maker: None,
            words: Side::new(Terms::Words),
            pieces: Side::new(Terms::Pieces),
            hashed: true,
            vectors: Vec::new(),
            scales: Vec::new(),
            ends: Vec::new(),
            keys: Vec::new(),
            rows: Vec::new(),
            texts: Vec::new(),
            seen: FxHashSet::default(),
        })
    }

    /// How the nearest vectors will be found.
    #[must_use]
    pub fn nearest_by(mut self, nearest: VectorPlan) -> Self {
        self.nearest = nearest;
        self
    }

    /// What the index is made of, and who makes its vectors if that is a model.
    #[must_use]
    pub fn named(mut self, fingerprint: Fingerprint, maker: Option<Fingerprint>) -> Self {
        (self.fingerprint, self.maker) = (Some(fingerprint), maker);
        self
    }

    /// Adds a document with a vector that an earlier index has of the same text.
    pub fn push_kept(
        &mut self,
        key: &str,
        text: &str,
        row: &[u8],
        vector: &KeptVector,
    ) -> Result<(), RetrievalError> {
        self.fits(key, vector.dimensions())?;
        self.add(key, text, row)?;
        self.hashed = false;
        self.vectors.extend_from_slice(&vector.numbers);
        self.scales.extend_from_slice(&vector.scale);
        Ok(())
    }

    /// Adds a document. `text` is what is searched, `row` what a hit returns. Without a vector the
    /// built-in hashed vector of `text` is used, if the index has vectors at all. A document that
    /// is refused leaves the index as it was.
    pub fn push(
        &mut self,
        key: &str,
        text: &str,
        row: &[u8],
        vector: Option<Vec<f32>>,
    ) -> Result<(), RetrievalError> {
        let expected = self.options.dims;
        self.fits(key, vector.as_ref().map_or(expected, Vec::len))?;
        self.add(key, text, row)?;
        self.hashed &= vector.is_none();
        if expected > 0 {
            let vector = vector.unwrap_or_else(|| hashed_vector(text, expected));
            let scale = push_vector(&vector, &mut self.vectors);
            self.scales.extend_from_slice(&scale.to_le_bytes());
        }
        Ok(())
    }

    fn fits(&self, key: &str, found: usize) -> Result<(), RetrievalError> {
        let expected = self.options.dims;
        if found == expected {
            return Ok(());
        }
        Err(RetrievalError::VectorLength { key: key.to_owned(), found, expected })
    }

    /// Adds all of a document but its vector.
    fn add(&mut self, key: &str, text: &str, row: &[u8]) -> Result<(), RetrievalError> {
        let Ok(document) = u32::try_from(self.seen.len()) else {
            return Err(RetrievalError::TooLarge("at most 4294967295 documents"));
        };
        if !self.seen.insert(key.into()) {
            return Err(RetrievalError::DuplicateKey(key.to_owned()));
        }
        self.words.push(document, text);
        if !matches!(self.options.search, SearchMode::Bm25 | SearchMode::Vector) {
            self.pieces.push(document, text);
        }
        self.keys.extend_from_slice(key.as_bytes());
        self.rows.extend_from_slice(row);
        self.texts.extend_from_slice(&text_hash(text));
        self.ends.extend_from_slice(&(self.keys.len() as u64).to_le_bytes());
        self.ends.extend_from_slice(&(self.rows.len() as u64).to_le_bytes());
        Ok(())
    }

    /// Number of documents so far.
    pub fn len(&self) -> usize {
        self.seen.len()
    }

    /// Whether there is none yet.
    pub fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }

    /// The graph of the vectors, where a search will use it.
    fn graph(&self) -> Vec<u8> {
        let used = match self.options.search {
            SearchMode::Bm25 => false,
            SearchMode::Vector => true,
            // Of these, pieces of words take the place of hashed vectors.
            SearchMode::Rrf | SearchMode::Weighted(_) => !self.hashed,
        };
        let wanted = match self.nearest {
            VectorPlan::Usual => self.len() >= MANY,
            VectorPlan::Exact => false,
            VectorPlan::Hnsw => self.len() > FEW,
        };
        if !used || !wanted || self.options.dims == 0 {
            return Vec::new();
        }
        let (vectors, scales, dims) = (&self.vectors, &self.scales, self.options.dims);
        graph_builder::build(Stored { vectors, scales, dims }, self.len() as u32)
    }

    /// Writes the index to `path`, replacing what is there. Only the owner can read the file.
    pub fn build_to(self, path: &Path) -> Result<IndexInfo, RetrievalError> {
        let documents = self.len();
        let graph = self.graph();
        let (fingerprint, maker) = (self.fingerprint, self.maker);
        let (words, pieces) = (self.words.write()?, self.pieces.write()?);
        let meta = Meta {
            documents: documents as u32,
            terms: words.terms,
            dims: self.options.dims as u32,
            search: self.options.search,
            words: words.total,
            pieces: (pieces.terms, pieces.total),
            hashed: self.hashed,
        };
        let meta = meta.to_bytes();
        let ([terms, text, postings, lengths], terms_count) = (&words.sections, words.terms);
        let [piece_terms, piece_text, piece_postings, piece_lengths] = &pieces.sections;
        // In the order of `Section`.
        let sections: [&[u8]; SECTIONS] = [
            &meta,
            terms,
            text,
            postings,
            lengths,
            &self.vectors,
            &self.scales,
            &self.ends,
            &self.keys,
            &self.rows,
            piece_terms,
            piece_text,
            piece_postings,
            piece_lengths,
            &graph,
            &self.texts,
            fingerprint.as_ref().map_or(&[], |fingerprint| &fingerprint.0),
            maker.as_ref().map_or(&[], |maker| &maker.0),
        ];
        let bytes = write(path, &sections).map_err(RetrievalError::io("write index", path))?;
        Ok(IndexInfo { documents, terms: terms_count as usize, dims: self.options.dims, bytes })
    }
}

fn write(path: &Path, sections: &[&[u8]; SECTIONS]) -> io::Result<u64> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // Created with mode 0600 and removed again if anything below fails.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    let head = header(sections);
    file.write_all(&head)?;
    let mut bytes = head.len();
    for section in sections {
        let gap = padding(section.len());
        file.write_all(section)?;
        file.write_all(&[0; 8][..gap])?;
        bytes += section.len() + gap;
    }
    file.as_file().sync_all()?;
    file.persist(path)?;
    // The new name itself must survive a power cut too.
    File::open(folder)?.sync_all()?;
    Ok(bytes as u64)
}
