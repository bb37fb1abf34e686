//! Ways to search, and how two lists of scores become one.
//!
//! Fusion looks at the scores of all documents, before anything is cut off: a first stage that
//! keeps only the best few loses what the other side alone would have found. Reciprocal ranks need
//! no scale but treat both sides as equally good; normalised scores carry a weight, which is what
//! is wanted when one side is much better.

use sage_core::index::Hit;
use sage_dsl::plan::SearchPlan;

/// How an index is searched when a query gives words and a vector. With one of them, that one is
/// used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SearchMode {
    /// Words only.
    Bm25,
    /// Vectors only.
    Vector,
    /// Both, by reciprocal rank (k = 60).
    Rrf,
    /// Both, by standardised scores; the share of the vector side, 0 to 1.
    Weighted(f64),
}

impl From<SearchPlan> for SearchMode {
    fn from(plan: SearchPlan) -> Self {
        match plan {
            SearchPlan::Bm25 => SearchMode::Bm25,
            SearchPlan::Vector => SearchMode::Vector,
            SearchPlan::Rrf => SearchMode::Rrf,
            SearchPlan::Weighted(share) => SearchMode::Weighted(share),
        }
    }
}

/// Rank constant of reciprocal rank fusion, from the paper that introduced it (Cormack, Clarke and
/// Buettcher, 2009).
const RANK_CONSTANT: f32 = 60.0;
/// Ranks below this add less than a thousandth and are not worth sorting for.
pub(crate) const RANK_DEPTH: usize = 1000;

/// The best `k` documents with a score above `floor`, best first, ties by document number.
pub(crate) fn best(scores: &[f32], k: usize, floor: f32) -> Vec<Hit> {
    let mut hits: Vec<Hit> = scores
        .iter()
        .enumerate()
        .filter(|(_, score)| **score > floor)
        .map(|(document, &score)| Hit { document: document as u32, score })
        .collect();
    let order =
        |a: &Hit, b: &Hit| b.score.total_cmp(&a.score).then_with(|| a.document.cmp(&b.document));
    if k == 0 {
        hits.clear();
    } else if hits.len() > k {
        hits.select_nth_unstable_by(k - 1, order);
        hits.truncate(k);
    }
    hits.sort_unstable_by(order);
    hits
}

/// What a rank, from 0, is worth in fusion by ranks.
pub(crate) fn worth(rank: usize) -> f32 {
    1.0 / (RANK_CONSTANT + rank as f32 + 1.0)
}

/// Sum of `1 / (60 + rank)` over all sides, each with the score above which it ranks a document; a
/// document that a side does not rank gets nothing from it.
pub(crate) fn reciprocal(sides: &[(&[f32], f32)], k: usize) -> Vec<f32> {
    let mut fused = vec![0.0; sides.first().map_or(0, |(scores, _)| scores.len())];
    for (scores, floor) in sides {
        for (rank, hit) in best(scores, RANK_DEPTH.max(k), *floor).iter().enumerate() {
            fused[hit.document as usize] += worth(rank);
        }
    }
    fused
}

/// `share` of the standardised vector scores and the rest of the standardised word scores.
pub(crate) fn weighted(words: &[f32], vectors: &[f32], share: f64) -> Vec<f32> {
    weighted_by(words, vectors, spread(vectors), share)
}

/// The same where mean and deviation of the vector scores are known, and not all of them.
pub(crate) fn weighted_by(
    words: &[f32],
    vectors: &[f32],
    (vector_mean, vector_sd): (f64, f64),
    share: f64,
) -> Vec<f32> {
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.5 };
    let (word_mean, word_sd) = spread(words);
    let fuse = |(&word, &vector): (&f32, &f32)| {
        let word = (f64::from(word) - word_mean) / word_sd;
        let vector = (f64::from(vector) - vector_mean) / vector_sd;
        ((1.0 - share) * word + share * vector) as f32
    };
    words.iter().zip(vectors).map(fuse).collect()
}

/// Words and pieces of words as one list of scores: standardised and mixed, with `share` for the
/// pieces. Documents that have neither are ranked by no side.
pub(crate) fn words_and_pieces(words: &[f32], pieces: &[f32], share: f64) -> Vec<f32> {
    let mut fused = weighted(words, pieces, share);
    for ((fused, word), piece) in fused.iter_mut().zip(words).zip(pieces) {
        if *word <= 0.0 && *piece <= 0.0 {
            *fused = f32::NEG_INFINITY;
        }
    }
    fused
}

/// Mean and standard deviation; a side that does not tell documents apart gets deviation 1, so that
/// it adds nothing instead of dividing by nothing.
pub(crate) fn spread(scores: &[f32]) -> (f64, f64) {
    let count = scores.len().max(1) as f64;
    let mean = scores.iter().map(|&x| f64::from(x)).sum::<f64>() / count;
    let variance = scores.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / count;
    (mean, if variance > 1e-18 { variance.sqrt() } else { 1.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(hits: &[Hit]) -> Vec<u32> {
        hits.iter().map(|hit| hit.document).collect()
    }

    #[test]
    fn ties_go_to_the_lower_number() {
        assert_eq!(order(&best(&[1.0, 2.0, 2.0, 0.0, 1.0], 4, 0.0)), [1, 2, 0, 4]);
        assert_eq!(order(&best(&[1.0; 9], 3, 0.0)), [0, 1, 2]);
        assert!(best(&[1.0], 0, 0.0).is_empty());
    }

    #[test]
    fn both_fusions_reward_agreement() {
        let (words, vectors) = ([0.0, 3.0, 2.9, 0.0], [0.1, 0.0, 0.5, 0.6]);
        let fused = reciprocal(&[(&words, 0.0), (&vectors, f32::NEG_INFINITY)], 4);
        assert_eq!(order(&best(&fused, 1, 0.0)), [2]);
        assert_eq!(order(&best(&weighted(&words, &vectors, 0.5), 1, f32::NEG_INFINITY)), [2]);
        let words_only = best(&weighted(&words, &vectors, 0.0), 1, f32::NEG_INFINITY);
        assert_eq!(order(&words_only), [1]);
    }

    #[test]
    fn a_flat_side_changes_nothing() {
        let fused = weighted(&[1.0, 2.0], &[0.0, 0.0], 0.5);
        assert_eq!(order(&best(&fused, 2, f32::NEG_INFINITY)), [1, 0]);
    }
}
