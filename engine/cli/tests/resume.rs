//! Exactly once, on the built binary: workers and supervisors are killed and stopped at moments that
//! a seed draws, and the rows are those of a run that nobody disturbed.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use support::{Done, Draw, Sage, again, ended, send, wait_until, worker, workers_of};

const TASKS: usize = 360;

/// All kinds of sinks, failed records, unreadable rows, and one record that everybody gets ahead of.
const PROGRAM: &str = r#"sage 1
type Task { id: int @key, text: string, urgent: int }
type Row  { id: int @key, quotient: int, text: string }
type Kind { kind: int }
source tasks: Task from csv("tasks.csv")
sink rows:  Row  to csv("rows.csv")
sink lines: Row  to jsonl("lines.jsonl")
sink kinds: Kind to tally("kinds.csv")
flow f {
  from tasks
  where .id % 11 != 3
  stage nap = sleep(25ms)
  stage quotient = 5040 / (.id % 9)
  emit Row { id: .id, quotient: quotient, text: .text } into rows
  emit Row { id: .id, quotient: quotient, text: .text } into lines if .id % 2 == 0
  emit Kind { kind: .id % 5 } into kinds
}
schedule { policy: priority(aging: 1h), slots: 4, priority: .urgent }
"#;

fn tasks() -> String {
    let row = |id: usize| match id {
        7 | 200 => format!("{id},broken\n"),
        1 => "1,starved,-1000\n".to_owned(),
        _ => format!("{id},\"text, {id}\",{}\n", id % 3),
    };
    "id,text,urgent\n".to_owned() + &(0..TASKS).map(row).collect::<String>()
}

fn sage(arguments: &str) -> Sage {
    Sage::new().file("f.sage", PROGRAM).file("tasks.csv", tasks()).args(arguments)
}

/// All that a run leaves, in an order of its own.
fn left(done: &Done) -> Vec<Vec<String>> {
    ["rows.csv", "lines.jsonl", "kinds.csv", "dead_letters.jsonl"]
        .map(|name| done.lines(name))
        .into()
}

#[track_caller]
fn check(done: &Done, undisturbed: &Done) {
    assert_eq!(left(done), left(undisturbed), "{}", done.stderr);
    let (metrics, whole) = (done.metrics(), undisturbed.metrics());
    for name in ["tasks_in", "tasks_ok", "tasks_dead", "tasks_late", "tasks_pending"] {
        assert_eq!(metrics[name], whole[name], "{name}\n{}", done.stderr);
    }
    assert_eq!(metrics["tasks_in"], TASKS);
    // The rows of earlier generations are kept, and none comes twice.
    let table = done.read("tasks.csv");
    let mut numbers: Vec<&str> =
        table.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    let rows = numbers.len();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), rows);
    for gone in ["parts", "commit", "commit.old"] {
        assert!(!done.out.join(gone).exists(), "{gone}");
    }
}

fn undisturbed() -> Done {
    let done = sage("run f.sage --workers 2 --out out --slots 64").go().exits(3);
    let metrics = done.metrics();
    assert_eq!((&metrics["restarts"], &metrics["tasks_resumed"]), (&0.into(), &0.into()));
    assert!(done.lines("dead_letters.jsonl").len() > 30 && done.lines("kinds.csv").len() == 6);
    assert_eq!(done.read("rows.csv").matches("starved").count(), 1);
    done
}

/// Wait until so many tasks have ended, as far as the table of tasks tells.
fn wait_for_tasks(folder: &Path, tasks: u64) {
    let table = folder.join("out/tasks.csv");
    let lines = || std::fs::read_to_string(&table).map_or(0, |text| text.lines().count() as u64);
    wait_until(|| lines() > tasks);
}

fn finish(sage: &Sage, child: Child, workers: &[u32]) -> Done {
    let done = sage.done(child.wait_with_output().unwrap());
    wait_until(|| workers.iter().all(|worker| ended(*worker)));
    done
}

#[test]
fn a_lost_worker_loses_and_doubles_nothing() {
    let whole = undisturbed();
    for (seed, signal, index) in
        [(1, "-KILL", 0), (2, "-KILL", 1), (3, "-KILL", 2), (4, "-STOP", 1), (5, "-STOP", 0)]
    {
        let mut draw = Draw(seed);
        let sage = sage("run f.sage --workers 3 --out out");
        let child = sage.start();
        wait_for_tasks(sage.folder.path(), draw.below(200));
        let lost = worker(child.id(), index);
        send(signal, lost);
        let done = finish(&sage, child, &[lost]).exits(3).says("was lost");
        check(&done, &whole);
        let metrics = done.metrics();
        assert_eq!(
            (&metrics["restarts"], &metrics["restart_log"][0]["worker"]),
            (&1.into(), &index.into())
        );
        assert!(metrics["restart_log"][0]["restart_s"].as_f64().unwrap() > 0.0);
        done.says("figures cover");
    }
}

