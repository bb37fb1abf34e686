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

/// The documents that are ranked: all, or those of these numbers, which rise and are there.
#[derive(Clone, Copy)]
struct Among<'a> {
    wanted: Option<&'a [u32]>,
}

impl Among<'_> {
    /// Scores of the wanted ones, from those of all.
    fn of(self, scores: Vec<f32>) -> Vec<f32> {
        match self.wanted {
            None => scores,
            Some(wanted) => {
                let score = |document: &u32| scores.get(*document as usize).copied();
                wanted.iter().map(|document| score(document).unwrap_or_default()).collect()
            }
        }
    }
}

impl MappedIndex {
    /// Hits by a mode other than the index's own, for comparisons.
    pub fn search_by(&self, mode: SearchMode, query: Query<'_>, k: usize) -> Vec<Hit> {
        self.ranked(mode, query, k, Among { wanted: None })
    }

    /// The same among some documents, whose numbers rise: only they are ranked and fused, by the
    /// scores that they have in the whole collection.
    pub fn search_by_among(
        &self,
        mode: SearchMode,
        query: Query<'_>,
        k: usize,
        wanted: &[u32],
    ) -> Vec<Hit> {
        // A number that no document has is none that is wanted.
        let there = wanted.partition_point(|document| (*document as usize) < self.len());
        let wanted = &wanted[..there];
        let mut hits = self.ranked(mode, query, k, Among { wanted: Some(wanted) });
        for hit in &mut hits {
            hit.document = wanted.get(hit.document as usize).copied().unwrap_or_default();
        }
        hits
    }

    /// Hits by their places among the wanted documents.
    fn ranked(&self, mode: SearchMode, query: Query<'_>, k: usize, among: Among<'_>) -> Vec<Hit> {
        let k = k.min(among.wanted.map_or(self.len(), <[u32]>::len));
        // A vector that cannot belong to this index is as good as none.
        let vector = query.vector.filter(|v| !v.is_empty() && v.len() == self.dimensions());
        match (mode, query.text, vector) {
            (_, None, None) => Vec::new(),
            (SearchMode::Bm25, Some(text), _) | (SearchMode::Vector, Some(text), None) => {
                best(&self.words_of(text, among), k, 0.0)
            }
            (SearchMode::Vector, _, Some(vector)) | (_, None, Some(vector)) => {
                self.nearest(vector, k, among)
            }
            (mode, Some(text), Some(vector)) if !self.meta.hashed => {
                self.fused(mode, text, vector, k, among)
            }
            (mode, Some(text), _) => {
                let (words, pieces) = (self.words_of(text, among), self.pieces_of(text, among));
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
    fn nearest(&self, vector: &[f32], k: usize, among: Among<'_>) -> Vec<Hit> {
        match self.by_graph(vector, k, WIDTH, among) {
            Some(mut hits) => {
                hits.truncate(k);
                hits
            }
            None => best(&self.cosines(vector, among), k, f32::NEG_INFINITY),
        }
    }

    /// Words and pieces on one side, vectors of a model on the other.
    fn fused(
        &self,
        mode: SearchMode,
        text: &str,
        vector: &[f32],
        k: usize,
        among: Among<'_>,
    ) -> Vec<Hit> {
        let (words, pieces) = (self.words_of(text, among), self.pieces_of(text, among));
        let none = f32::NEG_INFINITY;
        let found = self.by_graph(vector, k, FUSED_WIDTH, among);
        if let SearchMode::Weighted(share) = mode {
            let lexical = weighted(&words, &pieces, EVEN);
            let Some(found) = found else {
                let near = self.cosines(vector, among);
                return best(&weighted(&lexical, &near, share), k, none);
            };
            let partly = Partly { found, asked: Asked::new(vector), stored: self.stored() };
            let near = partly.likeness(&lexical);
            return best(&weighted_by(&lexical, &near, spread(&partly.sample()), share), k, none);
        }
        let lexical = words_and_pieces(&words, &pieces, EVEN);
        let fused = match found {
            None => {
                let near = self.cosines(vector, among);
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

    /// Likeness of all documents that are wanted.
    fn cosines(&self, vector: &[f32], among: Among<'_>) -> Vec<f32> {
        let (asked, stored) = (Asked::new(vector), self.stored());
        match among.wanted {
            None => cosines(&asked, stored),
            Some(wanted) => wanted.iter().map(|one| asked.cosine(stored, *one)).collect(),
        }
    }

    /// The nearest by the graph, if there is one and not more is wanted than it is meant for.
    fn by_graph(
        &self,
        vector: &[f32],
        k: usize,
        width: usize,
        among: Among<'_>,
    ) -> Option<Vec<Hit>> {
        // Of the wanted ones all are compared, so that none is missed behind others.
        if k > RANK_DEPTH || among.wanted.is_some() {
            return None;
        }
        let width = width.max(k * 2);
        let (graph, asked, stored) = (self.graph()?, Asked::new(vector), self.stored());
        Some(graph.search(width, |document| asked.cosine(stored, document)))
    }

    /// BM25 of every document over words.
    fn words_of(&self, text: &str, among: Among<'_>) -> Vec<f32> {
        among.of(self.lexicon().scores(&self.analyzer.terms(Terms::Words, text)))
    }

    /// BM25 of every document over pieces of words.
    fn pieces_of(&self, text: &str, among: Among<'_>) -> Vec<f32> {
        among.of(self.pieces().scores(&self.analyzer.terms(Terms::Pieces, text)))
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
