//! Connections that can be reset, and that break while the server is out.
//!
//! A reset is a TCP segment of its own, which a server sends when it closes a socket whose linger
//! time is zero. So the socket has to know, when hyper drops it, that it is to be reset: a flag
//! that the handlers of its requests can set. An outage cuts what is being written and drops what
//! is accepted. The listening socket itself stays open, so a client is reset, not refused.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

use super::clock::Clock;
use super::fault::Active;

/// Wait after an accept that failed for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What the requests of a connection know of it.
#[derive(Debug, Clone)]
pub(super) struct Connection {
    pub(super) peer: SocketAddr,
    flags: Arc<Flags>,
}

#[derive(Debug, Default)]
struct Flags {
    reset: AtomicBool,
    /// What is written now is beyond outages.
    exempt: AtomicBool,
}

impl Connection {
    /// Reset the connection when it is closed next.
    pub(super) fn reset(&self) {
        self.flags.reset.store(true, Ordering::Relaxed);
    }

    /// Whether the current request gets its answer in an outage too.
    pub(super) fn set_exempt(&self, exempt: bool) {
        self.flags.exempt.store(exempt, Ordering::Relaxed);
    }
}

impl Connected<IncomingStream<'_, Door>> for Connection {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        let flags = Arc::clone(&stream.io().flags);
        Connection { peer: *stream.remote_addr(), flags }
    }
}

/// A listener whose connections know the outages.
#[derive(Debug)]
pub(super) struct Door {
    listener: TcpListener,
    faults: Arc<Active>,
    clock: Clock,
    /// Accept in outages too: requests decide by themselves.
    always: bool,
}

impl Door {
    pub(super) fn new(
        listener: TcpListener,
        faults: Arc<Active>,
        clock: Clock,
        always: bool,
    ) -> Self {
        Door { listener, faults, clock, always }
    }
}

impl Listener for Door {
    type Io = Socket;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Socket, SocketAddr) {
        loop {
            let (stream, peer) = match self.listener.accept().await {
                Ok(accepted) => accepted,
                // A client that is gone again is no reason to wait; anything else is.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
                Err(_) => {
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            // Small events must leave at once; without it they are only later.
            let _ = stream.set_nodelay(true);
            let flags = Arc::new(Flags::default());
            let socket =
                Socket { stream, flags, faults: Arc::clone(&self.faults), clock: self.clock };
            if !self.always && self.faults.outage(self.clock.now()) {
                socket.flags.reset.store(true, Ordering::Relaxed);
                drop(socket);
                continue;
            }
            return (socket, peer);
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection.
#[derive(Debug)]
pub(super) struct Socket {
    stream: TcpStream,
    flags: Arc<Flags>,
    faults: Arc<Active>,
    clock: Clock,
}

impl Socket {
    /// An error while the server is out.
    fn reachable(&self) -> io::Result<()> {
        if self.flags.exempt.load(Ordering::Relaxed) || !self.faults.outage(self.clock.now()) {
            return Ok(());
        }
        self.flags.reset.store(true, Ordering::Relaxed);
        Err(io::ErrorKind::ConnectionReset.into())
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.flags.reset.load(Ordering::Relaxed) {
            // If it fails the connection is closed in the ordinary way, which is all that is left.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.reachable()?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.reachable()?;
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.flags.reset.load(Ordering::Relaxed) {
            // An orderly end first would hide the reset.
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
