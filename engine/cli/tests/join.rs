//! Workers that are started by hand, as real processes: they join, are lost, join again, and the run
//! ends exactly once.

#![allow(clippy::unwrap_used, reason = "a test panics when it fails")]

mod support;

use std::fs::{self, File, Permissions};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use support::{SLEEPY, STATE, Sage, ended, send, wait_until, workers_of};

const TASKS: usize = 1200;

/// A run that waits for workers, and what they need.
struct Waiting {
    sage: Sage,
    run: Child,
    address: String,
    credentials: PathBuf,
}

impl Waiting {
    fn new(options: &str) -> Self {
        let sage = Sage::new().file("sleepy.sage", SLEEPY);
        let sage = sage.args(&format!("run sleepy.sage --out out --launcher join --tasks {TASKS}"));
        let sage = sage.args(options);
        let said = File::create(sage.folder.path().join("said")).unwrap();
        let mut command = sage.command();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(said);
        let run = command.spawn().unwrap();
        let mut waiting =
            Waiting { sage, run, address: String::new(), credentials: PathBuf::new() };
        wait_until(|| waiting.said().contains("hand it over"));
        waiting.address = waiting.word("worker --join ");
        waiting.credentials = waiting.word("--credentials ").into();
        waiting
    }

    fn word(&self, after: &str) -> String {
        let said = self.said();
        said.split_once(after).unwrap().1.split_whitespace().next().unwrap().to_owned()
    }

    fn said(&self) -> String {
        fs::read_to_string(self.path("said")).unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.sage.folder.path().join(name)
    }

    /// Start a worker that says what it says to a file of this name.
    fn join(&self, name: &str) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sage-flow"));
        command.current_dir(self.sage.folder.path());
        command.args(["worker", "--join", &self.address, "--credentials"]).arg(&self.credentials);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(File::create(self.path(name)).unwrap());
        command.spawn().unwrap()
    }

    /// A count that `jobs list` shows of the run.
    fn reported(&self, count: &str) -> u64 {
        let mut list = Command::new(env!("CARGO_BIN_EXE_sage-flow"));
        list.args(["jobs", "list", "--json"]).env("SAGE_STATE_DIR", self.path(STATE));
        let listed = list.output().unwrap().stdout;
        let listed: serde_json::Value = serde_json::from_slice(&listed).unwrap();
        listed["jobs"][0]["counts"][count].as_u64().unwrap_or(0)
    }

    /// Waits until every worker has written rows.
    fn is_under_way(&self, workers: usize) {
        wait_until(|| {
            let parts = fs::read_dir(self.path("out/parts")).into_iter().flatten().flatten();
            let rows = parts.filter(|part| {
                part.file_name().to_string_lossy().starts_with("outs")
                    && part.metadata().is_ok_and(|found| found.len() > 0)
            });
            rows.count() == workers
        });
    }

    /// Waits for the end of the run; each task is there exactly once.
    fn ends_well(&mut self) -> serde_json::Value {
        let status = self.run.wait().unwrap();
        assert!(status.success(), "{status}\n{}", self.said());
        let rows = fs::read_to_string(self.path("out/outs.jsonl")).unwrap();
        let mut rows: Vec<&str> = rows.lines().collect();
        rows.sort_unstable();
        assert_eq!(rows.len(), TASKS);
        rows.dedup();
        assert_eq!(rows.len(), TASKS, "a task is there twice");
        assert!(!self.credentials.exists(), "the credentials are left behind");
        serde_json::from_slice(&fs::read(self.path("out/metrics.json")).unwrap()).unwrap()
    }
}

/// Waits for a process, but not for ever.
fn end_of(child: &mut Child) -> ExitStatus {
    wait_until(|| child.try_wait().unwrap().is_some());
    child.wait().unwrap()
}

/// The values of the credentials, and pieces of them.
fn secrets(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap();
    let values = text.lines().filter_map(|line| line.split_once('=')).map(|(_, value)| value);
    // Authority and certificate are no secrets; the key comes last.
    values.map(|value| value.rsplit('.').next().unwrap()[..40].to_owned()).collect()
}

