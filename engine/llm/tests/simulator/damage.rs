//! Answers that break on the way, as the bytes of a plain socket.

use sage_llm::simulator::Faults;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::running::{Running, ask, start};

async fn faulty(rules: &str) -> Running {
    let faults = Faults::parse(rules).unwrap();
    start(move |config| config.fault = faults).await
}

/// All bytes of the answer to one chat, and how the connection ended.
async fn raw(server: &Running, stream: bool) -> (String, std::io::Result<()>) {
    let mut body = ask("Explain continuous batching.");
    body["stream"] = json!(stream);
    body["max_tokens"] = json!(200);
    body["ignore_eos"] = json!(true);
    let body = body.to_string();
    let mut socket = TcpStream::connect(server.base.trim_start_matches("http://")).await.unwrap();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    socket.write_all((head + &body).as_bytes()).await.unwrap();
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    let end = loop {
        match socket.read(&mut buffer).await {
            Ok(0) => break Ok(()),
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
            Err(error) => break Err(error),
        }
    };
    (String::from_utf8(bytes).unwrap(), end)
}

/// Head and body, and the length that the head announces.
fn parts(text: &str) -> (&str, &str, Option<usize>) {
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    (head, body, length.map(|length| length.parse().unwrap()))
}

#[tokio::test]
async fn a_truncated_body_is_shorter_than_announced() {
    let server = faulty("truncated=1/2").await;
    let (whole, _) = raw(&server, false).await;
    let (_, body, length) = parts(&whole);
    assert_eq!(Some(body.len()), length);
    let (cut, end) = raw(&server, false).await;
    let (head, body, length) = parts(&cut);
    assert!(head.starts_with("HTTP/1.1 200") && end.is_ok(), "{head} {end:?}");
    assert!(!body.is_empty() && body.len() < length.unwrap(), "{}", body.len());
    server.stop().await;
}

#[tokio::test]
async fn a_truncated_stream_has_no_end() {
    let server = faulty("truncated=1/2").await;
    let (whole, _) = raw(&server, true).await;
    assert!(whole.contains("[DONE]") && whole.ends_with("0\r\n\r\n"));
    let (cut, end) = raw(&server, true).await;
    assert!(cut.contains("data: {") && !cut.contains("[DONE]"), "{cut}");
    assert!(end.is_ok() && !cut.ends_with("0\r\n\r\n"));
    server.stop().await;
}

#[tokio::test]
async fn a_reset_comes_in_the_middle_of_the_answer() {
    for stream in [false, true] {
        let server = faulty("reset=1/1").await;
        let (begun, end) = raw(&server, stream).await;
        assert!(begun.starts_with("HTTP/1.1 200") && !parts(&begun).1.is_empty(), "{begun}");
        assert_eq!(end.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
        server.stop().await;
    }
}

#[tokio::test]
async fn a_dropped_call_gets_no_byte() {
    let server = faulty("drop=1/1").await;
    assert!(raw(&server, false).await.0.is_empty());
    server.stop().await;
}

#[tokio::test]
async fn broken_json_comes_whole_but_cannot_be_read() {
    let server = faulty("bad_json=1/1").await;
    let (answer, end) = raw(&server, false).await;
    let (head, body, length) = parts(&answer);
    assert!(head.starts_with("HTTP/1.1 200") && end.is_ok());
    assert_eq!(Some(body.len()), length);
    assert!(serde_json::from_str::<Value>(body).is_err(), "{body}");
    let (stream, _) = raw(&server, true).await;
    let events: Vec<&str> = stream.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    let (done, events) = events.split_last().unwrap();
    assert_eq!(*done, "[DONE]");
    assert!(events.len() > 2 && events.iter().all(|e| serde_json::from_str::<Value>(e).is_err()));
    let embedding = json!({"model": "BAAI/bge-small-en-v1.5", "input": "x"});
    let response = server.send("/v1/embeddings", &embedding).await;
    assert!(serde_json::from_str::<Value>(&response.text().await.unwrap()).is_err());
    server.stop().await;
}
