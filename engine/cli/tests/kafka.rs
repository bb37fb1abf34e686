//! Topics of Kafka as sources and sinks, on the built binary. The brokers are those that librdkafka
//! brings for tests: they speak the protocol on real sockets and keep nothing on a disk. Without the
//! feature `kafka`, what says how to get it is all there is to look at.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use support::Sage;

#[cfg(not(feature = "kafka"))]
#[test]
fn a_build_without_the_client_says_how_to_get_one_with_it() {
    let source =
        "type Row { id: int @key }\nsource rows: Row from kafka(\"b:9092\", topic: \"t\")\n";
    let sink = "type Row { id: int @key }\nsource rows: Row from generate(count: 3)\n";
    for (from, to) in [
        (source, "sink out: Row to jsonl(\"out.jsonl\")\n"),
        (sink, "sink out: Row to kafka(\"b:9092\", topic: \"t\")\n"),
    ] {
        let flow = "flow f {\n  from rows\n  emit Row { id: .id } into out\n}\n";
        let program = format!("sage 1\n{from}{to}{flow}");
        let sage = Sage::new().file("f.sage", program).args("run f.sage --out out");
        sage.go().exits(1).says("built without Kafka").says("--features kafka");
    }
}

#[cfg(feature = "kafka")]
mod with_brokers {
    use std::collections::{BTreeMap, BTreeSet};
    use std::net::TcpListener;
    use std::process::Child;
    use std::time::{Duration, Instant};

