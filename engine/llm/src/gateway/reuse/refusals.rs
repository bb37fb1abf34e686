//! Calls that the upstream refused for good, known for some minutes.
//!
//! The record of such a call is dead, but its dead letter is durable only with the next commit. When
//! another worker is lost before that, the record is done once more, and the same question would only
//! be refused once more. In memory and not in the journal: what is asked by another command, or much
//! later, is asked anew, since the server may have been mended.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, HttpBody, to_bytes};
use axum::http::response::Parts;
use axum::http::{Response, StatusCode};
use bytes::Bytes;
use tokio::time::Instant;

use crate::journal::Key;

/// Most refusals.
const MOST: usize = 10_000;
/// Longest body of one; those with more are not kept.
const LONGEST: u64 = 16 << 10;
/// How long one is known: longer than the loss of a worker takes.
const KNOWN: Duration = Duration::from_secs(300);

/// See the module.
#[derive(Default)]
pub(super) struct Refusals(Mutex<Known>);

#[derive(Default)]
struct Known {
    by_key: HashMap<Key, Refusal>,
    /// The oldest first.
    order: VecDeque<(Key, Instant)>,
}

/// What a call was answered.
#[derive(Clone)]
pub(super) struct Refusal {
    parts: Parts,
    body: Bytes,
    /// How often it was tried.
    pub(super) tries: u32,
    at: Instant,
}

impl Refusal {
    /// The same answer once more.
    pub(super) fn response(self) -> Response<Body> {
        Response::from_parts(self.parts, Body::from(self.body))
    }
}

/// Whether a status is about what was asked, and will be the same the next time.
fn is_final(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY
    )
}

impl Refusals {
    /// How the call of `key` was refused, if it was.
    pub(super) fn of(&self, key: &Key) -> Option<Refusal> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.by_key.get(key).filter(|refusal| refusal.at.elapsed() < KNOWN).cloned()
    }

    /// Remember `response` to the call of `key`, if it is final; the response itself.
    pub(super) async fn keep(
        &self,
        key: Key,
        tries: u32,
        response: Response<Body>,
    ) -> Response<Body> {
        let short = response.body().size_hint().upper().is_some_and(|bytes| bytes <= LONGEST);
        if !is_final(response.status()) || !short {
            return response;
        }
        let (parts, body) = response.into_parts();
        // It is in memory and as short as it says, so nothing is waited for and nothing can fail.
        let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
        let refusal = Refusal { parts, body, tries, at: Instant::now() };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key, refusal.clone());
        refusal.response()
    }
}

impl Known {
    fn insert(&mut self, key: Key, refusal: Refusal) {
        let old = |(_, at): &(Key, Instant)| at.elapsed() >= KNOWN;
        while self.order.len() >= MOST || self.order.front().is_some_and(old) {
            let Some((key, at)) = self.order.pop_front() else { break };
            // One that was refused again since stands further behind, too.
            if self.by_key.get(&key).is_some_and(|known| known.at == at) {
                self.by_key.remove(&key);
            }
        }
        self.order.push_back((key, refusal.at));
        self.by_key.insert(key, refusal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::KeyBuilder;

    fn key(number: usize) -> Key {
        KeyBuilder::new(&number.to_string()).finish()
    }

    fn refused(status: u16) -> Response<Body> {
        Response::builder().status(status).body(Body::from("no")).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_refused_for_good_is_known_for_a_while() {
        let refusals = Refusals::default();
        for (number, status) in [400, 413, 422, 401, 429, 500].into_iter().enumerate() {
            let response = refusals.keep(key(number), 2, refused(status)).await;
            assert_eq!(response.status(), status);
            assert_eq!(to_bytes(response.into_body(), 10).await.unwrap(), "no");
            let known = refusals.of(&key(number));
            assert_eq!(known.as_ref().map(|it| it.tries), (number < 3).then_some(2), "{status}");
            assert!(known.is_none_or(|it| it.response().status() == status));
        }
        tokio::time::advance(KNOWN).await;
        assert!(refusals.of(&key(0)).is_none());
        refusals.keep(key(0), 1, refused(400)).await;
        assert_eq!(refusals.0.lock().unwrap().by_key.len(), 1);
        assert!(refusals.of(&key(0)).is_some());
    }

    #[tokio::test]
    async fn there_are_never_too_many() {
        let refusals = Refusals::default();
        for number in 0..MOST + 10 {
            refusals.keep(key(number), 1, refused(400)).await;
        }
        let known = refusals.0.lock().unwrap();
        assert_eq!((known.by_key.len(), known.order.len()), (MOST, MOST));
        drop(known);
        assert!(refusals.of(&key(9)).is_none() && refusals.of(&key(10)).is_some());
    }
}
