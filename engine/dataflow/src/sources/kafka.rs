//! `kafka`: messages of a topic, each a JSON object.
//!
//! The first worker reads all partitions itself, without joining a consumer group: which messages
//! make which task is written down in the run's folder (see `commit::ledger`), so that a run that is
//! broken off goes on with the same tasks.

use std::collections::VecDeque;

use sage_core::record::{Datum, Items, RowReader};
use sage_dsl::catalog::Signature;
use sage_dsl::plan::SourcePlan;
use sage_dsl::types::RecordType;

use super::{BadRow, Batch, Kept, Source, SourceEntry, broken};
use crate::commit::ledger::{self, Passed};
use crate::error::DataflowError;
use crate::kafka::reader::{Next, Reader, Trouble};
use crate::kafka::{
    KIND, Message, SOURCE, SourceOptions, Topic, check_address, connect_source,
};

pub(super) static ENTRY: SourceEntry = SourceEntry {
    signature: Signature {
        name: KIND,
        summary: "messages of a Kafka topic, each a JSON object (feature `kafka`)",
        params: SOURCE,
        example: "source orders: Order from kafka(\"broker:9092\", topic: \"orders\", until: end)",
        takes_fields: false,
    },
    open,
};

/// What a message is.
enum Row {
    Good(Vec<u8>),
    Bad(BadRow),
}

struct Kafka {
    plan: SourcePlan,
    options: SourceOptions,
    state: State,
    /// Read, and not given yet.
    rows: VecDeque<Row>,
}

enum State {
    /// Nobody has said whether what is read is kept.
    Connected(Box<dyn Topic>),
    Reading(Box<Reader>),
    Ended,
}

/// Say early whether the words of the source can be meant; no broker is asked.
pub(super) fn probe(plan: &SourcePlan) -> Result<(), DataflowError> {
    let options = SourceOptions::of(plan);
    check_address(&options.brokers, &options.topic).map_err(|message| broken(plan, message))
}

fn open(plan: &SourcePlan) -> Result<Box<dyn Source>, DataflowError> {
    let options = SourceOptions::of(plan);
    let topic = connect_source(&options).map_err(|message| broken(plan, message))?;
    Ok(Box::new(Kafka::new(plan, options, topic)))
}

impl Kafka {
    fn new(plan: &SourcePlan, options: SourceOptions, topic: Box<dyn Topic>) -> Self {
        let state = State::Connected(topic);
        Kafka { plan: plan.clone(), options, state, rows: VecDeque::new() }
    }

    fn failed(&self, trouble: Trouble) -> DataflowError {
        match trouble {
            Trouble::Topic(message) => broken(&self.plan, message),
            Trouble::Files(error) => error,
        }
    }
}

impl Source for Kafka {
    fn keep(&mut self, kept: &Kept) -> Result<(), DataflowError> {
        // What is behind cannot be read once more: its records would be the same ones.
        let state = std::mem::replace(&mut self.state, State::Ended);
        if let (State::Connected(topic), 0) = (state, kept.round) {
            let reader = Reader::keep(topic, self.options.clone(), kept);
            self.state = State::Reading(Box::new(reader.map_err(|trouble| self.failed(trouble))?));
        }
        Ok(())
    }

    fn read(&mut self, batch: &mut Batch, rows: usize) -> Result<bool, DataflowError> {
        if let State::Connected(_) = self.state
            && let State::Connected(topic) = std::mem::replace(&mut self.state, State::Ended)
        {
            let reader = Reader::look(topic, self.options.clone());
            self.state =
                State::Reading(Box::new(reader.map_err(|message| broken(&self.plan, message))?));
        }
        if self.rows.is_empty() {
            let State::Reading(reader) = &mut self.state else { return Ok(false) };
            let (record, topic) = (self.plan.record.clone(), self.options.topic.as_str());
            let (read, size) = (&mut self.rows, rows.max(1));
            let next = reader.next(&mut |messages| {
                read.clear();
                read.extend(messages.iter().map(|message| row(&record, topic, message)));
                makes(read.make_contiguous(), size)
            });
            match next.map_err(|trouble| self.failed(trouble))? {
                Next::Messages(_) => {}
                Next::Passed(passed) => batch.passed = passed,
                Next::Nothing => return Ok(true),
                Next::End => {
                    self.state = State::Ended;
                    return Ok(false);
                }
            }
        }
        for row in self.rows.drain(..rows.max(1).min(self.rows.len())) {
            match row {
                Row::Good(row) => batch.rows.push(|out| out.extend_from_slice(&row)),
                Row::Bad(row) => batch.bad.push(row),
            }
        }
        Ok(true)
    }
}

fn row(record: &RecordType, topic: &str, message: &Message) -> Row {
    let Message { partition, offset, value } = message;
    let place = || format!("topic {topic}, partition {partition}, offset {offset}");
    let Some(value) = value else {
        let reason = "it has no value: a deletion, and the source has no records to delete";
        return Row::Bad(BadRow::new(place(), b"", reason));
    };
    let mut row = Vec::new();
    let read = RowReader::new(record).read(&mut row, value.trim_ascii());
    let read = read.map_err(|error| error.to_string()).and_then(|()| {
        match record.key().map(|key| Items::new(&row).get(key)) {
            Some(Datum::Str("")) => Err("the key is empty".to_owned()),
            _ => Ok(()),
        }
    });
    match read {
        Ok(()) => Row::Good(row),
        Err(reason) => Row::Bad(BadRow::new(place(), value, reason)),
    }
}

/// What rows make in tasks of `size`: one for each so many that have a good one among them.
fn makes(rows: &[Row], size: usize) -> Passed {
    let good = |row: &&Row| matches!(row, Row::Good(_));
    let records = rows.iter().filter(good).count() as u64;
    let tasks = rows.chunks(size).filter(|chunk| chunk.iter().any(|row| good(&row))).count();
    Passed { tasks: tasks as u64, records, bad: rows.len() as u64 - records }
}

/// What messages are read as.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn rows_of(record: &RecordType, messages: &[&[u8]]) -> Batch {
    let mut batch = Batch::default();
    for (offset, text) in (0..).zip(messages) {
        let message = Message { partition: 0, offset, value: Some(text.to_vec()) };
        match row(record, "t", &message) {
            Row::Good(row) => batch.rows.push(|out| out.extend_from_slice(&row)),
            Row::Bad(row) => batch.bad.push(row),
        }
    }
    batch
}

/// Tell the group of a run's source, if it has one, where everything before is done. The run may
/// have ended in any way.
pub(super) fn settle(plan: &SourcePlan, kept: &Kept) -> Result<(), DataflowError> {
    let options = SourceOptions::of(plan);
    if options.group.is_empty() {
        return Ok(());
    }
    let Some(noted) = ledger::read(&kept.out)? else { return Ok(()) };
    let settled = noted.settled(&kept.done, kept.buried);
    let told = connect_source(&options).and_then(|mut topic| topic.tell_group(&settled));
    told.map_err(|message| broken(plan, format!("group `{}`: {message}", options.group)))
}

/// Whether a run has noted anything of its source.
pub(super) fn has_begun(out: &std::path::Path) -> bool {
    ledger::read(out).is_ok_and(|noted| noted.is_some_and(|noted| !noted.batches.is_empty()))
}
