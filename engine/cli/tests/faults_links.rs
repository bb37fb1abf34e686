//! Faults of links: sockets that are closed under a running job, links that are frozen; the rows of
//! the table in `docs/reliability.md` name these tests.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "helpers of tests; they say what is skipped"
)]

#[path = "support/joined.rs"]
mod joined;
#[path = "support/relay.rs"]
mod relay;
#[path = "support/server.rs"]
mod server;
#[path = "support/strait.rs"]
mod strait;
mod support;

use std::fs::{self, File};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::{Child, Output, Stdio};
use std::thread;
use std::time::Duration;

use joined::{Joined, invitation};
use relay::Relay;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
use server::{MODEL, Server};
use support::{Done, Sage, again, wait_until, worker};

const TASKS: u64 = 600;

fn program(url: &str) -> String {
    format!(
        r#"sage 1
type Row {{ id: string @key, answer: string }}
type Task {{ id: string @key, text: string }}
endpoint llm {{ url: "{url}", model: "{MODEL}", concurrency: 8 }}
source tasks: Task from generate(count: {TASKS}, text: "What is {{{{ n }}}}?")
sink rows: Row to csv("rows.csv")
flow f {{
  from tasks
  stage answer = generate(.text) on llm {{ max_tokens: 8 }}
  emit Row {{ id: .id, answer: answer.text }} into rows
}}
schedule {{ policy: fifo, slots: 4 }}
"#
    )
}

/// A run, its model server, and what lies between them.
struct Run {
    sage: Sage,
    relay: Relay,
    _server: Server,
    child: Child,
}

impl Run {
    /// A run with workers of its own, of which some questions are answered.
    fn under_way(options: &str) -> Self {
        let run = Run::start(options);
        run.answered(60);
        run
    }

    fn start(options: &str) -> Self {
        let server = Server::simulator("--speed 5");
        let relay = Relay::to(server.address);
        let first = Sage::new().file("f.sage", program(&relay.url));
        let sage = again(&first, &format!("run f.sage --out out {options}"));
        let mut command = sage.command();
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(File::create(sage.folder.path().join("said")).unwrap());
        let child = command.spawn().unwrap();
        Run { sage, relay, _server: server, child }
    }

    /// The same with workers that join it over straits.
    fn joined(workers: u64, options: &str) -> (Self, Joined) {
        let run = Run::start(&format!("--workers {workers} --launcher join {options}"));
        let mut joined = None;
        wait_until(|| {
            let begin = |words| Joined::start(run.sage.folder.path(), workers, words);
            joined = invitation(&run.said()).map(begin);
            joined.is_some()
        });
        run.answered(60);
        (run, joined.unwrap())
    }

    fn said(&self) -> String {
        fs::read_to_string(self.sage.folder.path().join("said")).unwrap()
    }

    /// Wait until so many questions are answered.
    fn answered(&self, questions: u64) {
        wait_until(|| self.relay.questions() >= questions);
    }

    fn worker(&self, index: usize) -> u32 {
        worker(self.child.id(), index)
    }

    /// It ends well: each task has its row once, and no answer was paid twice.
    #[track_caller]
    fn complete(mut self) -> Done {
        let status = self.child.wait().unwrap();
        let output = Output { status, stdout: Vec::new(), stderr: self.said().into_bytes() };
        let done = self.sage.done(output).exits(0);
        assert_eq!(done.metrics()["tasks_ok"], TASKS, "{}", done.stderr);
        let mut rows = done.lines("rows.csv");
        rows.dedup();
        assert_eq!(rows.len() as u64, 1 + TASKS);
        assert_eq!(self.relay.paid_again(), 0);
        done
    }
}

/// Connected sockets of a process, by copies of its descriptors: what is shut down here is shut down
/// there. Nothing, said loudly, where the system does not give them.
fn sockets(pid: u32) -> Option<Vec<TcpStream>> {
    let process = pidfd_open(Pid::from_raw(pid as i32)?, PidfdFlags::empty()).ok()?;
    let mut found = Vec::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fd")).ok()?.flatten() {
        let target = fs::read_link(entry.path()).unwrap_or_default();
        if !target.to_string_lossy().starts_with("socket:") {
            continue;
        }
        let number = entry.file_name().to_string_lossy().parse().ok()?;
        match pidfd_getfd(&process, number, PidfdGetfdFlags::empty()) {
            Ok(copy) => found.push(TcpStream::from(copy)),
            // It has closed it meanwhile.
            Err(Errno::BADF) => {}
            Err(error) => {
                eprintln!("SKIPPED: sockets of process {pid} cannot be had: {error}");
                return None;
            }
        }
    }
    found.retain(|socket| socket.peer_addr().is_ok());
    Some(found)
}

