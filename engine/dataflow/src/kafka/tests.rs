//! The reader against a topic in memory, and the outbox against brokers that fail: generations that
//! are broken off anywhere make the same tasks, and no row is lost.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use roaring::RoaringTreemap;

use super::outbox::{Outbox, Sender};
use super::reader::{Next, Reader, Trouble};
use super::*;
use crate::commit::ledger::{self, Passed};
use crate::commit::{begin, folder};
use crate::sources::Kept;

/// Messages by partition; offsets may be missing.
type Log = Arc<Mutex<BTreeMap<i32, BTreeMap<i64, Vec<u8>>>>>;

/// Gives messages of the partitions in an order of its own.
struct Memory {
    log: Log,
    at: BTreeMap<i32, i64>,
    told: BTreeSet<i32>,
    turn: usize,
    group: BTreeMap<i32, i64>,
}

impl Memory {
    fn new(log: &Log, turn: usize) -> Self {
        let log = Arc::clone(log);
        Memory { log, at: BTreeMap::new(), told: BTreeSet::new(), turn, group: BTreeMap::new() }
    }
}

impl Topic for Memory {
    fn bounds(&mut self) -> Result<BTreeMap<i32, (i64, i64)>, String> {
        let log = self.log.lock().unwrap();
        let ends = |messages: &BTreeMap<i64, Vec<u8>>| {
            let end = messages.keys().next_back().map_or(0, |last| last + 1);
            (messages.keys().next().copied().unwrap_or(end), end)
        };
        Ok(log.iter().map(|(partition, messages)| (*partition, ends(messages))).collect())
    }

    fn of_group(&mut self) -> Result<BTreeMap<i32, i64>, String> {
        Ok(self.group.clone())
    }

    fn tell_group(&mut self, offsets: &BTreeMap<i32, i64>) -> Result<(), String> {
        self.group.clone_from(offsets);
        Ok(())
    }

    fn read_from(&mut self, offsets: &BTreeMap<i32, i64>) -> Result<(), String> {
        self.at.clone_from(offsets);
        self.told.clear();
        Ok(())
    }

    fn poll(&mut self, _wait: Duration) -> Result<Polled, String> {
        let partitions: Vec<i32> = self.at.keys().copied().collect();
        for _ in 0..partitions.len() {
            self.turn = self.turn.wrapping_mul(31).wrapping_add(7);
            let partition = partitions[self.turn / 3 % partitions.len()];
            let log = self.log.lock().unwrap();
            let found = log[&partition].range(self.at[&partition]..).next();
            if let Some((offset, value)) = found {
                self.at.insert(partition, offset + 1);
                self.told.remove(&partition);
                let value = Some(value.clone());
                return Ok(Polled::Message(Message { partition, offset: *offset, value }));
            }
            if self.told.insert(partition) {
                return Ok(Polled::End(partition));
            }
        }
        Ok(Polled::Nothing)
    }
}

fn options(until: Until) -> SourceOptions {
    SourceOptions {
        brokers: "b:1".into(),
        topic: "t".into(),
        group: String::new(),
        start: Start::Earliest,
        until,
        patience: Duration::from_secs(1),
    }
}

fn kept(out: &Path, generation: u32, done: &RoaringTreemap, buried: u64, most: u64) -> Kept {
    Kept {
        out: out.to_owned(),
        generation,
        done: Arc::new(done.clone()),
        buried,
        most,
        round: 0,
        web: None,
    }
}

