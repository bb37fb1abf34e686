//! What can go wrong between starting a cluster and having one; each message says what, where and
//! how to fix it.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use crate::handshake::Refusal;
use crate::supervisor::event::Lost;
use crate::supervisor::refusals::Refusals;

/// Why a cluster could not be started or joined.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ClusterError {
    /// No workers, or more than one host takes.
    #[error("{asked} workers asked for; a host runs 1 to {limit}")]
    Workers {
        /// The number asked for.
        asked: usize,
        /// The most there may be.
        limit: usize,
    },
    /// The limit on open files is too low for the mesh.
    #[error(
        "{workers} workers need {needed} open files a process and only {available} are allowed; \
         raise the limit (`ulimit -n {needed}`) or use fewer workers"
    )]
    Descriptors {
        /// The number of workers.
        workers: usize,
        /// Open files a process needs.
        needed: u64,
        /// Open files a process may have.
        available: u64,
    },
    /// The job or a message is larger than a frame.
    #[error("the {what} has {bytes} bytes; the limit is {limit}")]
    TooLarge {
        /// "job payload" or "message".
        what: &'static str,
        /// Its size.
        bytes: usize,
        /// The most a frame takes.
        limit: usize,
    },
    /// A message for a worker that does not exist.
    #[error("there is no worker {worker}; the cluster has {workers}, counted from 0")]
    NoSuchWorker {
        /// The index asked for.
        worker: usize,
        /// The number of workers.
        workers: usize,
    },
    /// The system's random source failed.
    #[error("the system's random source failed: {0}")]
    Random(String),
    /// The secret is not 64 hexadecimal digits.
    #[error("the cluster secret must be 64 hexadecimal digits")]
    SecretFormat,
    /// A worker was started by hand, or its launcher dropped the environment.
    #[error(
        "{name} is missing or malformed; `run` gives it to the workers it starts, and to others in \
         the file for --credentials that it names"
    )]
    Environment {
        /// The variable.
        name: &'static str,
    },
    /// A port could not be opened.
    #[error("{address} cannot be opened for the {what}; {}", opened(source))]
    Bind {
        /// "control port" or "mesh".
        what: &'static str,
        /// Where.
        address: SocketAddr,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// The system gave no thread.
    #[error("no thread could be started; the limit on processes (`ulimit -u`) may be too low")]
    Thread {
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// A worker process could not be started.
    #[error("worker {worker} could not be started")]
    Launch {
        /// Its index.
        worker: usize,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// No address to dial.
    #[error("the supervisor's host has no address")]
    Nowhere,
    /// Nobody answers at the address.
    #[error("no connection to {address} within {}; is the supervisor running there?", rounded(*waited))]
    Dial {
        /// The address dialled.
        address: SocketAddr,
        /// For how long.
        waited: Duration,
        /// The system's last reason.
        #[source]
        source: io::Error,
    },
    /// The two ends are different builds.
    #[error(
        "{peer} runs version {theirs} of sage-flow and this process version {ours}; install the \
         same version on all hosts of the run and start the worker again"
    )]
    Version {
        /// The other end.
        peer: SocketAddr,
        /// This end's version.
        ours: String,
        /// The other end's version.
        theirs: String,
    },
    /// The other end does not hold the run's secret.
    #[error("{peer} does not hold this run's secret; it belongs to another run or is a stranger")]
    Unproven {
        /// The other end.
        peer: SocketAddr,
    },
    /// The connection was gone before anything was said.
    #[error("a connection was closed at once: {reason}")]
    Vanished {
        /// The system's reason.
        reason: String,
    },
    /// The other end is no process of a run, or not with the same `--links`.
    #[error("{peer} does not speak the protocol of a run: {reason}")]
    Foreign {
        /// The other end.
        peer: SocketAddr,
        /// What it said instead.
        reason: String,
        /// Whether that was TLS, where none was expected.
        encrypted: bool,
    },
    /// TLS does not come about, and would not the next time.
    #[error("no TLS with {peer}: {reason}")]
    Tls {
        /// The other end.
        peer: SocketAddr,
        /// The reason.
        reason: String,
        /// Whether one end does not take the other's certificate.
        certificate: bool,
    },
    /// Certificates that cannot be made or used.
    #[error("certificate: {reason}")]
    Certificate {
        /// What is wrong.
        reason: String,
    },
    /// A file of a certificate or key that cannot be used.
    #[error("`{}`: {reason}", path.display())]
    CertificateFile {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The other end turned this process away.
    #[error("{peer} refused the connection: {refusal}")]
    Refused {
        /// The other end.
        peer: SocketAddr,
        /// Its reason.
        refusal: Refusal,
    },
    /// The connection failed or the peer spoke out of turn.
    #[error("the connection to {peer} failed during {during}: {reason}")]
    Link {
        /// The other end.
        peer: SocketAddr,
        /// What was going on.
        during: &'static str,
        /// The reason.
        reason: String,
    },
    /// Whoever wanted the cluster does not want it any more.
    #[error("the start was given up")]
    GivenUp,
    /// Workers were missing when the time for starting was up.
    #[error(
        "workers {missing:?} did not {step} within {}{refusals}{}",
        rounded(*waited),
        notes.iter().map(|note| format!("\n{note}")).collect::<String>()
    )]
    StartDeadline {
        /// "join" or "connect to their peers".
        step: &'static str,
        /// The workers that were missing.
        missing: Vec<usize>,
        /// How long the supervisor waited.
        waited: Duration,
        /// Who was turned away meanwhile.
        refusals: Box<Refusals>,
        /// Where missing workers are, and what they said last, as far as their launcher knows.
        notes: Vec<String>,
    },
    /// A worker was lost before all had started.
    #[error("worker {} was lost during the start: {}{}", .0.worker, .0.cause, .0.stderr_note())]
    LostAtStart(Lost),
    /// A line of the host file is wrong.
    #[error("line {line}: {reason}")]
    HostLine {
        /// Its number, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// The hosts have no room for so many workers.
    #[error(
        "{workers} workers asked for, and the hosts have room for {room}; raise workers=N of a \
         host, or leave it out"
    )]
    HostRoom {
        /// The number asked for.
        workers: usize,
        /// The most there may be.
        room: usize,
    },
    /// Mesh connections were missing when the time was up.
    #[error("worker {worker} has no connection to workers {missing:?} after {}", rounded(*waited))]
    MeshDeadline {
        /// The worker that waited.
        worker: usize,
        /// The workers it has no connection to.
        missing: Vec<usize>,
        /// How long it waited.
        waited: Duration,
    },
}

