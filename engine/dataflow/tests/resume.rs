//! A run that is stopped goes on, with any number of workers, and leaves what it would have left.

mod common;

use std::time::Duration;

use common::{Run, quoted, with_file};
use sage_dataflow::commit;
use sage_dataflow::sinks::join_parts;
use sage_dsl::experiment::Arrivals;

const ROWS: usize = 3_000;

fn rows() -> String {
    let row =
        |n: usize| if n % 97 == 5 { "broken\n".to_owned() } else { format!("{n},text {n}\n") };
    "id,text\n".to_owned() + &(0..ROWS).map(row).collect::<String>()
}

/// Cheap stages, many records a task, if `nap` is empty; else a record a task.
fn program(file: &str, nap: &str) -> String {
    format!(
        r#"sage 1
type Row {{ id: int @key, text: string }}
type Half {{ id: int @key, half: int, text: string }}
type Bucket {{ bucket: int }}
source rows: Row from csv({file})
sink halves: Half to csv("halves.csv")
sink all: Row to jsonl("all.jsonl")
sink buckets: Bucket to tally("buckets.csv")
flow f {{
  from rows
  {nap}
  stage half = 9000 / (.id % 50)
  emit Half {{ id: .id, half: half, text: .text }} into halves if .id % 2 == 0
  emit Row {{ id: .id, text: .text }} into all
  emit Bucket {{ bucket: .id % 7 }} into buckets
}}
schedule {{ policy: fifo, slots: 8, {morsel} }}"#,
        morsel = if nap.is_empty() { "morsel: 16" } else { "morsel: 1" },
    )
}

#[test]
fn a_stopped_run_goes_on_and_leaves_what_it_would_have_left() {
    let (_kept, path) = with_file("rows.csv", &rows());
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
        for name in ["halves.csv", "all.jsonl", "buckets.csv"] {
            assert_eq!(left.lines(name), whole.lines(name), "{nap} {name}");
        }
        let letters = |left: &common::Left| {
            let mut letters: Vec<String> = left.dead().iter().map(ToString::to_string).collect();
            letters.sort();
            letters
        };
        assert_eq!(letters(&left), letters(&whole), "{nap}");

        // When the end itself was broken off, it is made once more.
        let before = left.read("all.jsonl");
        let again = commit::recover(left.folder.path()).unwrap();
        join_parts(left.folder.path(), "all.jsonl", b"", &again, true).unwrap();
        assert_eq!(left.read("all.jsonl"), before);
        let mut run = Run::new(&program).workers(2);
        run.folder = Some(left.folder);
        let last = run.go();
        assert_eq!(last.summary.counts, whole.summary.counts);
        assert_eq!(last.summary.latency_p50_ms, None, "nothing was done again");
        assert_eq!(last.lines("buckets.csv"), whole.lines("buckets.csv"));
        assert_eq!(last.lines("all.jsonl"), whole.lines("all.jsonl"));
    }
}

#[test]
fn a_trace_ends_where_it_would_have_ended() {
    let (_kept, path) = with_file("rows.csv", &rows());
    let times: String = (0..200).map(|n| format!("{}\n", f64::from(n) / 1000.0)).collect();
    let (_trace, trace) = with_file("trace.txt", &times);
    let program = program(&quoted(&path), "stage nap = sleep(1ms)");
    let run = |folder, limit| {
        let mut run = Run::new(&program).workers(2);
        run.arrivals = Some(Arrivals::Trace { path: trace.display().to_string() });
        run.folder = folder;
        run.limit = limit;
        run.go()
    };
    let whole = run(None, None);
    let first = run(None, Some(70));
    assert_eq!(first.summary.counts.tasks_in, 70);
    let second = run(Some(first.folder), None);
    // Two hundred arrivals make two hundred tasks; rows that are none come on top.
    assert_eq!(second.summary.counts, whole.summary.counts);
    assert_eq!(second.lines("all.jsonl"), whole.lines("all.jsonl"));
}
