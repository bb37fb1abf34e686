//! What is decided while the source is read: which of equal records is the first, and which are too
//! late for their window. Each against an oracle, on several numbers of workers, and over stops.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use common::{Left, Run, Scripted, plan, quoted, with_file};
use sage_core::endpoint::{Answer, Generation};
use sage_core::text::{Units, pieces};
use sage_dataflow::demand::{Demands, Extent, Interpreter};

const ROWS: u64 = 400;

/// Numbers that look drawn.
fn draw(n: u64, below: u64) -> u64 {
    (n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407) >> 33)
        % below
}

fn texts() -> String {
    let row = |n: u64| format!("{{\"id\":{n},\"text\":\"t{}\",\"n\":{}}}\n", draw(n, 40), n % 6);
    (0..ROWS).map(row).collect()
}

fn program(file: &str, steps: &str) -> String {
    format!(
        r#"sage 1
type Row {{ id: int @key, text: string, n: int }}
endpoint llm {{ url: "http://127.0.0.1:9", model: "m" }}
source rows: Row from jsonl({file})
sink firsts to csv("firsts.csv")
flow f {{
  from rows
{steps}
  emit {{ id: .id, said: said.text }} into firsts
}}
schedule {{ policy: random, slots: 4 }}"#
    )
}

/// The run of a program, and what it asked.
fn asked(program: &str, workers: usize) -> (Left, usize) {
    let endpoint = Scripted::echo();
    let sizes = Arc::clone(&endpoint.sizes);
    let left = Run::new(program).workers(workers).endpoint(endpoint).go();
    let asked = sizes.lock().unwrap().iter().sum();
    (left, asked)
}

#[test]
fn dedup_behind_steps_that_only_compute_saves_the_calls() {
    let (_kept, path) = with_file("rows.jsonl", &texts());
    // What `where` drops is not the first of anything, and neither is what fails.
    let steps = r"
  where .n != 2
  stage share = 60 / .n
  route .n {
    when 4 => { stage long = upper(.text) }
    else => { stage long = lower(.text) }
  }
  stage key = long + to_string(share)
  dedup by key, .n == 5
  stage said = generate(.text) on llm
  where length(said.text) > 0";
    let mut seen = BTreeSet::new();
    let (mut lines, mut dead, mut dropped) = (vec!["id,said".to_owned()], 0, 0);
    for id in 0..ROWS {
        let (n, text) = (id % 6, format!("t{}", draw(id, 40)));
        match n {
            2 => dropped += 1,
            0 => dead += 1,
            _ if seen.insert((n, text.clone())) => lines.push(format!("{id},echo: {text}")),
            _ => {}
        }
    }
    lines.sort();
    let kept = lines.len() - 1;
    for workers in [1, 3] {
        let (left, asked) = asked(&program(&quoted(&path), steps), workers);
        assert_eq!((left.failure.as_deref(), asked), (None, kept));
        assert_eq!(left.lines("firsts.csv"), lines);
        let counts = left.summary.counts;
        assert_eq!((counts.tasks_dead, counts.tasks_ok as usize), (dead, kept + dropped));
        assert_eq!(left.left_out, ROWS - counts.tasks_in);
    }
}

/// A time that wanders ahead, with stragglers.
fn at(n: u64) -> i64 {
    10 * n as i64 - [0, 0, 30, 0, 200, 0, 700][draw(n, 7) as usize]
}

const LATENESS: i64 = 150;

/// Which records are late by another way: those of which some record before is so much newer.
fn is_late(n: u64) -> bool {
    (0..n).filter(|before| before % 9 != 4).any(|before| at(n) < at(before) - LATENESS)
        && n % 9 != 4
}

fn of_events(file: &str, steps: &str) -> String {
    format!(
        r#"sage 1
type Event {{ id: int @key, at: int?, kind: string }}
endpoint llm {{ url: "http://127.0.0.1:9", model: "m" }}
source events: Event from jsonl({file})
sink counts to csv("counts.csv")
sink rows to jsonl("rows.jsonl")
flow f {{
  from events
{steps}
  group by .kind window tumbling(1s, by: time, lateness: {LATENESS}ms) {{ n: count(), ids: collect(.id) }}
  emit into counts
}}
schedule {{ policy: random, slots: 4 }}"#
    )
}

