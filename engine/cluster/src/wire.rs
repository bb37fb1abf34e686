//! The wire: how a TCP connection of this process becomes a link, with TLS or without.

use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::ClusterError;
use crate::link::Link;
use crate::socket::Socket;
use crate::tls::Tls;
use crate::tls::tunnel::{End, Tunnels};
use crate::vigil::{self, Watcher};

/// How the processes of a run are connected.
#[derive(Debug, Clone, Default)]
pub enum Transport {
    /// Plain TCP after a handshake that proves the run's secret: for one host, or a network that
    /// nobody else listens to.
    #[default]
    Hmac,
    /// Mutual TLS 1.3, and the same handshake inside.
    Tls(Tls),
}

/// The connections of this process, which lie in its hands until they have delivered what was
/// written to them.
#[derive(Clone)]
pub struct Wire {
    tunnels: Option<Arc<Tunnels>>,
    watcher: Watcher,
}

impl Wire {
    pub(crate) fn new(transport: &Transport, watcher: Watcher) -> Result<Self, ClusterError> {
        let tunnels = match transport {
            Transport::Hmac => None,
            Transport::Tls(tls) => Some(Arc::new(Tunnels::new(tls)?)),
        };
        Ok(Self { tunnels, watcher })
    }

    /// Waits until all that was written is with the system and every connection is closed, for
    /// `patience` at most; whether it came to that. A process that exits earlier may lose its last
    /// words. Close the connections first, see [`crate::Control::close`].
    pub fn finish(&self, patience: Duration) -> bool {
        self.tunnels.as_ref().is_none_or(|tunnels| tunnels.finish(patience))
    }

    pub(crate) fn dialled(
        &self,
        stream: TcpStream,
        deadline: Instant,
    ) -> Result<Link, ClusterError> {
        self.link(stream, End::Dialler, deadline)
    }

    pub(crate) fn accepted(
        &self,
        stream: TcpStream,
        deadline: Instant,
    ) -> Result<Link, ClusterError> {
        self.link(stream, End::Listener, deadline)
    }

    fn link(&self, stream: TcpStream, end: End, deadline: Instant) -> Result<Link, ClusterError> {
        let addresses = || io::Result::Ok((stream.peer_addr()?, stream.local_addr()?));
        let gone = |error: io::Error| ClusterError::Vanished { reason: error.to_string() };
        let (peer, local) = addresses().map_err(gone)?;
        vigil::keep(&stream, peer, self.watcher).map_err(gone)?;
        let (socket, tunnel) = match &self.tunnels {
            None => {
                stream.set_nonblocking(false).map_err(gone)?;
                // The messages are small and waited for, so Nagle is off.
                stream.set_nodelay(true).map_err(gone)?;
                (Socket::Tcp(stream), None)
            }
            Some(tunnels) => {
                let (socket, tunnel) = tunnels.open(stream, peer, end, deadline)?;
                (Socket::Unix(socket), Some(tunnel))
            }
        };
        Ok(Link::new(socket, tunnel, peer, local))
    }
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.tunnels.is_some() { "Wire(tls)" } else { "Wire(hmac)" })
    }
}
