//! A worker's end of the control connection.
//!
//! Two threads serve it. One sends heartbeats, from a thread of its own so that a long operator does
//! not look like a dead process. One reads. Either may be the first to see that the supervisor is
//! gone, and then the process has to end: nobody is left to reap it.
//!
//! A supervisor that is suspended (Ctrl-Z) is not gone, and says nothing. Its kernel takes what
//! comes until its buffer is full; from then on the connection would look like one to a host that has
//! vanished. So between hosts the supervisor answers heartbeats, and a worker whose last ones have no
//! answer falls silent: the kernels of both hosts still ask after each other (see `vigil`).

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::error::ClusterError;
use crate::frame::{FrameError, MAX_PEER};
use crate::limit::MAX_MESSAGE;
use crate::link::Link;
use crate::message::{Down, Up};

/// Exit code of a worker that has to stop because its supervisor or its peers are gone
/// (`EX_TEMPFAIL`: nothing is wrong with the worker itself, try again).
pub const EXIT_LOST: i32 = 75;

/// Time between two signs of life.
pub(crate) const HEARTBEAT: Duration = Duration::from_millis(500);
/// Messages that may wait for the application before the supervisor has to.
const MAX_WAITING: usize = 256;
/// Heartbeats without an answer after which a supervisor is taken to be suspended.
const UNANSWERED: u32 = 8;

/// Something the supervisor says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ControlMessage {
    /// Finish what is under way, take nothing new, then leave.
    Drain,
    /// A message of the application.
    Message(Vec<u8>),
}

/// A worker's way to its supervisor; a clone may be given to any thread. When the last clone is
/// dropped the connection closes.
#[derive(Clone)]
pub struct Control {
    owner: Arc<Owner>,
}

/// Closes the connection when the last [`Control`] goes; the threads hold `Shared` alone.
struct Owner {
    shared: Arc<Shared>,
}

struct Shared {
    link: Link,
    closing: Mutex<bool>,
    closed: Condvar,
    lost: AtomicBool,
    /// Whether the supervisor answers heartbeats, and how many have no answer yet.
    answers: bool,
    unanswered: AtomicU32,
    /// The application takes no messages, so answers are not read either.
    held_up: AtomicBool,
    on_lost: Box<dyn Fn() + Send + Sync>,
}

impl Control {
    /// Starts the two threads.
    pub(crate) fn new(
        link: Link,
        answers: bool,
        on_lost: Box<dyn Fn() + Send + Sync>,
    ) -> Result<(Self, Receiver<ControlMessage>), ClusterError> {
        let shared = Arc::new(Shared {
            link,
            closing: Mutex::new(false),
            closed: Condvar::new(),
            lost: AtomicBool::new(false),
            answers,
            unanswered: AtomicU32::new(0),
            held_up: AtomicBool::new(false),
            on_lost,
        });
        // If a thread is refused, dropping the owner ends the other one.
        let control = Self { owner: Arc::new(Owner { shared: Arc::clone(&shared) }) };
        let (sender, messages) = mpsc::sync_channel(MAX_WAITING);
        let reader = Arc::clone(&shared);
        spawn("control", move || {
            let _ = reader.read(&sender);
            reader.lose();
        })?;
        spawn("heartbeat", move || shared.beat())?;
        Ok((control, messages))
    }

    /// Sends a message to the supervisor. Blocks while the supervisor takes no events.
    pub fn send(&self, message: &[u8]) -> Result<(), ClusterError> {
        if message.len() > MAX_MESSAGE {
            let (what, bytes) = ("message", message.len());
            return Err(ClusterError::TooLarge { what, bytes, limit: MAX_MESSAGE });
        }
        self.tell(&Up::Message, Some(message))
    }

    /// Whether the supervisor hears what it is told. What is only worth saying now is better not
    /// said to one that is suspended.
    pub fn is_heard(&self) -> bool {
        self.owner.shared.is_heard()
    }

    /// Tells the supervisor that the work is done, so that the exit is not taken for a loss.
    pub fn finished(&self) -> Result<(), ClusterError> {
        self.tell(&Up::Finished, None)
    }

    /// Closes the connection, for all clones. What was sent before still arrives.
    pub fn close(&self) {
        self.owner.close();
    }

    pub(crate) fn meshed(&self) -> Result<(), ClusterError> {
        self.tell(&Up::Meshed, None)
    }

    fn tell(&self, message: &Up, raw: Option<&[u8]>) -> Result<(), ClusterError> {
        let link = &self.owner.shared.link;
        link.send(message, raw, None).map_err(|error| ClusterError::Link {
            peer: link.peer(),
            during: "a message to the supervisor",
            reason: error.to_string(),
        })
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control").field("supervisor", &self.owner.shared.link.peer()).finish()
    }
}

impl Owner {
    fn close(&self) {
        *self.shared.closing.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.shared.closed.notify_all();
        self.shared.link.close();
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    fn read(&self, messages: &SyncSender<ControlMessage>) -> Result<(), FrameError> {
        loop {
            let message = match self.link.receive(MAX_PEER, None)? {
                Down::Drain => ControlMessage::Drain,
                Down::Message => ControlMessage::Message(self.link.receive_raw(MAX_PEER, None)?),
                Down::Heard => {
                    self.unanswered.store(0, Ordering::Relaxed);
                    continue;
                }
                // Said once, before this thread began.
                Down::Assign { .. } | Down::Start { .. } => continue,
            };
            // If the application has dropped its end, the thread stays to see the supervisor go.
            self.held_up.store(true, Ordering::Relaxed);
            let _ = messages.send(message);
            self.held_up.store(false, Ordering::Relaxed);
        }
    }

    fn is_heard(&self) -> bool {
        !self.answers
            || self.held_up.load(Ordering::Relaxed)
            || self.unanswered.load(Ordering::Relaxed) < UNANSWERED
    }

    fn beat(&self) {
        let closing = || self.closing.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if self.is_heard() {
                if self.link.send(&Up::Heartbeat, None, None).is_err() {
                    // The reader may be waiting for the application and would not notice.
                    return self.lose();
                }
                self.unanswered.fetch_add(1, Ordering::Relaxed);
            }
            let (closing, _) = self
                .closed
                .wait_timeout_while(closing(), HEARTBEAT, |closing| !*closing)
                .unwrap_or_else(PoisonError::into_inner);
            if *closing {
                return;
            }
        }
    }

    fn lose(&self) {
        let closing = *self.closing.lock().unwrap_or_else(PoisonError::into_inner);
        if !closing && !self.lost.swap(true, Ordering::Relaxed) {
            (self.on_lost)();
        }
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), ClusterError> {
    let thread = thread::Builder::new().name(name.to_owned()).spawn(run);
    thread.map(drop).map_err(|source| ClusterError::Thread { source })
}
