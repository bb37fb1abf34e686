//! The mesh with strangers at its ports; that it forms at all is tested through the public API.

use std::io::{Read, Write};

use super::*;
use crate::tls::Tls;
use crate::vigil::Watcher;
use crate::wire::Transport;

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn form(
    transport: &Transport,
    secret: &Secret,
    index: usize,
    peers: &[SocketAddr],
    listener: &TcpListener,
    time: Duration,
) -> Result<Vec<Option<Socket>>, ClusterError> {
    let deadline = Instant::now() + time;
    let wire = &Wire::new(transport, Watcher::Worker).unwrap();
    Mesh { wire, secret, version: "1", generation: 0, index, peers, deadline }.form(listener)
}

#[test]
fn strangers_at_a_mesh_port_disturb_nobody() {
    for transport in [Transport::Hmac, Transport::Tls(Tls::for_run().unwrap())] {
        strangers_disturb_nobody_over(&transport);
    }
}

fn strangers_disturb_nobody_over(transport: &Transport) {
    let secret = Secret::random().unwrap();
    let (listeners, peers): (Vec<_>, Vec<_>) = (0..3).map(|_| listener()).unzip();
    // In the backlog before any worker dials.
    let mut strangers = Vec::new();
    for peer in &peers {
        let silent = TcpStream::connect(peer).unwrap();
        let mut junk = TcpStream::connect(peer).unwrap();
        junk.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        let mut oversize = TcpStream::connect(peer).unwrap();
        oversize.write_all(&u32::MAX.to_be_bytes()).unwrap();
        let mut lying = TcpStream::connect(peer).unwrap();
        lying.write_all(b"\0\0\0\x02{}").unwrap();
        strangers.extend([silent, junk, oversize, lying]);
    }
    let start = Instant::now();
    let meshes: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> = listeners
            .iter()
            .enumerate()
            .map(|(index, listener)| {
                let (secret, peers) = (&secret, &peers);
                scope.spawn(move || {
                    form(transport, secret, index, peers, listener, Duration::from_secs(20))
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().unwrap().unwrap()).collect()
    });
    assert!(start.elapsed() < PATIENCE, "a silent stranger was waited for");
    for (index, mesh) in meshes.iter().enumerate() {
        let there: Vec<bool> = mesh.iter().map(Option::is_some).collect();
        let expected: Vec<bool> = (0..3).map(|peer| peer != index).collect();
        assert_eq!(there, expected);
    }
    // The sockets are blocking and lead to whom they say.
    let mut to_zero = meshes[2][0].as_ref().unwrap();
    to_zero.write_all(b"hi").unwrap();
    let mut bytes = [0; 2];
    let mut from_two = meshes[0][2].as_ref().unwrap();
    from_two.read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"hi");
}

#[test]
fn a_peer_with_another_secret_is_named_at_once() {
    let (listeners, peers): (Vec<_>, Vec<_>) = (0..2).map(|_| listener()).unzip();
    let (one, other) = (Secret::random().unwrap(), Secret::random().unwrap());
    thread::scope(|scope| {
        let zero = scope.spawn(|| {
            form(&Transport::Hmac, &one, 0, &peers, &listeners[0], Duration::from_millis(300))
        });
        let dialled =
            form(&Transport::Hmac, &other, 1, &peers, &listeners[1], Duration::from_secs(20));
        assert!(matches!(dialled, Err(ClusterError::Unproven { .. })), "{dialled:?}");
        let waited = zero.join().unwrap();
        let Err(ClusterError::MeshDeadline { worker: 0, missing, .. }) = waited else {
            panic!("{waited:?}")
        };
        assert_eq!(missing, [1]);
    });
}
