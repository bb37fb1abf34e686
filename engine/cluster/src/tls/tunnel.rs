//! Tunnels: TLS connections that look like plain sockets to those who use them.
//!
//! Timely reads and writes a socket from two threads at once, and so does a [`crate::link::Link`]; a
//! TLS session is one thing that two threads cannot share without waiting for each other. So each
//! connection has one end of a socket pair to use, and a task that carries bytes between the other
//! end and TLS. One thread runs the tasks of all connections of a process.
//!
//! **A process must not exit before its tasks are done**: what was written to the socket pair is not
//! with the system yet. [`Tunnels::finish`] waits for that.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::{Builder, Handle};
use tokio::sync::{Notify, oneshot};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use super::Tls;
use crate::error::ClusterError;

/// A connection that was closed here has this long to deliver what was written to it.
const LINGER: Duration = Duration::from_secs(2);
/// Bytes carried at once, each way.
const PIECE: usize = 32 << 10;

/// All tunnels of a process, and the thread that runs them. When it is dropped the tunnels that are
/// closed still have time to deliver; the others are cut.
pub(crate) struct Tunnels {
    runtime: Handle,
    /// Dropped, it ends the thread.
    _stop: oneshot::Sender<()>,
    live: Arc<Live>,
    client: TlsConnector,
    server: TlsAcceptor,
}

/// Which end of a connection this is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum End {
    Dialler,
    Listener,
}

/// The hold on one tunnel.
#[derive(Debug, Clone)]
pub(crate) struct Tunnel {
    closing: Arc<Notify>,
    why: Arc<OnceLock<String>>,
}

impl Tunnel {
    /// Nothing more is to be carried, but for what was written already.
    pub(crate) fn close(&self) {
        self.closing.notify_one();
    }

    /// Why it broke, if it did.
    pub(crate) fn why(&self) -> Option<&str> {
        self.why.get().map(String::as_str)
    }
}

