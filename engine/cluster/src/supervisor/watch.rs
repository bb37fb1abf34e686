//! The threads that watch the workers: one that reads and one that waits for the exit of each, and
//! one that listens for silence.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::event::{ClusterEvent, LossCause};
use super::state::Shared;
use crate::error::ClusterError;
use crate::frame::{FrameError, MAX_PEER};
use crate::launcher::{Exit, WorkerProcess};
use crate::link::Link;
use crate::message::{Down, Up};
use crate::vigil;

/// How long a closed socket waits for the exit that explains it, and an exit with an error for the
/// last messages in the socket. Both normally take a millisecond.
const EXPLAIN: Duration = Duration::from_millis(100);

/// Waits for the end of a worker's process.
pub(super) fn exit(
    shared: Arc<Shared>,
    worker: usize,
    process: Arc<dyn WorkerProcess>,
) -> Result<JoinHandle<()>, ClusterError> {
    spawn(format!("exit-{worker}"), move || {
        let exit = process.wait().unwrap_or(Exit::Unknown);
        shared.update(|state| state.slots[worker].exit = Some(exit));
        // `Finished` may still be in the socket: only with it can the exit be judged. The socket of a
        // process that left well is closed, and will be read to its end, however busy the host is.
        let patience = if exit.success() { shared.heartbeat_timeout } else { EXPLAIN };
        if shared.members[worker].link.get().is_some() {
            shared.wait(Instant::now() + patience, |state| state.slots[worker].closed);
        }
        shared.lose(worker, LossCause::Exited(exit));
    })
}

/// Reads what a worker says.
pub(super) fn read(
    shared: Arc<Shared>,
    worker: usize,
    link: Arc<Link>,
) -> Result<JoinHandle<()>, ClusterError> {
    spawn(format!("read-{worker}"), move || {
        // However the stream ends, the connection is of no use afterwards.
        let _ = listen(&shared, worker, &link);
        link.close();
        shared.update(|state| state.slots[worker].closed = true);
        let exited = |state: &super::state::State| state.slots[worker].exit.is_some();
        if !shared.wait(Instant::now() + EXPLAIN, exited) {
            shared.lose(worker, LossCause::Disconnected);
        }
        if let Some(process) = shared.members[worker].process.get() {
            process.disconnected();
        }
    })
}

fn listen(shared: &Shared, worker: usize, link: &Link) -> Result<(), FrameError> {
    loop {
        match link.receive::<Up>(MAX_PEER, None)? {
            Up::Heartbeat if vigil::between_hosts(link.peer()) => {
                link.send_within(&Down::Heard, None, shared.heartbeat_timeout)?;
            }
            Up::Heartbeat => {}
            Up::Meshed => shared.update(|state| state.slots[worker].meshed = true),
            Up::Message => {
                let bytes = link.receive_raw(MAX_PEER, None)?;
                shared.deliver(worker, ClusterEvent::Message { worker, bytes });
            }
            Up::Finished => {
                shared.update(|state| state.slots[worker].finished = true);
                shared.deliver(worker, ClusterEvent::Finished { worker });
            }
            // Said once, before this thread began.
            Up::Listening { .. } => return Ok(()),
        }
        shared.seen(worker);
    }
}

/// Looks for silent workers until the cluster ends.
pub(super) fn silence(shared: Arc<Shared>) -> Result<JoinHandle<()>, ClusterError> {
    let tick =
        (shared.heartbeat_timeout / 15).clamp(Duration::from_millis(5), Duration::from_millis(100));
    spawn("silence".to_owned(), move || {
        let mut last = Instant::now();
        while !shared.wait(last + tick, |state| state.stopping) {
            let now = Instant::now();
            if now.duration_since(last) > shared.heartbeat_timeout / 2 {
                // This process itself did not run (Ctrl-Z, a suspended machine), so it is in no
                // position to call others silent.
                shared.forgive();
            }
            for (worker, silence) in shared.silent(now) {
                shared.lose(worker, LossCause::Silent(silence));
            }
            last = Instant::now();
        }
    })
}

/// Starts a named thread.
pub(super) fn spawn(
    name: String,
    run: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, ClusterError> {
    thread::Builder::new().name(name).spawn(run).map_err(|source| ClusterError::Thread { source })
}
