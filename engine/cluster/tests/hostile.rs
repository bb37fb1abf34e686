//! Peers that want no good, at the control port and at mesh ports, with TLS and without: each is
//! refused, nothing is harmed, and the run starts all the same.

#![expect(clippy::unwrap_used, reason = "a test panics when it fails")]

#[path = "support/forged.rs"]
mod forged;
#[path = "support/threads.rs"]
mod support;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use forged::{Files, Forged};
use sage_cluster::{
    Cluster, ClusterConfig, ClusterError, ClusterEvent, Join, Refusal, Refusals, Secret, Tls,
    Transport, join,
};
use support::{LONG, Threads, config, greet_peers, next, transports};

fn over(workers: usize, transport: &Transport) -> ClusterConfig {
    ClusterConfig { transport: transport.clone(), ..config(workers) }
}

/// Starts three workers after `disturb` was at the control port, and lets them speak to each other;
/// how many connections were refused meanwhile is not part of it.
fn starts_in_spite_of(
    transport: &Transport,
    disturb: impl Fn(SocketAddr, &Join) + Send + Sync + 'static,
) {
    let mut launcher = Threads::new(move |join_| {
        if join_.index == Some(0) {
            disturb(join_.addresses[0], &join_);
        }
        let mut member = join(join_).unwrap();
        let right = greet_peers(&mut member);
        member.control.send(&[right as u8]).unwrap();
        member.control.finished().unwrap();
        0
    });
    let cluster = Cluster::start(over(3, transport), &mut launcher).unwrap();
    let mut finished = 0;
    while finished < 3 {
        match next(&cluster) {
            ClusterEvent::Message { bytes, .. } => assert_eq!(bytes, [2]),
            ClusterEvent::Finished { .. } => finished += 1,
            ClusterEvent::Lost(lost) => panic!("{lost:?}"),
        }
    }
    assert!(cluster.shutdown(LONG).killed.is_empty());
}

/// The error of a start to which only the worker of `spoil` comes, and that worker's own.
fn refused(
    config: ClusterConfig,
    spoil: impl Fn(&mut Join) + Send + Sync + 'static,
) -> (ClusterError, ClusterError) {
    let (errors, reasons) = mpsc::channel();
    let errors = Mutex::new(errors);
    let mut launcher = Threads::new(move |mut join_| {
        spoil(&mut join_);
        join_.deadline = Duration::from_secs(5);
        join_.patience = join_.deadline;
        errors.lock().unwrap().send(join(join_).unwrap_err()).unwrap();
        // It does not end, so that the supervisor waits for it until the deadline.
        thread::sleep(LONG);
        1
    });
    let config = ClusterConfig { start_deadline: Duration::from_secs(2), ..config };
    let error = Cluster::start(config, &mut launcher).err().unwrap();
    (error, reasons.recv_timeout(LONG).unwrap())
}

/// What the supervisor says of who was refused.
fn refusals(error: &ClusterError) -> &Refusals {
    let ClusterError::StartDeadline { missing, refusals, .. } = error else { panic!("{error}") };
    assert_eq!(missing, &[0]);
    refusals
}

/// Of the last worker that was.
fn last_refusal(error: &ClusterError) -> &str {
    &refusals(error).reasons.last().unwrap_or_else(|| panic!("{error}")).text
}

#[test]
fn junk_silence_drips_and_oversize_disturb_nobody() {
    for transport in &transports() {
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = Arc::clone(&stop);
        starts_in_spite_of(transport, move |address, _| {
            for kind in 0..60 {
                let mut stranger = TcpStream::connect(address).unwrap();
                let bytes: &[u8] = match kind % 5 {
                    0 => b"GET / HTTP/1.1\r\n\r\n",
                    1 => &[0xff; 300],
                    // A record of TLS that announces more than it has.
                    2 => b"\x16\x03\x01\x3f\xff\x01\x00\x00",
                    // A frame of the largest size there is after the proof.
                    3 => b"\x01\x00\x00\x00{",
                    _ => b"",
                };
                stranger.write_all(bytes).unwrap();
                let stop = Arc::clone(&stopping);
                thread::spawn(move || {
                    // A byte now and then, as long as it is taken.
                    while !stop.load(Ordering::Relaxed) && stranger.write_all(b"\0").is_ok() {
                        thread::sleep(Duration::from_millis(50));
                    }
                });
            }
        });
        stop.store(true, Ordering::Relaxed);
    }
}

