//! One supervisor, N worker processes, and the authenticated sockets between them.
//!
//! ```text
//!   supervisor                              worker i
//!   ----------                              --------
//!   bind control port, launch ----------->  dial
//!   challenge  <------ mutual HMAC ------>  prove the run's secret
//!   assignment, job payload ------------->  bind a mesh port
//!              <------ mesh address ------
//!   start, all mesh addresses ----------->  dial lower indices, accept higher ones
//!              <------ meshed ------------
//!              <------ heartbeats --------  work
//! ```
//!
//! The crate starts processes, forms the mesh and says what became of each worker. It opens every
//! socket the run uses, because timely's own listener believes whoever dials first and panics on
//! junk. What it carries is opaque bytes: it knows nothing of plans, records or timely.
//!
//! **Invariants**
//! - **No socket is used before both ends have proved the secret** for this role, these indices,
//!   this generation and this binary version ([`Secret`]).
//! - **No bytes of a stranger can panic, block or grow a process**: frames, handshakes, queues and
//!   waits all have a bound and a deadline.
//! - **No orphan and no zombie**: the supervisor kills and reaps what it started, and a worker that
//!   loses its supervisor ends at once.
//! - **Every loss is one [`ClusterEvent::Lost`]**, whether the worker died, hung or fell silent, and
//!   a worker that was reported lost is killed, so that it cannot come back and write.
//!
//! On one host the links are authenticated and not encrypted ([`Transport::Hmac`]). Between hosts
//! they run through mutual TLS ([`Transport::Tls`]), with the same handshake inside.

mod control;
mod error;
mod frame;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod gate;
mod handshake;
mod launcher;
mod limit;
mod link;
mod mesh;
mod message;
mod secret;
mod socket;
mod supervisor;
mod tls;
mod vigil;
mod wire;
mod worker;

pub use control::{Control, ControlMessage, EXIT_LOST};
pub use error::ClusterError;
pub use handshake::Refusal;
pub use launcher::compose::compose;
pub use launcher::hosts::{Host, HostFile};
pub use launcher::join::{JoinHook, JoinLauncher};
pub use launcher::k8s::Kubernetes;
pub use launcher::local::{LocalLauncher, StderrHook};
pub use launcher::manifest::Manifest;
pub use launcher::slurm::{AnnounceHook, SlurmLauncher};
pub use launcher::ssh::{EXIT_SSH, SshLauncher};
pub use launcher::{Exit, LAUNCHERS, Launcher, LauncherEntry, WorkerProcess};
pub use limit::{MAX_LOCAL_WORKERS, MAX_MESSAGE, check_descriptors, check_workers};
pub use secret::Secret;
pub use socket::Socket;
pub use supervisor::event::{ClusterEvent, LossCause, Lost, root_cause};
pub use supervisor::handle::ClusterHandle;
pub use supervisor::port::ControlPort;
pub use supervisor::refusals::{Reason, Refusals};
pub use supervisor::{ArrivalHook, Arrivals, Cluster, ClusterConfig, Settled, ShutdownReport};
pub use tls::Tls;
pub use wire::{Transport, Wire};
pub use worker::{Join, Member, join};
