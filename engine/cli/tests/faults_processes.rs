//! Faults of processes and of who started them, on the built binary; the rows of the table in
//! `docs/reliability.md` name these tests.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "support/server.rs"]
mod server;
mod support;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use server::{MODEL, Server};
use support::{Done, Sage, again, ended, send, wait_until, worker, workers_of};

const TASKS: u64 = 400;

fn program(nap: &str) -> String {
    format!(
        r#"sage 1
type Task {{ id: int @key, text: string }}
type Row  {{ id: int @key, quotient: int }}
source tasks: Task from csv("tasks.csv")
sink rows: Row to csv("rows.csv")
flow f {{
  from tasks
  stage nap = sleep({nap})
  stage quotient = 5040 / (.id % 50)
  emit Row {{ id: .id, quotient: quotient }} into rows
}}
schedule {{ policy: fifo, slots: 2 }}
"#
    )
}

fn tasks(text: &str) -> String {
    "id,text\n".to_owned() + &(0..TASKS).map(|id| format!("{id},{text}\n")).collect::<String>()
}

fn sage(arguments: &str) -> Sage {
    let sage = Sage::new().file("f.sage", program("20ms")).file("tasks.csv", tasks("text"));
    sage.args(&format!("run f.sage --out out {arguments}"))
}

/// Wait until so many tasks have ended, as far as the table of tasks tells.
fn wait_for_tasks(folder: &Path, tasks: u64) {
    let table = folder.join("out/tasks.csv");
    let lines = || std::fs::read_to_string(&table).map_or(0, |text| text.lines().count() as u64);
    wait_until(|| lines() > tasks);
}

fn finish(sage: &Sage, child: Child) -> Done {
    sage.done(child.wait_with_output().unwrap())
}

/// Every record has its row or its dead letter, once.
#[track_caller]
fn complete(done: &Done) {
    let metrics = done.metrics();
    let dead = TASKS / 50;
    for (name, wanted) in [
        ("tasks_in", TASKS),
        ("tasks_ok", TASKS - dead),
        ("tasks_dead", dead),
        ("tasks_pending", 0),
    ] {
        assert_eq!(metrics[name], wanted, "{name}\n{}", done.stderr);
    }
    let mut rows = done.lines("rows.csv");
    rows.dedup();
    assert_eq!(rows.len() as u64, 1 + TASKS - dead);
    let mut letters = done.lines("dead_letters.jsonl");
    letters.dedup();
    assert_eq!(letters.len() as u64, dead);
}

#[test]
fn a_worker_that_crashes_is_replaced() {
    for signal in ["-ABRT", "-SEGV"] {
        let sage = sage("--workers 2");
        let child = sage.start();
        wait_for_tasks(sage.folder.path(), 60);
        let victim = worker(child.id(), 1);
        // Rust's runtime takes the first SIGSEGV that no access explains.
        wait_until(|| {
            send(signal, victim);
            std::thread::sleep(Duration::from_millis(20));
            ended(victim)
        });
        let done = finish(&sage, child).exits(3).says("worker 1 was lost: it was killed by signal");
        complete(&done);
        assert_eq!(done.metrics()["restarts"], 1);
    }
}

#[test]
fn two_workers_that_die_in_one_moment_are_one_restart() {
    let sage = sage("--workers 3");
    let child = sage.start();
    wait_for_tasks(sage.folder.path(), 60);
    let victims = [worker(child.id(), 0), worker(child.id(), 2)];
    victims.iter().for_each(|victim| send("-KILL", *victim));
    let done = finish(&sage, child).exits(3);
    complete(&done);
    assert_eq!(done.metrics()["restarts"], 1);
    wait_until(|| victims.iter().all(|pid| ended(*pid)));
}

#[test]
fn a_worker_that_dies_while_it_starts_is_replaced() {
    for delay in [0, 5, 20, 60] {
        let sage = sage("--workers 2 --slots 32");
        let child = sage.start();
        let mut workers = Vec::new();
        wait_until(|| {
            workers = workers_of(child.id());
            !workers.is_empty()
        });
        std::thread::sleep(Duration::from_millis(delay));
        send("-KILL", workers[0]);
        complete(&finish(&sage, child).exits(3).says("was lost"));
    }
}

