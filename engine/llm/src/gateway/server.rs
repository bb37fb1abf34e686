//! Connections of clients: accepted up to a bound, ended in order.
//!
//! The loop owns its connections, unlike axum's own: when its future is dropped or the grace is
//! over, they are cut, and with them their calls. A gateway never outlives its supervisor's wish.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::calls::Calls;
use super::doors::Doors;
use super::{poller, route};

/// More clients than this wait in the system's backlog.
const MAX_CONNECTIONS: usize = 16_384;
/// Time for calls in flight after the shutdown.
pub(super) const GRACE: Duration = Duration::from_secs(5);
/// A connection without a request is closed after this time; so is one that dribbles its headers.
const IDLE_TIMEOUT: Duration = Duration::from_secs(90);
/// Time for a TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Read from a connection at once at most, which also bounds a request's headers: beyond this the
/// answer is a bare 431, up to it one in the API's words (see `route`).
const MAX_BUFFER: usize = 256 << 10;
/// Pause after a failed accept: out of file descriptors, most likely, which does not end at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

pub(super) async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    doors: Arc<Doors>,
    shutdown: impl Future<Output = ()>,
) {
    let router = route::router(doors.clone());
    // Also when this future is dropped: calls that run on without a client are cut off, too.
    let _closing = Closing(doors.calls.clone());
    let mut pollers = JoinSet::new();
    for target in doors.targets() {
        for (at, replica) in target.replicas.iter().enumerate() {
            if replica.is_auto() {
                pollers.spawn(poller::poll(target.clone(), at));
            }
        }
    }
    let (stop, stopping) = watch::channel(());
    let mut connections = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < MAX_CONNECTIONS => {
                if let Ok((stream, _)) = accepted {
                    let (router, stopping) = (router.clone(), stopping.clone());
                    connections.spawn(connection(stream, tls.clone(), router, stopping));
                } else {
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
    drop(listener);
    // Nobody listens when there are no connections.
    let _ = stop.send(());
    let ended = async {
        while connections.join_next().await.is_some() {}
        doors.calls.drain().await;
    };
    // Calls that are not over by then are cut when `connections` and `_closing` are dropped.
    let _ = tokio::time::timeout(GRACE, ended).await;
}

struct Closing(Arc<Calls>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
    }
}

async fn connection(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    router: Router,
    mut stopping: watch::Receiver<()>,
) {
    // A socket that cannot be tuned is still a socket.
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else { return speak(stream, router, stopping).await };
    let shaken = tokio::time::timeout(HANDSHAKE_TIMEOUT, tls.accept(stream));
    // Whoever does not come through it is told why by TLS itself.
    tokio::select! {
        shaken = shaken => if let Ok(Ok(stream)) = shaken {
            speak(stream, router, stopping).await;
        },
        _ = stopping.changed() => {}
    }
}

async fn speak(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
    mut stopping: watch::Receiver<()>,
) {
    let service = TowerToHyperService::new(router);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE_TIMEOUT)
        .max_buf_size(MAX_BUFFER)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    // Errors here are clients that went away; their calls are booked as cancelled.
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stopping.changed() => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}
