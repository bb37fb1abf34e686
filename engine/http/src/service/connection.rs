//! One connection: HTTP/1.1, one request after the other, each wait bounded.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::sleep;

use super::ServiceConfig;
use super::desk::{Desk, Phase};
use super::request::handle;
use super::stream::Bounded;

/// A connection without a request is closed after this time; so is one that dribbles its headers.
const IDLE: Duration = Duration::from_secs(30);
/// A client has this long to take a piece of its answer.
const STALL: Duration = Duration::from_secs(30);
/// Largest head of a request.
const MAX_HEAD: usize = 32 << 10;
/// Memory of the bodies that are being read, over all connections, in KiB.
const ROOM_KIB: usize = 64 << 10;

/// What is on the wire when the service ends has this long to be read, and is answered.
const MOMENT: Duration = Duration::from_millis(100);

/// What all connections share.
pub(super) struct Door {
    pub(super) config: ServiceConfig,
    pub(super) desk: Arc<Desk>,
    /// Room for bodies, in KiB.
    pub(super) room: Semaphore,
}

impl Door {
    pub(super) fn new(mut config: ServiceConfig, desk: Arc<Desk>) -> Self {
        config.max_body = config.max_body.clamp(1, ROOM_KIB << 10);
        Door { config, desk, room: Semaphore::new(ROOM_KIB) }
    }
}

/// Serve a connection to its end.
pub(super) async fn speak(stream: TcpStream, door: Arc<Door>) {
    // A socket that cannot be tuned is still a socket.
    let _ = stream.set_nodelay(true);
    converse(Bounded::new(stream, STALL), door).await;
}

/// The same for whatever carries its bytes.
pub(super) async fn converse(stream: impl AsyncRead + AsyncWrite + Unpin, door: Arc<Door>) {
    let mut phase = door.desk.phase();
    let service = service_fn(move |request| {
        let door = Arc::clone(&door);
        async move { Ok::<_, Infallible>(handle(request, &door).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        .max_buf_size(MAX_HEAD)
        // Who has said all and closes that half still gets the answer.
        .half_close(true)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    // Errors here are clients that went away; their records end as any others.
    tokio::select! {
        _ = connection.as_mut() => return,
        draining = phase.wait_for(|phase| *phase >= Phase::Draining) => drop(draining),
    }
    // A connection that has said nothing yet would be closed at once.
    tokio::select! {
        _ = connection.as_mut() => return,
        () = sleep(MOMENT) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}
