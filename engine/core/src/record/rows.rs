//! Many rows in one buffer: the payload of a task.
//!
//! A task of an expensive flow holds one row, a morsel of a cheap flow about a thousand; either way
//! it is two allocations, and shipping it is copying two byte strings.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::datum::{Datum, Items};

/// Rows packed one after the other.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rows {
    bytes: Vec<u8>,
    ends: Vec<u32>,
}

impl Rows {
    /// No rows, with room for `bytes`.
    pub fn with_capacity(rows: usize, bytes: usize) -> Self {
        Rows { bytes: Vec::with_capacity(bytes), ends: Vec::with_capacity(rows) }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Size in bytes.
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// Append a row; `fill` packs its columns.
    #[inline]
    pub fn push(&mut self, fill: impl FnOnce(&mut Vec<u8>)) {
        fill(&mut self.bytes);
        self.ends.push(self.bytes.len() as u32);
    }

    /// Append a row unless `fill` fails; a failed row leaves no trace.
    pub fn try_push<E>(
        &mut self,
        fill: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        let start = self.bytes.len();
        if let Err(error) = fill(&mut self.bytes) {
            self.bytes.truncate(start);
            return Err(error);
        }
        self.ends.push(self.bytes.len() as u32);
        Ok(())
    }

    /// Row `i`, or an empty row.
    #[inline]
    pub fn row(&self, i: usize) -> &[u8] {
        let end = self.ends.get(i).copied().unwrap_or(0) as usize;
        let start = if i == 0 { 0 } else { self.ends.get(i - 1).copied().unwrap_or(0) as usize };
        self.bytes.get(start..end).unwrap_or(&[])
    }

    /// The rows in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(|i| self.row(i))
    }

    /// Read the columns of row `i` into `columns`, replacing what is there.
    #[inline]
    pub fn unpack<'a>(&'a self, i: usize, columns: &mut Vec<Datum<'a>>) {
        columns.clear();
        columns.extend(Items::new(self.row(i)));
    }

    /// Append the columns packed in `more` to the last row.
    pub fn extend_last(&mut self, more: &[u8]) {
        self.bytes.extend_from_slice(more);
        if let Some(end) = self.ends.last_mut() {
            *end = self.bytes.len() as u32;
        }
    }

    /// Forget the rows, keep the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }
}

/// As two byte strings: element-wise encoding of a `Vec<u8>` would visit every byte.
impl Serialize for Rows {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (Raw(&self.bytes), Raw(bytemuck::cast_slice(&self.ends))).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Rows {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (bytes, ends): (RawBuf, RawBuf) = Deserialize::deserialize(deserializer)?;
        let ends = ends.0.chunks_exact(4).map(|b| u32::from_ne_bytes([b[0], b[1], b[2], b[3]]));
        Ok(Rows { bytes: bytes.0, ends: ends.collect() })
    }
}

struct Raw<'a>(&'a [u8]);

impl Serialize for Raw<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

struct RawBuf(Vec<u8>);

impl<'de> Deserialize<'de> for RawBuf {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = RawBuf;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<RawBuf, E> {
                Ok(RawBuf(bytes.to_vec()))
            }
            fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<RawBuf, E> {
                Ok(RawBuf(bytes))
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(
                self,
                mut seq: A,
            ) -> Result<RawBuf, A::Error> {
                let mut bytes = Vec::new();
                while let Some(byte) = seq.next_element()? {
                    bytes.push(byte);
                }
                Ok(RawBuf(bytes))
            }
        }
        deserializer.deserialize_byte_buf(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::super::pack;
    use super::*;

    #[test]
    fn rows_survive_the_wire_and_failed_rows_leave_no_trace() {
        let mut rows = Rows::default();
        rows.push(|out| pack(out, Datum::Int(1)));
        let failed: Result<(), ()> = rows.try_push(|out| {
            pack(out, Datum::Str("half"));
            Err(())
        });
        assert!(failed.is_err());
        rows.push(|out| pack(out, Datum::Str("two")));
        rows.extend_last(&{
            let mut more = Vec::new();
            pack(&mut more, Datum::Bool(true));
            more
        });
        let wire = serde_json::to_vec(&rows).unwrap();
        let back: Rows = serde_json::from_slice(&wire).unwrap();
        assert_eq!(back, rows);
        let mut columns = Vec::new();
        back.unpack(1, &mut columns);
        assert_eq!(columns, [Datum::Str("two"), Datum::Bool(true)]);
        assert!(back.row(7).is_empty());
    }
}
