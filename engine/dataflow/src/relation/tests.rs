//! The maintained results against naive recomputation, over random changes in random batches.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use differential_dataflow::input::InputSession;
use proptest::prelude::*;
use sage_core::expr::Templates;
use sage_core::record::{Datum, Items, pack};
use sage_dsl::catalog::Catalog;
use sage_dsl::plan::{Expr, RelationPlan};
use timely::WorkerConfig;
use timely::communication::Allocator;
use timely::communication::allocator::Thread;
use timely::worker::Worker;

use super::failed::Failed;
use super::packed::Packed;
use super::steps::Steps;

const PROGRAM: &str = r#"sage 1
type Row { id: int @key, key: string, x: int?, f: float, s: string }
source rows: Row from generate(count: 1, key: "k", f: 1.0, s: "s")
sink groups to jsonl("groups.jsonl")
sink whole to jsonl("whole.jsonl")
flow f {
  from rows
  group by .key {
    n: count(), small: count(.f < 2.0), sum: sum(.x), mean: avg(.x), low: min(.f), high: max(.s)
    median: quantile(.f, 50%), top: top_k(.s, k: 2, by: .f), all: collect(.s)
    each: distinct(.s), different: count_distinct(.x)
  }
  where .n > 1
  emit into groups
  stage half = .n / 2
  group { keys: count(), n: sum(.n), halves: sum(half) }
  emit into whole
}"#;

fn relation(program: &str) -> RelationPlan {
    let catalog = Catalog {
        stages: crate::stages::SPECS,
        sources: crate::sources::SIGNATURES,
        documents: &[],
        sinks: crate::sinks::SIGNATURES,
        policies: sage_core::policies::signatures(),
        profiles: &[],
        models: &[],
        columns: &[],
        own_files: &[],
    };
    let compiled = sage_dsl::compile(sage_dsl::Request {
        path: "test.sage",
        text: program,
        overrides: &[],
        env: &|_| None,
        load: &|path| Err(format!("no file {path}")),
        catalog: &catalog,
    });
    assert!(!compiled.failed(), "{:#?}", compiled.diagnostics);
    compiled.plans[0].relation().unwrap().clone()
}

/// One record: key, x, f, s.
#[derive(Debug, Clone, PartialEq)]
struct Record(u8, Option<i64>, i32, u8);

impl Record {
    fn key(&self) -> String {
        format!("k{}", self.0)
    }

    fn f(&self) -> f64 {
        f64::from(self.2) / 4.0
    }

    fn s(&self) -> String {
        format!("s{}", self.3)
    }

    /// As the plan wants it contributed, with its number.
    fn contribution(&self, id: i64, plan: &RelationPlan) -> Packed {
        let (key, s) = (self.key(), self.s());
        let columns = [
            Datum::Int(id),
            Datum::Str(&key),
            self.1.map_or(Datum::Null, Datum::Int),
            Datum::Float(self.f()),
            Datum::Str(&s),
        ];
        let mut out = Vec::new();
        for value in &plan.values {
            match value {
                Expr::Column(at) => pack(&mut out, columns[*at]),
                // `.f < 2.0`
                _ => pack(&mut out, Datum::Bool(self.f() < 2.0)),
            }
        }
        assert!(plan.numbered);
        pack(&mut out, Datum::Int(id));
        pack(&mut out, Datum::Int(0));
        Packed::from(out)
    }
}

/// The rows of `groups` and `whole`, computed from nothing but the records.
fn naive(records: &BTreeMap<i64, Record>) -> [Vec<String>; 2] {
    let mut groups: BTreeMap<String, Vec<&Record>> = BTreeMap::new();
    for record in records.values() {
        groups.entry(record.key()).or_default().push(record);
    }
    let mut rows = Vec::new();
    let mut whole = (0_i64, 0_i64, 0_i64);
    for (key, members) in groups {
        let n = members.len() as i64;
        if n < 2 {
            continue;
        }
        let xs: Vec<i64> = members.iter().filter_map(|it| it.1).collect();
        let mut fs: Vec<f64> = members.iter().map(|it| it.f()).collect();
        fs.sort_by(f64::total_cmp);
        let median = fs[(members.len() - 1) / 2];
        let all: Vec<String> = members.iter().map(|it| it.s()).collect();
        let mut top: Vec<(i32, String)> = members.iter().map(|it| (it.2, it.s())).collect();
        top.sort();
        top.reverse();
        let top: Vec<&String> = top.iter().take(2).map(|(_, s)| s).collect();
        let each: BTreeSet<&String> = all.iter().collect();
        let different: BTreeSet<i64> = xs.iter().copied().collect();
        let sum = (!xs.is_empty()).then(|| xs.iter().sum::<i64>());
        let mean = sum.map(|sum| sum as f64 / xs.len() as f64);
        rows.push(format!(
            "{key} {n} {} {sum:?} {mean:?} {:?} {} {median:?} {top:?} {all:?} {each:?} {}",
            members.iter().filter(|it| it.f() < 2.0).count(),
            fs[0],
            all.iter().max().unwrap(),
            different.len(),
        ));
        whole = (whole.0 + 1, whole.1 + n, whole.2 + n / 2);
    }
    let (keys, n, halves) = whole;
    [rows, (keys > 0).then(|| format!("{keys} {n} {halves}")).into_iter().collect()]
}