/// Messages that begin with `x` are unreadable.
fn makes(messages: &[Message], size: usize) -> Passed {
    let good = |message: &&Message| message.value.as_ref().is_some_and(|v| !v.starts_with(b"x"));
    let records = messages.iter().filter(good).count() as u64;
    let tasks = messages.chunks(size).filter(|chunk| chunk.iter().any(|m| good(&m))).count() as u64;
    Passed { tasks, records, bad: messages.len() as u64 - records }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// The oracle: a task has the same messages in each generation that does it, every message is in
    /// one task or one unreadable row, and what is done is not read once more if it stands in front.
    #[test]
    fn generations_make_the_same_tasks_and_leave_out_nothing(
        sizes in prop::collection::vec(0_i64..400, 1..4),
        gap in 2_i64..9,
        size in 1_usize..5,
        stops in prop::collection::vec((0_usize..1500, any::<u64>()), 0..4),
        late in 0_i64..50,
        limit in prop::option::of(1_u64..900),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path();
        begin(out).unwrap();
        let log: Log = Log::default();
        let text = |p: usize, offset: i64| {
            let bad = if offset % 5 == 2 { "x" } else { "" };
            format!("{bad}{p}/{offset}").into_bytes()
        };
        for (p, count) in sizes.iter().enumerate() {
            let offsets = (0..*count).filter(|offset| offset % gap != 1);
            let messages = offsets.map(|offset| (offset, text(p, offset))).collect();
            log.lock().unwrap().insert(p as i32, messages);
        }
        let whole: BTreeSet<Vec<u8>> =
            log.lock().unwrap().values().flat_map(|messages| messages.values().cloned()).collect();
        let most = limit.unwrap_or(u64::MAX);

        let mut tasks: BTreeMap<u64, Vec<Message>> = BTreeMap::new();
        let mut bad: Vec<Vec<u8>> = Vec::new();
        let mut done = RoaringTreemap::new();
        let mut generation = 0;
        let mut stops = stops.into_iter();
        loop {
            generation += 1;
            let stop = stops.next();
            let kept = kept(out, generation, &done, bad.len() as u64, most);
            let topic = Box::new(Memory::new(&log, generation as usize));
            let mut reader = Reader::keep(topic, options(Until::End), &kept).unwrap();
            let (mut number, mut skipped, mut steps, mut broken) = (0, bad.len(), 0, false);
            loop {
                let next = reader.next(&mut |messages| makes(messages, size)).unwrap();
                match next {
                    Next::End => break,
                    Next::Nothing => {}
                    Next::Passed(passed) => {
                        prop_assert!((number..number + passed.tasks).all(|task| done.contains(task)));
                        number += passed.tasks;
                        skipped -= passed.bad as usize;
                    }
                    Next::Messages(messages) => for chunk in messages.chunks(size) {
                        steps += 1;
                        if stop.is_some_and(|(at, _)| steps > at) {
                            broken = true;
                            break;
                        }
                        let (rows, none): (Vec<_>, Vec<_>) = chunk.iter().cloned().partition(
                            |message| !message.value.as_ref().unwrap().starts_with(b"x"),
                        );
                        for message in none {
                            if skipped > 0 { skipped -= 1 } else { bad.push(message.value.unwrap()) }
                        }
                        if rows.is_empty() { continue }
                        if let Some(before) = tasks.get(&number) {
                            prop_assert_eq!(before, &rows);
                        } else {
                            prop_assert!(!done.contains(number));
                            tasks.insert(number, rows);
                        }
                        // Some are done before others.
                        let draw = stop.map_or(0, |(_, seed)| seed.rotate_left(number as u32));
                        if draw % 4 != 1 {
                            done.insert(number);
                        }
                        number += 1;
                    },
                }
                if broken { break }
            }
            // More comes meanwhile; the run ends where its first generation saw the end.
            let first = sizes[0];
            let more = (first..first + late).map(|offset| (offset, text(0, offset)));
            log.lock().unwrap().get_mut(&0).unwrap().extend(more);
            if stop.is_none() { break }
        }
        prop_assert_eq!(done.len(), tasks.len() as u64);
        let rows = tasks.values().flatten().map(|message| message.value.clone().unwrap());
        let read: Vec<Vec<u8>> = rows.chain(bad.iter().cloned()).collect();
        let distinct: BTreeSet<Vec<u8>> = read.iter().cloned().collect();
        prop_assert_eq!(distinct.len(), read.len(), "none is read twice");
        prop_assert_eq!(read.len() as u64, most.min(whole.len() as u64));
        prop_assert!(distinct.is_subset(&whole));
        // All is done, so all is settled, and the next generation reads nothing.
        let noted = ledger::read(out).unwrap().unwrap();
        let next = noted.next();
        prop_assert_eq!(noted.settled(&done, bad.len() as u64), next);
        let mut nothing = Memory::new(&log, 1);
        nothing.log = Arc::clone(&log);
        let kept = kept(out, generation + 1, &done, bad.len() as u64, most);
        let mut reader = Reader::keep(Box::new(nothing), options(Until::End), &kept).unwrap();
        loop {
            match reader.next(&mut |messages| makes(messages, size)).unwrap() {
                Next::End => break,
                Next::Messages(messages) => prop_assert!(false, "{messages:?}"),
                Next::Passed(_) | Next::Nothing => {}
            }
        }
    }
}

fn log_of(partitions: &[(i32, std::ops::Range<i64>)]) -> Log {
    let log = Log::default();
    for (partition, offsets) in partitions {
        let messages = offsets.clone().map(|offset| (offset, offset.to_string().into_bytes()));
        log.lock().unwrap().insert(*partition, messages.collect());
    }
    log
}

fn read_all(reader: &mut Reader) -> Result<Vec<(i32, i64)>, Trouble> {
    let mut read = Vec::new();
    loop {
        match reader.next(&mut |messages| makes(messages, 1))? {
            Next::End => return Ok(read),
            Next::Messages(messages) => {
                read.extend(messages.iter().map(|m| (m.partition, m.offset)));
            }
            Next::Passed(_) | Next::Nothing => {}
        }
    }
}

