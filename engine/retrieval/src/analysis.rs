//! From text to index terms: words without stop words, stemmed; names of programs; pieces of words.
//!
//! Documents and questions go through the same function, or they would not meet.

use rust_stemmers::{Algorithm, Stemmer};
use rustc_hash::FxHashMap;
use sage_core::text::{for_each_word, is_stop_word};

use crate::names::{Part, for_each_part};

/// Characters of a piece of a word. Four is the length that works best for European languages
/// (McNamee and Mayfield, 2004), and that of the hashed vectors.
const PIECE: usize = 4;

/// What the terms of a text are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Terms {
    /// Stems of words, and names.
    Words,
    /// Runs of four characters within words whose borders are marked.
    Pieces,
}

/// Turns text into terms.
pub(crate) struct Analyzer(Stemmer);

impl Analyzer {
    pub(crate) fn new() -> Self {
        Analyzer(Stemmer::create(Algorithm::English))
    }

    /// The distinct terms of `text` with their counts, in order of first appearance. Meant for
    /// questions, which are short.
    pub(crate) fn terms(&self, kind: Terms, text: &str) -> Vec<(String, u32)> {
        let mut terms: Vec<(String, u32)> = Vec::new();
        let mut places: FxHashMap<String, usize> = FxHashMap::default();
        let mut add = |term: &str| {
            if let Some(&at) = places.get(term) {
                terms[at].1 += 1;
            } else {
                places.insert(term.to_owned(), terms.len());
                terms.push((term.to_owned(), 1));
            }
        };
        let mut buffer = String::new();
        match kind {
            Terms::Pieces => for_each_piece(text, &mut buffer, add),
            Terms::Words => {
                let mut word = |word: &str| {
                    if !is_stop_word(word) {
                        add(&self.0.stem(word));
                    }
                };
                for_each_word(text, &mut buffer, &mut word);
                for_each_part(text, &mut buffer, |part| {
                    if let Part::Word(part) = part {
                        word(part);
                    }
                });
                for_each_part(text, &mut buffer, |part| {
                    if let Part::Whole(name) = part {
                        add(name);
                    }
                });
            }
        }
        terms
    }
}

fn for_each_piece(text: &str, buffer: &mut String, mut each: impl FnMut(&str)) {
    let mut framed = String::new();
    for_each_word(text, buffer, |word| {
        if !is_stop_word(word) {
            framed.clear();
            framed.push('^');
            framed.push_str(word);
            framed.push('$');
            pieces_of(&framed, &mut each);
        }
    });
}

fn pieces_of(framed: &str, each: &mut impl FnMut(&str)) {
    let starts = framed.char_indices().map(|(at, _)| at);
    let ends = framed.char_indices().map(|(at, symbol)| at + symbol.len_utf8()).skip(PIECE - 1);
    let mut any = false;
    for (start, end) in starts.zip(ends) {
        any = true;
        each(&framed[start..end]);
    }
    if !any {
        each(framed);
    }
}

/// Numbers terms, and remembers the number of each word so that it is stemmed once per corpus and
/// not once per occurrence.
pub(crate) struct Vocabulary {
    kind: Terms,
    analyzer: Analyzer,
    /// Word as written -> term, `None` for stop words.
    words: FxHashMap<Box<str>, Option<u32>>,
    numbers: FxHashMap<Box<str>, u32>,
}

impl Vocabulary {
    pub(crate) fn new(kind: Terms) -> Self {
        let (words, numbers) = (FxHashMap::default(), FxHashMap::default());
        Vocabulary { kind, analyzer: Analyzer::new(), words, numbers }
    }

    /// Appends the number of every term of `text` to `out`.
    pub(crate) fn number(&mut self, text: &str, buffer: &mut String, out: &mut Vec<u32>) {
        if self.kind == Terms::Pieces {
            return for_each_piece(text, buffer, |piece| {
                out.push(numbered(&mut self.numbers, piece));
            });
        }
        for_each_word(text, buffer, |word| out.extend(self.word(word)));
        for_each_part(text, buffer, |part| match part {
            Part::Whole(name) => out.push(numbered(&mut self.numbers, name)),
            Part::Word(word) => out.extend(self.word(word)),
        });
    }

    fn word(&mut self, word: &str) -> Option<u32> {
        if let Some(known) = self.words.get(word) {
            return *known;
        }
        let stem = || self.analyzer.0.stem(word);
        let term = (!is_stop_word(word)).then(|| numbered(&mut self.numbers, &stem()));
        self.words.insert(word.into(), term);
        term
    }

    /// All terms in alphabetical order with their numbers.
    pub(crate) fn into_sorted(self) -> Vec<(Box<str>, u32)> {
        let mut terms: Vec<_> = self.numbers.into_iter().collect();
        terms.sort_unstable();
        terms
    }
}

fn numbered(numbers: &mut FxHashMap<Box<str>, u32>, term: &str) -> u32 {
    if let Some(known) = numbers.get(term) {
        return *known;
    }
    let next = numbers.len() as u32;
    numbers.insert(term.into(), next);
    next
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(kind: Terms, text: &str) -> Vec<(String, u32)> {
        let (mut vocabulary, mut numbers) = (Vocabulary::new(kind), Vec::new());
        vocabulary.number(text, &mut String::new(), &mut numbers);
        let terms = vocabulary.into_sorted().into_iter();
        let count = |number| numbers.iter().filter(|n| **n == number).count() as u32;
        terms.map(|(term, number)| (term.into(), count(number))).collect()
    }

    #[test]
    fn both_paths_agree() {
        let text = "The workers were scheduling; a Worker schedules its schedule in max_slots.";
        for (kind, some) in [(Terms::Words, "schedul"), (Terms::Pieces, "^wor")] {
            let mut terms = Analyzer::new().terms(kind, text);
            terms.sort_unstable();
            assert_eq!(terms, counts(kind, text));
            assert!(terms.iter().any(|(term, count)| term == some && *count > 1), "{terms:?}");
        }
    }

    #[test]
    fn pieces_are_cut_between_characters() {
        let pieces = |text| Analyzer::new().terms(Terms::Pieces, text).into_iter().map(|(t, _)| t);
        assert_eq!(
            pieces("x na\u{ef}ve").collect::<Vec<_>>(),
            ["^x$", "^na\u{ef}", "na\u{ef}v", "a\u{ef}ve", "\u{ef}ve$"]
        );
    }
}
