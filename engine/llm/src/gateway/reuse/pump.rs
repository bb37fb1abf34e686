//! A stream that is passed on and kept.
//!
//! Events go on as they come, but the one that ends the stream waits until the answer is durable. A
//! reader that is gone ends the stream at once, unless its call runs on without it.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Frame;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::super::Operation;
use super::super::relay::Relay;
use super::super::sse::Events;
use super::stream::Assembly;
use super::{Keep, keep};

/// Pieces on their way to a reader that is slower than the upstream.
const WINDOW: usize = 16;

enum Piece {
    Data(Bytes),
    /// The stream is whole.
    End,
}

/// See the module.
pub(super) struct Pump {
    relay: Relay,
    assembly: Assembly,
    keep: Keep,
    reader: mpsc::Sender<Piece>,
}

impl Pump {
    /// The pump and the body it fills.
    pub(super) fn new(
        relay: Relay,
        operation: Operation,
        answers: usize,
        keep: Keep,
    ) -> (Pump, Body) {
        let (reader, pieces) = mpsc::channel(WINDOW);
        let assembly = Assembly::new(operation, answers);
        (Pump { relay, assembly, keep, reader }, Body::new(Reading { pieces, ended: false }))
    }

    /// Until the stream has ended; also without a reader if it is `detached` from that.
    pub(super) async fn run(self, detached: bool) {
        let Pump {
            mut relay,
            mut assembly,
            keep: Keep { target, journal, leads, key, simulated },
            reader,
        } = self;
        let mut events = Events::default();
        let mut ending = BytesMut::new();
        let mut readable = true;
        loop {
            let frame = tokio::select! {
                frame = relay.frame() => frame,
                () = reader.closed(), if readable => {
                    readable = false;
                    if !detached {
                        return;
                    }
                    continue;
                }
            };
            let Some(frame) = frame else { break };
            // The reader sees a stream that breaks off, as this one did.
            let Ok(frame) = frame else { return };
            let Ok(data) = frame.into_data() else { continue };
            if events.push(&data).is_err() {
                return;
            }
            let mut ready = BytesMut::new();
            while let Some(event) = events.next() {
                if assembly.event(&event) || !ending.is_empty() {
                    ending.extend_from_slice(&event);
                } else {
                    ready.extend_from_slice(&event);
                }
            }
            if !ready.is_empty() && readable {
                let sent =
                    timeout(relay.patience(), reader.send(Piece::Data(ready.freeze()))).await;
                readable = matches!(sent, Ok(Ok(())));
                if !readable && !detached {
                    return;
                }
            }
        }
        if let Some(stored) = assembly.finish(simulated) {
            keep(&target, &journal, vec![(key, stored)]).await;
        }
        drop(leads);
        ending.extend_from_slice(&events.rest());
        let ended = async {
            if !ending.is_empty() {
                reader.send(Piece::Data(ending.freeze())).await?;
            }
            reader.send(Piece::End).await
        };
        // A reader that does not take the end within the call's time has none.
        let _ = timeout(super::super::order::DEFAULT_DEADLINE, ended).await;
    }
}

/// The reader's end.
struct Reading {
    pieces: mpsc::Receiver<Piece>,
    ended: bool,
}

/// The pump has stopped in the middle.
#[derive(Debug, thiserror::Error)]
#[error("the stream broke off")]
struct BrokenOff;

impl hyper::body::Body for Reading {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        self.pieces.poll_recv(context).map(|piece| match piece {
            Some(Piece::Data(data)) => Some(Ok(Frame::data(data))),
            Some(Piece::End) => {
                self.ended = true;
                None
            }
            None => {
                self.ended = true;
                Some(Err(Box::new(BrokenOff) as Self::Error))
            }
        })
    }
}
