//! Commits under damage, for fuzz targets and property tests.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use fuzz_input::{Choices, harm};
use roaring::RoaringTreemap;

use super::entry::{Commit, Outcomes};
use super::extent::{Content, Grown};
use super::layout::{Place, part_name};
use super::ledger::{self, Batch, Head, Noted, Passed, Range};
use super::manifest::Manifest;
use super::{folder, recover};

/// Workers of a generation.
const WORKERS: usize = 3;
/// Steps of a run, and harms done to it.
const STEPS: usize = 40;
const HARMS: usize = 4;

/// Bytes behind the checksum of a record: they mean one commit or nothing.
pub fn commit_record(input: &[u8]) {
    let Some(commit) = Commit::decode(input) else { return };
    let again = Commit::decode(&commit.encode()).expect("what is written is read");
    assert_eq!(again, commit);
    // What recovery does with it must not panic either.
    let mut whole = commit.clone();
    let _ = whole.absorb(&commit);
    let _ = commit.outcomes.total();
}

/// A log of what was read of a topic, as the input says, and damaged as it says: what is read of it
/// is what was written, or a beginning of that, or there is an error. Bytes that are none are one.
pub fn read_log(input: &[u8]) {
    let _ = ledger::parse(input);
    let mut choices = Choices::new(input);
    let offset = |choices: &mut Choices<'_>| choices.number() as i64 & i64::MAX;
    let counts = |choices: &mut Choices<'_>| {
        let (tasks, records, bad) = (choices.number(), choices.number(), choices.number());
        Passed { tasks, records, bad }
    };
    let next = (0..3).map(|partition| (partition, offset(&mut choices))).collect();
    let ends = choices.flag().then(|| [(0, offset(&mut choices))].into());
    let head = Head { next, ends, passed: counts(&mut choices) };
    let mut noted = Noted { head, batches: Vec::new() };
    for _ in 0..choices.below(12) {
        let range = |partition| {
            let (first, next) = (offset(&mut choices), offset(&mut choices));
            Range { partition, first, next, messages: choices.number() }
        };
        let ranges = (0..2).map(range).collect();
        noted.batches.push(Batch { ranges, makes: counts(&mut choices) });
    }
    let mut bytes = ledger::bytes_of(&noted);
    assert_eq!(ledger::parse(&bytes).expect("what is written is read"), noted);
    for _ in 0..choices.below(HARMS) {
        harm(&mut bytes, &mut choices);
    }
    let Ok(read) = ledger::parse(&bytes) else { return };
    assert_eq!(read.head, noted.head);
    assert!(noted.batches.starts_with(&read.batches), "it says what was not written");
    // What is made of it must not panic, whatever the numbers.
    let done: RoaringTreemap = (0..20).collect();
    let _ = (read.next(), read.settled(&done, choices.number()));
}

/// A worker of a run that commits, without the thread.
struct Worker {
    manifest: Manifest,
    name: String,
    part: File,
    grown: Grown,
    done: RoaringTreemap,
    /// Done tasks after each commit.
    states: Vec<RoaringTreemap>,
}

impl Worker {
    fn new(out: &Path, generation: u32, peer: usize) -> Self {
        let place = Place { folder: folder(out), generation, peer };
        let name = part_name("x.jsonl", generation, peer);
        let part = File::options().append(true).create_new(true).open(out.join(&name));
        Worker {
            manifest: Manifest::create(place).expect("a manifest").shortened_from(300),
            name,
            part: part.expect("a part file"),
            grown: Grown::default(),
            done: RoaringTreemap::new(),
            states: vec![RoaringTreemap::new()],
        }
    }

    fn end(&mut self, task: u64) {
        let rows = rows_of(task);
        self.part.write_all(rows.as_bytes()).expect("rows");
        self.grown.add(rows.as_bytes(), task % 4);
        self.done.insert(task);
    }

    fn commit(&mut self) {
        let mut all = self.last().clone();
        all |= &self.done;
        self.states.push(all);
        let commit = Commit {
            outcomes: Outcomes { ok: self.done.len(), ..Outcomes::default() },
            done: std::mem::take(&mut self.done),
            files: BTreeMap::from([(self.name.clone(), self.grown.extent(Content::Rows))]),
            ..Commit::default()
        };
        self.manifest.append(commit).expect("a commit");
    }

    fn last(&self) -> &RoaringTreemap {
        self.states.last().expect("the first state is empty")
    }
}

/// The rows of a task: none, one or some.
fn rows_of(task: u64) -> String {
    (0..task % 4).map(|row| format!("{{\"task\":{task},\"row\":{row}}}\n")).collect()
}

