//! Streams and whole answers, turned into each other.
//!
//! A stream of a chat or a completion is read along and becomes what the whole answer would have
//! been; a kept answer goes out as a stream of one event per choice. Streams with more than texts
//! (tools, log probabilities, several prompts) are passed on and not kept.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::Operation;
use super::super::peek::Usage;
use super::super::sse;
use super::answer::{is_whole, objects, write_head, write_usage};
use super::object::{Object, write_list, write_string};
use crate::journal::Stored;

/// Longest text that is put together.
const MAX_TEXT: usize = 8 << 20;

#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(borrow)]
    model: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    choices: Vec<Part<'a>>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Part<'a> {
    #[serde(default)]
    index: usize,
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow)]
    delta: Option<Object<'a>>,
    #[serde(borrow)]
    finish_reason: Option<Cow<'a, str>>,
    #[serde(borrow)]
    logprobs: Option<&'a RawValue>,
}

/// The texts of a stream so far.
pub(super) struct Assembly {
    operation: Operation,
    texts: Vec<Text>,
    model: String,
    usage: Usage,
    length: usize,
    done: bool,
    /// Something came that is not kept.
    odd: bool,
}

#[derive(Clone, Default)]
struct Text {
    text: String,
    finish: Option<String>,
}

impl Assembly {
    /// Of a stream with `answers` choices.
    pub(super) fn new(operation: Operation, answers: usize) -> Self {
        Assembly {
            operation,
            texts: vec![Text::default(); answers],
            model: String::new(),
            usage: Usage::default(),
            length: 0,
            done: false,
            odd: operation == Operation::Embeddings,
        }
    }

    /// An event has come. True if it is the one that ends the stream.
    pub(super) fn event(&mut self, event: &[u8]) -> bool {
        let Some(data) = sse::data(event) else { return false };
        if data == sse::DONE {
            self.done = true;
            return true;
        }
        if !self.odd && self.add(data).is_none() {
            self.odd = true;
            self.texts.clear();
        }
        false
    }

    fn add(&mut self, data: &[u8]) -> Option<()> {
        let chunk: Chunk<'_> = serde_json::from_slice(data).ok()?;
        if let Some(usage) = chunk.usage {
            self.usage = usage;
        }
        if let Some(model) = chunk.model
            && self.model.is_empty()
        {
            self.model = model.into_owned();
        }
        for part in chunk.choices {
            let text = self.texts.get_mut(part.index)?;
            if part.logprobs.is_some_and(|value| value.get() != "null") {
                return None;
            }
            let piece = match (part.text, &part.delta) {
                (Some(piece), None) => piece,
                (None, Some(delta)) => content(delta)?,
                _ => return None,
            };
            self.length += piece.len();
            if self.length > MAX_TEXT {
                return None;
            }
            text.text.push_str(&piece);
            if let Some(finish) = part.finish_reason {
                text.finish = Some(finish.into_owned());
            }
        }
        Some(())
    }

    /// What is kept of it, if it was a whole answer.
    pub(super) fn finish(&self, simulated: bool) -> Option<Stored> {
        if self.odd || !self.done {
            return None;
        }
        let mut body = Vec::new();
        for text in &self.texts {
            is_whole(text.finish.as_deref()?).then_some(())?;
        }
        write_list(&mut body, self.texts.iter().enumerate(), |out, (index, text)| {
            out.extend_from_slice(format!("{{\"index\":{index},").as_bytes());
            if self.operation == Operation::Chat {
                out.extend_from_slice(b"\"message\":{\"role\":\"assistant\",\"content\":");
                write_string(out, &text.text);
                out.push(b'}');
            } else {
                out.extend_from_slice(b"\"text\":");
                write_string(out, &text.text);
            }
            out.extend_from_slice(b",\"logprobs\":null,\"finish_reason\":");
            write_string(out, text.finish.as_deref().unwrap_or_default());
            out.push(b'}');
        });
        Some(Stored {
            body: Bytes::from(body),
            prompt_tokens: self.usage.prompt_tokens,
            completion_tokens: self.usage.completion_tokens,
            simulated,
            model: self.model.clone(),
        })
    }
}

/// The text of a delta; `None` if there is anything else in it that would be lost.
fn content<'a>(delta: &Object<'a>) -> Option<Cow<'a, str>> {
    let mut text = Cow::Borrowed("");
    for (name, value) in &delta.0 {
        match &**name {
            "role" => {}
            "content" if value.get() != "null" => {
                text = serde_json::from_str(value.get()).ok().map(Cow::Owned)?;
            }
            _ if matches!(value.get(), "null" | "[]") => {}
            _ => return None,
        }
    }
    Some(text)
}

