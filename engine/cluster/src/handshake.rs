//! The handshake: both ends prove the secret before either believes a word of the other.
//!
//! ```text
//!   dialler                                       listener
//!   Hello { protocol, version, role, from, to, generation, nonce } ->
//!                             <- Challenge { nonce, proof("listener", hello, nonce) }
//!   Proof { proof("dialler", hello, nonce) } ->
//!                             <- Welcome | Refused
//! ```
//! A proof covers every field of the hello and both nonces, so it is worth nothing on another
//! connection (replay), for another index or generation (a stale process of an earlier generation),
//! on the other kind of port, or sent back to its author (the labels differ).
//! A worker that nobody gave an index may leave it out, and the generation: it gets both when it has
//! proved the secret. Only the supervisor lets such a worker in.
//!
//! The version is compared before anything else is read, so that builds whose messages differ still
//! tell each other so. Refusals travel in the clear; they tell a stranger no more than the version of
//! the binary.

use std::fmt;
use std::ops::Range;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::error::ClusterError;
use crate::frame::{FrameError, MAX_STRANGER};
use crate::link::Link;
use crate::secret::{Secret, from_hex, nonce, to_hex};

/// Changes whenever the messages of this crate do.
const PROTOCOL: u32 = 2;

/// Time a stranger has to prove itself.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3);

/// The `to` of a hello that is meant for the supervisor.
pub(crate) const SUPERVISOR: usize = u32::MAX as usize;

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Role {
    /// Worker to supervisor.
    Control,
    /// Worker to worker.
    Mesh,
}

/// Who dials whom; the dialler's side of the bargain.
#[derive(Debug)]
pub(crate) struct Introduction<'a> {
    pub(crate) role: Role,
    /// `None` takes any place that is free.
    pub(crate) from: Option<usize>,
    pub(crate) to: usize,
    /// `None` is the listener's.
    pub(crate) generation: Option<u32>,
    pub(crate) version: &'a str,
}

/// Whom a listener lets in.
#[derive(Debug)]
pub(crate) struct Door<'a> {
    pub(crate) role: Role,
    pub(crate) from: Range<usize>,
    pub(crate) to: usize,
    pub(crate) generation: u32,
    pub(crate) version: &'a str,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Hello {
    protocol: u32,
    version: String,
    role: Role,
    from: Option<usize>,
    to: usize,
    generation: Option<u32>,
    nonce: String,
}

/// The part of a hello that all versions have in common, as they have [`Answer::Refused`] with
/// [`Refusal::Version`].
#[derive(Debug, Deserialize)]
struct Greeting {
    version: String,
}

#[derive(Debug, Serialize, Deserialize)]
enum Answer {
    Challenge { nonce: String, proof: String },
    Refused(Refusal),
}

#[derive(Debug, Serialize, Deserialize)]
struct Proof {
    proof: String,
}

#[derive(Debug, Serialize, Deserialize)]
enum Verdict {
    Welcome,
    Refused(Refusal),
}

/// Why a listener turned a dialler away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// The protocol of this crate differs; carries the listener's.
    Protocol(u32),
    /// The binaries differ; carries the listener's version.
    Version(String),
    /// The dialler belongs to another generation; carries the listener's.
    Generation(u32),
    /// The connection was meant for another port or another worker.
    Address,
    /// The index is unknown here.
    Index,
    /// That index has already connected.
    Duplicate,
    /// All workers are there, and this one has no index of its own.
    Full,
    /// The proof is wrong.
    Proof,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Protocol(theirs) => write!(f, "the cluster protocol is {theirs} there"),
            Self::Version(theirs) => write!(f, "the version is {theirs} there"),
            Self::Generation(theirs) => write!(f, "the cluster is at generation {theirs}"),
            Self::Address => f.write_str("the connection was meant for another process"),
            Self::Index => f.write_str("the worker index is unknown there"),
            Self::Duplicate => f.write_str("a worker with this index has already connected"),
            Self::Full => f.write_str("all workers of the run are there"),
            Self::Proof => f.write_str("the proof of the secret is wrong"),
        }
    }
}

impl Hello {
    /// The proof each side owes over this hello. `side` keeps the two apart.
    fn parts<R>(&self, side: &str, challenge: &str, use_parts: impl Fn(&[&[u8]]) -> R) -> R {
        use_parts(&[
            b"sage-flow cluster handshake",
            side.as_bytes(),
            &self.protocol.to_be_bytes(),
            self.version.as_bytes(),
            match self.role {
                Role::Control => b"control",
                Role::Mesh => b"mesh",
            },
            &self.from.map_or(u64::MAX, |from| from as u64).to_be_bytes(),
            &(self.to as u64).to_be_bytes(),
            &self.generation.map_or(u64::MAX, u64::from).to_be_bytes(),
            self.nonce.as_bytes(),
            challenge.as_bytes(),
        ])
    }

    fn refusal(&self, door: &Door<'_>) -> Option<Refusal> {
        if self.protocol != PROTOCOL {
            Some(Refusal::Protocol(PROTOCOL))
        } else if self.role != door.role || self.to != door.to {
            Some(Refusal::Address)
        } else if self.generation.is_some_and(|generation| generation != door.generation) {
            Some(Refusal::Generation(door.generation))
        } else if !self.from.map_or(door.role == Role::Control, |from| door.from.contains(&from)) {
            Some(Refusal::Index)
        } else if from_hex(&self.nonce).is_none() {
            Some(Refusal::Proof)
        } else {
            None
        }
    }
}

