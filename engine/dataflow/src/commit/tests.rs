//! Kills and damage at any byte: what is recovered is a state that was committed, or an error.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use roaring::RoaringTreemap;

use super::entry::{Commit, Outcomes};
use super::extent::{Content, Grown, Growth};
use super::layout::{Place, part_name};
use super::manifest::Manifest;
use super::{Committer, Tracked, begin, discard, folder, read, recover};

/// One worker of a generation, as the engine drives it but for the thread.
struct Worker {
    manifest: Manifest,
    name: String,
    part: File,
    grown: Grown,
    /// Since the last commit.
    done: RoaringTreemap,
    outcomes: Outcomes,
    /// Done tasks after each commit.
    states: Vec<RoaringTreemap>,
}

impl Worker {
    fn new(out: &Path, generation: u32, peer: usize) -> Self {
        let place = Place { folder: folder(out), generation, peer };
        let name = part_name("x.jsonl", generation, peer);
        let mut options = OpenOptions::new();
        Worker {
            manifest: Manifest::create(place).unwrap().shortened_from(300),
            part: options.append(true).create_new(true).open(out.join(&name)).unwrap(),
            name,
            grown: Grown::default(),
            done: RoaringTreemap::new(),
            outcomes: Outcomes::default(),
            states: vec![RoaringTreemap::new()],
        }
    }

    /// A task ends with some rows.
    fn end(&mut self, task: u64) {
        let rows = rows_of(task);
        self.part.write_all(rows.as_bytes()).unwrap();
        self.grown.add(rows.as_bytes(), task % 4);
        self.done.insert(task);
        self.outcomes.add(Outcomes { ok: 1, ..Outcomes::default() });
    }

    fn commit(&mut self) {
        let mut all = self.states.last().unwrap().clone();
        all |= &self.done;
        self.states.push(all);
        let commit = Commit {
            done: std::mem::take(&mut self.done),
            outcomes: std::mem::take(&mut self.outcomes),
            files: BTreeMap::from([(self.name.clone(), self.grown.extent(Content::Rows))]),
            ..Commit::default()
        };
        self.manifest.append(commit).unwrap();
    }
}

/// The rows of a task: none, one or some.
fn rows_of(task: u64) -> String {
    (0..task % 4).map(|row| format!("{{\"task\":{task},\"row\":{row}}}\n")).collect()
}

/// What the part files hold is what the done tasks wrote, and nothing else.
fn check(out: &Path, state: &Commit) {
    let mut rows: Vec<String> = Vec::new();
    for entry in fs::read_dir(out.join("parts")).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        rows.extend(text.lines().map(|line| format!("{line}\n")));
    }
    rows.sort();
    let mut expected: Vec<String> = state
        .done
        .iter()
        .flat_map(|task| rows_of(task).lines().map(|line| format!("{line}\n")).collect::<Vec<_>>())
        .collect();
    expected.sort();
    assert_eq!(rows, expected);
    assert_eq!(state.outcomes.ok, state.done.len());
}

#[derive(Debug, Clone)]
enum Step {
    End(usize),
    Commit(usize),
    /// All workers are killed, and a generation follows.
    Kill,
}

#[derive(Debug, Clone)]
enum Harm {
    None,
    /// The file ends here.
    Cut,
    Flip(u8),
    /// Bytes of somebody behind the end.
    Append,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..3_usize).prop_map(Step::End),
        3 => (0..3_usize).prop_map(Step::Commit),
        1 => Just(Step::Kill),
    ]
}

fn harm() -> impl Strategy<Value = Harm> {
    prop_oneof![
        Just(Harm::None),
        Just(Harm::Cut),
        (0..8_u8).prop_map(|bit| Harm::Flip(1 << bit)),
        Just(Harm::Append)
    ]
}

/// All files of the run.
fn files(out: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in ["commit", "parts"] {
        found.extend(fs::read_dir(out.join(folder)).unwrap().map(|entry| entry.unwrap().path()));
    }
    found.sort();
    found
}

