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

/// Most connections a worker dials at a time.
const MAX_DIALS: usize = 16;
/// Pause before a connection is tried again.
const RETRY: Duration = Duration::from_millis(10);

/// What a worker knows when it forms its part of the mesh.
pub(crate) struct Mesh<'a> {
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
    pub(crate) fn form(
        &self,
        listener: &TcpListener,
    ) -> Result<Vec<Option<TcpStream>>, ClusterError> {
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
        let greet = |link: &Link, proved: &dyn Fn() -> bool| {
            let door = Door {
                role: Role::Mesh,
                from: self.index + 1..workers,
                to: self.index,
                generation: self.generation,
                version: self.version,
            };
            let deadline = self.deadline.min(Instant::now() + PATIENCE);
            let claim = |peer| proved() && places.claim(peer);
            handshake::admit(link, self.secret, &door, claim, deadline).ok()
        };
        gate::keep(listener, shut, greet, |link, peer| places.enter(peer, link));
    }

    fn dial(&self, peer: usize) -> Result<Link, ClusterError> {
        let me = Introduction {
            role: Role::Mesh,
            from: self.index,
            to: peer,
            generation: self.generation,
            version: self.version,
        };
        connect(self.peers[peer], self.secret, &me, self.deadline)
    }

    fn sockets(
        &self,
        places: Places,
        start: Instant,
    ) -> Result<Vec<Option<TcpStream>>, ClusterError> {
        let places = places.places.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut missing = Vec::new();
        let mut sockets = Vec::with_capacity(places.len());
        for (peer, place) in places.into_iter().enumerate() {
            let socket =
                place.link.and_then(Arc::into_inner).and_then(|link| link.into_stream().ok());
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
    address: SocketAddr,
    secret: &Secret,
    me: &Introduction<'_>,
    deadline: Instant,
) -> Result<Link, ClusterError> {
    loop {
        let link = dial(address, deadline)?;
        match handshake::introduce(&link, secret, me, deadline) {
            Ok(()) => return Ok(link),
            Err(ClusterError::Link { .. }) if Instant::now() + RETRY < deadline => {
                thread::sleep(RETRY);
            }
            Err(error) => return Err(error),
        }
    }
}

/// A refused connection is tried again this long. Whoever has an address to dial got it from a
/// process that listened there already, so a refusal means that it has ended: a worker whose
/// supervisor died must not go on dialling until the deadline.
const REFUSED: Duration = Duration::from_millis(500);

/// Connects, and tries again while the peer is not there, until the deadline.
fn dial(address: SocketAddr, deadline: Instant) -> Result<Link, ClusterError> {
    let start = Instant::now();
    loop {
        let left = deadline.saturating_duration_since(Instant::now()).max(RETRY);
        match TcpStream::connect_timeout(&address, left).and_then(Link::new) {
            Ok(link) => return Ok(link),
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
