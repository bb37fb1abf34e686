//! Clusters whose workers are threads of this process, over plain TCP and over TLS.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test panics when it fails, and prints what it measured"
)]

#[path = "support/threads.rs"]
mod support;

use std::io::Write;
use std::net::TcpStream;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use sage_cluster::{
    Cluster, ClusterConfig, ClusterError, ClusterEvent, ControlMessage, Exit, Join, LossCause,
    Refusal, Secret, Transport, join,
};
use support::{LONG, Threads, config, greet_peers, next, transports};

fn over(workers: usize, transport: &Transport) -> ClusterConfig {
    ClusterConfig { transport: transport.clone(), ..config(workers) }
}

#[test]
fn bytes_flow_both_ways_between_every_two_workers() {
    for transport in &transports() {
        bytes_flow_both_ways_between_every_two_workers_over(transport);
    }
}

fn bytes_flow_both_ways_between_every_two_workers_over(transport: &Transport) {
    for workers in [1, 2, 4, 16] {
        let start = Instant::now();
        let mut launcher = Threads::new(|join_| {
            let mut member = join(join_).unwrap();
            assert_eq!((member.generation, member.payload.as_slice()), (4, &b"the job"[..]));
            let right = greet_peers(&mut member);
            member.control.send(&[right as u8]).unwrap();
            member.control.finished().unwrap();
            0
        });
        let cluster = Cluster::start(over(workers, transport), &mut launcher).unwrap();
        println!("{workers} workers as threads stand after {:?}", start.elapsed());
        let (mut messages, mut finished) = (0, 0);
        while finished < workers {
            match next(&cluster) {
                ClusterEvent::Message { bytes, .. } => {
                    assert_eq!(usize::from(bytes[0]), workers - 1);
                    messages += 1;
                }
                ClusterEvent::Finished { .. } => finished += 1,
                ClusterEvent::Lost(lost) => panic!("{lost:?}"),
            }
        }
        assert_eq!(messages, workers);
        let report = cluster.shutdown(LONG);
        assert!(report.killed.is_empty());
        assert!(report.exits.iter().all(|exit| *exit == Some(Exit::Code(0))));
    }
}

#[test]
fn messages_and_drain_reach_the_workers() {
    for transport in &transports() {
        messages_and_drain_reach_the_workers_over(transport);
    }
}

fn messages_and_drain_reach_the_workers_over(transport: &Transport) {
    let mut launcher = Threads::new(|join_| {
        let member = join(join_).unwrap();
        for message in &member.messages {
            match message {
                ControlMessage::Message(bytes) => member.control.send(&bytes).unwrap(),
                ControlMessage::Drain => break,
            }
        }
        member.control.finished().unwrap();
        0
    });
    let cluster = Cluster::start(over(3, transport), &mut launcher).unwrap();
    let large = vec![7; 1 << 20];
    cluster.send(1, &large).unwrap();
    let ClusterEvent::Message { worker: 1, bytes } = next(&cluster) else { panic!() };
    assert_eq!(bytes, large);
    let handle = cluster.handle();
    thread::spawn(move || handle.broadcast(b"all").unwrap()).join().unwrap();
    for _ in 0..3 {
        assert!(matches!(next(&cluster), ClusterEvent::Message { bytes, .. } if bytes == b"all"));
    }
    assert!(matches!(cluster.send(3, b""), Err(ClusterError::NoSuchWorker { .. })));
    let vast = vec![0; sage_cluster::MAX_MESSAGE + 1];
    assert!(matches!(cluster.broadcast(&vast), Err(ClusterError::TooLarge { .. })));
    cluster.drain();
    for _ in 0..3 {
        assert!(matches!(next(&cluster), ClusterEvent::Finished { .. }));
    }
    assert!(cluster.shutdown(LONG).killed.is_empty());
}