fn inflict(path: &Path, harm: &Harm, at: f64) -> bool {
    let mut bytes = fs::read(path).unwrap();
    let at = (bytes.len() as f64 * at) as usize;
    match harm {
        Harm::None => return false,
        Harm::Cut => bytes.truncate(at),
        Harm::Flip(bits) if at < bytes.len() => bytes[at] ^= bits,
        Harm::Flip(_) => return false,
        Harm::Append => bytes.extend_from_slice(b"SFc1\x04\0\0\0garbage\n"),
    }
    fs::write(path, bytes).unwrap();
    true
}

/// Whether each worker's part of the done tasks is one that it had committed.
fn is_prefix(state: &Commit, workers: &[Worker], base: &RoaringTreemap) -> bool {
    let mut rest = state.done.clone();
    rest -= base;
    let apart = workers.iter().all(|worker| {
        let all = worker.states.last().unwrap();
        worker.states.contains(&(all & &rest))
    });
    workers.iter().for_each(|worker| rest -= worker.states.last().unwrap());
    apart && rest.is_empty() && base.is_subset(&state.done)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn whatever_is_killed_or_damaged_rows_and_done_tasks_agree(
        steps in prop::collection::vec(step(), 1..60),
        harm in harm(),
        file in 0.0..1.0_f64,
        at in 0.0..1.0_f64,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path();
        let mut base = recover(out).unwrap();
        let workers = |generation| (0..3).map(|peer| Worker::new(out, generation, peer)).collect::<Vec<_>>();
        let mut cluster = workers(1);
        let mut task = 0;
        for step in &steps {
            match step {
                Step::End(worker) => {
                    cluster[*worker].end(task);
                    task += 1;
                }
                Step::Commit(worker) => cluster[*worker].commit(),
                Step::Kill => {
                    let state = recover(out).unwrap();
                    prop_assert!(is_prefix(&state, &cluster, &base.done));
                    let last: u64 = cluster.iter().map(|w| w.states.last().unwrap().len()).sum();
                    prop_assert_eq!(state.done.len(), base.done.len() + last, "nothing committed is lost");
                    check(out, &state);
                    cluster = workers(state.generation + 1);
                    base = state;
                }
            }
        }
        let all = files(out);
        let path = &all[((all.len() as f64 * file) as usize).min(all.len() - 1)];
        let harmed = inflict(path, &harm, at);
        match recover(out) {
            Ok(state) => {
                prop_assert!(is_prefix(&state, &cluster, &base.done));
                check(out, &state);
                prop_assert_eq!(&recover(out).unwrap().done, &state.done, "it can be made again");
                check(out, &state);
                // And it goes on.
                let mut next = Worker::new(out, state.generation + 1, 0);
                next.end(task);
                next.commit();
                let state = recover(out).unwrap();
                prop_assert!(state.done.contains(task));
                check(out, &state);
            }
            Err(error) => {
                let text = error.to_string();
                prop_assert!(harmed && text.contains("is damaged"), "{text}");
                prop_assert!(text.contains(&path.display().to_string()), "it names the file: {text}");
            }
        }
    }

    #[test]
    fn a_record_is_read_back_as_it_was_written(
        tasks in prop::collection::vec(any::<u64>(), 0..50),
        bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let commit = Commit {
            generation: 3,
            sequence: 9,
            outcomes: Outcomes { ok: 1, dead: 2, late: 3, unreadable: 4 },
            done: tasks.into_iter().collect(),
            files: BTreeMap::from([("parts/a".into(), Grown::default().extent(Content::Counts))]),
        };
        let encoded = commit.encode();
        prop_assert_eq!(Commit::decode(&encoded), Some(commit));
        for end in 0..encoded.len() {
            prop_assert_eq!(Commit::decode(&encoded[..end]), None);
        }
        // Must not panic.
        let _ = Commit::decode(&bytes);
    }
}

#[test]
fn a_damaged_record_is_the_end_only_if_nothing_whole_follows() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path();
    recover(out).unwrap();
    let place = Place { folder: super::folder(out), generation: 1, peer: 0 };
    let mut manifest = Manifest::create(place.clone()).unwrap();
    let mut ends = Vec::new();
    for task in 0..3 {
        manifest
            .append(Commit { done: [task].into_iter().collect(), ..Commit::default() })
            .unwrap();
        ends.push(fs::metadata(place.log()).unwrap().len() as usize);
    }
    let whole = fs::read(place.log()).unwrap();
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        fs::write(place.log(), bytes).unwrap();
        if at < ends[1] {
            let error = read(out).unwrap_err().to_string();
            assert!(error.contains("000001-0000.log") && error.contains("--fresh"), "{error}");
        } else {
            assert_eq!(read(out).unwrap().done, (0..2).collect::<RoaringTreemap>());
        }
    }
    for length in 0..whole.len() {
        fs::write(place.log(), &whole[..length]).unwrap();
        let records = ends.iter().filter(|end| **end <= length).count() as u64;
        assert_eq!(read(out).unwrap().done.len(), records);
    }
}

