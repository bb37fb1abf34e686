//! The JSON of chats and completions, whole and in chunks.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::script::Stop;

/// What vLLM takes when a completion leaves `max_tokens` out.
const COMPLETION_TOKENS: u32 = 16;

/// Which of the two APIs an answer belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Chat,
    Completion,
}

impl Shape {
    /// What the request calls its input.
    pub(super) fn input(self) -> &'static str {
        match self {
            Shape::Chat => "messages",
            Shape::Completion => "prompt",
        }
    }

    /// Tokens of an answer where nothing is said about it: of a chat, all that fit.
    pub(super) fn default_max_tokens(self) -> u32 {
        match self {
            Shape::Chat => u32::MAX,
            Shape::Completion => COMPLETION_TOKENS,
        }
    }
}

/// How a choice ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct End<'a> {
    pub(super) reason: &'static str,
    pub(super) stop: Option<&'a Stop>,
}

impl End<'_> {
    fn stop_reason(self) -> Value {
        match self.stop {
            None => Value::Null,
            Some(Stop::Text(text)) => json!(text),
            Some(Stop::Token(id)) => json!(id),
        }
    }
}

/// What all parts of one answer repeat.
#[derive(Debug)]
pub(super) struct Head {
    shape: Shape,
    id: String,
    created: u64,
    model: String,
}

/// Seconds since 1970.
pub(super) fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

impl Head {
    /// `request` names the call: what the client calls it, or a number.
    pub(super) fn new(shape: Shape, request: &str, model: String) -> Self {
        let prefix = match shape {
            Shape::Chat => "chatcmpl",
            Shape::Completion => "cmpl",
        };
        Head { shape, id: format!("{prefix}-{request}"), created: unix_seconds(), model }
    }

    fn envelope(&self, object: &str, choices: Vec<Value>, usage: Option<Value>) -> Value {
        let mut value = json!({
            "id": self.id,
            "object": object,
            "created": self.created,
            "model": self.model,
            "choices": choices,
        });
        if let Some(usage) = usage {
            value["usage"] = usage;
        }
        value
    }

    /// A whole answer: text and end of each choice.
    pub(super) fn whole(&self, choices: &[(String, End<'_>)], usage: Value) -> Value {
        let choice = |(index, (text, end)): (usize, &(String, End<'_>))| {
            let mut choice = match self.shape {
                Shape::Chat => {
                    json!({"index": index, "message": {"role": "assistant", "content": text}})
                }
                Shape::Completion => json!({"index": index, "text": text}),
            };
            choice["logprobs"] = Value::Null;
            choice["finish_reason"] = json!(end.reason);
            choice["stop_reason"] = end.stop_reason();
            choice
        };
        let object = match self.shape {
            Shape::Chat => "chat.completion",
            Shape::Completion => "text_completion",
        };
        self.envelope(object, choices.iter().enumerate().map(choice).collect(), Some(usage))
    }

    fn chunk_object(&self) -> &'static str {
        match self.shape {
            Shape::Chat => "chat.completion.chunk",
            Shape::Completion => "text_completion",
        }
    }

    /// The first chunk of a choice of a chat, which names the role; completions have none.
    pub(super) fn opening(&self, index: usize, usage: Option<Value>) -> Option<Value> {
        let choice = json!({"index": index, "delta": {"role": "assistant", "content": ""},
            "logprobs": null, "finish_reason": null});
        (self.shape == Shape::Chat).then(|| self.envelope(self.chunk_object(), vec![choice], usage))
    }

    /// More text of choice `index`.
    pub(super) fn chunk(
        &self,
        index: usize,
        text: &str,
        end: Option<End<'_>>,
        usage: Option<Value>,
    ) -> Value {
        let mut choice = match self.shape {
            Shape::Chat => json!({"index": index, "delta": {"content": text}}),
            Shape::Completion => json!({"index": index, "text": text}),
        };
        choice["logprobs"] = Value::Null;
        choice["finish_reason"] = end.map_or(Value::Null, |end| json!(end.reason));
        choice["stop_reason"] = end.map_or(Value::Null, End::stop_reason);
        self.envelope(self.chunk_object(), vec![choice], usage)
    }

    /// The chunk after the last text, with the usage alone.
    pub(super) fn closing(&self, usage: Value) -> Value {
        self.envelope(self.chunk_object(), Vec::new(), Some(usage))
    }
}