/// The dialler's side.
pub(crate) fn introduce(
    link: &Link,
    secret: &Secret,
    me: &Introduction<'_>,
    deadline: Instant,
) -> Result<(), ClusterError> {
    let peer = link.peer();
    let failed = |error: FrameError| broken(link, &error);
    let refused = |refusal| match refusal {
        Refusal::Version(theirs) => {
            ClusterError::Version { peer, ours: me.version.to_owned(), theirs }
        }
        refusal => ClusterError::Refused { peer, refusal },
    };
    let hello = Hello {
        protocol: PROTOCOL,
        version: me.version.to_owned(),
        role: me.role,
        from: me.from,
        to: me.to,
        generation: me.generation,
        nonce: to_hex(&nonce()?),
    };
    let deadline = Some(deadline);
    link.send(&hello, None, deadline).map_err(failed)?;
    let challenge = match link.receive(MAX_STRANGER, deadline).map_err(failed)? {
        Answer::Refused(refusal) => return Err(refused(refusal)),
        Answer::Challenge { nonce, proof } => {
            let proof = from_hex(&proof).ok_or(ClusterError::Unproven { peer })?;
            if !hello.parts("listener", &nonce, |parts| secret.verify(parts, &proof)) {
                return Err(ClusterError::Unproven { peer });
            }
            nonce
        }
    };
    let proof = to_hex(&hello.parts("dialler", &challenge, |parts| secret.prove(parts)));
    link.send(&Proof { proof }, None, deadline).map_err(failed)?;
    match link.receive(MAX_STRANGER, deadline).map_err(failed)? {
        Verdict::Welcome => Ok(()),
        Verdict::Refused(refusal) => Err(refused(refusal)),
    }
}

/// The listener's side: the index of the dialler, once it is proved and `claim` has given it a place:
/// the one it asks for, or any. `claim` runs after the proof, so a stranger cannot take a worker's
/// place.
pub(crate) fn admit(
    link: &Link,
    secret: &Secret,
    door: &Door<'_>,
    claim: impl FnOnce(Option<usize>) -> Option<usize>,
    deadline: Instant,
) -> Result<usize, ClusterError> {
    let peer = link.peer();
    let deadline = Some(deadline);
    let failed = |error: FrameError| broken(link, &error);
    let malformed = |error| failed(FrameError::Malformed(error));
    let refuse = |refusal| link.send(&Answer::Refused(refusal), None, deadline).map_err(failed);
    let bytes = link.receive_raw(MAX_STRANGER, deadline).map_err(|error| {
        if matches!(error, FrameError::Encrypted) {
            // It will not read this as it is meant, but know that there is no TLS here.
            let _ = refuse(Refusal::Address);
        }
        failed(error)
    })?;
    let Greeting { version: theirs } = serde_json::from_slice(&bytes).map_err(malformed)?;
    if theirs != door.version {
        let ours = door.version.to_owned();
        refuse(Refusal::Version(ours.clone()))?;
        return Err(ClusterError::Version { peer, ours, theirs });
    }
    let hello: Hello = serde_json::from_slice(&bytes).map_err(malformed)?;
    if let Some(refusal) = hello.refusal(door) {
        refuse(refusal.clone())?;
        return Err(ClusterError::Refused { peer, refusal });
    }
    let challenge = to_hex(&nonce()?);
    let proof = to_hex(&hello.parts("listener", &challenge, |parts| secret.prove(parts)));
    let answer = Answer::Challenge { nonce: challenge.clone(), proof };
    link.send(&answer, None, deadline).map_err(failed)?;
    let Proof { proof } = link.receive(MAX_STRANGER, deadline).map_err(|error| match error {
        // A worker of another run hangs up on a proof that is not of its run.
        FrameError::Closed | FrameError::Truncated if link.why().is_none() => {
            ClusterError::Unproven { peer }
        }
        error => failed(error),
    })?;
    let proved = from_hex(&proof).is_some_and(|proof| {
        hello.parts("dialler", &challenge, |parts| secret.verify(parts, &proof))
    });
    let place = if proved { claim(hello.from) } else { None };
    if let Some(place) = place {
        // Not subject to the deadline: the place is taken, and a few bytes always fit.
        link.send(&Verdict::Welcome, None, None).map_err(failed)?;
        return Ok(place);
    }
    let refusal = match hello.from {
        _ if !proved => Refusal::Proof,
        Some(_) => Refusal::Duplicate,
        None => Refusal::Full,
    };
    link.send(&Verdict::Refused(refusal.clone()), None, deadline).map_err(failed)?;
    Err(match refusal {
        Refusal::Proof => ClusterError::Unproven { peer },
        refusal => ClusterError::Refused { peer, refusal },
    })
}

fn broken(link: &Link, error: &FrameError) -> ClusterError {
    let peer = link.peer();
    match error {
        FrameError::TooLarge { .. } | FrameError::Malformed(_) | FrameError::Encrypted => {
            let encrypted = matches!(error, FrameError::Encrypted);
            ClusterError::Foreign { peer, reason: error.to_string(), encrypted }
        }
        _ => match link.why() {
            // In TLS 1.3 the dialler is done before the listener has seen its certificate.
            Some(why) => ClusterError::Tls { peer, reason: why.to_owned(), certificate: true },
            None => ClusterError::Link { peer, during: "the handshake", reason: error.to_string() },
        },
    }
}

#[cfg(test)]
mod tests;
