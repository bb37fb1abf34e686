//! What the supervisor learns about its workers while they run.

use std::fmt;
use std::time::{Duration, Instant};

use crate::control::EXIT_LOST;
use crate::launcher::Exit;

/// Something happened to a worker, or a worker said something.
#[derive(Debug, Clone)]
pub enum ClusterEvent {
    /// A message from the worker's application.
    Message {
        /// The worker's index.
        worker: usize,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// The worker has done its work; its exit with code 0 is no loss, any other end still is.
    Finished {
        /// The worker's index.
        worker: usize,
    },
    /// The worker is gone, and killed if it was still there. Comes once a worker at most.
    Lost(Lost),
}

/// The loss of one worker.
#[derive(Debug, Clone)]
pub struct Lost {
    /// The worker's index.
    pub worker: usize,
    /// How the loss showed.
    pub cause: LossCause,
    /// The last lines of its standard error.
    pub last_stderr: String,
    /// When the supervisor saw it.
    pub at: Instant,
}

/// How the loss of a worker showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LossCause {
    /// The process ended before it was finished, or with an error.
    Exited(Exit),
    /// No heartbeat for this long: stopped, or on a host that does not schedule it.
    Silent(Duration),
    /// The control connection closed while the process lived.
    Disconnected,
}

impl fmt::Display for LossCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(exit) if exit.success() => f.write_str("it left before it was finished"),
            Self::Exited(exit) => write!(f, "it {exit}"),
            Self::Silent(time) => write!(f, "it gave no sign of life for {} ms", time.as_millis()),
            Self::Disconnected => f.write_str("it closed its control connection"),
        }
    }
}

impl LossCause {
    /// Lower is nearer to the root. A signal comes from outside the cluster. A process that says
    /// "I lost my peers" or drops its connection is more likely a victim than a cause.
    fn rank(self) -> u8 {
        match self {
            Self::Exited(Exit::Signal(_)) => 0,
            Self::Exited(Exit::Code(EXIT_LOST)) | Self::Disconnected => 2,
            Self::Exited(_) | Self::Silent(_) => 1,
        }
    }
}

impl Lost {
    pub(crate) fn stderr_note(&self) -> String {
        if self.last_stderr.is_empty() {
            String::new()
        } else {
            format!("; its last words:\n{}", self.last_stderr)
        }
    }
}

/// The loss that most likely caused the others: when one worker dies, its peers die of broken
/// sockets within milliseconds, and only the first is worth reporting. A signal goes before all
/// else, then an error of the worker's own or silence, then the earliest. `None` for no losses.
///
/// Time alone does not tell: a worker that panics closes its sockets before it exits, so its peers
/// can be gone first. Workers that end for the loss of a peer should exit with [`EXIT_LOST`].
pub fn root_cause(losses: Vec<Lost>) -> Option<Lost> {
    losses.into_iter().min_by_key(|lost| (lost.cause.rank(), lost.at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(causes: &[LossCause]) -> Option<usize> {
        let start = Instant::now();
        let losses = causes.iter().enumerate().map(|(worker, cause)| Lost {
            worker,
            cause: *cause,
            last_stderr: String::new(),
            at: start + Duration::from_millis(worker as u64),
        });
        root_cause(losses.collect()).map(|lost| lost.worker)
    }

    #[test]
    fn the_root_is_the_signal_then_the_own_error_then_the_earliest() {
        let killed = LossCause::Exited(Exit::Signal(9));
        let panicked = LossCause::Exited(Exit::Code(101));
        let left = LossCause::Exited(Exit::Code(EXIT_LOST));
        let silent = LossCause::Silent(Duration::from_secs(2));
        assert_eq!(root(&[]), None);
        assert_eq!(root(&[panicked, left, killed]), Some(2));
        assert_eq!(root(&[LossCause::Disconnected, left, panicked, panicked]), Some(2));
        assert_eq!(root(&[panicked, silent, panicked]), Some(0));
        assert_eq!(root(&[left, left]), Some(0));
    }
}