#[test]
fn a_worker_with_another_secret_ends_the_start_at_once() {
    let (errors, reasons) = mpsc::channel();
    let mut launcher = Threads::new(move |mut join_| {
        if join_.index == Some(1) {
            join_.secret = Secret::random().unwrap();
        }
        let index = join_.index;
        match join(join_) {
            Ok(_) => 0,
            Err(error) => {
                // The test may have seen enough by now.
                let _ = errors.send((index, error));
                1
            }
        }
    });
    let start = Instant::now();
    let error = Cluster::start(config(3), &mut launcher).err().unwrap();
    assert!(start.elapsed() < Duration::from_secs(10), "waited for the deadline");
    let ClusterError::LostAtStart(lost) = &error else { panic!("{error}") };
    assert_eq!((lost.worker, lost.cause), (1, LossCause::Exited(Exit::Code(1))));
    let (_, reason) = reasons.iter().find(|(index, _)| *index == Some(1)).unwrap();
    assert!(matches!(reason, ClusterError::Unproven { .. }), "{reason}");
}

#[test]
fn other_versions_generations_and_indices_are_refused() {
    type Spoil = fn(&mut Join);
    type Check = fn(&ClusterError) -> bool;
    let cases: [(Spoil, Check); 3] = [
        (
            |join| join.version = "0.9".to_owned(),
            |error| {
                let text = error.to_string();
                text.contains("0.9") && text.contains("1.0")
            },
        ),
        (
            |join| join.generation = Some(3),
            |error| matches!(error, ClusterError::Refused { refusal: Refusal::Generation(4), .. }),
        ),
        (
            |join| join.index = Some(2),
            |error| matches!(error, ClusterError::Refused { refusal: Refusal::Index, .. }),
        ),
    ];
    for (spoil, check) in cases {
        let (errors, reasons) = mpsc::channel();
        let mut launcher = Threads::new(move |mut join_| {
            if join_.index == Some(1) {
                spoil(&mut join_);
                errors.send(join(join_).unwrap_err()).unwrap();
                return 1;
            }
            i32::from(join(join_).is_err())
        });
        assert!(Cluster::start(config(2), &mut launcher).is_err());
        let reason = reasons.recv_timeout(LONG).unwrap();
        assert!(check(&reason), "{reason}");
    }
}

#[test]
fn an_index_joins_only_once() {
    for transport in &transports() {
        an_index_joins_only_once_over(transport);
    }
}

fn an_index_joins_only_once_over(transport: &Transport) {
    let (errors, reasons) = mpsc::channel();
    let mut launcher = Threads::new(move |join_| {
        if join_.index == Some(1) {
            // The real worker 1 comes late; a twin of worker 0 comes meanwhile.
            thread::sleep(Duration::from_millis(100));
            let mut twin = Join::new(join_.addresses[0], join_.secret.clone(), 0, 4, "1.0");
            twin.transport = join_.transport.clone();
            twin.on_supervisor_lost = Box::new(|| {});
            errors.send(join(twin).unwrap_err()).unwrap();
        }
        let member = join(join_).unwrap();
        member.control.finished().unwrap();
        0
    });
    let cluster = Cluster::start(over(2, transport), &mut launcher).unwrap();
    let reason = reasons.recv_timeout(LONG).unwrap();
    assert!(
        matches!(reason, ClusterError::Refused { refusal: Refusal::Duplicate, .. }),
        "{reason}"
    );
    assert!(cluster.shutdown(LONG).killed.is_empty());
}

#[test]
fn strangers_at_the_control_port_disturb_nobody() {
    for transport in &transports() {
        strangers_at_the_control_port_disturb_nobody_over(transport);
    }
}

fn strangers_at_the_control_port_disturb_nobody_over(transport: &Transport) {
    let (strangers, kept) = mpsc::channel();
    let mut launcher = Threads::new(move |join_| {
        if join_.index == Some(0) {
            for kind in 0..100 {
                let mut stranger = TcpStream::connect(join_.addresses[0]).unwrap();
                let junk: &[u8] = match kind % 4 {
                    0 => b"",
                    1 => b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
                    2 => &[0xff; 64],
                    _ => b"\0\0\0\x10{\"protocol\": 1}\n",
                };
                stranger.write_all(junk).unwrap();
                strangers.send(stranger).unwrap();
            }
        }
        let member = join(join_).unwrap();
        member.control.finished().unwrap();
        0
    });
    let start = Instant::now();
    let cluster = Cluster::start(over(4, transport), &mut launcher).unwrap();
    assert!(start.elapsed() < Duration::from_secs(3), "a silent stranger was waited for");
    assert!(cluster.shutdown(LONG).killed.is_empty());
    drop(kept);
}

