//! Between a worker that joins and its run: a way that can be frozen or cut, and healed.
//!
//! The worker is told the address of a strait in place of the control port. The address of the
//! gateway comes with the job, through the strait, which puts that of another strait in its place:
//! the two links of one worker can be disturbed apart.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "helpers of tests; each test file uses its own part"
)]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;

/// A way to one address; ends with the test.
#[derive(Clone)]
pub struct Strait {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    to: SocketAddr,
    state: Mutex<State>,
    changed: Condvar,
    /// Of a control link: what is read on the way.
    notes: Option<Mutex<Notes>>,
}

#[derive(Default)]
struct State {
    weather: Weather,
    /// Both ends of all connections.
    open: Vec<TcpStream>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Weather {
    #[default]
    Fair,
    /// Nothing passes; what was sent passes later.
    Frozen,
    /// Connections are closed, and new ones at once.
    Cut,
}

/// What a control link says on its way.
#[derive(Default)]
struct Notes {
    /// The index that the worker was given last.
    index: Option<usize>,
    gateway: Option<Strait>,
}

impl Strait {
    /// For a control link; the gateway's gets a strait, too, when the job comes.
    pub fn of_control(to: SocketAddr) -> Self {
        Self::open(to, Some(Mutex::default()))
    }

    fn open(to: SocketAddr, notes: Option<Mutex<Notes>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared =
            Arc::new(Shared { to, state: Mutex::default(), changed: Condvar::new(), notes });
        let carrier = Arc::clone(&shared);
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                if carrier.thawed().weather == Weather::Cut {
                    continue;
                }
                // Without a run the worker finds its connection closed.
                if let Ok(far) = TcpStream::connect(carrier.to) {
                    carrier.carry(near, far);
                }
            }
        });
        Strait { address, shared }
    }

    pub fn freeze(&self) {
        self.set(Weather::Frozen);
    }

    pub fn cut(&self) {
        self.set(Weather::Cut);
        for stream in self.shared.state.lock().unwrap().open.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    pub fn heal(&self) {
        self.set(Weather::Fair);
    }

    fn set(&self, weather: Weather) {
        self.shared.state.lock().unwrap().weather = weather;
        self.shared.changed.notify_all();
    }

    /// The worker's index, once it has one.
    pub fn index(&self) -> Option<usize> {
        self.shared.notes.as_ref()?.lock().unwrap().index
    }

    /// The link to the gateway, once the worker knows of it.
    pub fn gateway(&self) -> Option<Strait> {
        self.shared.notes.as_ref()?.lock().unwrap().gateway.clone()
    }
}

impl Shared {
    fn thawed(&self) -> MutexGuard<'_, State> {
        let state = self.state.lock().unwrap();
        self.changed.wait_while(state, |state| state.weather == Weather::Frozen).unwrap()
    }

    fn carry(self: &Arc<Self>, near: TcpStream, far: TcpStream) {
        let (_, _) = (near.set_nodelay(true), far.set_nodelay(true));
        {
            let mut state = self.thawed();
            state.open.extend([near.try_clone().unwrap(), far.try_clone().unwrap()]);
        }
        let (up, down) = (Arc::clone(self), Arc::clone(self));
        let (from, to) = (near.try_clone().unwrap(), far.try_clone().unwrap());
        thread::spawn(move || up.copy(from, to, |_| 0));
        thread::spawn(move || {
            let mut reader = down.notes.as_ref().map(|_| Reader::default());
            let look = |bytes: &mut Vec<u8>| match &mut reader {
                Some(reader) => reader.read(bytes, down.notes.as_ref().unwrap()),
                None => 0,
            };
            down.copy(far, near, look);
        });
    }

    /// `look` may alter the bytes, and says how many of the last ones are to wait for more.
    fn copy(
        &self,
        mut from: TcpStream,
        mut to: TcpStream,
        mut look: impl FnMut(&mut Vec<u8>) -> usize,
    ) {
        let (mut buffer, mut held) = (vec![0; 1 << 14], Vec::new());
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            held.extend_from_slice(&buffer[..length]);
            let rest = held.len() - look(&mut held);
            drop(self.thawed());
            if to.write_all(&held[..rest]).is_err() {
                break;
            }
            held.drain(..rest);
        }
        drop(self.thawed());
        let _ = to.write_all(&held);
        // The other direction has an end of its own.
        let _ = to.shutdown(Shutdown::Write);
    }
}

const INDEX: &[u8] = b"{\"Assign\":{\"index\":";
const GATEWAY: &[u8] = b"\"gateway\":\"http://127.0.0.1:";
/// Digits of every port that the system gives.
const PORT: usize = 5;

/// Looks at what a run tells a worker, until it has said all that is wanted.
#[derive(Default)]
struct Reader {
    done: bool,
    index: bool,
}

impl Reader {
    fn read(&mut self, bytes: &mut [u8], notes: &Mutex<Notes>) -> usize {
        if self.done {
            return 0;
        }
        if !self.index
            && let Some(at) = find(bytes, INDEX)
        {
            let digits = bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            let index = std::str::from_utf8(&bytes[at..at + digits]).unwrap().parse();
            notes.lock().unwrap().index = index.ok();
            self.index = true;
        }
        let Some(at) = find(bytes, GATEWAY) else {
            // What may be the beginning of it waits for the rest.
            let begins = |length: &usize| bytes.ends_with(&GATEWAY[..*length]);
            return (1..GATEWAY.len()).rev().find(begins).unwrap_or(0);
        };
        if at + PORT > bytes.len() {
            return GATEWAY.len() + bytes.len() - at;
        }
        let port = std::str::from_utf8(&bytes[at..at + PORT]).unwrap().parse().unwrap();
        let to = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut notes = notes.lock().unwrap();
        let known = notes.gateway.take().filter(|strait| strait.shared.to == to);
        let strait = known.unwrap_or_else(|| Strait::open(to, None));
        let port = strait.address.port().to_string();
        assert_eq!(port.len(), PORT, "the length of the job must stay");
        bytes[at..at + PORT].copy_from_slice(port.as_bytes());
        notes.gateway = Some(strait);
        self.done = true;
        0
    }
}

/// Where `part` ends in the text.
fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part).map(|at| at + part.len())
}
