//! A server that answers by the path it is asked for: truly, wrongly, or not at all.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "helpers of tests; each test file uses its own part"
)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A request that came.
#[derive(Debug, Clone)]
pub struct Came {
    pub line: String,
    pub head: BTreeMap<String, String>,
    pub body: String,
}

/// See the module; it lives as long as the test.
pub struct Stub {
    pub address: SocketAddr,
    came: Arc<Mutex<Vec<Came>>>,
}

impl Stub {
    /// `answer` says what is sent back, from the request and how many came before it.
    pub fn start(answer: impl Fn(&Came, usize) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let came: Arc<Mutex<Vec<Came>>> = Arc::default();
        let (answer, kept) = (Arc::new(answer), Arc::clone(&came));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answer, kept) = (Arc::clone(&answer), Arc::clone(&kept));
                std::thread::spawn(move || serve(stream, answer.as_ref(), &kept));
            }
        });
        Stub { address, came }
    }

    pub fn came(&self) -> Vec<Came> {
        self.came.lock().unwrap().clone()
    }
}

fn serve(
    stream: TcpStream,
    answer: &(dyn Fn(&Came, usize) -> String + Send + Sync),
    kept: &Mutex<Vec<Came>>,
) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let mut head = BTreeMap::new();
        loop {
            let mut field = String::new();
            if reader.read_line(&mut field).unwrap_or(0) == 0 || field.trim().is_empty() {
                break;
            }
            if let Some((name, value)) = field.split_once(':') {
                head.insert(name.to_ascii_lowercase(), value.trim().to_owned());
            }
        }
        let length = head.get("content-length").and_then(|length| length.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        reader.read_exact(&mut body).unwrap();
        let body = String::from_utf8(body).unwrap();
        let request = Came { line: line.trim().to_owned(), head, body };
        let before = {
            let mut kept = kept.lock().unwrap();
            kept.push(request.clone());
            kept.len() - 1
        };
        let said = answer(&request, before);
        if let Some((head, piece)) =
            said.strip_prefix("ENDLESS ").and_then(|said| said.split_once("\r\n\r\n"))
        {
            let mut alive = stream.write_all(format!("{head}\r\n\r\n").as_bytes()).is_ok();
            while alive {
                alive = stream.write_all(piece.as_bytes()).is_ok();
            }
            return;
        }
        if said == "SILENT" {
            std::thread::sleep(Duration::from_secs(60));
            return;
        }
        if stream.write_all(said.as_bytes()).is_err() || !said.contains("keep-alive") {
            return;
        }
    }
}

/// An answer as it should be.
pub fn answer(status: u16, body: &str) -> String {
    with(status, "", body)
}

/// With more header fields, each ended by a line break.
pub fn with(status: u16, head: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-type: application/json\r\n{head}content-length: {length}\r\n\r\n{body}"
    )
}
