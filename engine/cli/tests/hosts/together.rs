//! Several programs at once: what they share, what each has for itself, and that none takes another
//! with it. And how records arrive, since that is what jobs are told apart by.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;

use crate::support::{Done, SLEEPY, Sage, ended, send, wait_until, workers_of};
use sage_core::arrivals::Times;
use sage_dsl::experiment::Arrivals;
use serde_json::Value;

/// A flow of that name that asks the simulated endpoint for each of its tasks.
fn asking(flow: &str, tasks: u64, endpoint: &str) -> String {
    format!(
        r#"sage 1
type Task {{ id: string @key, text: string }}
type Out {{ id: string, answer: string }}
endpoint llm {{ url: "sim:a100/qwen2.5-7b@20", {endpoint} }}
source tasks: Task from generate(count: {tasks}, text: "What is {{{{ n }}}} of {flow}?")
sink outs: Out to jsonl("outs.jsonl")
flow {flow} {{
  from tasks
  stage a = generate(.text) on llm {{ max_tokens: 16 }}
  emit Out {{ id: .id, answer: a.text }} into outs
}}
schedule {{ policy: fifo, slots: 8 }}"#
    )
}

fn sleepy(flow: &str, tasks: u64) -> String {
    SLEEPY.replace("flow sleepy", &format!("flow {flow}")).replace("2000", &tasks.to_string())
}

fn json(done: &Done, path: &str) -> Value {
    serde_json::from_str(&done.read(path)).unwrap()
}

/// Milliseconds at which the tasks of a job arrived, in order of the tasks.
fn arrivals(done: &Done, path: &str) -> Vec<f64> {
    let text = done.read(path);
    let rows = text.lines().skip(1).map(|line| {
        let cells: Vec<&str> = line.split(',').collect();
        (cells[0].parse::<u64>().unwrap(), cells[2].parse::<f64>().unwrap())
    });
    rows.collect::<BTreeMap<_, _>>().into_values().collect()
}

#[test]
fn jobs_share_an_endpoint_and_its_limit_and_nothing_else() {
    let first = Sage::new()
        .file("a.sage", asking("a", 60, "concurrency: 6"))
        .file("b.sage", asking("b", 40, "concurrency: 4"))
        .args("run a.sage b.sage --workers 2 --out out");
    let done = first
        .go()
        .exits(0)
        .says("a: running a on 2 worker(s)")
        .says("in 60 = ok 60")
        .says("in 40 = ok 40");
    let trial = json(&done, "trial.json");
    let endpoints = trial["endpoints"]["endpoints"].as_array().unwrap();
    assert_eq!(endpoints.len(), 1, "one simulator, one line");
    assert_eq!(endpoints[0]["limit"], 4, "the stricter of two limits");
    assert_eq!(endpoints[0]["total"]["calls"], 100);
    assert!(endpoints[0]["total"]["max_in_flight"].as_u64().unwrap() <= 4);
    for (job, tasks) in [("a", 60), ("b", 40)] {
        let metrics = json(&done, &format!("{job}/metrics.json"));
        assert_eq!(metrics["pipeline"], job);
        assert_eq!(metrics["tasks_ok"], tasks);
        assert_eq!(metrics["endpoint_stats"][0]["calls"], tasks, "its own calls");
        assert_eq!(metrics["backend"], "sim");
        assert_eq!(metrics["offset_s"], 0.0);
        assert_eq!(metrics["trial"]["job"], job);
        assert_eq!(metrics["trial"]["jobs"], serde_json::json!(["a", "b"]));
        let nodes = metrics["nodes"].as_array().unwrap();
        let done_there: u64 = nodes.iter().map(|node| node["tasks"].as_u64().unwrap()).sum();
        assert_eq!((nodes.len(), done_there), (2, tasks), "its own nodes");
        assert_eq!(done.lines(&format!("{job}/outs.jsonl")).len() as u64, tasks);
    }
    // What was paid is kept for all jobs in one place, and found by the next attempt.
    let mut again = Sage::new();
    again.folder = std::sync::Arc::clone(&first.folder);
    let again = again.args("run a.sage b.sage --workers 2 --out out --json").go().exits(0);
    let all: Value = serde_json::from_str(&again.stdout).unwrap();
    for (metrics, paid_before) in all.as_array().unwrap().iter().zip([60, 40]) {
        assert_eq!(metrics["cached"], paid_before);
        assert_eq!(metrics["endpoint_stats"][0]["attempts"], 0);
    }
}

