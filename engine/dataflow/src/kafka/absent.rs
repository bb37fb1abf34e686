//! What stands in for the client in a build without it: says how to get one with it.

use super::{Delivery, SinkOptions, SourceOptions, Topic};

const HOW: &str = "this sage-flow was built without Kafka; build it with \
                   `cargo build --release -p sage-flow --features kafka`";

/// Whether the words for broker and topic can be meant.
pub(crate) fn check_address(_brokers: &str, _topic: &str) -> Result<(), String> {
    Err(HOW.into())
}

/// Connect to the topic of a source.
pub(crate) fn connect_source(_options: &SourceOptions) -> Result<Box<dyn Topic>, String> {
    Err(HOW.into())
}

/// Whether rows can be delivered to the topic of a sink.
pub(crate) fn check_sink(_options: &SinkOptions) -> Result<(), String> {
    Err(HOW.into())
}

/// What delivers to the topic of a sink.
pub(crate) fn connect_sink(_options: &SinkOptions) -> Result<Box<dyn Delivery>, String> {
    Err(HOW.into())
}
