//! Folders and files that change between two looks, and runs that go on.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use sage_core::record::{Items, write_json_object};
use sage_dsl::plan::{BadRows, SourcePlan};
use sage_dsl::types::{EnumType, Field, RecordType, Type, Value};

use super::super::{Batch, Source, open as open_once};
use super::{Needs, Place, is_endless, is_watched, open};

fn field(name: &str, ty: Type) -> Field {
    Field { name: name.into(), ty, default: None, key: false }
}

fn plan(kind: &str, path: &Path, args: &[(&str, Value)]) -> SourcePlan {
    let given = [("path", Value::String(path.display().to_string()))];
    let args = given.iter().chain(args).map(|(name, value)| ((*name).to_owned(), value.clone()));
    SourcePlan {
        distinct: None,
        expand: None,
        watermark: None,
        name: "notes".into(),
        kind: kind.into(),
        args: args.collect(),
        fields: Vec::new(),
        record: RecordType {
            name: "Note".into(),
            fields: vec![
                Field { key: true, ..field("path", Type::String) },
                field("text", Type::String),
                field("op", Type::String),
            ],
        },
        key: Some(0),
        bad_rows: BadRows::DeadLetter,
        changes: Some(2),
        line: 3,
    }
}

fn often(name: &str) -> (&str, Value) {
    (name, Value::Duration(10_000_000))
}

/// A run that takes what a source gives.
struct Run {
    source: Box<dyn Source>,
    record: RecordType,
    /// All batches, as rows and reasons.
    given: Vec<Vec<String>>,
}

impl Run {
    fn new(plan: &SourcePlan, out: &Path, generation: u32, needs: Needs) -> Self {
        let place = Place { out: out.to_owned(), generation, needs };
        let source = open(plan, &place).unwrap().unwrap();
        Run { source, record: plan.record.clone(), given: Vec::new() }
    }

    /// The next batch; none at the end, or when nothing comes for as long as `patience`.
    fn next(&mut self, rows: usize, patience: Duration) -> Option<Vec<String>> {
        let begin = Instant::now();
        loop {
            let mut batch = Batch::default();
            let more = self.source.read(&mut batch, rows).unwrap();
            let json = |row| {
                let mut text = Vec::new();
                write_json_object(&mut text, &self.record, Items::new(row));
                String::from_utf8(text).unwrap()
            };
            let bad = batch.bad.iter().map(|bad| bad.reason.clone());
            let given: Vec<String> = bad.chain(batch.rows.iter().map(json)).collect();
            if !given.is_empty() {
                self.given.push(given.clone());
                return Some(given);
            }
            if !more || begin.elapsed() > patience {
                return None;
            }
        }
    }

    /// So many rows, one a batch.
    fn take(&mut self, count: usize) -> Vec<String> {
        let patience = Duration::from_secs(20);
        (0..count).flat_map(|_| self.next(1, patience).expect("something is given")).collect()
    }

    /// Nothing is given for some looks.
    fn is_quiet(&mut self) -> bool {
        self.next(1, Duration::from_millis(100)).is_none()
    }
}

