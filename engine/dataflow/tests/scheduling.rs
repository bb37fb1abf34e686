//! What the scheduling operator tells the policy: what the `schedule` block says of a record, what
//! its stages are expected to take, and what is learned from those that completed.

mod common;

use std::collections::BTreeMap;
use std::time::Duration;

use common::{Act, Left, Run, Scripted, quoted, texts, with_file};
use sage_core::record::Datum;
use sage_core::schedule::key;

/// Lines of `decisions.csv` in the order in which they were taken, by the names of the columns.
fn decisions(left: &Left) -> Vec<BTreeMap<String, String>> {
    let text = left.read("decisions.csv");
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().expect("a head line").split(',').collect();
    let line = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        assert_eq!(cells.len(), names.len(), "{line}");
        names.iter().zip(cells).map(|(name, cell)| ((*name).to_owned(), cell.to_owned())).collect()
    };
    lines.map(line).collect()
}

fn ms(cell: &str) -> f64 {
    cell.parse().unwrap_or_else(|_| panic!("`{cell}` is not a number of milliseconds"))
}

/// Twenty records, two a tenant; the later they come, the earlier they are wanted.
fn wanting(schedule: &str) -> Left {
    let row = |n: u64| {
        let wanted_ns = (1000 - n) * 1_000_000_000;
        format!("{{\"id\":{n},\"tenant\":\"t{}\",\"wanted\":{wanted_ns}}}\n", n % 10)
    };
    let rows: String = (0..20).map(row).collect();
    let (_folder, path) = with_file("q.jsonl", &rows);
    let program = format!(
        r#"sage 1
type Q {{ id: int @key, tenant: string, wanted: duration }}
type Out {{ id: int }}
source qs: Q from jsonl({})
sink outs: Out to jsonl("outs.jsonl")
flow f {{
  from qs
  stage pause = sleep(5ms)
  emit Out {{ id: .id }} into outs
}}
schedule {{ {schedule} }}"#,
        quoted(&path)
    );
    Run::new(&program).go()
}

#[test]
fn what_the_schedule_block_says_of_a_record_reaches_the_policy() {
    let left = wanting(
        "policy: edf, slots: 1, priority: .id, due: .wanted, fair: .tenant, affinity: .id % 4",
    );
    let (decisions, tasks) = (decisions(&left), left.read("tasks.csv"));
    let arrived: BTreeMap<String, f64> = tasks
        .lines()
        .skip(1)
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            (cells[0].to_owned(), ms(cells[2]))
        })
        .collect();
    assert_eq!(decisions.len(), 20);
    let mut order = Vec::new();
    for decision in &decisions {
        let priority: i64 = decision["priority"].parse().unwrap();
        let tenant = format!("t{}", priority % 10);
        assert_eq!(decision["flow"], key(Datum::Str(&tenant)).to_string());
        assert_eq!(decision["affinity"], key(Datum::Int(priority % 4)).to_string());
        let wanted_ms = (1000 - priority) as f64 * 1e3;
        let due_ms = ms(&decision["due_ms"]);
        assert!((due_ms - arrived[&decision["task_id"]] - wanted_ms).abs() < 0.01);
        assert_eq!((&*decision["expected_ms"], &*decision["critical_ms"]), ("5.000", "5.000"));
        order.push(priority);
    }
    // Those that found a free place went at once; of the rest the last to come is wanted first.
    assert!(order[5..].is_sorted_by(|a, b| a > b), "{order:?}");
}

#[test]
fn a_deadline_is_the_due_time_where_none_is_said() {
    for (schedule, due_ms) in [("deadline: 50s", Some(50_000.0)), ("slots: 2", None)] {
        for decision in decisions(&wanting(schedule)) {
            match due_ms {
                Some(after) => assert!(ms(&decision["due_ms"]) >= after),
                None => assert_eq!(decision["due_ms"], ""),
            }
            let untold = [&decision["priority"], &decision["flow"], &decision["affinity"]];
            assert_eq!(untold, ["0", "0", "0"]);
        }
    }
}

#[test]
fn a_gap_in_time_is_kept_and_waited_for_by_a_timer() {
    // Slots for all: after the first, nothing but time lets the next one in.
    let left = wanting("policy: staggered(gap: 7ms, burst: 2), slots: 20");
    assert_eq!(left.summary.counts.tasks_ok, 20);
    let decided: Vec<f64> =
        decisions(&left).iter().map(|decision| ms(&decision["decided_ms"])).collect();
    for (first, third) in decided.iter().zip(&decided[2..]) {
        // The file has three digits.
        assert!(third - first > 6.99, "{decided:?}");
    }
}

#[test]
fn stages_side_by_side_lengthen_the_work_but_not_the_chain() {
    let program = r#"sage 1
type Task { id: int @key }
type Out { id: int }
source tasks: Task from generate(count: 3)
sink outs: Out to jsonl("outs.jsonl")
flow f {
  from tasks
  stage a = sleep(2ms)
  stage b = sleep(3ms)
  stage c = sleep(2ms)
  stage d = sleep(a + 1ms)
  emit Out { id: .id } into outs
}
schedule { slots: 2 }"#;
    let left = Run::new(program).go();
    let found = decisions(&left);
    // The last reads a column that is computed behind the scheduling operator, so its cost is not
    // known before, and is learned.
    assert_eq!((&*found[0]["expected_ms"], &*found[0]["critical_ms"]), ("", ""));
    let known = program.replace("  stage d = sleep(a + 1ms)\n", "");
    for decision in decisions(&Run::new(&known).go()) {
        assert_eq!((&*decision["expected_ms"], &*decision["critical_ms"]), ("7.000", "3.000"));
    }
}

#[test]
fn the_time_of_calls_is_learned_by_the_size_of_records() {
    // One in four is long, and takes the server ten times as long.
    let row = |n: u64| {
        let text = "x".repeat(if n.is_multiple_of(4) { 2000 } else { 20 });
        format!("{{\"id\":{n},\"text\":\"{text}\"}}\n")
    };
    let rows: String = (0..160).map(row).collect();
    let (_folder, path) = with_file("q.jsonl", &rows);
    let program = format!(
        r#"sage 1
type Q {{ id: int @key, text: string }}
type Out {{ id: int }}
endpoint llm {{ url: "http://127.0.0.1:1", model: "m" }}
source qs: Q from jsonl({})
sink outs: Out to jsonl("outs.jsonl")
flow f {{
  from qs
  stage a = generate(.text) on llm
  emit Out {{ id: .id }} into outs
}}
schedule {{ policy: fifo, slots: 4, priority: if length(.text) > 100 then 1 else 0 }}"#,
        quoted(&path)
    );
    let served = |_, call: &sage_core::endpoint::Call| {
        let long = texts(call)[0].len() > 100;
        (Act::Answer, Duration::from_millis(if long { 40 } else { 4 }))
    };
    let left = Run::new(&program).endpoint(Scripted::new(served)).go();
    let decisions = decisions(&left);
    assert_eq!(decisions.len(), 160);
    let first = &decisions[0];
    assert_eq!((&*first["expected_ms"], &*first["critical_ms"]), ("", ""), "nothing is known yet");
    let expected = |long: &str| {
        let later = decisions[80..].iter().filter(|decision| decision["priority"] == long);
        let found: Vec<f64> = later.map(|decision| ms(&decision["expected_ms"])).collect();
        assert!(!found.is_empty());
        found.iter().sum::<f64>() / found.len() as f64
    };
    let (short, long) = (expected("0"), expected("1"));
    assert!(long > 2.0 * short, "expected {long} ms for long texts, {short} ms for short ones");
}
