//! The partitions of a topic as the client reads them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::client::{ANSWER, Quiet, config, partitions, words};
use super::{Message, Polled, SourceOptions, Topic};

/// Name of the group where the program gives none. The client wants one even where nothing is asked
/// of it.
const NO_GROUP: &str = "sage-flow";
/// Between two looks whether the brokers are back.
const LOOK: Duration = Duration::from_secs(1);

impl ConsumerContext for Quiet {}

/// A topic.
pub(super) struct Consumer {
    client: BaseConsumer<Quiet>,
    options: SourceOptions,
    partitions: BTreeSet<i32>,
    /// Since when the brokers are away, and when that was seen last.
    away: Option<(Instant, Instant)>,
}

impl Consumer {
    pub(super) fn connect(options: &SourceOptions) -> Result<Self, String> {
        let mut config = config(&options.brokers, &options.topic)?;
        let group = if options.group.is_empty() { NO_GROUP } else { &options.group };
        config.set("group.id", group);
        config.set("enable.auto.commit", "false");
        config.set("enable.auto.offset.store", "false");
        config.set("allow.auto.create.topics", "false");
        // An offset that is gone is an error and no other place to go on.
        config.set("auto.offset.reset", "error");
        config.set("enable.partition.eof", "true");
        config.set("isolation.level", "read_committed");
        config.set("fetch.wait.max.ms", "100");
        config.set("queued.max.messages.kbytes", "16384");
        let client: BaseConsumer<Quiet> = config
            .create_with_context(Quiet)
            .map_err(|error| format!("the client cannot be set up: {}", words(&error)))?;
        let partitions = partitions(client.client(), &options.brokers, &options.topic)?;
        Ok(Consumer { client, options: options.clone(), partitions, away: None })
    }

    fn list(&self, offsets: &BTreeMap<i32, i64>) -> Result<TopicPartitionList, String> {
        let mut list = TopicPartitionList::new();
        for (partition, offset) in offsets {
            list.add_partition_offset(&self.options.topic, *partition, Offset::Offset(*offset))
                .map_err(|error| words(&error))?;
        }
        Ok(list)
    }

    /// The brokers do not answer, or did not when last looked.
    fn look_for_brokers(&mut self) -> Result<Polled, String> {
        let Some((since, seen)) = self.away else { return Ok(Polled::Nothing) };
        if seen.elapsed() < LOOK {
            return Ok(Polled::Nothing);
        }
        match self.client.fetch_metadata(Some(&self.options.topic), LOOK) {
            Ok(_) => self.away = None,
            Err(error) if since.elapsed() >= self.options.patience => {
                return Err(format!(
                    "the brokers of `{}` have not answered for {:.0} s ({}); what is done is kept, \
                     and the same command goes on from there",
                    self.options.brokers,
                    since.elapsed().as_secs_f64(),
                    words(&error)
                ));
            }
            Err(_) => self.away = Some((since, Instant::now())),
        }
        Ok(Polled::Nothing)
    }
}

impl Topic for Consumer {
    fn bounds(&mut self) -> Result<BTreeMap<i32, (i64, i64)>, String> {
        let bounds = |partition: &i32| {
            let bounds = self.client.fetch_watermarks(&self.options.topic, *partition, ANSWER);
            let failed = |error| format!("partition {partition}: {}", words(&error));
            Ok((*partition, bounds.map_err(failed)?))
        };
        self.partitions.iter().map(bounds).collect()
    }

    fn of_group(&mut self) -> Result<BTreeMap<i32, i64>, String> {
        let mut list = TopicPartitionList::new();
        for partition in &self.partitions {
            list.add_partition(&self.options.topic, *partition);
        }
        let committed = self.client.committed_offsets(list, ANSWER);
        let committed = committed
            .map_err(|error| format!("group `{}`: {}", self.options.group, words(&error)))?;
        let offset = |(partition, offset)| match offset {
            Offset::Offset(offset) => Some((partition, offset)),
            _ => None,
        };
        let elements = committed.elements();
        Ok(elements.iter().map(|one| (one.partition(), one.offset())).filter_map(offset).collect())
    }

    fn tell_group(&mut self, offsets: &BTreeMap<i32, i64>) -> Result<(), String> {
        let list = self.list(offsets)?;
        self.client
            .commit(&list, CommitMode::Sync)
            .map_err(|error| format!("the brokers did not take its offsets: {}", words(&error)))
    }

    fn read_from(&mut self, offsets: &BTreeMap<i32, i64>) -> Result<(), String> {
        let list = self.list(offsets)?;
        self.client.assign(&list).map_err(|error| words(&error))
    }

    fn poll(&mut self, wait: Duration) -> Result<Polled, String> {
        match self.client.poll(wait) {
            None => self.look_for_brokers(),
            Some(Ok(message)) => {
                self.away = None;
                Ok(Polled::Message(Message {
                    partition: message.partition(),
                    offset: message.offset(),
                    value: message.payload().map(<[u8]>::to_vec),
                }))
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                self.away = None;
                Ok(Polled::End(partition))
            }
            Some(Err(error)) => match error.rdkafka_error_code() {
                Some(RDKafkaErrorCode::OffsetOutOfRange | RDKafkaErrorCode::AutoOffsetReset) => {
                    Err("messages that were to be read next are not kept by the brokers any more; \
                          --fresh begins the run anew with what is there"
                        .into())
                }
                Some(
                    RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic,
                ) => Err(format!("there is no topic `{}` any more", self.options.topic)),
                Some(
                    code @ (RDKafkaErrorCode::TopicAuthorizationFailed
                    | RDKafkaErrorCode::ClusterAuthorizationFailed
                    | RDKafkaErrorCode::Fatal),
                ) => Err(format!("topic `{}`: {code}", self.options.topic)),
                // The client goes on trying; how long that may take is ours to say.
                _ => {
                    let now = Instant::now();
                    self.away.get_or_insert((now, now));
                    self.look_for_brokers()
                }
            },
        }
    }
}
