//! How soon a host is missed that vanishes without a word: its cable, its power or a route is gone.
//!
//! A process that ends closes its connections, and the peers see that at once. A host that vanishes
//! closes nothing, and TCP by itself would go on trying for a quarter of an hour. So the kernel is
//! told to ask after an idle peer every second, and to give up a connection whose bytes nobody has
//! acknowledged for a second and a half. A process that is stopped acknowledges all the same, since its
//! kernel does: whether it works is a question for heartbeats.
//!
//! On the loopback nothing can vanish but a process, so connections there are left as they are.

use std::io;
use std::net::{SocketAddr, TcpStream};

/// Who keeps watch over a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Watcher {
    /// The supervisor listens for heartbeats. It must not give up a connection because a worker
    /// takes nothing for a while, so it has only the question after idle peers.
    Supervisor,
    /// A worker, towards its supervisor and its peers.
    Worker,
}

/// Whether the two ends may be on two hosts.
pub(crate) fn between_hosts(peer: SocketAddr) -> bool {
    !peer.ip().to_canonical().is_loopback()
}

/// Prepares a connection.
pub(crate) fn keep(stream: &TcpStream, peer: SocketAddr, watcher: Watcher) -> io::Result<()> {
    if !between_hosts(peer) {
        return Ok(());
    }
    set(stream, watcher)
}

#[cfg(target_os = "linux")]
fn set(stream: &TcpStream, watcher: Watcher) -> io::Result<()> {
    use std::time::Duration;

    use rustix::net::sockopt;

    /// Time without an acknowledgement after which a peer is given up.
    const UNANSWERED: Duration = Duration::from_millis(1500);
    /// Pause before the first question and between two; a second is the least there is.
    const PAUSE: Duration = Duration::from_secs(1);

    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, PAUSE)?;
    sockopt::set_tcp_keepintvl(stream, PAUSE)?;
    sockopt::set_tcp_keepcnt(stream, 2)?;
    if watcher == Watcher::Worker {
        sockopt::set_tcp_user_timeout(stream, UNANSWERED.as_millis() as u32)?;
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn set(stream: &TcpStream, _watcher: Watcher) -> io::Result<()> {
    Ok(rustix::net::sockopt::set_socket_keepalive(stream, true)?)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::TcpListener;

    use rustix::net::sockopt;

    use super::*;

    #[test]
    fn only_connections_between_hosts_are_watched() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let watched = || {
            let timeout = sockopt::tcp_user_timeout(&stream).unwrap();
            (sockopt::socket_keepalive(&stream).unwrap(), timeout)
        };
        let (here, mapped) = ("127.0.0.1:1", "[::ffff:127.0.0.1]:1");
        for peer in [here, mapped] {
            keep(&stream, peer.parse().unwrap(), Watcher::Worker).unwrap();
            assert_eq!(watched(), (false, 0));
        }
        let away = "192.0.2.1:1".parse().unwrap();
        keep(&stream, away, Watcher::Supervisor).unwrap();
        assert_eq!(watched(), (true, 0));
        keep(&stream, away, Watcher::Worker).unwrap();
        assert_eq!(watched(), (true, 1500));
    }
}
