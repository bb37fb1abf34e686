//! The thread that writes: each entry as soon as it comes, those that wait in one go.
//!
//! The file is written here and synced by another thread ([`super::sync`]).
//! After a failure the segment is left alone for good: after a failed sync nobody knows which
//! pages are on the disk (Rebello et al., "Can applications recover from fsync failures?",
//! USENIX ATC 2020), so its new bytes are cut off and the next batch begins another segment.

use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::{mpsc, oneshot};

use super::folder::{self, Held};
use super::handle::{REFRESH_BYTES, Shared, Step};
use super::segment::{HEADER, Place, Segment};
use super::sync::{Pending, Written};
use super::{JournalError, Key, Kind, Stored, frame};

/// Most entries of one batch.
pub(super) const BATCH: usize = 1024;
/// Bytes after which a batch takes no more entries.
pub(super) const BATCH_BYTES: u64 = 8 << 20;
/// Numbers that are tried for a new segment while other processes look at it.
const TRIES: usize = 16;

pub(super) type Answer = oneshot::Sender<Result<(), JournalError>>;

/// What the thread is asked.
pub(super) enum Message {
    /// Make this durable.
    Entry(Key, Stored, Answer),
    /// Answer when all that was asked before has been answered.
    Flush(Answer),
}

/// The segment this process appends to.
struct Active {
    number: u32,
    held: Arc<Held>,
    /// Up to where it is written.
    length: u64,
}

