//! Rows as messages, with an idempotent producer: no retry of the client doubles one.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext};
use serde_json::{Map, Value};

use super::client::{config, partitions, words};
use super::{Delivery, SinkOptions, Undelivered};

/// Longest message that is tried; brokers take 1 MiB unless told otherwise.
const LONGEST: &str = "67108864";
/// Beyond its patience the client has this long to say what became of a message.
const GRACE: Duration = Duration::from_secs(5);

/// The first message that was not delivered, and why.
type Failure = Arc<Mutex<Option<(KafkaError, usize)>>>;

struct Reports(Failure);

impl Reports {
    fn failed(&self, error: KafkaError, bytes: usize) {
        let mut failure = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        failure.get_or_insert((error, bytes));
    }
}

impl ClientContext for Reports {
    fn log(&self, _level: RDKafkaLogLevel, _facility: &str, _message: &str) {}

    fn error(&self, error: KafkaError, _reason: &str) {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal) {
            self.failed(error, 0);
        }
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, message)) = result {
            self.failed(error.clone(), message.payload().map_or(0, <[u8]>::len));
        }
    }
}

/// A topic.
pub(super) struct Producer {
    client: BaseProducer<Reports>,
    options: SinkOptions,
    failure: Failure,
}

impl Producer {
    pub(super) fn new(options: &SinkOptions) -> Result<Self, String> {
        let mut config = config(&options.brokers, &options.topic)?;
        config.set("enable.idempotence", "true");
        config.set("acks", "all");
        config.set("message.timeout.ms", options.patience.as_millis().to_string());
        config.set("linger.ms", "5");
        config.set("compression.type", "lz4");
        // As the clients in Java do it: the same key is in the same partition, whoever wrote it.
        config.set("partitioner", "murmur2_random");
        config.set("message.max.bytes", LONGEST);
        config.set("queue.buffering.max.messages", "20000");
        config.set("queue.buffering.max.kbytes", "65536");
        let failure = Failure::default();
        let client: BaseProducer<Reports> = config
            .create_with_context(Reports(Arc::clone(&failure)))
            .map_err(|error| format!("the client cannot be set up: {}", words(&error)))?;
        Ok(Producer { client, options: options.clone(), failure })
    }

    pub(super) fn check(&self) -> Result<(), String> {
        let SinkOptions { brokers, topic, .. } = &self.options;
        partitions(self.client.client(), brokers, topic).map(drop)
    }

    fn send(&self, key: Option<&[u8]>, line: &[u8], began: Instant) -> Result<(), String> {
        let mut record = BaseRecord::<[u8], [u8]>::to(&self.options.topic).payload(line);
        record.key = key;
        loop {
            let Err((error, back)) = self.client.send(record) else { return Ok(()) };
            let full = error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull);
            if !full || began.elapsed() > self.options.patience + GRACE {
                return Err(self.explain(&error, line.len()));
            }
            record = back;
            self.client.poll(Duration::from_millis(100));
        }
    }

    fn explain(&self, error: &KafkaError, bytes: usize) -> String {
        let SinkOptions { topic, brokers, patience, .. } = &self.options;
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::MessageSizeTooLarge) => format!(
                "topic `{topic}`: a row of {bytes} bytes is longer than its brokers take; raise \
                 `max.message.bytes` of the topic, or emit less"
            ),
            Some(
                RDKafkaErrorCode::MessageTimedOut
                | RDKafkaErrorCode::OperationTimedOut
                | RDKafkaErrorCode::QueueFull,
            ) => format!(
                "topic `{topic}`: the brokers of `{brokers}` took no rows for {:.0} s",
                patience.as_secs_f64()
            ),
            _ => format!("topic `{topic}`: {}", words(error)),
        }
    }
}

impl Delivery for Producer {
    fn deliver(&mut self, lines: &[u8], _name: &str) -> Result<(), Undelivered> {
        let began = Instant::now();
        for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let key = self.options.key.as_deref().and_then(|field| key_of(line, field));
            self.send(key.as_deref(), line, began)?;
            self.client.poll(Duration::ZERO);
        }
        let flushed = self.client.flush(self.options.patience + GRACE);
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (failure, flushed) {
            (Some((error, bytes)), _) => Err(self.explain(&error, bytes).into()),
            (None, Err(error)) => Err(self.explain(&error, 0).into()),
            (None, Ok(())) => Ok(()),
        }
    }
}

/// The key of a row: a text as it is, anything else as JSON; none for null.
fn key_of(line: &[u8], field: &str) -> Option<Vec<u8>> {
    let row: Map<String, Value> = serde_json::from_slice(line).ok()?;
    match row.get(field)? {
        Value::Null => None,
        Value::String(text) => Some(text.clone().into_bytes()),
        other => Some(other.to_string().into_bytes()),
    }
}
