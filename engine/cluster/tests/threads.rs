//! Clusters whose workers are threads of this process: quick, and free to misbehave.

#![expect(clippy::unwrap_used, reason = "a test panics when it fails")]

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use sage_cluster::{
    Cluster, ClusterConfig, ClusterError, ClusterEvent, ControlMessage, Exit, Join, Launcher,
    LossCause, Member, Refusal, Secret, Tls, Transport, WorkerProcess, join,
};

const LONG: Duration = Duration::from_secs(30);

/// Runs `work` in a thread for each worker; its result is the "exit code".
struct Threads<F> {
    work: Arc<F>,
}

impl<F: Fn(Join) -> i32 + Send + Sync + 'static> Threads<F> {
    fn new(work: F) -> Self {
        Self { work: Arc::new(work) }
    }
}

#[derive(Default)]
struct Thread {
    exit: Mutex<Option<Exit>>,
    ended: Condvar,
}

impl Thread {
    fn end(&self, exit: Exit) {
        self.exit.lock().unwrap().get_or_insert(exit);
        self.ended.notify_all();
    }
}

struct Process(Arc<Thread>);

impl WorkerProcess for Process {
    fn wait(&self) -> io::Result<Exit> {
        let exit = self.0.exit.lock().unwrap();
        Ok(self.0.ended.wait_while(exit, |exit| exit.is_none()).unwrap().unwrap())
    }

    fn kill(&self) -> io::Result<()> {
        self.0.end(Exit::Signal(9));
        Ok(())
    }
}

impl<F: Fn(Join) -> i32 + Send + Sync + 'static> Launcher for Threads<F> {
    fn launch(
        &mut self,
        index: usize,
        address: SocketAddr,
        env: &[(String, String)],
    ) -> io::Result<Box<dyn WorkerProcess>> {
        let env: HashMap<_, _> = env.iter().cloned().collect();
        assert_eq!(env["SAGE_FLOW_WORKER_INDEX"], index.to_string());
        let secret = Secret::from_hex(&env[Secret::VARIABLE]).unwrap();
        let generation = env["SAGE_FLOW_GENERATION"].parse().unwrap();
        let mut join = Join::new(address, secret, index, generation, "1.0");
        join.transport = match env.get(Tls::VARIABLE) {
            Some(line) => Transport::Tls(Tls::from_credentials(line).unwrap()),
            None => Transport::Hmac,
        };
        join.on_supervisor_lost = Box::new(|| {});
        let (thread, work) = (Arc::new(Thread::default()), Arc::clone(&self.work));
        let process = Process(Arc::clone(&thread));
        thread::spawn(move || thread.end(Exit::Code(work(join))));
        Ok(Box::new(process))
    }
}

fn config(workers: usize) -> ClusterConfig {
    let mut config = ClusterConfig::new(workers, b"the job".to_vec(), "1.0").unwrap();
    config.generation = 4;
    config.start_deadline = LONG;
    config.heartbeat_timeout = Duration::from_secs(10);
    config
}

fn next(cluster: &Cluster) -> ClusterEvent {
    cluster.events().recv_timeout(LONG).unwrap()
}

/// Sends a word to every peer, reads one from each, and counts those that came right.
fn greet_peers(member: &mut Member) -> usize {
    let me = member.index;
    for (peer, socket) in member.mesh.iter_mut().enumerate() {
        if let Some(socket) = socket {
            write!(socket, "{me:04}>{peer:04}").unwrap();
        }
    }
    let mut right = 0;
    for (peer, socket) in member.mesh.iter_mut().enumerate() {
        if let Some(socket) = socket {
            let mut word = [0; 9];
            socket.read_exact(&mut word).unwrap();
            right += usize::from(word == *format!("{peer:04}>{me:04}").as_bytes());
        }
    }
    right
}

#[test]
fn bytes_flow_both_ways_between_every_two_workers() {
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
        let cluster = Cluster::start(config(workers), &mut launcher).unwrap();
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
    let cluster = Cluster::start(config(3), &mut launcher).unwrap();
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
    let (errors, reasons) = mpsc::channel();
    let mut launcher = Threads::new(move |join_| {
        if join_.index == Some(1) {
            // The real worker 1 comes late; a twin of worker 0 comes meanwhile.
            thread::sleep(Duration::from_millis(100));
            let mut twin = Join::new(join_.addresses[0], join_.secret.clone(), 0, 4, "1.0");
            twin.on_supervisor_lost = Box::new(|| {});
            errors.send(join(twin).unwrap_err()).unwrap();
        }
        let member = join(join_).unwrap();
        member.control.finished().unwrap();
        0
    });
    let cluster = Cluster::start(config(2), &mut launcher).unwrap();
    let reason = reasons.recv_timeout(LONG).unwrap();
    assert!(
        matches!(reason, ClusterError::Refused { refusal: Refusal::Duplicate, .. }),
        "{reason}"
    );
    assert!(cluster.shutdown(LONG).killed.is_empty());
}

#[test]
fn strangers_at_the_control_port_disturb_nobody() {
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
    let cluster = Cluster::start(config(4), &mut launcher).unwrap();
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
    let cluster = Cluster::start(config(2), &mut launcher).unwrap();
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
    let mut launcher = Threads::new(|join_| {
        let member = join(join_).unwrap();
        let message = vec![0; 1 << 16];
        for _ in 0..400 {
            member.control.send(&message).unwrap();
        }
        member.control.finished().unwrap();
        0
    });
    let config = ClusterConfig { heartbeat_timeout: Duration::from_millis(600), ..config(1) };
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
    let (sender, gone) = mpsc::channel();
    let mut launcher = Threads::new(move |mut join_| {
        let (sender, index) = (sender.clone(), join_.index.unwrap());
        join_.on_supervisor_lost = Box::new(move || sender.send(index).unwrap());
        let member = join(join_).unwrap();
        thread::sleep(LONG);
        drop(member);
        0
    });
    drop(Cluster::start(config(2), &mut launcher).unwrap());
    let mut indices = [0; 2].map(|_| gone.recv_timeout(LONG).unwrap());
    indices.sort_unstable();
    assert_eq!(indices, [0, 1]);
    assert!(gone.recv_timeout(Duration::from_millis(600)).is_err(), "called more than once");
}
