//! Parquet files on the built binary: written through losses and stops, and read again. Without the
//! feature `parquet` there is only the word that it is missing.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

#[cfg(not(feature = "parquet"))]
#[test]
fn without_the_feature_it_is_said_how_to_build_it() {
    const ROW: &str = "sage 1\ntype Row { id: int @key }\n";
    let reads =
        "source rows: Row from parquet(\"x.parquet\")\nsink outs: Row to jsonl(\"o.jsonl\")\n";
    let writes =
        "source rows: Row from generate(count: 3)\nsink outs: Row to parquet(\"o.parquet\")\n";
    for (declared, place) in [(reads, "source `rows` (line 3)"), (writes, "sink `outs` (line 4)")] {
        let program = format!(
            "{ROW}{declared}flow f {{\n  from rows\n  emit Row {{ id: .id }} into outs\n}}\n"
        );
        for command in ["check f.sage", "run f.sage --out out"] {
            // The file is there, so that only the feature is missing.
            let sage = support::Sage::new().file("f.sage", &program).file("x.parquet", "");
            let done = sage.args(command).go().exits(1);
            done.says(place).says("cargo build --release --features parquet");
        }
    }
}

#[cfg(feature = "parquet")]
mod built_in {
    use std::path::Path;

    use crate::support::{Done, Sage, again, ended, send, wait_until, worker, workers_of};

    const TASKS: usize = 240;

    const TYPES: &str = r#"sage 1
enum Kind { odd, even }
type Part { name: string, weights: [float] }
type Row { id: int @key, text: string, kind: Kind, maybe: float?, parts: [Part], took: duration }
type Sum { kind: Kind, n: int, texts: [string] }
"#;

    const WRITES: &str = r#"
type Task { id: int @key, text: string }
source tasks: Task from csv("tasks.csv")
sink rows: Row to parquet("rows.parquet", compression: snappy)
sink sums: Sum to parquet("sums.parquet")
flow writes {
  from tasks
  stage nap = sleep(25ms)
  stage kind: Kind = if .id % 2 == 0 then even else odd
  stage maybe = if .id % 3 == 0 then null else 1.0 / to_float(.id + 1)
  emit Row {
    id: .id, text: .text, kind: kind, maybe: maybe, took: 3ms
    parts: if .id % 4 == 0 then [] else [Part { name: .text, weights: [0.5, 1.5] }]
  } into rows
  group by kind: kind { n: count(), texts: top_k(.text, k: 3) }
  emit Sum { kind: .kind, n: .n, texts: .texts } into sums
}
schedule { policy: fifo, slots: 4 }
"#;

    const READS: &str = r#"
source rows: Row from parquet("out/rows.parquet")
source sums: Sum from parquet("out/sums.parquet")
sink again: Row to jsonl("again.jsonl")
sink sums_again: Sum to jsonl("sums.jsonl")
flow reads {
  from rows
  emit Row { id: .id, text: .text, kind: .kind, maybe: .maybe, parts: .parts, took: .took } into again
}
flow reads_sums {
  from sums
  emit Sum { kind: .kind, n: .n, texts: .texts } into sums_again
}
"#;

    fn sage(arguments: &str) -> Sage {
        let row = |id: usize| format!("{id},text {id}\n");
        let tasks = "id,text\n".to_owned() + &(0..TASKS).map(row).collect::<String>();
        Sage::new()
            .file("writes.sage", format!("{TYPES}{WRITES}"))
            .file("reads.sage", format!("{TYPES}{READS}"))
            .file("tasks.csv", tasks)
            .args(arguments)
    }

    fn wait_for_tasks(folder: &Path, tasks: usize) {
        let table = folder.join("out/tasks.csv");
        let lines = || std::fs::read_to_string(&table).map_or(0, |text| text.lines().count());
        wait_until(|| lines() > tasks);
    }

    /// What the files of a run hold, read by a run of any number of workers.
    fn rows(written: &Sage, workers: usize) -> [Vec<String>; 2] {
        let read = |flow: &str, file: &str| {
            let command =
                format!("run reads.sage --flow {flow} --workers {workers} --out read --fresh");
            let mut done: Done = again(written, &command).go().exits(0);
            done.out = written.folder.path().join("read");
            done.lines(file)
        };
        [read("reads", "again.jsonl"), read("reads_sums", "sums.jsonl")]
    }

    fn undisturbed() -> [Vec<String>; 2] {
        let sage = sage("run writes.sage --workers 2 --out out --slots 64");
        sage.go().exits(0);
        let all = rows(&sage, 1);
        assert_eq!((all[0].len(), all[1].len()), (TASKS, 2));
        let row = r#"{"id":10,"text":"text 10","kind":"even","maybe":0.09090909090909091,"parts":[{"name":"text 10","weights":[0.5,1.5]}],"took":"3ms"}"#;
        assert!(all[0].contains(&row.to_owned()), "{:?}", all[0]);
        assert_eq!(all, rows(&sage, 3), "any number of workers reads the same");
        all
    }

    #[test]
    fn a_file_that_was_written_through_losses_and_stops_has_every_row_once() {
        let whole = undisturbed();
        // A worker is lost.
        let lossy = sage("run writes.sage --workers 3 --out out");
        let child = lossy.start();
        wait_for_tasks(lossy.folder.path(), 60);
        let lost = worker(child.id(), 1);
        send("-KILL", lost);
        let done = lossy.done(child.wait_with_output().unwrap()).exits(0);
        assert_eq!(done.metrics()["restarts"], 1);
        assert_eq!(rows(&lossy, 2), whole);

        // The run is stopped, and its file is whole as far as it goes; then it is killed, and goes on.
        let command = "run writes.sage --workers 3 --out out";
        let stopped = sage(command);
        let child = stopped.start();
        wait_for_tasks(stopped.folder.path(), 40);
        send("-INT", child.id());
        stopped.done(child.wait_with_output().unwrap()).exits(130);
        let some = rows(&stopped, 1);
        assert!(!some[0].is_empty() && some[0].len() < TASKS);
        assert!(some[0].iter().all(|row| whole[0].contains(row)));
        let mut child = stopped.start();
        wait_for_tasks(stopped.folder.path(), 150);
        let workers = workers_of(child.id());
        send("-KILL", child.id());
        child.wait().unwrap();
        wait_until(|| workers.iter().all(|worker| ended(*worker)));
        again(&stopped, command).go().exits(0).says("resuming the run");
        assert_eq!(rows(&stopped, 2), whole);
        assert!(!stopped.folder.path().join("out/parts").exists());
    }

    #[test]
    fn a_file_that_does_not_fit_is_refused_before_anything_starts() {
        let sage = sage("run reads.sage --flow reads --out out2");
        sage.go().exits(1).says("cannot open").says("rows.parquet");
        std::fs::create_dir(sage.folder.path().join("out")).unwrap();
        std::fs::write(sage.folder.path().join("out/rows.parquet"), "PAR1 or not").unwrap();
        sage.go().exits(1).says("`rows` (line 7)").says("is no Parquet file");
    }
}
