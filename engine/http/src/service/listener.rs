//! Connections of clients: accepted up to a bound, ended in order.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::ServiceConfig;
use super::connection::{Door, speak};
use super::desk::{Desk, Phase};

/// More clients than this wait in the system's backlog.
const MAX_CONNECTIONS: usize = 4_096;
/// Pause after a failed accept: out of file descriptors, most likely, which does not end at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Who has connected when the service ends is found within this time.
const LAST_LOOK: Duration = Duration::from_millis(20);
/// Time for the last answers to leave when nobody makes further ones.
const GRACE: Duration = Duration::from_secs(2);

/// Serve until the desk ends.
pub(super) async fn serve(socket: TcpListener, config: ServiceConfig, desk: Arc<Desk>) {
    let mut phase = desk.phase();
    let Ok(socket) = tokio::net::TcpListener::from_std(socket) else {
        desk.close();
        return;
    };
    let drain = config.drain;
    let door = Arc::new(Door::new(config, Arc::clone(&desk)));
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            ended = phase.wait_for(|phase| *phase >= Phase::Draining) => {
                drop(ended);
                break;
            }
            Some(_) = connections.join_next() => {}
            accepted = socket.accept(), if connections.len() < MAX_CONNECTIONS => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(speak(stream, Arc::clone(&door)));
                } else {
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
    // Those that wait to be let in are told that it ends, and not cut off.
    while connections.len() < MAX_CONNECTIONS
        && let Ok(Ok((stream, _))) = timeout(LAST_LOOK, socket.accept()).await
    {
        connections.spawn(speak(stream, Arc::clone(&door)));
    }
    drop(socket);
    // Those that are in are answered for as long as anybody works on them.
    let left = async { while connections.join_next().await.is_some() {} };
    tokio::select! {
        () = left => return,
        ended = phase.wait_for(|phase| *phase >= Phase::Ended) => drop(ended),
        // Who still waits is told, before the process goes.
        () = sleep(drain) => desk.end(),
    }
    let _ = timeout(GRACE, async { while connections.join_next().await.is_some() {} }).await;
}
