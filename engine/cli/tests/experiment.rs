//! The verb `experiment`, as a user runs it: on the twin and with real processes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails where it must not go on")]

#[path = "../../lab/tests/common/schema.rs"]
mod schema;
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use support::{Done, Sage, ended, send, wait_until, workers_of};

const NAP: &str = r#"sage 1
type Task { id: string @key }
param pause: duration = 2ms
source tasks: Task from generate(count: 200)
sink outs: Task to jsonl("outs.jsonl")
flow nap {
  from tasks
  stage rest = sleep(pause)
  emit Task { id: .id } into outs
}
schedule { policy: fifo, slots: 4 }
"#;

const NAPS: &str = r#"sage 1
import "../nap.sage"
/// Which policy naps best?
experiment naps {
  jobs: [nap]
  tasks: 20, nodes: 2
  sweep schedule.policy in [fifo, round_robin]
  sweep pause in [2ms, 40ms]
  repeat: 3, seed: 7, baseline: fifo
  report: [throughput, latency_p99_ms, balance]
  quick { repeat: 1, pause: [2ms] }
  claim "short naps are faster" { throughput[2ms] > throughput[40ms] }
}
"#;

const PAIR: &str = r#"sage 1
import "../nap.sage"
/// Do two jobs get in each other's way?
experiment pair {
  jobs: [a = nap { tasks: 12 }, b = nap { tasks: 16 }]
  nodes: 1, together: true
  sweep stagger in [0s, 10ms]
  repeat: 1
  backends: [twin]
  claim "never" { throughput[a] < 0 }
}
"#;

/// Reads a file that is not there.
const LOST: &str = r#"sage 1
type Task { id: string @key }
source tasks: Task from csv("nothing.csv")
sink outs: Task to jsonl("outs.jsonl")
flow lost {
  from tasks
  stage rest = sleep(1ms)
  emit Task { id: .id } into outs
}
experiment astray { jobs: [lost], nodes: 1 }
"#;

/// A folder with these programs; experiments stand where they are looked for.
fn sage(experiments: &[(&str, &str)]) -> Sage {
    let sage = Sage::new().file("nap.sage", NAP);
    fs::create_dir(sage.folder.path().join("experiments")).unwrap();
    experiments
        .iter()
        .fold(sage, |sage, (name, text)| sage.file(&format!("experiments/{name}"), text))
}

/// Another command in the same folder.
fn beside(sage: &Sage) -> Sage {
    let mut other = Sage::new();
    other.folder = sage.folder.clone();
    other
}

fn go(sage: &Sage, arguments: &str) -> Done {
    beside(sage).args("experiment").args(arguments).go()
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn is_as_published(metrics: &Path) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../experiments/metrics.schema.json");
    let schema = json(&path);
    let problems = schema::problems(&schema, &schema, &json(metrics), "");
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// Every file below a folder.
fn tree(folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(tree(&path));
        } else {
            found.insert(path);
        }
    }
    found
}

#[test]
fn what_there_is_to_run_is_listed_with_its_question_and_last_result() {
    let sage = sage(&[("naps.sage", NAPS), ("pair.sage", PAIR)]);
    let list = go(&sage, "list").exits(0);
    let line = |list: &Done, name: &str| {
        list.stdout.lines().find(|line| line.starts_with(name)).unwrap().to_owned()
    };
    assert!(line(&list, "naps").contains("twin,sim,live"));
    assert!(line(&list, "pair").ends_with("Do two jobs get in each other's way?"));
    go(&sage, "run naps --on twin --quick --no-pictures -q --machine box.7").exits(0);
    let list = go(&sage, "list").exits(0);
    assert!(
        line(&list, "naps").contains("-box-7-twin, quick, 0 of 1 claims hold"),
        "{}",
        list.stdout
    );
    let list: Value = serde_json::from_str(&go(&sage, "list --json").exits(0).stdout).unwrap();
    let naps = &list["experiments"][0];
    assert_eq!((&naps["trials"], &naps["quick_trials"]), (&12.into(), &2.into()));
    assert_eq!(list["experiments"][1]["backends"], serde_json::json!(["twin"]));
}