#[test]
fn a_list_in_the_place_of_a_base_is_no_base() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path();
    recover(out).unwrap();
    let mut worker = Worker::new(out, 1, 0);
    let place = Place { folder: super::folder(out), generation: 1, peer: 0 };
    let mut task = 0;
    // Until it has been shortened; then one more.
    while !place.base().exists() {
        worker.end(task);
        worker.commit();
        task += 1;
    }
    worker.end(task);
    worker.commit();
    for base in [place.base(), out.join("commit/base")] {
        let whole = fs::read(&base).unwrap();
        fs::copy(place.log(), &base).unwrap();
        let error = recover(out).unwrap_err().to_string();
        assert!(error.contains("is damaged") && error.contains("base"), "{error}");
        fs::write(&base, whole).unwrap();
    }
    let state = recover(out).unwrap();
    assert_eq!(state.done.len(), task + 1);
    check(out, &state);
}

#[test]
fn the_thread_commits_all_that_was_noted_and_waits_when_it_is_behind() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path();
    begin(out).unwrap();
    let name = part_name("x.jsonl", 1, 0);
    let mut part = File::create(out.join(&name)).unwrap();
    let tracked = Tracked { name: name.clone(), file: part.try_clone().unwrap(), outbox: None };
    let committer = Committer::start(out, 1, 0, vec![tracked]).unwrap();
    let mut grown = Grown::default();
    let tasks = 200_000;
    for chunk in (0..tasks).collect::<Vec<u64>>().chunks(100) {
        let text: String = chunk.iter().map(|task| rows_of(*task)).collect();
        grown.add(text.as_bytes(), 1);
        let outcomes = Outcomes { ok: chunk.len() as u64, ..Outcomes::default() };
        let mut bytes = text.into_bytes();
        let growth = Growth { extent: grown.extent(Content::Rows), bytes: &mut bytes };
        committer.note(&mut chunk.to_vec(), outcomes, std::iter::once((0, growth))).unwrap();
    }
    committer.close().unwrap();
    part.write_all(b"never committed\n").unwrap();
    let state = recover(out).unwrap();
    assert_eq!(state.done.len(), tasks);
    check(out, &state);
    discard(out).unwrap();
    assert!(fs::read_dir(out).unwrap().next().is_none());
}

#[test]
fn a_commit_that_cannot_be_written_is_said_once_and_blocks_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path();
    begin(out).unwrap();
    // A device that is always full.
    let Ok(full) = OpenOptions::new().write(true).open("/dev/full") else { return };
    let committer = Committer::start(
        out,
        1,
        0,
        vec![Tracked { name: "parts/x".into(), file: full, outbox: None }],
    )
    .unwrap();
    let mut grown = Grown::default();
    let mut said = 0;
    for task in 0..100_000 {
        grown.add(b"x", 1);
        let growth = Growth { extent: grown.extent(Content::Rows), bytes: &mut b"x".to_vec() };
        let one = std::iter::once((0, growth));
        let noted = committer.note(&mut vec![task], Outcomes::default(), one);
        said += u32::from(noted.is_err());
    }
    let closed = committer.close();
    assert_eq!(said + u32::from(closed.is_err()), 1);
    assert_eq!(read(out).unwrap().done.len(), 0);
}

#[test]
fn a_log_that_is_removed_under_the_run_is_an_error_and_no_silent_loss() {
    let out = tempfile::tempdir().unwrap();
    begin(out.path()).unwrap();
    let mut worker = Worker::new(out.path(), 0, 0);
    worker.end(1);
    worker.commit();
    fs::remove_dir_all(folder(out.path())).unwrap();
    let lost = worker.manifest.append(Commit::default()).unwrap_err().to_string();
    assert!(lost.contains("removed or replaced while the run was writing it"), "{lost}");
}
