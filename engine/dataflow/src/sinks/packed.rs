//! Final files that are packed as their name says: `.gz` with gzip, `.zst` with Zstandard.
//!
//! Part files are not packed. They are cut back to what was committed when a run goes on, and a
//! packed file cannot be cut anywhere; so packing is a matter of the moment at which parts are
//! joined.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use zstd::stream::write::Encoder;

/// A final file that is being written.
pub(super) enum Packed {
    Plain(BufWriter<File>),
    Gzip(GzEncoder<BufWriter<File>>),
    Zstandard(Encoder<'static, BufWriter<File>>),
}

/// How a file of this name, in letters of any size, is packed: `gz`, `zst`.
fn packing(name: &str) -> Option<&'static str> {
    let ending = Path::new(name).extension()?;
    ["gz", "zst"].into_iter().find(|packed| ending.eq_ignore_ascii_case(packed))
}

/// Whether a file of this name is packed.
pub(super) fn is_packed(name: &str) -> bool {
    packing(name).is_some()
}

impl Packed {
    /// Write to `file`, which will be called `name`.
    pub(super) fn new(name: &str, file: File) -> io::Result<Self> {
        let file = BufWriter::with_capacity(1 << 16, file);
        Ok(match packing(name) {
            // Without a time in its header: the same rows are the same file.
            Some("gz") => Packed::Gzip(GzEncoder::new(file, Compression::default())),
            Some(_) => {
                let mut encoder = Encoder::new(file, zstd::DEFAULT_COMPRESSION_LEVEL)?;
                encoder.include_checksum(true)?;
                Packed::Zstandard(encoder)
            }
            None => Packed::Plain(file),
        })
    }

    /// Write what is left, and bring the file to the disk.
    pub(super) fn finish(self) -> io::Result<()> {
        let file = match self {
            Packed::Plain(file) => file,
            Packed::Gzip(encoder) => encoder.finish()?,
            Packed::Zstandard(encoder) => encoder.finish()?,
        };
        file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
    }
}

impl Write for Packed {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Packed::Plain(file) => file.write(buffer),
            Packed::Gzip(encoder) => encoder.write(buffer),
            Packed::Zstandard(encoder) => encoder.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Packed::Plain(file) => file.flush(),
            Packed::Gzip(encoder) => encoder.flush(),
            Packed::Zstandard(encoder) => encoder.flush(),
        }
    }
}