#[test]
fn an_experiment_on_the_twin_leaves_all_its_files_and_the_same_ones_each_time() {
    let sage = sage(&[("naps.sage", NAPS)]);
    let done = go(&sage, "run naps --on twin --out out --strict").exits(0);
    for words in ["naps on twin", "nap (twin (virtual time))", "holds", "1 of 1 hold", "12/12"] {
        assert!(done.stdout.contains(words), "`{words}` is not in\n{}", done.stdout);
    }
    let names = [
        "suite.json",
        "setup.json",
        "metrics.json",
        "tasks.csv",
        "summary.txt",
        "comparison.txt",
        "tables.tex",
        "report.html",
        "throughput.png",
        "throughput.svg",
    ];
    for name in names {
        assert!(done.out.join(name).metadata().unwrap().len() > 0, "{name}");
    }
    is_as_published(&done.out.join("metrics.json"));
    let setup = json(&done.out.join("setup.json"));
    for name in ["version", "profile", "host", "cores", "started", "seed", "parameters", "sources"]
    {
        assert!(!setup[name].is_null(), "{name}");
    }
    let runs = fs::read_dir(done.out.join("runs")).unwrap().count();
    assert_eq!((runs, done.lines("tasks.csv").len()), (12, 1 + 12 * 20));

    go(&sage, "run naps --on twin --out again --no-pictures -q").exits(0);
    let again = sage.folder.path().join("again");
    for name in ["tasks.csv", "tables.tex"] {
        assert_eq!(fs::read(done.out.join(name)).unwrap(), fs::read(again.join(name)).unwrap());
    }
    let same = go(&sage, "compare out again").exits(0);
    assert!(same.stdout.contains("+0.0%") && !same.stdout.contains("fidelity"), "{}", same.stdout);

    // Made again from the runs alone.
    for name in ["metrics.json", "report.html", "summary.txt"] {
        fs::remove_file(done.out.join(name)).unwrap();
    }
    let report = go(&sage, "report out").exits(0);
    assert!(report.stdout.contains("short naps are faster"));
    assert!(names.iter().all(|name| done.out.join(name).exists()));
}

#[test]
fn real_processes_and_the_twin_are_set_side_by_side_and_nothing_is_left_over() {
    let sage = sage(&[("naps.sage", NAPS)]);
    let done = go(&sage, "fidelity naps --repeat 1 --out out --no-pictures").exits(0);
    for words in [
        "fidelity of the twin on naps",
        "real  real processes, no endpoint",
        "Throughput",
        "ranking of `policy`",
    ] {
        assert!(done.stdout.contains(words), "`{words}` is not in\n{}", done.stdout);
    }
    let twin = done.out.join("naps-twin");
    let fidelity = json(&twin.join("fidelity.json"));
    assert_eq!(fidelity["misses"][0]["rows"], 4);
    assert!(fs::read_to_string(twin.join("fidelity.txt")).unwrap().contains("P99 latency"));
    assert!(fs::read_to_string(twin.join("summary.txt")).unwrap().contains("on one machine of"));
    for part in ["naps-sim", "naps-twin"] {
        is_as_published(&done.out.join(part).join("metrics.json"));
    }
    let left: Vec<PathBuf> = tree(&done.out)
        .into_iter()
        .filter(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            name.starts_with('.') || name.contains(".part") || name.starts_with("outs")
        })
        .collect();
    assert!(left.is_empty(), "{left:?}");
    let again = go(&sage, "compare out/naps-sim out/naps-twin --out compared --json").exits(0);
    let again: Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!(again["fidelity"], fidelity);
    assert!(sage.folder.path().join("compared/fidelity.txt").exists());
}

