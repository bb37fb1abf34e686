//! Records arrive when core says so, whatever becomes of those before them.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::time::Duration;

use common::{Left, Run, SEED, quoted, with_file};
use sage_core::arrivals::Times;
use sage_dsl::experiment::Arrivals;

const NAPS: &str = r#"sage 1
type T { id: string @key }
source ts: T from generate(count: 40)
sink outs: T to csv("outs.csv")
flow f {
  from ts
  stage nap = sleep(NAP)
  emit T { id: .id } into outs
}
schedule { policy: fifo, slots: 1, queue: QUEUE }
"#;

fn naps(nap: &str, queue: &str) -> Run {
    Run::new(&NAPS.replace("NAP", nap).replace("QUEUE", queue))
}

/// A time of tasks.csv, in nanoseconds.
fn ns(cell: &str) -> u64 {
    let (ms, ns) = cell.split_once('.').unwrap();
    ms.parse::<u64>().unwrap() * 1_000_000 + ns.parse::<u64>().unwrap()
}

/// Arrival, decision, start and end of each task, in order of the tasks.
fn times(left: &Left) -> Vec<[Option<u64>; 4]> {
    let text = left.read("tasks.csv");
    let mut rows: Vec<(u64, _)> = text
        .lines()
        .skip(1)
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            let time = |i: usize| Some(cells[i]).filter(|cell| !cell.is_empty()).map(ns);
            (cells[0].parse().unwrap(), [time(2), time(3), time(4), time(5)])
        })
        .collect();
    rows.sort_unstable();
    rows.into_iter().map(|(_, times)| times).collect()
}

#[test]
fn records_arrive_at_the_times_of_core() {
    let (_folder, path) = with_file("times.txt", "# s\n0.01\n0.02\n0.02\n0.2\n");
    let base = Duration::from_millis(150);
    for (rule, trace) in [
        (Arrivals::Batch, vec![]),
        (Arrivals::Constant { per_s: 300.0 }, vec![]),
        (Arrivals::Poisson { per_s: 300.0 }, vec![]),
        (Arrivals::Burst { size: 7, every_ns: 20_000_000 }, vec![]),
        (
            Arrivals::Trace { path: path.display().to_string() },
            vec![10_000_000, 20_000_000, 20_000_000, 200_000_000],
        ),
    ] {
        let mut run = naps("1ms", "1000");
        run.arrivals = Some(rule.clone());
        run.held = Some(base);
        let left = run.go();
        let due: Vec<u64> = Times::new(&rule, &trace, SEED)
            .take(40)
            .map(|time| base.as_nanos() as u64 + time)
            .collect();
        let arrived: Vec<u64> = times(&left).iter().map(|row| row[0].unwrap()).collect();
        assert_eq!(arrived, due, "{rule:?}");
        assert_eq!(left.summary.counts.tasks_ok, due.len() as u64, "{rule:?}");
    }
}

#[test]
fn a_full_queue_does_not_hide_how_long_records_waited() {
    // 40 records in 40 ms, 5 ms of work each, and room for two: most wait outside the queue.
    let mut run = naps("5ms", "2");
    run.arrivals = Some(Arrivals::Constant { per_s: 1000.0 });
    let rows = times(&run.go());
    assert_eq!(rows.len(), 40);
    let first = rows[0][0].unwrap();
    for (number, row) in rows.iter().enumerate() {
        assert_eq!(row[0], Some(first + number as u64 * 1_000_000), "open loop");
        let [arrived, decided, started, finished] = row.map(Option::unwrap);
        assert!(arrived <= decided && decided <= started && started <= finished, "{row:?}");
    }
}

#[test]
fn the_deadline_counts_from_the_arrival_also_outside_of_the_queue() {
    let mut run = naps("5ms", "2, deadline: 60ms");
    run.arrivals = Some(Arrivals::Batch);
    let left = run.go();
    let counts = left.summary.counts;
    assert_eq!(counts.tasks_ok + counts.tasks_late, 40);
    assert!(counts.tasks_ok > 0 && counts.tasks_late > 0, "{counts:?}");
    for [arrived, decided, _, _] in times(&left) {
        let late = decided.is_some_and(|decided| decided > arrived.unwrap() + 60_000_000);
        assert!(!late, "decided after its deadline");
    }
}

#[test]
fn a_trace_without_more_times_ends_the_source() {
    let (_folder, path) = with_file("times.txt", "0\n0\n0\n");
    let mut run = naps("1ms", "1000");
    run.arrivals = Some(Arrivals::Trace { path: path.display().to_string() });
    assert_eq!(run.go().summary.counts.tasks_in, 3);
    // And a source without more records ends the trace.
    let (_data, data) = with_file("q.jsonl", "{\"id\":\"a\"}\n");
    let program = NAPS.replace("NAP", "1ms").replace("QUEUE", "9");
    let program = program.replace("generate(count: 40)", &format!("jsonl({})", quoted(&data)));
    let mut run = Run::new(&program);
    run.arrivals = Some(Arrivals::Trace { path: path.display().to_string() });
    assert_eq!(run.go().summary.counts.tasks_in, 1);
}

#[test]
fn many_cheap_records_a_second_share_a_task_for_a_millisecond() {
    let program = r#"sage 1
type T { id: string @key, text: string }
source ts: T from generate(count: 3000, text: "t {{ n }}")
sink outs: T to csv("outs.csv")
flow f {
  from ts
  emit T { id: .id, text: upper(.text) } into outs
}"#;
    let mut run = Run::new(program);
    run.arrivals = Some(Arrivals::Constant { per_s: 10_000.0 });
    run.held = Some(Duration::from_millis(50));
    let left = run.go();
    assert_eq!(left.summary.counts.tasks_ok, 3000);
    let rows = times(&left);
    assert_eq!(rows.len(), 300, "ten records each");
    for (number, [arrived, decided, ..]) in rows.into_iter().enumerate() {
        let first = 50_000_000 + number as u64 * 1_000_000;
        assert_eq!(arrived, Some(first), "a task arrives with its first record");
        assert!(decided.unwrap() >= first + 900_000, "and is whole with its last");
    }
}
