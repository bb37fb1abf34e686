//! A worker's way into the cluster.

use std::net::{SocketAddr, TcpListener};
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
use crate::socket::Socket;
use crate::supervisor::ClusterConfig;
use crate::tls::Tls;
use crate::vigil::Watcher;
use crate::wire::{Transport, Wire};

/// Time for a start where all workers are started at once.
const START: Duration = Duration::from_secs(30);

/// What a worker needs to join a cluster.
pub struct Join {
    /// The supervisor's control port, under all addresses of its host.
    pub addresses: Vec<SocketAddr>,
    /// The secret of the run.
    pub secret: Secret,
    /// This worker's index; without one it gets any that is free.
    pub index: Option<usize>,
    /// The generation it was started for; without one it joins the present one.
    pub generation: Option<u32>,
    /// Version of this binary.
    pub version: String,
    /// How the processes of the run are connected.
    pub transport: Transport,
    /// Time for each step of the start that depends on this worker and its peers.
    pub deadline: Duration,
    /// Time until the supervisor has all workers.
    pub patience: Duration,
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
    pub mesh: Vec<Option<Socket>>,
    /// To the supervisor.
    pub control: Control,
    /// From the supervisor. The queue has a bound: what is not taken makes the supervisor wait.
    pub messages: Receiver<ControlMessage>,
    /// Carries all of these connections; to be [finished](Wire::finish) before the process exits.
    pub wire: Wire,
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
            addresses: vec![address],
            secret,
            index: Some(index),
            generation: Some(generation),
            version: version.into(),
            transport: Transport::Hmac,
            deadline: START,
            patience: START,
            on_supervisor_lost: Box::new(|| std::process::exit(EXIT_LOST)),
        }
    }

    /// A join for a process that a launcher started, with what is in its environment. The secret
    /// stays there, so programs that a worker starts should not inherit [`Secret::VARIABLE`].
    pub fn from_env(address: SocketAddr, version: impl Into<String>) -> Result<Self, ClusterError> {
        Self::from_values(vec![address], version, |name| std::env::var(name).ok())
    }

    /// A join with what `value` has under the names of the environment variables: the secret, and
    /// index, generation and certificate where there are any.
    pub fn from_values(
        addresses: Vec<SocketAddr>,
        version: impl Into<String>,
        value: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ClusterError> {
        fn number<T: std::str::FromStr>(
            name: &'static str,
            value: Option<String>,
        ) -> Result<Option<T>, ClusterError> {
            let parse = |value: String| value.trim().parse().ok();
            value.map(|value| parse(value).ok_or(ClusterError::Environment { name })).transpose()
        }
        let name = Secret::VARIABLE;
        let secret = value(name).and_then(|hex| Secret::from_hex(&hex).ok());
        let transport = match value(Tls::VARIABLE) {
            Some(line) => Transport::Tls(Tls::from_credentials(&line)?),
            None => Transport::Hmac,
        };
        Ok(Self {
            addresses,
            secret: secret.ok_or(ClusterError::Environment { name })?,
            index: number(Self::INDEX, value(Self::INDEX))?,
            generation: number(Self::GENERATION, value(Self::GENERATION))?,
            version: version.into(),
            transport,
            deadline: START,
            patience: START,
            on_supervisor_lost: Box::new(|| std::process::exit(EXIT_LOST)),
        })
    }

    /// Whether a variable says which place a worker has, which those that join by hand have not.
    pub fn is_place(name: &str) -> bool {
        name == Self::INDEX || name == Self::GENERATION
    }

    /// What [`Join::from_env`] will read.
    pub(crate) fn environment(
        config: &ClusterConfig,
        index: usize,
    ) -> Result<Vec<(String, String)>, ClusterError> {
        let mut values = vec![
            (Secret::VARIABLE.to_owned(), config.secret.to_hex()),
            (Self::INDEX.to_owned(), index.to_string()),
            (Self::GENERATION.to_owned(), config.generation.to_string()),
        ];
        if let Transport::Tls(tls) = &config.transport {
            values.push((Tls::VARIABLE.to_owned(), tls.credentials()?));
        }
        Ok(values)
    }
}

/// Joins a cluster; returns when this worker is connected with the supervisor and with every peer.
pub fn join(join: Join) -> Result<Member, ClusterError> {
    let deadline = Instant::now() + join.deadline.max(join.patience);
    let me = Introduction {
        role: Role::Control,
        from: join.index,
        to: SUPERVISOR,
        generation: join.generation,
        version: &join.version,
    };
    let wire = Wire::new(&join.transport, Watcher::Worker)?;
    let link = mesh::connect(&wire, &join.addresses, &join.secret, &me, deadline)?;

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
    let Down::Assign { index, workers, generation, answers } =
        link.receive(MAX_PEER, Some(deadline)).map_err(failed(during))?
    else {
        return Err(odd(during));
    };
    let as_asked = join.index.is_none_or(|asked| asked == index)
        && join.generation.is_none_or(|asked| asked == generation);
    if !as_asked || index >= workers {
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

    let deadline = Instant::now() + join.deadline;
    let mesh = Mesh {
        wire: &wire,
        secret: &join.secret,
        version: &join.version,
        generation,
        index,
        peers: &peers,
        deadline,
    };
    let mesh = mesh.form(&listener)?;
    let (control, messages) = Control::new(link, answers, join.on_supervisor_lost)?;
    control.meshed()?;
    Ok(Member { index, workers, generation, payload, mesh, control, messages, wire })
}

fn listen(link: &Link) -> Result<(TcpListener, SocketAddr), ClusterError> {
    let address = SocketAddr::new(link.local().ip(), 0);
    let bind = || {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    bind().map_err(|source| ClusterError::Bind { what: "mesh", address, source })
}
