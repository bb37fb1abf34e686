//! Hashed vectors: an embedding without a model.
//!
//! Each content word gives features (the word without its ending, and its character n-grams with
//! the word's borders marked); each feature is hashed to a dimension and a sign. The sign makes
//! collisions cancel instead of add up. Counts enter as `sqrt(tf)` (a root is rounded
//! alike on every machine, a logarithm is not), and the vector has length 1, so that a dot product
//! is a cosine. Character n-grams let `schedule` and `reschedule` meet, which
//! is what this side can add to a lexical index.

use super::hash::{fnv1a, fnv1a_more};
use super::stop::is_stop_word;
use super::word::{for_each_word, root};

/// Length of character n-grams, in bytes.
const GRAM: usize = 4;
/// Weight of one n-gram against the whole word's 1.
const GRAM_WEIGHT: f32 = 0.5;

/// The hashed vector of `text`, of length `dims`; all zero when the text has no word.
pub fn hashed_vector(text: &str, dims: usize) -> Vec<f32> {
    let mut vector = vec![0.0; dims];
    if dims == 0 {
        return vector;
    }
    let mut features = Vec::with_capacity(text.len());
    collect(text, false, &mut features);
    if features.is_empty() {
        // A text of stop words only ("who are you") still deserves a direction.
        collect(text, true, &mut features);
    }
    features.sort_unstable_by_key(|&(hash, _)| hash);
    for same in features.chunk_by(|a, b| a.0 == b.0) {
        let (hash, weight) = same[0];
        let value = weight * (same.len() as f32).sqrt();
        let sign = if hash >> 63 == 0 { 1.0 } else { -1.0 };
        vector[(mix(hash) % dims as u64) as usize] += sign * value;
    }
    let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    if norm > 0.0 {
        for x in &mut vector {
            *x /= norm;
        }
    }
    vector
}

/// FNV's low bits are weak for short inputs; one multiply-shift spreads them.
fn mix(hash: u64) -> u64 {
    (hash ^ (hash >> 29)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20
}

fn collect(text: &str, stop_words: bool, features: &mut Vec<(u64, f32)>) {
    let word_space = fnv1a(b"w");
    let gram_space = fnv1a(b"g");
    let mut buffer = String::new();
    let mut framed = Vec::new();
    for_each_word(text, &mut buffer, |word| {
        if !stop_words && is_stop_word(word) {
            return;
        }
        let word = root(word);
        features.push((fnv1a_more(word_space, word.as_bytes()), 1.0));
        framed.clear();
        framed.push(b'^');
        framed.extend_from_slice(word.as_bytes());
        framed.push(b'$');
        for gram in framed.windows(GRAM) {
            features.push((fnv1a_more(gram_space, gram), GRAM_WEIGHT));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cosine(a: &str, b: &str) -> f32 {
        let (a, b) = (hashed_vector(a, 256), hashed_vector(b, 256));
        a.iter().zip(&b).map(|(x, y)| x * y).sum()
    }

    #[test]
    fn has_length_one_or_is_zero() {
        assert!((cosine("a worker died", "a worker died") - 1.0).abs() < 1e-5);
        assert!((cosine("who are you", "who are you") - 1.0).abs() < 1e-5);
        assert_eq!(hashed_vector("--", 8), vec![0.0; 8]);
        assert!(hashed_vector("x", 0).is_empty());
    }

    #[test]
    fn like_texts_are_near() {
        let near = cosine("schedule the tasks", "scheduling of a task");
        let far = cosine("schedule the tasks", "memory mapped file");
        assert!(near > 0.8 && far < 0.2, "{near} {far}");
    }

    #[test]
    fn is_the_same_everywhere() {
        let vector = hashed_vector("load aware", 8);
        let rounded: Vec<i32> = vector.iter().map(|x| (x * 1000.0).round() as i32).collect();
        assert_eq!(rounded, [0, 316, 632, 0, 0, 316, 632, 0]);
    }
}