#[test]
fn workers_lost_one_after_the_other_are_replaced_or_done_without() {
    let whole = undisturbed();
    for (arguments, left) in [("", 3), ("--on-loss shrink", 1)] {
        let sage = sage(&format!("run f.sage --workers 3 --out out {arguments}"));
        let child = sage.start();
        let mut lost = Vec::new();
        for (index, tasks) in [(1, 40), (0, 150)] {
            wait_for_tasks(sage.folder.path(), tasks);
            wait_until(|| lost.iter().all(|pid| ended(*pid)));
            lost.push(worker(child.id(), index));
            send("-KILL", *lost.last().unwrap());
        }
        let done = finish(&sage, child, &lost).exits(3);
        check(&done, &whole);
        let metrics = done.metrics();
        assert_eq!(metrics["restarts"], 2);
        assert_eq!(metrics["nodes"].as_array().unwrap().len(), left);
    }
}

#[test]
fn the_same_command_goes_on_after_the_supervisor_was_killed() {
    let whole = undisturbed();
    for seed in 1..4 {
        let mut draw = Draw(seed);
        let command = "run f.sage --workers 3 --out out";
        let first = sage(command);
        let mut tasks = 0;
        for _ in 0..2 {
            tasks += 20 + draw.below(100);
            let mut child = again(&first, command).start();
            wait_for_tasks(first.folder.path(), tasks);
            let workers = workers_of(child.id());
            send("-KILL", child.id());
            child.wait().unwrap();
            wait_until(|| workers.iter().all(|worker| ended(*worker)));
        }
        // Other workers may finish it.
        let done =
            again(&first, "run f.sage --workers 2 --out out --slots 7 --scheduler fifo").go();
        let done = done.exits(3).says("resuming the run in out").says("tasks are done");
        check(&done, &whole);
        let resumed = done.metrics()["tasks_resumed"].as_u64().unwrap();
        assert!(resumed > 0 && done.metrics()["tasks_covered"] == TASKS as u64 - resumed);
        // It is finished now: once more is all again.
        again(&first, command).go().exits(3).says("replacing the earlier run");
    }
}

#[test]
fn figures_go_on_in_time_after_losses_and_in_a_run_that_goes_on() {
    let program = r#"sage 1
type Task { id: int @key }
source tasks: Task from generate(count: 300)
sink rows to csv("rows.csv")
flow f {
  from tasks
  stage nap = sleep(25ms)
  emit { id: .id } into rows
}
schedule { policy: fifo, slots: 4 }
measure to csv("figures.csv") every 100ms { tasks_ok, throughput }
measure to jsonl("figures.jsonl") every 100ms { tasks_ok }
"#;
    let command = "run f.sage --workers 2 --out out";
    let sage = Sage::new().file("f.sage", program).args(command);
    let mut child = sage.start();
    wait_for_tasks(sage.folder.path(), 100);
    let workers = workers_of(child.id());
    send("-KILL", child.id());
    child.wait().unwrap();
    wait_until(|| workers.iter().all(|worker| ended(*worker)));
    let before = std::fs::read_to_string(sage.folder.path().join("out/figures.csv")).unwrap();
    // Once more by the same command, which loses a worker.
    let child = again(&sage, command).start();
    wait_for_tasks(sage.folder.path(), 200);
    let lost = worker(child.id(), 1);
    send("-KILL", lost);
    let done = finish(&sage, child, &[lost]).exits(0);
    let text = done.read("figures.csv");
    let whole = before.rfind('\n').map_or(0, |end| end + 1);
    assert!(whole > 100 && text.starts_with(&before[..whole]), "{before}\n\n{text}");
    let rows: Vec<Vec<&str>> = text.lines().skip(1).map(|line| line.split(',').collect()).collect();
    let number = |cell: &str| cell.parse::<f64>().unwrap();
    let (mut last_s, mut sum) = (0.0, 0.0);
    for pair in rows.chunks(2) {
        assert_eq!((pair[0][1], pair[1][1], pair[0][0]), ("tasks_ok", "throughput", pair[1][0]));
        let (at_s, ok) = (number(pair[0][0]), number(pair[0][5]));
        assert!(at_s > last_s, "{text}");
        // A rate is one of the time since the rows before.
        if ok > 0.0 {
            assert!(ok / number(pair[1][5]) <= at_s - last_s + 1e-6, "{pair:?}\n{text}");
        }
        (last_s, sum) = (at_s, sum + ok);
    }
    // What was done and not committed is counted again, what was in no row yet is not counted.
    assert!(sum > 200.0 && sum < 400.0, "{text}");
    let lines = done.read("figures.jsonl");
    let at = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["at_s"].as_f64();
    assert!(
        lines.lines().count() > 5 && lines.lines().is_sorted_by(|a, b| at(a) < at(b)),
        "{lines}"
    );
}

