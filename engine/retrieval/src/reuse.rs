//! Vectors of an index that serve the next one.
//!
//! A vector costs a call of a model, and depends on the text alone. So an index file says of which
//! text each vector is, and who made it, and an index that is built anew takes the vectors of all
//! texts that have stayed. They are taken as they are stored, so the new file is the one that
//! vectors made anew would have given.

use std::collections::{HashMap, HashSet};

use sage_core::index::Index;
use sha2::{Digest, Sha256};

use crate::format::Section;
use crate::index::MappedIndex;
use crate::store::Fingerprint;

/// What tells texts apart: half of a SHA-256.
pub type TextHash = [u8; 16];

/// The hash of a text.
pub fn text_hash(text: &str) -> TextHash {
    let digest = Sha256::digest(text.as_bytes());
    std::array::from_fn(|at| digest[at])
}

/// A vector as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptVector {
    pub(crate) numbers: Box<[u8]>,
    pub(crate) scale: [u8; 4],
}

impl KeptVector {
    /// Its length.
    pub fn dimensions(&self) -> usize {
        self.numbers.len()
    }
}

impl MappedIndex {
    /// What it is made of, if that was said.
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        self.named(Section::Fingerprint)
    }

    /// Who made its vectors, if that was said.
    pub fn maker(&self) -> Option<Fingerprint> {
        self.named(Section::Maker)
    }

    /// Adds the vectors of those `wanted` texts that are in the index and not in `found`.
    pub fn add_vectors(
        &self,
        wanted: &HashSet<TextHash>,
        found: &mut HashMap<TextHash, KeptVector>,
    ) {
        let dims = self.dimensions();
        if dims == 0 || self.meta.hashed {
            return;
        }
        let texts = self.section(Section::Texts).as_chunks::<16>().0;
        let scales = self.section(Section::Scales).as_chunks::<4>().0;
        let vectors = self.section(Section::Vectors).chunks_exact(dims);
        for ((text, numbers), scale) in texts.iter().zip(vectors).zip(scales) {
            if wanted.contains(text) {
                let kept = || KeptVector { numbers: numbers.into(), scale: *scale };
                found.entry(*text).or_insert_with(kept);
            }
        }
    }

    fn named(&self, section: Section) -> Option<Fingerprint> {
        self.section(section).try_into().ok().map(Fingerprint)
    }
}
