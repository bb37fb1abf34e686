//! The handshake against wrong secrets, wrong claims and recorded bytes.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use proptest::prelude::*;

use super::*;
use crate::socket::Socket;

const MESH: Introduction<'static> =
    Introduction { role: Role::Mesh, from: Some(3), to: 1, generation: Some(7), version: "1" };

fn door() -> Door<'static> {
    Door { role: Role::Mesh, from: 2..4, to: 1, generation: 7, version: "1" }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(5)
}

fn over(stream: TcpStream) -> Link {
    let (peer, local) = (stream.peer_addr().unwrap(), stream.local_addr().unwrap());
    Link::new(Socket::Tcp(stream), None, peer, local)
}

fn pair() -> (TcpStream, Link) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let dialler = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (dialler, over(listener.accept().unwrap().0))
}

/// Both ends' results for one introduction.
fn shake(
    me: Introduction<'static>,
    mine: Secret,
    theirs: Secret,
) -> (Result<(), ClusterError>, Result<usize, ClusterError>) {
    let (dialler, link) = pair();
    let thread = thread::spawn(move || introduce(&over(dialler), &mine, &me, soon()));
    let admitted = admit(&link, &theirs, &door(), |from| from, soon());
    link.close();
    (thread.join().unwrap(), admitted)
}

#[test]
fn both_sides_agree_when_all_is_right() {
    let secret = Secret::random().unwrap();
    let (dialled, admitted) = shake(MESH, secret.clone(), secret);
    dialled.unwrap();
    assert_eq!(admitted.unwrap(), 3);
}

#[test]
fn a_wrong_secret_is_seen_by_the_dialler_first() {
    let (dialled, admitted) = shake(MESH, Secret::random().unwrap(), Secret::random().unwrap());
    assert!(matches!(dialled, Err(ClusterError::Unproven { .. })), "{dialled:?}");
    assert!(admitted.is_err());
}

#[test]
fn every_false_claim_is_refused() {
    let secret = Secret::random().unwrap();
    let cases = [
        (Introduction { role: Role::Control, ..MESH }, Refusal::Address),
        (Introduction { to: 0, ..MESH }, Refusal::Address),
        (Introduction { from: Some(4), ..MESH }, Refusal::Index),
        (Introduction { generation: Some(6), ..MESH }, Refusal::Generation(7)),
    ];
    for (me, expected) in cases {
        let (dialled, admitted) = shake(me, secret.clone(), secret.clone());
        let Err(ClusterError::Refused { refusal, .. }) = dialled else { panic!("{dialled:?}") };
        assert_eq!(refusal, expected);
        assert!(admitted.is_err());
    }
}

#[test]
fn a_version_mismatch_names_both_versions_on_both_sides() {
    let secret = Secret::random().unwrap();
    let me = Introduction { version: "0.9-old", ..MESH };
    let (dialled, admitted) = shake(me, secret.clone(), secret);
    for message in [dialled.unwrap_err().to_string(), admitted.unwrap_err().to_string()] {
        assert!(
            message.contains("0.9-old") && message.contains("version 1")
                || message.contains("process 1"),
            "{message}"
        );
    }
}

#[test]
fn recorded_bytes_do_not_open_the_door_again() {
    let secret = Secret::random().unwrap();

    // A relay that writes down what the dialler sends.
    let (dialler, inner) = pair();
    let (outer, link) = pair();
    let theirs = secret.clone();
    let listening = thread::spawn(move || admit(&link, &theirs, &door(), |from| from, soon()));
    let mine = secret.clone();
    let dialling = thread::spawn(move || introduce(&over(dialler), &mine, &MESH, soon()));
    let mut recorded = Vec::new();
    let Socket::Tcp(inner) = inner.into_socket().unwrap() else { panic!() };
    let (mut back_in, mut back_out) = (outer.try_clone().unwrap(), inner.try_clone().unwrap());
    let back = thread::spawn(move || std::io::copy(&mut back_in, &mut back_out));
    let (mut from, mut to) = (inner, outer);
    let mut buffer = [0; 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        recorded.extend_from_slice(&buffer[..count]);
        to.write_all(&buffer[..count]).unwrap();
    }
    to.shutdown(std::net::Shutdown::Both).unwrap();
    dialling.join().unwrap().unwrap();
    assert_eq!(listening.join().unwrap().unwrap(), 3);
    back.join().unwrap().unwrap();

    let (mut replayer, link) = pair();
    replayer.write_all(&recorded).unwrap();
    let replayed = admit(&link, &secret, &door(), |_| panic!("claimed by a replay"), soon());
    assert!(matches!(replayed, Err(ClusterError::Unproven { .. })), "{replayed:?}");
}

#[test]
fn a_place_that_is_taken_is_refused() {
    let secret = Secret::random().unwrap();
    let (dialler, link) = pair();
    let mine = secret.clone();
    let thread = thread::spawn(move || introduce(&over(dialler), &mine, &MESH, soon()));
    assert!(admit(&link, &secret, &door(), |_| None, soon()).is_err());
    let Err(ClusterError::Refused { refusal, .. }) = thread.join().unwrap() else { panic!() };
    assert_eq!(refusal, Refusal::Duplicate);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn frames_of_junk_are_refused(
        junk in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..100),
            r#"\{"protocol":[0-9]{1,25},"version":".{0,9}","role":"[MC].{0,6}".{0,40}\}"#
                .prop_map(String::into_bytes),
        ],
    ) {
        let (mut stranger, link) = pair();
        crate::frame::write(&mut stranger, &junk, MAX_STRANGER).unwrap();
        drop(stranger);
        let secret = Secret::random().unwrap();
        prop_assert!(admit(&link, &secret, &door(), |from| from, soon()).is_err());
    }
}

#[test]
fn a_silent_peer_costs_no_more_than_the_deadline() {
    let (_silent, link) = pair();
    let start = Instant::now();
    let deadline = start + Duration::from_millis(50);
    assert!(admit(&link, &Secret::random().unwrap(), &door(), |from| from, deadline).is_err());
    assert!(start.elapsed() < Duration::from_secs(5));
}
