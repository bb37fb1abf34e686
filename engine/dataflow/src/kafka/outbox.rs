//! Rows on their way to a topic: what is committed is delivered, and how far that came is kept.
//!
//! A row is written to a part file first, as for any other sink, and committed with its task. Only
//! then it is delivered, by a thread beside the one that commits, and when the brokers have it the
//! position is noted. So no row is lost, and none is seen that is not committed. What was delivered
//! and not noted when a worker dies is delivered once more: the rows of one commit at most.
//!
//! ```text
//! commit/sent-NAME.0000030001    how far parts/NAME.0000030001 was delivered; the last whole line
//! ```
//!
//! What workers that are gone left undelivered, the first worker of the next generation delivers.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use super::Delivery;
use crate::commit::{Commit, Content, folder};
use crate::error::DataflowError;
use crate::sinks::PARTS;

/// Commits that wait for their delivery; more make the worker wait.
const QUEUE: usize = 4;
/// Bytes of what others left that are delivered at once.
const PIECE: u64 = 4 << 20;

/// Whose rows these are.
#[derive(Debug, Clone)]
pub(crate) struct Sender {
    /// Of the sink.
    pub(crate) name: String,
    /// Of the sink.
    pub(crate) line: u32,
    /// The run's folder.
    pub(crate) out: PathBuf,
    /// The part file, within that folder.
    pub(crate) part: String,
}

/// A worker's side of the thread.
#[derive(Debug)]
pub(crate) struct Outbox {
    sender: Option<SyncSender<Vec<u8>>>,
    thread: Option<JoinHandle<Result<(), DataflowError>>>,
}

/// Rows that are committed and perhaps not delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rest {
    part: String,
    from: u64,
    to: u64,
}

impl Outbox {
    /// Start the thread; `left` are part files of this sink that others left, with what of them is
    /// committed.
    pub(crate) fn start(
        delivery: Box<dyn Delivery>,
        sender: Sender,
        left: Vec<(String, u64)>,
    ) -> Result<Self, DataflowError> {
        let (give, take) = sync_channel(QUEUE);
        let thread = thread::Builder::new()
            .name("deliver".into())
            .spawn(move || run(delivery, &sender, left, &take))
            .map_err(|error| DataflowError::Start(format!("no thread for a topic: {error}")))?;
        Ok(Outbox { sender: Some(give), thread: Some(thread) })
    }

    /// Committed rows, to be delivered; waits for room.
    pub(crate) fn take(&mut self, lines: Vec<u8>) -> Result<(), DataflowError> {
        match self.sender.as_ref().map(|sender| sender.send(lines)) {
            Some(Ok(())) => Ok(()),
            // It has ended, and says why.
            _ => self.finish(),
        }
    }

    /// Wait until all is delivered.
    pub(crate) fn finish(&mut self) -> Result<(), DataflowError> {
        self.sender = None;
        let broken = || DataflowError::Broken("the thread that delivers ended early".into());
        self.thread.take().map_or(Ok(()), |thread| thread.join().unwrap_or_else(|_| Err(broken())))
    }
}

/// Part files of a sink that earlier generations left, with what of them is committed.
pub(crate) fn left(name: &str, earlier: &Commit) -> Vec<(String, u64)> {
    let prefix = format!("{PARTS}/{name}.");
    let is_part = |part: &str| {
        let number = part.strip_prefix(&prefix);
        number.is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let parts = earlier.files.iter().filter(|(part, _)| is_part(part));
    let rows = parts.filter(|(_, extent)| extent.content == Content::Rows);
    rows.map(|(part, extent)| (part.clone(), extent.length)).collect()
}

fn run(
    mut delivery: Box<dyn Delivery>,
    sender: &Sender,
    left: Vec<(String, u64)>,
    take: &Receiver<Vec<u8>>,
) -> Result<(), DataflowError> {
    let failed = |message: String| DataflowError::Sink {
        name: sender.name.clone(),
        line: sender.line,
        message: format!("{message}; its rows are kept, and the same command delivers the rest"),
    };
    for (part, to) in left {
        let mut mark = Mark::open(&sender.out, &part)?;
        let mut rest = Rest { part, from: mark.at, to };
        while let Some(lines) = piece(&sender.out, &mut rest)? {
            delivery.deliver(&lines).map_err(failed)?;
            mark.set(rest.from)?;
        }
    }
    let mut mark: Option<Mark> = None;
    while let Ok(lines) = take.recv() {
        delivery.deliver(&lines).map_err(failed)?;
        let mark = match &mut mark {
            Some(mark) => mark,
            none => none.insert(Mark::open(&sender.out, &sender.part)?),
        };
        mark.set(mark.at + lines.len() as u64)?;
    }
    Ok(())
}

/// The next whole lines of what is left; moves its beginning.
fn piece(out: &Path, rest: &mut Rest) -> Result<Option<Vec<u8>>, DataflowError> {
    if rest.from >= rest.to {
        return Ok(None);
    }
    let path = out.join(&rest.part);
    let failed = |reason| DataflowError::File { action: "read", path: path.clone(), reason };
    let mut file = File::open(&path).map_err(failed)?;
    file.seek(SeekFrom::Start(rest.from)).map_err(failed)?;
    let (mut lines, mut most) = (Vec::new(), PIECE);
    loop {
        let room = most.min(rest.to - rest.from) - lines.len() as u64;
        let read = (&mut file).take(room).read_to_end(&mut lines).map_err(failed)?;
        let whole = lines.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        if whole > 0 {
            lines.truncate(whole);
            rest.from += whole as u64;
            return Ok(Some(lines));
        }
        if read == 0 {
            let message = "rows that were committed are not there any more".to_owned();
            return Err(DataflowError::Damaged { path, message });
        }
        // A row that is longer than a piece.
        most = most.saturating_mul(2);
    }
}

/// How far a part file was delivered.
struct Mark {
    path: PathBuf,
    file: File,
    at: u64,
}

impl Mark {
    fn open(out: &Path, part: &str) -> Result<Self, DataflowError> {
        let part = part.rsplit('/').next().unwrap_or(part);
        let path = folder(out).join(format!("sent-{part}"));
        let failed = |reason| DataflowError::File { action: "open", path: path.clone(), reason };
        let file = File::options().append(true).create(true).open(&path).map_err(failed)?;
        let text = fs::read_to_string(&path).map_err(failed)?;
        // A line that is cut off ends in no newline. Less than was delivered is delivered again.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let at = whole.lines().filter_map(|line| line.parse().ok()).max().unwrap_or(0);
        let mut mark = Mark { path, file, at };
        if !text.is_empty() && !text.ends_with('\n') {
            mark.write("\n")?;
        }
        Ok(mark)
    }

    fn set(&mut self, at: u64) -> Result<(), DataflowError> {
        self.at = at;
        self.write(&format!("{at}\n"))
    }

    fn write(&mut self, text: &str) -> Result<(), DataflowError> {
        let path = self.path.clone();
        let failed = |reason| DataflowError::File { action: "write", path, reason };
        self.file.write_all(text.as_bytes()).map_err(failed)
    }
}
