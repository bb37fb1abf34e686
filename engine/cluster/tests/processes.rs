//! Clusters of real processes: this binary starts itself again as a worker or as a supervisor, which
//! is why it has a `main` of its own.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test panics when it fails, and prints what it measured"
)]

mod support;

use std::io::{BufRead, BufReader};
use std::process::{Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Signal, getpgid};
use sage_cluster::{
    Cluster, ClusterConfig, ClusterError, ClusterEvent, EXIT_LOST, Exit, LocalLauncher, LossCause,
};
use support::{LONG, alive, config, finish, next, pids, signal, worker};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["worker", "--join", address] => worker::run(address.parse().unwrap()),
        ["supervisor"] => {
            supervisor();
            ExitCode::SUCCESS
        }
        flags => support::run_tests(flags, TESTS),
    }
}

const TESTS: &[(&str, fn())] = &[
    ("sixteen_processes_form_a_mesh", sixteen_processes_form_a_mesh),
    ("finished_and_exit_0_is_no_loss", finished_and_exit_0_is_no_loss),
    ("leaving_early_is_a_loss", leaving_early_is_a_loss),
    ("a_panic_brings_its_last_words", a_panic_brings_its_last_words),
    (
        "a_killed_worker_is_found_and_named_as_the_root",
        a_killed_worker_is_found_and_named_as_the_root,
    ),
    ("a_stopped_worker_is_found", a_stopped_worker_is_found),
    ("a_dead_binary_ends_the_start", a_dead_binary_ends_the_start),
    ("workers_do_not_outlive_their_supervisor", workers_do_not_outlive_their_supervisor),
    ("the_secret_is_not_on_the_command_line", the_secret_is_not_on_the_command_line),
];

fn sixteen_processes_form_a_mesh() {
    let mut times: Vec<Duration> = (0..10)
        .map(|_| {
            let start = Instant::now();
            let cluster =
                Cluster::start(config(16, "wait"), &mut LocalLauncher::default()).unwrap();
            let time = start.elapsed();
            finish(cluster);
            time
        })
        .collect();
    times.sort();
    println!("16 processes: min {:?}, median {:?}, max {:?}", times[0], times[5], times[9]);
    assert!(times[5] < Duration::from_secs(10));
}

fn finished_and_exit_0_is_no_loss() {
    for _ in 0..20 {
        let cluster = Cluster::start(config(2, "finish"), &mut LocalLauncher::default()).unwrap();
        for _ in 0..2 {
            let event = next(&cluster);
            assert!(matches!(event, ClusterEvent::Finished { .. }), "{event:?}");
        }
        let report = cluster.shutdown(LONG);
        assert!(report.killed.is_empty());
        assert_eq!(report.exits, [Some(Exit::Code(0)); 2]);
    }
}

fn leaving_early_is_a_loss() {
    // It leaves at once: whether the supervisor still counts that as the start is a race.
    let lost = match Cluster::start(config(1, "leave"), &mut LocalLauncher::default()) {
        Ok(cluster) => match next(&cluster) {
            ClusterEvent::Lost(lost) => lost,
            other => panic!("{other:?}"),
        },
        Err(ClusterError::LostAtStart(lost)) => lost,
        Err(error) => panic!("{error}"),
    };
    assert_eq!(lost.cause, LossCause::Exited(Exit::Code(0)));
}

fn a_panic_brings_its_last_words() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let hook = Arc::clone(&seen);
    let mut launcher = LocalLauncher {
        on_stderr: Some(Arc::new(move |worker, line: &str| {
            hook.lock().unwrap().push((worker, line.to_owned()));
        })),
        ..LocalLauncher::default()
    };
    let cluster = Cluster::start(config(4, "panic"), &mut launcher).unwrap();
    let ClusterEvent::Lost(first) = next(&cluster) else { panic!() };
    let settled = cluster.settle(first);
    assert_eq!(settled.root.worker, 1);
    assert_eq!(settled.root.cause, LossCause::Exited(Exit::Code(101)));
    assert!(settled.root.last_stderr.contains("boom in worker 1"), "{:?}", settled.root);
    let seen = seen.lock().unwrap();
    assert!(seen.iter().any(|(worker, line)| *worker == 1 && line.contains("boom")), "{seen:?}");
}

