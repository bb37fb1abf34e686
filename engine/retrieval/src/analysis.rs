//! From text to index terms: words, without stop words, stemmed.
//!
//! Documents and questions go through the same function, or they would not meet.

use rust_stemmers::{Algorithm, Stemmer};
use rustc_hash::FxHashMap;
use sage_core::text::{for_each_word, is_stop_word};

/// Turns words into stems.
pub(crate) struct Analyzer(Stemmer);

impl Analyzer {
    pub(crate) fn new() -> Self {
        Analyzer(Stemmer::create(Algorithm::English))
    }

    /// The distinct terms of `text` with their counts, in order of first appearance. Meant for
    /// questions, which are short.
    pub(crate) fn terms(&self, text: &str) -> Vec<(String, u32)> {
        let mut terms: Vec<(String, u32)> = Vec::new();
        for_each_word(text, &mut String::new(), |word| {
            if is_stop_word(word) {
                return;
            }
            let stem = self.0.stem(word);
            match terms.iter_mut().find(|(term, _)| *term == stem) {
                Some((_, count)) => *count += 1,
                None => terms.push((stem.into_owned(), 1)),
            }
        });
        terms
    }
}

/// Numbers terms, and remembers the number of each word so that it is stemmed once per corpus and
/// not once per occurrence.
pub(crate) struct Vocabulary {
    analyzer: Analyzer,
    /// Word as written -> term, `None` for stop words.
    words: FxHashMap<Box<str>, Option<u32>>,
    numbers: FxHashMap<Box<str>, u32>,
}

impl Vocabulary {
    pub(crate) fn new() -> Self {
        let (words, numbers) = (FxHashMap::default(), FxHashMap::default());
        Vocabulary { analyzer: Analyzer::new(), words, numbers }
    }

    /// Appends the term number of every content word of `text` to `out`.
    pub(crate) fn number(&mut self, text: &str, buffer: &mut String, out: &mut Vec<u32>) {
        for_each_word(text, buffer, |word| {
            if let Some(known) = self.words.get(word) {
                out.extend(known);
                return;
            }
            let term = (!is_stop_word(word)).then(|| {
                let next = self.numbers.len() as u32;
                *self.numbers.entry(self.analyzer.0.stem(word).into()).or_insert(next)
            });
            self.words.insert(word.into(), term);
            out.extend(term);
        });
    }

    /// All terms in alphabetical order with their numbers.
    pub(crate) fn into_sorted(self) -> Vec<(Box<str>, u32)> {
        let mut terms: Vec<_> = self.numbers.into_iter().collect();
        terms.sort_unstable();
        terms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_paths_agree() {
        let text = "The workers were scheduling; a Worker schedules its schedule.";
        let terms = Analyzer::new().terms(text);
        let named: Vec<_> = terms.iter().map(|(term, count)| (term.as_str(), *count)).collect();
        assert_eq!(named, [("worker", 2), ("schedul", 3)]);
        let (mut vocabulary, mut numbers) = (Vocabulary::new(), Vec::new());
        vocabulary.number(text, &mut String::new(), &mut numbers);
        assert_eq!(numbers, [0, 1, 0, 1, 1]);
        assert_eq!(vocabulary.into_sorted(), [("schedul".into(), 1), ("worker".into(), 0)]);
    }
}