#[test]
fn jobs_begin_when_they_are_told_and_arrive_as_core_says() {
    let done = Sage::new()
        .file("a.sage", sleepy("f", 30))
        .file("b.sage", sleepy("f", 30))
        .args("run a.sage b.sage --workers 1 --out out --seed 5 --stagger 350ms")
        .arg("--arrivals")
        .arg("poisson(90/s)")
        .go()
        .exits(0);
    let trial = json(&done, "trial.json");
    let began = |at: usize| trial["jobs"][at]["began_s"].as_f64().unwrap();
    assert!((began(1) - began(0) - 0.35).abs() < 1e-9, "{trial}");
    // Two flows of one name: the second gets a number. Each job draws from a seed of its own.
    for (at, (job, seed)) in [("f", 5), ("f-2", 5 ^ 0x9e37_79b9_7f4a_7c15)].into_iter().enumerate()
    {
        let metrics = json(&done, &format!("{job}/metrics.json"));
        assert_eq!((&metrics["pipeline"], &metrics["seed"]), (&job.into(), &5.into()));
        assert_eq!(metrics["arrivals"], "poisson(90/s)");
        assert_eq!(json(&done, &format!("{job}/setup.json"))["arrivals"], "poisson(90/s)");
        let times = Times::new(&Arrivals::Poisson { per_s: 90.0 }, &[], seed);
        let due: Vec<f64> = times.take(30).map(|ns| began(at) * 1e3 + ns as f64 / 1e6).collect();
        let arrived = arrivals(&done, &format!("{job}/tasks.csv"));
        assert_eq!(arrived.len(), due.len());
        for (arrived, due) in arrived.iter().zip(&due) {
            // `began_s` is a double of seconds; the table has nanoseconds.
            assert!((arrived - due).abs() < 1e-4, "{job}: {arrived} is not {due}");
        }
    }
}

#[test]
fn a_run_alone_takes_the_same_words_for_arrivals() {
    let trace = "0.05\n0.05\n0.2\n";
    for (words, expected) in [
        ("trace(times.txt)", vec![0.0, 0.0, 150.0]),
        ("burst(2, every: 40ms)", vec![0.0, 0.0, 40.0, 40.0, 80.0]),
        ("constant(50/s)", vec![0.0, 20.0, 40.0, 60.0, 80.0]),
        ("batch", vec![0.0; 5]),
    ] {
        let done = Sage::new()
            .file("s.sage", sleepy("f", 5))
            .file("times.txt", trace)
            .args("run s.sage --workers 1 --out out --quiet --arrivals")
            .arg(words)
            .go()
            .exits(0);
        let arrived = arrivals(&done, "tasks.csv");
        let gaps: Vec<f64> =
            arrived.iter().map(|at| ((at - arrived[0]) * 1e6).round() / 1e6).collect();
        assert_eq!(gaps, expected, "{words}");
    }
}

#[test]
fn a_job_that_fails_takes_no_other_with_it() {
    let program = r#"sage 1
type Row { id: string @key, n: int }
source rows: Row from csv("rows.csv") { bad_rows: fail }
sink outs: Row to csv("outs.csv")
flow broken {
  from rows
  emit Row { id: .id, n: .n } into outs
}"#;
    let done = Sage::new()
        .file("s.sage", sleepy("whole", 200))
        .file("b.sage", program)
        .file("rows.csv", "id,n\na,1\nb,two\n")
        .args("run b.sage s.sage --workers 2 --out out")
        .go()
        .exits(2)
        .says("error: broken: ")
        .says("rows.csv:3");
    assert_eq!(json(&done, "broken/metrics.json")["status"], "failed");
    let whole = json(&done, "whole/metrics.json");
    assert_eq!((&whole["status"], &whole["tasks_ok"]), (&"complete".into(), &200.into()));
}

#[test]
fn a_job_that_loses_a_worker_takes_no_other_with_it() {
    let sage = Sage::new()
        .file("a.sage", sleepy("a", 120))
        .file("b.sage", sleepy("b", 120))
        .args("run a.sage b.sage --workers 2 --out out --on-loss fail");
    let child = sage.start();
    let pid = child.id();
    let begun = sage.folder.path().join("out/b/tasks.csv");
    wait_until(|| workers_of(pid).len() == 4 && begun.exists());
    let workers = workers_of(pid);
    send("-KILL", workers[0]);
    let done = sage.done(child.wait_with_output().unwrap()).exits(2).says("was lost");
    wait_until(|| workers.iter().all(|worker| ended(*worker)));
    let mut statuses: Vec<_> = ["a", "b"]
        .iter()
        .map(|job| json(&done, &format!("{job}/metrics.json"))["status"].clone())
        .collect();
    statuses.sort_by_key(ToString::to_string);
    assert_eq!(statuses, ["complete", "failed"]);
}