/// A maintained row in the words of [`naive`].
fn shown(sink: usize, row: &Packed) -> String {
    let values: Vec<Datum<'_>> = Items::new(&row.0).collect();
    let texts = |datum: Datum<'_>| -> Vec<String> {
        datum.items().map(|item| item.as_str().unwrap().to_owned()).collect()
    };
    let int = |at: usize| values[at].as_int().unwrap();
    if sink == 1 {
        return format!("{} {} {}", int(0), int(1), int(2));
    }
    let each: BTreeSet<String> = texts(values[10]).into_iter().collect();
    assert_eq!(each.len(), texts(values[10]).len());
    format!(
        "{} {} {} {:?} {:?} {:?} {} {:?} {:?} {:?} {each:?} {}",
        values[0].as_str().unwrap(),
        int(1),
        int(2),
        values[3].as_int(),
        values[4].as_float(),
        values[5].as_float().unwrap(),
        values[6].as_str().unwrap(),
        values[7].as_float().unwrap(),
        texts(values[8]),
        texts(values[9]),
        int(11),
    )
}

type State = Rc<RefCell<[BTreeMap<Packed, isize>; 2]>>;

fn rows_of(state: &State, sink: usize) -> Vec<String> {
    let state = state.borrow();
    let mut rows = Vec::new();
    for (row, count) in &state[sink] {
        assert!((0..=1).contains(count), "{count} of {}", shown(sink, row));
        rows.extend((*count == 1).then(|| shown(sink, row)));
    }
    rows.sort();
    rows
}

fn templates() -> Rc<Templates> {
    Rc::new(Templates::compile(&[]).unwrap())
}

/// A change of the record with this number: it is there as said, or gone.
type Change = (i64, Option<Record>);

