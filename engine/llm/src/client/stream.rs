//! A streamed answer, read as it comes: its text, and when it began.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use sage_core::endpoint::{CallError, ErrorClass, Generation};
use serde::Deserialize;

use crate::gateway::problem;
use crate::gateway::sse::{self, Events};
use crate::usage::Told;

/// Longest text that is kept.
const MAX_TEXT: usize = 64 << 20;

#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(borrow, default)]
    choices: Vec<Part<'a>>,
    usage: Option<Told>,
    #[serde(default)]
    error: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Part<'a> {
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow)]
    delta: Option<Delta<'a>>,
    #[serde(borrow)]
    finish_reason: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow)]
    content: Option<Cow<'a, str>>,
}

/// See the module.
pub(super) struct Stream {
    submitted: Instant,
    events: Events,
    text: String,
    finish: Option<String>,
    usage: Told,
    first: Option<Duration>,
    done: bool,
    wrong: Option<CallError>,
}

impl Stream {
    /// Of a call that was submitted then.
    pub(super) fn new(submitted: Instant) -> Self {
        Stream {
            submitted,
            events: Events::default(),
            text: String::new(),
            finish: None,
            usage: Told::default(),
            first: None,
            done: false,
            wrong: None,
        }
    }

    /// More of it has come. False if the rest need not be read.
    pub(super) fn push(&mut self, data: &[u8]) -> bool {
        if self.events.push(data).is_err() {
            self.fail(ErrorClass::Protocol, "an event of the stream is too long".into());
        }
        while self.wrong.is_none()
            && let Some(event) = self.events.next()
        {
            self.event(&event);
        }
        self.wrong.is_none()
    }

    fn event(&mut self, event: &[u8]) {
        let Some(data) = sse::data(event) else { return };
        if data == sse::DONE {
            self.done = true;
            return;
        }
        let chunk: Chunk<'_> = match serde_json::from_slice(data) {
            Ok(chunk) => chunk,
            Err(error) => {
                let message = format!("an event of the stream is not as expected: {error}");
                return self.fail(ErrorClass::Protocol, message);
            }
        };
        if chunk.error.is_some() {
            let said = problem::message_of(data).unwrap_or_default();
            return self
                .fail(ErrorClass::Server, format!("the stream ended with an error: {said}"));
        }
        if let Some(usage) = chunk.usage {
            self.usage = usage;
        }
        // One prompt, one choice.
        let Some(part) = chunk.choices.into_iter().next() else { return };
        if let Some(text) = part.text.or(part.delta.and_then(|delta| delta.content))
            && !text.is_empty()
        {
            self.first.get_or_insert_with(|| self.submitted.elapsed());
            self.text.push_str(&text);
        }
        if let Some(finish) = part.finish_reason {
            self.finish = Some(finish.into_owned());
        }
        if self.text.len() > MAX_TEXT {
            self.fail(ErrorClass::Protocol, "the answer is too long".into());
        }
    }

    fn fail(&mut self, class: ErrorClass, message: String) {
        self.wrong = Some(CallError::new(class, message));
    }

    /// The answer, and the time of its first token.
    pub(super) fn finish(self, cached: bool) -> (Result<Generation, CallError>, Option<Duration>) {
        if let Some(wrong) = self.wrong {
            return (Err(wrong), self.first);
        }
        // Either says that nothing is missing; servers differ in which they send.
        if !self.done && self.finish.is_none() {
            let message = "the stream broke off before its end";
            return (Err(CallError::new(ErrorClass::Server, message)), self.first);
        }
        let generation = Generation {
            text: self.text,
            prompt_tokens: self.usage.prompt.unwrap_or(0),
            completion_tokens: self.usage.completion.unwrap_or(0),
            finish: self.finish.unwrap_or_default(),
            cached,
        };
        (Ok(generation), self.first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pieces: &[&str]) -> (Result<Generation, CallError>, bool) {
        let mut stream = Stream::new(Instant::now());
        for piece in pieces {
            stream.push(piece.as_bytes());
        }
        let (result, first) = stream.finish(false);
        (result, first.is_some())
    }

    #[test]
    fn text_and_usage_are_put_together() {
        let (result, first) = read(&[
            "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n",
            "\ndata: {\"choices\":[{\"delta\":{\"content\":\"a\\n\"}}]}\n\ndata: {\"choi",
            "ces\":[{\"delta\":{\"content\":\"b\"},\"finish_reason\":\"stop\"}]}\n\n",
            "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2}}\n\n",
            "data: [DONE]\n\n",
        ]);
        let generation = result.unwrap();
        assert_eq!((&*generation.text, &*generation.finish), ("a\nb", "stop"));
        assert_eq!((generation.prompt_tokens, generation.completion_tokens), (3, 2));
        assert!(first);
    }

    #[test]
    fn what_is_no_whole_answer_is_an_error() {
        let class = |pieces: &[&str]| read(pieces).0.unwrap_err().class;
        let begun = "data: {\"choices\":[{\"text\":\"a\"}]}\n\n";
        assert_eq!(class(&[begun]), ErrorClass::Server);
        assert_eq!(class(&[begun, "data: {\n\n"]), ErrorClass::Protocol);
        let error = "data: {\"error\":{\"message\":\"out of memory\"}}\n\n";
        assert!(read(&[begun, error]).0.unwrap_err().message.contains("out of memory"));
    }
}