#[test]
fn an_interrupted_or_failed_run_goes_on_and_another_one_is_refused() {
    let whole = undisturbed();
    let command = "run f.sage --workers 2 --out out --on-loss fail";
    let first = sage(command);
    for signal in ["-INT", "-KILL"] {
        let child = again(&first, command).start();
        wait_for_tasks(first.folder.path(), if signal == "-INT" { 50 } else { 230 });
        match signal {
            "-INT" => send(signal, child.id()),
            _ => send(signal, worker(child.id(), 1)),
        }
        let done = first.done(child.wait_with_output().unwrap());
        let done = done.exits(if signal == "-INT" { 130 } else { 2 });
        let metrics = done.metrics();
        let number = |name: &str| metrics[name].as_u64().unwrap();
        assert_eq!(done.lines("dead_letters.jsonl").len() as u64, number("tasks_dead"));
        assert!(number("tasks_pending") > 0, "{signal} {}", done.stderr);
    }

    let changed = PROGRAM.replace("5040 /", "5041 /");
    std::fs::write(first.folder.path().join("f.sage"), changed).unwrap();
    again(&first, &format!("{command} --seed 4"))
        .go()
        .exits(1)
        .says("stage `quotient` has changed")
        .says("--seed: 0 before, 4 now")
        .says("--fresh")
        .says("finished tasks are done again");
    // A comment changes nothing, and when the input was written is no change of it.
    let input = std::fs::File::options().write(true).open(first.folder.path().join("tasks.csv"));
    input.unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    let commented = PROGRAM.replace("flow f {", "// A line more.\n\nflow f {");
    std::fs::write(first.folder.path().join("f.sage"), commented).unwrap();
    std::fs::write(first.folder.path().join("tasks.csv"), tasks() + "1000,new,0\n").unwrap();
    let changed = again(&first, command).go().exits(1).says("file `tasks.csv` has changed (");
    let line = changed.stderr.lines().find(|line| line.contains("tasks.csv")).unwrap();
    assert!(line.contains(" before, ") && line.contains(" now)"), "{line}");

    again(&first, &format!("{command} --fresh --slots 64")).go().exits(3);
    std::fs::write(first.folder.path().join("tasks.csv"), tasks()).unwrap();
    check(&again(&first, &format!("{command} --slots 64")).go().exits(3), &whole);
}

#[test]
fn what_came_from_a_pipe_is_kept_and_the_run_ends_with_the_loss() {
    let program = r#"sage 1
type Line { id: int @key, text: string }
source lines: Line from stdin(format: lines)
sink outs: Line to jsonl("outs.jsonl")
flow f {
  from lines
  emit Line { id: .id, text: .text } into outs
}"#;
    let sage = Sage::new().file("f.sage", program).args("run f.sage --workers 2 --out out");
    let mut command = sage.command();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    writeln!(pipe, "one\ntwo").unwrap();
    // The rows are committed some time later; the pipe stays open.
    wait_for_tasks(sage.folder.path(), 1);
    let part = || std::fs::read_dir(sage.folder.path().join("out/parts")).unwrap();
    wait_until(|| part().map(|part| part.unwrap().metadata().unwrap().len()).sum::<u64>() > 0);
    std::thread::sleep(std::time::Duration::from_millis(500));
    send("-KILL", worker(child.id(), 1));
    let done = finish(&sage, child, &[]).exits(2).says("which cannot be read twice");
    assert_eq!(done.lines("outs.jsonl").len() as u64, done.metrics()["tasks_ok"].as_u64().unwrap());
    assert!(!done.out.join("commit").exists() && !done.stderr.contains("goes on"));
}

