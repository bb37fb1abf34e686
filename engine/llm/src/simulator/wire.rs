//! The JSON of chats and completions, whole and in chunks.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

/// Which of the two APIs an answer belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Chat,
    Completion,
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
    pub(super) fn new(shape: Shape, number: u64, model: String) -> Self {
        let prefix = match shape {
            Shape::Chat => "chatcmpl",
            Shape::Completion => "cmpl",
        };
        Head { shape, id: format!("{prefix}-sim-{number}"), created: unix_seconds(), model }
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

    /// A whole answer: text and finish reason of each prompt.
    pub(super) fn whole(&self, texts: &[(&str, &str)], usage: Value) -> Value {
        let choice = |(index, (text, finish)): (usize, &(&str, &str))| match self.shape {
            Shape::Chat => json!({
                "index": index,
                "message": {"role": "assistant", "content": text},
                "logprobs": null,
                "finish_reason": finish,
                "stop_reason": null,
            }),
            Shape::Completion => json!({
                "index": index,
                "text": text,
                "logprobs": null,
                "finish_reason": finish,
                "stop_reason": null,
            }),
        };
        let object = match self.shape {
            Shape::Chat => "chat.completion",
            Shape::Completion => "text_completion",
        };
        self.envelope(object, texts.iter().enumerate().map(choice).collect(), Some(usage))
    }

    fn chunk_object(&self) -> &'static str {
        match self.shape {
            Shape::Chat => "chat.completion.chunk",
            Shape::Completion => "text_completion",
        }
    }

    /// The first chunk of a chat, which names the role; completions have none.
    pub(super) fn opening(&self) -> Option<Value> {
        let delta = json!({"index": 0, "delta": {"role": "assistant", "content": ""},
            "logprobs": null, "finish_reason": null});
        (self.shape == Shape::Chat).then(|| self.envelope(self.chunk_object(), vec![delta], None))
    }

    /// More text of prompt `index`.
    pub(super) fn chunk(&self, index: usize, text: &str, finish: Option<&str>) -> Value {
        let choice = match self.shape {
            Shape::Chat => json!({"index": index, "delta": {"content": text}, "logprobs": null,
                "finish_reason": finish}),
            Shape::Completion => json!({"index": index, "text": text, "logprobs": null,
                "finish_reason": finish}),
        };
        self.envelope(self.chunk_object(), vec![choice], None)
    }

    /// The chunk after the last text, with the usage alone.
    pub(super) fn closing(&self, usage: Value) -> Value {
        self.envelope(self.chunk_object(), Vec::new(), Some(usage))
    }
}