/// Where a worker was told to join.
fn control_port(pid: u32) -> SocketAddr {
    let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap();
    let words: Vec<_> = command.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
    let at = words.iter().position(|word| word == "--join").unwrap();
    words[at + 1].parse().unwrap()
}

fn close(socket: &TcpStream) {
    let _ = socket.shutdown(Shutdown::Both);
}

#[test]
fn a_data_socket_that_is_closed_between_two_workers_costs_a_restart() {
    let run = Run::under_way("--workers 3");
    let Some(first) = sockets(run.worker(1)) else { return };
    let Some(second) = sockets(run.worker(2)) else { return };
    let other_end = |socket: &&TcpStream| {
        second.iter().any(|other| other.local_addr().ok() == socket.peer_addr().ok())
    };
    close(first.iter().find(other_end).expect("they are connected"));
    drop((first, second));
    let done = run.complete().says("was lost: ");
    assert_eq!(done.metrics()["restarts"], 1, "{}", done.stderr);
}

#[test]
fn a_control_socket_that_is_closed_costs_a_restart() {
    let run = Run::under_way("--workers 2");
    let victim = run.worker(1);
    let Some(sockets) = sockets(victim) else { return };
    let supervisor = control_port(victim);
    let control = sockets.iter().find(|socket| socket.peer_addr().ok() == Some(supervisor));
    close(control.expect("it is connected"));
    drop(sockets);
    // Its peer may be the one whose end is seen first.
    let done = run.complete().says("was lost: ");
    assert_eq!(done.metrics()["restarts"], 1, "{}", done.stderr);
}

#[test]
fn calls_go_on_over_new_connections_when_those_to_the_gateway_are_closed() {
    let run = Run::under_way("--workers 2");
    let victim = run.worker(1);
    let supervisor = control_port(victim);
    let mut closed = 0;
    for answered in [80, 160, 240] {
        run.answered(answered);
        let Some(ours) = sockets(victim) else { return };
        let Some(theirs) = sockets(run.child.id()) else { return };
        let to_gateway = |socket: &&TcpStream| {
            let peer = socket.peer_addr().ok();
            peer != Some(supervisor) && theirs.iter().any(|other| other.local_addr().ok() == peer)
        };
        closed += ours.iter().filter(to_gateway).inspect(|socket| close(socket)).count();
    }
    assert!(closed > 0, "there was no connection to close");
    assert_eq!(run.complete().metrics()["restarts"], 0);
}

#[test]
fn a_gateway_that_is_out_of_reach_for_a_while_costs_time_and_no_records() {
    let (run, joined) = Run::joined(2, "");
    for (strait, cut) in joined.straits().iter().zip([true, false]) {
        let gateway = strait.gateway().unwrap();
        if cut {
            gateway.cut();
        } else {
            gateway.freeze();
        }
        // Longer than a worker may be silent.
        thread::sleep(Duration::from_secs(2));
        gateway.heal();
    }
    assert_eq!(run.complete().metrics()["restarts"], 0);
}

#[test]
fn a_worker_that_is_cut_off_joins_again_when_the_link_is_back() {
    let (run, joined) = Run::joined(3, "");
    let cut_off = &joined.straits()[1];
    cut_off.freeze();
    wait_until(|| run.said().contains("was lost: it gave no sign of life"));
    cut_off.heal();
    let done = run.complete();
    assert_eq!(done.metrics()["restart_log"][0]["workers"], 3, "{}", done.stderr);
    assert_eq!(done.metrics()["restarts"], 1, "{}", done.stderr);
}

#[test]
fn a_worker_that_has_left_comes_back_when_another_is_cut_off_at_the_very_end() {
    let (run, joined) = Run::joined(2, "");
    run.answered(TASKS - 60);
    let cut_off = &joined.straits()[1];
    cut_off.freeze();
    // The rest is done meanwhile, and the other worker says so and leaves.
    wait_until(|| run.said().contains("was lost: it gave no sign of life"));
    cut_off.heal();
    assert_eq!(run.complete().metrics()["restarts"], 1);
}
