//! The thread that syncs: whatever was written since the last sync shares the next one.
//!
//! Writing and syncing are two steps, because they guard against two things: what was written
//! outlives this process, what was synced outlives the machine. An answer is written as soon as it
//! comes, also while an earlier sync is under way, so a process that is killed loses none that its
//! thread had taken. It is found, and handed out, only when the disk has it.

use std::mem;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::folder::{self, Held};
use super::handle::{Shared, Step};
use super::segment::Place;
use super::writer::{Answer, BATCH, BATCH_BYTES};
use super::{JournalError, Key};

/// Shortest time between two syncs. Each costs the disk and two wake-ups, whatever is in it, and
/// nothing beside the time that an answer takes.
const PAUSE: Duration = Duration::from_millis(2);

/// An entry that stands in the file.
pub(super) struct Written {
    pub(super) key: Key,
    pub(super) place: Place,
    pub(super) answer: Answer,
}

/// The segment that is written at present.
struct Open {
    number: u32,
    held: Arc<Held>,
    /// Up to where it has been written.
    written: u64,
    /// Up to where the disk has it.
    confirmed: u64,
    /// Why no more of it will be confirmed.
    failed: Option<JournalError>,
}

/// What one sync confirms.
struct Batch {
    number: u32,
    held: Option<Arc<Held>>,
    written: u64,
    failed: Option<JournalError>,
    entries: Vec<Written>,
    flushes: Vec<Answer>,
}

#[derive(Default)]
struct State {
    open: Option<Open>,
    entries: Vec<Written>,
    flushes: Vec<Answer>,
    /// Bytes of the entries.
    bytes: u64,
    /// A sync is under way.
    syncing: bool,
    /// The writer has left.
    closed: bool,
}

impl State {
    fn idle(&self) -> bool {
        self.entries.is_empty() && self.flushes.is_empty()
    }
}

/// What stands in the file and is not confirmed yet, between the two threads.
#[derive(Default)]
pub(super) struct Pending {
    state: Mutex<State>,
    changed: Condvar,
}

impl Pending {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_while(&self, busy: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        let waited = self.changed.wait_while(self.lock(), |state| busy(state));
        waited.unwrap_or_else(PoisonError::into_inner)
    }

    /// This segment is written from now on, behind `length`. The one before has been left.
    pub(super) fn open(&self, number: u32, held: Arc<Held>, length: u64) {
        let open = Open { number, held, written: length, confirmed: length, failed: None };
        self.lock().open = Some(open);
    }

    /// These entries stand in the segment, whose length is `written` now. Waits for room.
    pub(super) fn push(&self, entries: Vec<Written>, written: u64) {
        let full = |state: &State| state.entries.len() >= BATCH || state.bytes >= BATCH_BYTES;
        let mut state = self.wait_while(full);
        state.bytes += entries.iter().map(|entry| u64::from(entry.place.length)).sum::<u64>();
        state.entries.extend(entries);
        if let Some(open) = &mut state.open {
            open.written = written;
        }
        self.changed.notify_all();
    }

    /// Answer when all that was pushed before has been answered.
    pub(super) fn flush(&self, answer: Answer) {
        self.lock().flushes.push(answer);
        self.changed.notify_all();
    }

    /// Whether a sync of the segment has failed.
    pub(super) fn has_failed(&self) -> bool {
        self.lock().open.as_ref().is_some_and(|open| open.failed.is_some())
    }

    /// Wait until all has been answered, and let go of the segment: up to where it was confirmed,
    /// and whether a sync has failed.
    pub(super) fn leave(&self) -> Option<(u64, bool)> {
        let mut state = self.wait_while(|state| !state.idle() || state.syncing);
        state.open.take().map(|open| (open.confirmed, open.failed.is_some()))
    }

    fn take(&self) -> Batch {
        let mut state = self.lock();
        state.syncing = true;
        state.bytes = 0;
        let (entries, flushes) = (mem::take(&mut state.entries), mem::take(&mut state.flushes));
        let open = state.open.as_ref();
        let batch = Batch {
            number: open.map_or(0, |open| open.number),
            // Without entries there is nothing to sync.
            held: open.filter(|_| !entries.is_empty()).map(|open| Arc::clone(&open.held)),
            written: open.map_or(0, |open| open.written),
            failed: open.and_then(|open| open.failed.clone()),
            entries,
            flushes,
        };
        // There is room.
        self.changed.notify_all();
        batch
    }

    fn note(&self, written: u64, error: Option<&JournalError>) {
        if let Some(open) = &mut self.lock().open {
            match error {
                None => open.confirmed = written,
                Some(error) => open.failed = Some(error.clone()),
            }
        }
    }

    /// The batch has been answered.
    fn rest(&self) {
        self.lock().syncing = false;
        self.changed.notify_all();
    }

    /// Nothing more will come.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }
}

/// Serve until the writer has left.
pub(super) fn run(shared: &Shared, pending: &Pending) {
    let mut synced: Option<Instant> = None;
    loop {
        if pending.wait_while(|state| state.idle() && !state.closed).idle() {
            return;
        }
        // A lone entry is synced at once; under load those of a moment share a sync.
        let rest = synced.and_then(|synced| PAUSE.checked_sub(synced.elapsed()));
        if let Some(rest) = rest {
            thread::sleep(rest);
        }
        shared.begin(Step::Sync);
        one(shared, pending);
        shared.end(Step::Sync);
        synced = Some(Instant::now());
    }
}

/// Confirm what is there by now, and answer it.
fn one(shared: &Shared, pending: &Pending) {
    let batch = pending.take();
    let done = match batch.failed {
        Some(error) => Err(error),
        None => batch.held.map_or(Ok(()), |held| {
            let name = || folder::segment(&shared.path, batch.number);
            held.file().sync_data().map_err(|error| JournalError::io("sync", &name(), &error))
        }),
    };
    if done.is_ok() {
        shared.write().confirm(batch.number, batch.written, &batch.entries);
    }
    pending.note(batch.written, done.as_ref().err());
    let count = if done.is_ok() { &shared.appended } else { &shared.failed };
    count.fetch_add(batch.entries.len() as u64, Relaxed);
    for entry in batch.entries {
        let _ = entry.answer.send(done.clone());
    }
    for answer in batch.flushes {
        let _ = answer.send(Ok(()));
    }
    pending.rest();
}
