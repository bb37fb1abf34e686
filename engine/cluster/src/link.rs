//! A link: one connection, its frames, and a deadline for each of them.
//!
//! All traffic of the crate passes through here, with TLS below it or without. A deadline covers a whole frame, not a single read, because
//! a peer that sends one byte a second would otherwise hold a thread for as long as it likes.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::frame::{self, FrameError};
use crate::socket::Socket;
use crate::tls::tunnel::Tunnel;

/// One connection. One thread may receive while any number of threads send.
#[derive(Debug)]
pub(crate) struct Link {
    stream: Socket,
    /// What lies below the socket, if anything does.
    tunnel: Option<Tunnel>,
    peer: SocketAddr,
    local: SocketAddr,
    sending: Mutex<()>,
}

impl Link {
    /// Takes over a connected, blocking socket. The addresses are those of the TCP connection.
    pub(crate) fn new(
        stream: Socket,
        tunnel: Option<Tunnel>,
        peer: SocketAddr,
        local: SocketAddr,
    ) -> Self {
        Self { stream, tunnel, peer, local, sending: Mutex::new(()) }
    }

    pub(crate) fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// This end's own address.
    pub(crate) fn local(&self) -> SocketAddr {
        self.local
    }

    /// Why the connection broke, where the socket does not tell.
    pub(crate) fn why(&self) -> Option<&str> {
        self.tunnel.as_ref().and_then(Tunnel::why)
    }

    /// Sends one message and, right behind it, a raw frame if there is one.
    pub(crate) fn send<T: Serialize>(
        &self,
        message: &T,
        raw: Option<&[u8]>,
        deadline: Option<Instant>,
    ) -> Result<(), FrameError> {
        self.send_when_free(message, raw, || deadline)
    }

    /// As [`Link::send`], but the time counts from this sender's turn: one that had to wait behind
    /// others is not late for that.
    pub(crate) fn send_within<T: Serialize>(
        &self,
        message: &T,
        raw: Option<&[u8]>,
        time: Duration,
    ) -> Result<(), FrameError> {
        self.send_when_free(message, raw, || Some(Instant::now() + time))
    }

    fn send_when_free<T: Serialize>(
        &self,
        message: &T,
        raw: Option<&[u8]>,
        deadline: impl FnOnce() -> Option<Instant>,
    ) -> Result<(), FrameError> {
        let bytes = serde_json::to_vec(message).map_err(FrameError::Malformed)?;
        let _sending = self.sending.lock().unwrap_or_else(PoisonError::into_inner);
        let mut stream = Until { stream: &self.stream, deadline: deadline() };
        frame::write(&mut stream, &bytes, frame::MAX_PEER)?;
        raw.map_or(Ok(()), |raw| frame::write(&mut stream, raw, frame::MAX_PEER))
    }

    /// Waits for one message.
    pub(crate) fn receive<T: DeserializeOwned>(
        &self,
        limit: usize,
        deadline: Option<Instant>,
    ) -> Result<T, FrameError> {
        let bytes = self.receive_raw(limit, deadline)?;
        serde_json::from_slice(&bytes).map_err(FrameError::Malformed)
    }

    /// Waits for one raw frame.
    pub(crate) fn receive_raw(
        &self,
        limit: usize,
        deadline: Option<Instant>,
    ) -> Result<Vec<u8>, FrameError> {
        frame::read(&mut Until { stream: &self.stream, deadline }, limit)
    }

    /// Ends both directions; a thread that waits in `receive` or `send` returns.
    pub(crate) fn close(&self) {
        // The peer may have closed first, which is just as well.
        let _ = self.stream.shutdown(Shutdown::Both);
        if let Some(tunnel) = &self.tunnel {
            tunnel.close();
        }
    }

    /// Hands the bare socket over, blocking and without timeouts.
    pub(crate) fn into_socket(self) -> io::Result<Socket> {
        self.stream.set_read_timeout(None)?;
        self.stream.set_write_timeout(None)?;
        Ok(self.stream)
    }
}

/// A socket whose operations all end by one deadline.
struct Until<'a> {
    stream: &'a Socket,
    deadline: Option<Instant>,
}

impl Until<'_> {
    fn left(&self) -> io::Result<Option<Duration>> {
        let Some(deadline) = self.deadline else { return Ok(None) };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(Some(left)) }
    }
}

impl Read for Until<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(self.left()?)?;
        (&mut &*self.stream).read(buffer)
    }
}

impl Write for Until<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(self.left()?)?;
        (&mut &*self.stream).write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
