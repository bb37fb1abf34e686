//! The thread that writes and commits beside a worker, so that the worker never waits for the disk.
//!
//! The worker notes which tasks have ended and what they add to its files; the thread takes all that
//! was noted at once, writes it, brings the files to the disk, and appends one record. It is bounded:
//! a worker that is far ahead of the disk waits for it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use roaring::RoaringTreemap;

use super::entry::{Commit, Outcomes};
use super::extent::{Extent, Growth};
use super::layout::{Place, folder, sync_folder};
use super::manifest::Manifest;
use crate::error::DataflowError;
use crate::kafka::outbox::Outbox;
use crate::sinks::parts_folder;

/// Longest time between the end of a task and the beginning of its commit.
const INTERVAL: Duration = Duration::from_millis(100);
/// So many tasks, or bytes, are not made to wait for others.
const ENOUGH: usize = 4_096;
const ENOUGH_BYTES: usize = 4 << 20;
/// Tasks that may be ahead of the disk.
const MOST_TASKS: usize = 1 << 16;
/// Bytes that may be ahead of the disk.
const MOST_BYTES: usize = 32 << 20;

/// A file whose growth is committed.
#[derive(Debug)]
pub(crate) struct Tracked {
    /// Within the run's folder.
    pub(crate) name: String,
    /// The file, to bring it to the disk.
    pub(crate) file: File,
    /// Delivers what is committed, if it goes somewhere else.
    pub(crate) outbox: Option<Outbox>,
}

/// A worker's side of the thread.
pub(crate) struct Committer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    noted: Mutex<Noted>,
    /// Something was noted, or no more will be.
    work: Condvar,
    /// What was noted has been taken.
    room: Condvar,
    /// What was taken is committed.
    settled: Condvar,
}

/// What was noted and not taken yet.
#[derive(Default)]
struct Noted {
    done: Vec<u64>,
    outcomes: Outcomes,
    /// By number of the file: how far it is with the bytes that are still to be written.
    files: BTreeMap<usize, (Extent, Vec<u8>)>,
    /// Of all files.
    bytes: usize,
    closed: bool,
    /// What was taken is not committed yet.
    writing: bool,
    /// The thread has given up.
    broken: bool,
    failure: Option<DataflowError>,
}

impl Noted {
    /// Whether it need not wait for more.
    fn ripe(&self) -> bool {
        self.done.len() >= ENOUGH || self.bytes >= ENOUGH_BYTES || self.closed
    }

