//! What supervisor and worker say to each other once both have proved the secret.
//!
//! Messages are small JSON frames, easy to read in a packet dump. Opaque bytes (the job, messages of
//! the application) follow as a raw frame of their own, so they are never escaped or copied.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// From the supervisor to a worker.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Down {
    /// Who the worker is; the job follows as a raw frame.
    Assign {
        /// The worker's index.
        index: usize,
        /// How many workers there are.
        workers: usize,
        /// The generation of this cluster.
        generation: u32,
        /// Whether the supervisor says that it has heard a heartbeat.
        answers: bool,
    },
    /// All workers are there: these are their mesh addresses, in order of index.
    Start {
        /// One address for each worker.
        peers: Vec<SocketAddr>,
    },
    /// A heartbeat was heard.
    Heard,
    /// Stop gracefully.
    Drain,
    /// Opaque bytes follow as a raw frame.
    Message,
}

/// From a worker to the supervisor.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Up {
    /// The worker accepts mesh connections here.
    Listening {
        /// Address of the mesh listener.
        address: SocketAddr,
    },
    /// All mesh connections of the worker stand.
    Meshed,
    /// The process is alive and its threads are scheduled.
    Heartbeat,
    /// Opaque bytes follow as a raw frame.
    Message,
    /// The work is done; what follows is the exit.
    Finished,
}
