//! Groups on the built binary: any number of processes gives the same rows, also when one of them is
//! killed on the way.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;

use crate::support::{Done, Draw, Sage, send, wait_until, worker};

const TASKS: usize = 300;

const PROGRAM: &str = r#"sage 1
type Row { id: int @key, kind: string, score: float }
source rows: Row from csv("rows.csv")
sink kinds to csv("kinds.csv")
sink whole to jsonl("whole.jsonl")
flow f {
  from rows
  stage nap = sleep(25ms)
  stage half = 100 / (.id % 25)
  group by .kind {
    n: count(), low: count(.score < 1.0), mean: avg(.score), p: quantile(.score, 90%)
    best: top_k(.id, k: 2, by: .score), ids: collect(.id)
  }
  stage share = to_float(.low) / to_float(.n)
  emit into kinds
  group { kinds: count(), n: sum(.n), mean: avg(.mean) }
  emit into whole
}
schedule { policy: fifo, slots: 4 }
"#;

fn rows() -> String {
    let row = |id: usize| format!("{id},k{},{}\n", id * id % 13, (id * 37 % 101) as f64 / 16.0);
    "id,kind,score\n".to_owned() + &(0..TASKS).map(row).collect::<String>()
}

fn sage(arguments: &str) -> Sage {
    Sage::new().file("f.sage", PROGRAM).file("rows.csv", rows()).args(arguments)
}

fn left(done: &Done) -> [Vec<String>; 3] {
    ["kinds.csv", "whole.jsonl", "dead_letters.jsonl"].map(|name| done.lines(name))
}

#[test]
fn any_number_of_processes_gives_the_same_groups_and_so_does_one_that_is_killed() {
    let mut before = None;
    for workers in [1, 2, 4] {
        let arguments = format!("run f.sage --workers {workers} --out out --slots 64");
        let done = sage(&arguments).go().exits(3);
        let rows = left(&done);
        assert_eq!(rows[0].len(), 8);
        assert!(rows[1][0].contains(r#""n":288"#), "{}", rows[1][0]);
        assert_eq!(&rows, before.get_or_insert(rows.clone()), "{workers} processes");
    }
    let whole = before.unwrap();
    for (seed, index) in [(1, 0), (2, 1), (3, 2)] {
        let mut draw = Draw(seed);
        let sage = sage("run f.sage --workers 3 --out out");
        let child = sage.start();
        let table = sage.folder.path().join("out/tasks.csv");
        let ended = draw.below(160) as usize;
        wait_until(|| {
            std::fs::read_to_string(&table).map_or(0, |text| text.lines().count()) > ended
        });
        let lost = worker(child.id(), index);
        send("-KILL", lost);
        let done = sage.done(child.wait_with_output().unwrap()).exits(3).says("was lost");
        assert_eq!(left(&done), whole, "worker {index} after {ended} tasks");
        assert_eq!(done.metrics()["tasks_in"], TASKS);
    }
}

/// What a reader has who applies a file of changes from its top: at no line is a row gone that had not
/// come, or are there two of one kind.
fn applied(done: &Done, name: &str) -> Vec<String> {
    let mut state: BTreeMap<String, String> = BTreeMap::new();
    for line in done.read(name).lines().skip(1) {
        let (row, change) = line.rsplit_once(',').unwrap();
        let kind = row.split(',').next().unwrap().to_owned();
        match change {
            "1" => assert_eq!(state.insert(kind, row.to_owned()), None, "{line}"),
            "-1" => assert_eq!(state.remove(&kind).as_deref(), Some(row), "{line}"),
            other => panic!("{other}"),
        }
    }
    let mut rows: Vec<String> = state.into_values().collect();
    rows.sort();
    rows
}

#[test]
fn changes_can_be_applied_from_the_top_by_any_number_of_processes_and_after_a_loss() {
    let program = PROGRAM
        .replace("sleep(25ms)", "sleep(100ms)")
        .replace("sink whole", "sink told to csv(\"told.csv\") { mode: changes }\nsink whole")
        .replace("emit into kinds", "emit into kinds\n  emit into told");
    let sage = |workers: usize| {
        // About three rounds.
        let slots = 12 / workers;
        let arguments = format!("run f.sage --workers {workers} --out out --slots {slots}");
        Sage::new().file("f.sage", &program).file("rows.csv", rows()).args(&arguments)
    };
    let check = |done: &Done| {
        let mut kinds = done.lines("kinds.csv");
        kinds.retain(|line| !line.starts_with("kind,"));
        assert_eq!(applied(done, "told.csv"), kinds);
    };
    for workers in [1, 2, 4] {
        check(&sage(workers).go().exits(3));
    }
    let sage = sage(3);
    let child = sage.start();
    let table = sage.folder.path().join("out/tasks.csv");
    wait_until(|| std::fs::read_to_string(&table).map_or(0, |text| text.lines().count()) > 150);
    let lost = worker(child.id(), 1);
    send("-KILL", lost);
    check(&sage.done(child.wait_with_output().unwrap()).exits(3).says("was lost"));
}

#[test]
fn groups_of_a_pipe_are_printed_at_its_end() {
    let program = r"sage 1
type Row { id: int @key, kind: string }
source rows: Row from stdin()
sink kinds to stdout()
flow f {
  from rows
  group by .kind { n: count() }
  emit into kinds if .n > 1
}
";
    let input: String =
        (0..9).map(|id| format!("{{\"id\":{id},\"kind\":\"k{}\"}}\n", id % 4)).collect();
    let done = Sage::new()
        .file("f.sage", program)
        .args("run f.sage --workers 2 --out out")
        .stdin(&input)
        .go()
        .exits(0);
    let mut lines: Vec<&str> = done.stdout.lines().collect();
    lines.sort_unstable();
    let expected: Vec<String> = [("k0", 3), ("k1", 2), ("k2", 2), ("k3", 2)]
        .map(|(kind, n)| format!("{{\"kind\":\"{kind}\",\"n\":{n}}}"))
        .into();
    assert_eq!(lines, expected);
}
