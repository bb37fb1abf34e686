//! Calls whose clients announce it when they give them up.
//!
//! A worker that crashed and a worker that gave a call up look the same on the socket: it closes.
//! So workers say it when they mean it (`DELETE /x-sage/calls/ID`), and only then is a call of
//! theirs dropped. Otherwise it runs on in a task of its own, within its deadline and holding its
//! permit, and what was paid for ends in the journal, where the next worker finds it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::header::CallId;

/// Announcements that are remembered, for calls that arrive after them.
const MAX_ANNOUNCED: usize = 1_024;

/// See the module.
#[derive(Default)]
pub(super) struct Calls {
    state: Mutex<State>,
    ended: Notify,
}

#[derive(Default)]
struct State {
    running: BTreeMap<(CallId, u64), (Option<usize>, AbortHandle)>,
    /// Tells calls apart whose clients gave them the same identity.
    next: u64,
    announced: VecDeque<(u64, Option<u64>)>,
    closed: bool,
}

/// A call that is over when this is dropped.
struct Ending {
    calls: Arc<Calls>,
    key: (CallId, u64),
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.calls.lock().running.remove(&self.key);
        self.calls.ended.notify_waiters();
    }
}

impl Calls {
    /// Run `work` for the call `id` of `client` to its end, whoever waits for it. False: the call
    /// was given up before it came.
    pub(super) fn spawn(
        self: &Arc<Self>,
        id: CallId,
        client: Option<usize>,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> bool {
        let mut state = self.lock();
        let given_up = |&(session, number): &(u64, Option<u64>)| {
            session == id.session && number.is_none_or(|number| number == id.number)
        };
        if state.closed || state.announced.iter().any(given_up) {
            return false;
        }
        state.next += 1;
        let key = (id, state.next);
        let ending = Ending { calls: self.clone(), key };
        // The task cannot end before it is entered: its end wants the lock that is held here.
        let task = tokio::spawn(async move {
            let _ending = ending;
            work.await;
        });
        state.running.insert(key, (client, task.abort_handle()));
        true
    }

    /// `client` gives up call `number`, or all calls, of `session`. How many there were.
    pub(super) fn cancel(&self, session: u64, number: Option<u64>, client: Option<usize>) -> usize {
        let mut state = self.lock();
        if state.announced.len() >= MAX_ANNOUNCED {
            state.announced.pop_front();
        }
        state.announced.push_back((session, number));
        let bound = |number| CallId { session, number };
        let range = match number {
            Some(number) => (bound(number), 0)..=(bound(number), u64::MAX),
            None => (bound(0), 0)..=(bound(u64::MAX), u64::MAX),
        };
        let found = state.running.range(range);
        let own = found.filter(|(_, (owner, _))| *owner == client);
        own.map(|(_, (_, task))| task.abort()).count()
    }

    /// Wait for the end of all calls.
    pub(super) async fn drain(&self) {
        loop {
            let ended = self.ended.notified();
            if self.lock().running.is_empty() {
                return;
            }
            ended.await;
        }
    }

    /// Cut off every call; no new one begins.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        for (_, task) in state.running.values() {
            task.abort();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: CallId = CallId { session: 1, number: 2 };

    #[tokio::test]
    async fn a_call_runs_until_it_is_cancelled() {
        let calls = Arc::new(Calls::default());
        assert!(calls.spawn(ID, None, std::future::pending()));
        assert_eq!(calls.lock().running.len(), 1);
        assert_eq!(calls.cancel(1, Some(2), Some(0)), 0, "another client's");
        assert_eq!(calls.cancel(1, None, None), 1);
        calls.drain().await;
        assert!(calls.lock().running.is_empty());
        assert!(!calls.spawn(ID, None, async {}), "it was announced before");
        let other = CallId { session: 3, number: 2 };
        let (tell, told) = tokio::sync::oneshot::channel();
        assert!(calls.spawn(other, None, async { tell.send(5).unwrap() }));
        assert_eq!(told.await, Ok(5));
        calls.close();
        assert!(!calls.spawn(other, None, async {}));
    }
}
