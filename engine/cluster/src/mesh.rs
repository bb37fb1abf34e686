//! The mesh: one authenticated socket between each two workers.
//!
//! Each worker dials the lower indices and accepts the higher ones, so every pair is dialled once.
//! Dialling and accepting run side by side; with n workers each has n - 1 handshakes to do, and one
//! after the other would make the slowest start-up the sum of all round trips.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::ClusterError;
use crate::gate;
use crate::handshake::{self, Door, Introduction, PATIENCE, Role};
use crate::link::Link;
use crate::secret::Secret;
use crate::socket::Socket;
use crate::wire::Wire;

/// Most connections a worker dials at a time.
const MAX_DIALS: usize = 16;
/// Pause before a connection is tried again.
const RETRY: Duration = Duration::from_millis(10);

/// What a worker knows when it forms its part of the mesh.
pub(crate) struct Mesh<'a> {
    pub(crate) wire: &'a Wire,
    pub(crate) secret: &'a Secret,
    pub(crate) version: &'a str,
    pub(crate) generation: u32,
    pub(crate) index: usize,
    /// Mesh addresses of all workers, in order of index.
    pub(crate) peers: &'a [SocketAddr],
    pub(crate) deadline: Instant,
}

/// The connections so far; a place is claimed before its link is there.
#[derive(Default)]
struct Place {
    claimed: bool,
    link: Option<Arc<Link>>,
}

