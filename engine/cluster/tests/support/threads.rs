//! Workers that are threads of the test's process: quick, and free to misbehave.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "helpers of tests; each test file uses its own part"
)]

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use sage_cluster::{
    Cluster, ClusterConfig, ClusterEvent, Exit, Join, Launcher, Member, Secret, Tls, Transport,
    WorkerProcess,
};

pub const LONG: Duration = Duration::from_secs(30);

/// Both ways of connecting processes.
pub fn transports() -> [Transport; 2] {
    [Transport::Hmac, Transport::Tls(Tls::for_run().unwrap())]
}

/// Runs `work` in a thread for each worker; its result is the "exit code".
pub struct Threads<F> {
    work: Arc<F>,
}

impl<F: Fn(Join) -> i32 + Send + Sync + 'static> Threads<F> {
    pub fn new(work: F) -> Self {
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

pub fn config(workers: usize) -> ClusterConfig {
    let mut config = ClusterConfig::new(workers, b"the job".to_vec(), "1.0").unwrap();
    config.generation = 4;
    config.start_deadline = LONG;
    config.heartbeat_timeout = Duration::from_secs(10);
    config
}

pub fn next(cluster: &Cluster) -> ClusterEvent {
    cluster.events().recv_timeout(LONG).unwrap()
}

/// Sends a word to every peer, reads one from each, and counts those that came right.
pub fn greet_peers(member: &mut Member) -> usize {
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