#[test]
fn a_new_run_begins_where_it_is_told() {
    let log = log_of(&[(0, 5..9), (1, 0..2)]);
    let begun = |start, group: &[(i32, i64)]| {
        let mut topic = Memory::new(&log, 0);
        topic.group = group.iter().copied().collect();
        let options =
            SourceOptions { start, group: "g".into(), ..options(Until::Idle(Duration::ZERO)) };
        let folder = tempfile::tempdir().unwrap();
        begin(folder.path()).unwrap();
        let kept = kept(folder.path(), 1, &RoaringTreemap::new(), 0, u64::MAX);
        let mut reader = Reader::keep(Box::new(topic), options, &kept).unwrap();
        read_all(&mut reader).unwrap().len()
    };
    assert_eq!(begun(Start::Earliest, &[]), 6);
    assert_eq!(begun(Start::Latest, &[]), 0);
    assert_eq!(begun(Start::Latest, &[(0, 7)]), 2);
    assert_eq!(begun(Start::Earliest, &[(0, 2), (1, 9)]), 4, "what is gone is gone");
}

#[test]
fn messages_that_are_gone_are_an_error_and_no_gap() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path();
    begin(out).unwrap();
    let log = log_of(&[(0, 0..10)]);
    let none = RoaringTreemap::new();
    let begin = |generation, done: &RoaringTreemap| {
        let topic = Box::new(Memory::new(&log, 0));
        let until = Until::Idle(Duration::ZERO);
        let mut reader =
            Reader::keep(topic, options(until), &kept(out, generation, done, 0, u64::MAX))
                .map_err(|trouble| format!("{trouble:?}"))?;
        read_all(&mut reader).map_err(|trouble| format!("{trouble:?}"))
    };
    assert_eq!(begin(1, &none).unwrap().len(), 10);
    assert_eq!(begin(2, &none).unwrap().len(), 10);
    log.lock().unwrap().get_mut(&0).unwrap().retain(|offset, _| *offset != 6);
    let error = begin(3, &none).unwrap_err();
    assert!(error.contains("1 messages before offset 10 of partition 0"), "{error}");
    log.lock().unwrap().get_mut(&0).unwrap().retain(|offset, _| *offset > 3);
    let error = begin(4, &none).unwrap_err();
    assert!(error.contains("goes on at offset 0") && error.contains("begins at 4"), "{error}");
    // Of what is done nobody wants anything any more.
    assert_eq!(begin(5, &(0..10).collect()).unwrap(), []);
    log.lock().unwrap().get_mut(&0).unwrap().retain(|offset, _| *offset < 5);
    let error = begin(6, &(0..10).collect()).unwrap_err();
    assert!(error.contains("ends at offset 5, before what was read"), "{error}");
}

/// Brokers that have what they were given, until they are away.
#[derive(Clone, Default)]
struct Brokers {
    rows: Arc<Mutex<Vec<String>>>,
    left: Arc<Mutex<VecDeque<bool>>>,
}

impl Delivery for Brokers {
    fn deliver(&mut self, lines: &[u8], _name: &str) -> Result<(), Undelivered> {
        let good = self.left.lock().unwrap().pop_front().unwrap_or(true);
        let text = String::from_utf8(lines.to_vec()).unwrap();
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        // Some of the rows may have come all the same.
        let taken = if good { lines.len() } else { lines.len() / 2 };
        self.rows.lock().unwrap().extend(lines.into_iter().take(taken));
        if good { Ok(()) } else { Err(Undelivered::Failed("the brokers are away".into())) }
    }
}

#[test]
fn what_was_not_delivered_is_delivered_by_the_next_generation() {
    let out = tempfile::tempdir().unwrap();
    let out = out.path();
    begin(out).unwrap();
    let sender =
        |part: &str| Sender { name: "s".into(), line: 3, out: out.into(), part: part.into() };
    let brokers = Brokers::default();
    brokers.left.lock().unwrap().extend([true, false]);
    let commits = ["1\n2\n", "3\n4\n", "5\n6\n"];
    let part = "parts/x.0000010000";
    std::fs::write(out.join(part), commits.concat()).unwrap();
    let start = |part: &str, left: &[(String, u64)]| {
        Outbox::start(Box::new(brokers.clone()), sender(part), left.to_vec()).unwrap()
    };
    let mut outbox = start(part, &[]);
    let ended = commits
        .iter()
        .try_for_each(|rows| outbox.take(rows.as_bytes().to_vec()))
        .and_then(|()| outbox.finish());
    let error = ended.unwrap_err().to_string();
    assert!(
        error.contains("sink `s` (line 3): the brokers are away; its rows are kept"),
        "{error}"
    );

    // A position that is half written counts for nothing.
    let mark = folder(out).join("sent-x.0000010000");
    assert_eq!(std::fs::read_to_string(&mark).unwrap(), "4\n");
    std::fs::write(&mark, "4\n9").unwrap();
    let left = [(part.to_owned(), 12)];
    for generation in ["parts/x.0000020000", "parts/x.0000030000"] {
        start(generation, &left).finish().unwrap();
        let mut rows = brokers.rows.lock().unwrap().clone();
        assert_eq!(rows.len(), 7, "{rows:?}");
        rows.sort();
        rows.dedup();
        assert_eq!(rows, ["1", "2", "3", "4", "5", "6"]);
    }
}
