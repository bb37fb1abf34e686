//! Windows, `dedup`, sources of changes and sinks of changes over whole runs, each against an oracle
//! and on several numbers of workers.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use common::{Left, Run, Scripted, quoted, with_file};

/// Numbers that look drawn.
fn draw(n: u64, below: u64) -> u64 {
    (n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407) >> 33)
        % below
}

/// The same rows of `name` on any number of workers.
fn on_any_number(program: &str, name: &str) -> Vec<String> {
    let mut before: Option<Vec<String>> = None;
    for (workers, threads) in [(1, 1), (2, 1), (4, 1), (2, 2)] {
        let mut run = Run::new(program).workers(workers);
        run.threads = threads;
        let left = run.go();
        assert_eq!(left.failure, None);
        let lines = left.lines(name);
        assert_eq!(before.get_or_insert(lines.clone()), &lines, "{workers} workers");
    }
    before.unwrap()
}

#[test]
fn windows_hold_what_lies_in_them() {
    const EVENTS: u64 = 500;
    let at = |n: u64| draw(n, 10_000) as i64 - 2_000;
    let mut rows = String::new();
    for n in 0..EVENTS {
        writeln!(rows, r#"{{"id":{n},"at":{},"kind":"k{}"}}"#, at(n), n % 3).unwrap();
    }
    let (_kept, path) = with_file("events.jsonl", &rows);
    for (window, size, every) in [
        ("tumbling(1s, by: .at)", 1_000, 1_000),
        ("sliding(1s, every: 300ms, by: .at)", 1_000, 300),
    ] {
        let program = format!(
            r#"sage 1
type Event {{ id: int @key, at: int, kind: string }}
source events: Event from jsonl({})
sink counts to csv("counts.csv")
flow f {{
  from events
  group by .kind window {window} {{ n: count(), last: max(.at) }}
  emit into counts
}}
schedule {{ policy: fifo, morsel: 7 }}"#,
            quoted(&path)
        );
        let mut expected: BTreeMap<(u64, i64), (u64, i64)> = BTreeMap::new();
        for n in 0..EVENTS {
            for start in (-60..60).map(|i| i * every).filter(|s| *s <= at(n) && at(n) < s + size) {
                let entry = expected.entry((n % 3, start)).or_insert((0, i64::MIN));
                *entry = (entry.0 + 1, entry.1.max(at(n)));
            }
        }
        let mut lines: Vec<String> = expected
            .iter()
            .map(|((kind, start), (n, last))| {
                format!("k{kind},{start},{},{n},{last}", start + size)
            })
            .collect();
        lines.push("kind,window_start,window_end,n,last".to_owned());
        lines.sort();
        assert_eq!(on_any_number(&program, "counts.csv"), lines, "{window}");
    }
}

#[test]
fn of_equal_records_the_first_of_the_source_stays() {
    let text = |n: u64| format!("t{}", draw(n, 40));
    let rows: String =
        (0..400).map(|n| format!("{{\"id\":{n},\"text\":\"{}\"}}\n", text(n))).collect();
    let (_kept, path) = with_file("rows.jsonl", &rows);
    for nap in ["", "stage nap = sleep(1us)"] {
        let program = format!(
            r#"sage 1
type Row {{ id: int @key, text: string }}
source rows: Row from jsonl({})
sink firsts to csv("firsts.csv")
flow f {{
  from rows
  {nap}
  stage long = .text + "!"
  dedup by long
  where .id > 3
  emit {{ id: .id, long: long }} into firsts
}}
schedule {{ policy: random, slots: 4 }}"#,
            quoted(&path)
        );
        let mut seen = BTreeSet::new();
        let firsts = (0..400).filter(|n| seen.insert(text(*n))).filter(|n| *n > 3);
        let mut lines: Vec<String> = firsts.map(|n| format!("{n},{}!", text(n))).collect();
        lines.push("id,long".to_owned());
        lines.sort();
        assert_eq!(on_any_number(&program, "firsts.csv"), lines, "{nap}");
    }
}

#[test]
fn a_row_that_cannot_be_computed_is_a_dead_letter_and_no_others_are_missing() {
    let rows: String = (0..300)
        .map(|n| format!("{{\"id\":{n},\"kind\":\"k{}\",\"took\":\"{}ms\"}}\n", n % 7, n % 7 * n))
        .collect();
    let (_kept, path) = with_file("rows.jsonl", &rows);
    let program = format!(
        r#"sage 1
type Row {{ id: int @key, kind: string, took: duration }}
source rows: Row from jsonl({})
sink kinds to csv("kinds.csv")
flow f {{
  from rows
  group by .kind {{ n: count(), low: min(.id), longest: max(.took) }}
  stage share = 100 / (.low % 3)
  emit {{ kind: .kind, share: share, longest: .longest }} into kinds
}}
schedule {{ policy: random, slots: 4 }}"#,
        quoted(&path)
    );
    let mut lines = on_any_number(&program, "kinds.csv");
    lines.retain(|line| line != "kind,share,longest");
    let longest = |kind: u64| (0..300).filter(|n| n % 7 == kind).map(|n| n * kind).max().unwrap();
    let shown = |kind: u64| match longest(kind) {
        ms if ms % 1_000 == 0 => format!("{}s", ms / 1_000),
        ms => format!("{ms}ms"),
    };
    let expected: Vec<String> =
        [1, 2, 4, 5].map(|kind| format!("k{kind},{},{}", 100 / (kind % 3), shown(kind))).to_vec();
    assert_eq!(lines, expected);
    for workers in [1, 3] {
        let left = Run::new(&program).workers(workers).go();
        assert_eq!((left.failure.as_deref(), left.dead_rows), (None, 3));
        let dead = left.read(sage_dataflow::DEAD_LETTERS);
        let mut dead: Vec<&str> = dead.lines().collect();
        dead.sort_unstable();
        assert_eq!(
            dead[1],
            format!(
                r#"{{"task":null,"stage":"share","class":"expression","attempts":1,"message":"division by zero","place":"stage `share` (line 8), over all records","columns":{{"kind":"k3","n":43,"low":3,"longest":"{}"}}}}"#,
                shown(3)
            )
        );
    }
}

#[test]
fn right_behind_the_source_dedup_saves_the_calls() {
    let text = |n: u64| format!("t{}", draw(n, 40));
    let rows: String =
        (0..400).map(|n| format!("{{\"id\":{n},\"text\":\"{}\"}}\n", text(n))).collect();
    let (_kept, path) = with_file("rows.jsonl", &rows);
    let program = format!(
        r#"sage 1
type Row {{ id: int @key, text: string }}
endpoint llm {{ url: "http://127.0.0.1:9", model: "m" }}
source rows: Row from jsonl({})
sink firsts to csv("firsts.csv")
flow f {{
  from rows
  dedup by upper(.text)
  stage said = generate(.text) on llm
  emit {{ id: .id, said: said.text }} into firsts
}}
schedule {{ policy: random, slots: 4 }}"#,
        quoted(&path)
    );
    let mut seen = BTreeSet::new();
    let firsts = (0..400).filter(|n| seen.insert(text(*n)));
    let mut lines: Vec<String> = firsts.map(|n| format!("{n},echo: {}", text(n))).collect();
    lines.push("id,said".to_owned());
    lines.sort();
    for workers in [1, 3] {
        let scripted = Arc::new(Scripted::echo());
        let mut run = Run::new(&program).workers(workers);
        run.endpoint = scripted;
        let left = run.go();
        assert_eq!(left.failure, None);
        assert_eq!(left.lines("firsts.csv"), lines);
        assert_eq!(left.summary.counts.tasks_in as usize, lines.len() - 1);
        assert_eq!(left.summary.stages[0].calls as usize, lines.len() - 1);
        assert_eq!(left.left_out as usize, 400 - (lines.len() - 1));
    }
}

const VERSIONS: u64 = 600;

/// Insertions, updates and deletions of forty records.
fn versions() -> (String, Vec<String>, Vec<String>) {
    let mut lines = String::new();
    let mut state: BTreeMap<u64, (u64, bool)> = BTreeMap::new();
    for n in 0..VERSIONS {
        let id = draw(n, 40);
        if draw(n + 1_000, 4) == 0 {
            writeln!(lines, r#"{{"id":{id},"op":"delete"}}"#).unwrap();
            state.remove(&id);
        } else {
            let amount = draw(n + 2_000, 100);
            writeln!(lines, r#"{{"id":{id},"amount":{amount},"op":"update"}}"#).unwrap();
            // What `where` drops is not there either.
            state.insert(id, (amount, amount >= 10));
        }
    }
    state.retain(|_, (_, kept)| *kept);
    let rows = state.iter().map(|(id, (amount, _))| format!("{id},{amount},echo: answer {id}"));
    let mut rows: Vec<String> = rows.chain(["id,amount,said".to_owned()]).collect();
    rows.sort();
    let mut groups: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    for (id, (amount, _)) in &state {
        let group = groups.entry(id % 5).or_default();
        *group = (group.0 + 1, group.1 + amount);
    }
    let groups = groups.iter().map(|(group, (n, sum))| format!("{group},{n},{sum}"));
    let mut groups: Vec<String> = groups.chain(["group,n,sum".to_owned()]).collect();
    groups.sort();
    (lines, rows, groups)
}

fn program_of_versions(file: &str, rest: &str) -> String {
    format!(
        r#"sage 1
enum Op {{ insert, update, delete }}
type Order {{ id: int @key, amount: int = 0, op: Op }}
endpoint llm {{ url: "sim:a100/qwen2.5-7b", model: "m" }}
source orders: Order from jsonl({file}) {{ changes: "op" }}
{rest}
schedule {{ policy: random, slots: 4 }}"#
    )
}

/// What a reader has who applies a file of changes from its top; the first column is a key of the rows.
/// At no line is a row gone that had not come, or is there more than one row of a key.
fn applied(left: &Left, name: &str) -> Vec<String> {
    let mut counts: BTreeMap<String, i64> = BTreeMap::new();
    let mut keys: BTreeMap<String, i64> = BTreeMap::new();
    let mut lines = left.read(name).lines().map(str::to_owned).collect::<Vec<_>>();
    let header = lines.remove(0);
    for (at, line) in lines.iter().enumerate() {
        let (row, change) = line.rsplit_once(',').unwrap();
        let change: i64 = change.parse().unwrap();
        let key = row.split(',').next().unwrap().to_owned();
        for count in [counts.entry(row.to_owned()).or_default(), keys.entry(key).or_default()] {
            *count += change;
            assert!((0..=1).contains(count), "line {}: {line}", at + 2);
        }
    }
    let rows = counts.into_iter().filter(|(_, count)| *count == 1).map(|(row, _)| row);
    let mut rows: Vec<String> =
        rows.chain([header.strip_suffix(",change").unwrap().to_owned()]).collect();
    rows.sort();
    rows
}

#[test]
fn the_last_version_of_each_key_counts_and_deletions_pay_for_nothing() {
    let (lines, rows, groups) = versions();
    let (_kept, path) = with_file("orders.jsonl", &lines);
    let rest = r#"
sink rows to csv("rows.csv")
sink changes to csv("changes.csv") { mode: changes }
flow f {
  from orders
  where .amount >= 10
  stage said = generate("answer " + to_string(.id)) on llm
  emit { id: .id, amount: .amount, said: said.text } into rows
  emit { id: .id, amount: .amount, said: said.text } into changes
}"#;
    let program = program_of_versions(&quoted(&path), rest);
    for workers in [1, 2, 4] {
        let endpoint = Scripted::echo();
        let asked = Arc::clone(&endpoint.sizes);
        let left = Run::new(&program).workers(workers).endpoint(endpoint).go();
        assert_eq!(left.failure, None);
        assert_eq!(left.lines("rows.csv"), rows, "{workers} workers");
        assert_eq!(applied(&left, "changes.csv"), rows, "{workers} workers");
        let paid = lines.lines().filter(|line| !line.contains("delete")).count();
        let dropped =
            (0..VERSIONS).filter(|n| draw(n + 1_000, 4) != 0 && draw(n + 2_000, 100) < 10).count();
        assert_eq!(asked.lock().unwrap().iter().sum::<usize>(), paid - dropped);
        assert_eq!(left.summary.counts.tasks_ok, VERSIONS);
    }
    let rest = r#"
sink groups to csv("groups.csv")
flow f {
  from orders
  where .amount >= 10
  group by group: .id % 5 { n: count(), sum: sum(.amount) }
  emit into groups
}"#;
    let program = program_of_versions(&quoted(&path), rest);
    assert_eq!(on_any_number(&program, "groups.csv"), groups);
}

#[test]
fn changes_come_in_rounds_and_add_up_to_what_is_left() {
    let (lines, _, groups) = versions();
    let (_kept, path) = with_file("orders.jsonl", &lines);
    let program = |nap: usize| {
        let rest = format!(
            r#"
sink groups to csv("groups.csv") {{ mode: changes }}
flow f {{
  from orders
  stage nap = sleep({nap}ms)
  where .amount >= 10
  group by group: .id % 5 {{ n: count(), sum: sum(.amount) }}
  emit into groups if .n > 3
  emit into groups if .n <= 3
}}"#
        );
        program_of_versions(&quoted(&path), &rest)
    };
    for workers in [1, 2, 4] {
        let left = Run::new(&program(16 * workers)).workers(workers).go();
        assert_eq!(applied(&left, "groups.csv"), groups, "{workers} workers");
        let changes = left.read("groups.csv").lines().count();
        assert!(changes > groups.len(), "there was more than one round: {changes} lines");
    }
    let program = program(55);
    // The next generation tells of everything again, and it adds up to the same.
    let mut folder = None;
    for stop in [Some(Duration::from_millis(1_200)), None] {
        let mut run = Run::new(&program).workers(3);
        run.folder = folder.take();
        run.stop_after = stop;
        let left = run.go();
        if stop.is_none() {
            assert_eq!(applied(&left, "groups.csv"), groups);
        }
        folder = Some(left.folder);
    }
}

#[test]
fn lists_become_rows_and_the_words_of_all_records_are_counted() {
    let text =
        |n: u64| (0..draw(n, 5)).map(|i| format!("w{}", draw(n * 7 + i, 9))).collect::<Vec<_>>();
    let mut rows = String::new();
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for n in 0..300 {
        writeln!(rows, r#"{{"id":{n},"text":"{}"}}"#, text(n).join(" ")).unwrap();
        text(n).into_iter().for_each(|word| *counts.entry(word).or_default() += 1);
    }
    let (_kept, path) = with_file("texts.jsonl", &rows);
    let program = format!(
        r#"sage 1
type Text {{ id: int @key, text: string }}
source texts: Text from jsonl({})
sink words to csv("words.csv")
flow f {{
  from texts
  flat_map word = words(.text)
  where word != "w3"
  group by word {{ n: count() }}
  emit into words
}}"#,
        quoted(&path)
    );
    counts.remove("w3");
    let lines = counts.iter().map(|(word, n)| format!("{word},{n}"));
    let mut lines: Vec<String> = lines.chain(["word,n".to_owned()]).collect();
    lines.sort();
    assert_eq!(on_any_number(&program, "words.csv"), lines);
}

#[test]
fn records_of_another_source_stand_beside_each_row() {
    // Some customers have two records, some none, and some orders no customer.
    let mut orders = String::new();
    for n in 0..200 {
        let customer = if n % 7 == 3 { "null".to_owned() } else { format!("\"c{}\"", draw(n, 20)) };
        writeln!(orders, r#"{{"id":{n},"customer":{customer}}}"#).unwrap();
    }
    let customers: Vec<(String, u64)> = (0..24).map(|n| (format!("c{}", n % 15), n)).collect();
    let table = customers.iter().map(|(name, n)| format!("{name},{n}\n")).collect::<String>();
    let (_orders, orders) = with_file("orders.jsonl", &orders);
    let (_customers, file) = with_file("customers.csv", &format!("name,zone\n{table}"));
    for left in [false, true] {
        let program = format!(
            r#"sage 1
type Order {{ id: int @key, customer: string? }}
type Customer {{ name: string, zone: int }}
source orders: Order from jsonl({})
source customers: Customer from csv({})
sink rows to csv("rows.csv")
flow f {{
  from orders
  join {} customers on .customer == customers.name
  emit {{ id: .id, zone: customers.zone }} into rows
}}"#,
            quoted(&orders),
            quoted(&file),
            if left { "left" } else { "" }
        );
        let mut lines = vec!["id,zone".to_owned()];
        for n in 0..200 {
            let customer = (n % 7 != 3).then(|| format!("c{}", draw(n, 20)));
            let found = customers.iter().filter(|(name, _)| Some(name) == customer.as_ref());
            let zones: Vec<u64> = found.map(|(_, zone)| *zone).collect();
            if zones.is_empty() && left {
                lines.push(format!("{n},"));
            }
            lines.extend(zones.iter().map(|zone| format!("{n},{zone}")));
        }
        lines.sort();
        assert_eq!(on_any_number(&program, "rows.csv"), lines, "left: {left}");
    }
}
