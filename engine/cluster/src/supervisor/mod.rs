//! The supervisor: starts workers, brings them together, watches them and ends them.

mod admission;
pub(crate) mod event;
pub(crate) mod handle;
pub(crate) mod port;
pub(crate) mod refusals;
mod state;
mod watch;

use std::fmt;
use std::mem;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::control::HEARTBEAT;
use crate::error::ClusterError;
use crate::launcher::{Exit, Launcher};
use crate::limit::{check_descriptors, check_workers};
use crate::message::Down;
use crate::secret::Secret;
use crate::vigil::Watcher;
use crate::wire::{Transport, Wire};
use crate::worker::Join;
use event::{ClusterEvent, Lost, root_cause};
use handle::{ClusterHandle, check_size};
use port::ControlPort;
use refusals::Refusals;
use state::{Shared, State};

/// Events that may wait for the application before workers have to.
const MAX_EVENTS: usize = 256;
/// After a first loss, the time in which the losses it causes show.
const SETTLE: Duration = Duration::from_millis(150);
/// Time for a killed process to be reaped.
const REAP: Duration = Duration::from_secs(5);

/// How often it is asked whether a start is to be given up.
const LOOK: Duration = Duration::from_millis(100);

/// The time that a start may take.
struct Time<'t> {
    start: Instant,
    deadline: Instant,
    give_up: Option<&'t (dyn Fn() -> bool + Send + Sync)>,
    on_arrival: Option<&'t ArrivalHook>,
}

/// What a cluster is to be.
#[derive(Clone)]
pub struct ClusterConfig {
    /// Number of worker processes.
    pub workers: usize,
    /// Which attempt of the run this is; workers of another one are refused.
    pub generation: u32,
    /// The secret of this run.
    pub secret: Secret,
    /// The job: bytes every worker gets before it starts.
    pub payload: Vec<u8>,
    /// Time for all workers to start and connect.
    pub start_deadline: Duration,
    /// Silence after which a worker counts as lost; at least two heartbeats of 500 ms.
    pub heartbeat_timeout: Duration,
    /// Version of the binary; workers of another one are refused.
    pub version: String,
    /// Where the control port is opened: by default on the loopback.
    pub listen: SocketAddr,
    /// A control port that is open already, in its stead.
    pub port: Option<ControlPort>,
    /// How the processes are connected.
    pub transport: Transport,
    /// Whether the start is to be given up; asked from time to time until all workers are there.
    pub give_up: Option<Arc<dyn Fn() -> bool + Send + Sync>>,
    /// Told, until all workers have joined, who has and who was refused; some ten times a second.
    pub on_arrival: Option<ArrivalHook>,
}

/// What is told of who has come so far.
pub type ArrivalHook = Arc<dyn Fn(&Arrivals) + Send + Sync>;

/// Who has come so far to a cluster that starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrivals {
    /// Workers that have joined.
    pub joined: usize,
    /// Workers that there are to be.
    pub workers: usize,
    /// Who was turned away.
    pub refusals: Refusals,
}

impl ClusterConfig {
    /// A first generation with a fresh secret and the default times.
    pub fn new(
        workers: usize,
        payload: Vec<u8>,
        version: impl Into<String>,
    ) -> Result<Self, ClusterError> {
        Ok(Self {
            workers,
            generation: 0,
            secret: Secret::random()?,
            payload,
            start_deadline: Duration::from_secs(30),
            heartbeat_timeout: Duration::from_millis(1500),
            version: version.into(),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            port: None,
            transport: Transport::Hmac,
            give_up: None,
            on_arrival: None,
        })
    }
}

impl fmt::Debug for ClusterConfig {
    /// Shows the size of the job and not the job, which may be large or hold keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterConfig")
            .field("workers", &self.workers)
            .field("generation", &self.generation)
            .field("payload_bytes", &self.payload.len())
            .field("start_deadline", &self.start_deadline)
            .field("heartbeat_timeout", &self.heartbeat_timeout)
            .field("version", &self.version)
            .field("listen", &self.listen)
            .field("transport", &self.transport)
            .finish_non_exhaustive()
    }
}

/// A running cluster. Dropping it kills the workers.
pub struct Cluster {
    handle: ClusterHandle,
    events: Receiver<ClusterEvent>,
    /// The threads that reap the processes.
    reapers: Vec<JoinHandle<()>>,
    silence: Option<JoinHandle<()>>,
    /// Carries the connections as long as there are any.
    _wire: Wire,
}

