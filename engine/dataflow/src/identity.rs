//! The identity of a record: what makes it the same record when the run is made again.
//!
//! Answers that were paid for are kept under it, so it must not depend on which worker asks, in
//! which batch, or how often. The declared key is that; in a further round of a source that is read
//! again the key is another one, since a question that is asked again is to be answered again. A
//! source without a key gives its records in the same order each time, so their place will do.

use sage_core::record::{Datum, pack};
use sage_core::text::fnv1a;

use crate::task::Task;

/// Mixed in where a record is known by its place, so that it is never a key by chance.
const PLACE: &[u8] = b"#place";

/// Hash of the identity of row `row` of `task`, whose columns begin with those of the source; `key`
/// is where the declared key stands among them. `scratch` is only memory.
pub(crate) fn identity(
    key: Option<usize>,
    task: &Task,
    row: usize,
    columns: &[Datum<'_>],
    scratch: &mut Vec<u8>,
) -> u64 {
    scratch.clear();
    if let Some(key) = key.and_then(|key| columns.get(key)) {
        pack(scratch, *key);
        // A text was renamed to `<key>#<round>` when it was read.
        if task.round > 0 && !matches!(key, Datum::Str(_)) {
            scratch.push(b'#');
            scratch.extend_from_slice(&task.round.to_le_bytes());
        }
    } else {
        scratch.extend_from_slice(PLACE);
        scratch.extend_from_slice(&task.id.to_le_bytes());
        scratch.extend_from_slice(&(row as u64).to_le_bytes());
    }
    fnv1a(scratch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_same_in_every_task_and_another_one_in_every_round() {
        let of = |id, round, row, columns: &[Datum<'_>]| {
            let task = Task { id, round, ..Task::default() };
            identity(Some(1), &task, row, columns, &mut vec![1, 2, 3])
        };
        let number = [Datum::Str("x"), Datum::Int(7)];
        assert_eq!(of(0, 0, 0, &number), of(9, 0, 4, &[Datum::Null, Datum::Int(7)]));
        assert_ne!(of(0, 0, 0, &number), of(0, 1, 0, &number));
        assert_ne!(of(0, 1, 0, &number), of(0, 2, 0, &number));
        assert_ne!(of(0, 0, 0, &number), of(0, 0, 0, &[Datum::Null, Datum::Str("7")]));
        let text = [Datum::Null, Datum::Str("q#1")];
        assert_eq!(of(3, 1, 0, &text), of(8, 1, 2, &text));
    }

    #[test]
    fn without_a_key_the_place_is_the_identity() {
        let of = |id, row| {
            let task = Task { id, ..Task::default() };
            identity(None, &task, row, &[Datum::Int(1)], &mut Vec::new())
        };
        assert_eq!(of(1, 2), of(1, 2));
        assert_ne!(of(1, 2), of(2, 1));
    }
}
