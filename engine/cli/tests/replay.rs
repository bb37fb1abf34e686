//! `replay`: what was recorded comes out again under the same policy, and something else under
//! another one.

#![allow(clippy::unwrap_used, reason = "tests fail")]

mod support;

use support::Sage;

/// Waits of very different length, known beforehand, on one slot.
const NAPS: &str = r#"sage 1
type Task { id: string @key, n: int }
source tasks: Task from generate(count: 120)
sink outs: Task to jsonl("outs.jsonl")
flow naps {
  from tasks
  stage nap = sleep(1ms + 2ms * (.n * 7 % 20))
  emit Task { id: .id, n: .n } into outs
}
schedule { policy: fifo, slots: 1 }
"#;

/// Another command in the same folder.
fn within(sage: &Sage) -> Sage {
    let mut other = Sage::new();
    other.folder = sage.folder.clone();
    other
}

/// Figures of the recorded run, its replay, and the replays of what was changed.
fn figures(sage: &Sage, options: &str) -> Vec<serde_json::Value> {
    let replay = within(sage);
    let done = replay.args("replay out --json").args(options).go().exits(0);
    let all: Vec<serde_json::Value> = serde_json::from_str(&done.stdout).unwrap();
    all.into_iter().map(|column| column["summary"].clone()).collect()
}

fn number(figures: &serde_json::Value, name: &str) -> f64 {
    figures[name].as_f64().unwrap()
}

#[test]
fn a_replay_of_the_recorded_policy_is_the_recorded_run() {
    let rag = concat!(env!("CARGO_MANIFEST_DIR"), "/../../pipelines/mixed.sage");
    let sage = Sage::new().args("simulate --workers 3 --tasks 150 --out out --quiet").arg(rag);
    sage.go().exits(0);
    let found = figures(&sage, "--scheduler random");
    let [recorded, replayed, random] = found.as_slice() else { panic!("{found:?}") };
    for name in ["throughput_per_s", "latency_mean_ms", "latency_p99_ms", "execution_mean_ms"] {
        let off = number(replayed, name) / number(recorded, name) - 1.0;
        assert!(off.abs() < 0.05, "{name}: {off}");
    }
    assert_eq!(replayed["tasks_ok"], 150);
    assert_eq!(random["tasks_ok"], 150);
    assert_ne!(random["nodes"], replayed["nodes"]);
    assert_eq!(found, figures(&sage, "--scheduler random"), "the same again");
}

#[test]
fn another_policy_sees_what_the_recorded_one_saw() {
    let sage = Sage::new().file("f.sage", NAPS).args("run f.sage --workers 1 --out out --quiet");
    sage.go().exits(0);
    let found = figures(&sage, "--scheduler shortest_first --scheduler fifo");
    let [recorded, replayed, shortest, fifo] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(replayed, fifo);
    let mean = |figures| number(figures, "latency_mean_ms");
    assert!(mean(recorded) >= mean(replayed) * 0.9, "what was waited for takes that long at least");
    assert!(mean(shortest) < 0.95 * mean(fifo), "{} {}", mean(shortest), mean(fifo));
    let wide = figures(&sage, "--slots 4");
    assert!(number(&wide[2], "makespan_s") < 0.3 * number(&wide[1], "makespan_s"));
    let two = figures(&sage, "--workers 2");
    let nodes = two[2]["nodes"].as_array().unwrap();
    assert_eq!(nodes.len(), 2);
}

#[test]
fn what_is_no_run_is_refused_with_the_reason() {
    let says = |sage: Sage, options: &str, part: &str| sage.args(options).go().exits(1).says(part);
    says(Sage::new(), "replay nowhere --scheduler fifo", "is no folder of a run: plan.json");
    says(Sage::new(), "replay nowhere", "what is to be different");
    says(Sage::new(), "replay nowhere --workers 0", "expected 1 to 4096");
    let sage = Sage::new().file("f.sage", NAPS).args("run f.sage --workers 1 --out out --quiet");
    sage.go().exits(0);
    let again = || within(&sage);
    says(again(), "replay out --scheduler fofi", "fifo");
    let table = sage.folder.path().join("out/tasks.csv");
    let text = std::fs::read_to_string(&table).unwrap();
    std::fs::write(&table, text.replacen(",ok,", ",ok", 1)).unwrap();
    says(again(), "replay out --scheduler random", "tasks.csv:");
    std::fs::write(&table, text.lines().next().unwrap()).unwrap();
    says(again(), "replay out --scheduler random", "no task that ran");
}
