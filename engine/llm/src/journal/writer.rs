//! The thread that writes: all entries that wait go out together and share one sync.
//!
//! After a failure the segment is left alone for good: after a failed sync nobody knows which
//! pages are on the disk (Rebello et al., "Can applications recover from fsync failures?",
//! USENIX ATC 2020), so its new bytes are cut off and the next batch begins another segment.

use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::{mpsc, oneshot};

use super::folder::{self, Held};
use super::handle::{REFRESH_BYTES, Shared};
use super::segment::{HEADER, Place, Segment};
use super::{JournalError, Key, Kind, Stored, frame};

/// Most entries of one batch.
const BATCH: usize = 1024;
/// Bytes after which a batch takes no more entries.
const BATCH_BYTES: u64 = 8 << 20;
/// Numbers that are tried for a new segment while other processes look at it.
const TRIES: usize = 16;

pub(super) type Answer = oneshot::Sender<Result<(), JournalError>>;

/// Shortest time between two syncs. Each costs the disk and two wake-ups, whatever is in it, and
/// nothing beside the time that an answer takes.
const PAUSE: Duration = Duration::from_millis(2);

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
    held: Held,
    length: u64,
}

pub(super) struct Writer {
    pub(super) shared: Arc<Shared>,
    /// Size at which a segment is full.
    segment_bytes: u64,
    active: Option<Active>,
    /// The newest segment that failed; only newer ones are written.
    spoilt: u32,
    buffer: Vec<u8>,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, segment_bytes: u64) -> Writer {
        Writer { shared, segment_bytes, active: None, spoilt: 0, buffer: Vec::new() }
    }

    /// Serve until every sender is gone.
    pub(super) fn run(&mut self, mut messages: mpsc::Receiver<Message>) {
        let mut synced: Option<Instant> = None;
        while let Some(first) = messages.blocking_recv() {
            // A lone entry is written at once; under load those of a moment share a sync.
            let rest = synced.and_then(|synced| PAUSE.checked_sub(synced.elapsed()));
            if let Some(rest) = rest {
                std::thread::sleep(rest);
            }
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
            self.shared.busy();
            self.commit(entries);
            self.shared.idle();
            synced = Some(Instant::now());
            for answer in flushes {
                let _ = answer.send(Ok(()));
            }
        }
    }

    /// Write the entries, segment by segment, and answer each.
    fn commit(&mut self, entries: Vec<(Key, Stored, Answer)>) {
        let mut entries = entries.into_iter().peekable();
        while let Some((_, stored, _)) = entries.peek() {
            let first = frame::size(stored);
            let mut answers = Vec::new();
            let done = self.ready(first).and_then(|()| {
                let active = self.active.as_ref().map_or(0, |active| active.length);
                let mut places = Vec::new();
                self.buffer.clear();
                let now = SystemTime::now().duration_since(UNIX_EPOCH);
                let now = now.map_or(0, |elapsed| elapsed.as_secs());
                // The first one always fits: `ready` has made room for it.
                while let Some((key, stored, answer)) = entries.next_if(|(_, stored, _)| {
                    let end = active + self.buffer.len() as u64 + frame::size(stored);
                    places.is_empty() || end <= self.segment_bytes
                }) {
                    let offset = active + self.buffer.len() as u64;
                    frame::write(&mut self.buffer, offset, now, &key, &stored);
                    let length = frame::size(&stored) as u32;
                    places.push((key, Place { offset: offset as u32, length }));
                    answers.push(answer);
                }
                self.append(&places)
            });
            if done.is_err() {
                self.abandon();
                // One failure a batch: the rest would meet the same disk.
                answers.extend(entries.by_ref().map(|(_, _, answer)| answer));
            }
            let count = if done.is_ok() { &self.shared.appended } else { &self.shared.failed };
            count.fetch_add(answers.len() as u64, Relaxed);
            for answer in answers {
                let _ = answer.send(done.clone());
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
        if self.active.as_ref().is_some_and(full) {
            self.leave();
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
                return Some(Active { number, held, length });
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
                    return Ok(Active { number, held, length: HEADER.len() as u64 });
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

    /// Write the buffer, sync, and let lookups find the entries.
    fn append(&mut self, places: &[(Key, Place)]) -> Result<(), JournalError> {
        let Some(active) = &mut self.active else { return Ok(()) };
        let (shared, more) = (&self.shared, self.buffer.len() as u64);
        shared.write().shrink(more, shared.max_bytes);
        let name = || folder::segment(&shared.path, active.number);
        active
            .held
            .file()
            .write_all_at(&self.buffer, active.length)
            .map_err(|error| JournalError::io("write", &name(), &error))?;
        active
            .held
            .file()
            .sync_data()
            .map_err(|error| JournalError::io("sync", &name(), &error))?;
        active.length += more;
        let mut index = shared.write();
        if let Some(segment) = index.get(active.number) {
            (segment.length, segment.scanned) = (active.length, active.length);
            for (key, place) in places {
                segment.insert(key, *place);
            }
        }
        drop(index);
        self.buffer.clear();
        self.buffer.shrink_to(BATCH_BYTES as usize);
        Ok(())
    }

    /// Let go of the segment: anyone may drop it now.
    fn leave(&mut self) {
        self.active = None;
        self.shared.write().active = None;
    }

    /// Give up on the segment after a failure: cut what was not confirmed, remove it when empty.
    fn abandon(&mut self) {
        let Some(active) = self.active.take() else { return };
        self.spoilt = active.number;
        let _ = active.held.file().set_len(active.length);
        drop(active.held);
        let mut index = self.shared.write();
        index.active = None;
        if active.length == HEADER.len() as u64 {
            index.remove(active.number);
        }
    }
}
