//! `kafka`: each row a message of a topic, as a JSON object.
//!
//! The rows of a worker go to a part file and are committed like those of a file; from there they are
//! delivered (see `kafka::outbox`). No final file is made of them.

use sage_core::record::write_json_object;
use sage_dsl::catalog::Signature;
use sage_dsl::plan::SinkPlan;

use super::{SinkEntry, Target, part_of, wrong};
use crate::error::DataflowError;
use crate::kafka::{Delivery, KIND, SINK, SinkOptions, check_address, check_sink, connect_sink};

pub(super) static ENTRY: SinkEntry = SinkEntry {
    signature: Signature {
        name: KIND,
        summary: "messages of a Kafka topic, each a JSON object (feature `kafka`)",
        params: SINK,
        example: "sink answers to kafka(\"broker:9092\", topic: \"answers\")",
        takes_fields: false,
    },
    target: |plan| Target::Published(part_of(plan)),
    header: |_| Vec::new(),
    row: |record, values, out| {
        write_json_object(out, record, values.iter().copied());
        out.push(b'\n');
    },
};

/// Say early whether the words of the sink can be meant.
pub(super) fn probe(plan: &SinkPlan) -> Result<(), DataflowError> {
    let options = SinkOptions::of(plan).map_err(|message| wrong(plan, message))?;
    check_address(&options.brokers, &options.topic).map_err(|message| wrong(plan, message))
}

/// Say early whether rows can be delivered.
pub(super) fn reach(plan: &SinkPlan) -> Result<(), DataflowError> {
    let checked = SinkOptions::of(plan).and_then(|options| check_sink(&options));
    checked.map_err(|message| wrong(plan, message))
}

/// What delivers to the topic of a sink.
pub(super) fn connect(plan: &SinkPlan) -> Result<Box<dyn Delivery>, DataflowError> {
    let connected = SinkOptions::of(plan).and_then(|options| connect_sink(&options));
    connected.map_err(|message| wrong(plan, message))
}

/// Name of the topic.
pub(super) fn topic(plan: &SinkPlan) -> Option<String> {
    (plan.kind == KIND).then(|| SinkOptions::of(plan).map(|options| options.topic).ok()).flatten()
}
