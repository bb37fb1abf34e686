//! Kafka: what the source and the sink of that name share.
//!
//! The client is librdkafka, a C library that takes a while to build, so it is behind the feature
//! `kafka`; without it, [`connect_source`] and [`connect_sink`] say how to get it. What decides
//! (which messages make which task, what is read again, what was delivered) knows the client only
//! by the traits [`Topic`] and [`Delivery`], and is tested without it.

#[cfg(not(feature = "kafka"))]
#[path = "absent.rs"]
mod client;
#[cfg(feature = "kafka")]
mod client;
#[cfg(feature = "kafka")]
mod consumer;
pub(crate) mod mark;
mod options;
pub(crate) mod outbox;
#[cfg(feature = "kafka")]
mod producer;
pub(crate) mod reader;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

pub(crate) use client::{check_address, check_sink, connect_sink, connect_source};
pub(crate) use options::{SINK, SOURCE, SinkOptions, SourceOptions, Start, Until};

/// The word in a program.
pub(crate) const KIND: &str = "kafka";

/// A topic that is read.
pub(crate) trait Topic: Send {
    /// By partition, the offset of the oldest message and the one behind the newest.
    fn bounds(&mut self) -> Result<BTreeMap<i32, (i64, i64)>, String>;
    /// By partition, where the group goes on; without those for which it has no offset.
    fn of_group(&mut self) -> Result<BTreeMap<i32, i64>, String>;
    /// Tell the broker where the group goes on.
    fn tell_group(&mut self, offsets: &BTreeMap<i32, i64>) -> Result<(), String>;
    /// From now on read these partitions only, from these offsets on.
    fn read_from(&mut self, offsets: &BTreeMap<i32, i64>) -> Result<(), String>;
    /// What comes next, within about this time.
    fn poll(&mut self, wait: Duration) -> Result<Polled, String>;
}

/// What a topic gave.
#[cfg_attr(not(feature = "kafka"), allow(dead_code, reason = "made by a client"))]
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Polled {
    /// A message.
    Message(Message),
    /// For now there is no more in this partition.
    End(i32),
    /// Nothing came in that time.
    Nothing,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    /// `None` for one that only says that the key is deleted.
    pub(crate) value: Option<Vec<u8>>,
}

/// Delivers rows to a topic, or to a server.
pub(crate) trait Delivery: Send {
    /// How many bytes of whole lines, of the beginning of these, are delivered at once.
    fn piece(&self, lines: &[u8]) -> usize {
        lines.len()
    }

    /// Whether a piece that has to be delivered again is to be the same one, by its name.
    fn is_named(&self) -> bool {
        false
    }

    /// Deliver the lines; returns when the brokers, or the server, have them all.
    fn deliver(&mut self, lines: &[u8], name: &str) -> Result<(), Undelivered>;
}

/// Why rows were not delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Undelivered {
    /// They were too many at once, so they have not come, however often they were sent.
    TooLarge(String),
    /// They were refused each time that they were sent now, so none of these times they have come.
    Refused(String),
    /// Perhaps they have come.
    Failed(String),
    /// The run is to stop; perhaps they have come.
    Stopped,
}

impl From<String> for Undelivered {
    fn from(message: String) -> Self {
        Undelivered::Failed(message)
    }
}