#[test]
fn too_many_losses_end_the_run_and_say_so() {
    let sage = sage("run f.sage --workers 2 --out out");
    let child = sage.start();
    for _ in 0..4 {
        let lost = worker(child.id(), 1);
        send("-KILL", lost);
        wait_until(|| ended(lost));
    }
    let done = finish(&sage, child, &[]).exits(2).says("restarted 3 times within 60 s");
    assert_eq!(done.metrics()["restarts"], 3);
    let done = again(&sage, "run f.sage --workers 2 --out out --slots 64").go().exits(3);
    check(&done, &undisturbed());
}

#[test]
fn a_damaged_manifest_is_named_and_nothing_is_guessed() {
    let command = "run f.sage --workers 2 --out out";
    let sage = sage(command);
    let mut child = sage.start();
    wait_for_tasks(sage.folder.path(), 100);
    let workers = workers_of(child.id());
    send("-KILL", child.id());
    child.wait().unwrap();
    wait_until(|| workers.iter().all(|worker| ended(*worker)));
    let log = sage.folder.path().join("out/commit/000001-0000.log");
    let mut bytes = std::fs::read(&log).unwrap();
    bytes[20] ^= 4;
    std::fs::write(&log, bytes).unwrap();
    again(&sage, command).go().exits(1).says("000001-0000.log").says("is damaged").says("--fresh");
    again(&sage, &format!("{command} --fresh --slots 64")).go().exits(3);
}

#[test]
fn several_jobs_go_on_each_by_itself() {
    let program = |name: &str| PROGRAM.replace("flow f", &format!("flow {name}"));
    let command = "run a.sage b.sage --workers 2 --out out";
    let whole = undisturbed();
    let sage = Sage::new()
        .file("a.sage", program("a"))
        .file("b.sage", program("b"))
        .file("tasks.csv", tasks())
        .args(command);
    let mut child = sage.start();
    let table = |job: &str| {
        let path = sage.folder.path().join("out").join(job).join("tasks.csv");
        std::fs::read_to_string(path).map_or(0, |text| text.lines().count())
    };
    wait_until(|| table("a") > 60 && table("b") > 60);
    let workers = workers_of(child.id());
    send("-KILL", child.id());
    child.wait().unwrap();
    wait_until(|| workers.iter().all(|worker| ended(*worker)));
    let done = sage.go().exits(3).says("a: resuming the run").says("b: resuming the run");
    for job in ["a", "b"] {
        let mut one = sage.done(Command::new("true").output().unwrap());
        one.out = done.out.join(job);
        check(&one, &whole);
    }
}

#[test]
fn answers_that_were_journalled_are_not_paid_again() {
    let server = Server::start();
    let program = format!(
        r#"sage 1
type Task {{ id: string @key, text: string }}
type Out {{ id: string, answer: string }}
endpoint llm {{ url: "{}", model: "Qwen/Qwen2.5-7B-Instruct" }}
source tasks: Task from generate(count: 240, text: "What is {{{{ n }}}}?")
sink outs: Out to jsonl("outs.jsonl")
flow f {{
  from tasks
  stage a = generate(.text) on llm {{ max_tokens: 16 }}
  emit Out {{ id: .id, answer: a.text }} into outs
}}
schedule {{ policy: fifo, slots: 8 }}"#,
        server.address
    );
    let sage = Sage::new().file("f.sage", program).args("run f.sage --workers 3 --out out");
    let child = sage.start();
    let mut lost = Vec::new();
    for (index, tasks) in [(2, 40), (0, 120)] {
        wait_for_tasks(sage.folder.path(), tasks);
        wait_until(|| lost.iter().all(|pid| ended(*pid)));
        lost.push(worker(child.id(), index));
        send("-KILL", *lost.last().unwrap());
    }
    let done = finish(&sage, child, &lost).exits(0);
    assert_eq!(done.metrics()["restarts"], 2);
    let rows = done.lines("outs.jsonl");
    assert_eq!(rows.len(), 240);
    let distinct: std::collections::BTreeSet<&String> = rows.iter().collect();
    assert_eq!(distinct.len(), 240);
    assert_eq!(server.answers(), 240, "each question was answered once");
}

/// A simulated endpoint in a process of its own.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_sage-flow"))
            .args([
                "simulator",
                "--profile",
                "a100/qwen2.5-7b",
                "--speed",
                "2",
                "--listen",
                "127.0.0.1:0",
            ])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut address = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
        Server { child, address: address.trim().to_owned() }
    }

    /// Requests that were answered.
    fn answers(&self) -> u64 {
        let host = self.address.trim_start_matches("http://");
        let mut stream = TcpStream::connect(host).unwrap();
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let counts = text.lines().filter(|line| line.starts_with("vllm:request_success_total"));
        counts.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap() as u64).sum()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
