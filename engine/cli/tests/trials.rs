//! Trials of experiments with worker processes: what they share, what they do not carry over, and
//! that nothing of them stays behind.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::path::Path;

use serde_json::Value;
use support::{Done, Sage, ended, send, wait_until, workers_of};

/// A flow of that name with `tasks` naps.
fn naps(flow: &str, tasks: u64, nap: &str) -> String {
    format!(
        r#"sage 1
param pause: duration = {nap}
type Task {{ id: string @key }}
source tasks: Task from generate(count: {tasks})
sink outs: Task to jsonl("outs.jsonl")
flow {flow} {{
  from tasks
  stage nap = sleep(pause)
  emit Task {{ id: .id }} into outs
}}
schedule {{ policy: fifo, slots: 4 }}"#
    )
}

/// A flow of that name that asks about each of its tasks.
fn asking(flow: &str, cache: &str) -> String {
    format!(
        r#"sage 1
type Task {{ id: string @key, text: string }}
type Out {{ id: string, answer: string }}
endpoint llm {{ url: "sim:a100/qwen2.5-7b@20", concurrency: 2 }}
source tasks: Task from generate(count: 40, text: "What is {{{{ n }}}}?")
sink outs: Out to jsonl("outs.jsonl")
flow {flow} {{
  from tasks
  stage a = generate(.text) on llm {{ max_tokens: 24{cache} }}
  emit Out {{ id: .id, answer: a.text }} into outs
}}
schedule {{ policy: fifo, slots: 32 }}"#
    )
}

