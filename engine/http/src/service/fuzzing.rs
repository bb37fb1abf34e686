//! Clients of a service that send anything, for fuzz targets and property tests.

use std::sync::Arc;
use std::time::Duration;

use sage_core::record::{Items, RowReader, write_json_object};
use sage_core::service::{Next, Opening, Reply};
use sage_dsl::types::{EnumType, Field, RecordType, Type, Value};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex, split};
use tokio::runtime::Builder;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::ServiceConfig;
use super::connection::{Door, converse};
use super::desk::Desk;
use super::request::row;

/// A conversation that takes longer does not end.
const PATIENCE: Duration = Duration::from_secs(30);
/// Above this it matters to hyper how the bytes come: it refuses heads by what it has in memory.
const SMALL: usize = 4 << 10;
/// Requests in the pipeline, and most bytes of a body.
const CAPACITY: usize = 4;
const MAX_BODY: usize = 1 << 10;

fn record(key: Type) -> RecordType {
    let field = |name: &str, ty, default| Field { name: name.into(), ty, default, key: false };
    let hue = EnumType { name: "Hue".into(), variants: vec!["red".into(), "blue".into()] };
    let fields = vec![
        Field { key: true, ..field("id", key, None) },
        field("n", Type::Int, Some(Value::Int(7))),
        field("x", Type::Optional(Box::new(Type::Float)), None),
        field("tags", Type::List(Box::new(Type::String)), Some(Value::List(Vec::new()))),
        field("hue", Type::Enum(hue), Some(Value::String("red".into()))),
    ];
    RecordType { name: "Query".into(), fields }
}

/// The body of a request: a record of the type with a key, which is read again as the same one, or a
/// reason that a client can be told.
pub fn service_body(input: &[u8]) {
    for key in [Type::String, Type::Int] {
        let record = record(key);
        match row(input, &record, 0) {
            Ok(row) => {
                let values = || Items::new(&row);
                assert_eq!(values().len(), record.fields.len(), "another number of columns");
                assert_ne!(values().get(0).as_str(), Some(""), "a record without a key");
                let mut text = Vec::new();
                write_json_object(&mut text, &record, values());
                let read = RowReader::new(&record).read(&mut Vec::new(), &text);
                assert!(read.is_ok(), "{}: {read:?}", String::from_utf8_lossy(&text));
            }
            Err(reason) => assert!(!reason.trim().is_empty(), "a refusal without a reason"),
        }
    }
}

/// A whole connection: any bytes, at once or a few at a time, are answered by whole answers, the same
/// in both cases, and then the connection ends. Nobody is answered for a record that was not taken.
pub fn service_bytes(input: &[u8]) {
    let whole = conversation(input, usize::MAX);
    let dripped = conversation(input, 7);
    if input.len() <= SMALL {
        assert_eq!(whole, dripped, "the answers depend on how the bytes come");
    }
}

/// The codes of the answers to a client that sends so many bytes at a time.
fn conversation(input: &[u8], piece: usize) -> Vec<String> {
    let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
    let (said, taken) = runtime.block_on(async {
        let config = ServiceConfig {
            listen: String::new(),
            path: "/ask".into(),
            record: record(Type::String),
            token: None,
            capacity: CAPACITY,
            max_body: MAX_BODY,
            deadline: PATIENCE,
            drain: PATIENCE,
        };
        let door = Arc::new(Door::new(config, Arc::new(Desk::new(CAPACITY))));
        let woken = Arc::new(Notify::new());
        let wakes = Arc::clone(&woken);
        let wake = Box::new(move || wakes.notify_one());
        door.desk.open(Opening { first: 0, most: None, note: Box::new(|_| Ok(())), wake });
        let mut taken = 0;
        let pipeline = async {
            loop {
                while let Next::Request(asked) = door.desk.next() {
                    assert_eq!(Items::new(&asked.row).len(), door.config.record.fields.len());
                    taken += 1;
                    door.desk.answer(asked.number, Reply::Rows { count: 1, lines: b"{}\n".into() });
                }
                woken.notified().await;
            }
        };
        // Less than what may be under way: who writes has to wait for who reads.
        let (ours, theirs) = duplex(256);
        let (mut answers, mut requests) = split(ours);
        let asks = async {
            for bytes in input.chunks(piece.min(input.len().max(1))) {
                // A server that has had enough hangs up.
                if requests.write_all(bytes).await.is_err() {
                    break;
                }
            }
            let _ = requests.shutdown().await;
        };
        let mut said = Vec::new();
        let hears = async {
            let _ = answers.read_to_end(&mut said).await;
        };
        let talk = async { tokio::join!(converse(theirs, Arc::clone(&door)), asks, hears) };
        tokio::select! {
            _ = pipeline => {}
            ended = timeout(PATIENCE, talk) => assert!(ended.is_ok(), "it does not end"),
        }
        (said, taken)
    });
    let said = String::from_utf8(said).expect("answers are text");
    let lines = said.lines().filter(|line| line.starts_with("HTTP/1."));
    let codes: Vec<String> =
        lines.map(|line| line.split(' ').nth(1).unwrap_or("").into()).collect();
    assert!(said.is_empty() || said.starts_with("HTTP/1."), "{said}");
    let answered = said.matches("x-sage-task: ").count();
    assert!(answered <= taken, "{answered} answers to {taken} records");
    // Whether a client is told to go on with its body depends on what has come of it.
    codes.into_iter().filter(|code| code != "100").collect()
}
