//! `key`: one number for whose a task is, or what it has in common with others.

use crate::record::{Datum, pack};
use crate::text::fnv1a;

/// The number that stands for a value in [`Task::flow`](super::Task::flow) and
/// [`Task::affinity`](super::Task::affinity): the same for equal values of one type, in every run
/// and on every machine, and never 0 except for null, which is nobody.
///
/// Text, whole numbers and truth values count by how they are written, so that a policy's arguments
/// can name them; all other values by their packed bytes.
///
/// ```
/// use sage_core::record::Datum;
/// use sage_core::schedule::key;
///
/// assert_eq!(key(Datum::Str("7")), key(Datum::Int(7)));
/// assert_ne!(key(Datum::Str("")), 0);
/// assert_eq!(key(Datum::Null), 0);
/// ```
pub fn key(value: Datum<'_>) -> u64 {
    let hash = match value {
        Datum::Null => return 0,
        Datum::Str(text) => fnv1a(text.as_bytes()),
        Datum::Int(number) => fnv1a(number.to_string().as_bytes()),
        Datum::Bool(truth) => fnv1a(if truth { b"true" } else { b"false" }),
        other => {
            let mut packed = Vec::new();
            pack(&mut packed, other);
            fnv1a(&packed)
        }
    };
    hash.max(1)
}