fn row(path: &str, text: &str, op: &str) -> String {
    format!(r#"{{"path":"{path}","text":"{text}","op":"{op}"}}"#)
}

#[test]
fn a_watched_folder_gives_what_came_changed_and_went_and_a_run_that_goes_on_gives_it_again() {
    let (notes, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let at = |name: &str| notes.path().join(name);
    let plan = plan("dir", notes.path(), &[often("watch")]);
    assert!(is_watched(&plan) && is_endless(&plan));
    let mut first = Run::new(&plan, out.path(), 1, Needs::default());
    assert!(first.is_quiet(), "an empty folder is no mistake here");
    fs::write(at("a.txt"), "one").unwrap();
    assert_eq!(first.take(1), [row("a.txt", "one", "insert")]);
    fs::create_dir(at("deep")).unwrap();
    fs::write(at("deep/b.txt"), "two").unwrap();
    assert_eq!(first.take(1), [row("deep/b.txt", "two", "insert")]);
    fs::write(at("a.txt"), "One").unwrap();
    assert_eq!(first.take(1), [row("a.txt", "One", "update")]);
    fs::remove_file(at("deep/b.txt")).unwrap();
    assert_eq!(first.take(1), [row("deep/b.txt", "", "delete")]);
    fs::write(at("c.txt"), b"\xff").unwrap();
    assert_eq!(first.take(1), ["line 1 is not UTF-8"]);
    fs::write(at("a.txt"), "One").unwrap();
    assert!(first.is_quiet(), "the same once more is no change, and bad rows are told once");
    drop(first.source);

    // While nobody looks one changes, one comes, and one goes.
    fs::write(at("c.txt"), "three").unwrap();
    fs::write(at("d.txt"), "four").unwrap();
    fs::remove_file(at("a.txt")).unwrap();
    let mut second = Run::new(&plan, out.path(), 2, Needs { tasks: 4, bad: 1 });
    second.take(first.given.len());
    assert_eq!(second.given, first.given);
    let changes = second.take(3);
    let wanted = [
        row("c.txt", "three", "insert"),
        row("d.txt", "four", "insert"),
        row("a.txt", "", "delete"),
    ];
    assert_eq!(changes, wanted);
    assert!(second.is_quiet());

    // What was worked on must be there.
    drop(second.source);
    let place = Place { out: out.path().into(), generation: 3, needs: Needs { tasks: 8, bad: 1 } };
    let mut third = open(&plan, &place).unwrap().unwrap();
    let mut batch = Batch::default();
    let error = std::iter::repeat_with(|| third.read(&mut batch, 1)).find_map(Result::err).unwrap();
    assert!(error.to_string().contains("fewer records than were worked on"), "{error}");
}

#[test]
fn batches_are_as_large_as_asked_for_and_the_same_again() {
    let (notes, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for n in 0..2_500 {
        fs::write(notes.path().join(format!("{n:04}.txt")), "x").unwrap();
    }
    let rounds = [often("watch"), ("rounds", Value::Int(2))];
    let plan = plan("dir", notes.path(), &rounds);
    assert!(!is_endless(&plan));
    let all = |generation| {
        let mut run = Run::new(&plan, out.path(), generation, Needs::default());
        while run.next(100, Duration::from_secs(20)).is_some() {}
        run.given
    };
    let given = all(1);
    assert_eq!(given.iter().map(Vec::len).collect::<Vec<_>>(), vec![100; 25]);
    assert_eq!(all(2), given);
}

#[test]
fn a_file_is_read_again_and_what_is_wrong_with_it_for_a_while_is_told_once() {
    let (folder, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = folder.path().join("rows.csv");
    let write = |text: &str| {
        // As programs do that let nobody see half a file.
        fs::write(path.with_extension("new"), text).unwrap();
        fs::rename(path.with_extension("new"), &path).unwrap();
    };
    write("path,text\na,1\nb,2\n");
    let plan = plan("csv", &path, &[often("reread"), ("until_idle", Value::Duration(200_000_000))]);
    let mut run = Run::new(&plan, out.path(), 1, Needs::default());
    assert_eq!(run.take(2), [row("a", "1", "insert"), row("b", "2", "insert")]);
    write("path,text\nb,3\na,1\nc\nb,4\n");
    let mut changes = run.take(3);
    changes.sort();
    let wrong = [
        "its key is that of a row before it; each may be there once",
        "the row has 1 columns, the header 2",
    ];
    assert_eq!(changes, [wrong[0].to_owned(), wrong[1].to_owned(), row("b", "3", "update")]);
    write("nothing\n");
    let told = run.take(1);
    assert!(told[0].contains("has no column `path`"), "{told:?}");
    fs::remove_file(&path).unwrap();
    assert!(run.take(1)[0].contains("cannot open"), "and so is that it is not there");
    write("path,text\na,1\n");
    assert_eq!(run.take(1), [row("b", "", "delete")]);
    // Nothing happens any more, so it ends.
    assert_eq!(run.next(1, Duration::from_secs(20)), None);
    assert!(!run.source.read(&mut Batch::default(), 1).unwrap());
}

#[test]
fn what_becomes_unreadable_stays_what_it_was_until_it_is_gone() {
    let (notes, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let at = |name: &str| notes.path().join(name);
    let plan = plan("dir", notes.path(), &[often("watch")]);
    for name in ["a.txt", "b.txt"] {
        fs::write(at(name), "one").unwrap();
    }
    let mut run = Run::new(&plan, out.path(), 1, Needs::default());
    assert_eq!(run.take(2), ["a.txt", "b.txt"].map(|name| row(name, "one", "insert")));
    fs::write(at("a.txt"), b"\xff").unwrap();
    fs::remove_file(at("b.txt")).unwrap();
    assert_eq!(run.take(2), ["line 1 is not UTF-8".to_owned(), row("b.txt", "", "delete")]);
    // Another process knows it, too.
    drop(run.source);
    let mut run = Run::new(&plan, out.path(), 2, Needs { tasks: 3, bad: 1 });
    run.take(4);
    assert!(run.is_quiet());
    fs::write(at("a.txt"), "two").unwrap();
    assert_eq!(run.take(1), [row("a.txt", "two", "update")]);
    fs::write(at("a.txt"), b"\xff").unwrap();
    assert_eq!(run.take(1), ["line 1 is not UTF-8"]);
    fs::remove_file(at("a.txt")).unwrap();
    assert_eq!(run.take(1), [row("a.txt", "", "delete")]);
}

#[test]
fn a_row_that_could_be_any_record_keeps_what_is_missing() {
    let (folder, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = folder.path().join("rows.jsonl");
    let good = |path: &str| format!("{{\"path\":\"{path}\",\"text\":\"1\"}}");
    let write = |lines: &[&str]| {
        fs::write(path.with_extension("new"), lines.join("\n")).unwrap();
        fs::rename(path.with_extension("new"), &path).unwrap();
    };
    let (a, b, c) = (good("a"), good("b"), good("c"));
    write(&[&a, "strange", &b, &c]);
    let plan = plan("jsonl", &path, &[often("reread")]);
    let mut run = Run::new(&plan, out.path(), 1, Needs::default());
    assert_eq!(run.take(4).len(), 4);
    // Its key can be told. What was strange from the beginning is none of the records.
    write(&[&a, "strange", "{\"path\":\"b\",\"text\":7}"]);
    let mut told = run.take(2);
    told.sort();
    assert_eq!(told[1], row("c", "", "delete"));
    assert!(told[0].contains("text"), "{told:?}");
    // This may be `a` or `b`.
    write(&["", "strange", "{\"pa"]);
    assert!(run.take(1)[0].contains("JSON"));
    assert!(run.is_quiet());
    write(&["", "strange", &b]);
    assert_eq!(run.take(1), [row("a", "", "delete")]);
    assert!(run.is_quiet());
}

#[test]
fn whoever_looks_once_sees_what_is_there() {
    let notes = tempfile::tempdir().unwrap();
    fs::write(notes.path().join("a.txt"), "one").unwrap();
    let plan = plan("dir", notes.path(), &[often("watch")]);
    let mut batch = Batch::default();
    assert!(!open_once(&plan).unwrap().read(&mut batch, 5).unwrap());
    assert_eq!(Items::new(batch.rows.row(0)).get(2).as_str(), Some("insert"));
}

#[test]
fn what_cannot_be_looked_at_again_is_said_with_a_remedy() {
    let said = |plan: &SourcePlan| open_once(plan).map(drop).unwrap_err().to_string();
    let good = plan("dir", Path::new("x"), &[often("watch")]);
    let without = SourcePlan { changes: None, ..good.clone() };
    assert!(said(&without).contains("{ changes: \"op\" }"), "{}", said(&without));
    let mut unfit = good.clone();
    let variants = ["insert", "delete"].map(str::to_owned).to_vec();
    unfit.record.fields[2].ty = Type::Enum(EnumType { name: "Op".into(), variants });
    assert!(said(&unfit).contains("`op` has to say `update`"), "{}", said(&unfit));
    let idle = plan("csv", Path::new("x"), &[("until_idle", Value::Duration(1))]);
    assert!(said(&idle).contains("add `reread: 2s`"), "{}", said(&idle));
}
