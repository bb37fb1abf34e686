//! What the bench programs share.
//!
//! ```text
//! bin/figures --> figures::* --> tools::* (each in a process of its own) and the sage-flow binary
//! bin/{stub_endpoint, direct_loop, compute_single, make_rows, codecs} --> tools::*
//! ```
//! `figures` starts the tools by calling itself, so one `cargo run` builds all it needs. Nothing
//! here asserts a time: figures are printed beside their targets, and a reader judges.

#[cfg(feature = "codec-abomonation")]
mod abomonate;
pub mod figures;
mod machine;
mod process;
mod table;
pub mod tools;
