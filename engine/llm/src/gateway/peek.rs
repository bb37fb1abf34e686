//! What the gateway must know of bodies it does not own: a few fields, read without a value tree.

use std::borrow::Cow;

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

/// Tokens of one call, as the upstream counted them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Usage {
    #[serde(default, deserialize_with = "count")]
    pub(super) prompt_tokens: u64,
    #[serde(default, deserialize_with = "count")]
    pub(super) completion_tokens: u64,
}

/// Servers write null for what they do not count.
fn count<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or(0))
}

impl Usage {
    pub(super) fn total(self) -> u64 {
        self.prompt_tokens + self.completion_tokens
    }
}

/// The fields of a request that matter on the way.
#[derive(Debug, Default, Deserialize)]
pub(super) struct RequestPeek<'a> {
    #[serde(borrow)]
    pub(super) model: Option<Cow<'a, str>>,
    #[serde(default)]
    pub(super) stream: Option<bool>,
    max_tokens: Option<f64>,
    max_completion_tokens: Option<f64>,
}

impl<'a> RequestPeek<'a> {
    /// Read a request's body; the error says what is wrong with its JSON. JSON with odd values is
    /// the upstream's to judge.
    pub(super) fn of(body: &'a [u8]) -> Result<Self, String> {
        serde_json::from_slice(body).or_else(|_| match serde_json::from_slice::<IgnoredAny>(body) {
            Ok(_) => Ok(RequestPeek::default()),
            Err(error) => Err(format!("the body is not valid JSON: {error}")),
        })
    }

    /// Tokens the call may use: four bytes of text a token, and the longest answer it allows.
    pub(super) fn estimate(&self, body: &[u8]) -> f64 {
        /// Taken for a request that names no limit.
        const USUAL_ANSWER: f64 = 256.0;
        let answer = self.max_completion_tokens.or(self.max_tokens).unwrap_or(USUAL_ANSWER);
        body.len() as f64 / 4.0 + answer.max(0.0)
    }
}

/// The last `"usage": {...}` in `body`.
///
/// It is looked for from the end, where servers put it, because an answer with vectors has
/// megabytes of numbers before it. The bytes `"usage"` cannot be inside a JSON string (there the
/// quotes would be escaped); a whole string that reads so is not followed by a colon.
pub(super) fn usage_in(body: &[u8]) -> Option<Usage> {
    const KEY: &[u8] = b"\"usage\"";
    let mut end = body.len();
    loop {
        let at = body[..end].windows(KEY.len()).rposition(|window| window == KEY)?;
        let rest = body[at + KEY.len()..].trim_ascii_start();
        if let Some(value) = rest.strip_prefix(b":") {
            let mut values = serde_json::Deserializer::from_slice(value).into_iter::<Usage>();
            if let Some(Ok(usage)) = values.next() {
                return Some(usage);
            }
        }
        end = at;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_found_wherever_it_stands() {
        let usage = Some(Usage { prompt_tokens: 3, completion_tokens: 4 });
        let last = br#"{"choices":[{"text":"a \"usage\": x"}],"usage": {"prompt_tokens":3,
            "completion_tokens":4,"prompt_tokens_details":null}}"#;
        assert_eq!(usage_in(last), usage);
        let first =
            br#"{"usage":{"prompt_tokens":3,"completion_tokens":4},"choices":[{"text":"usage"}]}"#;
        assert_eq!(usage_in(first), usage);
        let event = br#"data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}"#;
        assert_eq!(usage_in(event), usage);
        let uncounted = br#"{"usage":{"prompt_tokens":3,"completion_tokens":null}}"#;
        assert_eq!(usage_in(uncounted).map(Usage::total), Some(3));
        assert_eq!(usage_in(br#"{"usage":null}"#), None);
        assert_eq!(usage_in(b"usage"), None);
    }

    #[test]
    fn requests_are_read_lightly() {
        let body = br#"{"model":"m","prompt":["a","b"],"max_tokens":100,"stream":true}"#;
        let peek = RequestPeek::of(body).unwrap();
        assert_eq!(peek.model.as_deref(), Some("m"));
        assert_eq!(peek.stream, Some(true));
        assert!(peek.estimate(body) > 100.0);
        assert!(RequestPeek::of(b"[1").is_err());
        assert!(RequestPeek::of(br#"{"model":7,"max_tokens":-1}"#).is_ok());
    }
}
