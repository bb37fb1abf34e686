//! A packed row that differential can keep: ordered, hashed and shipped as the bytes it is.

use sage_core::record::{Datum, Items};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A packed row. Its order is that of its bytes: the same on every worker, and of no other meaning.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Packed(pub(crate) Box<[u8]>);

impl Packed {
    /// Its values.
    pub(crate) fn columns(&self) -> Vec<Datum<'_>> {
        Items::new(&self.0).collect()
    }
}

impl From<Vec<u8>> for Packed {
    fn from(bytes: Vec<u8>) -> Self {
        Packed(bytes.into_boxed_slice())
    }
}

/// As one byte string: element by element, every byte would be visited.
impl Serialize for Packed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Packed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Packed;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Packed, E> {
                Ok(Packed(bytes.into()))
            }
            fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Packed, E> {
                Ok(Packed::from(bytes))
            }
        }
        deserializer.deserialize_byte_buf(Visitor)
    }
}
