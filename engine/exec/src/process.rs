//! One process: started, asked line by line, ended with all that it has started itself.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::process::Stdio;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use sage_core::endpoint::ExecCommand;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::guard::Guard;

/// A longer answer is none.
const LONGEST_LINE: usize = 16 << 20;
/// What is kept of the standard error, for the message when it ends.
const LAST_WORDS: usize = 2_000;
/// Time for its exit status and last words when its output has ended.
const ENDING: Duration = Duration::from_millis(500);

/// Characters of a line that is no answer in a message.
const SHOWN: usize = 200;

/// A line of a program.
#[derive(Deserialize)]
struct Line<'l> {
    id: u64,
    #[serde(borrow)]
    value: &'l RawValue,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// It ended before it was asked: nothing was lost.
    GoneBefore(String),
    /// It ended, or broke the rules, with the question in its hands; how, in words.
    Broken(String),
    /// It printed more than answers, so that nobody can tell any more which line is one.
    Unasked(String),
}

/// A process that runs.
pub(crate) struct Process {
    child: Child,
    group: Option<Pid>,
    guard: Rc<RefCell<Guard>>,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    last_words: Rc<RefCell<VecDeque<u8>>>,
    line: Vec<u8>,
    /// Of the last question.
    id: Option<u64>,
}

impl Process {
    /// Start it. `hidden` are environment variables that are none of its business.
    pub(crate) fn start(
        command: &ExecCommand,
        hidden: &[String],
        guard: &Rc<RefCell<Guard>>,
    ) -> io::Result<Self> {
        let (program, arguments) =
            command.words.split_first().ok_or_else(|| io::Error::other("no program is named"))?;
        let mut process = Command::new(program);
        process.args(arguments);
        for name in hidden {
            process.env_remove(name);
        }
        // A group of its own: Ctrl-C at the terminal is for the run, which lets it finish.
        process.process_group(0).kill_on_drop(true);
        process.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let unguarded = |error| io::Error::other(format!("nobody could end it for sure: {error}"));
        guard.borrow_mut().ready().map_err(unguarded)?;
        let mut child = process.spawn()?;
        let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let missing = || io::Error::other("it has no pipes");
        let stdout = BufReader::new(child.stdout.take().ok_or_else(missing)?);
        let stderr = child.stderr.take().ok_or_else(missing)?;
        let last_words = Rc::new(RefCell::new(VecDeque::new()));
        // Read all along, or it would have to wait when the pipe is full.
        tokio::task::spawn_local(keep_last_words(stderr, Rc::clone(&last_words)));
        let stdin = child.stdin.take();
        let guard = Rc::clone(guard);
        let started =
            Process { child, group, guard, stdin, stdout, last_words, line: Vec::new(), id: None };
        if let Some(group) = group {
            // If that fails it ends with what is dropped here.
            started.guard.borrow_mut().add(group).map_err(unguarded)?;
        }
        Ok(started)
    }

    /// Ask for the answer to a JSON text, which is one, too. Whoever stops waiting must not ask it
    /// again.
    pub(crate) async fn ask(&mut self, question: &str) -> Result<String, Trouble> {
        // One that was killed is missed before its worker is; else nothing is lost by that.
        drop(self.guard.borrow_mut().ready());
        match self.unasked().await {
            None => {}
            Some(0) => return Err(Trouble::GoneBefore(self.ending().await)),
            Some(_) => {
                let what = "it printed something that it was not asked for";
                return Err(Trouble::Unasked(format!("{what}; {RULE}")));
            }
        }
        let Some(stdin) = &mut self.stdin else {
            return Err(Trouble::GoneBefore("its input is closed".to_owned()));
        };
        let id = match fresh_id(self.id) {
            Ok(id) => id,
            Err(error) => {
                return Err(Trouble::GoneBefore(format!("it can be given no id: {error}")));
            }
        };
        let before = self.id.replace(id);
        let question = format!("{{\"id\":{id},\"value\":{question}}}\n");
        let writing = async {
            stdin.write_all(question.as_bytes()).await?;
            stdin.flush().await
        };
        // At the same time: it may answer before it has read everything, and both pipes be full.
        let read = {
            let (mut writing, mut reading) =
                (pin!(writing), pin!(read_line(&mut self.stdout, &mut self.line)));
            tokio::select! {
                read = &mut reading => {
                    // What it did not read would be the beginning of the next question.
                    let _ = writing.await;
                    read
                }
                // One that ended without reading has an output that ends, too.
                _ = &mut writing => reading.await,
            }
        };
        match read {
            Ok(true) => answer(self.line.trim_ascii(), id, before),
            Ok(false) => Err(Trouble::Broken(self.ending().await)),
            Err(error) => Err(Trouble::Broken(error.to_string())),
        }
    }