#[test]
fn thousands_of_connections_cost_few_threads() {
    fn threads() -> usize {
        std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
    }
    for transport in &transports() {
        let most = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&most);
        let before = threads();
        starts_in_spite_of(transport, move |address, _| {
            let dialled = AtomicUsize::new(0);
            thread::scope(|scope| {
                for _ in 0..15 {
                    scope.spawn(|| {
                        let mut kept = Vec::new();
                        for _ in 0..200 {
                            // Refused are those for which the system has no room.
                            let time = Duration::from_millis(50);
                            let Ok(stream) = TcpStream::connect_timeout(&address, time) else {
                                continue;
                            };
                            dialled.fetch_add(1, Ordering::Relaxed);
                            // Fewer than this process may have open.
                            if kept.len() < 12 {
                                kept.push(stream);
                            }
                        }
                        seen.fetch_max(threads(), Ordering::Relaxed);
                    });
                }
            });
            assert!(dialled.load(Ordering::Relaxed) > 200, "hardly any came through");
        });
        // Handshakes under way, workers and watchers; other tests run beside.
        let most = most.load(Ordering::Relaxed).saturating_sub(before);
        assert!(most < 400, "{most} threads");
    }
}

/// A relay that writes down what the dialler of its first connection sends.
fn recording_relay(to: SocketAddr) -> (SocketAddr, mpsc::Receiver<Vec<u8>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let (mut inner, _) = listener.accept().unwrap();
        let mut outer = TcpStream::connect(to).unwrap();
        let (mut back_from, mut back_to) = (outer.try_clone().unwrap(), inner.try_clone().unwrap());
        thread::spawn(move || {
            let _ = std::io::copy(&mut back_from, &mut back_to);
            let _ = back_to.shutdown(Shutdown::Both);
        });
        let (mut recorded, mut piece) = (Vec::new(), [0; 4096]);
        while let Ok(count @ 1..) = inner.read(&mut piece) {
            recorded.extend_from_slice(&piece[..count]);
            if outer.write_all(&piece[..count]).is_err() {
                break;
            }
        }
        let _ = outer.shutdown(Shutdown::Both);
        let _ = tell.send(recorded);
    });
    (address, told)
}

#[test]
fn a_recorded_good_dialogue_opens_nothing() {
    for transport in &transports() {
        let (records, recorded) = mpsc::channel();
        let records = Mutex::new(records);
        let mut launcher = Threads::new(move |mut join_| {
            let (relay, told) = recording_relay(join_.addresses[0]);
            join_.addresses = vec![relay];
            let member = join(join_).unwrap();
            member.control.finished().unwrap();
            drop(member);
            records.lock().unwrap().send(told).unwrap();
            0
        });
        let first = over(1, transport);
        // The next generation has the same secret, port and authority, and is what a replay is for.
        let again = ClusterConfig { start_deadline: Duration::from_secs(2), ..first.clone() };
        let cluster = Cluster::start(first, &mut launcher).unwrap();
        assert!(matches!(next(&cluster), ClusterEvent::Finished { .. }));
        cluster.shutdown(LONG);
        let bytes = recorded.recv_timeout(LONG).unwrap().recv_timeout(LONG).unwrap();
        assert!(bytes.len() > 200, "a whole dialogue");

        let mut replayer = Threads::new(move |join_| {
            let mut stream = TcpStream::connect(join_.addresses[0]).unwrap();
            stream.write_all(&bytes).unwrap();
            let mut answers = Vec::new();
            let _ = stream.read_to_end(&mut answers);
            thread::sleep(LONG);
            1
        });
        let error = Cluster::start(again, &mut replayer).err().unwrap();
        let why = refusals(&error).to_string();
        assert!(why.contains("secret") || why.contains("TLS"), "{why}");
    }
}

