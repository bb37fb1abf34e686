//! Journals in temporary folders, and this test program as another process.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use sage_llm::journal::{Journal, JournalConfig, JournalError, Key, KeyBuilder, Kind, Stored};

pub(crate) const MIB: u64 = 1 << 20;

/// A folder for tests that sync often and are not about disks: in memory where there is one.
pub(crate) fn quick_folder() -> tempfile::TempDir {
    let memory = tempfile::Builder::new().tempdir_in("/dev/shm");
    memory.or_else(|_| tempfile::tempdir()).unwrap()
}

pub(crate) fn key(number: u64) -> Key {
    KeyBuilder::new("test").number(number).finish()
}

/// An answer of about `bytes` bytes that says its number.
pub(crate) fn answer(number: u64, bytes: usize) -> Stored {
    Stored {
        body: format!("{{\"text\":\"{number} {}\"}}", "x".repeat(bytes)).into(),
        prompt_tokens: number,
        completion_tokens: bytes as u64,
        simulated: number.is_multiple_of(2),
        model: format!("model-{}", number % 3),
    }
}

pub(crate) fn open(path: &Path, max_bytes: u64, kind: Kind) -> Result<Journal, JournalError> {
    Journal::open(JournalConfig { path: path.to_owned(), max_bytes, kind })
}

pub(crate) fn run(path: &Path) -> Journal {
    open(path, 64 * MIB, Kind::Run).unwrap()
}

pub(crate) fn content(path: &Path) -> Journal {
    open(path, 64 * MIB, Kind::Content).unwrap()
}

pub(crate) fn block<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(work)
}

/// Record all at once, in this order.
pub(crate) fn record(journal: &Journal, entries: impl IntoIterator<Item = (Key, Stored)>) {
    block(async {
        let mut tasks = tokio::task::JoinSet::new();
        for (key, stored) in entries {
            let journal = journal.clone();
            tasks.spawn(async move { journal.record(key, stored).await });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap().unwrap();
        }
    });
}

pub(crate) fn segments(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "seg"))
        .collect();
    found.sort();
    found
}

pub(crate) fn bytes(folder: &Path) -> u64 {
    segments(folder).iter().map(|path| fs::metadata(path).unwrap().len()).sum()
}

const FOLDER: &str = "JOURNAL_TEST_FOLDER";
const KIND: &str = "JOURNAL_TEST_KIND";
const FIRST: &str = "JOURNAL_TEST_FIRST";
const SIZE: &str = "JOURNAL_TEST_SIZE";

/// Another process with the journal open. It records from `first` on and says `ack N` for each
/// that is durable, `no N` for each that failed. Where it is `stepped` it waits for a line before
/// each; else it writes without a pause, eight at a time.
pub(crate) struct Other {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Other {
    pub(crate) fn start(folder: &Path, kind: Kind, first: u64, stepped: bool) -> Other {
        Other::prefixed(None, folder, kind, first, 500, stepped)
    }

    /// As `start`, run by a shell after `prefix`.
    pub(crate) fn prefixed(
        prefix: Option<&str>,
        folder: &Path,
        kind: Kind,
        first: u64,
        size: usize,
        stepped: bool,
    ) -> Other {
        let program = std::env::current_exe().unwrap();
        let arguments = ["--exact", "support::as_another_process", "--nocapture"];
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("{} exec \"$0\" \"$@\"", prefix.unwrap_or_default()));
        command.arg(program).args(arguments);
        command.env(FOLDER, folder).env(KIND, kind.name()).env(FIRST, first.to_string());
        command.env(SIZE, size.to_string());
        command.stdin(if stepped { Stdio::piped() } else { Stdio::null() });
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let ours = line.split_once("ack ").map(|(_, rest)| format!("ack {rest}"));
                let ours = ours.or_else(|| line.contains("ready").then(|| "ready".to_owned()));
                let ours = ours.or_else(|| line.starts_with("no ").then_some(line));
                if let Some(line) = ours
                    && send.send(line).is_err()
                {
                    return;
                }
            }
        });
        let other = Other { child, stdin, lines };
        assert_eq!(other.line().as_deref(), Some("ready"));
        other
    }

    /// What it says next; nothing when it has ended.
    pub(crate) fn line(&self) -> Option<String> {
        self.lines.recv_timeout(Duration::from_secs(60)).ok()
    }

    /// Let it record one entry; its line.
    pub(crate) fn step(&mut self) -> String {
        writeln!(self.stdin.as_mut().unwrap(), "go").unwrap();
        self.line().unwrap()
    }

    /// Kill it; the numbers it acknowledged since it was asked last.
    pub(crate) fn kill(mut self) -> Vec<u64> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let acknowledged = |line: String| line.strip_prefix("ack ")?.parse().ok();
        std::iter::from_fn(|| self.line()).filter_map(acknowledged).collect()
    }

    pub(crate) fn end(mut self) {
        drop(self.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }
}

fn say(line: &str) {
    // One write, so that a kill never leaves half a line that reads as another number.
    let mut out = std::io::stdout();
    if out.write_all(format!("{line}\n").as_bytes()).and_then(|()| out.flush()).is_err() {
        // Nobody listens any more.
        std::process::exit(1);
    }
}

/// No test: what the other process does.
#[test]
fn as_another_process() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let number = |name| std::env::var(name).unwrap().parse::<u64>().unwrap();
    let kind = if std::env::var(KIND).unwrap() == "run" { Kind::Run } else { Kind::Content };
    let journal = open(Path::new(&folder), 64 * MIB, kind).unwrap();
    let (first, size) = (number(FIRST), number(SIZE) as usize);
    say("\nready");
    let keep = |number: u64, journal: Journal| async move {
        match journal.record(key(number), answer(number, size)).await {
            Ok(()) => say(&format!("ack {number}")),
            Err(error) => say(&format!("no {number} {error}")),
        }
    };
    block(async {
        let stepped = std::io::stdin().lines().next().is_some();
        if stepped {
            let mut next = first;
            loop {
                keep(next, journal.clone()).await;
                next += 1;
                if std::io::stdin().lines().next().is_none() {
                    return;
                }
            }
        }
        let mut tasks = tokio::task::JoinSet::new();
        for next in first.. {
            if tasks.len() >= 8 {
                tasks.join_next().await;
            }
            tasks.spawn(keep(next, journal.clone()));
        }
    });
}
