//! A run in progress sees its documents change: one changed, one removed, one added.

#![allow(clippy::unwrap_used, reason = "a failure here should stop the test")]

use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::support::Sage;

const PROGRAM: &str = r#"
sage 1
type Query  { id: string @key, text: string }
type Doc    { id: string @key, title: string, text: string }
type Answer { id: string @key, found: [string] }
source queries: Query from stdin(format: jsonl)
index docs: Doc from markdown("notes") { search: hybrid(weight: 0.5), refresh: live(every: 50ms) }
sink answers: Answer to stdout()
flow look {
  from queries
  stage hits = search(docs, .text, k: 1)
  emit Answer { id: .id, found: hits.id } into answers
}
"#;

/// Lines of a stream, as they come.
fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if tell.send(line).is_err() {
                break;
            }
        }
    });
    told
}

/// The first line that has `text` in it.
fn wait(lines: &Receiver<String>, text: &str) -> String {
    let mut seen = Vec::new();
    loop {
        match lines.recv_timeout(Duration::from_secs(120)) {
            Ok(line) if line.contains(text) => return line,
            Ok(line) => seen.push(line),
            Err(error) => panic!("{error}: no line with `{text}` in {seen:#?}"),
        }
    }
}

#[test]
fn changes_of_documents_show_in_later_answers() {
    let sage = Sage::new().file("live.sage", PROGRAM).args("run live.sage --workers 2");
    let notes = sage.folder.path().join("notes");
    let note = |name: &str, heading: &str, text: &str| {
        // As editors do it, so that no look finds half a file.
        let beside = sage.folder.path().join("beside");
        std::fs::write(&beside, format!("# {heading}\n\n{text}\n")).unwrap();
        std::fs::rename(&beside, notes.join(name)).unwrap();
    };
    std::fs::create_dir(&notes).unwrap();
    note("a.md", "Apples", "Apples are kept in the cellar over the winter.");
    note("b.md", "Bananas", "Bananas are kept in the kitchen, never in the cold.");

    let mut command = sage.command();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut run = command.spawn().unwrap();
    let mut stdin = run.stdin.take().unwrap();
    let (out, said) = (lines(run.stdout.take().unwrap()), lines(run.stderr.take().unwrap()));
    let mut ask = |id: &str, text: &str| {
        writeln!(stdin, r#"{{"id":"{id}","text":"{text}"}}"#).unwrap();
        stdin.flush().unwrap();
        wait(&out, &format!("\"{id}\""))
    };
    assert!(ask("q1", "where are bananas kept").contains("b.md#bananas"));
    assert!(!ask("q2", "where do cherries grow").contains("c.md"));

    note("c.md", "Cherries", "Cherries grow on the tree behind the house.");
    wait(&said, "1 added, 0 changed, 0 removed; 3 passages");
    assert!(ask("q3", "where do cherries grow").contains("c.md#cherries"));

    note("a.md", "Apples", "Apples and ripe bananas lie in the blue bowl.");
    wait(&said, "0 added, 1 changed, 0 removed; 3 passages");
    assert!(ask("q4", "what lies in the blue bowl").contains("a.md#apples"));

    std::fs::remove_file(notes.join("b.md")).unwrap();
    wait(&said, "0 added, 0 changed, 1 removed; 2 passages");
    assert!(ask("q5", "where are bananas kept").contains("a.md#apples"));

    // What cannot be read leaves the index as it was, and is said.
    std::fs::rename(&notes, sage.folder.path().join("away")).unwrap();
    wait(&said, "index docs: not refreshed: ");
    assert!(ask("q6", "where do cherries grow").contains("c.md#cherries"));

    // When the last document goes, nothing is found any more; and one that comes is.
    std::fs::rename(sage.folder.path().join("away"), &notes).unwrap();
    std::fs::remove_file(notes.join("a.md")).unwrap();
    std::fs::remove_file(notes.join("c.md")).unwrap();
    wait(&said, " removed; 0 passages");
    assert!(!ask("q7", "where do cherries grow").contains(".md"));
    note("d.md", "Dates", "Dates are dried on the roof in the autumn.");
    wait(&said, "1 added, 0 changed, 0 removed; 1 passages");
    assert!(ask("q8", "where are dates dried").contains("d.md#dates"));

    drop(stdin);
    assert!(run.wait().unwrap().success());
}

#[test]
fn a_model_that_is_not_there_is_said_before_anything_starts() {
    let program = PROGRAM
        .replace("index docs", "endpoint e { url: \"local:nowhere\", model: \"m\" }\nindex docs")
        .replace("search: hybrid", "with: e, search: hybrid");
    let sage = Sage::new().file("live.sage", program).args("run live.sage");
    std::fs::create_dir(sage.folder.path().join("notes")).unwrap();
    std::fs::write(sage.folder.path().join("notes/a.md"), "# Apples\n\nAll about them.\n").unwrap();
    let done = sage.stdin("").go().exits(1);
    let what = if cfg!(feature = "local-embeddings") {
        "the folder of a model has config.json"
    } else {
        "--features local-embeddings"
    };
    assert!(done.stderr.contains("nowhere") && done.stderr.contains(what), "{}", done.stderr);
}
