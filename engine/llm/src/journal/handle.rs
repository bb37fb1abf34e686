//! The journal as its users see it: look up, record, count.

use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc as threads;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::folder::{self, Held};
use super::index::Index;
use super::sync::{self, Pending};
use super::writer::{Message, Writer};
use super::{
    JournalConfig, JournalError, JournalStats, Key, Kind, LEAST_BYTES, Stored, frame, segment,
};

/// Entries that wait for the threads at most; then `record` waits for room.
const QUEUE: usize = 1024;
/// How long `record` waits for the disk unless a test says otherwise.
const WAIT: Duration = Duration::from_secs(10);
/// How long the last handle waits for the thread.
const LEAVE: Duration = Duration::from_secs(5);
/// How often a lookup that misses looks for what other processes appended, in milliseconds.
const REFRESH_MS: u64 = 250;
/// Bytes of each segment that looking for it reads at most, but for whole entries.
pub(super) const REFRESH_BYTES: u64 = 4 << 20;
/// A segment is this part of the bound, and at most so many bytes.
const SEGMENTS: u64 = 16;
const MOST_SEGMENT: u64 = 64 << 20;

/// What one of the two threads is at.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    Write,
    Sync,
}

/// What handles and threads share.
pub(super) struct Shared {
    pub(super) path: PathBuf,
    pub(super) max_bytes: u64,
    pub(super) kind: Kind,
    index: RwLock<Index>,
    /// When each thread began the step it is at, in milliseconds since `started`, and one; zero
    /// while it is at none.
    busy: [AtomicU64; 2],
    pub(super) appended: AtomicU64,
    pub(super) failed: AtomicU64,
    hits: AtomicU64,
    misses: AtomicU64,
    /// How long `record` waits for the disk.
    wait: Duration,
    started: Instant,
    /// When others' segments were read last, in milliseconds since `started`.
    refreshed: AtomicU64,
}

