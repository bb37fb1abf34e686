//! The two ends of one HTTP call: the driver reports progress, the handler waits for it.
//!
//! Progress is a state, not a queue of events: the text is known beforehand, so "so many tokens"
//! says all. A slow reader therefore skips ahead instead of filling a buffer, and the driver never
//! waits for a client. Both ends answer for themselves when dropped: the driver's end says
//! [`Outcome::Lost`], the handler's end has its requests cancelled.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sage_core::vllm::Finish;
use tokio::sync::Notify;

/// How one request of a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    Finished(Finish),
    Rejected(String),
    /// The server stopped before.
    Lost,
}

/// Where one request of a call stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Progress {
    pub(super) produced: u32,
    pub(super) outcome: Option<Outcome>,
}

#[derive(Debug)]
struct Shared {
    progress: Mutex<Vec<Progress>>,
    changed: Notify,
    /// Wake the handler at every token, not only at the end.
    eager: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Vec<Progress>> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Requests whose clients have left.
pub(super) type Departed = Arc<Mutex<Vec<u64>>>;

/// The driver's end for one request.
#[derive(Debug)]
pub(super) struct Reply {
    shared: Arc<Shared>,
    index: usize,
}

impl Reply {
    pub(super) fn progress(&self, produced: u32) {
        self.shared.lock()[self.index].produced = produced;
        if self.shared.eager {
            self.shared.changed.notify_one();
        }
    }

    pub(super) fn close(self, outcome: Outcome) {
        self.settle(outcome);
    }

    fn settle(&self, outcome: Outcome) {
        let mut progress = self.shared.lock();
        progress[self.index].outcome.get_or_insert(outcome);
        if self.shared.eager || progress.iter().all(|one| one.outcome.is_some()) {
            self.shared.changed.notify_one();
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        self.settle(Outcome::Lost);
    }
}

/// The handler's end of a call.
#[derive(Debug)]
pub(super) struct Ticket {
    shared: Arc<Shared>,
    ids: Vec<u64>,
    departed: Departed,
}

impl Ticket {
    /// A ticket for the requests `ids` and the driver's ends, in the same order.
    pub(super) fn new(ids: Vec<u64>, eager: bool, departed: Departed) -> (Ticket, Vec<Reply>) {
        let progress = Mutex::new(vec![Progress::default(); ids.len()]);
        let shared = Arc::new(Shared { progress, changed: Notify::new(), eager });
        let reply = |index| Reply { shared: Arc::clone(&shared), index };
        let replies = (0..ids.len()).map(reply).collect();
        (Ticket { shared, ids, departed }, replies)
    }

    /// Where all requests stand.
    pub(super) fn progress(&self) -> Vec<Progress> {
        self.shared.lock().clone()
    }

    /// Wait until something changed since the last call.
    pub(super) async fn changed(&self) {
        self.shared.changed.notified().await;
    }

    /// Wait for the end of all requests.
    pub(super) async fn finished(&self) -> Vec<Progress> {
        loop {
            let progress = self.progress();
            if progress.iter().all(|one| one.outcome.is_some()) {
                return progress;
            }
            self.changed().await;
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let progress = self.progress();
        let open = self.ids.iter().zip(progress).filter(|(_, one)| one.outcome.is_none());
        let open: Vec<u64> = open.map(|(id, _)| *id).collect();
        if !open.is_empty() {
            self.departed.lock().unwrap_or_else(PoisonError::into_inner).extend(open);
        }
    }
}
