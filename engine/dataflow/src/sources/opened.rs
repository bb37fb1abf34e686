//! A file that is read as what is packed in it.

use std::fs::File;
use std::io::{self, BufReader, Read};

use sage_core::unpack::Unpacked;

use super::Patient;

/// An opened file.
pub(super) struct Opened(Unpacked<BufReader<File>>);

/// More would not make a decoder faster, and whoever reads a plain file has a buffer of his own.
const BUFFER: usize = 1 << 15;

impl Opened {
    pub(super) fn new(file: File) -> io::Result<Self> {
        Ok(Opened(Unpacked::new(BufReader::with_capacity(BUFFER, file))?))
    }
}

impl Read for Opened {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Patient for BufReader<Opened> {
    fn would_wait(&self) -> bool {
        false
    }
}