#[test]
fn an_interrupt_ends_all_jobs() {
    let sage = Sage::new()
        .file("a.sage", sleepy("a", 5000))
        .file("b.sage", sleepy("b", 5000))
        .args("run a.sage b.sage --workers 2 --out out --stagger 60s");
    let child = sage.start();
    let pid = child.id();
    wait_until(|| workers_of(pid).len() == 4);
    let workers = workers_of(pid);
    let begun = sage.folder.path().join("out/a/tasks.csv");
    wait_until(|| std::fs::metadata(&begun).is_ok_and(|table| table.len() > 200));
    send("-INT", pid);
    let done = sage.done(child.wait_with_output().unwrap()).exits(130);
    assert!(workers.iter().all(|worker| ended(*worker)));
    let a = json(&done, "a/metrics.json");
    let count = |name: &str| a[name].as_u64().unwrap();
    assert!(count("tasks_ok") > 0 && count("tasks_pending") > 0);
    assert_eq!(count("tasks_in"), count("tasks_ok") + count("tasks_pending"));
    let b = json(&done, "b/metrics.json");
    assert_eq!((&b["status"], &b["tasks_in"]), (&"interrupted".into(), &0.into()), "{b}");
}

#[test]
fn what_jobs_cannot_do_together_is_said_before_anything_starts() {
    let stdin = r"sage 1
type Line { id: int @key, text: string }
source lines: Line from stdin(format: lines)
sink shown: Line to stdout()
flow f {
  from lines
  emit Line { id: .id, text: .text } into shown
}";
    let refused = |sage: Sage, words: &[&str]| {
        let done = words.iter().fold(sage.go().exits(1), |done, word| done.says(word));
        assert!(!done.out.join("trial.json").exists());
    };
    let one = || Sage::new().file("s.sage", sleepy("f", 5)).file("i.sage", stdin);
    refused(one().args("run i.sage i.sage --out out"), &["f and f-2", "standard input"]);
    refused(one().args("run s.sage --stagger 2s --out out"), &["--stagger", "there is one"]);
    refused(one().args("run s.sage s.sage --stagger soon --out out"), &["--stagger soon", "2s"]);
    refused(one().args("run s.sage --arrivals often --out out"), &["--arrivals often", "burst(50"]);
    refused(one().args("run s.sage --arrivals trace(no.txt) --out out"), &["no.txt"]);
    refused(
        one().file("t.txt", "1\n0\n").args("run s.sage --arrivals trace(t.txt) --out out"),
        &["t.txt:2", "sort"],
    );
    refused(one().args("run s.sage --rate 5/s --arrivals batch --out out"), &["--rate"]);
    let foreign = one().file("s.sage", sleepy("f", 5));
    std::fs::create_dir(foreign.folder.path().join("out")).unwrap();
    std::fs::write(foreign.folder.path().join("out/mine.txt"), "").unwrap();
    refused(foreign.args("run s.sage s.sage --out out"), &["--out out", "something else"]);
}

#[test]
fn an_objective_is_shown_and_counts_when_it_is_to() {
    let program =
        |bound: &str| sleepy("f", 20) + &format!("\nslo {{ latency_p99_ms < {bound} }}\n");
    let run = |bound: &str, strict: &str| {
        let sage = Sage::new().file("s.sage", program(bound));
        sage.args(&format!("run s.sage --workers 1 --out out {strict}")).go()
    };
    let kept = run("60s", "--strict-slo").exits(0).says("objective   latency_p99_ms < 60s: holds");
    assert_eq!(kept.metrics()["slo"][0]["outcome"], "holds");
    let missed = run("1ms", "").exits(0).says("objective   latency_p99_ms < 1ms: fails");
    assert!(missed.read("summary.txt").contains("fails"));
    run("1ms", "--strict-slo").exits(3).says("error: --strict-slo: `latency_p99_ms < 1ms`");
}

#[test]
fn a_retry_finds_what_was_paid_by_jobs_together() {
    let program = r#"sage 1
type Row { id: string @key, n: int }
type Out { id: string, answer: string, n: int }
endpoint llm { url: "sim:a100/qwen2.5-7b@20" }
source rows: Row from csv("rows.csv")
sink outs: Out to jsonl("outs.jsonl")
flow f {
  from rows
  stage a = generate("Tell of " + .id) on llm { max_tokens: 16 }
  stage x = 100 / (.n - 2)
  emit Out { id: .id, answer: a.text, n: x } into outs
}"#;
    let first = Sage::new()
        .file("f.sage", program)
        .file("rows.csv", "id,n\na,1\nb,2\nc,2\n")
        .file("s.sage", sleepy("s", 5))
        .args("run s.sage f.sage f.sage --workers 1 --out out");
    let done = first.go().exits(3);
    for job in ["f", "f-2"] {
        assert_eq!(json(&done, &format!("{job}/metrics.json"))["tasks_dead"], 2);
        let mut retry = Sage::new();
        retry.folder = std::sync::Arc::clone(&first.folder);
        retry.args(&format!("retry out/{job}/dead_letters.jsonl")).go().exits(3);
        let metrics = json(&done, &format!("{job}/retry-1/metrics.json"));
        assert_eq!((&metrics["tasks_dead"], &metrics["cached"]), (&2.into(), &2.into()));
        assert_eq!(metrics["endpoint_stats"][0]["attempts"], 0, "{job}");
    }
}
