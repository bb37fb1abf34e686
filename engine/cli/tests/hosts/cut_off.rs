//! Hosts that vanish without a word. They are network namespaces on a bridge, so this needs root and
//! the program `ip`, and says so where it has neither.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test panics when it fails, and prints what it measured"
)]
#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{SLEEPY, Sage, ended, send, wait_until, workers_of};

const TASKS: usize = 4000;

/// Hosts 0 to 3 of a network; host 0 has the supervisor, and the bridge that joins them.
struct Hosts {
    prefix: String,
    sage: Sage,
}

fn ip(words: &str) -> bool {
    let done = Command::new("ip").args(words.split_whitespace()).stderr(Stdio::null()).status();
    done.is_ok_and(|status| status.success())
}

impl Hosts {
    /// `None`, said loudly, where namespaces cannot be made.
    fn new(name: &str) -> Option<Self> {
        let prefix = format!("sf{}{name}", std::process::id());
        let sage = Sage::new().file("sleepy.sage", SLEEPY);
        let hosts = Hosts { prefix, sage };
        if !ip(&format!("netns add {}", hosts.of(0))) {
            eprintln!("SKIPPED: no network namespaces here; run it as root, with iproute2");
            return None;
        }
        hosts.set_up();
        Some(hosts)
    }

    fn of(&self, host: usize) -> String {
        format!("{}-{host}", self.prefix)
    }

    fn set_up(&self) {
        let hub = self.of(0);
        let must = |words: String| assert!(ip(&words), "ip {words}");
        must(format!("-n {hub} link add hub type bridge"));
        must(format!("-n {hub} addr add 10.77.0.10/24 dev hub"));
        must(format!("-n {hub} link set hub up"));
        must(format!("-n {hub} link set lo up"));
        for host in 1..=3 {
            let own = self.of(host);
            must(format!("netns add {own}"));
            must(format!("-n {own} link set lo up"));
            must(format!("-n {hub} link add to{host} type veth peer name net0 netns {own}"));
            must(format!("-n {hub} link set to{host} master hub"));
            must(format!("-n {hub} link set to{host} up"));
            must(format!("-n {own} addr add 10.77.0.1{host}/24 dev net0"));
            must(format!("-n {own} link set net0 up"));
        }
    }

    /// The command of the binary on a host.
    fn command(&self, host: usize, words: &str, said: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.of(host), env!("CARGO_BIN_EXE_sage-flow")]);
        command.args(words.split_whitespace()).current_dir(self.sage.folder.path());
        command.env("SAGE_STATE_DIR", self.path(".state")).env_remove("SAGE_FLOW_JOB");
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(File::create(self.path(said)).unwrap());
        command
    }

    fn path(&self, name: &str) -> PathBuf {
        self.sage.folder.path().join(name)
    }

    fn said(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// A run on host 0 with a worker on each of the others, under way.
    fn run(&self, options: &str) -> (Child, Vec<Child>) {
        let words = format!(
            "run sleepy.sage --out out --tasks {TASKS} --workers 3 --launcher join \
             --bind 10.77.0.10 {options}"
        );
        let run = self.command(0, &words, "said").spawn().unwrap();
        wait_until(|| self.said("said").contains("hand it over"));
        let said = self.said("said");
        let word = |after: &str| said.split_once(after).unwrap().1.split_whitespace().next();
        let address = word("worker --join ").unwrap();
        let credentials = word("--credentials ").unwrap();
        let words = format!("worker --join {address} --credentials {credentials}");
        let join = |host: usize| self.command(host, &words, &format!("worker{host}"));
        let keepers: Vec<_> = (1..=3).map(|host| join(host).spawn().unwrap()).collect();
        wait_until(|| {
            let parts = fs::read_dir(self.path("out/parts")).into_iter().flatten().flatten();
            let rows = parts.filter(|part| {
                part.file_name().to_string_lossy().starts_with("outs")
                    && part.metadata().is_ok_and(|found| found.len() > 0)
            });
            rows.count() == 3
        });
        (run, keepers)
    }

    /// The run ends well, each task is there once; its metrics.
    fn ends_well(&self, run: &mut Child) -> serde_json::Value {
        let status = run.wait().unwrap();
        assert!(status.success(), "{status}\n{}", self.said("said"));
        let rows = fs::read_to_string(self.path("out/outs.jsonl")).unwrap();
        let mut rows: Vec<&str> = rows.lines().collect();
        rows.sort_unstable();
        rows.dedup();
        assert_eq!(rows.len(), TASKS);
        serde_json::from_slice(&fs::read(self.path("out/metrics.json")).unwrap()).unwrap()
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        for host in 0..=3 {
            ip(&format!("netns del {}", self.of(host)));
        }
    }
}

fn end(keepers: Vec<Child>) {
    for mut keeper in keepers {
        let _ = keeper.kill();
        keeper.wait().unwrap();
    }
}

#[test]
fn a_host_that_is_cut_off_is_missed_by_both_sides() {
    for links in ["tls", "hmac"] {
        let Some(hosts) = Hosts::new(&format!("cut{links}")) else { return };
        let (mut run, keepers) = hosts.run(&format!("--on-loss shrink --links {links}"));
        let worker = *workers_of(keepers[2].id()).first().unwrap();
        let start = Instant::now();
        assert!(ip(&format!("-n {} link set to3 down", hosts.of(0))));
        wait_until(|| ended(worker));
        let own = start.elapsed();
        wait_until(|| hosts.said("said").contains("was lost"));
        let others = start.elapsed();
        println!("{links}: the worker ended after {own:?}, the run knew after {others:?} at most");
        let metrics = hosts.ends_well(&mut run);
        assert_eq!(metrics["restarts"], 1, "{metrics:#}");
        assert_eq!(metrics["restart_log"][0]["workers"], 2);
        end(keepers);
    }
}

#[test]
fn two_workers_that_do_not_reach_each_other_are_noticed() {
    let Some(hosts) = Hosts::new("mesh") else { return };
    let (mut run, keepers) = hosts.run("--links tls");
    let start = Instant::now();
    // Packets from 1 to 2 and back go to a machine that is not there.
    let astray = |from: usize, to: usize, how: &str| {
        ip(&format!(
            "-n {} neigh {how} 10.77.0.1{to} lladdr 02:00:00:00:00:99 dev net0 nud permanent",
            hosts.of(from)
        ))
    };
    assert!(astray(1, 2, "replace") && astray(2, 1, "replace"));
    wait_until(|| hosts.said("said").contains("was lost"));
    println!("the mesh was found broken after {:?}", start.elapsed());
    assert!(astray(1, 2, "del") && astray(2, 1, "del"));
    let metrics = hosts.ends_well(&mut run);
    assert!(metrics["restarts"].as_u64().unwrap() >= 1, "{metrics:#}");
    end(keepers);
}

#[test]
fn a_suspended_supervisor_loses_nobody() {
    let Some(hosts) = Hosts::new("stop") else { return };
    let (mut run, keepers) = hosts.run("--links tls");
    send("-STOP", run.id());
    // Longer than any of the limits; what is waited for is that nothing happens.
    std::thread::sleep(Duration::from_secs(7));
    send("-CONT", run.id());
    let metrics = hosts.ends_well(&mut run);
    assert_eq!(metrics["restarts"], 0, "{metrics:#}\n{}", hosts.said("said"));
    end(keepers);
}
