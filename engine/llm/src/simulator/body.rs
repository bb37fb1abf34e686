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
    pub(super) prompt_embeds: Option<Value>,
    pub(super) messages: Option<Vec<Message>>,
    pub(super) max_tokens: Option<u32>,
    pub(super) max_completion_tokens: Option<u32>,
    pub(super) min_tokens: Option<u32>,
    pub(super) n: Option<u32>,
    pub(super) best_of: Option<u32>,
    pub(super) use_beam_search: Option<bool>,
    pub(super) stop: Option<OneOrMany>,
    pub(super) stop_token_ids: Option<Vec<u32>>,
    pub(super) include_stop_str_in_output: Option<bool>,
    pub(super) stream: Option<bool>,
    pub(super) stream_options: Option<StreamOptions>,
    pub(super) seed: Option<i64>,
    pub(super) ignore_eos: Option<bool>,
    pub(super) echo: Option<bool>,
    pub(super) suffix: Option<String>,
    pub(super) logprobs: Option<Value>,
    pub(super) prompt_logprobs: Option<Value>,
    pub(super) temperature: Option<f64>,
    pub(super) top_p: Option<f64>,
    pub(super) top_k: Option<i64>,
    pub(super) min_p: Option<f64>,
    pub(super) presence_penalty: Option<f64>,
    pub(super) frequency_penalty: Option<f64>,
    pub(super) repetition_penalty: Option<f64>,
    pub(super) priority: Option<i32>,
    pub(super) truncate_prompt_tokens: Option<i64>,
    pub(super) response_format: Option<Value>,
    pub(super) structured_outputs: Option<Value>,
    pub(super) tools: Option<Vec<Value>>,
    pub(super) tool_choice: Option<Value>,
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

/// `/tokenize`: a text or a chat.
#[derive(Debug, Deserialize)]
pub(super) struct Tokenize {
    pub(super) model: Option<String>,
    pub(super) prompt: Option<String>,
    pub(super) messages: Option<Vec<Message>>,
    pub(super) return_token_strs: Option<bool>,
}

/// `/detokenize`.
#[derive(Debug, Deserialize)]
pub(super) struct Detokenize {
    pub(super) model: Option<String>,
    pub(super) tokens: Vec<u32>,
}

/// The four forms of a prompt.
#[derive(Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "a string, a list of strings, a list of token ids or a list of those"
)]
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
    /// The prompts; an empty list holds none.
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
#[serde(untagged, expecting = "a string or a list of strings")]
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
#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub(super) struct StreamOptions {
    include_usage: Option<bool>,
    continuous_usage_stats: Option<bool>,
}

impl StreamOptions {
    /// A last chunk with the usage.
    pub(super) fn at_the_end(self) -> bool {
        self.include_usage == Some(true)
    }

    /// The usage so far in every chunk; as in vLLM only together with the last chunk's.
    pub(super) fn all_along(self) -> bool {
        self.at_the_end() && self.continuous_usage_stats == Some(true)
    }
}

/// One message of a chat.
#[derive(Debug, Deserialize)]
pub(super) struct Message {
    pub(super) role: String,
    content: Option<Content>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "a string or a list of parts")]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "a string or an object with a type")]
enum Part {
    Text(String),
    Typed {
        #[serde(rename = "type")]
        kind: String,
        text: Option<String>,
    },
}

impl Message {
    /// The words of a message, its parts one below the other.
    pub(super) fn text(self) -> Result<String, Problem> {
        let parts = match self.content {
            None => return Ok(String::new()),
            Some(Content::Text(text)) => return Ok(text),
            Some(Content::Parts(parts)) => parts,
        };
        let mut texts = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                Part::Text(text) => texts.push(text),
                Part::Typed { text: Some(text), .. } => texts.push(text),
                Part::Typed { kind, text: None } => {
                    let message = format!(
                        "The simulated model is not a multimodal model: a part of type `{kind}` \
                         has no text."
                    );
                    return Err(Problem::bad("messages", message));
                }
            }
        }
        Ok(texts.join("\n"))
    }
}

/// Read a body, or say what is wrong with it.
pub(super) fn parse<T: DeserializeOwned>(
    body: Result<Bytes, BytesRejection>,
) -> Result<T, Problem> {
    let bytes = body.map_err(|error| Problem::new(error.status(), error.body_text()))?;
    serde_json::from_slice(&bytes).map_err(|error| Problem::bad("body", error.to_string()))
}