fn command_lines() -> String {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    lines.map(|line| String::from_utf8_lossy(&line).into_owned() + "\n").collect()
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files
}

#[test]
fn workers_join_again_when_one_was_killed_and_no_secret_is_seen_anywhere() {
    for links in ["tls", "hmac"] {
        let mut waiting = Waiting::new(&format!("--workers 3 --links {links}"));
        let mode = fs::metadata(&waiting.credentials).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let secrets = secrets(&waiting.credentials);
        assert_eq!(secrets.len(), if links == "tls" { 2 } else { 1 });

        let names = ["first", "second", "third"];
        let mut keepers = names.map(|name| waiting.join(name));
        waiting.is_under_way(3);
        let lines = command_lines();
        assert!(lines.contains("--credentials"), "the workers are not in the list");
        let victim = *workers_of(keepers[1].id()).first().unwrap();
        send("-9", victim);
        let metrics = waiting.ends_well();
        assert_eq!(metrics["restarts"], 1, "{metrics:#}");
        for keeper in &mut keepers {
            assert!(end_of(keeper).success());
        }

        let mut seen = vec![("command lines".to_owned(), lines)];
        for path in files_below(waiting.sage.folder.path()) {
            let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
            seen.push((path.display().to_string(), text));
        }
        assert!(seen.iter().any(|(place, _)| place.ends_with("third")));
        for (place, text) in &seen {
            for secret in &secrets {
                assert!(!text.contains(secret), "a secret is in {place}");
            }
        }
    }
}

#[test]
fn a_worker_that_is_gone_for_good_is_done_without() {
    let mut waiting = Waiting::new("--workers 3 --links tls --on-loss shrink");
    let mut keepers = ["first", "second", "third"].map(|name| waiting.join(name));
    waiting.is_under_way(3);
    let worker = *workers_of(keepers[0].id()).first().unwrap();
    keepers[0].kill().unwrap();
    keepers[0].wait().unwrap();
    wait_until(|| ended(worker));
    let metrics = waiting.ends_well();
    assert_eq!(metrics["restart_log"][0]["workers"], 2, "{metrics:#}");
    for keeper in &mut keepers[1..] {
        assert!(end_of(keeper).success());
    }
}

#[test]
fn a_worker_that_does_not_come_back_is_waited_for_aloud_and_what_was_to_do_stays_pending() {
    let mut waiting = Waiting::new("--workers 2 --links tls");
    assert!(waiting.said().contains("waits up to 10m for 2 worker(s)"));
    let mut keepers = ["first", "second"].map(|name| waiting.join(name));
    waiting.is_under_way(2);
    // What is to do is known as far as it was reported.
    wait_until(|| waiting.reported("tasks_pending") > 0);
    let worker = *workers_of(keepers[0].id()).first().unwrap();
    keepers[0].kill().unwrap();
    keepers[0].wait().unwrap();
    wait_until(|| ended(worker));
    wait_until(|| waiting.said().contains("has 1 of 2 worker(s), and waits up to 10m for 1 more"));
    let said = waiting.said();
    let command = format!(
        "start each by\n  sage-flow worker --join {} --credentials {}\n",
        waiting.address,
        waiting.credentials.display()
    );
    assert!(said.contains(&command), "{said}");
    send("-INT", waiting.run.id());
    assert_eq!(end_of(&mut waiting.run).code(), Some(130), "{}", waiting.said());
    let metrics = fs::read(waiting.path("out/metrics.json")).unwrap();
    let metrics: serde_json::Value = serde_json::from_slice(&metrics).unwrap();
    let count = |name: &str| metrics[name].as_u64().unwrap();
    assert!(count("tasks_pending") > 0, "{metrics:#}");
    let ended = count("tasks_ok") + count("tasks_dead") + count("tasks_late");
    assert_eq!(count("tasks_in"), ended + count("tasks_pending"), "{metrics:#}");
    send("-INT", keepers[1].id());
    end_of(&mut keepers[1]);
}