impl ClusterError {
    /// The other end of the connection that it is about.
    pub(crate) fn peer(&self) -> Option<SocketAddr> {
        match self {
            Self::Version { peer, .. }
            | Self::Unproven { peer }
            | Self::Foreign { peer, .. }
            | Self::Tls { peer, .. }
            | Self::Refused { peer, .. }
            | Self::Link { peer, .. } => Some(*peer),
            _ => None,
        }
    }
}

/// What to do where a port cannot be opened.
fn opened(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::AddrInUse => {
            "another process listens there, so choose another port, or 0 for any that is free"
        }
        io::ErrorKind::AddrNotAvailable => {
            "it must be an address of this host, and `ip address` shows those there are"
        }
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 are not for everybody, so choose another"
        }
        _ => "it must be an address of this host and a port that is free",
    }
}

/// A time as people say it.
pub(crate) fn rounded(time: Duration) -> String {
    match time.as_secs() {
        0..10 => format!("{:.1} s", time.as_secs_f64()),
        seconds @ 10..120 => format!("{seconds} s"),
        seconds => format!("{} min", (seconds + 30) / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_names_what_is_missing_and_no_fractions_that_nobody_reads() {
        let error = |strangers, notes: &[&str], waited| ClusterError::StartDeadline {
            step: "join",
            missing: vec![1],
            waited: Duration::from_nanos(waited),
            refusals: Box::new(Refusals {
                strangers,
                last_stranger: "it closed".to_owned(),
                ..Refusals::default()
            }),
            notes: notes.iter().map(|note| (*note).to_owned()).collect(),
        };
        assert_eq!(
            error(0, &["worker 1 is on host h"], 30_000_178_222).to_string(),
            "workers [1] did not join within 30 s\nworker 1 is on host h"
        );
        assert_eq!(
            error(2, &[], 600_000_157_702).to_string(),
            "workers [1] did not join within 10 min\n2 connection(s) of no worker, the last one: \
             it closed"
        );
        assert_eq!(rounded(Duration::from_millis(1540)), "1.5 s");
    }
}
