//! A service over HTTP: `POST` a JSON object, get the row that comes out of it.
//!
//! ```text
//! connection -> request (head, body, record) -> desk (admission, queue) -> dataflow
//!           <- answer (status, JSON)         <- desk (by number)        <-
//! ```
//! The server has a thread of its own, so slow clients hold up nobody. Everything is bounded: the
//! connections, the memory of bodies that are read, the requests in the pipeline, and every wait.

mod answer;
mod connection;
mod desk;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod listener;
mod request;
mod stream;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use sage_core::service::{Next, Opening, Reply, Service};
use sage_dsl::types::RecordType;

use crate::HttpError;
use desk::Desk;

/// How a service is set up.
#[derive(Debug, Clone)]
pub struct ServiceConfig {
    /// Where it listens, `HOST:PORT`; port 0 takes a free one.
    pub listen: String,
    /// Path that requests are posted to.
    pub path: String,
    /// What a request is.
    pub record: RecordType,
    /// What callers have to bring as `Authorization: Bearer`, if anything.
    pub token: Option<String>,
    /// Most requests in the pipeline.
    pub capacity: usize,
    /// Largest body, bytes.
    pub max_body: usize,
    /// Longest time until the answer.
    pub deadline: Duration,
    /// When it is to end, requests that are in are waited for so long.
    pub drain: Duration,
}

/// The port of a predecessor that was just killed may be taken for a moment.
const BIND_TRIES: u32 = 50;
const BIND_PAUSE: Duration = Duration::from_millis(100);

/// A service that listens; see the module. Dropped, it answers what is left, and ends.
pub struct Server {
    desk: Arc<Desk>,
    address: SocketAddr,
    thread: Option<thread::JoinHandle<()>>,
}

impl Server {
    /// Listen. Requests are refused until the service is opened.
    pub fn start(config: ServiceConfig) -> Result<Self, HttpError> {
        let socket = bind(&config.listen)?;
        let refused = |reason| HttpError::Listen { address: config.listen.clone(), reason };
        socket.set_nonblocking(true).map_err(refused)?;
        let address = socket.local_addr().map_err(refused)?;
        let desk = Arc::new(Desk::new(config.capacity));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(HttpError::Start)?;
        let of_thread = Arc::clone(&desk);
        let thread = thread::Builder::new()
            .name("service".into())
            .spawn(move || runtime.block_on(listener::serve(socket, config, of_thread)))
            .map_err(HttpError::Start)?;
        Ok(Server { desk, address, thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

fn bind(address: &str) -> Result<TcpListener, HttpError> {
    let mut tries = 0;
    loop {
        tries += 1;
        match TcpListener::bind(address) {
            Ok(socket) => return Ok(socket),
            Err(error) if tries < BIND_TRIES && error.kind() == std::io::ErrorKind::AddrInUse => {
                thread::sleep(BIND_PAUSE);
            }
            Err(reason) => return Err(HttpError::Listen { address: address.to_owned(), reason }),
        }
    }
}

impl Service for Server {
    fn open(&self, opening: Opening) {
        self.desk.open(opening);
    }

    fn next(&self) -> Next {
        self.desk.next()
    }

    fn answer(&self, number: u64, reply: Reply) {
        self.desk.answer(number, reply);
    }

    fn close(&self) {
        self.desk.close();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.desk.end();
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}
