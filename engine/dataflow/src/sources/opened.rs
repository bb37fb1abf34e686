//! A file that is read as what is packed in it: gzip and Zstandard are known by their first bytes,
//! whatever the file is called.
//!
//! Both formats may consist of several members behind each other, as `cat a.gz b.gz` makes them, and
//! all of them are read. A file that ends in the middle is an error and not its end.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek};

use flate2::read::MultiGzDecoder;
use zstd::stream::read::Decoder;

use super::Patient;

/// An opened file.
pub(super) enum Opened {
    Plain(File),
    Gzip(Box<MultiGzDecoder<File>>),
    Zstandard(Box<Decoder<'static, BufReader<File>>>),
}

/// First bytes of a gzip member.
const GZIP: &[u8] = &[0x1f, 0x8b];
/// First bytes of a Zstandard frame.
const ZSTANDARD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// Last three of the four first bytes of a frame that a decoder passes over, as `pzstd` puts it in
/// front; the first byte is 0x50 to 0x5f.
const SKIPPED: &[u8] = &[0x2a, 0x4d, 0x18];
/// Memory that a Zstandard frame may ask for, as a power of two: that of `zstd --long`.
const LARGEST_WINDOW: u32 = 27;

impl Opened {
    pub(super) fn new(mut file: File) -> io::Result<Self> {
        // What cannot be read twice, such as a named pipe, is read as it is.
        if !file.metadata()?.is_file() {
            return Ok(Opened::Plain(file));
        }
        let mut start = Vec::with_capacity(ZSTANDARD.len());
        (&mut file).take(ZSTANDARD.len() as u64).read_to_end(&mut start)?;
        file.rewind()?;
        Ok(if start.starts_with(GZIP) {
            Opened::Gzip(Box::new(MultiGzDecoder::new(file)))
        } else if is_zstandard(&start) {
            let mut decoder = Decoder::new(file)?;
            decoder.window_log_max(LARGEST_WINDOW)?;
            Opened::Zstandard(Box::new(decoder))
        } else {
            Opened::Plain(file)
        })
    }
}

fn is_zstandard(start: &[u8]) -> bool {
    let skipped = |(first, rest): (&u8, &[u8])| first & 0xf0 == 0x50 && rest == SKIPPED;
    start == ZSTANDARD || start.split_first().is_some_and(skipped)
}

impl Read for Opened {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Opened::Plain(file) => file.read(buffer),
            Opened::Gzip(decoder) => decoder.read(buffer),
            Opened::Zstandard(decoder) => decoder.read(buffer),
        }
    }
}

impl Patient for BufReader<Opened> {
    fn would_wait(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn read(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.rewind().unwrap();
        let mut text = Vec::new();
        Opened::new(file)?.read_to_end(&mut text).map(|_| text)
    }

    #[test]
    fn members_are_read_one_behind_the_other() {
        let text: Vec<u8> = (0..100_000u32).flat_map(u32::to_le_bytes).collect();
        let (one, two) = text.split_at(70_001);
        let zstandard = |bytes| zstd::encode_all(bytes, 1).unwrap();
        assert_eq!(read(&text).unwrap(), text);
        assert_eq!(read(&[gzip(one), gzip(two)].concat()).unwrap(), text);
        assert_eq!(read(&[zstandard(one), zstandard(two)].concat()).unwrap(), text);
        // What others put in between, or in front, is passed over.
        let note = |first| [&[first][..], SKIPPED, &[3, 0, 0, 0], b"any"].concat();
        for packed in [
            [note(0x50), zstandard(&text)].concat(),
            [note(0x5f), zstandard(one), note(0x53), zstandard(two)].concat(),
        ] {
            assert_eq!(read(&packed).unwrap(), text);
        }
        for short in [&b""[..], b"\x1f", b"\x28\xb5", b"id\n"] {
            assert_eq!(read(short).unwrap(), short);
        }
    }

    #[test]
    fn a_file_that_was_cut_is_an_error_and_not_its_end() {
        let text: Vec<u8> = (0..10_000u32).flat_map(u32::to_le_bytes).collect();
        for packed in [gzip(&text), zstd::encode_all(&text[..], 1).unwrap()] {
            for length in [ZSTANDARD.len(), packed.len() / 2, packed.len() - 1] {
                read(&packed[..length]).unwrap_err();
            }
        }
    }
}
