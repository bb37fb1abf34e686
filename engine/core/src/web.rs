//! What the dataflow says of a request to a server of the web: where it goes, and its bounds.
//!
//! Who makes it (the crate `sage-http`) is told the rest with each call. The requests of stages are
//! calls of an [`Endpoint`](crate::endpoint::Endpoint); those of sources and sinks go through [`Web`].

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::endpoint::CallError;

/// Requests of one stage.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HttpCall {
    /// Address.
    pub url: String,
    /// What is done there.
    pub method: HttpMethod,
    /// Header fields.
    pub headers: Vec<(String, String)>,
    /// Environment variable with a token that is sent along; the token itself is in no plan.
    pub token_env: Option<String>,
    /// Tries after the first.
    pub retries: u32,
    /// Longest time of a try, nanoseconds.
    pub timeout_ns: u64,
    /// Largest answer, bytes.
    pub max_answer: usize,
    /// Most requests of the stage at once on one worker.
    pub concurrency: usize,
}

/// Methods of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HttpMethod {
    /// Reads; the fields of what is sent are its query, and redirects are followed.
    Get,
    /// Sends JSON.
    Post,
    /// Sends JSON.
    Put,
    /// Sends JSON.
    Patch,
    /// Sends JSON.
    Delete,
}

impl HttpMethod {
    /// All methods.
    pub const ALL: [HttpMethod; 5] =
        [HttpMethod::Get, HttpMethod::Post, HttpMethod::Put, HttpMethod::Patch, HttpMethod::Delete];

    /// The word in programs.
    pub fn as_str(self) -> &'static str {
        match self {
            HttpMethod::Get => "get",
            HttpMethod::Post => "post",
            HttpMethod::Put => "put",
            HttpMethod::Patch => "patch",
            HttpMethod::Delete => "delete",
        }
    }

    /// The method called `word`.
    pub fn parse(word: &str) -> Option<HttpMethod> {
        HttpMethod::ALL.into_iter().find(|method| method.as_str() == word)
    }
}

/// What a server answered to a source or a sink.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WebAnswer {
    /// The whole of it.
    pub body: String,
    /// Where it came from, behind redirects.
    pub url: String,
    /// What the field `Link` of its head calls `next`, as a whole address.
    pub next: Option<String>,
}

/// A request of a source or a sink that came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unanswered {
    /// Why; of the class `Cancelled` if the run was to stop meanwhile.
    pub error: CallError,
    /// Whether nobody can have done what was asked: each try was refused, or reached nobody.
    pub untaken: bool,
}

/// Makes the requests of sources and sinks, to hosts that are allowed.
pub trait Web: Send + Sync + fmt::Debug {
    /// Requests like this one; an error says why none of them can be made.
    fn open(&self, call: Arc<HttpCall>) -> Result<Box<dyn Asking>, String>;
}

/// Requests of one source or sink, one after the other.
pub trait Asking: Send {
    /// Make a request to `url`, which may be another one than that of the call, and wait for the whole
    /// answer. After failures that may pass it is made again for as long as `patience` says. With a
    /// `body` it says `identity` of itself, so that a server can tell that it is the same one.
    fn ask(
        &mut self,
        url: &str,
        body: Option<String>,
        identity: &str,
        patience: Duration,
    ) -> Result<WebAnswer, Unanswered>;
}
