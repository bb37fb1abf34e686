//! Sending to workers, from any thread.

use std::sync::Arc;

use super::state::Shared;
use crate::error::ClusterError;
use crate::limit::MAX_MESSAGE;
use crate::message::Down;

/// Sends to the workers of a cluster; a clone may be given to any thread.
///
/// A send to a worker that is gone does nothing: its loss is an event already. A worker whose queue is
/// full and that takes nothing for a heartbeat timeout loses its connection, so no send waits longer.
#[derive(Clone)]
pub struct ClusterHandle {
    pub(super) shared: Arc<Shared>,
}

impl ClusterHandle {
    /// Sends a message to one worker.
    pub fn send(&self, worker: usize, message: &[u8]) -> Result<(), ClusterError> {
        let workers = self.shared.members.len();
        if worker >= workers {
            return Err(ClusterError::NoSuchWorker { worker, workers });
        }
        check_size("message", message)?;
        self.tell(worker, &Down::Message, Some(message));
        Ok(())
    }

    /// Sends a message to every worker.
    pub fn broadcast(&self, message: &[u8]) -> Result<(), ClusterError> {
        check_size("message", message)?;
        for worker in 0..self.shared.members.len() {
            self.tell(worker, &Down::Message, Some(message));
        }
        Ok(())
    }

    /// Asks every worker to stop gracefully.
    pub fn drain(&self) {
        for worker in 0..self.shared.members.len() {
            self.tell(worker, &Down::Drain, None);
        }
    }

    pub(super) fn tell(&self, worker: usize, message: &Down, raw: Option<&[u8]>) {
        let Some(link) = self.shared.members[worker].link.get() else { return };
        if link.send_within(message, raw, self.shared.heartbeat_timeout).is_err() {
            // Half a frame may be out; the reader's thread will see the end and report it.
            link.close();
        }
    }
}

/// Checks that bytes fit in a frame.
pub(super) fn check_size(what: &'static str, bytes: &[u8]) -> Result<(), ClusterError> {
    if bytes.len() <= MAX_MESSAGE {
        Ok(())
    } else {
        Err(ClusterError::TooLarge { what, bytes: bytes.len(), limit: MAX_MESSAGE })
    }
}
