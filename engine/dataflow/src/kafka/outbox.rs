//! Rows on their way to a topic or a server: what is committed is delivered, and how far that came is kept.
//!
//! A row is written to a part file first, as for any other sink, and committed with its task. Only
//! then it is delivered, by a thread beside the one that commits, and when the brokers have it the
//! position is noted. So no row is lost, and none is seen that is not committed. What was delivered
//! and not noted when a worker dies is delivered once more: the piece that was under way, so the rows
//! of one commit, or up to 4 MiB of those that others left.
//!
//! ```text
//! commit/sent-NAME.0000030001    how far parts/NAME.0000030001 was delivered
//! ```
//!
//! For a server that is to know a piece again it is also noted, before a piece is sent, from where to
//! where it goes; it is sent again as it was, under the same name. One that is known not to have come is
//! cut anew.
//!
//! What workers that are gone left undelivered, one worker of the next generation delivers: the first, or
//! the one that writes what the steps over all records give this sink now, which must not come before it.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use super::mark::Mark;
use super::{Delivery, Undelivered};
use crate::commit::{Commit, Content};
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
    let sent = all(delivery.as_mut(), sender, left, take);
    match sent {
        Err(Unsent::Refused(message)) => Err(failed(message)),
        Err(Unsent::Unnoted(error)) => Err(error),
        // The rows are kept, and that is no failure.
        Err(Unsent::Stopped) | Ok(()) => Ok(()),
    }
}

/// What kept rows from being delivered.
enum Unsent {
    Refused(String),
    Unnoted(DataflowError),
    Stopped,
}

impl From<DataflowError> for Unsent {
    fn from(error: DataflowError) -> Self {
        Unsent::Unnoted(error)
    }
}

fn all(
    delivery: &mut dyn Delivery,
    sender: &Sender,
    left: Vec<(String, u64)>,
    take: &Receiver<Vec<u8>>,
) -> Result<(), Unsent> {
    for (part, to) in left {
        let mut mark = Mark::open(&sender.out, &part, delivery.is_named())?;
        if let Some(promised) = mark.promised().filter(|promised| *promised <= to) {
            // Perhaps it has come: it is the same once more.
            let again = Rest { part: part.clone(), from: mark.at(), to: promised };
            let lines = exactly(&sender.out, &again)?;
            match delivery.deliver(&lines, &mark.name(promised)) {
                Err(Undelivered::TooLarge(message)) => {
                    mark.withdraw(promised)?;
                    if delivery.piece(&lines) >= lines.len() {
                        return Err(Unsent::Refused(message));
                    }
                }
                Err(Undelivered::Refused(message) | Undelivered::Failed(message)) => {
                    return Err(Unsent::Refused(message));
                }
                Err(Undelivered::Stopped) => return Err(Unsent::Stopped),
                Ok(()) => mark.set(promised)?,
            }
        }
        let mut rest = Rest { part, from: mark.at(), to };
        while let Some(lines) = piece(&sender.out, &mut rest)? {
            send(delivery, &mut mark, &lines)?;
        }
    }
    let mut mark: Option<Mark> = None;
    while let Ok(lines) = take.recv() {
        let mark = match &mut mark {
            Some(mark) => mark,
            none => none.insert(Mark::open(&sender.out, &sender.part, delivery.is_named())?),
        };
        send(delivery, mark, &lines)?;
    }
    Ok(())
}

/// Deliver lines piece by piece, and note how far it came.
fn send(delivery: &mut dyn Delivery, mark: &mut Mark, lines: &[u8]) -> Result<(), Unsent> {
    let mut rest = lines;
    while !rest.is_empty() {
        let (now, later) = rest.split_at(delivery.piece(rest).clamp(1, rest.len()));
        let to = mark.at() + now.len() as u64;
        if delivery.is_named() {
            mark.promise(to)?;
        }
        match delivery.deliver(now, &mark.name(to)) {
            Err(Undelivered::TooLarge(message) | Undelivered::Refused(message)) => {
                if delivery.is_named() {
                    mark.withdraw(to)?;
                }
                return Err(Unsent::Refused(message));
            }
            Err(Undelivered::Failed(message)) => return Err(Unsent::Refused(message)),
            Err(Undelivered::Stopped) => return Err(Unsent::Stopped),
            Ok(()) => mark.set(to)?,
        }
        rest = later;
    }
    Ok(())
}

/// All of what is left.
fn exactly(out: &Path, rest: &Rest) -> Result<Vec<u8>, DataflowError> {
    let path = out.join(&rest.part);
    let failed = |reason| DataflowError::File { action: "read", path: path.clone(), reason };
    let mut file = File::open(&path).map_err(failed)?;
    file.seek(SeekFrom::Start(rest.from)).map_err(failed)?;
    let mut lines = vec![0; (rest.to - rest.from) as usize];
    file.read_exact(&mut lines).map_err(failed)?;
    Ok(lines)
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
