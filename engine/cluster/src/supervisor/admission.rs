//! Admission: from a connection on the control port to a member with an index and a mesh address.
//!
//! The port is open only until the last worker has joined.

use std::mem;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Instant;

use super::ClusterConfig;
use super::state::Shared;
use super::watch;
use crate::error::ClusterError;
use crate::frame::{FrameError, MAX_STRANGER};
use crate::gate;
use crate::handshake::{self, Door, PATIENCE, Role, SUPERVISOR};
use crate::link::Link;
use crate::message::{Down, Up};
use crate::vigil;
use crate::wire::Wire;

/// Admits workers until all are there, the cluster is ended or the deadline has come.
pub(super) fn run(
    shared: &Arc<Shared>,
    config: &ClusterConfig,
    wire: &Wire,
    listener: &TcpListener,
    deadline: Instant,
) {
    let shut = || {
        let state = shared.lock();
        state.stopping
            || state.slots.iter().all(|slot| slot.mesh.is_some())
            || Instant::now() >= deadline
    };
    let greet = |stream: TcpStream, proved: &dyn Fn() -> bool| {
        greet(shared, config, wire, stream, proved, deadline)
            .inspect_err(|error| shared.update(|state| state.refusals.note(error)))
            .ok()
    };
    let enter = |link: Arc<Link>, worker: usize| {
        let entered = assign(config, &link, worker, deadline)
            .map_err(|error| format!("worker {worker} left during its assignment: {error}"))
            .and_then(|address| {
                // The place was claimed during the handshake, so it is empty.
                let _ = shared.members[worker].link.set(Arc::clone(&link));
                watch::read(Arc::clone(shared), worker, Arc::clone(&link))
                    .map_err(|error| error.to_string())?;
                Ok(address)
            });
        match entered {
            Ok(address) => shared.update(|state| state.slots[worker].mesh = Some(address)),
            Err(error) => {
                link.close();
                shared.update(|state| {
                    state.refusals.worker(&error);
                    // The worker may dial again; nobody else can take its place, for want of the
                    // secret.
                    state.slots[worker].claimed = false;
                });
            }
        }
    };
    gate::keep(listener, shut, greet, enter);
}

fn greet(
    shared: &Shared,
    config: &ClusterConfig,
    wire: &Wire,
    stream: TcpStream,
    proved: &dyn Fn() -> bool,
    deadline: Instant,
) -> Result<(Link, usize), ClusterError> {
    let door = Door {
        role: Role::Control,
        from: 0..config.workers,
        to: SUPERVISOR,
        generation: config.generation,
        version: &config.version,
    };
    let claim = |worker: Option<usize>| {
        if !proved() {
            return None;
        }
        shared.update(|state| {
            let place = worker.or_else(|| state.slots.iter().position(|slot| !slot.claimed))?;
            (!mem::replace(&mut state.slots[place].claimed, true)).then_some(place)
        })
    };
    let patience = deadline.min(Instant::now() + PATIENCE);
    let link = wire.accepted(stream, patience)?;
    let admitted = handshake::admit(&link, &config.secret, &door, claim, patience);
    admitted.inspect_err(|_| link.close()).map(|worker| (link, worker))
}

/// Tells a worker who it is and what the job is, and learns its mesh address.
fn assign(
    config: &ClusterConfig,
    link: &Link,
    index: usize,
    deadline: Instant,
) -> Result<SocketAddr, FrameError> {
    let ClusterConfig { workers, generation, ref payload, .. } = *config;
    let answers = vigil::between_hosts(link.peer());
    let assignment = Down::Assign { index, workers, generation, answers };
    link.send(&assignment, Some(payload), Some(deadline))?;
    loop {
        if let Up::Listening { address } = link.receive(MAX_STRANGER, Some(deadline))? {
            return Ok(address);
        }
    }
}