impl Tunnels {
    pub(crate) fn new(tls: &Tls) -> Result<Self, ClusterError> {
        let thread = |source| ClusterError::Thread { source };
        let runtime = Builder::new_current_thread().enable_all().build().map_err(thread)?;
        let handle = runtime.handle().clone();
        let live = Arc::new(Live::default());
        let (stop, stopped) = oneshot::channel::<()>();
        let left = Arc::clone(&live);
        let run = move || {
            runtime.block_on(async {
                let _ = stopped.await;
                let deadline = Instant::now() + LINGER;
                while left.count() > 0 && Instant::now() < deadline {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            });
            runtime.shutdown_background();
        };
        thread::Builder::new().name("tls".to_owned()).spawn(run).map_err(thread)?;
        Ok(Self {
            runtime: handle,
            _stop: stop,
            live,
            client: TlsConnector::from(tls.client()),
            server: TlsAcceptor::from(tls.server()),
        })
    }

    /// Shakes hands on `stream` until `deadline`; gives the socket to use in its stead.
    pub(crate) fn open(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        end: End,
        deadline: Instant,
    ) -> Result<(UnixStream, Tunnel), ClusterError> {
        let (ours, theirs) = UnixStream::pair().map_err(|error| broken(peer, &error))?;
        let closing = Arc::new(Notify::new());
        let why = Arc::new(OnceLock::new());
        let tunnel = Tunnel { closing: Arc::clone(&closing), why: Arc::clone(&why) };
        let (client, server) = (self.client.clone(), self.server.clone());
        let (tell, told) = mpsc::sync_channel(1);
        let counted = Counted::new(&self.live);
        self.runtime.spawn(async move {
            let _counted = counted;
            let time = tokio::time::Instant::from_std(deadline);
            let shaken = shake(stream, end, client, server);
            let shaken = match tokio::time::timeout_at(time, shaken).await {
                Ok(shaken) => shaken,
                Err(_) => Err(io::ErrorKind::TimedOut.into()),
            };
            let local = shaken.and_then(|tls| {
                theirs.set_nonblocking(true)?;
                Ok((tls, tokio::net::UnixStream::from_std(theirs)?))
            });
            let (tls, local) = match local {
                Ok(both) => both,
                Err(error) => return drop(tell.send(Err(error))),
            };
            if tell.send(Ok(())).is_ok() {
                carry(tls, local, &closing, &why).await;
            }
        });
        match told.recv() {
            Ok(Ok(())) => Ok((ours, tunnel)),
            Ok(Err(error)) => Err(broken(peer, &error)),
            Err(_) => Err(broken(peer, &io::Error::other("this process is ending"))),
        }
    }

    /// Waits until every tunnel has delivered what was written to it and is closed, for `patience`
    /// at most; whether it came to that.
    pub(crate) fn finish(&self, patience: Duration) -> bool {
        self.live.none_within(patience)
    }
}

async fn shake(
    stream: TcpStream,
    end: End,
    client: TlsConnector,
    server: TlsAcceptor,
) -> io::Result<TlsStream<tokio::net::TcpStream>> {
    stream.set_nonblocking(true)?;
    stream.set_nodelay(true)?;
    let stream = tokio::net::TcpStream::from_std(stream)?;
    Ok(match end {
        End::Dialler => {
            // Not compared with anything, see `verify`.
            let name = ServerName::try_from("sage-flow").map_err(io::Error::other)?;
            client.connect(name, stream).await?.into()
        }
        End::Listener => server.accept(stream).await?.into(),
    })
}

/// Carries bytes both ways until both ways are closed, or one is broken.
async fn carry(
    tls: TlsStream<tokio::net::TcpStream>,
    local: tokio::net::UnixStream,
    closing: &Notify,
    why: &OnceLock<String>,
) {
    let (mut from_peer, mut to_peer) = tokio::io::split(tls);
    let (mut from_here, mut to_here) = local.into_split();
    let out = async {
        let mut piece = vec![0; PIECE];
        while let Ok(count @ 1..) = from_here.read(&mut piece).await {
            to_peer.write_all(&piece[..count]).await?;
            to_peer.flush().await?;
        }
        to_peer.shutdown().await
    };
    let back = async {
        let mut piece = vec![0; PIECE];
        let mut listening = true;
        loop {
            let count = from_peer.read(&mut piece).await?;
            if count == 0 {
                break;
            }
            // What nobody wants is read all the same: a socket that is closed with bytes unread
            // resets the connection, and that can cost the peer what it has not received yet.
            listening = listening && to_here.write_all(&piece[..count]).await.is_ok();
        }
        let _ = to_here.shutdown().await;
        Ok(())
    };
    let given_up = async {
        closing.notified().await;
        tokio::time::sleep(LINGER).await;
    };
    let carried: io::Result<_> = tokio::select! {
        both = async { tokio::try_join!(out, back) } => both.map(drop),
        () = given_up => Ok(()),
    };
    // Before the sockets are dropped: whoever sees the end may ask for the reason.
    if let Err(error) = carried {
        // An end without a word is what the network does, and no objection.
        if error.kind() != io::ErrorKind::UnexpectedEof {
            let _ = why.set(describe(&error));
        }
    }
}

/// How many tunnels there are.
#[derive(Default)]
struct Live {
    count: Mutex<usize>,
    fewer: Condvar,
}

impl Live {
    fn count(&self) -> usize {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn none_within(&self, patience: Duration) -> bool {
        let count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        let (count, _) = self
            .fewer
            .wait_timeout_while(count, patience, |count| *count > 0)
            .unwrap_or_else(PoisonError::into_inner);
        *count == 0
    }
}

/// One of them.
struct Counted(Arc<Live>);

impl Counted {
    fn new(live: &Arc<Live>) -> Self {
        *live.count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        Self(Arc::clone(live))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        *self.0.count.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.0.fewer.notify_all();
    }
}

/// What TLS objects to will not be better the next time; what the network does may.
fn broken(peer: SocketAddr, error: &io::Error) -> ClusterError {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        let reason = "closed in the middle of the TLS handshake".to_owned();
        return ClusterError::Link { peer, during: "the TLS handshake", reason };
    }
    let of_tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let reason = describe(error);
    match of_tls {
        Some(error) => ClusterError::Tls { peer, reason, certificate: is_of_certificates(error) },
        None => ClusterError::Link { peer, during: "the TLS handshake", reason },
    }
}

/// Whether one end has shown a certificate that the other does not take.
fn is_of_certificates(error: &rustls::Error) -> bool {
    use rustls::{AlertDescription as Alert, Error};
    match error {
        Error::InvalidCertificate(_) => true,
        Error::AlertReceived(alert) => matches!(
            alert,
            Alert::UnknownCA
                | Alert::DecryptError
                | Alert::BadCertificate
                | Alert::CertificateExpired
                | Alert::CertificateUnknown
        ),
        _ => false,
    }
}

/// In words that say what to do.
fn describe(error: &io::Error) -> String {
    use rustls::{AlertDescription as Alert, CertificateError, Error};
    if error.kind() == io::ErrorKind::TimedOut && error.raw_os_error().is_none() {
        return "the deadline passed".to_owned();
    }
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    let advice = match inner {
        // Authorities of two runs have the same name, so it is the signature that is wrong.
        Some(Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        )) => "its certificate is of another run",
        Some(Error::AlertReceived(Alert::UnknownCA | Alert::DecryptError)) => {
            "it takes this process's certificate for one of another run; use the credentials of \
             the run that goes on now"
        }
        Some(Error::InvalidCertificate(
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. },
        )) => "its certificate does not hold today; compare the clocks of both hosts",
        Some(Error::NoCertificatesPresented) => "it showed no certificate",
        Some(Error::InvalidMessage(_)) => {
            "it does not speak TLS; both ends of a run need the same --links"
        }
        _ => return error.to_string(),
    };
    format!("{advice} ({error})")
}
