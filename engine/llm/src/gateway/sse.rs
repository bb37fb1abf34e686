//! Server-sent events, cut out of a stream of bytes.
//!
//! Events arrive in pieces that know nothing of their borders. [`Events`] keeps the unfinished one,
//! up to a bound, and hands out whole ones with their separator, so that what is passed on is what
//! came.

use bytes::{Buf, Bytes, BytesMut};

/// Longest event. One of a token is some hundred bytes; a whole answer may come as one.
const MAX_EVENT: usize = 16 << 20;

/// The data of the event that ends a stream.
pub(crate) const DONE: &[u8] = b"[DONE]";

/// An event is longer than is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLong;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Events {
    bytes: BytesMut,
    /// No event ends before this place.
    scanned: usize,
}

impl Events {
    /// More of the stream has come.
    pub(crate) fn push(&mut self, data: &[u8]) -> Result<(), TooLong> {
        if self.bytes.len() + data.len() > MAX_EVENT {
            return Err(TooLong);
        }
        self.bytes.extend_from_slice(data);
        Ok(())
    }

    /// The next whole event, with the empty line that ends it.
    pub(crate) fn next(&mut self) -> Option<Bytes> {
        let mut at = self.scanned;
        while let Some(found) = self.bytes[at..].iter().position(|&byte| byte == b'\n') {
            let line_end = at + found + 1;
            let rest = &self.bytes[line_end..];
            let blank = match rest {
                [b'\n', ..] => 1,
                [b'\r', b'\n', ..] => 2,
                // Not known yet: look at this line end again.
                [] | [b'\r'] => {
                    self.scanned = line_end - 1;
                    return None;
                }
                _ => 0,
            };
            if blank > 0 {
                self.scanned = 0;
                return Some(self.bytes.split_to(line_end + blank).freeze());
            }
            at = line_end;
        }
        self.scanned = at;
        None
    }

    /// What has come after the last whole event.
    pub(crate) fn rest(&mut self) -> Bytes {
        self.scanned = 0;
        let length = self.bytes.remaining();
        self.bytes.split_to(length).freeze()
    }
}

/// The data of an event; `None` for comments and for events without any. The API's events have one
/// line of data each.
pub(crate) fn data(event: &[u8]) -> Option<&[u8]> {
    event
        .split(|&byte| byte == b'\n')
        .find_map(|line| line.strip_prefix(b"data:"))
        .map(<[u8]>::trim_ascii)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(pieces: &[&[u8]]) -> (Vec<Bytes>, Bytes) {
        let mut events = Events::default();
        let mut found = Vec::new();
        for piece in pieces {
            events.push(piece).unwrap();
            found.extend(std::iter::from_fn(|| events.next()));
        }
        (found, events.rest())
    }

    proptest! {
        #[test]
        fn the_borders_of_pieces_do_not_matter(
            cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..6),
        ) {
            let stream = b"data: {\"a\":1}\n\n: ping\r\n\r\ndata:2\n\ndata: [DONE]\n\ntail";
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len())).collect();
            cuts.extend([0, stream.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &stream[cut[0]..cut[1]]).collect();
            let (found, rest) = all(&pieces);
            let data: Vec<_> = found.iter().map(|event| super::data(event)).collect();
            let expected: [Option<&[u8]>; 4] = [Some(b"{\"a\":1}"), None, Some(b"2"), Some(DONE)];
            prop_assert_eq!(data, expected);
            prop_assert_eq!(&rest[..], b"tail");
            let whole: Vec<u8> = found.iter().flat_map(|event| event.to_vec()).collect();
            prop_assert_eq!(&whole[..], &stream[..stream.len() - 4]);
        }
    }

    #[test]
    fn an_endless_event_is_refused() {
        let mut events = Events::default();
        assert_eq!(events.push(&vec![b'a'; MAX_EVENT]), Ok(()));
        assert_eq!(events.push(b"a"), Err(TooLong));
    }
}
