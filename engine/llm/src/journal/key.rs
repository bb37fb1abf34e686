//! Keys: what makes two calls the same call, as one hash.
//!
//! Prompts are private and long, so only their SHA-256 is kept. Each field goes in behind its
//! length, so the fed bytes decode to exactly one list of fields and `["ab", "c"]` and
//! `["a", "bc"]` never meet.

use std::fmt;

use sha2::{Digest, Sha256};

/// What an answer is kept under: the SHA-256 of all that determines it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key([u8; 32]);

impl Key {
    /// The hash itself.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// A key that was a key before.
    pub fn from_bytes(bytes: [u8; 32]) -> Key {
        Key(bytes)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(")?;
        for byte in &self.0[..8] {
            write!(f, "{byte:02x}")?;
        }
        f.write_str("..)")
    }
}

/// Builds a [`Key`] from fields; their order and number matter.
#[derive(Clone)]
pub struct KeyBuilder(Sha256);

impl KeyBuilder {
    /// A key of this purpose, e.g. `run` or `content`; keys of different purposes never meet.
    pub fn new(purpose: &str) -> KeyBuilder {
        KeyBuilder(Sha256::new()).field(b'p', purpose.as_bytes())
    }

    fn field(mut self, tag: u8, bytes: &[u8]) -> KeyBuilder {
        self.0.update([tag]);
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
        self
    }

    /// The next field, as bytes.
    #[must_use]
    pub fn bytes(self, bytes: &[u8]) -> KeyBuilder {
        self.field(b'b', bytes)
    }

    /// The next field, as text.
    #[must_use]
    pub fn text(self, text: &str) -> KeyBuilder {
        self.field(b't', text.as_bytes())
    }

    /// The next field, as a number.
    #[must_use]
    pub fn number(self, number: u64) -> KeyBuilder {
        self.field(b'n', &number.to_le_bytes())
    }

    /// The next field is not there, which is not the same as empty.
    #[must_use]
    pub fn absent(self) -> KeyBuilder {
        self.field(b'-', b"")
    }

    /// The key of all fields so far.
    pub fn finish(self) -> Key {
        Key(self.0.finalize().into())
    }
}
