//! The gate: accepts connections until enough have been admitted, each in a thread of its own.
//!
//! A silent client must not hold up the workers behind it, so handshakes run side by side. At most
//! [`MAX_PENDING`] do: when there are more, the oldest stranger gives way once it has had its
//! [`TURN`], and until then further connections wait in the listener's backlog, where they cost no
//! thread. When the gate shuts, handshakes still under way are cut off instead of waited for.

use std::collections::BTreeMap;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::link::Link;

/// Most handshakes under way at a time.
const MAX_PENDING: usize = 64;

/// Time a stranger has for itself even in a crowd. A handshake takes about a millisecond, and more
/// where hundreds of workers start on a few cores.
const TURN: Duration = Duration::from_secs(1);

/// Pause between two looks at an idle listener; what a worker may lose at the start.
const PAUSE: Duration = Duration::from_micros(500);

/// Accepts on `listener`, which must be non-blocking, until `shut` says so.
///
/// `greet` runs the handshake under the gate's watch. It calls its second argument as soon as the
/// peer has proved itself: the gate then lets go of the connection, or answers false if it was cut
/// off before. What `greet` returns goes, in the same thread, to `enter`.
pub(crate) fn keep<T>(
    listener: &TcpListener,
    shut: impl Fn() -> bool,
    greet: impl Fn(TcpStream, &dyn Fn() -> bool) -> Option<(Link, T)> + Sync,
    enter: impl Fn(Arc<Link>, T) + Sync,
) {
    let pending = Pending::default();
    thread::scope(|scope| {
        let mut number = 0_u64;
        while !shut() {
            if !pending.make_room() {
                thread::sleep(PAUSE);
                continue;
            }
            // An error is either "nobody there" or a client that has already left.
            let accepted = listener.accept().and_then(|(stream, _)| {
                let watched = stream.try_clone()?;
                Ok((stream, watched))
            });
            let Ok((stream, watched)) = accepted else {
                thread::sleep(PAUSE);
                continue;
            };
            number += 1;
            pending.insert(number, watched);
            let (pending, greet, enter) = (&pending, &greet, &enter);
            let handshake = move || {
                let greeted = greet(stream, &|| pending.remove(number));
                pending.remove(number);
                if let Some((link, greeted)) = greeted {
                    enter(Arc::new(link), greeted);
                }
            };
            // Without a thread the client is dropped; a worker will dial again.
            if thread::Builder::new().spawn_scoped(scope, handshake).is_err() {
                pending.remove(number);
            }
        }
        pending.close();
    });
}

#[derive(Default)]
struct Pending(Mutex<BTreeMap<u64, (Instant, TcpStream)>>);

impl Pending {
    /// Whether one more may come in; cuts off the oldest for it if that has had its turn.
    fn make_room(&self) -> bool {
        let mut pending = self.lock();
        if pending.len() < MAX_PENDING {
            return true;
        }
        if let Some(oldest) = pending.first_entry()
            && oldest.get().0.elapsed() > TURN
        {
            cut(&oldest.remove().1);
            return true;
        }
        false
    }

    fn insert(&self, number: u64, stream: TcpStream) {
        self.lock().insert(number, (Instant::now(), stream));
    }

    /// False if it was cut off before.
    fn remove(&self, number: u64) -> bool {
        self.lock().remove(&number).is_some()
    }

    fn close(&self) {
        self.lock().values().for_each(|(_, stream)| cut(stream));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, (Instant, TcpStream)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends a connection, whoever reads or writes it.
fn cut(stream: &TcpStream) {
    // The peer may have closed first, which is just as well.
    let _ = stream.shutdown(Shutdown::Both);
}
