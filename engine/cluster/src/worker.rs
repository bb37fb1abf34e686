//! A worker's way into the cluster.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use crate::control::{Control, ControlMessage, EXIT_LOST};
use crate::error::ClusterError;
use crate::frame::{FrameError, MAX_PEER};
use crate::handshake::{Introduction, Role, SUPERVISOR};
use crate::link::Link;
use crate::mesh::{self, Mesh};
use crate::message::{Down, Up};
use crate::secret::Secret;

/// What a worker needs to join a cluster.
pub struct Join {
    /// The supervisor's control port.
    pub address: SocketAddr,
    /// The secret of the run.
    pub secret: Secret,
    /// This worker's index.
    pub index: usize,
    /// The generation it was started for.
    pub generation: u32,
    /// Version of this binary.
    pub version: String,
    /// Time for the whole start.
    pub deadline: Duration,
    /// Called once, from a thread of the cluster, when the supervisor is gone. The process must end
    /// soon after: by default it ends there and then with [`EXIT_LOST`].
    pub on_supervisor_lost: Box<dyn Fn() + Send + Sync>,
}

/// A worker that has joined: the whole mesh stands.
#[derive(Debug)]
pub struct Member {
    /// This worker's index.
    pub index: usize,
    /// Number of workers.
    pub workers: usize,
    /// Generation of the cluster.
    pub generation: u32,
    /// The job.
    pub payload: Vec<u8>,
    /// A socket to each worker, `None` at this worker's own index; blocking and without delay.
    pub mesh: Vec<Option<TcpStream>>,
    /// To the supervisor.
    pub control: Control,
    /// From the supervisor. The queue has a bound: what is not taken makes the supervisor wait.
    pub messages: Receiver<ControlMessage>,
}

impl Join {
    const INDEX: &'static str = "SAGE_FLOW_WORKER_INDEX";
    const GENERATION: &'static str = "SAGE_FLOW_GENERATION";

    /// A join with the default deadline, which ends the process when the supervisor is gone.
    pub fn new(
        address: SocketAddr,
        secret: Secret,
        index: usize,
        generation: u32,
        version: impl Into<String>,
    ) -> Self {
        Self {
            address,
            secret,
            index,
            generation,
            version: version.into(),
            deadline: Duration::from_secs(30),
            on_supervisor_lost: Box::new(|| std::process::exit(EXIT_LOST)),
        }
    }

    /// A join for a process that a launcher started, with secret, index and generation from its
    /// environment. The secret stays in the environment, so programs that a worker starts should
    /// not inherit [`Secret::VARIABLE`].
    pub fn from_env(address: SocketAddr, version: impl Into<String>) -> Result<Self, ClusterError> {
        fn read<T>(
            name: &'static str,
            parse: impl FnOnce(&str) -> Option<T>,
        ) -> Result<T, ClusterError> {
            let value = std::env::var(name).ok();
            value.and_then(|value| parse(&value)).ok_or(ClusterError::Environment { name })
        }
        let secret = read(Secret::VARIABLE, |hex| Secret::from_hex(hex).ok())?;
        let index = read(Self::INDEX, |index| index.parse().ok())?;
        let generation = read(Self::GENERATION, |generation| generation.parse().ok())?;
        Ok(Self::new(address, secret, index, generation, version))
    }

    /// What [`Join::from_env`] will read.
    pub(crate) fn environment(
        secret: &Secret,
        index: usize,
        generation: u32,
    ) -> Vec<(String, String)> {
        vec![
            (Secret::VARIABLE.to_owned(), secret.to_hex()),
            (Self::INDEX.to_owned(), index.to_string()),
            (Self::GENERATION.to_owned(), generation.to_string()),
        ]
    }
}

/// Joins a cluster; returns when this worker is connected with the supervisor and with every peer.
pub fn join(join: Join) -> Result<Member, ClusterError> {
    let deadline = Instant::now() + join.deadline;
    let me = Introduction {
        role: Role::Control,
        from: join.index,
        to: SUPERVISOR,
        generation: join.generation,
        version: &join.version,
    };
    let link = mesh::connect(join.address, &join.secret, &me, deadline)?;

    let failed = |during| {
        let peer = link.peer();
        move |error: FrameError| ClusterError::Link { peer, during, reason: error.to_string() }
    };
    let odd = |during| ClusterError::Link {
        peer: link.peer(),
        during,
        reason: "the supervisor sent another message than was due".to_owned(),
    };

    let during = "the assignment";
    let Down::Assign { index, workers, generation } =
        link.receive(MAX_PEER, Some(deadline)).map_err(failed(during))?
    else {
        return Err(odd(during));
    };
    if index != join.index || generation != join.generation || index >= workers {
        return Err(odd(during));
    }
    let payload = link.receive_raw(MAX_PEER, Some(deadline)).map_err(failed(during))?;

    // The interface on which the supervisor is reached is the one the peers can reach too. The
    // system picks the port, so none can be taken already.
    let (listener, address) = listen(&link)?;
    let during = "the start";
    link.send(&Up::Listening { address }, None, Some(deadline)).map_err(failed(during))?;
    let Down::Start { peers } = link.receive(MAX_PEER, Some(deadline)).map_err(failed(during))?
    else {
        return Err(odd(during));
    };
    if peers.len() != workers {
        return Err(odd(during));
    }

    let mesh = Mesh {
        secret: &join.secret,
        version: &join.version,
        generation,
        index,
        peers: &peers,
        deadline,
    };
    let mesh = mesh.form(&listener)?;
    let (control, messages) = Control::new(link, join.on_supervisor_lost)?;
    control.meshed()?;
    Ok(Member { index, workers, generation, payload, mesh, control, messages })
}

fn listen(link: &Link) -> Result<(TcpListener, SocketAddr), ClusterError> {
    let bind = || {
        let listener = TcpListener::bind((link.local()?.ip(), 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    bind().map_err(|source| ClusterError::Bind { what: "mesh", source })
}
