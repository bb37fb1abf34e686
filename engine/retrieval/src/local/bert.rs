//! The encoder of BERT, over candle's layers.
//!
//! Only what sentence embeddings need: no pooler, no heads, no training. That is some hundred lines,
//! while the crate that has this model has a hundred others too and takes longer to build than all
//! else together.

use candle_core::{D, DType, Result, Tensor};
use candle_nn::ops::softmax_last_dim;
use candle_nn::{Embedding, LayerNorm, Linear, Module, VarBuilder, embedding, layer_norm, linear};

/// What `config.json` says of the model's form.
#[derive(Debug)]
pub(super) struct Form {
    pub(super) vocabulary: usize,
    pub(super) hidden: usize,
    pub(super) layers: usize,
    pub(super) heads: usize,
    pub(super) intermediate: usize,
    pub(super) positions: usize,
    pub(super) types: usize,
    pub(super) epsilon: f64,
}

impl Form {
    /// Reads it; an error says what is missing or of another kind.
    pub(super) fn read(config: &[u8]) -> std::result::Result<Self, String> {
        let config: serde_json::Value =
            serde_json::from_slice(config).map_err(|error| format!("no JSON: {error}"))?;
        let number = |name: &str| {
            let found = config[name].as_u64().filter(|found| (1..1 << 20).contains(found));
            found.map(|found| found as usize).ok_or_else(|| format!("no usable `{name}`"))
        };
        let word = |name: &str, default: &'static str| config[name].as_str().unwrap_or(default);
        for (name, known) in [
            ("model_type", "bert"),
            ("hidden_act", "gelu"),
            ("position_embedding_type", "absolute"),
        ] {
            let found = word(name, known);
            if found != known {
                return Err(format!("`{name}` is `{found}`, and only `{known}` is known"));
            }
        }
        let form = Form {
            vocabulary: number("vocab_size")?,
            hidden: number("hidden_size")?,
            layers: number("num_hidden_layers")?,
            heads: number("num_attention_heads")?,
            intermediate: number("intermediate_size")?,
            positions: number("max_position_embeddings")?,
            types: number("type_vocab_size")?,
            epsilon: config["layer_norm_eps"].as_f64().unwrap_or(1e-12),
        };
        if form.hidden.is_multiple_of(form.heads) {
            Ok(form)
        } else {
            Err("`hidden_size` is no multiple of `num_attention_heads`".into())
        }
    }
}

/// The whole encoder.
pub(super) struct Bert {
    words: Embedding,
    positions: Embedding,
    types: Embedding,
    norm: LayerNorm,
    layers: Vec<Layer>,
}

struct Layer {
    heads: usize,
    query: Linear,
    key: Linear,
    value: Linear,
    attended: Linear,
    attended_norm: LayerNorm,
    up: Linear,
    down: Linear,
    norm: LayerNorm,
}

impl Bert {
    /// The weights stand under their usual names, with or without `bert.` before them.
    pub(super) fn load(weights: &VarBuilder<'_>, form: &Form) -> Result<Self> {
        let prefixed = weights.contains_tensor("bert.embeddings.word_embeddings.weight");
        let weights = if prefixed { weights.pp("bert") } else { weights.clone() };
        let at = weights.pp("embeddings");
        let table = |name: &str, rows| embedding(rows, form.hidden, at.pp(name));
        Ok(Bert {
            words: table("word_embeddings", form.vocabulary)?,
            positions: table("position_embeddings", form.positions)?,
            types: table("token_type_embeddings", form.types)?,
            norm: layer_norm(form.hidden, form.epsilon, at.pp("LayerNorm"))?,
            layers: (0..form.layers)
                .map(|number| Layer::load(&weights.pp(format!("encoder.layer.{number}")), form))
                .collect::<Result<_>>()?,
        })
    }

    /// Vectors of the last layer for `ids` (texts x tokens); `mask` is 1 for a token and 0 for
    /// padding, and is left out where there is none.
    pub(super) fn forward(&self, ids: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
        let (_, length) = ids.dims2()?;
        let numbers = Tensor::arange(0_u32, length as u32, ids.device())?;
        let places = self.positions.forward(&numbers)?;
        let first = self.types.forward(&Tensor::zeros(1, DType::U32, ids.device())?)?;
        let sum = self.words.forward(ids)?.broadcast_add(&(places.broadcast_add(&first))?)?;
        let mut hidden = self.norm.forward(&sum)?;
        // What is added to the scores of padding, so that no token looks at it.
        let bias = mask
            .map(|mask| {
                (mask.to_dtype(DType::F32)? - 1.0)?.affine(1e9, 0.0)?.unsqueeze(1)?.unsqueeze(1)
            })
            .transpose()?;
        for layer in &self.layers {
            hidden = layer.forward(&hidden, bias.as_ref())?;
        }
        Ok(hidden)
    }
}

impl Layer {
    fn load(weights: &VarBuilder<'_>, form: &Form) -> Result<Self> {
        let (hidden, wide) = (form.hidden, form.intermediate);
        let dense = |from, to, name: &str| linear(from, to, weights.pp(name));
        let norm = |name: &str| layer_norm(hidden, form.epsilon, weights.pp(name));
        Ok(Layer {
            heads: form.heads,
            query: dense(hidden, hidden, "attention.self.query")?,
            key: dense(hidden, hidden, "attention.self.key")?,
            value: dense(hidden, hidden, "attention.self.value")?,
            attended: dense(hidden, hidden, "attention.output.dense")?,
            attended_norm: norm("attention.output.LayerNorm")?,
            up: dense(hidden, wide, "intermediate.dense")?,
            down: dense(wide, hidden, "output.dense")?,
            norm: norm("output.LayerNorm")?,
        })
    }

    fn forward(&self, hidden: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
        let (texts, length, size) = hidden.dims3()?;
        let width = size / self.heads;
        let split = |layer: &Linear| -> Result<Tensor> {
            let out = layer.forward(hidden)?.reshape((texts, length, self.heads, width))?;
            out.transpose(1, 2)?.contiguous()
        };
        let (query, key, value) = (split(&self.query)?, split(&self.key)?, split(&self.value)?);
        let scale = 1.0 / (width as f64).sqrt();
        let mut scores =
            (query.matmul(&key.transpose(D::Minus2, D::Minus1)?.contiguous()?)? * scale)?;
        if let Some(bias) = bias {
            scores = scores.broadcast_add(bias)?;
        }
        let seen = softmax_last_dim(&scores)?.matmul(&value)?;
        let seen = seen.transpose(1, 2)?.contiguous()?.reshape((texts, length, size))?;
        let hidden = self.attended_norm.forward(&(self.attended.forward(&seen)? + hidden)?)?;
        let wide = self.up.forward(&hidden)?.gelu_erf()?;
        self.norm.forward(&(self.down.forward(&wide)? + &hidden)?)
    }
}
