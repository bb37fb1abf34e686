//! A sentence transformer of the BERT family, by candle.
//!
//! The last layer's vectors are averaged over a text's tokens and made one long, which is what such
//! models are trained for. Texts are cut after [`MAX_TOKENS`].

use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use sha2::{Digest, Sha256};
use tokenizers::{Tokenizer, TruncationParams};

use super::bert::{Bert, Form};
use crate::error::RetrievalError;

/// Length at which all-MiniLM-L6-v2 cuts its texts; longer ones were not in its training.
const MAX_TOKENS: usize = 256;

/// A loaded model.
pub(super) struct Model {
    folder: PathBuf,
    bert: Bert,
    tokenizer: Tokenizer,
    dimensions: usize,
    fingerprint: [u8; 16],
}

impl Model {
    pub(super) fn load(folder: &Path) -> Result<Self, RetrievalError> {
        let read = |name: &str| {
            let path = folder.join(name);
            std::fs::read(&path).map_err(|source| RetrievalError::ModelFile { path, source })
        };
        let broken = |why: String| RetrievalError::Model { folder: folder.to_owned(), why };
        let (config, tokenizer) = (read("config.json")?, read("tokenizer.json")?);
        let weights = read("model.safetensors")?;
        // Whatever changes a vector changes the fingerprint.
        let mut hash = Sha256::new();
        for part in [&config, &tokenizer, &weights] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        hash.update((MAX_TOKENS as u64).to_le_bytes());
        let digest = hash.finalize();
        let form = Form::read(&config)
            .map_err(|why| broken(format!("config.json is not that of a BERT model: {why}")))?;
        let mut tokenizer = Tokenizer::from_bytes(&tokenizer)
            .map_err(|error| broken(format!("tokenizer.json cannot be read: {error}")))?;
        tokenizer.with_padding(None);
        let max_length = MAX_TOKENS.min(form.positions);
        tokenizer
            .with_truncation(Some(TruncationParams { max_length, ..TruncationParams::default() }))
            .map_err(|error| broken(error.to_string()))?;
        let weights = VarBuilder::from_buffered_safetensors(weights, DType::F32, &Device::Cpu);
        let bert = weights.and_then(|weights| Bert::load(&weights, &form));
        let bert = bert.map_err(|error| {
            broken(format!("model.safetensors does not fit config.json: {error}"))
        })?;
        Ok(Model {
            folder: folder.to_owned(),
            bert,
            tokenizer,
            dimensions: form.hidden,
            fingerprint: std::array::from_fn(|at| digest[at]),
        })
    }

    pub(super) fn dimensions(&self) -> usize {
        self.dimensions
    }

    pub(super) fn fingerprint(&self) -> [u8; 16] {
        self.fingerprint
    }

    /// The tokens of a text, with the marks of its begin and end.
    pub(super) fn tokens(&self, text: &str) -> Result<Vec<u32>, RetrievalError> {
        let tokens = self.tokenizer.encode(text, true).map_err(|error| RetrievalError::Model {
            folder: self.folder.clone(),
            why: format!("a text cannot be cut into tokens: {error}"),
        })?;
        Ok(tokens.get_ids().to_vec())
    }

    /// One vector a text.
    pub(super) fn embed(&self, batch: &[&[u32]]) -> Result<Vec<Vec<f32>>, RetrievalError> {
        self.forward(batch).map_err(|error| RetrievalError::Model {
            folder: self.folder.clone(),
            why: format!("a text cannot be embedded: {error}"),
        })
    }

    fn forward(&self, batch: &[&[u32]]) -> candle_core::Result<Vec<Vec<f32>>> {
        let longest = batch.iter().map(|ids| ids.len()).max().unwrap_or(0);
        let padded = |fill: fn(u32) -> u32| -> Vec<u32> {
            let row = |ids: &&[u32]| {
                let ids: Vec<u32> = ids.iter().map(|&id| fill(id)).collect();
                ids.into_iter().chain(std::iter::repeat(0)).take(longest).collect::<Vec<_>>()
            };
            batch.iter().flat_map(row).collect()
        };
        let shape = (batch.len(), longest);
        let ids = Tensor::from_vec(padded(|id| id), shape, &Device::Cpu)?;
        let mask = Tensor::from_vec(padded(|_| 1), shape, &Device::Cpu)?;
        let same = batch.iter().all(|ids| ids.len() == longest);
        let attended = (!same).then_some(&mask);
        let out = self.bert.forward(&ids, attended)?;
        let mask = mask.to_dtype(DType::F32)?.unsqueeze(2)?;
        let mean = out.broadcast_mul(&mask)?.sum(1)?.broadcast_div(&mask.sum(1)?)?;
        let norm = mean.sqr()?.sum_keepdim(1)?.sqrt()?;
        mean.broadcast_div(&norm)?.to_vec2()
    }
}
