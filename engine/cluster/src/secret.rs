//! The run's secret: 32 random bytes that only the supervisor and its workers hold.
//!
//! It travels to a worker in the environment, never on a command line, because any user of a host
//! can read another's arguments but not another's environment. It proves itself by HMAC-SHA256 and
//! never crosses a socket.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::error::ClusterError;

/// Length of the secret, of a nonce and of a proof, in bytes.
pub(crate) const LENGTH: usize = 32;

/// The shared secret of one run. `Debug` does not show it.
#[derive(Clone)]
pub struct Secret([u8; LENGTH]);

impl Secret {
    /// The environment variable that carries the secret to a worker, as hexadecimal digits.
    pub const VARIABLE: &'static str = "SAGE_FLOW_SECRET";

    /// A fresh secret from the operating system's random source.
    pub fn random() -> Result<Self, ClusterError> {
        nonce().map(Self)
    }

    /// Reads 64 hexadecimal digits, as found in [`Secret::VARIABLE`].
    pub fn from_hex(text: &str) -> Result<Self, ClusterError> {
        from_hex(text.trim()).map(Self).ok_or(ClusterError::SecretFormat)
    }

    /// What [`Secret::from_hex`] reads; for the environment of a worker, and for nothing else.
    pub fn to_hex(&self) -> String {
        to_hex(&self.0)
    }

    /// The proof of knowledge of this secret over `parts`. Each part is prefixed with its length,
    /// so no two lists of parts give the same bytes to the MAC.
    pub(crate) fn prove(&self, parts: &[&[u8]]) -> [u8; LENGTH] {
        self.mac(parts).finalize().into_bytes().into()
    }

    /// Compares in constant time, so a stranger learns nothing from how long a refusal takes.
    pub(crate) fn verify(&self, parts: &[&[u8]], proof: &[u8]) -> bool {
        self.mac(parts).verify_slice(proof).is_ok()
    }

    fn mac(&self, parts: &[&[u8]]) -> Hmac<Sha256> {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

/// 32 bytes that were never used before.
pub(crate) fn nonce() -> Result<[u8; LENGTH], ClusterError> {
    let mut bytes = [0; LENGTH];
    getrandom::fill(&mut bytes).map_err(|error| ClusterError::Random(error.to_string()))?;
    Ok(bytes)
}

pub(crate) fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

pub(crate) fn from_hex(text: &str) -> Option<[u8; LENGTH]> {
    let digits = text.as_bytes();
    if digits.len() != LENGTH * 2 {
        return None;
    }
    let mut bytes = [0; LENGTH];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        *byte = (high * 16 + low) as u8;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_goes_round_and_junk_is_refused() {
        let secret = Secret::random().unwrap();
        let again = Secret::from_hex(&secret.to_hex()).unwrap();
        assert_eq!(again.0, secret.0);
        for junk in ["", "00", &"g".repeat(64), &"é".repeat(32), &"0".repeat(66)] {
            assert!(Secret::from_hex(junk).is_err(), "{junk}");
        }
    }

    #[test]
    fn debug_shows_nothing() {
        let secret = Secret([0xab; LENGTH]);
        assert_eq!(format!("{secret:?}"), "Secret(redacted)");
    }

    #[test]
    fn a_proof_is_bound_to_the_borders_between_parts() {
        let secret = Secret([7; LENGTH]);
        let proof = secret.prove(&[b"ab", b"c"]);
        assert!(secret.verify(&[b"ab", b"c"], &proof));
        assert!(!secret.verify(&[b"a", b"bc"], &proof));
        assert!(!secret.verify(&[b"abc"], &proof));
        assert!(!Secret([8; LENGTH]).verify(&[b"ab", b"c"], &proof));
        assert!(!secret.verify(&[b"ab", b"c"], &proof[..31]));
    }
}
