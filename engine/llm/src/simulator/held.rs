//! The load of the server: a request counts until its answer is sent or given up.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::response::Response;
use hyper::body::{Frame, SizeHint};

use super::server::Server;

/// Requests at once; each may hold a body of some megabytes.
pub(super) const MAX_LOAD: usize = 16_384;

/// Counts a request as long as it lives.
pub(super) struct Load(Arc<Server>);

impl Load {
    /// One more request, unless there are too many.
    pub(super) fn take(server: &Arc<Server>) -> Option<Load> {
        let load = Load(Arc::clone(server));
        let before = server.load().fetch_add(1, Ordering::Relaxed);
        (before < MAX_LOAD).then_some(load)
    }

    /// Let the request count until the end of `response`.
    pub(super) fn hold(self, response: Response) -> Response {
        response.map(|inner| Body::new(Held { inner, _load: self }))
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.load().fetch_sub(1, Ordering::Relaxed);
    }
}

struct Held {
    inner: Body,
    _load: Load,
}

impl hyper::body::Body for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.inner).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
