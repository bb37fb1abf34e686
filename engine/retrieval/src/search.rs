//! The ways to search an open index.

use sage_core::index::{Hit, Index, Query};

use crate::analysis::Terms;
use crate::fusion::{
    RANK_DEPTH, SearchMode, best, reciprocal, spread, weighted, weighted_by, words_and_pieces,
};
use crate::index::MappedIndex;
use crate::vectors::{Asked, cosines};

/// Share of the pieces where nobody says otherwise: as much as the words.
const EVEN: f64 = 0.5;
/// Least number of documents that a search by the graph keeps in view; the more, the fewer it
/// misses.
const WIDTH: usize = 128;
/// The same where two sides are fused: a document that is the tenth of both may be the first.
const FUSED_WIDTH: usize = 256;
/// Documents whose likeness stands for that of all when mean and deviation are asked for.
const SAMPLE: usize = 1024;

impl MappedIndex {
    /// Hits by a mode other than the index's own, for comparisons.
    pub fn search_by(&self, mode: SearchMode, query: Query<'_>, k: usize) -> Vec<Hit> {
        let k = k.min(self.len());
        // A vector that cannot belong to this index is as good as none.
        let vector = query.vector.filter(|v| !v.is_empty() && v.len() == self.dimensions());
        match (mode, query.text, vector) {
            (_, None, None) => Vec::new(),
            (SearchMode::Bm25, Some(text), _) | (SearchMode::Vector, Some(text), None) => {
                best(&self.words_of(text), k, 0.0)
            }
            (SearchMode::Vector, _, Some(vector)) | (_, None, Some(vector)) => {
                self.nearest(vector, k)
            }
            (mode, Some(text), Some(vector)) if !self.meta.hashed => {
                self.fused(mode, text, vector, k)
            }
            (mode, Some(text), _) => {
                let (words, pieces) = (self.words_of(text), self.pieces_of(text));
                match mode {
                    SearchMode::Rrf if self.meta.hashed => {
                        best(&reciprocal([(&words, 0.0), (&pieces, 0.0)], k), k, 0.0)
                    }
                    SearchMode::Weighted(share) if self.meta.hashed => {
                        best(&words_and_pieces(&words, &pieces, share), k, f32::NEG_INFINITY)
                    }
                    _ => best(&words_and_pieces(&words, &pieces, EVEN), k, f32::NEG_INFINITY),
                }
            }
        }
    }

    /// The documents whose vectors are the nearest.
    fn nearest(&self, vector: &[f32], k: usize) -> Vec<Hit> {
        match self.by_graph(vector, k, WIDTH) {
            Some(mut hits) => {
                hits.truncate(k);
                hits
            }
            None => best(&cosines(vector, self.stored()), k, f32::NEG_INFINITY),
        }
    }

    /// Words and pieces on one side, vectors of a model on the other.
    fn fused(&self, mode: SearchMode, text: &str, vector: &[f32], k: usize) -> Vec<Hit> {
        let (words, pieces) = (self.words_of(text), self.pieces_of(text));
        let none = f32::NEG_INFINITY;
        let found = self.by_graph(vector, k, FUSED_WIDTH);
        if let SearchMode::Weighted(share) = mode {
            let lexical = weighted(&words, &pieces, EVEN);
            let Some(found) = found else {
                let near = cosines(vector, self.stored());
                return best(&weighted(&lexical, &near, share), k, none);
            };
            let (near, spread) = self.likeness_of_some(vector, &found, &lexical);
            return best(&weighted_by(&lexical, &near, spread, share), k, none);
        }
        let lexical = words_and_pieces(&words, &pieces, EVEN);
        let near = match found {
            None => cosines(vector, self.stored()),
            Some(found) => {
                let mut near = vec![none; self.len()];
                found.iter().for_each(|hit| near[hit.document as usize] = hit.score);
                near
            }
        };
        best(&reciprocal([(&lexical, none), (&near, none)], k), k, 0.0)
    }

    /// The nearest by the graph, if there is one and not more is wanted than it is meant for.
    fn by_graph(&self, vector: &[f32], k: usize, width: usize) -> Option<Vec<Hit>> {
        if k > RANK_DEPTH {
            return None;
        }
        let width = width.max(k * 2);
        let (graph, asked, stored) = (self.graph()?, Asked::new(vector), self.stored());
        Some(graph.search(width, |document| asked.cosine(stored, document), |_| true))
    }

    /// Likeness of the documents that one of the sides has `found`, minus infinity for the others,
    /// which neither side thinks much of; with mean and deviation of all, estimated.
    fn likeness_of_some(
        &self,
        vector: &[f32],
        found: &[Hit],
        lexical: &[f32],
    ) -> (Vec<f32>, (f64, f64)) {
        let (asked, stored) = (Asked::new(vector), self.stored());
        let step = self.len().div_ceil(SAMPLE).max(1);
        let sample = (0..self.len() as u32).step_by(step);
        let sample: Vec<f32> = sample.map(|document| asked.cosine(stored, document)).collect();
        let mut near = vec![f32::NEG_INFINITY; self.len()];
        for hit in found {
            near[hit.document as usize] = hit.score;
        }
        for hit in best(lexical, RANK_DEPTH, f32::NEG_INFINITY) {
            near[hit.document as usize] = asked.cosine(stored, hit.document);
        }
        (near, spread(&sample))
    }

    /// BM25 of every document over words.
    fn words_of(&self, text: &str) -> Vec<f32> {
        self.lexicon().scores(&self.analyzer.terms(Terms::Words, text))
    }

    /// BM25 of every document over pieces of words.
    fn pieces_of(&self, text: &str) -> Vec<f32> {
        self.pieces().scores(&self.analyzer.terms(Terms::Pieces, text))
    }
}
