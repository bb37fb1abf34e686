//! A client over a bare socket, which can be slow, silent or wrong on purpose.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "helpers of tests; each test file uses its own part"
)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// What came back.
#[derive(Debug)]
pub struct Got {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Got {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub fn class(&self) -> String {
        self.json()["error"]["class"].as_str().unwrap_or_default().to_owned()
    }

    pub fn message(&self) -> String {
        self.json()["error"]["message"].as_str().unwrap_or_default().to_owned()
    }
}

/// A request on its way.
pub struct Sent(pub TcpStream);

/// Open a connection and send these bytes.
pub fn raw(address: SocketAddr, bytes: &[u8]) -> std::io::Result<Sent> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(20))?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    stream.write_all(bytes)?;
    Ok(Sent(stream))
}

/// A whole request that closes its connection.
pub fn text(method: &str, path: &str, head: &str, body: &str) -> Vec<u8> {
    format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{head}content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

pub fn post(address: SocketAddr, body: &str) -> std::io::Result<Sent> {
    raw(address, &text("POST", "/", "", body))
}

/// Ask and wait for the answer.
pub fn ask(address: SocketAddr, body: &str) -> Got {
    post(address, body).unwrap().answer().unwrap()
}

pub fn get(address: SocketAddr, path: &str) -> std::io::Result<Got> {
    raw(address, &text("GET", path, "", ""))?.answer()
}

impl Sent {
    /// Read to the end of the connection; an error if it broke off before there was a whole answer.
    pub fn answer(mut self) -> std::io::Result<Got> {
        let mut bytes = Vec::new();
        let read = self.0.read_to_end(&mut bytes);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let whole = text.split_once("\r\n\r\n").and_then(|(head, body)| {
            let status = head.split(' ').nth(1)?.parse().ok()?;
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: Option<usize> = length.and_then(|length| length.parse().ok());
            length.is_none_or(|length| body.len() >= length).then(|| Got {
                status,
                head: head.to_ascii_lowercase(),
                body: body.to_owned(),
            })
        });
        match (whole, read) {
            (Some(got), _) => Ok(got),
            (None, Err(error)) => Err(error),
            (None, Ok(_)) => Err(std::io::ErrorKind::UnexpectedEof.into()),
        }
    }
}