#[test]
fn one_that_is_stopped_goes_on_when_the_same_is_asked_again() {
    let sage = sage(&[("naps.sage", NAPS)]);
    let command = beside(&sage).args("experiment run naps --on sim --repeat 2 --no-pictures -q");
    let child = command.start();
    let root = sage.folder.path().join("results/naps");
    let done = || {
        let all = if root.is_dir() { tree(&root) } else { BTreeSet::new() };
        all.iter().filter(|path| path.ends_with("ended.json")).count()
    };
    wait_until(|| done() >= 2);
    let pid = child.id();
    let workers = workers_of(pid);
    send("-INT", pid);
    let output = child.wait_with_output().unwrap();
    let stopped = command.done(output).exits(130).says("the same command goes on");
    wait_until(|| workers.iter().all(|worker| ended(*worker)));
    let before = done();
    assert!((2..8).contains(&before), "{before}: {}", stopped.stderr);

    // A report of what is there can be made.
    let folder = fs::read_dir(&root).unwrap().next().unwrap().unwrap().path();
    let name = folder.strip_prefix(sage.folder.path()).unwrap().display().to_string();
    go(&sage, &format!("report {name} -q")).exits(2).says("it was not run");
    let partial = json(&folder.join("metrics.json"));
    assert_eq!(partial["failed"].as_array().unwrap().len(), 8 - before);

    // Another seed is another suite.
    go(&sage, "run naps --on sim --repeat 2 --seed 8 --only *2ms*r0 --no-pictures -q").exits(0);
    assert_eq!(fs::read_dir(&root).unwrap().count(), 2);
    let again = go(&sage, "run naps --on sim --repeat 2 --no-pictures").exits(0);
    let again = again.says("going on with naps").says(&name);
    assert!(again.stdout.contains("8/8"), "{}", again.stdout);
    assert_eq!(json(&folder.join("metrics.json"))["failed"], serde_json::json!([]));
    // Now it is complete, the same command begins anew.
    go(&sage, "run naps --on sim --repeat 2 --only *2ms*r0 --no-pictures -q").exits(0);
    assert_eq!(fs::read_dir(&root).unwrap().count(), 3);
}

#[test]
fn a_part_that_fails_is_named_and_the_others_go_on() {
    let broken = "sage 1\nexperiment broken { jobs: [nobody] }\n";
    let sage = sage(&[("astray.sage", LOST), ("broken.sage", broken), ("naps.sage", NAPS)]);
    let done = go(&sage, "all --on twin --quick --no-pictures --out out").exits(2);
    let done = done
        .says("parts failed: astray on twin, experiments/broken.sage")
        .says("`experiments/broken.sage` has mistakes")
        .says("nothing.csv");
    assert!(done.stdout.contains("naps on twin, quick"), "{}", done.stdout);
    assert!(done.out.join("naps-twin/metrics.json").exists());
    assert_eq!(json(&done.out.join("astray-twin/metrics.json"))["failed"][0][0], "lost.r0");
    let done = go(&sage, "run all --on twin --quick --no-pictures --json").exits(2);
    let told: Value = serde_json::from_str(&done.stdout).unwrap();
    let status: Vec<_> =
        told["parts"].as_array().unwrap().iter().map(|part| &part["status"]).collect();
    assert_eq!(status, ["failed", "complete"]);
    assert_eq!(told["broken"][0]["file"], "experiments/broken.sage");
}

#[test]
fn an_experiment_that_does_not_run_there_is_skipped_among_all_and_refused_alone() {
    let sage = sage(&[("naps.sage", NAPS), ("pair.sage", PAIR)]);
    go(&sage, "run pair --on sim").exits(1).says("`pair` does not run on sim; use --on twin");
    let all = go(&sage, "all --on sim --quick --only *2ms* --no-pictures").exits(0);
    all.says("skipped: pair on sim: it runs on twin only");
    // Without --on it runs where it can.
    let done = go(&sage, "run pair --no-pictures --out out --strict").exits(3);
    let done = done.says("1 claim does not hold (--strict)");
    let metrics = json(&done.out.join("metrics.json"));
    let rows = metrics["rows"].as_array().unwrap();
    let jobs: BTreeSet<&str> = rows.iter().map(|row| row["job"].as_str().unwrap()).collect();
    assert_eq!(jobs, BTreeSet::from(["a", "b", "all"]));
    let all = rows.iter().find(|row| row["job"] == "all").unwrap();
    for column in ["parallel_gain", "jain", "throughput_per_s", "makespan_s"] {
        assert!(all["figures"][column]["mean"].as_f64().unwrap() > 0.0, "{column}");
    }
    is_as_published(&done.out.join("metrics.json"));
}

