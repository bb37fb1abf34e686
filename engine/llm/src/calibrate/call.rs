//! One streamed call, timed as a client sees it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sage_core::secrets::Mask;
use sage_core::vllm::fit::Sample;
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;

use super::CalibrateError;
use super::http::{Endpoint, innermost};

/// Longest time for one answer.
const LIMIT: Duration = Duration::from_secs(120);
/// Longest line of a stream, and longest body of an error, bytes.
const MOST_BYTES: usize = 1 << 20;

/// Asks an endpoint.
pub(super) struct Caller {
    pub(super) endpoint: Endpoint,
    /// Whether the endpoint takes vLLM's `ignore_eos` and `min_tokens`; true until it refuses.
    extras: AtomicBool,
}

#[derive(Deserialize)]
struct Chunk {
    #[serde(default)]
    choices: Vec<Choice>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Choice {
    delta: Option<Delta>,
}

#[derive(Deserialize)]
struct Delta {
    content: Option<String>,
    reasoning_content: Option<String>,
    reasoning: Option<String>,
}

#[derive(Deserialize)]
struct Usage {
    prompt_tokens: u32,
    completion_tokens: u32,
}

impl Caller {
    pub(super) fn new(endpoint: Endpoint) -> Self {
        Caller { endpoint, extras: AtomicBool::new(true) }
    }

    /// Whether answers have the length that was asked for, as far as is known.
    pub(super) fn exact_lengths(&self) -> bool {
        self.extras.load(Ordering::Relaxed)
    }

    /// Ask once; times count from `origin`.
    pub(super) async fn ask(
        &self,
        prompt: &str,
        output: u32,
        origin: Instant,
    ) -> Result<Sample, CalibrateError> {
        let work = async {
            let extras = self.exact_lengths();
            match self.attempt(prompt, output, extras, origin).await {
                // OpenAI's own API, for one, refuses fields that it does not know.
                Err(CalibrateError::Status { status: 400 | 422, .. }) if extras => {
                    let sample = self.attempt(prompt, output, false, origin).await?;
                    self.extras.store(false, Ordering::Relaxed);
                    Ok(sample)
                }
                result => result,
            }
        };
        let limit = tokio::time::timeout(LIMIT, work).await;
        limit.unwrap_or(Err(CalibrateError::Slow(LIMIT.as_secs())))
    }

    async fn attempt(
        &self,
        prompt: &str,
        output: u32,
        extras: bool,
        origin: Instant,
    ) -> Result<Sample, CalibrateError> {
        let mut body = json!({
            "model": self.endpoint.model,
            "messages": [{"role": "user", "content": prompt}],
            "max_tokens": output,
            "temperature": 0,
            "stream": true,
            "stream_options": {"include_usage": true},
        });
        if extras {
            body["ignore_eos"] = true.into();
            body["min_tokens"] = output.into();
        }
        let unreadable = |error: reqwest::Error| CalibrateError::Answer(innermost(error));
        let mut request = self.endpoint.client.post(self.endpoint.chat.clone());
        request = request.header("content-type", "application/json").body(body.to_string());
        if let Some(key) = &self.endpoint.api_key {
            request = request.bearer_auth(key);
        }
        let now = || origin.elapsed().as_nanos() as u64;
        let sent_ns = now();
        let mut response = request.send().await.map_err(unreadable)?;
        let status = response.status();
        let mut lines = Lines::default();
        let (mut first, mut last, mut usage) = (None, sent_ns, None);
        while let Some(bytes) = response.chunk().await.map_err(unreadable)? {
            let at = now();
            lines.push(&bytes)?;
            while status.is_success()
                && let Some(line) = lines.next()
            {
                let Some(data) = line.strip_prefix("data:").map(str::trim) else { continue };
                if data == "[DONE]" {
                    continue;
                }
                let chunk: Chunk = serde_json::from_str(data)
                    .map_err(|error| CalibrateError::Answer(error.to_string()))?;
                if chunk.choices.iter().any(Choice::says_something) {
                    first.get_or_insert(at);
                    last = at;
                }
                usage = chunk.usage.or(usage);
            }
        }
        if !status.is_success() {
            let said = crate::gateway::problem::message_of(&lines.rest);
            let message = said.unwrap_or_else(|| "no message".into());
            let message = Mask::new(&self.endpoint.api_key).hide(&message).into_owned();
            return Err(CalibrateError::Status { status: status.as_u16(), message });
        }
        let usage = usage.ok_or(CalibrateError::NoUsage)?;
        let first_ns = first.ok_or_else(|| CalibrateError::Answer("it is empty".into()))?;
        let (prompt_tokens, output_tokens) = (usage.prompt_tokens, usage.completion_tokens.max(1));
        Ok(Sample { prompt_tokens, output_tokens, sent_ns, first_ns, last_ns: last })
    }
}

impl Choice {
    fn says_something(&self) -> bool {
        let Some(delta) = &self.delta else { return false };
        let texts = [&delta.content, &delta.reasoning_content, &delta.reasoning];
        texts.into_iter().flatten().any(|text| !text.is_empty())
    }
}

/// Cuts what arrives into lines.
#[derive(Debug, Default)]
struct Lines {
    rest: Vec<u8>,
}

impl Lines {
    fn push(&mut self, bytes: &[u8]) -> Result<(), CalibrateError> {
        if self.rest.len() + bytes.len() > MOST_BYTES {
            return Err(CalibrateError::Answer(format!("a line exceeds {MOST_BYTES} bytes")));
        }
        self.rest.extend_from_slice(bytes);
        Ok(())
    }

    fn next(&mut self) -> Option<String> {
        let end = self.rest.iter().position(|&byte| byte == b'\n')?;
        let line: Vec<u8> = self.rest.drain(..=end).collect();
        Some(String::from_utf8_lossy(&line).trim_end().to_owned())
    }
}
