//! `codecs`: what it costs to bring items across a process border, by codec.
//!
//! Two kinds of items really cross: measurement events (every worker to the first) and tasks with
//! their rows (the first worker to all). `encode` starts from what the operators hold and ends with
//! bytes; `decode` starts from the received bytes and ends when every item was looked at.

use std::hint::black_box;
use std::time::{Duration, Instant};

use clap::Parser;
use columnar::bytes::indexed;
use columnar::{Borrow, Columnar, FromBytes, Index, Len};
use sage_core::event::{Event, Kind as EventKind};
use sage_core::record::{Datum, Rows, pack};
use sage_dataflow::pod::PodVec;
use sage_dataflow::task::Task;
use serde::{Deserialize, Serialize};
use serde_json::json;
use timely::bytes::arc::{Bytes, BytesMut};
use timely::container::PushInto;
use timely::dataflow::channels::ContainerBytes;

/// Nanoseconds an item for encoding and decoding, by codec
#[derive(Debug, Parser)]
#[command(name = "codecs")]
struct Args {
    /// Time for each measurement, milliseconds
    #[arg(long, default_value_t = 300)]
    millis: u64,
}

/// What is carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    /// A measurement event, 48 bytes.
    Event,
    /// A task with one row of a question, as in a flow with calls.
    Question,
    /// A task with 700 short rows, as in a cheap flow.
    Morsel,
}

/// The figures of one codec on one kind of item.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Measured {
    pub(crate) kind: Kind,
    pub(crate) codec: String,
    /// Nanoseconds an item.
    pub(crate) encode_ns: f64,
    /// Nanoseconds an item.
    pub(crate) decode_ns: f64,
    pub(crate) bytes: f64,
}

/// A [`Task`] without its dead: what columnar and abomonation can carry field by field.
#[derive(Debug, Clone, Columnar)]
pub(crate) struct Carried {
    pub(crate) id: u64,
    pub(crate) peer: u64,
    pub(crate) scheduled: bool,
    pub(crate) started_ns: u64,
    pub(crate) records: u32,
    pub(crate) attempts: u16,
    pub(crate) bytes: Vec<u8>,
    pub(crate) ends: Vec<u32>,
}

/// An [`Event`], field by field.
#[derive(Debug, Clone, Serialize, Deserialize, Columnar)]
struct Spread {
    task: u64,
    at_ns: u64,
    value: u64,
    extra: u64,
    node: u32,
    records: u32,
    job: u16,
    stage: u16,
    kind: u16,
    detail: u16,
}

/// Nanoseconds an item: the least of many rounds, because only disturbance can add to it.
fn least_ns(items: usize, time: Duration, mut round: impl FnMut()) -> f64 {
    let until = Instant::now() + time;
    let mut least = f64::INFINITY;
    while Instant::now() < until {
        let began = Instant::now();
        round();
        least = least.min(began.elapsed().as_nanos() as f64);
    }
    least / items as f64
}

fn events() -> Vec<Event> {
    let event = |i: u64| Event {
        node: (i % 16) as u32,
        value: i * 7,
        ..Event::new(EventKind::StageDone, i, 1_000_000 + i * 31)
    };
    (0..4096).map(event).collect()
}

fn tasks(kind: Kind) -> Vec<Task> {
    let (tasks, rows) = if kind == Kind::Morsel { (8, 700) } else { (512, 1) };
    let task = |id: u64| {
        let mut packed = Rows::default();
        for row in 0..rows {
            let number = id * rows + row;
            packed.push(|out| {
                pack(out, Datum::Str(&format!("q{number}")));
                pack(
                    out,
                    Datum::Str("How does the scheduler pick a worker when all queues are full?"),
                );
                pack(out, Datum::Int(number as i64 % 3));
            });
        }
        Task {
            id,
            peer: id % 16,
            scheduled: true,
            records: rows as u32,
            rows: packed,
            ..Task::default()
        }
    };
    (0..tasks).map(task).collect()
}

/// The same rows as [`Task`]s, with the two buffers of `Rows` laid open.
fn carried(tasks: &[Task]) -> Vec<Carried> {
    let open = |task: &Task| {
        let mut bytes = Vec::with_capacity(task.rows.byte_len());
        let mut ends = Vec::with_capacity(task.rows.len());
        for row in task.rows.iter() {
            bytes.extend_from_slice(row);
            ends.push(bytes.len() as u32);
        }
        let Task { id, peer, scheduled, started_ns, records, attempts, .. } = *task;
        Carried { id, peer, scheduled, started_ns, records, attempts, bytes, ends }
    };
    tasks.iter().map(open).collect()
}

/// Through a timely container, in the calls that timely makes.
fn container<C: ContainerBytes>(
    kind: Kind,
    codec: &str,
    (items, time): (usize, Duration),
    mut make: impl FnMut(&mut Vec<u8>),
    look: impl Fn(&C) -> u64,
) -> Measured {
    let mut wire = Vec::new();
    let encode_ns = least_ns(items, time, || {
        wire.clear();
        make(&mut wire);
        black_box(&wire);
    });
    let length = wire.len();
    let received: Bytes = BytesMut::from(wire).extract_to(length);
    let decode_ns = least_ns(items, time, || {
        black_box(look(&C::from_bytes(received.clone())));
    });
    let bytes = length as f64 / items as f64;
    Measured { kind, codec: codec.to_owned(), encode_ns, decode_ns, bytes }
}

fn send<C: ContainerBytes>(container: &C, wire: &mut Vec<u8>) {
    // Timely asks for the length first, to find room; for bincode that is a walk of its own.
    wire.reserve(container.length_in_bytes());
    container.into_bytes(wire);
}

