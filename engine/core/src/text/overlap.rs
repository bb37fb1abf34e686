//! How well a document fits a question, judged by the two texts alone.
//!
//! The second opinion of `rerank` without a model. There are no corpus statistics here, so the
//! length of a word stands in for its rarity. Half of the score is the saturated share of the
//! question's words that the document has, half the cosine of the hashed vectors, which also sees
//! parts of words.

use super::hash::fnv1a;
use super::stop::is_stop_word;
use super::vector::hashed_vector;
use super::word::{for_each_word, root};

/// Dimensions of the vectors compared.
const DIMS: usize = 256;
/// BM25's saturation and length normalisation, against a passage of usual length in words.
const SATURATION: f32 = 1.2;
const LENGTH_SHARE: f32 = 0.75;
const USUAL_LENGTH: f32 = 120.0;
/// What the first place before is worth.
const RANK_SHARE: f32 = 0.3;

/// Score of `document` for `query`, from 0 (nothing in common) to 1.
pub fn overlap_score(query: &str, document: &str) -> f32 {
    let mut buffer = String::new();
    // Hash of each distinct content word of the question, its weight, its count in the document.
    let mut terms: Vec<(u64, f32, f32)> = Vec::new();
    for_each_word(query, &mut buffer, |word| {
        if !is_stop_word(word) {
            let word = root(word);
            let hash = fnv1a(word.as_bytes());
            if terms.iter().all(|term| term.0 != hash) {
                terms.push((hash, word.len().min(10) as f32, 0.0));
            }
        }
    });
    let mut length = 0.0;
    for_each_word(document, &mut buffer, |word| {
        length += 1.0;
        let hash = fnv1a(root(word).as_bytes());
        if let Some(term) = terms.iter_mut().find(|term| term.0 == hash) {
            term.2 += 1.0;
        }
    });
    let damping = SATURATION * (1.0 - LENGTH_SHARE + LENGTH_SHARE * length / USUAL_LENGTH);
    let total: f32 = terms.iter().map(|term| term.1).sum();
    let found: f32 = terms.iter().map(|term| term.1 * term.2 / (term.2 + damping)).sum();
    let lexical = if total > 0.0 { found / total } else { 0.0 };
    let (a, b) = (hashed_vector(query, DIMS), hashed_vector(document, DIMS));
    let cosine: f32 = a.iter().zip(&b).map(|(x, y)| x * y).sum();
    0.5 * lexical + 0.5 * cosine.max(0.0)
}

/// Score of a found `document` that stood at `rank` (from 0) before: the retriever saw the whole
/// collection, [`overlap_score`] only the pair, so both count.
pub fn rerank_score(query: &str, document: &str, rank: usize) -> f32 {
    overlap_score(query, document) + RANK_SHARE / (1.0 + rank as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fitting_document_wins() {
        let query = "How are retries limited?";
        let right = overlap_score(query, "The gateway owns the retry budget and limits retries.");
        let wrong = overlap_score(query, "Vectors are stored as eight-bit integers.");
        assert!(right > 0.3 && wrong < 0.2, "{right} {wrong}");
        assert!(overlap_score("", "text") < 1e-6);
        assert!(overlap_score("text", "") < 1e-6);
    }
}
