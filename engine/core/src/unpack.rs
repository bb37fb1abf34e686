//! Bytes that are read as what is packed in them: gzip and Zstandard are known by their first bytes,
//! whatever a file is called.
//!
//! Both formats may consist of several members behind each other, as `cat a.gz b.gz` makes them, and
//! all of them are read. Input that ends in the middle is an error and not its end.

use std::io::{self, BufRead, ErrorKind, Read};

use flate2::bufread::GzDecoder;
use zstd::stream::read::Decoder;

/// An input, unpacked.
pub enum Unpacked<R: BufRead> {
    /// It is not packed.
    Plain(R),
    /// Members of gzip.
    Gzip(Box<Members<R>>),
    /// Frames of Zstandard.
    Zstandard(Box<Decoder<'static, R>>),
}

/// First bytes of a gzip member.
const GZIP: &[u8] = &[0x1f, 0x8b];
/// First bytes of a Zstandard frame.
const ZSTANDARD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// Last three of the first four bytes of a frame that a decoder passes over, as `pzstd` puts it in
/// front; the first one is 0x50 to 0x5f.
const PASSED_OVER: &[u8] = &[0x2a, 0x4d, 0x18];
/// Memory that a Zstandard frame may ask for, as a power of two: that of `zstd --long`.
const LARGEST_WINDOW: u32 = 27;

impl<R: BufRead> Unpacked<R> {
    /// Look at the first bytes, of which the buffer has to hold four, if there are.
    pub fn new(mut input: R) -> io::Result<Self> {
        let start = input.fill_buf()?;
        Ok(if start.starts_with(GZIP) {
            Unpacked::Gzip(Box::new(Members::Inside(GzDecoder::new(input))))
        } else if is_zstandard(start) {
            let mut decoder = Decoder::with_buffer(input)?;
            decoder.window_log_max(LARGEST_WINDOW)?;
            Unpacked::Zstandard(Box::new(decoder))
        } else {
            Unpacked::Plain(input)
        })
    }
}

fn is_zstandard(start: &[u8]) -> bool {
    let passed_over = |(first, rest): (&u8, &[u8])| first & 0xf0 == 0x50 && rest == PASSED_OVER;
    let Some(start) = start.get(..ZSTANDARD.len()) else { return false };
    start == ZSTANDARD || start.split_first().is_some_and(passed_over)
}

impl<R: BufRead> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Unpacked::Plain(input) => input.read(buffer),
            Unpacked::Gzip(members) => members.read(buffer),
            Unpacked::Zstandard(decoder) => decoder.read(buffer),
        }
    }
}

/// Members of gzip, one behind the other. Zeros behind the last one are what tapes and blocks are
/// filled up with; gzip passes over them, too.
pub enum Members<R: BufRead> {
    /// Of one of them.
    Inside(GzDecoder<R>),
    /// Behind the last one.
    Over,
}

impl<R: BufRead> Members<R> {
    /// What follows a member.
    fn behind(mut input: R) -> io::Result<Self> {
        let mut padded = false;
        loop {
            let there = match input.fill_buf() {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                there => there?,
            };
            let zeros = there.iter().take_while(|byte| **byte == 0).count();
            match there.get(zeros) {
                _ if there.is_empty() => return Ok(Members::Over),
                None => {
                    padded = true;
                    input.consume(zeros);
                }
                Some(first) if *first == GZIP[0] && zeros == 0 && !padded => {
                    return Ok(Members::Inside(GzDecoder::new(input)));
                }
                Some(_) => {
                    let what = "behind what is packed there is something that is not";
                    return Err(io::Error::new(ErrorKind::InvalidData, what));
                }
            }
        }
    }
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Members::Inside(decoder) = self {
            let read = decoder.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            if let Members::Inside(ended) = std::mem::replace(self, Members::Over) {
                *self = Members::behind(ended.into_inner())?;
            }
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Write};

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstandard(bytes: &[u8]) -> Vec<u8> {
        zstd::encode_all(bytes, 1).unwrap()
    }

    /// With buffers of several lengths, so that members end anywhere in them.
    fn read(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let read = |length| {
            let mut text = Vec::new();
            let unpacked = Unpacked::new(BufReader::with_capacity(length, bytes));
            unpacked?.read_to_end(&mut text).map(|_| text)
        };
        let whole = read(1 << 16);
        for length in [4, 7, 1000] {
            assert_eq!(read(length).ok(), whole.as_ref().ok().cloned(), "{length}");
        }
        whole
    }

    fn numbers(count: u32) -> Vec<u8> {
        (0..count).flat_map(u32::to_le_bytes).collect()
    }

    #[test]
    fn members_are_read_one_behind_the_other() {
        let text = numbers(20_000);
        let (one, two) = text.split_at(50_001);
        assert_eq!(read(&text).unwrap(), text);
        assert_eq!(read(&[gzip(one), gzip(b""), gzip(two)].concat()).unwrap(), text);
        assert_eq!(read(&[zstandard(one), zstandard(two)].concat()).unwrap(), text);
        // What others put in front or in between is passed over.
        let note = |first| [&[first][..], PASSED_OVER, &[3, 0, 0, 0], b"any"].concat();
        for packed in [
            [note(0x50), zstandard(&text)].concat(),
            [note(0x5f), zstandard(one), note(0x53), zstandard(two)].concat(),
        ] {
            assert_eq!(read(&packed).unwrap(), text);
        }
        for short in [&b""[..], b"\x1f", b"\x28\xb5", b"id\n", b"P*M"] {
            assert_eq!(read(short).unwrap(), short);
        }
    }

    #[test]
    fn zeros_behind_members_are_passed_over_and_nothing_else_is() {
        let text = numbers(1_000);
        assert_eq!(read(&[gzip(&text), vec![0; 10_000]].concat()).unwrap(), text);
        for rest in [&b"rest"[..], b"\0rest", b"\x1f"] {
            read(&[&gzip(&text)[..], rest].concat()).unwrap_err();
        }
        read(&[gzip(&text), vec![0; 10_000], gzip(&text)].concat()).unwrap_err();
    }

    #[test]
    fn input_that_was_cut_is_an_error_and_not_its_end() {
        let text = numbers(10_000);
        for packed in [gzip(&text), zstandard(&text)] {
            for length in [ZSTANDARD.len(), packed.len() / 2, packed.len() - 1] {
                read(&packed[..length]).unwrap_err();
            }
        }
    }
}