/// Through columnar: `encode` builds the columns from the items and writes them.
fn columns<T: Columnar>(
    kind: Kind,
    items: &[T],
    time: Duration,
    look: impl Fn(&[u64]) -> u64,
) -> Measured
where
    T::Container: Default + for<'a> columnar::Push<&'a T> + columnar::Clear,
{
    let mut store = Vec::new();
    let mut columns = T::Container::default();
    let encode_ns = least_ns(items.len(), time, || {
        columnar::Clear::clear(&mut columns);
        items.iter().for_each(|item| columnar::Push::push(&mut columns, item));
        store.clear();
        indexed::encode(&mut store, &columns.borrow());
        black_box(&store);
    });
    let decode_ns = least_ns(items.len(), time, || {
        black_box(look(black_box(&store)));
    });
    let bytes = store.len() as f64 * 8.0 / items.len() as f64;
    Measured { kind, codec: "columnar".to_owned(), encode_ns, decode_ns, bytes }
}

/// The columns of `T` that lie in `store`.
fn view<T: Columnar>(store: &[u64]) -> <T::Container as Borrow>::Borrowed<'_> {
    <T::Container as Borrow>::Borrowed::from_bytes(&mut indexed::decode(store))
}

fn of_events(time: Duration) -> Vec<Measured> {
    let events = events();
    let batch = (events.len(), time);
    let look = |events: &[Event]| events.iter().fold(0, |sum, e| sum ^ e.task ^ e.at_ns);
    let mut pod = PodVec::default();
    events.iter().for_each(|event| pod.push_into(*event));
    let spread: Vec<Spread> = events
        .iter()
        .map(|e| Spread {
            task: e.task,
            at_ns: e.at_ns,
            value: e.value,
            extra: e.extra,
            node: e.node,
            records: e.records,
            job: e.job,
            stage: e.stage,
            kind: e.kind,
            detail: e.detail,
        })
        .collect();
    vec![
        container::<Vec<Spread>>(
            Kind::Event,
            "bincode (timely's default)",
            batch,
            |wire| send(&spread, wire),
            |events| events.iter().fold(0, |sum, e| sum ^ e.task ^ e.at_ns),
        ),
        columns(Kind::Event, &spread, time, |store| {
            let columns = view::<Spread>(store);
            let (task, at_ns) = (columns.task, columns.at_ns);
            (0..columns.len()).fold(0, |sum, i| sum ^ Index::get(&task, i) ^ Index::get(&at_ns, i))
        }),
        container::<PodVec<Event>>(
            Kind::Event,
            "plain old data, in place",
            batch,
            |wire| send(&pod, wire),
            |events| look(events.as_slice()),
        ),
    ]
}

fn of_tasks(kind: Kind, time: Duration) -> Vec<Measured> {
    let tasks = tasks(kind);
    let carried = carried(&tasks);
    vec![
        container::<Vec<Task>>(
            kind,
            "bincode (timely's default)",
            (tasks.len(), time),
            |wire| send(&tasks, wire),
            |tasks| {
                let rows = |task: &Task| task.rows.iter().map(|row| row.len() as u64).sum::<u64>();
                tasks.iter().fold(0, |sum, task| sum ^ task.id ^ rows(task))
            },
        ),
        columns(kind, &carried, time, |store| {
            let columns = view::<Carried>(store);
            let ends = |i: usize| {
                let ends = columns.ends.get(i);
                (0..ends.len()).fold(0, |sum, row| sum ^ u64::from(*ends.get(row)))
            };
            (0..columns.len()).fold(0, |sum, i| sum ^ Index::get(&columns.id, i) ^ ends(i))
        }),
    ]
}

#[cfg(feature = "codec-abomonation")]
fn abomonated<T: abomonation::Abomonation>(
    kind: Kind,
    items: &Vec<T>,
    time: Duration,
    look: impl Fn(&T) -> u64,
) -> Measured {
    use crate::abomonate::Encoded;
    let mut memory = Vec::new();
    let encode_ns = least_ns(items.len(), time, || {
        let encoded = Encoded::of(items, std::mem::take(&mut memory));
        memory = black_box(encoded).into_memory();
    });
    let mut encoded = Encoded::of(items, memory);
    let bytes = encoded.len() as f64 / items.len() as f64;
    let decode_ns = least_ns(items.len(), time, || {
        let sum = encoded.read(|items: &Vec<T>| items.iter().fold(0, |sum, item| sum ^ look(item)));
        black_box(sum);
    });
    Measured { kind, codec: "abomonation (unsound)".to_owned(), encode_ns, decode_ns, bytes }
}

#[cfg(feature = "codec-abomonation")]
fn abomonation(time: Duration) -> Vec<Measured> {
    let events: Vec<crate::abomonate::Marked> = events().into_iter().map(Into::into).collect();
    let mut found = vec![abomonated(Kind::Event, &events, time, crate::abomonate::Marked::sum)];
    for kind in [Kind::Question, Kind::Morsel] {
        let carried = carried(&tasks(kind));
        found.push(abomonated(kind, &carried, time, |task| {
            task.ends.iter().fold(task.id, |sum, end| sum ^ u64::from(*end))
        }));
    }
    found
}

/// Entry point.
pub fn main(args: &[String]) -> anyhow::Result<()> {
    let args = Args::parse_from(args);
    let time = Duration::from_millis(args.millis);
    let mut found = of_events(time);
    found.extend(of_tasks(Kind::Question, time));
    found.extend(of_tasks(Kind::Morsel, time));
    #[cfg(feature = "codec-abomonation")]
    found.extend(abomonation(time));
    super::say(&json!(found))
}