    fn is_empty(&self) -> bool {
        self.done.is_empty() && self.files.is_empty() && self.outcomes == Outcomes::default()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Committer {
    /// Start the thread of one worker; `files` are known by their position.
    pub(crate) fn start(
        out: &Path,
        generation: u32,
        peer: usize,
        files: Vec<Tracked>,
    ) -> Result<Self, DataflowError> {
        // The names of the files must be as durable as what is in them.
        sync_folder(&parts_folder(out))?;
        let manifest = Manifest::create(Place { folder: folder(out), generation, peer })?;
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("commit".into())
            .spawn(move || run(&theirs, manifest, files))
            .map_err(|error| DataflowError::Start(format!("no thread for commits: {error}")))?;
        Ok(Committer { shared, thread: Some(thread) })
    }

    /// Tasks have ended, and files have grown by what they left. An error is one of the thread's.
    pub(crate) fn note<'b>(
        &self,
        done: &mut Vec<u64>,
        outcomes: Outcomes,
        files: impl Iterator<Item = (usize, Growth<'b>)>,
    ) -> Result<(), DataflowError> {
        let mut noted = self.shared.lock();
        while (noted.done.len() >= MOST_TASKS || noted.bytes >= MOST_BYTES) && !noted.broken {
            noted = self.shared.room.wait(noted).unwrap_or_else(PoisonError::into_inner);
        }
        if noted.broken {
            // Said once; the run ends with it.
            return noted.failure.take().map_or(Ok(()), Err);
        }
        let before = noted.ripe();
        let idle = noted.is_empty();
        noted.done.append(done);
        noted.outcomes.add(outcomes);
        for (number, Growth { extent, bytes }) in files {
            noted.bytes += bytes.len();
            let (until, fresh) = noted.files.entry(number).or_insert((extent, Vec::new()));
            *until = extent;
            if fresh.is_empty() {
                std::mem::swap(fresh, bytes);
            } else {
                fresh.append(bytes);
            }
        }
        let wake = idle && !noted.is_empty() || !before && noted.ripe();
        drop(noted);
        if wake {
            self.shared.work.notify_one();
        }
        Ok(())
    }

    /// Wait until what was noted is committed, or never will be.
    pub(crate) fn wait(&self) {
        let open = |noted: &mut Noted| (noted.writing || !noted.is_empty()) && !noted.broken;
        drop(self.shared.settled.wait_while(self.shared.lock(), open));
    }

    /// Commit what was noted and end.
    pub(crate) fn close(mut self) -> Result<(), DataflowError> {
        self.end();
        self.shared.lock().failure.take().map_or(Ok(()), Err)
    }

    fn end(&mut self) {
        self.shared.lock().closed = true;
        self.shared.work.notify_one();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            let broken = DataflowError::Broken("the thread that commits ended early".into());
            self.shared.lock().failure.get_or_insert(broken);
        }
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        self.end();
    }
}

fn run(shared: &Shared, mut manifest: Manifest, mut files: Vec<Tracked>) {
    loop {
        let noted = {
            let idle = |noted: &mut Noted| noted.is_empty() && !noted.closed;
            let few = |noted: &mut Noted| !noted.ripe();
            let noted = shared.work.wait_while(shared.lock(), idle);
            let noted = noted.unwrap_or_else(PoisonError::into_inner);
            let waited = shared.work.wait_timeout_while(noted, INTERVAL, few);
            let (mut noted, _) = waited.unwrap_or_else(PoisonError::into_inner);
            if noted.is_empty() {
                drop(noted);
                // All that was committed is delivered before the worker says that it is done.
                let outboxes = files.iter_mut().filter_map(|file| file.outbox.as_mut());
                for error in outboxes.filter_map(|outbox| outbox.finish().err()) {
                    shared.lock().failure.get_or_insert(error);
                }
                return;
            }
            let taken = Noted { closed: noted.closed, writing: true, ..Noted::default() };
            std::mem::replace(&mut *noted, taken)
        };
        shared.room.notify_one();
        let committed = commit(&mut manifest, &mut files, noted);
        shared.lock().writing = false;
        shared.settled.notify_one();
        if let Err(error) = committed.and_then(|grown| hand_on(&mut files, grown)) {
            let mut noted = shared.lock();
            noted.broken = true;
            noted.failure = Some(error);
            shared.room.notify_one();
            shared.settled.notify_one();
            return;
        }
    }
}

/// Returns what is to be delivered, with the number of its file.
fn commit(
    manifest: &mut Manifest,
    files: &mut [Tracked],
    noted: Noted,
) -> Result<Vec<(usize, Vec<u8>)>, DataflowError> {
    let mut deliveries = Vec::new();
    let mut commit = Commit {
        outcomes: noted.outcomes,
        done: noted.done.into_iter().collect::<RoaringTreemap>(),
        ..Commit::default()
    };
    for (number, (extent, bytes)) in noted.files {
        let Some(Tracked { name, file, outbox }) = files.get_mut(number) else { continue };
        let written = file.write_all(&bytes).and_then(|()| file.sync_data());
        written.map_err(|reason| DataflowError::File {
            action: "write",
            path: (&*name).into(),
            reason,
        })?;
        commit.files.insert(name.clone(), extent);
        if outbox.is_some() {
            deliveries.push((number, bytes));
        }
    }
    manifest.append(commit)?;
    Ok(deliveries)
}

fn hand_on(files: &mut [Tracked], deliveries: Vec<(usize, Vec<u8>)>) -> Result<(), DataflowError> {
    for (number, bytes) in deliveries {
        if let Some(outbox) = files.get_mut(number).and_then(|file| file.outbox.as_mut()) {
            outbox.take(bytes)?;
        }
    }
    Ok(())
}
