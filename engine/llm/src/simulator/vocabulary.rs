//! Token ids that can be read back: a memory of the ids that `/tokenize` has handed out.
//!
//! Ids are 32-bit hashes of their pieces ([`tokens`]), so no table is needed to count, to share
//! prefixes or to accept ids in prompts, and ids are the same in every server and every run. Only
//! reading back needs one. It holds two generations of [`GENERATION`] pieces each: when the younger
//! is full the older is forgotten, so memory is bounded and what is in use stays.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sage_core::vllm::tokens;

/// Pieces of one generation.
const GENERATION: usize = 1 << 17;
/// Longer pieces (runs of blanks) are not remembered.
const LONGEST: usize = 64;

/// `None` for an id that stands for several pieces.
type Pieces = HashMap<u32, Option<Box<str>>>;

#[derive(Debug, Default)]
struct Memory {
    younger: Pieces,
    older: Pieces,
}

/// The ids handed out and what they say.
#[derive(Debug, Default)]
pub(super) struct Vocabulary(Mutex<Memory>);

impl Vocabulary {
    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remember that `ids` say `pieces`, one by one.
    pub(super) fn learn<'a>(&self, pairs: impl Iterator<Item = (u32, &'a str)>) {
        let mut memory = self.lock();
        for (id, piece) in pairs.filter(|(_, piece)| piece.len() <= LONGEST) {
            memory.learn(id, piece);
        }
    }

    /// Remember the tokens of `text`.
    pub(super) fn learn_text(&self, text: &str) {
        self.learn(tokens::tokenize(text).into_iter().zip(tokens::pieces(text)));
    }

    /// What the ids say, one piece each; the first id that is unknown is the error.
    pub(super) fn spell(&self, ids: &[u32]) -> Result<Vec<String>, u32> {
        let memory = self.lock();
        ids.iter()
            .map(|&id| match memory.younger.get(&id).or_else(|| memory.older.get(&id)) {
                Some(Some(piece)) => Ok(piece.to_string()),
                // The token that stands for an empty text.
                None if id == 0 => Ok(String::new()),
                Some(None) | None => Err(id),
            })
            .collect()
    }
}

impl Memory {
    fn learn(&mut self, id: u32, piece: &str) {
        let known = self.younger.get(&id).or_else(|| self.older.get(&id));
        let meaning = match known {
            Some(Some(known)) if **known != *piece => None,
            Some(None) => None,
            _ => Some(Box::from(piece)),
        };
        if self.younger.len() >= GENERATION && !self.younger.contains_key(&id) {
            self.older = std::mem::take(&mut self.younger);
        }
        self.younger.insert(id, meaning);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_handed_out_is_read_back() {
        let vocabulary = Vocabulary::default();
        let text = "The scheduler  waits.\n\n日本語 über-long_words ====";
        let ids = tokens::tokenize(text);
        assert_eq!(vocabulary.spell(&ids), Err(ids[0]));
        vocabulary.learn_text(text);
        assert_eq!(vocabulary.spell(&ids).unwrap().concat(), text);
        assert_eq!(vocabulary.spell(&tokens::tokenize("")).unwrap().concat(), "");
    }

    #[test]
    fn an_id_of_two_meanings_is_not_guessed() {
        let vocabulary = Vocabulary::default();
        vocabulary.learn([(7, "a"), (8, "b"), (7, "c")].into_iter());
        assert_eq!(
            (vocabulary.spell(&[8]), vocabulary.spell(&[7])),
            (Ok(vec!["b".into()]), Err(7))
        );
    }

    #[test]
    fn memory_is_bounded_and_keeps_the_latest() {
        let vocabulary = Vocabulary::default();
        let count = 3 * GENERATION as u32;
        vocabulary.learn((1..=count).map(|id| (id, "x")));
        assert!(vocabulary.spell(&[count]).is_ok() && vocabulary.spell(&[1]).is_err());
        let memory = vocabulary.lock();
        assert!(memory.younger.len() + memory.older.len() <= 2 * GENERATION);
    }
}