fn a_killed_worker_is_found_and_named_as_the_root() {
    let mut times = Vec::new();
    for _ in 0..5 {
        // The peers end with an error of their own as soon as a mesh socket breaks.
        let cluster = Cluster::start(config(4, "mesh"), &mut LocalLauncher::default()).unwrap();
        let pids = pids(&cluster, 4);
        let start = Instant::now();
        signal(pids[2], Signal::KILL);
        let ClusterEvent::Lost(first) = next(&cluster) else { panic!() };
        times.push(start.elapsed());
        let settled = cluster.settle(first);
        assert_eq!(settled.root.worker, 2);
        assert_eq!(settled.root.cause, LossCause::Exited(Exit::Signal(9)));
        assert_eq!(settled.losses.len(), 4, "{:?}", settled.losses);
        cluster.shutdown(LONG);
        assert!(pids.iter().all(|pid| !alive(*pid)));
    }
    times.sort();
    println!("kill -9 was found after {times:?}");
    assert!(times[4] < Duration::from_secs(10));
}

fn a_stopped_worker_is_found() {
    let cluster = Cluster::start(config(4, "mesh"), &mut LocalLauncher::default()).unwrap();
    let pids = pids(&cluster, 4);
    let start = Instant::now();
    signal(pids[3], Signal::STOP);
    let ClusterEvent::Lost(first) = next(&cluster) else { panic!() };
    println!("SIGSTOP was found after {:?}", start.elapsed());
    assert!(start.elapsed() < Duration::from_secs(10));
    assert_eq!(first.worker, 3);
    assert!(matches!(first.cause, LossCause::Silent(_)), "{first:?}");
    cluster.shutdown(Duration::ZERO);
    assert!(pids.iter().all(|pid| !alive(*pid)));
}

fn a_dead_binary_ends_the_start() {
    let missing =
        LocalLauncher { program: Some("/nonexistent".into()), ..LocalLauncher::default() };
    let error = Cluster::start(config(2, ""), &mut { missing }).err().unwrap();
    assert!(matches!(error, ClusterError::Launch { worker: 0, .. }), "{error}");

    // A worker of another version says so in its last words.
    let config = ClusterConfig { version: "other".into(), ..config(2, "wait") };
    let error = Cluster::start(config, &mut LocalLauncher::default()).err().unwrap().to_string();
    assert!(
        error.contains("exited with code 1") && error.contains("runs version other"),
        "{error}"
    );
}

/// Starts workers, tells their numbers, and waits to be killed.
fn supervisor() {
    let cluster = Cluster::start(config(3, "wait"), &mut LocalLauncher::default()).unwrap();
    for pid in pids(&cluster, 3) {
        println!("{pid}");
    }
    std::thread::sleep(LONG);
}

fn workers_do_not_outlive_their_supervisor() {
    let mut supervisor = Command::new(std::env::current_exe().unwrap())
        .arg("supervisor")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(supervisor.stdout.take().unwrap()).lines();
    let pids: Vec<i32> = lines.take(3).map(|line| line.unwrap().parse().unwrap()).collect();
    assert!(pids.iter().all(|pid| alive(*pid)));
    let start = Instant::now();
    supervisor.kill().unwrap();
    supervisor.wait().unwrap();
    while pids.iter().any(|pid| alive(*pid)) {
        assert!(start.elapsed() < Duration::from_secs(10), "orphans: {pids:?}");
        std::thread::sleep(Duration::from_millis(1));
    }
    println!("workers ended {:?} after their supervisor", start.elapsed());
    assert_eq!(EXIT_LOST, 75);
}

fn the_secret_is_not_on_the_command_line() {
    let cluster = Cluster::start(config(2, "wait"), &mut LocalLauncher::default()).unwrap();
    for pid in pids(&cluster, 2) {
        let line = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
        let arguments: Vec<&str> = line.trim_end_matches('\0').split('\0').skip(1).collect();
        assert_eq!(arguments[..2], ["worker", "--join"]);
        assert_eq!(arguments.len(), 3);
        // Ctrl-C in a terminal goes to the supervisor's group alone.
        let group = getpgid(rustix::process::Pid::from_raw(pid)).unwrap();
        assert_eq!(group.as_raw_nonzero().get(), pid);
    }
    finish(cluster);
}
