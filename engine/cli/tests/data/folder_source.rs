//! The source `dir`, on the built binary: a folder as a user has it, with any number of workers.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::path::Path;

use crate::support::{Done, Sage};

const PROGRAM: &str = r#"sage 1
enum Format { html, md, txt }
type Note { path: string @key, title: string, text: string, format: Format }
type Row { path: string @key, title: string, words: int }
type Count { format: Format, notes: int }
source notes: Note from dir("notes", largest: 1MiB)
sink rows: Row to jsonl("rows.jsonl")
sink counts: Count to csv("counts.csv")
flow read_notes {
  from notes
  emit Row { path: .path, title: .title, words: length(words(.text)) } into rows
  group by .format { notes: count() }
  emit Count { format: .format, notes: .notes } into counts
}
"#;

fn write_notes(folder: &Path) {
    for n in 0..40 {
        let nested = folder.join(format!("notes/{}/{}", n % 3, n % 5));
        fs::create_dir_all(&nested).unwrap();
        fs::write(nested.join(format!("{n}.md")), format!("# Note {n}\n\none two\n")).unwrap();
        fs::write(nested.join(format!("{n}.html")), format!("<h1>Page {n}</h1>three")).unwrap();
    }
    fs::write(folder.join("notes/plain.txt"), "just words").unwrap();
    fs::write(folder.join("notes/latin.txt"), b"caf\xe9").unwrap();
    fs::write(folder.join("notes/large.txt"), vec![b'x'; (1 << 20) + 1]).unwrap();
}

fn run(workers: usize) -> Done {
    let arguments = format!("run f.sage --workers {workers} --out out");
    let sage = Sage::new().file("f.sage", PROGRAM).args(&arguments);
    write_notes(sage.folder.path());
    sage.go().exits(3)
}

#[test]
fn any_number_of_workers_reads_the_same_folder() {
    let one = run(1);
    let rows = one.lines("rows.jsonl");
    assert_eq!(rows.len(), 81);
    assert!(rows.contains(&r#"{"path":"0/0/0.html","title":"Page 0","words":3}"#.to_owned()));
    assert!(rows.contains(&r#"{"path":"2/4/29.md","title":"Note 29","words":4}"#.to_owned()));
    assert!(rows.contains(&r#"{"path":"plain.txt","title":"plain.txt","words":2}"#.to_owned()));
    assert_eq!(one.lines("counts.csv"), ["format,notes", "html,40", "md,40", "txt,1"]);
    let dead = one.read("dead_letters.jsonl");
    for words in ["latin.txt", "line 1 is not UTF-8", "large.txt", "more than 1048576 bytes"] {
        assert!(dead.contains(words), "{words} is not in {dead}");
    }
    let [two, four] = [2, 4].map(run);
    for other in [&two, &four] {
        assert_eq!(other.lines("rows.jsonl"), rows);
        assert_eq!(other.lines("counts.csv"), one.lines("counts.csv"));
        assert_eq!(other.metrics()["tasks_dead"], 2);
    }
}

#[test]
fn a_folder_that_cannot_be_read_is_said_before_anything_starts() {
    let sage = || Sage::new().file("f.sage", PROGRAM).args("run f.sage --out out");
    sage().go().exits(1).says("`notes`").says("paths are relative to the folder");
    let empty = sage();
    fs::create_dir(empty.folder.path().join("notes")).unwrap();
    empty.go().exits(1).says("no file that ends in txt md markdown html htm").says("endings");
    sage().file("notes", "x").go().exits(1).says("is no folder");
}
