//! One entry as bytes.
//!
//! ```text
//!  0 mark FE 'S' 'J' FF   4 body length   8 model length   10 flags   11 zero
//! 12 prompt tokens       20 completion tokens              28 recorded, Unix seconds
//! 36 key (32 bytes)      68 CRC32 of model and body        72 CRC32 of offset and bytes 0..72
//! 76 model, body
//! ```
//!
//! Numbers are little endian. The head has a checksum of its own, so that a length is believed
//! only when it is right, and it covers the offset in the file: bytes inside an answer that look
//! like an entry are none.

use bytes::Bytes;
use crc32fast::Hasher;

use super::{Key, Stored};

/// Bytes before the model's name.
pub(super) const HEAD: usize = 76;
/// Most bytes of one body.
pub(super) const MOST_BODY: usize = 16 << 20;
/// How each entry begins; two bytes of it are in no UTF-8 text.
pub(super) const MARK: [u8; 4] = [0xFE, b'S', b'J', 0xFF];

const SIMULATED: u8 = 1;

/// The fixed part of an entry.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    pub(super) key: Key,
    pub(super) recorded: u64,
    pub(super) prompt_tokens: u64,
    pub(super) completion_tokens: u64,
    pub(super) simulated: bool,
    model: usize,
    body: usize,
    payload_crc: u32,
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

fn checksum(offset: u64, head: &[u8]) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(&offset.to_le_bytes());
    hasher.update(head);
    hasher.finalize()
}

impl Head {
    /// The head at `offset` of its file, or nothing when these bytes are none.
    pub(super) fn read(bytes: &[u8], offset: u64) -> Option<Head> {
        let bytes = bytes.get(..HEAD)?;
        if !bytes.starts_with(&MARK)
            || checksum(offset, &bytes[..72]) != u32::from_le_bytes(array(bytes, 72)?)
        {
            return None;
        }
        let body = u32::from_le_bytes(array(bytes, 4)?) as usize;
        (body <= MOST_BODY).then_some(())?;
        Some(Head {
            key: Key::from_bytes(array(bytes, 36)?),
            recorded: u64::from_le_bytes(array(bytes, 28)?),
            prompt_tokens: u64::from_le_bytes(array(bytes, 12)?),
            completion_tokens: u64::from_le_bytes(array(bytes, 20)?),
            simulated: bytes[10] & SIMULATED != 0,
            model: usize::from(u16::from_le_bytes(array(bytes, 8)?)),
            body,
            payload_crc: u32::from_le_bytes(array(bytes, 68)?),
        })
    }

    /// Bytes of model and body.
    pub(super) fn payload(&self) -> usize {
        self.model + self.body
    }

    /// The model's name, at the front of `payload`.
    pub(super) fn model<'a>(&self, payload: &'a [u8]) -> &'a [u8] {
        payload.get(..self.model).unwrap_or_default()
    }

    /// Whether `payload` is what was written behind this head.
    pub(super) fn fits(&self, payload: &[u8]) -> bool {
        payload.len() == self.payload() && crc32fast::hash(payload) == self.payload_crc
    }

    /// The answer, when `payload` fits and its model's name is text.
    pub(super) fn stored(&self, payload: &Bytes) -> Option<Stored> {
        self.fits(payload).then_some(())?;
        Some(Stored {
            body: payload.slice(self.model..),
            prompt_tokens: self.prompt_tokens,
            completion_tokens: self.completion_tokens,
            simulated: self.simulated,
            model: std::str::from_utf8(self.model(payload)).ok()?.to_owned(),
        })
    }
}

/// Bytes that `stored` takes in a file.
pub(super) fn size(stored: &Stored) -> u64 {
    (HEAD + stored.model.len() + stored.body.len()) as u64
}

/// Append the entry to `out`; it will stand at `offset` of its file. The caller has checked the
/// sizes: a body of at most [`MOST_BODY`] bytes, a model's name of at most 65,535.
pub(super) fn write(out: &mut Vec<u8>, offset: u64, recorded: u64, key: &Key, stored: &Stored) {
    let mut payload = Hasher::new();
    payload.update(stored.model.as_bytes());
    payload.update(&stored.body);
    let start = out.len();
    out.extend_from_slice(&MARK);
    out.extend_from_slice(&(stored.body.len() as u32).to_le_bytes());
    out.extend_from_slice(&(stored.model.len() as u16).to_le_bytes());
    out.extend_from_slice(&[if stored.simulated { SIMULATED } else { 0 }, 0]);
    out.extend_from_slice(&stored.prompt_tokens.to_le_bytes());
    out.extend_from_slice(&stored.completion_tokens.to_le_bytes());
    out.extend_from_slice(&recorded.to_le_bytes());
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(&payload.finalize().to_le_bytes());
    let sum = checksum(offset, &out[start..]);
    out.extend_from_slice(&sum.to_le_bytes());
    out.extend_from_slice(stored.model.as_bytes());
    out.extend_from_slice(&stored.body);
}
