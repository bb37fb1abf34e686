//! Connections of clients: accepted up to a bound, ended in order.
//!
//! The loop owns its connections, unlike axum's own: when its future is dropped or the grace is
//! over, they are cut, and with them their calls. A gateway never outlives its supervisor's wish.

use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// More clients than this wait in the system's backlog.
const MAX_CONNECTIONS: usize = 16_384;
/// Time for calls in flight after the shutdown.
const GRACE: Duration = Duration::from_secs(5);
/// A connection without a request is closed after this time; so is one that dribbles its headers.
const IDLE_TIMEOUT: Duration = Duration::from_secs(90);
/// Pause after a failed accept: out of file descriptors, most likely, which does not end at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()>,
) {
    let (stop, stopping) = watch::channel(());
    let mut connections = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < MAX_CONNECTIONS => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(connection(stream, router.clone(), stopping.clone()));
                } else {
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
    drop(listener);
    // Nobody listens when there are no connections.
    let _ = stop.send(());
    let ended = async { while connections.join_next().await.is_some() {} };
    // Calls that are not over by then are cut when `connections` is dropped.
    let _ = tokio::time::timeout(GRACE, ended).await;
}

async fn connection(stream: TcpStream, router: Router, mut stopping: watch::Receiver<()>) {
    // A socket that cannot be tuned is still a socket.
    let _ = stream.set_nodelay(true);
    let service = TowerToHyperService::new(router);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE_TIMEOUT)
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