/// All files of a run, the commits first.
fn files(out: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in ["commit", "parts"] {
        let entries = fs::read_dir(out.join(folder)).expect("a folder").flatten();
        found.extend(entries.map(|entry| entry.path()));
    }
    found.sort();
    found
}

/// A run that commits, is killed and goes on, as the input says; then its files are damaged as it
/// says. What is recovered is what was committed, or a part of it without a gap, with exactly its
/// rows; or there is an error that names a file.
pub fn commit_files(input: &[u8]) {
    let mut choices = Choices::new(input);
    let scratch = tempfile::tempdir().expect("a folder");
    let out = scratch.path();
    let mut base = recover(out).expect("nothing is there");
    let workers = |generation| (0..WORKERS).map(move |peer| Worker::new(out, generation, peer));
    let mut cluster: Vec<Worker> = workers(1).collect();
    let mut tasks = 0;
    for _ in 0..choices.below(STEPS) {
        let step = choices.byte();
        let worker = usize::from(step >> 4) % WORKERS;
        match step % 16 {
            0..8 => {
                cluster[worker].end(tasks);
                tasks += 1;
            }
            8..14 => cluster[worker].commit(),
            14 => {}
            _ => {
                base = recover(out).expect("a kill damages nothing");
                assert!(cluster.iter().all(|worker| worker.last().is_subset(&base.done)));
                check(out, &base);
                cluster = workers(base.generation + 1).collect();
            }
        }
    }
    let moved = damage(out, &mut choices);
    match recover(out) {
        Ok(state) => {
            check(out, &state);
            if moved {
                // Whole files that change places may leave a gap, but nothing that was not there.
                let mut all = base.done.clone();
                cluster.iter().for_each(|worker| all |= worker.last());
                assert!(state.done.is_subset(&all), "a task that was never committed");
            } else {
                without_gap(&state, &cluster, &base.done);
            }
            let again = recover(out).expect("it can be made again");
            assert_eq!(again.done, state.done);
            let mut next = Worker::new(out, state.generation + 1, 0);
            next.end(tasks);
            next.commit();
            let state = recover(out).expect("it goes on");
            assert!(state.done.contains(tasks));
            check(out, &state);
        }
        Err(why) => {
            let why = why.to_string();
            assert!(why.contains(&out.display().to_string()), "it names no file: {why}");
        }
    }
}

/// Damage files; whether any has gone or stands in the place of another.
fn damage(out: &Path, choices: &mut Choices<'_>) -> bool {
    let mut moved = false;
    for _ in 0..HARMS {
        if choices.is_empty() {
            break;
        }
        let all = files(out);
        if all.is_empty() {
            break;
        }
        let (one, other) = (&all[choices.below(all.len())], &all[choices.below(all.len())]);
        match choices.byte() % 8 {
            0 if one != other => {
                let _ = fs::copy(one, other);
                moved = true;
            }
            1 => {
                let _ = fs::remove_file(one);
                moved = true;
            }
            2 => {
                // A record of one file behind those of another.
                let mut bytes = fs::read(other).expect("a file");
                bytes.extend(fs::read(one).expect("a file"));
                let _ = fs::write(other, bytes);
            }
            _ => {
                let mut bytes = fs::read(one).expect("a file");
                harm(&mut bytes, choices);
                fs::write(one, bytes).expect("a file");
            }
        }
    }
    moved
}

/// The part files hold the rows of the done tasks, and nothing else.
fn check(out: &Path, state: &Commit) {
    let mut rows: Vec<String> = Vec::new();
    for path in files(out).into_iter().filter(|path| path.starts_with(out.join("parts"))) {
        let text = fs::read_to_string(path).expect("text");
        rows.extend(text.lines().map(str::to_owned));
    }
    let texts = state.done.iter().map(rows_of);
    let mut expected: Vec<String> =
        texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
    rows.sort();
    expected.sort();
    assert_eq!(rows, expected, "rows are not those of the done tasks");
    assert_eq!(state.outcomes.ok, state.done.len());
}

/// Each worker's part of the done tasks is one that it had committed.
fn without_gap(state: &Commit, workers: &[Worker], base: &RoaringTreemap) {
    assert!(base.is_subset(&state.done), "tasks of the base are lost");
    let mut rest = state.done.clone();
    rest -= base;
    for worker in workers {
        let own = worker.last() & &rest;
        assert!(worker.states.contains(&own), "a state that never was: {own:?}");
        rest -= &own;
    }
    assert!(rest.is_empty(), "tasks that were never committed: {rest:?}");
}