/// How the workers of a cluster ended.
#[derive(Debug, Clone)]
pub struct ShutdownReport {
    /// Each worker's exit; `None` if the system did not let go of the process even after the kill.
    pub exits: Vec<Option<Exit>>,
    /// Workers that had to be killed because they outstayed the grace.
    pub killed: Vec<usize>,
}

/// The first loss and what followed within a moment.
#[derive(Debug, Clone)]
pub struct Settled {
    /// The loss that most likely caused the others.
    pub root: Lost,
    /// All losses, in the order they showed.
    pub losses: Vec<Lost>,
    /// Messages and finishes that came meanwhile.
    pub events: Vec<ClusterEvent>,
}

impl Cluster {
    /// Starts the workers and returns when all are connected with each other. On failure every
    /// worker is killed and the error names the cause.
    pub fn start(config: ClusterConfig, launcher: &mut dyn Launcher) -> Result<Self, ClusterError> {
        check_workers(config.workers)?;
        check_descriptors(config.workers)?;
        check_size("job payload", &config.payload)?;
        let port = match &config.port {
            Some(port) => port.clone(),
            None => ControlPort::open(config.listen)?,
        };
        let address = port.address();
        let wire = Wire::new(&config.transport, Watcher::Supervisor)?;

        let start = Instant::now();
        let deadline = start + config.start_deadline;
        let (sender, events) = mpsc::sync_channel(MAX_EVENTS);
        let shared = Arc::new(Shared::new(
            config.workers,
            config.heartbeat_timeout.max(HEARTBEAT * 2),
            sender,
        ));
        // From here on dropping the cluster cleans up, whatever fails.
        let mut cluster = Self {
            handle: ClusterHandle { shared: Arc::clone(&shared) },
            events,
            reapers: Vec::new(),
            silence: None,
            _wire: wire.clone(),
        };

        let config = Arc::new(config);
        let (gate_shared, gate_config) = (Arc::clone(&shared), Arc::clone(&config));
        watch::spawn("admission".to_owned(), move || {
            admission::run(&gate_shared, &gate_config, &wire, port.listener(), deadline);
        })?;
        for worker in 0..config.workers {
            let env = Join::environment(&config, worker)?;
            let process = launcher
                .launch(worker, address, &env)
                .map_err(|source| ClusterError::Launch { worker, source })?;
            let process: Arc<_> = process.into();
            shared.members[worker].process.get_or_init(|| Arc::clone(&process));
            let reaper = watch::exit(Arc::clone(&shared), worker, Arc::clone(&process));
            cluster.reapers.push(reaper.inspect_err(|_| {
                // Without its thread nobody else would reap the process.
                let _ = process.kill();
                let exit = process.wait().unwrap_or(Exit::Unknown);
                shared.update(|state| state.slots[worker].exit = Some(exit));
            })?);
        }

        let (give_up, on_arrival) = (config.give_up.as_deref(), config.on_arrival.as_ref());
        let mut time = Time { start, deadline, give_up, on_arrival };
        cluster.await_all("join", &time, |slot| slot.mesh.is_some())?;
        time.on_arrival = None;
        let peers = shared.lock().slots.iter().filter_map(|slot| slot.mesh).collect();
        let go = Down::Start { peers };
        for worker in 0..config.workers {
            cluster.handle.tell(worker, &go, None);
        }
        cluster.await_all("connect to their peers", &time, |slot| slot.meshed)?;
        shared.forgive();
        shared.update(|state| state.running = true);
        cluster.silence = Some(watch::silence(Arc::clone(&shared))?);
        Ok(cluster)
    }

    /// What happens to the workers. The queue has a bound: workers that send more than is taken
    /// have to wait.
    pub fn events(&self) -> &Receiver<ClusterEvent> {
        &self.events
    }

    /// Something to send with from other threads.
    pub fn handle(&self) -> ClusterHandle {
        self.handle.clone()
    }

    /// See [`ClusterHandle::send`].
    pub fn send(&self, worker: usize, message: &[u8]) -> Result<(), ClusterError> {
        self.handle.send(worker, message)
    }

    /// See [`ClusterHandle::broadcast`].
    pub fn broadcast(&self, message: &[u8]) -> Result<(), ClusterError> {
        self.handle.broadcast(message)
    }