/// A kept answer as a stream; `None` if it does not fit into one.
pub(super) fn replay(
    operation: Operation,
    answers: usize,
    stored: &Stored,
    include_usage: bool,
) -> Option<Vec<u8>> {
    let object = match operation {
        Operation::Chat => "chat.completion.chunk",
        Operation::Completions => "text_completion",
        Operation::Embeddings => return None,
    };
    let mut out = Vec::with_capacity(stored.body.len() + 512);
    let head = |out: &mut Vec<u8>| {
        out.extend_from_slice(b"data: {");
        write_head(out, object, &stored.model);
        out.extend_from_slice(b",\"choices\":");
    };
    for (index, choice) in objects(stored, answers)?.iter().enumerate() {
        head(&mut out);
        out.extend_from_slice(format!("[{{\"index\":{index},").as_bytes());
        let content = if operation == Operation::Chat {
            let message: Object<'_> = serde_json::from_str(choice.value("message")?.get()).ok()?;
            let tools =
                ["tool_calls", "function_call"].into_iter().filter_map(|name| message.value(name));
            // The pieces of a tool call have a form of their own in streams.
            if tools.into_iter().any(|value| value.get() != "[]") {
                return None;
            }
            out.extend_from_slice(b"\"delta\":");
            choice.value("message")?
        } else {
            out.extend_from_slice(b"\"text\":");
            choice.value("text")?
        };
        out.extend_from_slice(content.get().as_bytes());
        for name in ["logprobs", "finish_reason"] {
            out.extend_from_slice(format!(",\"{name}\":").as_bytes());
            out.extend_from_slice(choice.get(name).map_or("null", RawValue::get).as_bytes());
        }
        out.extend_from_slice(b"}]}\n\n");
    }
    if include_usage {
        head(&mut out);
        out.extend_from_slice(b"[],");
        // What it took when it was paid.
        let (prompt_tokens, completion_tokens) = (stored.prompt_tokens, stored.completion_tokens);
        write_usage(&mut out, operation, Usage { prompt_tokens, completion_tokens });
        out.extend_from_slice(b"}\n\n");
    }
    out.extend_from_slice(b"data: [DONE]\n\n");
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assemble(operation: Operation, answers: usize, events: &[&str]) -> Option<Stored> {
        let mut assembly = Assembly::new(operation, answers);
        for event in events {
            assembly.event(format!("data: {event}\n\n").as_bytes());
        }
        assembly.finish(false)
    }

    #[test]
    fn a_chat_is_read_along_and_told_again() {
        let stored = assemble(Operation::Chat, 1, &[
            r#"{"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"#,
            r#"{"choices":[{"index":0,"delta":{"content":"a\n"},"logprobs":null,"finish_reason":null}]}"#,
            r#"{"choices":[{"index":0,"delta":{"content":"b"},"finish_reason":"stop"}]}"#,
            r#"{"choices":[],"usage":{"prompt_tokens":4,"completion_tokens":2}}"#,
            "[DONE]",
        ]).unwrap();
        assert_eq!((stored.prompt_tokens, stored.completion_tokens, &*stored.model), (4, 2, "m"));
        let stream = replay(Operation::Chat, 1, &stored, true).unwrap();
        let mut again = Assembly::new(Operation::Chat, 1);
        let mut events = sse::Events::default();
        events.push(&stream).unwrap();
        let mut count = 0;
        while let Some(event) = events.next() {
            count += 1;
            again.event(&event);
        }
        assert_eq!(count, 3);
        assert_eq!(again.finish(false).unwrap().body, stored.body);
    }

    #[test]
    fn several_completions_are_kept_apart() {
        let stored = assemble(
            Operation::Completions,
            2,
            &[
                r#"{"choices":[{"index":1,"text":"b"}]}"#,
                r#"{"choices":[{"index":0,"text":"a","finish_reason":"length"}]}"#,
                r#"{"choices":[{"index":1,"text":"c","finish_reason":"stop"}]}"#,
                "[DONE]",
            ],
        )
        .unwrap();
        let objects = objects(&stored, 2).unwrap();
        assert_eq!(objects[0].get("text").unwrap().get(), "\"a\"");
        assert_eq!(objects[1].get("text").unwrap().get(), "\"bc\"");
    }

    #[test]
    fn what_is_cut_off_or_more_than_text_is_not_kept() {
        let end = r#"{"choices":[{"index":0,"delta":{"content":"b"},"finish_reason":"stop"}]}"#;
        assert!(assemble(Operation::Chat, 1, &[end]).is_none(), "no end");
        assert!(assemble(Operation::Chat, 2, &[end, "[DONE]"]).is_none(), "a choice is missing");
        let tool = r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"id":"x"}]}}]}"#;
        assert!(assemble(Operation::Chat, 1, &[tool, end, "[DONE]"]).is_none());
        let error = r#"{"error":{"message":"no"}}"#;
        assert!(assemble(Operation::Chat, 1, &[error, "[DONE]"]).is_none());
        assert!(assemble(Operation::Chat, 1, &["{", end, "[DONE]"]).is_none());
        assert!(assemble(Operation::Chat, 1, &[end, "[DONE]"]).is_some());
    }
}
