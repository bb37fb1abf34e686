//! What a fuzzer may throw at this crate, one function a format; property tests call the same ones.
//!
//! They are compiled for tests and for the targets in `fuzz/` only. Each takes the fuzzer's bytes and
//! panics where a promise is broken.

use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use fuzz_input::{Choices, harm};

use crate::error::ClusterError;
use crate::frame::{self, FrameError, MAX_PEER, MAX_STRANGER};
use crate::handshake::{Door, Introduction, Role, admit, introduce};
use crate::link::Link;
use crate::message::{Down, Up};
use crate::secret::Secret;
use crate::socket::Socket;

/// Both peers end at once where the other hangs up, so nobody waits so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// A socket that gives some bytes at a time.
struct Pieces<'a>(Vec<&'a [u8]>);

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.retain(|piece| !piece.is_empty());
        let Some(first) = self.0.first_mut() else { return Ok(0) };
        first.read(buffer)
    }
}

/// All frames of a stream, and what ended it.
fn frames(input: &mut impl Read, limit: usize) -> (Vec<Vec<u8>>, FrameError) {
    let mut found = Vec::new();
    loop {
        match frame::read(input, limit) {
            Ok(frame) => found.push(frame),
            Err(error) => return (found, error),
        }
    }
}

/// A stream of frames: in any pieces it is the same frames, none above the limit; written again they
/// are the bytes that were read. What is in them is a message of the protocol or an error.
pub fn control_frames(input: &[u8]) {
    let mut choices = Choices::new(input);
    let limit = if choices.flag() { MAX_STRANGER } else { choices.below(64) };
    let cuts = choices.bytes(24);
    let stream = choices.rest();
    let (found, end) = frames(&mut &*stream, limit);
    let pieces = Choices::new(cuts).pieces(stream);
    let (again, other_end) = frames(&mut Pieces(pieces), limit);
    assert_eq!(found, again);
    assert_eq!(end.to_string(), other_end.to_string());
    let mut written = Vec::new();
    for frame in &found {
        assert!(frame.len() <= limit);
        frame::write(&mut written, frame, limit).expect("it was within the limit");
        if let Ok(message) = serde_json::from_slice::<Down>(frame) {
            serde_json::to_vec(&message).expect("what is read can be said");
        }
        if let Ok(message) = serde_json::from_slice::<Up>(frame) {
            serde_json::to_vec(&message).expect("what is read can be said");
        }
    }
    assert!(stream.starts_with(&written));
    if matches!(end, FrameError::Closed) {
        assert_eq!(written, stream);
    }
}

const HONEST: Introduction<'static> =
    Introduction { role: Role::Mesh, from: Some(3), to: 1, generation: Some(7), version: "1" };

fn door() -> Door<'static> {
    Door { role: Role::Mesh, from: 2..4, to: 1, generation: 7, version: "1" }
}

fn secret() -> Secret {
    Secret::from_hex(&"5a".repeat(32)).expect("64 digits")
}

/// Both ends of a connection.
fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let dialler = TcpStream::connect(listener.local_addr().expect("its address"));
    (dialler.expect("a connection"), listener.accept().expect("a connection").0)
}

fn link(stream: TcpStream) -> Link {
    let address = "a connected socket has addresses";
    let (peer, local) = (stream.peer_addr().expect(address), stream.local_addr().expect(address));
    Link::new(Socket::Tcp(stream), None, peer, local)
}

/// A stranger without the secret who says anything, to a listener or to a dialler: it is never let
/// in, and never believed.
pub fn handshake_stranger(input: &[u8]) {
    let mut choices = Choices::new(input);
    let dials = choices.flag();
    let (mut stranger, ours) = pair();
    // A reset, because the other end has hung up already, is as good as an end.
    let _ = stranger.write_all(choices.rest());
    let _ = stranger.shutdown(Shutdown::Write);
    let deadline = Instant::now() + PATIENCE;
    let failed = if dials {
        introduce(&link(ours), &secret(), &HONEST, deadline).err()
    } else {
        let claimed = |_| panic!("a stranger takes a place");
        admit(&link(ours), &secret(), &door(), claimed, deadline).err()
    };
    let error = failed.expect("a stranger is let in");
    assert!(!error.to_string().contains(&"5a".repeat(8)), "the secret is told: {error}");
}

