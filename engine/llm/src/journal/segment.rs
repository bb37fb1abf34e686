//! One segment: a file of entries and the part of the index that points into it.
//!
//! The index is kept by segment, so that dropping the oldest segment is dropping one map. A map
//! holds half of each key's hash: 128 bits do not collide by chance, and a lookup compares the
//! whole key with the one in the file. So an entry costs 24 bytes and what the map leaves empty.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;

use super::folder::{self, Held};
use super::frame::{HEAD, Head};
use super::scan::{Walked, walk};
use super::{Key, Stored};

/// What every segment of this version begins with.
pub(super) const HEADER: &[u8; 20] = b"sage-flow answers 1\n";

type Short = [u8; 16];

fn short(key: &Key) -> Short {
    let mut short = [0; 16];
    short.copy_from_slice(&key.as_bytes()[..16]);
    short
}

/// Where an entry stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) offset: u32,
    pub(super) length: u32,
}

/// How a file begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Header {
    /// As it should.
    Whole,
    /// With a part of the header: its writer died while making it.
    Begun,
    /// With something else: damaged, of another version, or no segment.
    Other,
}

/// A segment as this process knows it.
#[derive(Debug)]
pub(super) struct Segment {
    path: PathBuf,
    file: Arc<File>,
    inode: (u64, u64),
    header: Header,
    /// Length of the file when it was last looked at.
    pub(super) length: u64,
    /// Up to where its entries are in the index.
    pub(super) scanned: u64,
    /// Whether all of the file as it was then has been read.
    settled: bool,
    entries: HashMap<Short, Place>,
}

impl Segment {
    /// Open it and look at its header; no entry is read yet.
    pub(super) fn open(folder: &Path, number: u32) -> io::Result<Segment> {
        let path = folder::segment(folder, number);
        let file = File::open(&path)?;
        let metadata = file.metadata()?;
        let mut start = vec![0; metadata.len().min(HEADER.len() as u64) as usize];
        file.read_exact_at(&mut start, 0)?;
        let header = match HEADER.strip_prefix(start.as_slice()) {
            Some([]) => Header::Whole,
            Some(_) => Header::Begun,
            None => Header::Other,
        };
        Ok(Segment {
            path,
            file: Arc::new(file),
            inode: (metadata.dev(), metadata.ino()),
            header,
            length: metadata.len(),
            scanned: HEADER.len() as u64,
            settled: false,
            entries: HashMap::new(),
        })
    }

    /// The file, for reading without a lock on the index.
    pub(super) fn file(&self) -> Arc<File> {
        Arc::clone(&self.file)
    }

    pub(super) fn entries(&self) -> u64 {
        self.entries.len() as u64
    }

    pub(super) fn find(&self, key: &Key) -> Option<Place> {
        self.entries.get(&short(key)).copied()
    }

    pub(super) fn insert(&mut self, key: &Key, place: Place) {
        self.entries.insert(short(key), place);
    }

    /// Forget the entry, if it is still the one at `place`.
    pub(super) fn forget(&mut self, key: &Key, place: Place) {
        if self.find(key) == Some(place) {
            self.entries.remove(&short(key));
        }
    }

    /// Length of the file under its name, when that is still this one.
    fn now(&self) -> Option<u64> {
        let metadata = std::fs::metadata(&self.path).ok()?;
        ((metadata.dev(), metadata.ino()) == self.inode).then_some(metadata.len())
    }

    /// Whether the file under its name is still this one.
    pub(super) fn is_there(&self) -> bool {
        self.now().is_some()
    }

    /// Whether there may be something to read behind `scanned`.
    pub(super) fn has_grown(&self) -> bool {
        !self.settled || self.now().is_some_and(|length| length != self.length)
    }

    /// When it was written last.
    pub(super) fn written(&self) -> SystemTime {
        let metadata = self.file.metadata();
        metadata.and_then(|metadata| metadata.modified()).unwrap_or(SystemTime::UNIX_EPOCH)
    }

    /// Whether another program, or damage, has written its header.
    pub(super) fn is_odd(&self) -> bool {
        self.header == Header::Other
    }

    /// Whether it was written by a journal, so that a journal may drop it.
    pub(super) fn is_ours(&self) -> bool {
        self.header != Header::Other || !self.entries.is_empty()
    }

    /// Read at most about `budget` bytes of what was appended since.
    pub(super) fn catch_up(&mut self, budget: u64) -> io::Result<Walked> {
        self.length = self.file.metadata()?.len();
        let end = self.length.min(u64::from(u32::MAX));
        let from = self.scanned.min(end);
        let mut found = Vec::new();
        let walked = walk(&self.file, from, end, budget, |head, _, offset, length| {
            found.push((head.key, Place { offset: offset as u32, length }));
        });
        // What was read before a bad sector is good.
        for (key, place) in found {
            self.insert(&key, place);
        }
        let walked = walked?;
        self.settled = walked.next - from < budget;
        self.scanned = self.scanned.max(walked.next);
        Ok(walked)
    }

    /// Take the segment's lock for writing, unless another process has it or it cannot be
    /// appended to. Then everything is read that others appended, and a torn tail is cut; gives
    /// the file and how many damaged places there were.
    pub(super) fn take(&mut self) -> io::Result<Option<(Held, u64)>> {
        if self.header == Header::Other {
            return Ok(None);
        }
        let Some(held) = self.lock()? else { return Ok(None) };
        let file = held.file();
        if self.header == Header::Begun {
            file.write_all_at(HEADER, 0)?;
            self.header = Header::Whole;
        }
        let walked = self.catch_up(u64::MAX)?;
        let torn = self.length > self.scanned;
        if torn {
            file.set_len(self.scanned)?;
            self.length = self.scanned;
        }
        Ok(Some((held, walked.damaged + u64::from(torn))))
    }

    /// Remove the file, unless another process writes it or no journal has written it.
    pub(super) fn remove(&self) -> io::Result<bool> {
        if !self.is_ours() {
            return Ok(false);
        }
        match self.lock() {
            Ok(Some(_held)) => std::fs::remove_file(&self.path).map(|()| true),
            Ok(None) => Ok(!self.is_there()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// The file with its lock; nothing when another process has it, or it is gone.
    fn lock(&self) -> io::Result<Option<Held>> {
        let held = Held::take(folder::private().open(&self.path)?, true)?;
        Ok(held.filter(|_| self.is_there()))
    }
}

/// Read the entry at `place`: the answer when it is whole and that of `key`.
pub(super) fn read(file: &File, place: Place, key: &Key) -> Option<Stored> {
    let mut bytes = vec![0; place.length as usize];
    let offset = u64::from(place.offset);
    file.read_exact_at(&mut bytes, offset).ok()?;
    let head = Head::read(&bytes, offset).filter(|head| head.key == *key)?;
    head.stored(&Bytes::from(bytes).slice(HEAD..))
}