    /// Bytes that lie in its output already; 0 when that has ended.
    async fn unasked(&mut self) -> Option<usize> {
        let mut looked = pin!(self.stdout.fill_buf());
        poll_fn(|context| {
            Poll::Ready(match looked.as_mut().poll(context) {
                Poll::Ready(Ok(bytes)) => Some(bytes.len()),
                Poll::Ready(Err(_)) => Some(0),
                Poll::Pending => None,
            })
        })
        .await
    }

    /// How it ended, in words.
    async fn ending(&mut self) -> String {
        let status = match timeout(ENDING, self.child.wait()).await {
            Ok(Ok(status)) => format!("it ended ({status}) without an answer"),
            _ => "it closed its output without an answer".to_owned(),
        };
        // What it wrote last may still be in the pipe.
        tokio::task::yield_now().await;
        let words: Vec<u8> = self.last_words.borrow().iter().copied().collect();
        let words = String::from_utf8_lossy(&words);
        match words.trim() {
            "" => status,
            words => format!("{status}{LAST_WORDS_ARE}{words}"),
        }
    }

    /// Let it end by itself: its input is closed, and it has `patience` to go.
    pub(crate) async fn leave(mut self, patience: Duration) {
        self.stdin = None;
        let _ = timeout(patience, self.child.wait()).await;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // What it has started itself, too. A group that is gone is no trouble.
        let running = matches!(self.child.try_wait(), Ok(None));
        if let Some(group) = self.group.filter(|_| running) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        if let Some(group) = self.group {
            self.guard.borrow_mut().remove(group);
        }
    }
}

/// Between how it ended and what it said last.
const LAST_WORDS_ARE: &str = "; its last words: ";

/// Why there is no answer, with one line of what it said last.
pub(crate) fn in_a_line(why: &str) -> String {
    let (how, words) = why.split_once(LAST_WORDS_ARE).unwrap_or((why, ""));
    let line = match words.lines().next_back() {
        None => how.to_owned(),
        Some(last) => format!("{how}{LAST_WORDS_ARE}{last}"),
    };
    line.chars().map(|it| if it.is_control() { ' ' } else { it }).take(2 * SHOWN).collect()
}

/// What every message about a line that is no answer ends with.
const RULE: &str = "for each line of input print {\"id\": ID OF THE INPUT, \"value\": ANSWER}, and \
                    anything else to the standard error";

/// An id that nobody can know before the question is sent, so that a line which was printed ahead of it
/// does not answer it. It fits into an int of 32 bits, as some languages have no others.
fn fresh_id(before: Option<u64>) -> io::Result<u64> {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    let id = u64::from(u32::from_le_bytes(bytes) >> 1);
    Ok(if Some(id) == before { id ^ 1 } else { id })
}

/// The value of a line, if it is the answer to the question with this id; `before` is that of a question
/// that it has answered.
fn answer(line: &[u8], id: u64, before: Option<u64>) -> Result<String, Trouble> {
    let shown = || String::from_utf8_lossy(line).chars().take(SHOWN).collect::<String>();
    match serde_json::from_slice::<Line<'_>>(line) {
        Ok(line) if line.id == id => Ok(line.value.get().to_owned()),
        Ok(line) => {
            let why = format!("it answered id {} and was asked for id {id}; {RULE}", line.id);
            // One that has answered knows how, and this is a line too many.
            Err(if before.is_some() { Trouble::Unasked(why) } else { Trouble::Broken(why) })
        }
        Err(_) => Err(Trouble::Broken(format!("it printed `{}`; {RULE}", shown()))),
    }
}

/// One line; `false` if there is none any more.
async fn read_line(stdout: &mut BufReader<ChildStdout>, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    loop {
        let read = stdout.fill_buf().await?;
        if read.is_empty() {
            return Ok(false);
        }
        let end = read.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(read.len(), |end| end + 1);
        line.extend_from_slice(&read[..taken]);
        stdout.consume(taken);
        if line.len() > LONGEST_LINE {
            let what = format!("its answer is longer than {LONGEST_LINE} bytes");
            return Err(io::Error::other(what));
        }
        if end.is_some() {
            return Ok(true);
        }
    }
}

async fn keep_last_words(mut stderr: ChildStderr, words: Rc<RefCell<VecDeque<u8>>>) {
    let mut buffer = [0; 1024];
    while let Ok(read) = stderr.read(&mut buffer).await {
        if read == 0 {
            break;
        }
        let mut words = words.borrow_mut();
        words.extend(&buffer[..read]);
        let surplus = words.len().saturating_sub(LAST_WORDS);
        words.drain(..surplus);
    }
}