fn changes() -> impl Strategy<Value = Vec<Vec<Change>>> {
    let record = (0_u8..4, proptest::option::of(-5_i64..5), 0_i32..16, 0_u8..5);
    let record = record.prop_map(|(key, x, f, s)| Record(key, x, f, s));
    let change = (0_i64..20, proptest::option::weighted(0.7, record));
    proptest::collection::vec(proptest::collection::vec(change, 0..12), 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn results_are_those_of_a_naive_recount_after_every_batch(batches in changes()) {
        let plan = relation(PROGRAM);
        let alone = Allocator::Thread(Thread::default());
        let mut worker = Worker::new(WorkerConfig::default(), alone, None);
        let state = State::default();
        let mut input: InputSession<u64, Packed, isize> = InputSession::new();
        let steps = Steps::compile(&plan).unwrap();
        let probe = worker.dataflow(|scope| {
            let probe = timely::dataflow::ProbeHandle::new();
            let rows = input.to_collection(scope);
            let failed = steps.render(rows, Vec::new(), &templates(), |sink, rows| {
                let state = Rc::clone(&state);
                rows.inspect(move |(row, _, count)| {
                    *state.borrow_mut()[sink].entry(row.clone()).or_default() += count;
                })
                .probe_with(&probe);
            });
            failed.inspect(|(failed, ..)| panic!("{failed:?}")).probe_with(&probe);
            probe
        });
        let mut records: BTreeMap<i64, Record> = BTreeMap::new();
        for (round, batch) in batches.into_iter().enumerate() {
            for (id, record) in batch {
                let before = match record {
                    Some(record) => {
                        input.insert(record.contribution(id, &plan));
                        records.insert(id, record)
                    }
                    None => records.remove(&id),
                };
                if let Some(before) = before {
                    input.remove(before.contribution(id, &plan));
                }
            }
            input.advance_to(round as u64 + 1);
            input.flush();
            while probe.less_than(input.time()) {
                worker.step();
            }
            let expected = naive(&records);
            for (sink, expected) in expected.iter().enumerate() {
                prop_assert_eq!(&rows_of(&state, sink), expected);
            }
        }
    }
}

const FAILING: &str = r#"sage 1
type Row { id: int @key, key: string, x: int?, f: float, s: string }
source rows: Row from generate(count: 1, key: "k", f: 1.0, s: "s")
sink groups to jsonl("groups.jsonl")
sink marks to jsonl("marks.jsonl")
flow f {
  from rows
  group by .key { n: count(), all: collect(.s), sum: sum(.x) }
  stage even = 12 / (.n % 2)
  emit { key: .key, even: even } into groups
  emit { key: .key, first: 12 / (.n - 1) } into marks
}"#;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// What is written, and what has failed, is that of the records that are there: a failure is taken
    /// back with the rows that it came of.
    #[test]
    fn failures_come_and_go_with_their_rows(batches in changes()) {
        let plan = relation(FAILING);
        let alone = Allocator::Thread(Thread::default());
        let mut worker = Worker::new(WorkerConfig::default(), alone, None);
        let state = State::default();
        let failures: Rc<RefCell<BTreeMap<Failed, isize>>> = Rc::default();
        let mut input: InputSession<u64, Packed, isize> = InputSession::new();
        let steps = Steps::compile(&plan).unwrap();
        let places = steps.places();
        let probe = worker.dataflow(|scope| {
            let probe = timely::dataflow::ProbeHandle::new();
            let rows = input.to_collection(scope);
            let failed = steps.render(rows, Vec::new(), &templates(), |sink, rows| {
                let state = Rc::clone(&state);
                rows.inspect(move |(row, _, count)| {
                    *state.borrow_mut()[sink].entry(row.clone()).or_default() += count;
                })
                .probe_with(&probe);
            });
            let known = Rc::clone(&failures);
            failed
                .inspect(move |(failed, _, count)| {
                    *known.borrow_mut().entry(failed.clone()).or_default() += count;
                })
                .probe_with(&probe);
            probe
        });
        let mut records: BTreeMap<i64, Record> = BTreeMap::new();
        for (round, batch) in batches.into_iter().enumerate() {
            for (id, record) in batch {
                let before = match record {
                    Some(record) => {
                        input.insert(record.contribution(id, &plan));
                        records.insert(id, record)
                    }
                    None => records.remove(&id),
                };
                if let Some(before) = before {
                    input.remove(before.contribution(id, &plan));
                }
            }
            input.advance_to(round as u64 + 1);
            input.flush();
            while probe.less_than(input.time()) {
                worker.step();
            }
            let mut sizes: BTreeMap<String, i64> = BTreeMap::new();
            records.values().for_each(|record| *sizes.entry(record.key()).or_default() += 1);
            // An even number fails in the stage; one alone in the second emit, and so writes nothing.
            let expected: Vec<(String, i64, &str)> = sizes
                .iter()
                .filter(|(_, n)| **n % 2 == 0 || **n == 1)
                .map(|(key, n)| (key.clone(), *n, if n % 2 == 0 { "even" } else { "emit" }))
                .collect();
            let mut found: Vec<(String, i64, &str)> = Vec::new();
            for (failed, count) in failures.borrow().iter().filter(|(_, count)| **count != 0) {
                prop_assert_eq!(*count, 1);
                prop_assert_eq!(&failed.message, "division by zero");
                let place = &places[failed.place as usize];
                let columns = failed.row.columns();
                let at = |name: &str| {
                    let named = |it: &Option<sage_dsl::plan::Column>| {
                        it.as_ref().is_some_and(|column| column.name == name)
                    };
                    columns[place.columns.iter().position(named).unwrap()]
                };
                let key = at("key").as_str().unwrap().to_owned();
                found.push((key, at("n").as_int().unwrap(), place.stage.as_str()));
            }
            found.sort();
            prop_assert_eq!(found, expected);
            let written = sizes.values().filter(|n| **n % 2 == 1 && **n > 1).count();
            for sink in 0..2 {
                let there = state.borrow()[sink].values().filter(|count| **count != 0).count();
                prop_assert_eq!(there, written);
            }
        }
    }
}
