//! A retry runs the failed records of a run, and only those.

mod support;

use support::Sage;

const PROGRAM: &str = r#"sage 1
param bad: int = 2
type Row { id: string @key, n: int }
source rows: Row from csv("rows.csv")
sink outs: Row to jsonl("outs.jsonl")
flow f {
  from rows
  stage x = 100 / (.n - bad)
  emit Row { id: .id, n: x } into outs
}"#;

#[test]
fn only_what_failed_is_run_again_and_said_how_it_went() {
    let rows = "id,n\na,1\nb,2\nc,x\nd,2\ne,7\n";
    let first = Sage::new().file("f.sage", PROGRAM).file("rows.csv", rows);
    let folder = std::sync::Arc::clone(&first.folder);
    first.args("run f.sage --workers 1 --out first").go().exits(3);

    let again = |arguments: &str| {
        let mut sage = Sage::new();
        sage.folder = std::sync::Arc::clone(&folder);
        sage.args(arguments).go()
    };
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();

    // The same plan fails the same way.
    again("retry first/dead_letters.jsonl").exits(3).says("0 of 2 failed records succeeded");
    assert_eq!(read("first/retry-1/dead_letters.jsonl").lines().count(), 2);

    // With what was wrong put right the two are done; the row that is no record is not.
    let done = again("retry first/dead_letters.jsonl --program f.sage --set bad=3");
    let done = done.exits(3).says("2 of 2 failed records succeeded; 1 rows");
    done.says("rows.csv:4");
    let mut lines: Vec<String> =
        read("first/retry-2/outs.jsonl").lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(lines, [r#"{"id":"b","n":-100}"#, r#"{"id":"d","n":-100}"#]);
    assert!(read("first/retry-2/summary.txt").contains("2 of 2 failed records succeeded"));
    assert_eq!(read("first/retry-2.jsonl").lines().count(), 2);

    // A retry can be retried, and its own folder has no bad rows any more.
    let done = again("retry first/retry-1/dead_letters.jsonl --program f.sage --set bad=3 --out o");
    done.exits(0).says("2 of 2 failed records succeeded");
    assert_eq!(read("o/outs.jsonl").lines().count(), 2);
    again("retry first --out first").exits(1).says("folder of the run itself");
    again("retry o/dead_letters.jsonl").exits(0).says("nothing to retry");
    assert!(!folder.path().join("o/retry-1.jsonl").exists());
}

#[test]
fn of_the_elements_of_a_record_only_those_that_failed_are_run_again() {
    let program = r#"sage 1
param bad: int = 2
type Doc { id: string @key, text: string, note: string }
source docs: Doc from csv("docs.csv")
sink outs to jsonl("outs.jsonl")
flow f {
  from docs
  stage loud = upper(.text)
  stage first = slice(.text, 0, 3)
  flat_map word = words(loud)
  stage nap = sleep(1us)
  stage x = 100 / (length(word) - bad)
  emit { id: .id, first: first, word: word, x: x } into outs
}"#;
    let rows = "id,text,note\nd1,of a long word,n\nd2,,n\nd3,to be sure,n\n";
    let first = Sage::new().file("f.sage", program).file("docs.csv", rows);
    let folder = std::sync::Arc::clone(&first.folder);
    first.args("run f.sage --workers 2 --out first").go().exits(3);
    let metrics = std::fs::read_to_string(folder.path().join("first/metrics.json")).unwrap();
    let metrics: serde_json::Value = serde_json::from_str(&metrics).unwrap();
    assert_eq!((&metrics["tasks_in"], &metrics["tasks_dead"]), (&7.into(), &3.into()));
    // What an element did not carry is left out: a null would be a value.
    let letters = std::fs::read_to_string(folder.path().join("first/dead_letters.jsonl")).unwrap();
    assert!(letters.contains("\"word\":") && !letters.contains("\"note\":"), "{letters}");
    let again = |arguments: &str| {
        let mut sage = Sage::new();
        sage.folder = std::sync::Arc::clone(&folder);
        sage.args(arguments).go()
    };
    again("retry first/dead_letters.jsonl").exits(3).says("0 of 3 failed records succeeded");
    let done = again("retry first/retry-1 --program f.sage --set bad=3 --out o");
    done.exits(0).says("3 of 3 failed records succeeded");
    let text = std::fs::read_to_string(folder.path().join("o/outs.jsonl")).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    let line = |id: &str, first: &str, word: &str| {
        format!(r#"{{"id":"{id}","first":"{first}","word":"{word}","x":-100}}"#)
    };
    assert_eq!(lines, [line("d1", "of ", "of"), line("d3", "to ", "be"), line("d3", "to ", "to")]);
}

#[test]
fn a_group_of_a_retry_is_of_its_records_alone_and_that_is_said() {
    let program = PROGRAM.replace(
        "  emit Row { id: .id, n: x } into outs\n",
        "  group by x { n: count() }\n  emit Row { id: to_string(.x), n: .n } into outs\n",
    );
    let first = Sage::new().file("f.sage", program).file("rows.csv", "id,n\na,1\nb,2\n");
    let folder = std::sync::Arc::clone(&first.folder);
    first.args("run f.sage --workers 1 --out first").go().exits(3);
    let mut sage = Sage::new();
    sage.folder = folder;
    let done = sage.args("retry first --program f.sage --set bad=3").go();
    done.exits(0).says("1 of 1 failed records succeeded").says("are over these records alone");
}

#[test]
fn what_is_no_runs_file_is_said() {
    let sage = |text: &str| Sage::new().file("dead.jsonl", text).args("retry dead.jsonl");
    sage("{}").go().exits(1).says("plan.json").says("--program FILE");
    Sage::new().args("retry nowhere.jsonl").go().exits(1).says("nowhere.jsonl");
    sage("{}").args("--set a=1").go().exits(1).says("--program");
    let with = sage("nonsense\n").file("f.sage", PROGRAM).file("rows.csv", "id,n\n");
    with.args("--program f.sage").go().exits(1).says("dead.jsonl:1: it is no dead letter");
}