/// As when the system gives a process no more memory; the next ones have what they need.
#[test]
fn a_worker_that_runs_out_of_memory_is_replaced() {
    if Command::new("prlimit").arg("--version").stdout(Stdio::null()).status().is_err() {
        eprintln!("SKIPPED: `prlimit` is not here");
        return;
    }
    // Later rows do not fit in what a worker has by then.
    let long = "x".repeat(1 << 20);
    let rows = (0..TASKS).map(|id| match id {
        0..380 => format!("{id},short\n"),
        _ => format!("{id},{long}\n"),
    });
    let rows = "id,text\n".to_owned() + &rows.collect::<String>();
    let sage = sage("--workers 2").file("tasks.csv", rows);
    let child = sage.start();
    wait_for_tasks(sage.folder.path(), 40);
    let victim = worker(child.id(), 1);
    let limit = Command::new("prlimit").args(["--pid", &victim.to_string(), "--data=1"]).status();
    assert!(limit.unwrap().success());
    let done = finish(&sage, child).exits(3).says("(memory allocation of ");
    complete(&done);
    assert_eq!(done.metrics()["restarts"], 1);
}

/// The command of `sage` behind other words.
fn through(sage: &Sage, words: &[&str]) -> Command {
    let run = sage.command();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).arg(run.get_program()).args(run.get_args());
    for (name, value) in run.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.current_dir(sage.folder.path()).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Who runs the tests under `nohup` has hangups ignored, and all that they start.
const HEARS: [&str; 2] = ["env", "--default-signal=HUP"];

fn cannot_hear() -> bool {
    let heard = Command::new(HEARS[0]).args([HEARS[1], "true"]).stderr(Stdio::null()).status();
    let cannot = !heard.is_ok_and(|status| status.success());
    if cannot {
        eprintln!("SKIPPED: `env --default-signal` is not here");
    }
    cannot
}

#[test]
fn a_hangup_drains_as_an_interrupt_does_and_the_run_goes_on_later() {
    if cannot_hear() {
        return;
    }
    let first = sage("--workers 2 --slots 1");
    let child = through(&first, &HEARS).spawn().unwrap();
    wait_for_tasks(first.folder.path(), 60);
    // The kernel and the shell both say it.
    send("-HUP", child.id());
    send("-HUP", child.id());
    let done = finish(&first, child).exits(130).says("stopping: tasks in flight have 30s to end");
    let metrics = done.metrics();
    assert!(metrics["tasks_pending"].as_u64().unwrap() > 0);
    complete(&first.go().exits(3).says("resuming the run in out"));
}

#[test]
fn a_hangup_that_is_ignored_stays_ignored() {
    let sage = sage("--workers 2 --slots 16");
    // What `nohup` does.
    let child = through(&sage, &["sh", "-c", "trap '' HUP; exec \"$@\"", "sh"]).spawn().unwrap();
    wait_for_tasks(sage.folder.path(), 20);
    send("-HUP", child.id());
    workers_of(child.id()).into_iter().for_each(|worker| send("-HUP", worker));
    complete(&finish(&sage, child).exits(3));
}

#[test]
fn a_terminal_that_is_closed_loses_nothing() {
    if cannot_hear() {
        return;
    }
    if Command::new("script").arg("--version").stdout(Stdio::null()).status().is_err() {
        eprintln!("SKIPPED: `script` is not here, which gives a command a terminal");
        return;
    }
    let first = sage("--workers 2 --slots 1");
    let run = first.command();
    let words = std::iter::once(run.get_program()).chain(run.get_args());
    let line: Vec<_> = words.map(|word| word.to_str().unwrap()).collect();
    let mut terminal = Command::new("script");
    terminal.args([
        "--quiet",
        "--command",
        &format!("exec {} {}", HEARS.join(" "), line.join(" ")),
        "/dev/null",
    ]);
    terminal.env("SHELL", "/bin/sh").env("SAGE_STATE_DIR", first.folder.path().join(".state"));
    terminal.current_dir(first.folder.path()).stdin(Stdio::null()).stdout(Stdio::null());
    let mut child = terminal.spawn().unwrap();
    wait_for_tasks(first.folder.path(), 60);
    let supervisor = workers_of(child.id())[0];
    send("-KILL", child.id());
    child.wait().unwrap();
    wait_until(|| ended(supervisor));
    let metrics = std::fs::read(first.folder.path().join("out/metrics.json")).unwrap();
    let metrics: serde_json::Value = serde_json::from_slice(&metrics).unwrap();
    assert_eq!(metrics["status"], "interrupted");
    complete(&first.go().exits(3).says("resuming the run in out"));
}