#[test]
fn records_that_come_too_late_are_late_and_in_no_window() {
    let mut rows = String::new();
    for n in 0..ROWS {
        let at = if n % 9 == 4 { "null".to_owned() } else { at(n).to_string() };
        writeln!(rows, r#"{{"id":{n},"at":{at},"kind":"k{}"}}"#, n % 3).unwrap();
    }
    let (_kept, path) = with_file("events.jsonl", &rows);
    let late: BTreeSet<u64> = (0..ROWS).filter(|n| is_late(*n)).collect();
    assert!(late.len() > 20 && late.len() < 200, "{late:?}");
    let mut groups: BTreeMap<(u64, i64), Vec<u64>> = BTreeMap::new();
    for n in (0..ROWS).filter(|n| n % 9 != 4 && !late.contains(n)) {
        groups.entry((n % 3, at(n).div_euclid(1000) * 1000)).or_default().push(n);
    }
    let mut lines = vec!["kind,window_start,window_end,n,ids".to_owned()];
    for ((kind, start), ids) in &groups {
        let shown: Vec<String> = ids.iter().map(ToString::to_string).collect();
        let cell = format!("[{}]", shown.join(","));
        let cell = if ids.len() > 1 { format!("\"{cell}\"") } else { cell };
        lines.push(format!("k{kind},{start},{},{},{cell}", start + 1000, ids.len()));
    }
    lines.sort();
    let cheap = "  stage time = .at\n  emit { id: .id } into rows";
    let paid =
        "  stage time = .at\n  stage said = generate(.kind) on llm\n  emit { id: .id } into rows";
    for (steps, workers) in [(cheap, 1), (cheap, 4), (paid, 1), (paid, 3)] {
        let (left, asked) = asked(&of_events(&quoted(&path), steps), workers);
        assert_eq!(left.failure, None);
        assert_eq!(left.lines("counts.csv"), lines, "{workers} workers");
        let counts = left.summary.counts;
        assert_eq!((counts.tasks_in, counts.tasks_late), (ROWS, late.len() as u64));
        let letters: BTreeSet<u64> = left
            .dead()
            .iter()
            .inspect(|letter| {
                assert_eq!(
                    (&letter["class"], &letter["stage"]),
                    (&"late".into(), &"window".into())
                );
            })
            .map(|letter| letter["record"]["id"].as_u64().unwrap())
            .collect();
        assert_eq!(letters, late);
        // A late record pays for nothing and is emitted nowhere.
        let on_time = ROWS as usize - late.len();
        assert_eq!(left.lines("rows.jsonl").len(), on_time);
        assert_eq!(asked, if steps == paid { on_time } else { 0 });
    }
}

#[test]
fn a_run_that_was_stopped_goes_on_with_the_same_late_records() {
    let mut rows = String::new();
    for n in 0..ROWS {
        writeln!(rows, r#"{{"id":{n},"at":{},"kind":"k{}"}}"#, at(n), n % 3).unwrap();
    }
    let (_kept, path) = with_file("events.jsonl", &rows);
    let program = of_events(&quoted(&path), "  stage time = .at\n  stage nap = sleep(15ms)");
    let whole = Run::new(&program).workers(2).go();
    assert!(whole.summary.counts.tasks_late > 20);
    let mut folder = None;
    let mut stops = 0;
    let left = loop {
        let mut run = Run::new(&program).workers([3, 1, 2][stops % 3]);
        run.folder = folder.take();
        // Longer each time, so that it comes to an end on any machine.
        run.stop_after = Some(Duration::from_millis(40 << stops));
        let left = run.go();
        if left.summary.counts.tasks_in == ROWS && left.given_back == 0 {
            break left;
        }
        stops += 1;
        folder = Some(left.folder);
    };
    assert!(stops > 0);
    assert_eq!(left.summary.counts, whole.summary.counts);
    assert_eq!(left.lines("counts.csv"), whole.lines("counts.csv"));
    assert_eq!(left.dead().len(), whole.dead().len());
}

/// Documents of some parts, of which some are equal, some documents have none, and some are dropped.
fn documents() -> String {
    let parts =
        |n: u64| (0..draw(n, 5)).map(|i| format!("p{}", draw(n * 7 + i, 30))).collect::<Vec<_>>();
    let row = |n: u64| {
        format!("{{\"id\":\"d{n}\",\"text\":\"{}\",\"n\":{}}}\n", parts(n).join("|"), n % 6)
    };
    (0..120).map(row).collect()
}

fn of_parts(file: &str, steps: &str) -> String {
    format!(
        r#"sage 1
type Doc {{ id: string @key, text: string, n: int }}
endpoint llm {{ url: "http://127.0.0.1:9", model: "m" }}
source docs: Doc from jsonl({file})
sink rows to jsonl("rows.jsonl")
sink counts to jsonl("counts.jsonl")
flow f {{
  from docs
{steps}
  emit {{ id: .id, part: part, said: said.text }} into rows
  group by .id {{ n: count(), parts: collect(part) }}
  emit into counts
}}
schedule {{ policy: random, slots: 4 }}"#
    )
}

/// Rows of `rows.jsonl` and `counts.jsonl` by another way; `once`: each part only the first time.
fn parts_of(once: bool) -> (Vec<String>, Vec<String>) {
    let mut seen = BTreeSet::new();
    let (mut rows, mut counts) = (Vec::new(), Vec::new());
    for line in documents().lines() {
        let doc: serde_json::Value = serde_json::from_str(line).unwrap();
        let (id, text) = (doc["id"].as_str().unwrap(), doc["text"].as_str().unwrap());
        if doc["n"] == 2 || text.is_empty() {
            continue;
        }
        let mut parts: Vec<String> = text.split('|').map(str::to_uppercase).collect();
        parts.retain(|part| !once || seen.insert(part.clone()));
        for part in &parts {
            rows.push(format!(r#"{{"id":"{id}","part":"{part}","said":"echo: {id} {part}"}}"#));
        }
        if !parts.is_empty() {
            let shown = serde_json::to_string(&parts).unwrap();
            counts.push(format!(r#"{{"id":"{id}","n":{},"parts":{shown}}}"#, parts.len()));
        }
    }
    rows.sort();
    counts.sort();
    (rows, counts)
}

const PARTS: &str = r#"  where .n != 2 and .text != ""
  stage loud = upper(.text)
  flat_map part = split(loud, "|")"#;
const SAID: &str = r#"  stage said = generate(.id + " " + part) on llm"#;

#[test]
fn each_element_of_a_list_is_a_record_that_may_call() {
    let (_kept, path) = with_file("docs.jsonl", &documents());
    for (between, once) in [("", false), ("  dedup by part", true)] {
        let (rows, counts) = parts_of(once);
        let program = of_parts(&quoted(&path), &format!("{PARTS}\n{between}\n{SAID}"));
        for workers in [1, 3] {
            let (left, asked) = asked(&program, workers);
            assert_eq!((left.failure.as_deref(), asked), (None, rows.len()));
            assert_eq!(left.lines("rows.jsonl"), rows, "{workers} workers");
            assert_eq!(left.lines("counts.jsonl"), counts, "{workers} workers");
            assert_eq!(left.summary.counts.tasks_in as usize, rows.len());
        }
    }
}

#[test]
fn a_run_that_was_stopped_among_the_elements_of_a_record_goes_on() {
    let (_kept, path) = with_file("docs.jsonl", &documents());
    let program = of_parts(&quoted(&path), &format!("{PARTS}\n  stage nap = sleep(30ms)\n{SAID}"));
    let (rows, counts) = parts_of(false);
    let mut folder = None;
    let mut stops = 0;
    let left = loop {
        let mut run = Run::new(&program).workers([3, 1, 2][stops % 3]);
        run.endpoint = Arc::new(Scripted::echo());
        run.folder = folder.take();
        // Longer each time, so that it comes to an end on any machine.
        run.stop_after = Some(Duration::from_millis(40 << stops));
        let left = run.go();
        if left.summary.counts.tasks_in as usize == rows.len() && left.given_back == 0 {
            break left;
        }
        stops += 1;
        folder = Some(left.folder);
    };
    assert!(stops > 0);
    assert_eq!(left.lines("rows.jsonl"), rows);
    assert_eq!(left.lines("counts.jsonl"), counts);
}

/// Texts of some paragraphs of some sentences.
fn articles() -> String {
    let sentence = |n: u64| {
        let words: Vec<String> =
            (0..=draw(n, 9)).map(|i| format!("w{}", draw(n + i, 50))).collect();
        format!("The {}.", words.join(" "))
    };
    let text = |n: u64| {
        let sentences = (0..draw(n, 12)).map(|i| {
            let between = if draw(n + i, 4) == 0 { "\\n\\n" } else { " " };
            sentence(100 * n + i) + between
        });
        sentences.collect::<String>()
    };
    let row = |n: u64| format!("{{\"id\":\"d{n}\",\"text\":\"{}\",\"n\":{}}}\n", text(n), n % 6);
    (0..60).map(row).collect()
}

#[test]
fn pieces_of_a_text_are_records_that_may_call() {
    let (_kept, path) = with_file("docs.jsonl", &articles());
    for (by, units) in [
        ("", Units::Paragraphs),
        (", by: sentences", Units::Sentences),
        (", by: tokens", Units::Words),
    ] {
        // A size that is computed, and an arm without pieces.
        let steps = format!(
            "  where .n != 2\n  route .n {{\n    when 1 => {{ stage parts: [string] = [] }}\n    \
             else => {{ stage parts = chunk(.text{by}, size: 20 + .n, overlap: 6) }}\n  }}\n  \
             flat_map part = parts\n{SAID}"
        );
        let (mut rows, mut most) = (Vec::new(), 0);
        for line in articles().lines() {
            let doc: serde_json::Value = serde_json::from_str(line).unwrap();
            let (id, text) = (doc["id"].as_str().unwrap(), doc["text"].as_str().unwrap());
            let n = doc["n"].as_u64().unwrap();
            if n == 1 || n == 2 {
                continue;
            }
            let places = pieces(text, units, 20 + n, 6);
            most = most.max(places.len());
            for place in places {
                let part = &text[place];
                let row = serde_json::json!({"id": id, "part": part, "said": format!("echo: {id} {part}")});
                rows.push(row.to_string());
            }
        }
        rows.sort();
        assert!(most > 3, "{most}");
        for workers in [1, 3] {
            let (left, asked) = asked(&of_parts(&quoted(&path), &steps), workers);
            assert_eq!((left.failure.as_deref(), asked), (None, rows.len()));
            assert_eq!(left.lines("rows.jsonl"), rows, "{workers} workers");
        }
    }
}

#[test]
fn a_dead_letter_of_an_element_holds_what_it_needs_to_be_tried_again() {
    let (_kept, path) = with_file("docs.jsonl", &documents());
    let steps = format!("{PARTS}\n  stage failing = 1 / (length(part) - 2)\n{SAID}");
    let left = asked(&of_parts(&quoted(&path), &steps), 2).0;
    let (rows, _) = parts_of(false);
    let short =
        |row: &&String| row.contains(r#""part":"P"#) && row.split('"').nth(7).unwrap().len() == 2;
    let failed = rows.iter().filter(short).count();
    assert!(failed > 10, "{failed}");
    let dead = left.dead();
    assert_eq!((dead.len(), left.summary.counts.tasks_dead as usize), (failed, failed));
    for letter in dead {
        assert_eq!(letter["stage"], "failing");
        let record = &letter["record"];
        assert_eq!(record["part"].as_str().unwrap().len(), 2, "{letter}");
        assert_eq!(record["id"], letter["key"]);
        // What nobody reads of the document is not carried by its parts.
        assert_eq!(
            (&record["text"], &record["loud"]),
            (&serde_json::Value::Null, &serde_json::Value::Null)
        );
    }
}

#[test]
fn a_record_that_fails_before_its_flat_map_is_a_bad_row_with_its_place() {
    let (_kept, path) = with_file("docs.jsonl", &documents());
    let steps = format!("  stage share = 12 / (.n - 3)\n  dedup by .id\n{PARTS}\n{SAID}");
    let program = of_parts(&quoted(&path), &steps);
    let cells = |line: &str| {
        let doc: serde_json::Value = serde_json::from_str(line).unwrap();
        format!("{},{},{}\n", doc["id"].as_str().unwrap(), doc["text"].as_str().unwrap(), doc["n"])
    };
    let table: String = documents().lines().map(cells).collect();
    let (_kept, csv) = with_file("docs.csv", &format!("id,text,n\n{table}"));
    let of_table =
        program.replace(&format!("jsonl({}", quoted(&path)), &format!("csv({}", quoted(&csv)));
    for (program, path, header) in [(&program, &path, 0), (&of_table, &csv, 1)] {
        let left = asked(program, 2).0;
        let mut places: Vec<String> = Vec::new();
        for letter in left.dead() {
            places.push(letter["place"].as_str().unwrap().to_owned());
            assert!(
                letter["message"].as_str().unwrap().contains("before its `flat_map`"),
                "{letter}"
            );
        }
        places.sort();
        let failing = (0..120).filter(|n| n % 6 == 3);
        let mut lines: Vec<String> =
            failing.map(|n| format!("{}:{}", path.display(), n + 1 + header)).collect();
        lines.sort();
        assert_eq!(places, lines);
    }
}

/// What the twin sees of a plan.
fn foreseen(program: &str, tasks: u64) -> Demands<()> {
    let plan = plan(program);
    let morsel = sage_dataflow::morsel(&plan);
    let extent = Extent { tasks: Some(tasks), limit: None, morsel, distinct: 1000 };
    let said = || Generation { text: "said".into(), ..Generation::default() };
    let interpreter = Interpreter::new(&plan, &[]).unwrap();
    interpreter.demands(extent, &mut |_| Ok((Answer::Generated(vec![said()]), ()))).unwrap()
}

#[test]
fn a_source_that_is_read_again_has_its_first_records_again_and_counts_the_others_once() {
    let row = |n: u64| format!("{{\"id\":{n},\"text\":\"t{}\",\"n\":{}}}\n", n % 5, n % 2);
    let rows: String = (0..10).map(row).collect();
    let (_kept, path) = with_file("rows.jsonl", &rows);
    let said = "  stage said = generate(.text) on llm";
    let program = program(&quoted(&path), &format!("  dedup by .text\n{said}"));
    // As many as there are, fewer, and more, which are the first ones again.
    for (tasks, records, left_out) in [(10, 5, 5), (7, 5, 2), (23, 18, 5)] {
        for workers in [1, 3] {
            let mut run = Run::new(&program).workers(workers);
            run.tasks = Some(tasks);
            let left = run.go();
            assert_eq!((left.failure.as_deref(), left.left_out), (None, left_out), "{tasks}");
            assert_eq!(left.summary.counts.tasks_in, records, "{tasks}");
            let mut texts = BTreeMap::<String, u64>::new();
            for line in left.lines("firsts.csv").iter().filter(|line| *line != "id,said") {
                *texts.entry(line.split_once(',').unwrap().1.to_owned()).or_default() += 1;
            }
            let expected =
                |n: u64| (format!("echo: t{n}"), records / 5 + u64::from(n < records % 5));
            assert_eq!(texts, (0..5).map(expected).collect(), "{tasks}");
        }
        let foreseen = foreseen(&program, tasks);
        assert_eq!((foreseen.records, foreseen.left_out), (records, left_out), "{tasks}");
    }
}

#[test]
fn what_is_dropped_before_a_flat_map_is_foreseen_as_it_happens() {
    let (_kept, path) = with_file("docs.jsonl", &documents());
    let program = of_parts(&quoted(&path), &format!("{PARTS}\n  dedup by part\n{SAID}"));
    for tasks in [10, 60, 500] {
        let mut run = Run::new(&program).workers(2);
        run.tasks = Some(tasks);
        let left = run.go();
        let foreseen = foreseen(&program, tasks);
        let counts = left.summary.counts;
        assert_eq!(
            (foreseen.records, foreseen.left_out),
            (counts.tasks_in, left.left_out),
            "{tasks}"
        );
        assert!(left.left_out > 0);
    }
}
