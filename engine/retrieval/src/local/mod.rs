//! Embedding by a model in this process, from a folder with its weights.
//!
//! For who wants real vectors and has no server for them. The folder is one as published for
//! sentence transformers of the BERT family (for example all-MiniLM-L6-v2): `config.json`,
//! `tokenizer.json` and `model.safetensors`. Nothing is downloaded.
//!
//! A passage takes tens of milliseconds, a collection minutes, so vectors are kept: see [`cache`].
//! Building the model's code takes minutes too, so it is behind the feature `local-embeddings`;
//! without it, [`LocalEmbedder::open`] says how to get it.

#[cfg(feature = "local-embeddings")]
mod bert;
mod cache;
#[cfg(feature = "local-embeddings")]
mod model;
#[cfg(not(feature = "local-embeddings"))]
#[path = "absent.rs"]
mod model;

use std::path::Path;

use self::cache::VectorCache;
use self::model::Model;
use crate::error::RetrievalError;
use crate::reuse::text_hash;

/// A model with a memory.
pub struct LocalEmbedder {
    model: Model,
    cache: VectorCache,
}

/// Most tokens of a batch, its padding included: what keeps two cores busy without making a short
/// text wait long.
const BATCH_TOKENS: usize = 4096;

impl LocalEmbedder {
    /// Loads the model in `folder`. Vectors are kept in `kept`, in a file that carries the
    /// fingerprint of the model; without it for the life of this object only.
    pub fn open(folder: &Path, kept: Option<&Path>) -> Result<Self, RetrievalError> {
        let model = Model::load(folder)?;
        let cache = VectorCache::open(kept, model.fingerprint(), model.dimensions())?;
        Ok(LocalEmbedder { model, cache })
    }

    /// Length of its vectors.
    pub fn dimensions(&self) -> usize {
        self.model.dimensions()
    }

    /// Vectors that were found in the file.
    pub fn kept(&self) -> usize {
        self.cache.len()
    }

    /// A vector of length 1 for each text, in order. `progress` is told how many texts are done of
    /// how many, and ends the work by `false`; what was done is kept.
    pub fn embed(
        &mut self,
        texts: &[&str],
        mut progress: impl FnMut(usize, usize) -> bool,
    ) -> Result<Vec<Vec<f32>>, RetrievalError> {
        let keys: Vec<[u8; 16]> = texts.iter().map(|text| text_hash(text)).collect();
        let mut missing: Vec<usize> =
            (0..texts.len()).filter(|at| !self.cache.has(&keys[*at])).collect();
        missing.sort_unstable_by_key(|at| keys[*at]);
        missing.dedup_by_key(|at| keys[*at]);
        let mut tokens = Vec::with_capacity(missing.len());
        for at in missing {
            tokens.push((self.model.tokens(texts[at])?, keys[at]));
        }
        // Texts of one length need no padding; the longest go first, so that time left is not
        // estimated from the short ones.
        tokens.sort_by_key(|(tokens, _)| std::cmp::Reverse(tokens.len()));
        let mut done = texts.len() - tokens.len();
        let mut rest = tokens.as_slice();
        while let Some((first, _)) = rest.first() {
            if !progress(done, texts.len()) {
                return Err(RetrievalError::Interrupted { done, of: texts.len() });
            }
            let size = (BATCH_TOKENS / first.len().max(1)).clamp(1, 64).min(rest.len());
            let (batch, more) = rest.split_at(size);
            let ids: Vec<&[u32]> = batch.iter().map(|(ids, _)| ids.as_slice()).collect();
            for ((_, key), vector) in batch.iter().zip(self.model.embed(&ids)?) {
                self.cache.add(*key, vector);
            }
            self.cache.save()?;
            done += size;
            rest = more;
        }
        progress(texts.len(), texts.len());
        let zeros = || vec![0.0; self.dimensions()];
        Ok(keys.iter().map(|key| self.cache.get(key).unwrap_or_else(zeros)).collect())
    }
}
