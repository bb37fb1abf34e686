//! Between a run and its model server: knows which questions were asked and how often each was
//! answered, whoever of the two is killed.
//!
//! Questions read `What is N?`. An answer counts as paid when the server has sent it whole, whether
//! or not anybody was left to take it.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "helpers of tests; each test file uses its own part"
)]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// The relay; ends with the test.
pub struct Relay {
    pub url: String,
    book: Arc<Mutex<Book>>,
}

#[derive(Default)]
struct Book {
    /// Answers to each question, and when they came.
    paid: BTreeMap<u64, Vec<Instant>>,
    /// Questions that are at the server, by connection.
    open: BTreeMap<u64, u64>,
    last: Option<Instant>,
}

impl Relay {
    pub fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let book = Arc::new(Mutex::new(Book::default()));
        let shared = Arc::clone(&book);
        thread::spawn(move || {
            for (number, client) in (0..).zip(listener.incoming().flatten()) {
                let book = Arc::clone(&shared);
                thread::spawn(move || {
                    // Without a server the caller finds its connection closed.
                    if let Ok(server) = TcpStream::connect(server) {
                        carry(&client, &server, &book, number);
                        book.lock().unwrap().open.remove(&number);
                    }
                });
            }
        });
        Relay { url, book }
    }

    /// Answers that were paid, in all.
    pub fn paid(&self) -> u64 {
        self.book.lock().unwrap().paid.values().map(|times| times.len() as u64).sum()
    }

    /// Answers to questions that had been answered.
    pub fn paid_again(&self) -> u64 {
        self.book.lock().unwrap().paid.values().map(|times| times.len() as u64 - 1).sum()
    }

    /// Answers that came between two moments, and were paid for again after the second: how long
    /// before it.
    pub fn forgotten(&self, from: Instant, to: Instant) -> Vec<Duration> {
        let book = self.book.lock().unwrap();
        let before = |times: &Vec<Instant>| {
            let again = times.iter().any(|time| *time > to);
            let last = times.iter().rfind(|time| **time <= to)?;
            (again && *last > from).then(|| to - *last)
        };
        book.paid.values().filter_map(before).collect()
    }

    /// Questions that were answered.
    pub fn questions(&self) -> u64 {
        self.book.lock().unwrap().paid.len() as u64
    }

    /// Calls that are at the server.
    pub fn open(&self) -> u64 {
        self.book.lock().unwrap().open.len() as u64
    }

    /// Do something while no answer passes; gives the moment after it, and the calls that are at the
    /// server then.
    pub fn meanwhile(&self, act: impl FnOnce()) -> (Instant, u64) {
        let book = self.book.lock().unwrap();
        act();
        (Instant::now(), book.open.len() as u64)
    }

    /// When the last answer came.
    pub fn last(&self) -> Option<Instant> {
        self.book.lock().unwrap().last
    }
}

fn carry(client: &TcpStream, server: &TcpStream, book: &Arc<Mutex<Book>>, number: u64) {
    let (_, _) = (client.set_nodelay(true), server.set_nodelay(true));
    let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let asked = Arc::clone(book);
    let up = thread::spawn(move || {
        let mut seen = Vec::new();
        copy(from, &to, |bytes| {
            seen.extend_from_slice(bytes);
            while let Some((question, end)) = question(&seen) {
                asked.lock().unwrap().open.insert(number, question);
                seen.drain(..end);
            }
            seen.drain(..seen.len().saturating_sub(40));
        });
        let _ = to.shutdown(Shutdown::Both);
    });
    let mut seen = Vec::new();
    copy(server.try_clone().unwrap(), client, |bytes| {
        seen.extend_from_slice(bytes);
        while let Some(at) = find(&seen, b"\"usage\":{\"prompt") {
            seen.drain(..=at);
            let mut book = book.lock().unwrap();
            if let Some(question) = book.open.remove(&number) {
                let now = Instant::now();
                book.paid.entry(question).or_default().push(now);
                book.last = Some(now);
            }
        }
        seen.drain(..seen.len().saturating_sub(20));
    });
    let _ = client.shutdown(Shutdown::Both);
    let _ = server.shutdown(Shutdown::Both);
    let _ = up.join();
}

/// What the server has said is looked at even when nobody takes it any more.
fn copy(mut from: TcpStream, mut to: &TcpStream, mut look: impl FnMut(&[u8])) {
    let mut buffer = [0; 1 << 14];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        look(&buffer[..length]);
        if to.write_all(&buffer[..length]).is_err() {
            return;
        }
    }
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

/// The first question in a text, and where it ends.
fn question(text: &[u8]) -> Option<(u64, usize)> {
    const BEGIN: &[u8] = b"What is ";
    let begin = find(text, BEGIN)? + BEGIN.len();
    let length = text[begin..].iter().position(|byte| *byte == b'?')?;
    let number = std::str::from_utf8(&text[begin..begin + length]).ok()?.parse().ok()?;
    Some((number, begin + length + 1))
}