fn json(path: impl AsRef<Path>) -> Value {
    let path = path.as_ref();
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// `metrics.json` of a job of a trial.
fn of(done: &Done, trial: &str, job: &str) -> Value {
    json(done.out.join("runs").join(trial).join(job).join("metrics.json"))
}

fn trials(done: &Done) -> Vec<String> {
    let runs = std::fs::read_dir(done.out.join("runs")).unwrap();
    let mut names: Vec<String> =
        runs.map(|run| run.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_trial_has_the_settings_of_its_point_and_pays_anew() {
    let experiment = r#"sage 1
import "a.sage"
experiment e {
  jobs: [a]
  tasks: 30, nodes: 2, arrivals: poisson(400/s)
  sweep policy in [fifo, round_robin]
  sweep slots in [3, 5]
  repeat: 2, seed: 11
}"#;
    // Answers in the user's cache would make the second trial faster than the first.
    let done = Sage::new()
        .file("a.sage", asking("a", ", cache: content"))
        .file("e.sage", experiment)
        .env("SAGE_CACHE_DIR", "cache")
        .args("experiment run e.sage --on sim --out out --quiet")
        .go()
        .exits(0);
    let names = trials(&done);
    assert_eq!(names.len(), 8, "{names:?}");
    for name in &names {
        let metrics = of(&done, name, "a");
        assert_eq!(metrics["tasks_ok"], 30, "{name}");
        assert_eq!(metrics["cached"], 0, "{name} found answers of another trial");
        assert_eq!((&metrics["workers"], &metrics["backend"]), (&2.into(), &"sim".into()));
        assert_eq!(metrics["arrivals"], "poisson(400/s)");
        let point = &metrics["trial"]["point"];
        let label = |name: &str| {
            let found = point.as_array().unwrap().iter().find(|pair| pair[0] == name);
            found.unwrap()[1].as_str().unwrap().to_owned()
        };
        assert_eq!(metrics["scheduler"], label("policy"));
        assert_eq!(metrics["slots"].to_string(), label("slots"));
        let repeat = metrics["trial"]["repeat"].as_u64().unwrap();
        assert_eq!(metrics["seed"], 11 + repeat);
        let left = std::fs::read_dir(done.out.join("runs").join(name)).unwrap();
        let mut left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert!(!left.iter().any(|name| name.to_string_lossy().starts_with('.')), "{left:?}");
    }
    assert!(!done.out.parent().unwrap().join("cache").exists(), "the user's cache is not used");
}

#[test]
fn jobs_of_a_trial_share_fairly_or_stand_in_one_line() {
    let experiment = r#"sage 1
import "a.sage"
import "b.sage"
experiment e {
  jobs: [a { tasks: 120, share: 3 }, b { tasks: 120 }]
  together, nodes: 1
  sweep sharing in [fair { fair: true }, in_order { fair: false }]
}"#;
    let done = Sage::new()
        .file("a.sage", asking("a", ""))
        .file("b.sage", asking("b", ""))
        .file("e.sage", experiment)
        .args("experiment run e.sage --on sim --out out --quiet --only *sharing*")
        .go()
        .exits(0);
    // When the favoured job is done, how far is the other?
    let behind = |sharing: &str| {
        let name = trials(&done).into_iter().find(|name| {
            let facts = json(done.out.join("runs").join(name).join("trial.json"));
            name.contains(sharing) && facts["jobs"].as_array().unwrap().len() == 2
        });
        let folder = done.out.join("runs").join(name.unwrap());
        let facts = json(folder.join("trial.json"));
        assert_eq!(facts["endpoints"]["endpoints"].as_array().unwrap().len(), 1);
        let ends = |job: &str| -> Vec<f64> {
            let text = std::fs::read_to_string(folder.join(job).join("tasks.csv")).unwrap();
            let mut ends: Vec<f64> = text
                .lines()
                .skip(1)
                .map(|line| line.split(',').nth(5).unwrap().parse().unwrap())
                .collect();
            ends.sort_by(f64::total_cmp);
            ends
        };
        let (a, b) = (ends("a"), ends("b"));
        let over = a.last().unwrap();
        b.iter().filter(|end| *end <= over).count()
    };
    let (fair, in_order) = (behind("fair"), behind("in_order"));
    // With weights of 3 to 1 the other has a third of its tasks done then; in order, nearly all.
    assert!(fair < 65, "{fair} of 120 with a third of the weight");
    assert!(in_order > 90, "{in_order} of 120 in order of arrival");
}

#[test]
fn many_trials_leave_nothing_behind() {
    let experiment = r#"sage 1
import "n.sage"
import "a.sage"
experiment e {
  jobs: [n, a]
  together, nodes: 1
  repeat: 30
}"#;
    let sage = Sage::new()
        .file("n.sage", naps("n", 4, "5ms"))
        .file("a.sage", asking("a", "").replace("count: 40", "count: 4"))
        .file("e.sage", experiment)
        .env("TMPDIR", ".")
        .args("experiment run e.sage --on sim --out out --quiet --only r*");
    let mut child = sage.start();
    let pid = child.id();
    let entries =
        |what: &str| std::fs::read_dir(format!("/proc/{pid}/{what}")).map_or(0, Iterator::count);
    // Least numbers of open files, threads and children, of each third of the trials.
    let mut least = [[usize::MAX; 3]; 3];
    let runs = sage.folder.path().join("out/runs");
    while child.try_wait().unwrap().is_none() {
        let begun = std::fs::read_dir(&runs).map_or(0, Iterator::count);
        let third = (begun.saturating_sub(1) / 10).min(2);
        let now = [entries("fd"), entries("task"), workers_of(pid).len()];
        for (least, now) in least[third].iter_mut().zip(now) {
            // The process may have ended meanwhile.
            if now > 0 {
                *least = now.min(*least);
            }
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    let done = sage.done(child.wait_with_output().unwrap()).exits(0);
    assert!(trials(&done).len() >= 30, "{:?}", trials(&done));
    // The first trials are not asked: before them the process has opened next to nothing.
    let [files, threads, children] = [0, 1, 2].map(|what| (least[1][what], least[2][what]));
    for (what, (first, last)) in [("files", files), ("threads", threads), ("children", children)] {
        assert!(last < first + 5, "{what}: {first} in the middle trials, {last} in the last");
    }
    let left = std::fs::read_dir(sage.folder.path()).unwrap();
    let indexes = left.filter(|entry| {
        entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("sage-flow-indexes-")
    });
    assert_eq!(indexes.count(), 0, "the indexes go with the process");
}

#[test]
fn indexes_are_built_once_and_outside_of_the_trials() {
    let program = r#"sage 1
type Query { id: string @key, text: string }
type Doc { id: string @key, title: string, text: string }
type Out { id: string @key, best: string }
endpoint embedder { url: "sim:a100/qwen2.5-7b", model: "BAAI/bge-small-en-v1.5" }
source queries: Query from csv("q.csv")
index docs: Doc from markdown("notes") { embed: .text, with: embedder, search: vector }
sink outs: Out to jsonl("outs.jsonl")
flow search {
  from queries
  stage qvec = embed(.text) on embedder
  stage hits = retrieve(docs, qvec, k: 1)
  emit Out { id: .id, best: join(hits.id, " ") } into outs
}"#;
    let experiment = r#"sage 1
import "p.sage"
experiment e {
  jobs: [search]
  nodes: 2, tasks: 6
  sweep policy in [fifo, round_robin]
  repeat: 2
}"#;
    let sage = Sage::new()
        .file("p.sage", program)
        .file("e.sage", experiment)
        .file("q.csv", "id,text\n1,where do otters live\n2,what do bees make\n")
        .args("experiment run e.sage --on sim --out out --quiet");
    let notes = sage.folder.path().join("notes");
    std::fs::create_dir(&notes).unwrap();
    std::fs::write(notes.join("a.md"), "# Otters\n\nOtters live in rivers.\n").unwrap();
    std::fs::write(notes.join("b.md"), "# Bees\n\nBees make honey.\n").unwrap();
    let done = sage.go().exits(0);
    let names = trials(&done);
    assert_eq!(names.len(), 4);
    for name in &names {
        let metrics = of(&done, name, "search");
        assert_eq!(metrics["tasks_ok"], 6);
        let embedder = &metrics["endpoint_stats"][0];
        assert_eq!(embedder["calls"], embedder["jobs"]["search"]["calls"], "{embedder}");
        assert_eq!(embedder["jobs"].as_object().unwrap().len(), 1, "no vectors of documents");
        assert!(!done.out.join("runs").join(name).join("search/index").exists());
    }
}

#[test]
fn what_processes_cannot_do_is_said_with_what_can() {
    let refused = |settings: &str, place: &str, words: &[&str]| {
        let program = asking("a", "");
        let experiment = format!(
            "sage 1\nimport \"a.sage\"\nexperiment e {{\n  jobs: [a]\n  tasks: 4\n  {settings}\n}}"
        );
        let done = Sage::new()
            .file("a.sage", program)
            .file("e.sage", experiment)
            .args(&format!("experiment run e.sage --on {place} --out out"))
            .go();
        assert_ne!(done.code, Some(0), "{}", done.stderr);
        words.iter().fold(done, |done, word| done.says(word));
    };
    refused("nodes: 65", "sim", &["not possible", "65 worker processes", "--on twin"]);
    refused(
        "endpoint: \"http://127.0.0.1:9\"",
        "sim",
        &["not possible", "endpoint `llm`", "--endpoint sim:"],
    );
    refused(
        "endpoint: \"sim:a100/qwen2.5-7b\"",
        "live",
        &["not possible", "simulated", "--on sim"],
    );
    refused("speeds: [1, 0.5]", "sim", &["not possible", "equally fast", "--on twin"]);
}

#[test]
fn an_interrupt_stops_the_suite_and_its_workers() {
    let experiment = r#"sage 1
import "n.sage"
experiment e {
  jobs: [n]
  nodes: 2
  sweep pause in [29ms, 30ms, 31ms]
}"#;
    let sage = Sage::new()
        .file("n.sage", naps("n", 3000, "1ms"))
        .file("e.sage", experiment)
        .args("experiment run e.sage --on sim --out out");
    let child = sage.start();
    let pid = child.id();
    wait_until(|| workers_of(pid).len() == 2);
    let workers = workers_of(pid);
    let runs = sage.folder.path().join("out/runs");
    wait_until(|| {
        let begun = std::fs::read_dir(&runs).into_iter().flatten().flatten();
        begun
            .map(|run| run.path().join("n/tasks.csv"))
            .any(|table| std::fs::metadata(table).is_ok_and(|table| table.len() > 200))
    });
    send("-INT", pid);
    sage.done(child.wait_with_output().unwrap()).exits(130);
    assert!(workers.iter().all(|worker| ended(*worker)));
    assert_eq!(std::fs::read_dir(&runs).unwrap().count(), 0, "a trial that broke off is none");
}