impl Shared {
    fn read(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_ms(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    /// A thread begins a step.
    pub(super) fn begin(&self, step: Step) {
        self.busy[step as usize].store(self.now_ms() + 1, Relaxed);
    }

    /// It has ended it.
    pub(super) fn end(&self, step: Step) {
        self.busy[step as usize].store(0, Relaxed);
    }

    /// Whether the disk keeps a thread so long already that nobody else should wait for it.
    fn is_stuck(&self) -> bool {
        let now = self.now_ms();
        let stuck = |since: u64| since > 0 && now >= since + self.wait.as_millis() as u64;
        self.busy.iter().any(|since| stuck(since.load(Relaxed)))
    }

    fn find(&self, key: &Key) -> Option<Stored> {
        // Each turn of the loop gives an answer or forgets a place.
        loop {
            let (number, file, place) = self.read().find(key)?;
            if let Some(stored) = segment::read(&file, place, key) {
                return Some(stored);
            }
            self.write().forget(number, key, place);
        }
    }

    /// Read what other processes appended, if that was not done just now.
    fn refresh(&self) -> bool {
        let now = self.now_ms();
        let last = self.refreshed.load(Relaxed);
        let due = self.kind == Kind::Content
            && now >= last + REFRESH_MS
            && self.refreshed.compare_exchange(last, now, Relaxed, Relaxed).is_ok();
        if due {
            self.write().refresh(REFRESH_BYTES);
        }
        due
    }
}

struct Inner {
    shared: Arc<Shared>,
    sender: RwLock<Option<mpsc::Sender<Message>>>,
    ended: Mutex<threads::Receiver<()>>,
}

impl Inner {
    fn close(&self) {
        self.sender.write().unwrap_or_else(PoisonError::into_inner).take();
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        // The thread sends nothing; its end of the channel goes with it.
        let _ = ended.recv_timeout(LEAVE);
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}

/// A handle to an open journal; clones are the same journal. The last one to go waits until
/// everything recorded is on the disk, at most 5 seconds.
#[derive(Clone)]
pub struct Journal {
    inner: Arc<Inner>,
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Journal").field("path", &self.inner.shared.path).finish_non_exhaustive()
    }
}

impl Journal {
    /// Open the journal in this folder, or begin one. Reads every entry once.
    pub fn open(config: JournalConfig) -> Result<Journal, JournalError> {
        Journal::patient(config, WAIT)
    }

    /// Open it; `record` waits so long for the disk.
    fn patient(config: JournalConfig, wait: Duration) -> Result<Journal, JournalError> {
        let JournalConfig { path, max_bytes, kind } = config;
        if max_bytes < LEAST_BYTES {
            return Err(JournalError::Bound { path, given: max_bytes, least: LEAST_BYTES });
        }
        let lock = folder::enter(&path, kind)?;
        let mut index = Index::open(&path, kind)?;
        index.shrink(0, max_bytes);
        let shared = Arc::new(Shared {
            path,
            max_bytes,
            kind,
            index: RwLock::new(index),
            busy: Default::default(),
            appended: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            wait,
            started: Instant::now(),
            refreshed: AtomicU64::new(0),
        });
        let (sender, receiver) = mpsc::channel(QUEUE);
        let ended = start(Arc::clone(&shared), lock, receiver)?;
        let inner = Inner { shared, sender: RwLock::new(Some(sender)), ended: Mutex::new(ended) };
        Ok(Journal { inner: Arc::new(inner) })
    }

    /// An answer recorded under this key: in a run's journal the last one. Reads the disk, about as long as its answer takes
    /// from the page cache; gives what was recorded or nothing.
    pub fn lookup(&self, key: &Key) -> Option<Stored> {
        let shared = &self.inner.shared;
        let mut found = shared.find(key);
        if found.is_none() && shared.refresh() {
            found = shared.find(key);
        }
        let count = if found.is_some() { &shared.hits } else { &shared.misses };
        count.fetch_add(1, Relaxed);
        found
    }

    /// Keep the answer; resolves when it is durable. Wants a tokio runtime with a timer: it waits
    /// for the disk 10 seconds at most. Once it was polled the entry is written even if nobody
    /// waits for it any more.
    pub async fn record(&self, key: Key, stored: Stored) -> Result<(), JournalError> {
        let shared = &self.inner.shared;
        let most = (frame::MOST_BODY as u64).min(shared.max_bytes / 2);
        let bytes = frame::size(&stored);
        if bytes > most || stored.model.len() > usize::from(u16::MAX) {
            return Err(JournalError::TooLarge { path: shared.path.clone(), bytes, most });
        }
        self.ask(|answer| Message::Entry(key, stored, answer)).await
    }

    /// Resolves when everything that was recorded before has been answered.
    pub async fn flush(&self) -> Result<(), JournalError> {
        self.ask(Message::Flush).await
    }

    async fn ask(
        &self,
        message: impl FnOnce(super::writer::Answer) -> Message,
    ) -> Result<(), JournalError> {
        let shared = &self.inner.shared;
        let slow =
            || JournalError::Slow { path: shared.path.clone(), seconds: shared.wait.as_secs() };
        let closed = || JournalError::Closed { path: shared.path.clone() };
        if shared.is_stuck() {
            return Err(slow());
        }
        let sender = self.inner.sender.read().unwrap_or_else(PoisonError::into_inner).clone();
        let sender = sender.ok_or_else(closed)?;
        let (answer, answered) = oneshot::channel();
        let asked = async move {
            let sent = sender.send(message(answer)).await;
            // The thread ends when no sender is left; who waits for an answer is none.
            drop(sender);
            sent.map_err(|_| closed())?;
            answered.await.unwrap_or_else(|_| Err(closed()))
        };
        timeout(shared.wait, asked).await.unwrap_or_else(|_| Err(slow()))
    }

    /// What it holds and has done.
    pub fn stats(&self) -> JournalStats {
        let shared = &self.inner.shared;
        let index = shared.read();
        JournalStats {
            entries: index.entries(),
            bytes: index.bytes(),
            segments: index.numbers().len() as u64,
            hits: shared.hits.load(Relaxed),
            misses: shared.misses.load(Relaxed),
            appended: shared.appended.load(Relaxed),
            failed: shared.failed.load(Relaxed),
            dropped: index.dropped,
            damaged: index.damaged,
        }
    }

    /// The folder.
    pub fn path(&self) -> &std::path::Path {
        &self.inner.shared.path
    }

    /// Write what waits, at most for 5 seconds, and let go of the locks. Lookups go on; `record`
    /// is an error from now on.
    pub fn close(&self) {
        self.inner.close();
    }
}

/// Start the threads; the channel it gives hangs up when they have let go of all locks.
fn start(
    shared: Arc<Shared>,
    lock: Held,
    messages: mpsc::Receiver<Message>,
) -> Result<threads::Receiver<()>, JournalError> {
    let (ending, ended) = threads::channel();
    let path = shared.path.clone();
    let failed = |error: std::io::Error| JournalError::io("start a thread of", &path, &error);
    let segment_bytes = (shared.max_bytes / SEGMENTS).min(MOST_SEGMENT);
    let pending = Arc::new(Pending::default());
    let (syncs, written) = (Arc::clone(&shared), Arc::clone(&pending));
    thread::Builder::new()
        .name("journal-sync".into())
        .spawn(move || sync::run(&syncs, &written))
        .map_err(failed)?;
    let writes = Arc::clone(&pending);
    let work = move || {
        // Dropped in reverse order: the writer and its segment first, the signal last.
        let _ending: threads::Sender<()> = ending;
        let _lock = lock;
        Writer::new(shared, Arc::clone(&writes), segment_bytes).run(messages);
        writes.close();
    };
    let writer = thread::Builder::new().name("journal".into()).spawn(work);
    writer.inspect_err(|_| pending.close()).map_err(failed)?;
    Ok(ended)
}

#[cfg(test)]
mod tests {
    use super::super::sync::Written;
    use super::*;
    use crate::journal::KeyBuilder;

    fn opened(wait: Duration) -> (tempfile::TempDir, Journal) {
        let folder = tempfile::tempdir().unwrap();
        let config =
            JournalConfig { path: folder.path().into(), max_bytes: LEAST_BYTES, kind: Kind::Run };
        let journal = Journal::patient(config, wait).unwrap();
        (folder, journal)
    }

    fn entry(number: u64) -> (Key, Stored) {
        let stored = Stored {
            body: "{}".into(),
            prompt_tokens: number,
            completion_tokens: 0,
            simulated: false,
            model: "m".into(),
        };
        (KeyBuilder::new("test").number(number).finish(), stored)
    }

    #[test]
    fn an_answer_stands_in_the_file_before_the_disk_has_it() {
        let (folder, journal) = opened(WAIT);
        let shared = Arc::clone(&journal.inner.shared);
        let pending = Arc::new(Pending::default());
        let mut writer = Writer::new(Arc::clone(&shared), Arc::clone(&pending), 4096);
        let (sender, messages) = mpsc::channel(8);
        let (key, stored) = entry(1);
        let (answer, mut answered) = oneshot::channel();
        sender.try_send(Message::Entry(key, stored.clone(), answer)).unwrap();
        let work = thread::spawn(move || writer.run(messages));
        // What a process finds that comes after this one was killed.
        let file = folder::segment(folder.path(), 1);
        let there = || {
            let found = segment::Segment::open(folder.path(), 1).ok().and_then(|mut segment| {
                segment.catch_up(u64::MAX).ok()?;
                segment::read(&std::fs::File::open(&file).ok()?, segment.find(&key)?, &key)
            });
            found == Some(stored.clone())
        };
        while !there() {
            thread::yield_now();
        }
        // Nobody syncs yet, so nobody is told.
        assert!(answered.try_recv().is_err());
        assert_eq!(journal.lookup(&key), None);
        drop(sender);
        let (syncs, written) = (Arc::clone(&shared), Arc::clone(&pending));
        let sync = thread::spawn(move || sync::run(&syncs, &written));
        assert_eq!(answered.blocking_recv().unwrap(), Ok(()));
        assert_eq!(journal.lookup(&key), Some(stored));
        work.join().unwrap();
        pending.close();
        sync.join().unwrap();
    }

    #[test]
    fn after_a_failed_sync_nothing_more_of_the_segment_is_confirmed() {
        let (_folder, journal) = opened(WAIT);
        let shared = Arc::clone(&journal.inner.shared);
        let pending = Arc::new(Pending::default());
        // A file that cannot be synced.
        let file = std::fs::File::open("/dev/null").unwrap();
        let held = Arc::new(Held::take(file, false).unwrap().unwrap());
        pending.open(7, held, 20);
        let (syncs, written) = (Arc::clone(&shared), Arc::clone(&pending));
        let sync = thread::spawn(move || sync::run(&syncs, &written));
        for number in 0..3 {
            let (answer, answered) = oneshot::channel();
            let place = segment::Place { offset: 20, length: 30 };
            pending.push(vec![Written { key: entry(number).0, place, answer }], 50);
            let error = answered.blocking_recv().unwrap().unwrap_err();
            assert!(matches!(error, JournalError::Io { what: "sync", .. }), "{error}");
            assert!(pending.has_failed());
        }
        assert_eq!(pending.leave(), Some((20, true)));
        assert!(!pending.has_failed(), "the next segment is another one");
        assert_eq!(journal.stats().failed, 3);
        pending.close();
        sync.join().unwrap();
    }

    #[test]
    fn a_disk_that_hangs_holds_up_nobody_for_long() {
        let (_folder, journal) = opened(Duration::from_millis(50));
        let keep = |number| {
            let (key, stored) = entry(number);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
            (key, runtime.unwrap().block_on(journal.record(key, stored)))
        };
        let shared = Arc::clone(&journal.inner.shared);
        // The thread cannot go on without the index, as little as without the disk.
        let held = shared.write();
        let (first, outcome) = keep(1);
        assert!(matches!(outcome, Err(JournalError::Slow { .. })), "{outcome:?}");
        while !shared.is_stuck() {
            std::thread::yield_now();
        }
        let (second, outcome) = keep(2);
        assert!(matches!(outcome, Err(JournalError::Slow { .. })), "{outcome:?}");
        drop(held);
        while keep(3).1.is_err() {}
        assert!(journal.lookup(&first).is_some(), "asked before the disk hung");
        assert!(journal.lookup(&second).is_none(), "turned away at once");
    }
}
