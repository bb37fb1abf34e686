//! What the dataflow needs of an endpoint: submit a call, be told of its completion.
//!
//! The trait is the seam between timely (which must not know HTTP) and HTTP (which must not know
//! timely). **Every submitted call is answered exactly once**: [`Completion`] is a drop guard, so a
//! panicking task, a dropped queue or a cancelled runtime still answers, with
//! [`ErrorClass::Abandoned`]; otherwise the record's capability would be held for ever.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::web::HttpCall;

/// One call to a shared endpoint; may carry several items that are answered together.
#[derive(Debug, Clone)]
pub struct Call {
    /// Position of the endpoint in the plan.
    pub endpoint: usize,
    /// What is asked.
    pub request: Request,
    /// Longest time until the answer, nanoseconds, all tries together.
    pub timeout_ns: u64,
    /// Position of the stage among the plan's stages, for counters and journals.
    pub stage: usize,
    /// The first record this call is made for.
    pub task: u64,
    /// Identity of the record behind each item (a hash of its key), in the order of the items.
    /// Empty when the items stand for no record; then nothing is looked up or kept per record.
    pub records: Vec<u64>,
    /// Which lane of the gateway's queue it takes.
    pub lane: Lane,
    /// Whether an answer that was paid before may be used again.
    pub cache: CacheMode,
}

impl Call {
    /// A call with everything else at its default: no records, the normal lane.
    pub fn new(endpoint: usize, request: Request, timeout_ns: u64) -> Self {
        Call {
            endpoint,
            request,
            timeout_ns,
            stage: 0,
            task: 0,
            records: Vec::new(),
            lane: Lane::default(),
            cache: CacheMode::default(),
        }
    }
}

/// How urgent a call is among those that wait at the gateway. Waiting makes a call more urgent, so
/// none starves.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    /// Small calls that others wait for (routing, classification).
    Control,
    /// The usual.
    #[default]
    Normal,
    /// Work that nobody waits for.
    Batch,
}

impl Lane {
    /// All lanes, the most urgent first.
    pub const ALL: [Lane; 3] = [Lane::Control, Lane::Normal, Lane::Batch];

    /// The word used in programs, headers and files.
    pub fn as_str(self) -> &'static str {
        match self {
            Lane::Control => "control",
            Lane::Normal => "normal",
            Lane::Batch => "batch",
        }
    }

    /// The lane called `word`.
    pub fn parse(word: &str) -> Option<Lane> {
        Lane::ALL.into_iter().find(|lane| lane.as_str() == word)
    }
}

/// Which earlier answers a call may be answered with, free of charge.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CacheMode {
    /// Those of the same record in the same run's journal.
    #[default]
    Run,
    /// Any with the same model, prompt, sampling and schema, also of other runs.
    Content,
    /// None; the answer is not kept either.
    Off,
}

impl CacheMode {
    /// All modes.
    pub const ALL: [CacheMode; 3] = [CacheMode::Run, CacheMode::Content, CacheMode::Off];

    /// The word used in programs, headers and files.
    pub fn as_str(self) -> &'static str {
        match self {
            CacheMode::Run => "run",
            CacheMode::Content => "content",
            CacheMode::Off => "off",
        }
    }

    /// The mode called `word`.
    pub fn parse(word: &str) -> Option<CacheMode> {
        CacheMode::ALL.into_iter().find(|mode| mode.as_str() == word)
    }
}

/// What is asked.
#[derive(Debug, Clone)]
pub enum Request {
    /// Text for each prompt. One prompt goes out as a chat (`/v1/chat/completions`) when
    /// `options.chat`, else as `/v1/completions`; several go out as one completions list.
    Generate {
        /// Rendered prompts, at least one.
        prompts: Vec<String>,
        /// Sampling.
        options: GenerateOptions,
    },
    /// A vector for each text (`/v1/embeddings` with a list).
    Embed {
        /// Texts, at least one.
        texts: Vec<String>,
    },
    /// A line of a program of the machine for each line. No gateway sees these: the worker's own
    /// pool of processes answers them.
    Exec {
        /// What to run.
        command: Arc<ExecCommand>,
        /// JSON texts without line breaks, at least one.
        lines: Vec<String>,
    },
    /// A request to a server of the web for each body. The worker makes them itself.
    Http {
        /// Where they go.
        call: Arc<HttpCall>,
        /// JSON texts, at least one.
        bodies: Vec<String>,
    },
}

