//! The ways to search an open index.

use sage_core::index::{Hit, Index, Query};

use crate::analysis::Terms;
use crate::fusion::{
    RANK_DEPTH, SearchMode, best, reciprocal, spread, weighted, weighted_by, words_and_pieces,
    worth,
};
use crate::index::MappedIndex;
use crate::vectors::{Asked, Stored, cosines};

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
                        best(&reciprocal(&[(&words, 0.0), (&pieces, 0.0)], k), k, 0.0)
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
            let partly = Partly { found, asked: Asked::new(vector), stored: self.stored() };
            let near = partly.likeness(&lexical);
            return best(&weighted_by(&lexical, &near, spread(&partly.sample()), share), k, none);
        }
        let lexical = words_and_pieces(&words, &pieces, EVEN);
        let fused = match found {
            None => {
                let near = cosines(vector, self.stored());
                reciprocal(&[(&lexical, none), (&near, none)], k)
            }
            Some(found) => {
                let partly = Partly { found, asked: Asked::new(vector), stored: self.stored() };
                let mut fused = reciprocal(&[(&lexical, none)], k);
                partly.add_ranks(&lexical, &mut fused);
                fused
            }
        };
        best(&fused, k, 0.0)
    }

    /// The nearest by the graph, if there is one and not more is wanted than it is meant for.
    fn by_graph(&self, vector: &[f32], k: usize, width: usize) -> Option<Vec<Hit>> {
        if k > RANK_DEPTH {
            return None;
        }
        let width = width.max(k * 2);
        let (graph, asked, stored) = (self.graph()?, Asked::new(vector), self.stored());
        Some(graph.search(width, |document| asked.cosine(stored, document)))
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

/// The vector side of a fusion where a graph has found the first of it. Of the others only those can
/// come far that the words rank high; how like they are is known exactly, and how they stand
/// among all is estimated.
struct Partly<'a> {
    found: Vec<Hit>,
    asked: Asked,
    stored: Stored<'a>,
}

impl Partly<'_> {
    /// Documents that the words rank high.
    fn others(lexical: &[f32]) -> Vec<u32> {
        let best = best(lexical, RANK_DEPTH, f32::NEG_INFINITY);
        best.iter().map(|hit| hit.document).collect()
    }

    /// How like the documents are; minus infinity for those that no side thinks much of.
    fn likeness(&self, lexical: &[f32]) -> Vec<f32> {
        let mut near = vec![f32::NEG_INFINITY; lexical.len()];
        for document in Self::others(lexical) {
            near[document as usize] = self.asked.cosine(self.stored, document);
        }
        self.found.iter().for_each(|hit| near[hit.document as usize] = hit.score);
        near
    }

    /// How like some documents are that stand for all.
    fn sample(&self) -> Vec<f32> {
        let sample = (0..self.stored.len() as u32).step_by(self.step());
        sample.map(|document| self.asked.cosine(self.stored, document)).collect()
    }

    /// For how many documents one of the sample stands.
    fn step(&self) -> usize {
        self.stored.len().div_ceil(SAMPLE).max(1)
    }

    /// Adds what the ranks of the documents are worth.
    fn add_ranks(&self, lexical: &[f32], fused: &mut [f32]) {
        let mut ranked = vec![false; fused.len()];
        for (rank, hit) in self.found.iter().enumerate() {
            fused[hit.document as usize] += worth(rank);
            ranked[hit.document as usize] = true;
        }
        let mut sample = self.sample();
        sample.sort_unstable_by(|a, b| b.total_cmp(a));
        for document in Self::others(lexical) {
            let likeness = self.asked.cosine(self.stored, document);
            let better = sample.partition_point(|other| *other > likeness) * self.step();
            let rank = better.max(self.found.len());
            if !ranked[document as usize] && rank < RANK_DEPTH {
                fused[document as usize] += worth(rank);
            }
        }
    }
}