#[test]
fn a_supervisor_that_is_stopped_for_a_while_is_waited_for() {
    let sage = sage("--workers 2");
    let child = sage.start();
    wait_for_tasks(sage.folder.path(), 40);
    send("-STOP", child.id());
    // Longer than the silence after which it would give a worker up.
    std::thread::sleep(Duration::from_secs(2));
    send("-CONT", child.id());
    let done = finish(&sage, child).exits(3);
    complete(&done);
    assert_eq!(done.metrics()["restarts"], 0);
}

#[test]
fn a_stop_that_comes_while_it_starts_leaves_nobody_behind() {
    for delay in [0, 10, 30, 60, 100, 150, 250] {
        let first = sage("--workers 3 --slots 16");
        let child = first.start();
        std::thread::sleep(Duration::from_millis(delay));
        let workers = workers_of(child.id());
        send("-TERM", child.id());
        let done = finish(&first, child);
        // Before anybody listens the signal itself ends the process; on a fast machine the last
        // signals come when all is done.
        match done.code {
            Some(130) | None => {}
            Some(3) => complete(&done),
            code => panic!("{delay}: {code:?} {}", done.stderr),
        }
        assert!(!done.stderr.contains("panicked"), "{}", done.stderr);
        wait_until(|| workers.iter().all(|worker| ended(*worker)));
        let mut code = None;
        // Workers of a process that ended at once may have the folder for a moment longer.
        wait_until(|| {
            let done = first.go();
            code = done.code;
            if code == Some(3) {
                complete(&done);
            }
            code != Some(1)
        });
        assert_eq!(code, Some(3));
    }
}

/// The second row of the file ends the run, while a call waits that is never answered.
#[test]
fn a_run_that_fails_waits_for_its_calls_no_longer_than_it_was_told() {
    let server = Server::simulator("--fault stall=100%");
    let program = format!(
        r#"sage 1
type Task {{ id: int @key, text: string }}
endpoint llm {{ url: "{}", model: "{MODEL}" }}
source tasks: Task from csv("tasks.csv") {{ bad_rows: fail }}
sink rows: Task to csv("rows.csv")
flow f {{
  from tasks
  stage a = generate(.text) on llm {{ max_tokens: 8, timeout: 1h }}
  emit Task {{ id: .id, text: a.text }} into rows
}}
schedule {{ policy: fifo, slots: 4 }}
"#,
        server.url()
    );
    let sage = Sage::new().file("f.sage", program).file("tasks.csv", "id,text\n1,one\nnone,two\n");
    let began = Instant::now();
    let done = sage.args("run f.sage --workers 2 --out out --drain 500ms").go().exits(2);
    let done = done.says("stopping after a failure: tasks in flight have 500ms to end");
    let done = done.says("tasks.csv:3");
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    let metrics = done.metrics();
    let number = |name: &str| metrics[name].as_u64().unwrap();
    assert_eq!(number("tasks_in"), number("tasks_pending") + number("tasks_dead"));
}

#[test]
fn dead_letters_of_a_run_that_went_on_can_be_retried() {
    let first = sage("--workers 2");
    let child = first.start();
    wait_for_tasks(first.folder.path(), 200);
    send("-KILL", worker(child.id(), 0));
    wait_for_tasks(first.folder.path(), 260);
    send("-KILL", child.id());
    finish(&first, child);
    let mut done = None;
    wait_until(|| {
        let tried = first.go();
        let ended = tried.code != Some(1);
        done = Some(tried);
        ended
    });
    complete(&done.unwrap().exits(3));
    let mended = program("1ms").replace("(.id % 50)", "(1 + .id % 50)");
    std::fs::write(first.folder.path().join("mended.sage"), mended).unwrap();
    let retry = again(&first, "retry out/dead_letters.jsonl --program mended.sage").go().exits(0);
    let folder = first.folder.path().join("out/retry-1/rows.csv");
    let rows = std::fs::read_to_string(folder).unwrap();
    assert_eq!(rows.lines().count() as u64, 1 + TASKS / 50, "{}", retry.stderr);
}