#[test]
fn a_stop_that_reaches_workers_as_well_lets_them_end_their_tasks() {
    let mut waiting = Waiting::new("--workers 2 --links tls");
    let mut keepers = ["first", "second"].map(|name| waiting.join(name));
    waiting.is_under_way(2);
    for keeper in &keepers {
        workers_of(keeper.id()).into_iter().for_each(|worker| send("-TERM", worker));
        send("-TERM", keeper.id());
        send("-HUP", keeper.id());
    }
    send("-TERM", waiting.run.id());
    assert_eq!(end_of(&mut waiting.run).code(), Some(130), "{}", waiting.said());
    assert!(!waiting.said().contains("was lost"), "{}", waiting.said());
    for keeper in &mut keepers {
        assert_eq!(end_of(keeper).code(), Some(0));
    }
}

#[test]
fn a_second_signal_ends_a_worker_that_is_part_of_a_run() {
    let mut waiting = Waiting::new("--workers 1 --links tls");
    let mut keeper = waiting.join("first");
    waiting.is_under_way(1);
    let worker = *workers_of(keeper.id()).first().unwrap();
    send("-TERM", keeper.id());
    // Signals of one kind that come together are one.
    wait_until(|| {
        send("-TERM", keeper.id());
        keeper.try_wait().unwrap().is_some()
    });
    assert_eq!(keeper.wait().unwrap().code(), Some(130));
    wait_until(|| ended(worker));
    let mut second = waiting.join("second");
    waiting.ends_well();
    assert!(end_of(&mut second).success());
}

#[test]
fn a_worker_that_is_stopped_for_good_is_replaced_by_its_keeper() {
    let mut waiting = Waiting::new("--workers 2 --links tls");
    let mut keepers = ["first", "second"].map(|name| waiting.join(name));
    waiting.is_under_way(2);
    send("-STOP", *workers_of(keepers[0].id()).first().unwrap());
    let metrics = waiting.ends_well();
    assert_eq!(metrics["restarts"], 1, "{metrics:#}");
    for keeper in &mut keepers {
        assert!(end_of(keeper).success());
    }
    let said = fs::read_to_string(waiting.path("first")).unwrap();
    assert!(said.contains("the run goes on without it"), "{said}");
}

#[test]
fn a_worker_that_finds_nobody_says_so_at_once() {
    let sage = Sage::new().env("SAGE_FLOW_SECRET", &"ab".repeat(32));
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let sage = sage.args(&format!("worker --join 127.0.0.1:{port}"));
    let said = sage.folder.path().join("said");
    let mut command = sage.command();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&said).unwrap());
    let mut keeper = command.spawn().unwrap();
    let waits = "nobody is there yet; the worker waits up to 60 s";
    wait_until(|| fs::read_to_string(&said).unwrap().contains(waits));
    send("-TERM", keeper.id());
    assert_eq!(end_of(&mut keeper).code(), Some(130));
    let once = sage.args("--once").go().exits(69);
    once.says(&format!("error: no connection to 127.0.0.1:{port} within"));
    Sage::new().args("worker --join 127.0.0.1:1").go().exits(1).says("SAGE_FLOW_SECRET is missing");
}

#[test]
fn a_host_whose_name_is_not_known_yet_is_waited_for() {
    let sage = Sage::new().env("SAGE_FLOW_SECRET", &"ab".repeat(32));
    let sage = sage.args("worker --join supervisor.invalid:7000");
    let said = sage.folder.path().join("said");
    let mut command = sage.command();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&said).unwrap());
    let mut keeper = command.spawn().unwrap();
    let waits = "--join supervisor.invalid:7000: the host of that name is not known yet; the worker \
                 waits up to 60 s";
    wait_until(|| fs::read_to_string(&said).unwrap().contains(waits));
    assert!(keeper.try_wait().unwrap().is_none());
    send("-TERM", keeper.id());
    assert_eq!(end_of(&mut keeper).code(), Some(130));
    sage.args("--once").go().exits(69).says("cannot be resolved");
}

