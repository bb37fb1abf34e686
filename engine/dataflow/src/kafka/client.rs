//! What consumer and producer have in common: how they are set up, what their errors mean, and the
//! look at a topic before anything starts.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rdkafka::client::{Client, ClientContext};
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::{Metadata, MetadataPartition};

use super::consumer::Consumer;
use super::producer::Producer;
use super::{Delivery, SinkOptions, SourceOptions, Topic};

/// How long a broker may take to answer before a run starts, and a request during one.
pub(super) const ANSWER: Duration = Duration::from_secs(10);

/// Whether the words for broker and topic can be meant; no broker is asked.
pub(crate) fn check_address(brokers: &str, topic: &str) -> Result<(), String> {
    config(brokers, topic).map(drop)
}

/// Connect to the topic of a source.
pub(crate) fn connect_source(options: &SourceOptions) -> Result<Box<dyn Topic>, String> {
    Ok(Box::new(Consumer::connect(options)?))
}

/// Whether rows can be delivered to the topic of a sink.
pub(crate) fn check_sink(options: &SinkOptions) -> Result<(), String> {
    Producer::new(options)?.check()
}

/// What delivers to the topic of a sink. Brokers that are away are waited for with the first rows.
pub(crate) fn connect_sink(options: &SinkOptions) -> Result<Box<dyn Delivery>, String> {
    Ok(Box::new(Producer::new(options)?))
}

/// Settings of every client.
pub(super) fn config(brokers: &str, topic: &str) -> Result<ClientConfig, String> {
    for address in brokers.split(',').map(str::trim) {
        let port = address.rsplit_once(':').map(|(host, port)| (host, port.parse::<u16>()));
        if !matches!(port, Some((host, Ok(1..))) if !host.is_empty()) {
            return Err(format!("`{address}` is no address of a broker; write `host:9092`"));
        }
    }
    if topic.is_empty() {
        return Err("it names no topic; write `topic: \"name\"`".into());
    }
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers);
    config.set("client.id", "sage-flow");
    config.set("socket.timeout.ms", "10000");
    config.set("reconnect.backoff.max.ms", "1000");
    Ok(config)
}

/// Says nothing by itself: what matters comes back as an error.
pub(super) struct Quiet;

impl ClientContext for Quiet {
    fn log(&self, _level: RDKafkaLogLevel, _facility: &str, _message: &str) {}

    fn error(&self, _error: KafkaError, _reason: &str) {}
}

/// Numbers of the partitions of a topic; waits a while for brokers that do not answer, and for a topic
/// that is just being made.
pub(super) fn partitions<C: ClientContext>(
    client: &Client<C>,
    brokers: &str,
    topic: &str,
) -> Result<BTreeSet<i32>, String> {
    let began = Instant::now();
    loop {
        let left = ANSWER.saturating_sub(began.elapsed()).max(Duration::from_millis(200));
        let metadata = client.fetch_metadata(Some(topic), left).map_err(|error| {
            format!(
                "no broker of `{brokers}` answers ({}); is the address right, and does it run? \
                 waited {:.0} s",
                words(&error),
                began.elapsed().as_secs_f64()
            )
        })?;
        let found = metadata.topics().iter().find(|found| found.name() == topic);
        match found.map(|found| (found.error(), found.partitions())) {
            Some((None, partitions)) if !partitions.is_empty() => {
                return Ok(partitions.iter().map(MetadataPartition::id).collect());
            }
            Some((Some(error), _)) => {
                let code = RDKafkaErrorCode::from(error);
                match code {
                    RDKafkaErrorCode::LeaderNotAvailable if began.elapsed() < ANSWER => {}
                    RDKafkaErrorCode::UnknownTopicOrPartition
                    | RDKafkaErrorCode::UnknownTopic
                    | RDKafkaErrorCode::LeaderNotAvailable => return Err(unknown(client, topic)),
                    _ => return Err(format!("topic `{topic}`: {code}")),
                }
            }
            _ if began.elapsed() < ANSWER => {}
            _ => return Err(unknown(client, topic)),
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// There is no such topic; names one that may be meant.
fn unknown<C: ClientContext>(client: &Client<C>, topic: &str) -> String {
    let all = client.fetch_metadata(None, ANSWER).ok();
    let names: Vec<String> = all
        .iter()
        .flat_map(Metadata::topics)
        .map(|topic| topic.name().to_owned())
        .filter(|name| !name.starts_with("__") && name != topic)
        .collect();
    let shown: Vec<String> = names.iter().take(8).map(|name| format!("`{name}`")).collect();
    let there = match names.len() - shown.len() {
        _ if shown.is_empty() => "the brokers show none at all".to_owned(),
        0 => format!("the brokers have {}", shown.join(", ")),
        more => format!("the brokers have {} and {more} more", shown.join(", ")),
    };
    format!("there is no topic `{topic}`; {there}")
}

/// An error in a few words.
pub(super) fn words(error: &KafkaError) -> String {
    match error.rdkafka_error_code() {
        Some(code) => code.to_string(),
        None => error.to_string(),
    }
}
