//! Groups over a whole run: any number of workers, and any number of stops, leave the same rows.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use common::{Run, quoted, with_file};

const ROWS: usize = 3_000;

/// One row: its number, where it belongs, a value that may be missing, a weight.
fn row(n: usize) -> (usize, String, Option<i64>, f64) {
    let value = (n % 5 != 3).then(|| (n * 7919 % 1000) as i64 - 300);
    (n, format!("k{}", n * n % 11), value, (n * 31 % 97) as f64 / 8.0)
}

fn rows() -> String {
    let mut text = String::new();
    for n in 0..ROWS {
        if n % 97 == 5 {
            text.push_str("broken\n");
            continue;
        }
        let (id, key, value, weight) = row(n);
        let value = value.map_or("null".to_owned(), |value| value.to_string());
        writeln!(text, r#"{{"id":{id},"key":"{key}","value":{value},"weight":{weight:?}}}"#)
            .unwrap();
    }
    text
}

/// Cheap stages, many records a task, if `nap` is empty; else a record a task.
fn program(file: &str, nap: &str) -> String {
    format!(
        r#"sage 1
type Row {{ id: int @key, key: string, value: int?, weight: float }}
source rows: Row from jsonl({file})
sink per_key to csv("per_key.csv")
sink whole to jsonl("whole.jsonl")
sink sizes to tally("sizes.csv")
sink heavy to jsonl("heavy.jsonl")
flow f {{
  from rows
  {nap}
  where .id % 10 != 0
  stage half = 9000 / (.id % 50)
  emit {{ id: .id }} into heavy if .weight > 11.0
  group by .key {{
    n: count(), sum: sum(.value), mean: avg(.weight), low: min(.value)
    p90: quantile(.weight, 0.9), best: top_k(.id, k: 2, by: .weight), first: collect(.id)
  }}
  stage start = .first[0] ?? -1
  emit {{
    key: .key, n: .n, sum: .sum, mean: .mean, low: .low, p90: .p90, best: .best, start: start
  }} into per_key
  emit {{ even: .n % 2 == 0 }} into sizes
  group {{ keys: count(), n: sum(.n), mean: avg(.mean) }}
  emit into whole
}}
schedule {{ policy: fifo, slots: 8, {morsel} }}"#,
        morsel = if nap.is_empty() { "morsel: 16" } else { "morsel: 1" },
    )
}

/// `per_key.csv`, by another way.
fn oracle() -> Vec<String> {
    let mut groups: BTreeMap<String, Vec<(usize, Option<i64>, f64)>> = BTreeMap::new();
    // Records that are dropped, and those of which a stage fails, contribute nothing.
    for n in (0..ROWS).filter(|n| n % 97 != 5 && n % 10 != 0 && n % 50 != 0) {
        let (id, key, value, weight) = row(n);
        groups.entry(key).or_default().push((id, value, weight));
    }
    let mut lines = vec!["key,n,sum,mean,low,p90,best,start".to_owned()];
    for (key, members) in groups {
        let values: Vec<i64> = members.iter().filter_map(|member| member.1).collect();
        let mut weights: Vec<f64> = members.iter().map(|member| member.2).collect();
        weights.sort_by(f64::total_cmp);
        let mean = weights.iter().sum::<f64>() / weights.len() as f64;
        let p90 = weights[(weights.len() * 9).div_ceil(10) - 1];
        let mut best: Vec<(f64, usize)> = members.iter().map(|it| (it.2, it.0)).collect();
        best.sort_by(|a, b| b.partial_cmp(a).unwrap());
        let number = |x: f64| serde_json::to_string(&x).unwrap();
        lines.push(format!(
            "{key},{},{},{},{},{},\"[{},{}]\",{}",
            members.len(),
            values.iter().sum::<i64>(),
            number(mean),
            values.iter().min().unwrap(),
            number(p90),
            best[0].1,
            best[1].1,
            members[0].0,
        ));
    }
    lines.sort();
    lines
}

const FILES: [&str; 4] = ["per_key.csv", "whole.jsonl", "sizes.csv", "heavy.jsonl"];

#[test]
fn any_number_of_workers_gives_the_groups_of_the_oracle() {
    let (_kept, path) = with_file("rows.jsonl", &rows());
    let mut before = None;
    for (workers, threads, nap) in
        [(1, 1, ""), (2, 1, ""), (4, 1, ""), (2, 2, ""), (4, 1, "stage nap = sleep(1us)")]
    {
        let mut run = Run::new(&program(&quoted(&path), nap)).workers(workers);
        run.threads = threads;
        let left = run.go();
        assert_eq!(left.failure, None);
        assert_eq!(left.lines("per_key.csv"), oracle(), "{workers} workers, {threads} threads");
        let files = FILES.map(|name| left.lines(name));
        for (name, (before, now)) in
            FILES.iter().zip(before.get_or_insert(files.clone()).iter().zip(&files))
        {
            assert_eq!(before, now, "{name}, {workers} workers");
        }
        assert_eq!(left.summary.counts.tasks_in, ROWS as u64);
    }
}

#[test]
fn a_stopped_run_goes_on_and_leaves_the_groups_it_would_have_left() {
    let (_kept, path) = with_file("rows.jsonl", &rows());
    for nap in ["", "stage nap = sleep(1ms)"] {
        let program = program(&quoted(&path), nap);
        let whole = Run::new(&program).workers(2).go();
        let mut folder = None;
        let mut stops = 0;
        let left = loop {
            let mut run = Run::new(&program).workers([3, 1, 2, 4][stops % 4]);
            run.threads = 1 + stops % 2;
            run.folder = folder.take();
            // Longer each time, so that it comes to an end on any machine.
            run.stop_after = Some(Duration::from_millis(20 << stops));
            let left = run.go();
            if left.summary.counts.tasks_in == whole.summary.counts.tasks_in && left.given_back == 0
            {
                break left;
            }
            stops += 1;
            folder = Some(left.folder);
        };
        assert_eq!(left.summary.counts, whole.summary.counts, "{nap}");
        for name in FILES {
            assert_eq!(left.lines(name), whole.lines(name), "{nap} {name}");
        }
    }
}

#[test]
fn a_row_that_cannot_be_computed_is_buried_with_its_place() {
    let program = r#"sage 1
type Row { id: int @key }
source rows: Row from generate(count: 50)
sink shares to csv("shares.csv")
flow f {
  from rows
  group by bucket: .id % 3 { n: count(.id > 100) }
  stage share = 100 / .n
  emit { share: share } into shares
}"#;
    let left = Run::new(program).workers(2).go();
    assert_eq!((left.failure.as_deref(), left.dead_rows), (None, 3));
    for letter in left.dead() {
        assert_eq!(letter["place"], "stage `share` (line 8), over all records");
        assert_eq!(
            (&letter["columns"]["n"], &letter["task"]),
            (&0.into(), &serde_json::Value::Null)
        );
    }
    assert_eq!(left.lines("shares.csv"), ["share"]);
}