#[test]
fn a_missing_worker_is_named_when_the_time_is_up() {
    let mut launcher = Threads::new(|join_| {
        if join_.index == Some(2) {
            thread::sleep(Duration::from_secs(1));
            return 0;
        }
        i32::from(join(join_).is_err())
    });
    let config = ClusterConfig { start_deadline: Duration::from_millis(300), ..config(3) };
    let error = Cluster::start(config, &mut launcher).err().unwrap();
    let ClusterError::StartDeadline { missing, .. } = error else { panic!("{error}") };
    assert_eq!(missing, [2]);
}

#[test]
fn absurd_numbers_of_workers_start_nothing() {
    for workers in [0, 10_000] {
        let mut launcher = Threads::new(|_| panic!("launched"));
        let error = Cluster::start(config(workers), &mut launcher).err().unwrap();
        assert!(matches!(error, ClusterError::Workers { .. }), "{error}");
    }
}

#[test]
fn a_closed_control_connection_is_a_loss() {
    for transport in &transports() {
        a_closed_control_connection_is_a_loss_over(transport);
    }
}

fn a_closed_control_connection_is_a_loss_over(transport: &Transport) {
    let mut launcher = Threads::new(|join_| {
        let member = join(join_).unwrap();
        if member.index == 1 {
            drop(member.control);
            thread::sleep(Duration::from_secs(2));
            return 0;
        }
        member.messages.iter().for_each(drop);
        0
    });
    let cluster = Cluster::start(over(2, transport), &mut launcher).unwrap();
    let start = Instant::now();
    let ClusterEvent::Lost(lost) = next(&cluster) else { panic!() };
    println!("a closed control connection was found after {:?}", start.elapsed());
    assert_eq!((lost.worker, lost.cause), (1, LossCause::Disconnected));
    let settled = cluster.settle(lost);
    assert_eq!((settled.root.worker, settled.losses.len()), (1, 1));
    let report = cluster.shutdown(Duration::ZERO);
    assert_eq!(report.killed, [0]);
}

#[test]
fn a_worker_that_is_held_up_by_the_supervisor_is_not_silent() {
    for transport in &transports() {
        a_worker_that_is_held_up_by_the_supervisor_is_not_silent_over(transport);
    }
}

fn a_worker_that_is_held_up_by_the_supervisor_is_not_silent_over(transport: &Transport) {
    let mut launcher = Threads::new(|join_| {
        let member = join(join_).unwrap();
        let message = vec![0; 1 << 16];
        for _ in 0..400 {
            member.control.send(&message).unwrap();
        }
        member.control.finished().unwrap();
        0
    });
    let config =
        ClusterConfig { heartbeat_timeout: Duration::from_millis(600), ..over(1, transport) };
    let cluster = Cluster::start(config, &mut launcher).unwrap();
    thread::sleep(Duration::from_millis(1500));
    let mut messages = 0;
    loop {
        match next(&cluster) {
            ClusterEvent::Message { .. } => messages += 1,
            ClusterEvent::Finished { .. } => break,
            ClusterEvent::Lost(lost) => panic!("{lost:?}"),
        }
    }
    assert_eq!(messages, 400);
    assert!(cluster.shutdown(LONG).killed.is_empty());
}

#[test]
fn a_worker_learns_that_its_supervisor_is_gone() {
    for transport in &transports() {
        a_worker_learns_that_its_supervisor_is_gone_over(transport);
    }
}

fn a_worker_learns_that_its_supervisor_is_gone_over(transport: &Transport) {
    let (sender, gone) = mpsc::channel();
    let mut launcher = Threads::new(move |mut join_| {
        let (sender, index) = (sender.clone(), join_.index.unwrap());
        join_.on_supervisor_lost = Box::new(move || sender.send(index).unwrap());
        let member = join(join_).unwrap();
        thread::sleep(LONG);
        drop(member);
        0
    });
    drop(Cluster::start(over(2, transport), &mut launcher).unwrap());
    let mut indices = [0; 2].map(|_| gone.recv_timeout(LONG).unwrap());
    indices.sort_unstable();
    assert_eq!(indices, [0, 1]);
    assert!(gone.recv_timeout(Duration::from_millis(600)).is_err(), "called more than once");
}
