//! What the process tests share: a small test runner and the other side of the workers' protocol.

pub(crate) mod worker;

use std::panic;
use std::process::ExitCode;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use sage_cluster::{Cluster, ClusterConfig, ClusterEvent};

pub(crate) const LONG: Duration = Duration::from_secs(30);

pub(crate) fn config(workers: usize, mode: &str) -> ClusterConfig {
    let mut config = ClusterConfig::new(workers, mode.into(), worker::VERSION).unwrap();
    config.start_deadline = LONG;
    config
}

pub(crate) fn next(cluster: &Cluster) -> ClusterEvent {
    cluster.events().recv_timeout(LONG).unwrap()
}

/// The process numbers, which the workers tell as their first message.
pub(crate) fn pids(cluster: &Cluster, workers: usize) -> Vec<i32> {
    let mut pids = vec![0; workers];
    for _ in 0..workers {
        let ClusterEvent::Message { worker, bytes } = next(cluster) else { panic!() };
        pids[worker] = String::from_utf8(bytes).unwrap().parse().unwrap();
    }
    pids
}

pub(crate) fn finish(cluster: Cluster) {
    cluster.drain();
    let report = cluster.shutdown(LONG);
    assert!(report.killed.is_empty() && report.exits.iter().all(Option::is_some), "{report:?}");
}

pub(crate) fn signal(pid: i32, signal: Signal) {
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}

/// Whether the process runs; one that waits to be reaped by an inattentive init does not.
pub(crate) fn alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.starts_with(" Z"))
}

/// Runs the tests whose name contains the first word of the arguments, one after the other.
pub(crate) fn run_tests(arguments: &[&str], tests: &[(&str, fn())]) -> ExitCode {
    if arguments.contains(&"--list") {
        for (name, _) in tests {
            println!("{name}: test");
        }
        return ExitCode::SUCCESS;
    }
    let exact = arguments.contains(&"--exact");
    let filter = arguments.iter().find(|word| !word.starts_with('-'));
    let mut failed = 0;
    for (name, test) in tests {
        let wanted =
            filter.is_none_or(|word| if exact { name == word } else { name.contains(word) });
        if wanted && !arguments.contains(&"--ignored") {
            let passed = panic::catch_unwind(test).is_ok();
            println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
            failed += usize::from(!passed);
        }
    }
    ExitCode::from(u8::from(failed > 0))
}