    /// See [`ClusterHandle::drain`].
    pub fn drain(&self) {
        self.handle.drain();
    }

    /// After a first loss, waits a moment for those it causes and finds the root of all.
    pub fn settle(&self, first: Lost) -> Settled {
        let deadline = Instant::now() + SETTLE;
        let mut losses = vec![first.clone()];
        let mut events = Vec::new();
        let left = || deadline.saturating_duration_since(Instant::now());
        while let Ok(event) = self.events.recv_timeout(left()) {
            match event {
                ClusterEvent::Lost(lost) => losses.push(lost),
                event => events.push(event),
            }
            if left().is_zero() {
                break;
            }
        }
        let root = root_cause(losses.clone()).unwrap_or(first);
        Settled { root, losses, events }
    }

    /// Waits for the workers to leave, kills those that outstay `grace`, and reaps all. It asks
    /// nothing of the workers: [`Cluster::drain`] does. Events not taken by now are dropped.
    pub fn shutdown(mut self, grace: Duration) -> ShutdownReport {
        self.end(grace)
    }

    /// Waits until `there` holds for all workers.
    fn await_all(
        &self,
        step: &'static str,
        time: &Time<'_>,
        there: impl Fn(&state::Slot) -> bool,
    ) -> Result<(), ClusterError> {
        let shared = &self.handle.shared;
        let complete = |state: &State| state.slots.iter().all(&there);
        let settled = |state: &State| complete(state) || !state.losses.is_empty();
        while !shared.wait(time.deadline.min(Instant::now() + LOOK), settled) {
            if let Some(tell) = time.on_arrival {
                tell(&shared.arrivals());
            }
            if time.give_up.is_some_and(|give_up| give_up()) {
                return Err(ClusterError::GivenUp);
            }
            if Instant::now() >= time.deadline {
                break;
            }
        }
        if !shared.lock().losses.is_empty() {
            thread::sleep(SETTLE);
        }
        let mut state = shared.lock();
        if let Some(lost) = root_cause(mem::take(&mut state.losses)) {
            return Err(ClusterError::LostAtStart(lost));
        }
        if complete(&state) {
            return Ok(());
        }
        let slots = state.slots.iter().enumerate();
        let missing: Vec<usize> =
            slots.filter(|(_, slot)| !there(slot)).map(|(worker, _)| worker).collect();
        Err(ClusterError::StartDeadline {
            step,
            waited: time.start.elapsed(),
            refusals: Box::new(state.refusals.clone()),
            notes: missing.iter().filter_map(|worker| shared.note(*worker)).collect(),
            missing,
        })
    }

    fn end(&mut self, grace: Duration) -> ShutdownReport {
        let shared = Arc::clone(&self.handle.shared);
        // Threads that wait for room in the queue go on once nobody listens.
        drop(mem::replace(&mut self.events, mpsc::sync_channel(0).1));
        shared.update(|state| state.stopping = true);
        let launched: Vec<_> =
            shared.members.iter().map(|member| OnceLock::get(&member.process)).collect();
        let remaining = |state: &State| {
            let slots = state.slots.iter().enumerate();
            slots
                .filter(|(worker, slot)| launched[*worker].is_some() && slot.exit.is_none())
                .map(|(worker, _)| worker)
                .collect::<Vec<_>>()
        };
        let gone = |state: &State| remaining(state).is_empty();
        let mut killed = Vec::new();
        if !shared.wait(Instant::now() + grace, gone) {
            killed = remaining(&shared.lock());
            for process in killed.iter().filter_map(|worker| launched[*worker]) {
                // An error means that it has gone by itself, which the next wait will show.
                let _ = process.kill();
            }
            shared.wait(Instant::now() + REAP, gone);
        }
        for link in shared.members.iter().filter_map(|member| member.link.get()) {
            link.close();
        }
        let exits: Vec<_> = shared.lock().slots.iter().map(|slot| slot.exit).collect();
        // A thread whose process would not die is left behind; the others are at their end.
        for reaper in self.reapers.drain(..).filter(JoinHandle::is_finished) {
            let _ = reaper.join();
        }
        if let Some(silence) = self.silence.take() {
            let _ = silence.join();
        }
        ShutdownReport { exits, killed }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.end(Duration::ZERO);
    }
}