#[test]
fn what_is_wrong_is_said_before_anything_is_run() {
    let sage = sage(&[("naps.sage", NAPS)]);
    fs::create_dir(sage.folder.path().join("full")).unwrap();
    fs::write(sage.folder.path().join("full/mine.txt"), "x").unwrap();
    for (arguments, message) in [
        ("run nap", "no experiment is called `nap`; did you mean `naps`?"),
        ("run other", "there are naps"),
        ("run other.sage", "cannot read `other.sage`"),
        ("run nap.sage", "`nap.sage` has no experiment"),
        ("run naps --on cloud", "--on cloud: expected twin, sim or live"),
        ("run naps --nodes 0", "--nodes 0: expected a number from 1"),
        ("run naps --tasks many", "--tasks many: expected a number"),
        ("run naps --scheduler fifoo", "did you mean `fifo`"),
        ("run naps --concurrency -1", "--concurrency -1: expected a number"),
        ("run naps --endpoint nowhere", "--endpoint nowhere: expected http(s)://"),
        ("run naps --only nothing", "no trial that matches `nothing`"),
        ("run naps --out nap.sage", "it is a file, not a folder"),
        ("run naps --out full", "holds something else than an experiment"),
        ("run", "required arguments were not provided"),
        ("report nothing", "there is no such folder"),
        ("report full", "holds no results of an experiment"),
        ("compare full full", "holds no results of an experiment"),
        ("list nothing", "cannot read the folder `nothing`"),
        ("fidelity naps --on sim", "`fidelity` always sets sim beside twin"),
    ] {
        go(&sage, arguments).exits(1).says(message);
        assert!(!sage.folder.path().join("results").exists(), "{arguments}");
    }
    // A folder of another suite is not written to, unless it is to be replaced.
    go(&sage, "run naps --on twin --quick --no-pictures --out out -q").exits(0);
    let before = fs::read(sage.folder.path().join("out/metrics.json")).unwrap();
    let other = "run naps --on twin --quick --seed 9 --no-pictures --out out -q";
    go(&sage, other).exits(1).says("holds results of `naps`, and its settings changed since");
    assert_eq!(before, fs::read(sage.folder.path().join("out/metrics.json")).unwrap());
    go(&sage, &format!("{other} --fresh")).exits(0);
    assert_eq!(json(&sage.folder.path().join("out/setup.json"))["seed"], 9);
    fs::write(sage.folder.path().join("out/metrics.json"), "{}").unwrap();
    go(&sage, "compare out out").exits(1).says("out/metrics.json");
}

#[test]
fn options_change_what_is_run_and_a_dry_run_shows_it() {
    let sage = sage(&[("naps.sage", NAPS)]);
    let dry = go(&sage, "run naps --dry-run --scheduler fifo --repeat 1 --nodes 1,3").exits(0);
    let names: Vec<&str> = dry
        .stdout
        .lines()
        .skip(1)
        .map(str::trim)
        .filter(|line| !line.starts_with("note"))
        .collect();
    assert_eq!(
        names,
        [
            "policy-fifo.pause-2ms.nodes-1.nap.r0",
            "policy-fifo.pause-2ms.nodes-3.nap.r0",
            "policy-fifo.pause-40ms.nodes-1.nap.r0",
            "policy-fifo.pause-40ms.nodes-3.nap.r0",
        ]
    );
    let run = "run naps --on twin --scheduler fifo --repeat 1 --nodes 1,3 --tasks 30 --slots 2 \
               --no-pictures --out out -q";
    go(&sage, run).exits(0);
    let metrics = json(&sage.folder.path().join("out/metrics.json"));
    let rows = metrics["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 4);
    for row in rows {
        let run = &row["runs"][0];
        assert_eq!((&run["tasks_ok"], &run["slots"]), (&30.into(), &2.into()));
        let nodes = row["point"][2][1].as_str().unwrap();
        assert_eq!(run["workers"].to_string(), nodes);
        assert!(row["figures"]["speedup"]["mean"].as_f64().unwrap() > 0.9);
    }
}