pub(super) struct Writer {
    pub(super) shared: Arc<Shared>,
    pending: Arc<Pending>,
    /// Size at which a segment is full.
    segment_bytes: u64,
    active: Option<Active>,
    /// The newest segment that failed; only newer ones are written.
    spoilt: u32,
    buffer: Vec<u8>,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, pending: Arc<Pending>, segment_bytes: u64) -> Writer {
        Writer { shared, pending, segment_bytes, active: None, spoilt: 0, buffer: Vec::new() }
    }

    /// Serve until every sender is gone, and all is on the disk.
    pub(super) fn run(&mut self, mut messages: mpsc::Receiver<Message>) {
        while let Some(first) = messages.blocking_recv() {
            let (mut entries, mut flushes, mut bytes) = (Vec::new(), Vec::new(), 0);
            let mut next = Some(first);
            while let Some(message) = next {
                match message {
                    Message::Entry(key, stored, answer) => {
                        bytes += frame::size(&stored);
                        entries.push((key, stored, answer));
                    }
                    Message::Flush(answer) => flushes.push(answer),
                }
                let more = entries.len() + flushes.len() < BATCH && bytes < BATCH_BYTES;
                next = more.then(|| messages.try_recv().ok()).flatten();
            }
            self.shared.begin(Step::Write);
            self.commit(entries);
            self.shared.end(Step::Write);
            flushes.into_iter().for_each(|answer| self.pending.flush(answer));
        }
        self.leave(false);
    }

    /// Write the entries, segment by segment. They are answered when they are on the disk, or at
    /// once if they cannot be written.
    fn commit(&mut self, entries: Vec<(Key, Stored, Answer)>) {
        let mut entries = entries.into_iter().peekable();
        while let Some((_, stored, _)) = entries.peek() {
            let first = frame::size(stored);
            let mut written = Vec::new();
            let done = self.ready(first).and_then(|()| {
                let active = self.active.as_ref().map_or(0, |active| active.length);
                self.buffer.clear();
                let now = SystemTime::now().duration_since(UNIX_EPOCH);
                let now = now.map_or(0, |elapsed| elapsed.as_secs());
                // The first one always fits: `ready` has made room for it.
                while let Some((key, stored, answer)) = entries.next_if(|(_, stored, _)| {
                    let end = active + self.buffer.len() as u64 + frame::size(stored);
                    written.is_empty() || end <= self.segment_bytes
                }) {
                    let offset = active + self.buffer.len() as u64;
                    frame::write(&mut self.buffer, offset, now, &key, &stored);
                    let length = frame::size(&stored) as u32;
                    let place = Place { offset: offset as u32, length };
                    written.push(Written { key, place, answer });
                }
                self.append()
            });
            match done {
                Ok(length) => self.pending.push(written, length),
                Err(error) => {
                    self.leave(true);
                    // One failure a batch: the rest would meet the same disk.
                    let written = written.into_iter().map(|entry| entry.answer);
                    let rest = entries.by_ref().map(|(_, _, answer)| answer);
                    let answers: Vec<Answer> = written.chain(rest).collect();
                    self.shared.failed.fetch_add(answers.len() as u64, Relaxed);
                    for answer in answers {
                        let _ = answer.send(Err(error.clone()));
                    }
                }
            }
        }
    }

    /// Have a segment with room for `first` bytes, and room for them in the folder.
    fn ready(&mut self, first: u64) -> Result<(), JournalError> {
        let full = |active: &Active| {
            let used = active.length > HEADER.len() as u64;
            let gone = active.held.file().metadata().is_ok_and(|metadata| metadata.nlink() == 0);
            gone || used && active.length + first > self.segment_bytes
        };
        if self.active.as_ref().is_some_and(full) || self.pending.has_failed() {
            self.leave(false);
        }
        if self.active.is_none() {
            if self.shared.kind == Kind::Content {
                // The bound is on what all processes wrote.
                self.shared.write().refresh(REFRESH_BYTES);
            }
            let active = match self.adopt(first) {
                Some(active) => active,
                None => self.create()?,
            };
            self.shared.write().active = Some(active.number);
            self.pending.open(active.number, Arc::clone(&active.held), active.length);
            self.active = Some(active);
        }
        Ok(())
    }

    /// Go on with a segment that nobody writes and that is not half full, so that many short runs
    /// leave few files. In a run's journal that is the newest or none: the later of two answers
    /// under one key stands in the later segment.
    fn adopt(&self, first: u64) -> Option<Active> {
        let mut index = self.shared.write();
        let numbers = index.numbers().into_iter().rev();
        let most = if self.shared.kind == Kind::Run { 1 } else { usize::MAX };
        for number in numbers.take(most).take_while(|number| *number > self.spoilt) {
            let segment = index.get(number)?;
            if segment.length > self.segment_bytes / 2
                || segment.length + first > self.segment_bytes
            {
                continue;
            }
            if let Ok(Some((held, damaged))) = segment.take() {
                let length = segment.length;
                index.damaged += damaged;
                return Some(Active { number, held: Arc::new(held), length });
            }
        }
        None
    }

    fn create(&self) -> Result<Active, JournalError> {
        let path = &self.shared.path;
        let numbers = folder::list(path)
            .map_err(|error| JournalError::io("read the folder", path, &error))?;
        let mut number = numbers.last().copied().unwrap_or(0);
        for _ in 0..TRIES {
            number = number.saturating_add(1);
            let name = folder::segment(path, number);
            let failed = |what| {
                move |error: io::Error| {
                    JournalError::io(what, &folder::segment(path, number), &error)
                }
            };
            let file = match folder::private().create_new(true).open(&name) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(failed("create")(error)),
            };
            // Whoever looks at it in this moment holds its lock; then the next number will do.
            let Some(held) = Held::take(file, true).map_err(failed("lock"))? else { continue };
            let file = held.file();
            let made = file.write_all_at(HEADER, 0).map_err(failed("write")).and_then(|()| {
                folder::sync(path).map_err(failed("sync"))?;
                Segment::open(path, number).map_err(failed("read"))
            });
            match made {
                Ok(segment) if segment.is_there() => {
                    self.shared.write().put(number, segment);
                    let (held, length) = (Arc::new(held), HEADER.len() as u64);
                    return Ok(Active { number, held, length });
                }
                Ok(_) => {}
                Err(error) => {
                    let _ = std::fs::remove_file(&name);
                    return Err(error);
                }
            }
        }
        let taken = io::Error::from(io::ErrorKind::AlreadyExists);
        Err(JournalError::io("create a segment in", path, &taken))
    }

    /// Write the buffer; how long the segment is now.
    fn append(&mut self) -> Result<u64, JournalError> {
        let Some(active) = &mut self.active else { return Ok(0) };
        let (shared, more) = (&self.shared, self.buffer.len() as u64);
        shared.write().shrink(more, shared.max_bytes);
        active.held.file().write_all_at(&self.buffer, active.length).map_err(|error| {
            JournalError::io("write", &folder::segment(&shared.path, active.number), &error)
        })?;
        active.length += more;
        if let Some(segment) = shared.write().get(active.number) {
            segment.length = active.length;
        }
        self.buffer.clear();
        self.buffer.shrink_to(BATCH_BYTES as usize);
        Ok(active.length)
    }

    /// Let go of the segment when all of it is answered: anyone may drop it now. After a failure
    /// what was not confirmed is cut off, and it is removed when nothing is left.
    fn leave(&mut self, failed: bool) {
        let left = self.pending.leave();
        let (Some(active), Some((confirmed, unsynced))) = (self.active.take(), left) else {
            return;
        };
        let mut index = self.shared.write();
        index.active = None;
        if !failed && !unsynced {
            return;
        }
        self.spoilt = active.number;
        let _ = active.held.file().set_len(confirmed);
        // With its lock it could not be removed.
        drop(active.held);
        if let Some(segment) = index.get(active.number) {
            segment.length = confirmed;
        }
        if confirmed == HEADER.len() as u64 {
            index.remove(active.number);
        }
    }
}
