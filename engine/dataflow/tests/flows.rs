//! Whole flows against oracles, on one process and on several.
//!
//! The oracle recomputes each row naively in the test; worker invariance says that 1, 2 and 4
//! processes give the same rows under every policy. Together they catch lost, doubled and mixed-up
//! records, whatever the schedule.

mod common;

use common::{Run, quoted, with_file};
use sage_core::text::fnv1a;

const HASHES: &str = r#"sage 1
type Task { id: string @key, text: string }
type Out { id: string, a: string, size: int }
source tasks: Task from generate(count: 300, text: "task {{ n }}")
sink outs: Out to jsonl("outs.jsonl")
flow f {
  from tasks
  where not (.text contains "7")
  stage a = hash_chain(.text, rounds: 50)
  stage size = length(.text) * 2
  emit Out { id: .id, a: a, size: size } into outs
}
schedule { policy: POLICY, slots: 3 }
"#;

fn oracle() -> Vec<String> {
    let mut lines = Vec::new();
    for n in 1..=300 {
        let text = format!("task {n}");
        if text.contains('7') {
            continue;
        }
        let mut digest = fnv1a(text.as_bytes());
        for _ in 0..50 {
            digest = fnv1a(&digest.to_le_bytes());
        }
        let size = text.len() * 2;
        lines.push(format!(r#"{{"id":"{n}","a":"{digest:016x}","size":{size}}}"#));
    }
    lines.sort();
    lines
}

#[test]
fn every_policy_gives_the_oracles_rows_on_any_number_of_processes() {
    for spec in sage_core::policies::POLICIES {
        let name = spec.signature.name;
        // Its default gap makes a run of this many tasks five seconds long.
        let policy = if name == "staggered" { "staggered(gap: 1ms)" } else { name };
        let program = HASHES.replace("POLICY", policy);
        for workers in [1, 2, 4] {
            let left = Run::new(&program).workers(workers).go();
            assert_eq!(left.lines("outs.jsonl"), oracle(), "{name} on {workers}");
            assert_eq!(left.summary.counts.tasks_ok, 300);
            assert_eq!(left.summary.nodes.len(), workers);
        }
    }
}

#[test]
fn threads_of_a_process_share_its_tasks() {
    let program = HASHES.replace("POLICY", "fifo");
    let mut run = Run::new(&program).workers(2);
    run.threads = 2;
    assert_eq!(run.go().lines("outs.jsonl"), oracle());
}

#[test]
fn a_cheap_flow_runs_in_morsels_with_the_same_rows() {
    let rows: String = (0..5000).map(|n| format!("{n},Word{} and MORE\n", n % 13)).collect();
    let (_folder, path) = with_file("rows.csv", &format!("id,text\n{rows}"));
    let program = format!(
        r#"sage 1
type Row {{ id: int @key, text: string }}
type Out {{ id: int, low: string, n: int }}
source rows: Row from csv({})
sink outs: Out to csv("outs.csv")
flow f {{
  from rows
  stage low = lower(.text)
  where .id % 2 == 0
  emit Out {{ id: .id, low: low, n: length(words(low)) }} into outs
}}"#,
        quoted(&path)
    );
    let mut expected: Vec<String> =
        (0..5000).step_by(2).map(|n| format!("{n},word{} and more,3", n % 13)).collect();
    expected.push("id,low,n".into());
    expected.sort();
    for workers in [1, 3] {
        let left = Run::new(&program).workers(workers).go();
        assert_eq!(left.lines("outs.csv"), expected);
        assert_eq!(left.summary.counts.tasks_ok, 5000, "dropped records are done, too");
        let tasks = left.read("tasks.csv").lines().count() - 1;
        assert!(tasks < 100, "{tasks} tasks for 5000 cheap records");
    }
}

#[test]
fn a_short_source_is_read_again_for_the_asked_number_of_tasks() {
    let (_folder, path) = with_file("q.jsonl", "{\"id\":\"a\"}\n{\"id\":\"b\"}\nnonsense\n");
    let program = format!(
        r#"sage 1
type Q {{ id: string @key }}
source qs: Q from jsonl({})
sink outs: Q to jsonl("outs.jsonl")
flow f {{
  from qs
  stage h = hash_chain(.id, rounds: 1)
  emit Q {{ id: .id }} into outs
}}"#,
        quoted(&path)
    );
    let mut run = Run::new(&program);
    run.tasks = Some(6);
    let left = run.go();
    let ids = ["a", "a#1", "b", "b#1", "a#2"].map(|id| format!("{{\"id\":\"{id}\"}}"));
    let mut ids = ids.to_vec();
    ids.sort();
    assert_eq!(left.lines("outs.jsonl"), ids);
    // The bad row counts once, as one of the six.
    assert_eq!(left.summary.counts.tasks_in, 6);
    assert_eq!(left.summary.counts.tasks_dead, 1);

    let mut run = Run::new(&program);
    run.limit = Some(1);
    assert_eq!(run.go().summary.counts.tasks_in, 1);
}

#[test]
fn for_every_task_the_parts_of_its_latency_add_up() {
    let program = HASHES.replace("POLICY", "least_work");
    let left = Run::new(&program).workers(2).go();
    let tasks = left.read("tasks.csv");
    let mut lines = tasks.lines();
    assert_eq!(
        lines.next().unwrap(),
        "task_id,node,arrived_ms,decided_ms,started_ms,finished_ms,outcome,attempts,a_ms,size_ms,\
         prompt_tokens,completion_tokens,cost,first_token_ms"
    );
    let mut seen = std::collections::BTreeSet::new();
    for line in lines {
        let cells: Vec<&str> = line.split(',').collect();
        assert!(seen.insert(cells[0].to_owned()), "task {} twice", cells[0]);
        let times: Vec<f64> = cells[2..6].iter().map(|cell| cell.parse().unwrap()).collect();
        assert!(times.is_sorted(), "{line}");
    }
    assert_eq!(seen.len(), 300);
    assert_eq!(left.summary.splits_missing, 0);
    let decisions = left.read("decisions.csv").lines().count() - 1;
    assert_eq!(decisions, oracle().len());
}

#[test]
fn priorities_run_first() {
    let rows: String = (0..40).map(|n| format!("{{\"id\":\"{n}\",\"p\":{}}}\n", n / 20)).collect();
    let (_folder, path) = with_file("q.jsonl", &rows);
    let program = format!(
        r#"sage 1
type Q {{ id: string @key, p: int }}
source qs: Q from jsonl({})
sink outs: Q to jsonl("outs.jsonl")
flow f {{
  from qs
  stage pause = sleep(20ms)
  emit Q {{ id: .id, p: .p }} into outs
}}
schedule {{ policy: priority(aging: 1h), slots: 1, priority: .p }}"#,
        quoted(&path)
    );
    let left = Run::new(&program).go();
    let order: Vec<i64> = left
        .read("outs.jsonl")
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["p"].as_i64().unwrap())
        .collect();
    let low_first_half = order[..20].iter().filter(|p| **p == 0).count();
    assert!(low_first_half <= 6, "the window binds a few, the rest by priority: {order:?}");
}

#[test]
fn a_tally_counts_equal_rows_of_all_workers_once() {
    let program = r#"sage 1
type Task { id: int @key }
type Bucket { b: int, odd: bool }
source tasks: Task from generate(count: 5000)
sink buckets: Bucket to tally("buckets.csv")
flow f {
  from tasks
  emit Bucket { b: .id % 7, odd: .id % 2 == 1 } into buckets
}"#;
    let mut counts = std::collections::BTreeMap::new();
    for id in 1..=5000 {
        *counts.entry((id % 7, id % 2 == 1)).or_insert(0) += 1;
    }
    let mut expected: Vec<String> =
        counts.iter().map(|((b, odd), count)| format!("{b},{odd},{count}")).collect();
    expected.push("b,odd,count".into());
    expected.sort();
    for workers in [1, 2, 4] {
        assert_eq!(Run::new(program).workers(workers).go().lines("buckets.csv"), expected);
    }
}