    use rdkafka::ClientConfig;
    use rdkafka::config::FromClientConfig;
    use rdkafka::consumer::{BaseConsumer, Consumer};
    use rdkafka::message::Message;
    use rdkafka::mocking::MockCluster;
    use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};
    use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

    use super::Sage;
    use super::support::{Done, Draw, again, ended, send, wait_until, worker, workers_of};

    const PARTITIONS: i32 = 3;

    struct Brokers {
        mock: MockCluster<'static, DefaultProducerContext>,
        addresses: String,
    }

    impl Brokers {
        fn new() -> Self {
            let mock = MockCluster::new(2).unwrap();
            for topic in ["orders", "answers"] {
                mock.create_topic(topic, PARTITIONS, 1).unwrap();
            }
            let addresses = mock.bootstrap_servers();
            Brokers { mock, addresses }
        }

        fn config(&self) -> ClientConfig {
            let mut config = ClientConfig::new();
            config.set("bootstrap.servers", &self.addresses).set("group.id", "of-the-test");
            config.set("enable.partition.eof", "true").set("auto.offset.reset", "error");
            config
        }

        /// Messages of `orders`, one partition after the other.
        fn write<'m>(&self, messages: impl IntoIterator<Item = (usize, Option<&'m str>)>) {
            let producer: BaseProducer = self.config().create().unwrap();
            for (at, text) in messages {
                let partition = at as i32 % PARTITIONS;
                let mut record = BaseRecord::<str, str>::to("orders").partition(partition);
                record.payload = text;
                producer.send(record).map_err(|(error, _)| error).unwrap();
            }
            producer.flush(Duration::from_secs(10)).unwrap();
        }

        fn write_orders(&self, numbers: std::ops::Range<usize>) {
            let texts: Vec<String> =
                numbers.clone().map(|n| format!(r#"{{"id": {n}, "text": "order {n}"}}"#)).collect();
            self.write(numbers.zip(texts.iter().map(|text| Some(text.as_str()))));
        }

        /// Keys and values of all messages of `answers`.
        fn answers(&self) -> Vec<(Option<String>, String)> {
            let consumer = BaseConsumer::from_config(&self.config()).unwrap();
            let mut list = TopicPartitionList::new();
            for partition in 0..PARTITIONS {
                list.add_partition_offset("answers", partition, Offset::Beginning).unwrap();
            }
            consumer.assign(&list).unwrap();
            let (mut read, mut open) = (Vec::new(), (0..PARTITIONS).collect::<BTreeSet<i32>>());
            let began = Instant::now();
            while !open.is_empty() && began.elapsed() < Duration::from_secs(20) {
                match consumer.poll(Duration::from_millis(100)) {
                    Some(Ok(message)) => {
                        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                        read.push((message.key().map(text), text(message.payload().unwrap())));
                    }
                    Some(Err(rdkafka::error::KafkaError::PartitionEOF(partition))) => {
                        open.remove(&partition);
                    }
                    _ => {}
                }
            }
            assert!(open.is_empty(), "the answers were not read within 20 s");
            read
        }

        /// Where a group goes on, over all partitions.
        fn offsets(&self, group: &str) -> Vec<Option<i64>> {
            let consumer: BaseConsumer = self.config().set("group.id", group).create().unwrap();
            let mut list = TopicPartitionList::new();
            (0..PARTITIONS).for_each(|p| drop(list.add_partition("orders", p)));
            let committed = consumer.committed_offsets(list, Duration::from_secs(10)).unwrap();
            committed
                .elements()
                .iter()
                .map(|one| one.offset().to_raw().filter(|o| *o >= 0))
                .collect()
        }

        fn sage(&self, source: &str, sink: &str, nap: &str, arguments: &str) -> Sage {
            let program = PROGRAM
                .replace("BROKERS", &self.addresses)
                .replace("SOURCE", source)
                .replace("SINK", &sink.replace("BROKERS", &self.addresses))
                .replace("NAP", nap);
            Sage::new().file("f.sage", program).args(arguments)
        }
    }

    const PROGRAM: &str = r#"sage 1
type Order { id: int @key, text: string }
source orders: Order from kafka("BROKERS", topic: "orders", SOURCE)
sink answers: Order to SINK
flow f {
  from orders
  stage nap = sleep(NAP)
  emit Order { id: .id, text: .text } into answers
}
schedule { policy: fifo, slots: 4 }
"#;

    const FILE: &str = r#"jsonl("answers.jsonl")"#;
    const TOPIC: &str = r#"kafka("BROKERS", topic: "answers")"#;

    fn row(n: usize) -> String {
        format!(r#"{{"id":{n},"text":"order {n}"}}"#)
    }

    fn rows(numbers: std::ops::Range<usize>) -> Vec<String> {
        let mut rows: Vec<String> = numbers.map(row).collect();
        rows.sort();
        rows
    }

    fn wait_for_tasks(sage: &Sage, tasks: usize) {
        let table = sage.folder.path().join("out/tasks.csv");
        wait_until(|| std::fs::read_to_string(&table).is_ok_and(|t| t.lines().count() > tasks));
    }

    fn finish(sage: &Sage, child: Child) -> Done {
        sage.done(child.wait_with_output().unwrap())
    }

    #[test]
    fn from_a_topic_to_a_topic_with_bad_messages_among_them() {
        let brokers = Brokers::new();
        brokers.write_orders(0..200);
        brokers.write([
            (0, Some("no JSON")),
            (1, Some(r#"{"id": "seven", "text": ""}"#)),
            (2, None),
            (0, Some(r#"{"id": 200, "text": "order 200", "more": 1}"#)),
        ]);
        let command = "run f.sage --workers 2 --out out";
        let done = brokers.sage("until: end", TOPIC, "1ms", command).go().exits(3);
        let metrics = done.metrics();
        assert_eq!((&metrics["tasks_ok"], &metrics["tasks_dead"]), (&201.into(), &3.into()));
        let letters = done.read("dead_letters.jsonl");
        for place in ["partition 0, offset 67", "partition 1, offset 67", "partition 2, offset 66"]
        {
            assert!(
                letters.contains(&format!("topic orders, {place}")),
                "{place} not in\n{letters}"
            );
        }
        assert!(letters.contains("it has no value"), "{letters}");
        assert!(done.stderr.contains("topic answers"), "{}", done.stderr);
        let answers = brokers.answers();
        for (key, value) in &answers {
            let read: serde_json::Value = serde_json::from_str(value).unwrap();
            assert_eq!(key.as_deref(), Some(read["id"].to_string().as_str()));
        }
        let mut values: Vec<String> = answers.into_iter().map(|(_, value)| value).collect();
        values.sort();
        assert_eq!(values, rows(0..201));
        for gone in ["parts", "commit"] {
            assert!(!done.out.join(gone).exists(), "{gone}");
        }
    }

    #[test]
    fn killed_workers_and_supervisors_lose_and_double_nothing() {
        for seed in 1..4 {
            let mut draw = Draw(seed);
            let brokers = Brokers::new();
            brokers.write_orders(0..300);
            let command = "run f.sage --workers 3 --out out";
            let sage = brokers.sage("until: end", FILE, "25ms", command);
            let child = sage.start();
            wait_for_tasks(&sage, 20 + draw.below(60) as usize);
            let lost = worker(child.id(), draw.below(3) as usize);
            send("-KILL", lost);
            // What comes after the beginning is not of this run.
            brokers.write_orders(300..320);
            wait_until(|| ended(lost));
            wait_for_tasks(&sage, 120 + draw.below(60) as usize);
            let workers = workers_of(child.id());
            send("-KILL", child.id());
            finish(&sage, child);
            wait_until(|| workers.iter().all(|worker| ended(*worker)));
            let done = again(&sage, "run f.sage --workers 2 --out out").go().exits(0);
            let done = done.says("resuming the run in out");
            assert_eq!(done.lines("answers.jsonl"), rows(0..300), "{}", done.stderr);
            assert_eq!(done.metrics()["tasks_ok"], 300);
        }
    }

    #[test]
    fn a_topic_gets_every_row_though_workers_and_supervisors_are_killed() {
        let brokers = Brokers::new();
        brokers.write_orders(0..300);
        let sage = brokers.sage("until: end", TOPIC, "25ms", "run f.sage --workers 3 --out out");
        let child = sage.start();
        wait_for_tasks(&sage, 60);
        send("-KILL", worker(child.id(), 1));
        wait_for_tasks(&sage, 150);
        let workers = workers_of(child.id());
        send("-KILL", child.id());
        finish(&sage, child);
        wait_until(|| workers.iter().all(|worker| ended(*worker)));
        let done = again(&sage, "run f.sage --workers 2 --out out").go().exits(0);
        assert_eq!(done.metrics()["tasks_ok"], 300);
        let times = brokers.answers().into_iter().fold(BTreeMap::new(), |mut times, (_, value)| {
            *times.entry(value).or_insert(0_usize) += 1;
            times
        });
        // Each of the two kills may repeat a row once, and how many rows depends on the machine.
        let more: Vec<_> = times.iter().filter(|(_, times)| **times > 3).collect();
        assert!(more.is_empty(), "{more:?}");
        assert_eq!(times.into_keys().collect::<Vec<_>>(), rows(0..300));
    }

    #[test]
    fn an_endless_run_goes_on_after_ctrl_c_and_its_group_after_it() {
        let brokers = Brokers::new();
        brokers.write_orders(0..90);
        let command = "run f.sage --workers 2 --out out";
        let sage = brokers.sage(r#"group: "g", patience: 20s"#, FILE, "5ms", command);
        let child = sage.start();
        wait_for_tasks(&sage, 90);
        brokers.write_orders(90..120);
        wait_for_tasks(&sage, 120);
        send("-INT", child.id());
        let done = finish(&sage, child).exits(130);
        assert_eq!(done.lines("answers.jsonl"), rows(0..120));
        let offsets: Vec<i64> = brokers.offsets("g").into_iter().flatten().collect();
        assert_eq!(offsets, [40, 40, 40]);

        // The same run goes on.
        brokers.write_orders(120..150);
        let child = again(&sage, command).start();
        wait_for_tasks(&sage, 150);
        send("-INT", child.id());
        let done = finish(&sage, child).exits(130).says("resuming the run");
        assert_eq!(done.lines("answers.jsonl"), rows(0..150));

        // A new one goes on where the group is.
        brokers.write_orders(150..162);
        let new = brokers.sage(r#"group: "g", until: idle, idle: 1s"#, FILE, "1ms", command);
        let done = new.go().exits(0);
        assert_eq!(done.lines("answers.jsonl"), rows(150..162));
        assert_eq!(brokers.offsets("g"), [Some(54), Some(54), Some(54)]);
        // And one without begins at the beginning, or at the end.
        for (start, until) in [("earliest", 162), ("latest", 0)] {
            let source = format!("start: {start}, until: end");
            let done = brokers.sage(&source, FILE, "1ms", command).go().exits(0);
            assert_eq!(done.lines("answers.jsonl").len(), until);
        }
    }

    #[test]
    fn what_cannot_be_reached_is_said_before_anything_starts() {
        let brokers = Brokers::new();
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let run = |sage: Sage| sage.args("run f.sage --out out").go().exits(1);
        let changed = |from: &str, to: &str, sink: &str| {
            let sage = brokers.sage("until: end", sink, "1ms", "");
            let path = sage.folder.path().join("f.sage");
            let program = std::fs::read_to_string(&path).unwrap();
            assert!(program.contains(from));
            std::fs::write(path, program.replacen(from, to, 1)).unwrap();
            sage
        };
        let with = |from: &str, to: &str, sink: &str| run(changed(from, to, sink));
        let began = Instant::now();
        let addresses = brokers.addresses.as_str();
        let away = with(addresses, &nobody.to_string(), FILE);
        away.says("source `orders` (line 3): no broker of").says("answers");
        assert!(began.elapsed() < Duration::from_secs(60));
        // The check of a program asks nobody.
        changed(addresses, &nobody.to_string(), TOPIC).args("check f.sage").go().exits(0);
        changed(addresses, "localhost", TOPIC).args("check f.sage").go().exits(1);
        with(addresses, "localhost", FILE).says("`localhost` is no address of a broker");
        with("topic: \"orders\"", "topic: \"order\"", FILE)
            .says("there is no topic `order`; the brokers have `");
        with("topic: \"answers\"", "topic: \"answers\", key: \"nr\"", TOPIC).says(
            "sink `answers` (line 4): `key: \"nr\"`: Order has no such field; it has id, text",
        );
    }

    #[test]
    fn brokers_that_go_away_end_the_run_in_time_and_the_rest_is_done_later() {
        let brokers = Brokers::new();
        brokers.write_orders(0..120);
        let sink = r#"kafka("BROKERS", topic: "answers", patience: 2s)"#;
        let command = "run f.sage --workers 2 --out out";
        let sage = brokers.sage("until: idle, idle: 30s, patience: 2s", sink, "10ms", command);
        let child = sage.start();
        wait_for_tasks(&sage, 30);
        brokers.mock.broker_down(-1).unwrap();
        let done = finish(&sage, child).exits(2);
        assert!(
            done.stderr.contains("took no rows for 2 s")
                || done.stderr.contains("have not answered"),
            "{}",
            done.stderr
        );
        brokers.mock.broker_up(-1).unwrap();
        let text = std::fs::read_to_string(sage.folder.path().join("f.sage")).unwrap();
        assert!(text.contains("idle: 30s"));
        let child = again(&sage, command).start();
        wait_until(|| brokers.answers().len() >= 120);
        send("-INT", child.id());
        finish(&sage, child).exits(130).says("resuming the run");
        let count = brokers.answers().into_iter().fold(BTreeMap::new(), |mut count, (_, value)| {
            *count.entry(value).or_insert(0_usize) += 1;
            count
        });
        assert_eq!(count.into_keys().collect::<Vec<_>>(), rows(0..120));
    }
}