#[test]
fn wrong_secrets_generations_and_versions_are_named_on_both_ends() {
    for transport in &transports() {
        let (there, here) = refused(over(1, transport), |join| {
            join.secret = Secret::random().unwrap();
        });
        assert!(matches!(here, ClusterError::Unproven { .. }), "{here}");
        // The dialler sees it first and hangs up.
        assert!(last_refusal(&there).contains("this run's secret"), "{there}");

        let (there, here) = refused(over(1, transport), |join| join.generation = Some(3));
        let gone = matches!(here, ClusterError::Refused { refusal: Refusal::Generation(4), .. });
        assert!(gone, "{here}");
        assert!(last_refusal(&there).contains("generation 4"), "{there}");

        let (there, here) = refused(over(1, transport), |join| join.version = "0.9".into());
        for said in [last_refusal(&there), &here.to_string()] {
            let both = said.contains("0.9") && said.contains("1.0");
            assert!(both && said.contains("install the same version"), "{said}");
        }
    }
}

#[test]
fn a_worker_whose_messages_are_those_of_another_version_is_told_both_versions() {
    let mut launcher = Threads::new(|join_| {
        let mut stream = TcpStream::connect(join_.addresses[0]).unwrap();
        let hello = br#"{"protocol":99,"version":"7.0","what":{"is":"new"}}"#;
        stream.write_all(&(hello.len() as u32).to_be_bytes()).unwrap();
        stream.write_all(hello).unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        assert!(answer.contains(r#"{"Refused":{"Version":"1.0"}}"#), "{answer}");
        thread::sleep(LONG);
        1
    });
    let config = ClusterConfig { start_deadline: Duration::from_secs(2), ..config(1) };
    let error = Cluster::start(config, &mut launcher).err().unwrap();
    let why = last_refusal(&error);
    assert!(why.contains("7.0") && why.contains("1.0"), "{why}");
}

#[test]
fn certificates_that_are_not_of_the_run_are_refused() {
    let forged = Forged::new();
    let files = forged.write(&forged.good());
    let run = Transport::Tls(files.tls().unwrap());
    // All is well with one that is of the run.
    starts_in_spite_of(&run, |_, _| ());

    type Spoil = Box<dyn Fn(&mut Join) + Send + Sync>;
    let with =
        |tls: Tls| -> Spoil { Box::new(move |join| join.transport = Transport::Tls(tls.clone())) };
    let other = Tls::for_run().unwrap();
    let (there, here) = refused(over(1, &run), with(other));
    assert!(here.to_string().contains("another run"), "{here}");
    assert!(last_refusal(&there).contains("TLS"), "{there}");

    // The wrong certificate with the right authority, as far as such a process would start at all.
    let expired = forged.write(&forged.expired());
    let said = expired.tls().unwrap_err().to_string();
    assert!(said.contains("expired") || said.contains("Expired"), "{said}");
    let foreign = forged.write(&Forged::new().good());
    let said = foreign.tls().unwrap_err().to_string();
    assert!(said.contains("does not vouch"), "{said}");
}

#[test]
fn a_client_with_an_expired_or_foreign_or_no_certificate_is_refused() {
    let forged = Forged::new();
    let run = Transport::Tls(forged.write(&forged.good()).tls().unwrap());
    let clients = [
        (Some(forged.expired()), "does not hold today"),
        (Some(Forged::new().good()), "another run"),
        (None, "no certificate"),
    ];
    for (leaf, expected) in clients {
        let client = forged.client(leaf.as_ref());
        let mut launcher = Threads::new(move |join_| {
            forged::knock(&client, join_.addresses[0]);
            thread::sleep(LONG);
            1
        });
        let config = ClusterConfig { start_deadline: Duration::from_secs(2), ..over(1, &run) };
        let error = Cluster::start(config, &mut launcher).err().unwrap();
        let why = refusals(&error).to_string();
        assert!(why.contains(expected), "{why}");
    }
}

#[test]
fn plain_tcp_at_a_tls_port_and_tls_at_a_plain_one_are_named() {
    let [plain, tls] = transports();
    let (there, here) = refused(over(1, &tls), |join| join.transport = Transport::Hmac);
    assert!(here.to_string().contains("speaks TLS"), "{here}");
    // A stranger would look the same.
    assert!(refusals(&there).last_stranger.contains("does not speak TLS"), "{there}");

    let other = tls.clone();
    let (there, here) = refused(over(1, &plain), move |join| join.transport = other.clone());
    assert!(last_refusal(&there).contains("speaks TLS"), "{there}");
    assert!(here.to_string().contains("does not speak TLS"), "{here}");
}

#[test]
fn frames_over_the_limit_after_the_proof_end_only_their_sender() {
    for transport in &transports() {
        let mut launcher = Threads::new(|join_| {
            let member = join(join_).unwrap();
            let vast = vec![0; sage_cluster::MAX_MESSAGE + 1];
            assert!(matches!(member.control.send(&vast), Err(ClusterError::TooLarge { .. })));
            member.control.send(&vast[1..]).unwrap();
            member.control.finished().unwrap();
            0
        });
        let cluster = Cluster::start(over(1, transport), &mut launcher).unwrap();
        let ClusterEvent::Message { bytes, .. } = next(&cluster) else { panic!() };
        assert_eq!(bytes.len(), sage_cluster::MAX_MESSAGE);
        assert!(matches!(next(&cluster), ClusterEvent::Finished { .. }));
        assert!(cluster.shutdown(LONG).killed.is_empty());
    }
}

#[test]
fn workers_without_an_index_get_one_each_and_no_more_than_there_are() {
    for transport in &transports() {
        let mut launcher = Threads::new(|mut join_| {
            (join_.index, join_.generation) = (None, None);
            let start = Instant::now();
            let mut member = join(join_).unwrap();
            assert_eq!((member.generation, member.workers), (4, 4));
            assert_eq!(greet_peers(&mut member), 3, "after {:?}", start.elapsed());
            member.control.send(&[member.index as u8]).unwrap();
            member.control.finished().unwrap();
            0
        });
        let cluster = Cluster::start(over(4, transport), &mut launcher).unwrap();
        let (mut indices, mut finished) = (Vec::new(), 0);
        while finished < 4 {
            match next(&cluster) {
                ClusterEvent::Message { bytes, worker } => {
                    assert_eq!(usize::from(bytes[0]), worker);
                    indices.push(worker);
                }
                ClusterEvent::Finished { .. } => finished += 1,
                ClusterEvent::Lost(lost) => panic!("{lost:?}"),
            }
        }
        indices.sort_unstable();
        assert_eq!(indices, [0, 1, 2, 3]);
        assert!(cluster.shutdown(LONG).killed.is_empty());
    }
}

#[test]
fn no_debug_output_shows_a_secret() {
    let files: Files = Forged::new().files();
    let tls = files.tls().unwrap();
    let line = tls.credentials().unwrap();
    let key = line.rsplit('.').next().unwrap();
    let config = over(1, &Transport::Tls(tls.clone()));
    let shown = format!("{config:?} {tls:?} {:?} {:?}", config.secret, config.transport);
    assert!(!shown.contains(&key[..20]), "{shown}");
    let damaged = format!("{line}!");
    let error = Tls::from_credentials(&damaged).unwrap_err();
    assert!(!format!("{error} {error:?}").contains(&key[..20]));
}
