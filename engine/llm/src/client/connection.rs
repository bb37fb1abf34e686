//! Kept-alive HTTP/1.1 connections to one address.
//!
//! A stack of idle connections: the one used last is used next, so that a lull lets the others
//! grow old together. A reused connection may have been closed by the peer at the moment it is
//! used; only then, and only if nothing of an answer has arrived, the request is sent once more on
//! a new connection.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::Request;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::http::response::Parts;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

type Sender = SendRequest<Full<Bytes>>;

/// Longest answer that is read. A list of 2048 vectors of 4096 numbers fits.
const MAX_ANSWER: usize = 256 << 20;

/// Why there is no response.
#[derive(Debug)]
pub(super) enum TransportError {
    /// No connection could be made.
    Connect(io::Error),
    /// The connection broke before the whole answer was there.
    Broken(String),
    /// The answer is longer than is read.
    TooLong,
}

/// See the module.
pub(super) struct Connections {
    authority: String,
    tls: Option<TlsConnector>,
    idle: Mutex<Vec<Sender>>,
    max_idle: usize,
}

impl Connections {
    /// To `authority` (`HOST:PORT`), keeping up to `max_idle` connections.
    pub(super) fn new(
        authority: String,
        tls: Option<Arc<rustls::ClientConfig>>,
        max_idle: usize,
    ) -> Self {
        let tls = tls.map(TlsConnector::from);
        Connections { authority, tls, idle: Mutex::new(Vec::new()), max_idle }
    }

    /// Send what `build` makes; the answer's head, and its body to be read.
    pub(super) async fn send(
        &self,
        build: impl Fn() -> Request<Full<Bytes>>,
    ) -> Result<(Parts, Reading<'_>), TransportError> {
        if let Some(mut sender) = self.reuse().await {
            match sender.send_request(build()).await {
                Ok(response) => return Ok(self.begin(sender, response)),
                Err(error) if closed_before_answer(&error) => {}
                Err(error) => return Err(TransportError::Broken(describe(&error))),
            }
        }
        let mut sender = self.connect().await.map_err(TransportError::Connect)?;
        match sender.send_request(build()).await {
            Ok(response) => Ok(self.begin(sender, response)),
            Err(error) => Err(TransportError::Broken(describe(&error))),
        }
    }

    /// An idle connection that is still open.
    async fn reuse(&self) -> Option<Sender> {
        loop {
            let mut sender = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
            // Waits at most for the connection's own task to notice that its last answer is read.
            if sender.ready().await.is_ok() {
                return Some(sender);
            }
        }
    }

    async fn connect(&self) -> io::Result<Sender> {
        let stream = TcpStream::connect(&self.authority).await?;
        stream.set_nodelay(true)?;
        match &self.tls {
            None => speak(stream).await,
            Some(tls) => {
                // Whoever made the certificates of the run does not compare names.
                let name = ServerName::try_from("sage-flow").map_err(io::Error::other)?;
                speak(tls.connect(name, stream).await?).await
            }
        }
    }

    fn begin(&self, sender: Sender, response: hyper::Response<Incoming>) -> (Parts, Reading<'_>) {
        let (parts, body) = response.into_parts();
        (parts, Reading { connections: self, sender, body })
    }
}

async fn speak(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> io::Result<Sender> {
    let (sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    // Ends by itself when the sender is dropped; its errors reach the request under way.
    tokio::spawn(connection);
    Ok(sender)
}

/// An answer that is still coming. Dropped before its end, its connection is closed.
pub(super) struct Reading<'a> {
    connections: &'a Connections,
    sender: Sender,
    body: Incoming,
}

impl Reading<'_> {
    /// The whole of it.
    pub(super) async fn whole(self) -> Result<Bytes, TransportError> {
        let Reading { connections, sender, body } = self;
        let bytes = match Limited::new(body, MAX_ANSWER).collect().await {
            Ok(collected) => collected.to_bytes(),
            Err(error) => {
                return Err(match error.downcast::<hyper::Error>() {
                    Ok(error) => TransportError::Broken(describe(&error)),
                    Err(_) => TransportError::TooLong,
                });
            }
        };
        connections.keep(sender);
        Ok(bytes)
    }

    /// Piece by piece, until `see` has seen enough.
    pub(super) async fn pieces(
        mut self,
        mut see: impl FnMut(&[u8]) -> bool,
    ) -> Result<(), TransportError> {
        while let Some(frame) = self.body.frame().await {
            let frame = frame.map_err(|error| TransportError::Broken(describe(&error)))?;
            if let Some(data) = frame.data_ref()
                && !see(data)
            {
                return Ok(());
            }
        }
        self.connections.keep(self.sender);
        Ok(())
    }
}

impl Connections {
    fn keep(&self, sender: Sender) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < self.max_idle {
            idle.push(sender);
        }
    }
}

/// Whether the peer had closed the connection before it said anything.
fn closed_before_answer(error: &hyper::Error) -> bool {
    error.is_incomplete_message()
        || error.is_canceled()
        || error.is_closed()
        || std::error::Error::source(error)
            .and_then(|source| source.downcast_ref::<io::Error>())
            .is_some_and(|error| {
                matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
            })
}

fn describe(error: &hyper::Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
