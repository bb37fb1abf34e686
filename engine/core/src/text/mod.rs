//! Text as numbers: words, stable hashes, token counts, hashed vectors, lexical similarity; and texts cut into
//! pieces.
//!
//! The dataflow (stages `embed`, `rerank`, `context`, the built-in functions), the index and the
//! simulator must agree on what a word and a token are, so the answer is given once, here.
//! **Everything is a pure function of its text**: no table is loaded and no seed is drawn, so the
//! same text gives the same numbers on every worker and every machine.

mod entity;
mod fence;
mod hash;
mod html;
mod overlap;
mod piece;
mod stop;
mod token;
mod vector;
mod word;

pub use fence::Fence;
pub use hash::{fnv1a, fnv1a_more};
pub use html::{Page, page};
pub use overlap::{overlap_score, rerank_score};
pub use piece::{Units, pieces};
pub use stop::is_stop_word;
pub use token::count_tokens;
pub(crate) use token::{Run, run_of};
pub use vector::hashed_vector;
pub use word::{for_each_word, root, words};