impl Mesh<'_> {
    /// Forms this worker's part of the mesh: one socket a peer, `None` at its own index.
    pub(crate) fn form(&self, listener: &TcpListener) -> Result<Vec<Option<Socket>>, ClusterError> {
        let start = Instant::now();
        let workers = self.peers.len();
        let places: Mutex<Vec<Place>> =
            Mutex::new((0..workers).map(|_| Place::default()).collect());
        let places = Places { places, entered: AtomicUsize::new(0) };
        let failed = AtomicBool::new(false);
        let next = AtomicUsize::new(0);

        thread::scope(|scope| {
            let dial = || {
                loop {
                    let peer = next.fetch_add(1, Ordering::Relaxed);
                    if peer >= self.index || failed.load(Ordering::Relaxed) {
                        return Ok(());
                    }
                    let link = self.dial(peer).inspect_err(|_| {
                        failed.store(true, Ordering::Relaxed);
                    })?;
                    places.enter(peer, Arc::new(link));
                }
            };
            let mut diallers = Vec::new();
            for _ in 0..self.index.min(MAX_DIALS) {
                match thread::Builder::new().spawn_scoped(scope, dial) {
                    Ok(dialler) => diallers.push(dialler),
                    Err(source) => {
                        failed.store(true, Ordering::Relaxed);
                        return Err(ClusterError::Thread { source });
                    }
                }
            }
            self.accept(listener, &places, &failed);
            diallers.into_iter().try_for_each(|dialler| {
                dialler.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
        })?;

        self.sockets(places, start)
    }

    fn accept(&self, listener: &TcpListener, places: &Places, failed: &AtomicBool) {
        let workers = self.peers.len();
        let shut = || {
            places.entered.load(Ordering::Acquire) == workers - 1
                || failed.load(Ordering::Relaxed)
                || Instant::now() >= self.deadline
        };
        let greet = |stream: TcpStream, proved: &dyn Fn() -> bool| {
            let door = Door {
                role: Role::Mesh,
                from: self.index + 1..workers,
                to: self.index,
                generation: self.generation,
                version: self.version,
            };
            let deadline = self.deadline.min(Instant::now() + PATIENCE);
            let claim = |peer: Option<usize>| peer.filter(|peer| proved() && places.claim(*peer));
            let link = self.wire.accepted(stream, deadline).ok()?;
            let admitted = handshake::admit(&link, self.secret, &door, claim, deadline);
            admitted.inspect_err(|_| link.close()).ok().map(|peer| (link, peer))
        };
        gate::keep(listener, shut, greet, |link, peer| places.enter(peer, link));
    }

    fn dial(&self, peer: usize) -> Result<Link, ClusterError> {
        let me = Introduction {
            role: Role::Mesh,
            from: Some(self.index),
            to: peer,
            generation: Some(self.generation),
            version: self.version,
        };
        let address = std::slice::from_ref(&self.peers[peer]);
        connect(self.wire, address, self.secret, &me, self.deadline)
    }

    fn sockets(&self, places: Places, start: Instant) -> Result<Vec<Option<Socket>>, ClusterError> {
        let places = places.places.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut missing = Vec::new();
        let mut sockets = Vec::with_capacity(places.len());
        for (peer, place) in places.into_iter().enumerate() {
            let socket =
                place.link.and_then(Arc::into_inner).and_then(|link| link.into_socket().ok());
            if socket.is_none() && peer != self.index {
                missing.push(peer);
            }
            sockets.push(socket);
        }
        if missing.is_empty() {
            Ok(sockets)
        } else {
            let waited = start.elapsed();
            Err(ClusterError::MeshDeadline { worker: self.index, missing, waited })
        }
    }
}

struct Places {
    places: Mutex<Vec<Place>>,
    entered: AtomicUsize,
}

impl Places {
    fn claim(&self, peer: usize) -> bool {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        !std::mem::replace(&mut places[peer].claimed, true)
    }

    fn enter(&self, peer: usize, link: Arc<Link>) {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places[peer].link = Some(link);
        self.entered.fetch_add(1, Ordering::Release);
    }
}

/// Connects and proves itself. A crowded listener may cut a connection off before it is admitted;
/// that is worth another try until the deadline, a refusal is not.
pub(crate) fn connect(
    wire: &Wire,
    addresses: &[SocketAddr],
    secret: &Secret,
    me: &Introduction<'_>,
    deadline: Instant,
) -> Result<Link, ClusterError> {
    loop {
        let stream = dial(addresses, deadline)?;
        let shaken = wire.dialled(stream, deadline).and_then(|link| {
            let introduced = handshake::introduce(&link, secret, me, deadline);
            introduced.inspect_err(|_| link.close()).map(|()| link)
        });
        match shaken {
            Err(ClusterError::Link { .. } | ClusterError::Vanished { .. })
                if Instant::now() + RETRY < deadline =>
            {
                thread::sleep(RETRY);
            }
            other => return other,
        }
    }
}

/// A refused connection is tried again this long. Whoever has an address to dial got it from a
/// process that listened there already, so a refusal means that it has ended: a worker whose
/// supervisor died must not go on dialling until the deadline.
const REFUSED: Duration = Duration::from_millis(500);
/// Time for a connection where another address can be tried.
const ONE_OF_SEVERAL: Duration = Duration::from_secs(3);

/// Connects to one of the addresses of a host, and tries again while nobody is there, until the
/// deadline.
fn dial(addresses: &[SocketAddr], deadline: Instant) -> Result<TcpStream, ClusterError> {
    let start = Instant::now();
    let mut turn = addresses.iter().copied().cycle();
    loop {
        let address = turn.next().ok_or(ClusterError::Nowhere)?;
        let left = deadline.saturating_duration_since(Instant::now()).max(RETRY);
        // An address that swallows packets must not take the time of the others.
        let left = if addresses.len() > 1 { left.min(ONE_OF_SEVERAL) } else { left };
        match TcpStream::connect_timeout(&address, left) {
            Ok(stream) => return Ok(stream),
            Err(source)
                if Instant::now() + RETRY >= deadline
                    || source.kind() == ErrorKind::ConnectionRefused
                        && start.elapsed() >= REFUSED =>
            {
                return Err(ClusterError::Dial { address, waited: start.elapsed(), source });
            }
            Err(_) => thread::sleep(RETRY),
        }
    }
}

#[cfg(test)]
mod tests;