/// A program that answers each line of its standard input, `{"id":1,"value":...}`, with one on its
/// standard output that has the same id. The id is what makes a line the answer to this question and
/// not to another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ExecCommand {
    /// Name and arguments; no shell looks at them.
    pub words: Vec<String>,
    /// Most processes of it on one worker.
    pub processes: usize,
    /// How often a line is tried again with a new process when one ends, is silent or answers
    /// something else.
    pub retries: u32,
    /// Longest time until the answer, from the moment at which a process gets the line, nanoseconds.
    pub timeout_ns: u64,
}

impl Request {
    /// Number of items.
    pub fn len(&self) -> usize {
        match self {
            Request::Generate { prompts, .. } => prompts.len(),
            Request::Embed { texts } => texts.len(),
            Request::Exec { lines, .. } => lines.len(),
            Request::Http { bodies, .. } => bodies.len(),
        }
    }

    /// Whether there is no item.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Sampling options of a generation.
#[derive(Debug, Clone, PartialEq)]
pub struct GenerateOptions {
    /// Most tokens to generate for each prompt.
    pub max_tokens: u32,
    /// Sampling temperature; `None` leaves it to the server.
    pub temperature: Option<f64>,
    /// Sampling seed.
    pub seed: Option<u64>,
    /// Stop strings.
    pub stop: Vec<String>,
    /// Use the chat form when there is one prompt.
    pub chat: bool,
    /// Take the answer as a stream, so that the time of its first token is known. Only with one
    /// prompt.
    pub stream: bool,
    /// What the answer has to look like.
    pub schema: Option<Arc<OutputSchema>>,
}

/// A JSON schema that an answer has to fit (`response_format: json_schema`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputSchema {
    /// Name sent along with it.
    pub name: String,
    /// The schema as JSON text.
    pub json: String,
}

impl Default for GenerateOptions {
    fn default() -> Self {
        GenerateOptions {
            max_tokens: 256,
            temperature: None,
            seed: None,
            stop: Vec::new(),
            chat: true,
            stream: false,
            schema: None,
        }
    }
}

/// A successful answer; as many items as were asked, in order.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Texts.
    Generated(Vec<Generation>),
    /// Vectors.
    Embedded {
        /// One vector per text.
        vectors: Vec<Vec<f32>>,
        /// Tokens of all texts together that were paid for with this call, as the server counted
        /// them.
        tokens: u64,
    },
}

/// One generated text.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Generation {
    /// The text.
    pub text: String,
    /// Prompt tokens (a list call reports one sum: it is divided evenly over its items).
    pub prompt_tokens: u64,
    /// Generated tokens.
    pub completion_tokens: u64,
    /// The server's `finish_reason`.
    pub finish: String,
    /// Whether the answer was paid for earlier: its tokens are not to be counted again.
    pub cached: bool,
}

/// Outcome of one call.
#[derive(Debug, Clone, PartialEq)]
pub struct CallOutcome {
    /// The answer or why there is none.
    pub result: Result<Answer, CallError>,
    /// Tries that reached the upstream (at least 1 unless none could be made or needed).
    pub attempts: u32,
    /// Time from the submission to the first token of a streamed answer, nanoseconds.
    pub first_token_ns: Option<u64>,
}

impl CallOutcome {
    /// No answer, after `attempts` tries.
    pub fn failed(error: CallError, attempts: u32) -> Self {
        CallOutcome { result: Err(error), attempts, first_token_ns: None }
    }
}