/// Somebody between two honest ends who changes what they say. The listener lets in only whom it
/// would have let in, the dialler believes only a listener with the secret, and neither if a byte of
/// the proofs was changed.
pub fn handshake_between(input: &[u8]) {
    let mut choices = Choices::new(input);
    let [up, down] = [choices.bytes(40), choices.bytes(40)];
    let me = Introduction {
        role: if choices.byte() % 8 == 7 { Role::Control } else { Role::Mesh },
        from: [Some(4), None].get(choices.below(9)).copied().unwrap_or(Some(3)),
        to: 1 - choices.below(8) / 7,
        generation: [Some(6), None].get(choices.below(9)).copied().unwrap_or(Some(7)),
        version: if choices.byte() % 8 == 7 { "2" } else { "1" },
    };
    let is_right = (me.role, me.from, me.to, me.version) == (Role::Mesh, Some(3), 1, "1")
        && me.generation.is_none_or(|generation| generation == 7);
    let (dialler, inner) = pair();
    let (outer, listener) = pair();
    let claimed = Cell::new(None);
    let deadline = Instant::now() + PATIENCE;
    let (dialled, admitted) = thread::scope(|scope| {
        let (from, to) = (inner.try_clone().expect("a socket"), outer.try_clone().expect("one"));
        scope.spawn(move || relay(from, to, up));
        scope.spawn(move || relay(outer, inner, down));
        let dialling = scope.spawn(|| introduce(&link(dialler), &secret(), &me, deadline));
        let listener = link(listener);
        let claim = |peer| {
            claimed.set(peer);
            peer
        };
        let admitted = admit(&listener, &secret(), &door(), claim, deadline);
        listener.close();
        (dialling.join().expect("the dialler does not panic"), admitted)
    });
    if let Some(peer) = claimed.get() {
        assert!(is_right && peer == 3, "a place for what nobody proved");
    }
    if admitted.is_ok() {
        assert_eq!(claimed.get(), Some(3));
    }
    if dialled.is_ok() {
        assert!(is_right, "a listener that does not want it");
    }
    if up.is_empty() && down.is_empty() {
        assert_eq!(dialled.is_ok(), is_right, "{dialled:?}");
        assert_eq!(admitted.is_ok(), is_right, "{admitted:?}");
    }
    let version = |error: &ClusterError| matches!(error, ClusterError::Version { .. });
    if me.version == "2" && up.is_empty() && down.is_empty() {
        assert!(dialled.as_ref().is_err_and(version) && admitted.as_ref().is_err_and(version));
    }
}

/// Pass on what comes, changed as `damage` says: one change a message.
fn relay(mut from: TcpStream, mut to: TcpStream, damage: &[u8]) {
    let mut choices = Choices::new(damage);
    let mut buffer = vec![0; MAX_STRANGER];
    let mut passed = 0;
    // Bounded, as an endless talk of two ends would be a finding of its own.
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        passed += count;
        assert!(passed < 16 * MAX_STRANGER.min(MAX_PEER), "the handshake does not end");
        let mut bytes = buffer[..count].to_vec();
        if !choices.is_empty() && !choices.flag() {
            harm(&mut bytes, &mut choices);
        }
        if to.write_all(&bytes).is_err() {
            break;
        }
        // A frame that was made longer than it says holds both ends up; so it is the last one.
        if bytes != buffer[..count] {
            let _ = to.shutdown(Shutdown::Write);
            break;
        }
    }
    let _ = (to.shutdown(Shutdown::Write), from.shutdown(Shutdown::Read));
}

#[cfg(test)]
mod tests {
    use fuzz_input::try_all;

    #[test]
    fn frames_are_read_alike_however_they_come() {
        try_all("control_frames", 2000, super::control_frames);
    }

    #[test]
    fn a_stranger_is_never_let_in() {
        try_all("handshake_stranger", 300, super::handshake_stranger);
    }

    #[test]
    fn who_stands_between_two_ends_gains_nothing() {
        try_all("handshake_between", 150, super::handshake_between);
    }
}
