//! Frames: a big-endian `u32` length, then that many bytes.
//!
//! The reader refuses a length above its limit before it reads on, and grows its buffer only as
//! bytes arrive, so a stranger who announces 16 MiB and sends nothing costs nothing.

use std::io::{self, ErrorKind, Read, Write};

use thiserror::Error;

/// Largest frame before the peer has proved the secret.
pub(crate) const MAX_STRANGER: usize = 4 << 10;
/// Largest frame from a peer that has proved the secret.
pub(crate) const MAX_PEER: usize = 16 << 20;

/// Why a frame did not come through.
#[derive(Debug, Error)]
pub(crate) enum FrameError {
    /// The peer closed the connection between two frames.
    #[error("the connection was closed")]
    Closed,
    /// The peer closed the connection inside a frame.
    #[error("the connection was closed inside a frame")]
    Truncated,
    /// The frame is larger than this side accepts.
    #[error("a frame of {length} bytes is over the limit of {limit}")]
    TooLarge {
        /// Announced length.
        length: usize,
        /// The limit that applies here.
        limit: usize,
    },
    /// The frame came, but it does not hold the message that was due.
    #[error("the frame is not a message of this protocol: {0}")]
    Malformed(serde_json::Error),
    /// Nothing came, or nothing could be sent, before the deadline.
    #[error("the deadline passed")]
    Late,
    /// The peer speaks TLS where none was expected.
    #[error(
        "it speaks TLS and this process does not; both ends of a run need the same --links, and a \
         worker the credentials of the run"
    )]
    Encrypted,
    /// The socket failed.
    #[error("{0}")]
    Io(io::Error),
}

impl From<io::Error> for FrameError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // A socket timeout is reported as either, depending on the platform.
            ErrorKind::TimedOut | ErrorKind::WouldBlock => Self::Late,
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => Self::Closed,
            _ => Self::Io(error),
        }
    }
}

/// Writes one frame.
pub(crate) fn write(out: &mut impl Write, bytes: &[u8], limit: usize) -> Result<(), FrameError> {
    let length = u32::try_from(bytes.len())
        .ok()
        .filter(|_| bytes.len() <= limit)
        .ok_or(FrameError::TooLarge { length: bytes.len(), limit })?;
    // One write for a small frame: with TCP_NODELAY two writes would be two packets.
    if bytes.len() <= MAX_STRANGER {
        let mut frame = Vec::with_capacity(4 + bytes.len());
        frame.extend_from_slice(&length.to_be_bytes());
        frame.extend_from_slice(bytes);
        out.write_all(&frame)?;
    } else {
        out.write_all(&length.to_be_bytes())?;
        out.write_all(bytes)?;
    }
    Ok(())
}

/// Reads one frame of at most `limit` bytes.
pub(crate) fn read(input: &mut impl Read, limit: usize) -> Result<Vec<u8>, FrameError> {
    let mut header = [0; 4];
    let mut filled = 0;
    while filled < header.len() {
        match input.read(&mut header[filled..]) {
            Ok(0) if filled == 0 => return Err(FrameError::Closed),
            Ok(0) => return Err(FrameError::Truncated),
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    // A TLS record: an alert or a handshake, version 3.x.
    if let [0x15 | 0x16, 3, _, high] = header {
        // Read to its end: an answer does not reach a peer whose words are left lying.
        let mut low = [0];
        input.read_exact(&mut low)?;
        let length = u64::from(u16::from_be_bytes([high, low[0]]));
        io::copy(&mut input.take(length), &mut io::sink())?;
        return Err(FrameError::Encrypted);
    }
    let length = u32::from_be_bytes(header) as usize;
    if length > limit {
        return Err(FrameError::TooLarge { length, limit });
    }
    let mut bytes = Vec::new();
    input.take(length as u64).read_to_end(&mut bytes)?;
    if bytes.len() < length {
        return Err(FrameError::Truncated);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..600),
            limit in 0usize..300,
        ) {
            let mut rest = bytes.as_slice();
            while let Ok(frame) = read(&mut rest, limit) {
                prop_assert!(frame.len() <= limit);
            }
        }

        #[test]
        fn what_was_written_is_read(frames in prop::collection::vec(
            prop::collection::vec(any::<u8>(), 0..6000), 0..5,
        )) {
            let mut wire = Vec::new();
            for frame in &frames {
                write(&mut wire, frame, MAX_PEER).unwrap();
            }
            let mut rest = wire.as_slice();
            for frame in &frames {
                prop_assert_eq!(&read(&mut rest, MAX_PEER).unwrap(), frame);
            }
            prop_assert!(matches!(read(&mut rest, MAX_PEER), Err(FrameError::Closed)));
        }

        #[test]
        fn a_cut_frame_is_an_error(
            frame in prop::collection::vec(any::<u8>(), 0..200),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut wire = Vec::new();
            write(&mut wire, &frame, MAX_PEER).unwrap();
            let cut = cut.index(wire.len());
            let error = read(&mut &wire[..cut], MAX_PEER).unwrap_err();
            if cut == 0 {
                prop_assert!(matches!(error, FrameError::Closed));
            } else {
                prop_assert!(matches!(error, FrameError::Truncated));
            }
        }
    }

    #[test]
    fn an_oversize_frame_is_refused_on_both_sides() {
        assert!(matches!(
            write(&mut Vec::new(), &[0; 9], 8),
            Err(FrameError::TooLarge { length: 9, limit: 8 })
        ));
        assert!(matches!(
            read(&mut &b"GET / HTTP/1.1\r\n\r\n"[..], MAX_STRANGER),
            Err(FrameError::TooLarge { .. })
        ));
    }
}
