//! Profiles as files: TOML that people write, and that `calibrate` writes for them.
//!
//! A file names what it starts from and says what differs, in one of three ways:
//!
//! ```toml
//! # 1. From a profile that is known, with differences.
//! base = "a100/qwen2.5-7b"
//! [limits]
//! max_num_seqs = 64
//! ```
//! ```toml
//! # 2. From the data sheet of a GPU and the architecture of a model.
//! model = "Qwen/Qwen2.5-7B-Instruct"
//! [gpu]
//! bandwidth_gb_s = 768
//! peak_tflops = 155
//! memory_gib = 47.5
//! [architecture]
//! layers = 28
//! hidden = 3584
//! intermediate = 18944
//! query_heads = 28
//! kv_heads = 4
//! head_dim = 128
//! vocabulary = 152064
//! [limits]
//! max_model_len = 32768
//! ```
//!
//! 3. From the ten constants under `[step]`, which also override what the first two ways give. That
//!    is the form that [`Profile::to_toml`] writes, each key with its unit. All keys: `keys.rs`.

mod error;
mod keys;
mod read;
mod table;
mod write;

pub use error::ProfileError;
