//! Records: packed rows with a borrowed view.
//!
//! A row is a sequence of tagged values in one byte buffer; columns have no names and no offsets,
//! the plan knows what stands where. Appending a column is appending bytes, shipping a row is
//! shipping bytes, and reading makes borrowed [`Datum`]s, so the hot path allocates nothing per
//! field. The idea of a packed row with a borrowed datum is Materialize's (`repr::Row`); the
//! encoding is ours.
//!
//! Encoding of one value: a tag byte, then
//! - nothing for null, false and true;
//! - 1, 4 or 8 little-endian bytes for an integer, 8 for a float;
//! - `u32` byte length and the bytes for strings, byte strings, vectors (little-endian `f32`s),
//!   lists and records (their values packed one after the other).
//!
//! **Invariant: no bytes can make a reader panic.** Damaged bytes read as the end of the row.

mod answer;
mod datum;
mod json;
mod pack;
mod quantity;
mod rows;
mod text;

pub use answer::AnswerType;
pub use datum::{Datum, Floats, Items};
pub use json::{JsonRowError, RowReader, json_row, write_json, write_json_object};
pub use pack::{pack, pack_list, pack_record, pack_value, pack_vector};
pub use rows::Rows;
pub use text::{parse_text, write_text};