#[test]
fn strangers_at_the_port_do_not_hide_a_worker_that_is_refused() {
    let mut waiting = Waiting::new("--workers 1 --links hmac");
    for _ in 0..30 {
        let mut stranger = TcpStream::connect(&waiting.address).unwrap();
        stranger.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        let _ = stranger.read_to_end(&mut Vec::new());
    }
    let mut old = TcpStream::connect(&waiting.address).unwrap();
    let hello = br#"{"version":"0.0.1"}"#;
    old.write_all(&(hello.len() as u32).to_be_bytes()).unwrap();
    old.write_all(hello).unwrap();
    let _ = old.read_to_end(&mut Vec::new());
    wait_until(|| waiting.said().contains("refused a worker: 127.0.0.1 runs version 0.0.1"));
    let said = waiting.said();
    assert!(said.contains("connection(s) of no worker so far"), "{said}");
    let about_strangers = said.lines().filter(|line| line.contains("of no worker")).count();
    assert!(about_strangers <= 2, "{said}");
    send("-INT", waiting.run.id());
    end_of(&mut waiting.run);
}

#[test]
fn a_worker_ends_when_the_run_is_gone() {
    let mut waiting = Waiting::new("--workers 2 --links tls");
    let mut keepers = ["first", "second"].map(|name| waiting.join(name));
    waiting.is_under_way(2);
    waiting.run.kill().unwrap();
    waiting.run.wait().unwrap();
    for (keeper, name) in keepers.iter_mut().zip(["first", "second"]) {
        assert!(!end_of(keeper).success());
        let said = fs::read_to_string(waiting.path(name)).unwrap();
        assert!(said.contains("no run at"), "{said}");
    }
    // The killed run could not remove what opened it; that of a run which waits is left alone.
    let mut other = Waiting::new("--workers 1 --links tls");
    let cleanup = |waiting: &Waiting| {
        let mut cleanup = Command::new(env!("CARGO_BIN_EXE_sage-flow"));
        cleanup.env("SAGE_STATE_DIR", waiting.path(support::STATE));
        cleanup.args(["jobs", "cleanup", "--yes"]).output().unwrap()
    };
    assert!(waiting.credentials.exists() && other.credentials.exists());
    for gone in [&waiting, &other] {
        let output = cleanup(gone);
        assert!(output.status.success(), "{output:?}");
    }
    assert!(!waiting.credentials.exists());
    assert!(other.credentials.exists());
    send("-INT", other.run.id());
    end_of(&mut other.run);
}

#[test]
fn rows_that_nobody_here_would_see_are_refused() {
    let text = SLEEPY.replace("to jsonl(\"outs.jsonl\")", "to stdout()");
    let sage = Sage::new().file("sleepy.sage", text);
    let done = sage.args("run sleepy.sage --out out --launcher join --workers 2").go().exits(1);
    assert!(done.stderr.contains("sink outs is the standard output"), "{}", done.stderr);
}

#[test]
fn an_interrupt_ends_the_wait_for_workers() {
    let mut waiting = Waiting::new("--workers 2 --links tls");
    let mut keeper = waiting.join("first");
    wait_until(|| waiting.said().contains("has 1 of 2 worker(s)"));
    send("-INT", waiting.run.id());
    assert_eq!(end_of(&mut waiting.run).code(), Some(130), "{}", waiting.said());
    assert!(!waiting.credentials.exists());
    send("-INT", keeper.id());
    assert_eq!(end_of(&mut keeper).code(), Some(130));
}

#[test]
fn credentials_that_others_may_read_or_that_are_of_another_run_are_refused() {
    let mut one = Waiting::new("--workers 1 --links tls");
    let other = Waiting::new("--workers 1 --links tls");
    let copy = one.path("copy");
    fs::copy(&other.credentials, &copy).unwrap();
    one.credentials = copy.clone();
    let mut stranger = one.join("stranger");
    let status = end_of(&mut stranger);
    let said = fs::read_to_string(one.path("stranger")).unwrap();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("another run"), "{said}");
    wait_until(|| one.said().contains("refused a worker"));

    fs::set_permissions(&copy, Permissions::from_mode(0o640)).unwrap();
    let mut careless = one.join("careless");
    assert_eq!(end_of(&mut careless).code(), Some(1));
    let said = fs::read_to_string(one.path("careless")).unwrap();
    assert!(said.contains("chmod 600"), "{said}");
    for mut waiting in [one, other] {
        send("-INT", waiting.run.id());
        end_of(&mut waiting.run);
    }
}
