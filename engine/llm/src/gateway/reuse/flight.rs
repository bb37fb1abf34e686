//! Keys that are being paid for right now: whoever wants the same answer waits for it instead of
//! paying again.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::journal::Key;

/// See the module.
#[derive(Default)]
pub(super) struct Flights {
    keys: Mutex<HashMap<Key, watch::Receiver<()>>>,
}

/// What there is to do about a key.
pub(super) enum Claim {
    /// Get the answer; the others wait until this is dropped.
    Lead(Lead),
    /// Wait, then look again.
    Follow(watch::Receiver<()>),
}

/// The duty to get an answer. Dropped when it is kept, or there is none: also when the call is cut
/// off in the middle, and then the next in line takes the duty over.
pub(super) struct Lead {
    flights: Arc<Flights>,
    key: Key,
    _leading: watch::Sender<()>,
}

impl Flights {
    /// Take the lead of `key`, or follow.
    pub(super) fn claim(self: &Arc<Self>, key: Key) -> Claim {
        match self.keys.lock().unwrap_or_else(PoisonError::into_inner).entry(key) {
            Entry::Occupied(leading) => Claim::Follow(leading.get().clone()),
            Entry::Vacant(free) => {
                let (leading, followed) = watch::channel(());
                free.insert(followed);
                Claim::Lead(Lead { flights: self.clone(), key, _leading: leading })
            }
        }
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        // Before the sender goes: who is woken by that must not find the key still taken.
        self.flights.keys.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

/// Until the lead is over.
pub(super) async fn landed(mut leading: watch::Receiver<()>) {
    // Nothing is ever sent, so the only news is the end.
    let _ = leading.changed().await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::KeyBuilder;

    #[tokio::test]
    async fn the_next_takes_over_when_the_lead_is_gone() {
        let flights = Arc::new(Flights::default());
        let key = KeyBuilder::new("test").finish();
        let Claim::Lead(lead) = flights.claim(key) else { panic!("it is the first") };
        let Claim::Follow(leading) = flights.claim(key) else { panic!("it is the second") };
        drop(lead);
        landed(leading).await;
        let Claim::Lead(_) = flights.claim(key) else { panic!("it is the first now") };
        assert_eq!(flights.keys.lock().unwrap().len(), 0);
    }
}
