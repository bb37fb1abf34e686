//! What the dataflow says of a request to a server of the web: where it goes, and its bounds.
//!
//! Who makes it (the crate `sage-http`) is told the rest with each call.

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