/// Why a call has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{class}: {message}")]
pub struct CallError {
    /// Class, for counters and retry decisions.
    pub class: ErrorClass,
    /// HTTP status, if there was one.
    pub status: Option<u16>,
    /// What the server or the transport said.
    pub message: String,
}

impl CallError {
    /// An error without an HTTP status.
    pub fn new(class: ErrorClass, message: impl Into<String>) -> Self {
        CallError { class, status: None, message: message.into() }
    }
}

/// Classes of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// No connection could be made.
    Unreachable,
    /// No answer in time.
    Timeout,
    /// 429, or a bounded queue was full.
    Throttled,
    /// 5xx or a connection cut while waiting.
    Server,
    /// 4xx: the request itself is wrong (unknown model, prompt too long, bad key).
    Rejected,
    /// The answer could not be understood.
    Protocol,
    /// The call was dropped without an answer.
    Abandoned,
    /// The run is ending.
    Cancelled,
}

impl ErrorClass {
    /// All classes.
    pub const ALL: [ErrorClass; 8] = [
        ErrorClass::Unreachable,
        ErrorClass::Timeout,
        ErrorClass::Throttled,
        ErrorClass::Server,
        ErrorClass::Rejected,
        ErrorClass::Protocol,
        ErrorClass::Abandoned,
        ErrorClass::Cancelled,
    ];

    /// The word used in files.
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorClass::Unreachable => "unreachable",
            ErrorClass::Timeout => "timeout",
            ErrorClass::Throttled => "throttled",
            ErrorClass::Server => "server",
            ErrorClass::Rejected => "rejected",
            ErrorClass::Protocol => "protocol",
            ErrorClass::Abandoned => "abandoned",
            ErrorClass::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for ErrorClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Something that answers calls.
pub trait Endpoint: Send + Sync {
    /// Start `call` without blocking; `completion` is used exactly once, from any thread.
    fn submit(&self, call: Call, completion: Completion);

    /// The run is to stop: calls that only wait to be tried, and may wait long, are answered at once
    /// with [`ErrorClass::Cancelled`]; their tasks stay pending.
    fn drain(&self) {}
}

/// The right and the duty to answer one call.
pub struct Completion(Option<Box<dyn FnOnce(CallOutcome) + Send>>);

impl Completion {
    /// Wrap what is to be done with the outcome.
    pub fn new(deliver: impl FnOnce(CallOutcome) + Send + 'static) -> Self {
        Completion(Some(Box::new(deliver)))
    }

    /// Answer.
    pub fn complete(mut self, outcome: CallOutcome) {
        if let Some(deliver) = self.0.take() {
            deliver(outcome);
        }
    }
}

impl Drop for Completion {
    fn drop(&mut self) {
        if let Some(deliver) = self.0.take() {
            let error =
                CallError::new(ErrorClass::Abandoned, "the call was dropped before its answer");
            deliver(CallOutcome::failed(error, 0));
        }
    }
}

impl fmt::Debug for Completion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Completion").field("open", &self.0.is_some()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn a_dropped_completion_answers_abandoned() {
        let (sender, receiver) = mpsc::channel();
        drop(Completion::new(move |outcome| sender.send(outcome).unwrap()));
        let error = receiver.recv().unwrap().result.unwrap_err();
        assert_eq!(error.class, ErrorClass::Abandoned);
    }

    #[test]
    fn a_completed_call_answers_once() {
        let (sender, receiver) = mpsc::channel();
        let done = Completion::new(move |outcome| sender.send(outcome).unwrap());
        let answer = Answer::Embedded { vectors: vec![vec![1.0]], tokens: 1 };
        done.complete(CallOutcome {
            result: Ok(answer.clone()),
            attempts: 1,
            first_token_ns: None,
        });
        assert_eq!(receiver.recv().unwrap().result, Ok(answer));
        assert!(receiver.recv().is_err());
    }
}
