//! What is where: the segments of the folder as this process knows them.
//!
//! Numbers grow with time, so the newest segment answers first and the oldest goes first.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::segment::{Place, Segment};
use super::sync::Written;
use super::{JournalError, Key, Kind, folder};

#[derive(Debug)]
pub(super) struct Index {
    folder: PathBuf,
    kind: Kind,
    segments: BTreeMap<u32, Segment>,
    /// Segments that could not be opened, each counted as damaged once.
    unreadable: BTreeSet<u32>,
    /// The segment this process writes; the writer keeps it up to date itself.
    pub(super) active: Option<u32>,
    pub(super) damaged: u64,
    pub(super) dropped: u64,
}

impl Index {
    /// Read all entries of the folder; tails that nobody writes any more are cut.
    pub(super) fn open(path: &Path, kind: Kind) -> Result<Index, JournalError> {
        let mut index = Index {
            folder: path.to_owned(),
            kind,
            segments: BTreeMap::new(),
            unreadable: BTreeSet::new(),
            active: None,
            damaged: 0,
            dropped: 0,
        };
        let numbers = folder::list(path)
            .map_err(|error| JournalError::io("read the folder", path, &error))?;
        for number in numbers {
            index.add(number, u64::MAX);
        }
        Ok(index)
    }

    /// Take up a segment; one that cannot be read is left out and counted.
    fn add(&mut self, number: u32, budget: u64) {
        let mut segment = match Segment::open(&self.folder, number) {
            Ok(segment) => segment,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(_) => {
                self.damaged += u64::from(self.unreadable.insert(number));
                return;
            }
        };
        self.damaged += u64::from(segment.is_odd());
        match segment.catch_up(budget) {
            Ok(walked) => self.damaged += walked.damaged,
            Err(_) => self.damaged += 1,
        }
        if budget == u64::MAX
            && segment.length > segment.scanned
            && let Ok(Some((_held, damaged))) = segment.take()
        {
            self.damaged += damaged;
        }
        self.segments.insert(number, segment);
    }

    /// Look at the folder again: what other processes appended, added and removed. Reads about
    /// `budget` bytes of each segment.
    pub(super) fn refresh(&mut self, budget: u64) {
        let Ok(numbers) = folder::list(&self.folder) else { return };
        self.lose_missing();
        for number in numbers {
            match self.segments.get_mut(&number) {
                None => self.add(number, budget),
                Some(segment) if self.active != Some(number) && segment.has_grown() => {
                    self.damaged += segment.catch_up(budget).map_or(1, |walked| walked.damaged);
                }
                Some(_) => {}
            }
        }
    }

    fn lose_missing(&mut self) {
        let (active, dropped) = (self.active, &mut self.dropped);
        self.segments.retain(|number, segment| {
            let keep = active == Some(*number) || segment.is_there();
            *dropped += if keep { 0 } else { segment.entries() };
            keep
        });
    }

    /// The newest place of the key, and its segment.
    pub(super) fn find(&self, key: &Key) -> Option<(u32, Arc<File>, Place)> {
        self.segments
            .iter()
            .rev()
            .find_map(|(number, segment)| Some((*number, segment.file(), segment.find(key)?)))
    }

    /// An entry turned out to be damaged.
    pub(super) fn forget(&mut self, number: u32, key: &Key, place: Place) {
        if let Some(segment) = self.segments.get_mut(&number) {
            segment.forget(key, place);
            self.damaged += 1;
        }
    }

    pub(super) fn get(&mut self, number: u32) -> Option<&mut Segment> {
        self.segments.get_mut(&number)
    }

    /// The disk has these entries of the segment, and all before `end`.
    pub(super) fn confirm(&mut self, number: u32, end: u64, entries: &[Written]) {
        if let Some(segment) = self.segments.get_mut(&number) {
            segment.scanned = segment.scanned.max(end);
            entries.iter().for_each(|entry| segment.insert(&entry.key, entry.place));
        }
    }

    pub(super) fn put(&mut self, number: u32, segment: Segment) {
        self.segments.insert(number, segment);
    }

    /// Numbers of the segments, the oldest first.
    pub(super) fn numbers(&self) -> Vec<u32> {
        self.segments.keys().copied().collect()
    }

    pub(super) fn entries(&self) -> u64 {
        self.segments.values().map(Segment::entries).sum()
    }

    /// Bytes of the segments that a journal has written.
    pub(super) fn bytes(&self) -> u64 {
        self.segments.values().filter(|segment| segment.is_ours()).map(|one| one.length).sum()
    }

    /// Drop the oldest segments until `more` bytes fit into `most`, as far as other processes
    /// let go of them.
    pub(super) fn shrink(&mut self, more: u64, most: u64) {
        if self.bytes() + more <= most {
            return;
        }
        let mut numbers = self.numbers();
        if self.kind == Kind::Content {
            // An old segment that was adopted has new answers; the sort keeps equals in order.
            numbers.sort_by_cached_key(|number| self.segments.get(number).map(Segment::written));
        }
        for number in numbers {
            if self.bytes() + more <= most {
                return;
            }
            if self.active != Some(number) {
                self.remove(number);
            }
        }
    }

    /// Remove a segment, unless another process writes it.
    pub(super) fn remove(&mut self, number: u32) {
        if let Some(segment) = self.segments.get(&number)
            && segment.remove().unwrap_or(false)
        {
            self.dropped += segment.entries();
            self.segments.remove(&number);
        }
    }
}
