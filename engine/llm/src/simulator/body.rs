//! Request bodies. Fields that are not listed are accepted and ignored, as vLLM does.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::problem::Problem;

/// `/v1/completions` and `/v1/chat/completions`.
#[derive(Debug, Deserialize)]
pub(super) struct Generate {
    pub(super) model: Option<String>,
    pub(super) prompt: Option<Input>,
    pub(super) messages: Option<Vec<Message>>,
    pub(super) max_tokens: Option<u32>,
    pub(super) max_completion_tokens: Option<u32>,
    pub(super) min_tokens: Option<u32>,
    pub(super) n: Option<u32>,
    pub(super) stop: Option<OneOrMany>,
    pub(super) stream: Option<bool>,
    pub(super) stream_options: Option<StreamOptions>,
    pub(super) seed: Option<i64>,
    pub(super) ignore_eos: Option<bool>,
    pub(super) echo: Option<bool>,
    pub(super) priority: Option<i32>,
    pub(super) response_format: Option<Value>,
    pub(super) structured_outputs: Option<Value>,
}

/// `/v1/embeddings`.
#[derive(Debug, Deserialize)]
pub(super) struct Embed {
    pub(super) model: Option<String>,
    pub(super) input: Input,
    pub(super) encoding_format: Option<String>,
    pub(super) dimensions: Option<usize>,
    pub(super) truncate_prompt_tokens: Option<i64>,
}

/// The four forms of a prompt.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Input {
    Text(String),
    Texts(Vec<String>),
    Tokens(Vec<u32>),
    TokenLists(Vec<Vec<u32>>),
}

/// One prompt.
#[derive(Debug)]
pub(super) enum Item {
    Text(String),
    Tokens(Vec<u32>),
}

impl Input {
    pub(super) fn items(self) -> Vec<Item> {
        match self {
            Input::Text(text) => vec![Item::Text(text)],
            Input::Texts(texts) => texts.into_iter().map(Item::Text).collect(),
            Input::Tokens(tokens) => vec![Item::Tokens(tokens)],
            Input::TokenLists(lists) => lists.into_iter().map(Item::Tokens).collect(),
        }
    }
}

/// `stop`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    pub(super) fn list(self) -> Vec<String> {
        match self {
            OneOrMany::One(one) => vec![one],
            OneOrMany::Many(many) => many,
        }
    }
}

/// `stream_options`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct StreamOptions {
    #[serde(default)]
    pub(super) include_usage: bool,
}

/// One message of a chat.
#[derive(Debug, Deserialize)]
pub(super) struct Message {
    pub(super) role: String,
    content: Option<Content>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Debug, Deserialize)]
struct Part {
    text: Option<String>,
}

impl Message {
    pub(super) fn text(self) -> String {
        match self.content {
            None => String::new(),
            Some(Content::Text(text)) => text,
            Some(Content::Parts(parts)) => {
                parts.into_iter().filter_map(|part| part.text).collect::<Vec<_>>().join("\n")
            }
        }
    }
}

/// Read a body, or say what is wrong with it.
pub(super) fn parse<T: DeserializeOwned>(
    body: Result<Bytes, BytesRejection>,
) -> Result<T, Problem> {
    let bytes = body.map_err(|error| Problem::new(error.status(), error.body_text()))?;
    serde_json::from_slice(&bytes).map_err(|error| Problem::bad("body", error.to_string()))
}
