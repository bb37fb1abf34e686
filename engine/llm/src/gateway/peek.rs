//! What the gateway must know of bodies it does not own: a few fields, read without a value tree.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hasher};

use sage_core::upstream::settings::{BEGINNING_TOKENS, BYTES_OF_A_TOKEN};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::order::Operation;
use crate::usage::Told;

/// Tokens of one call, as the upstream counted them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "Told")]
pub(super) struct Usage {
    pub(super) prompt_tokens: u64,
    pub(super) completion_tokens: u64,
}

impl From<Told> for Usage {
    fn from(told: Told) -> Self {
        let (prompt, completion) = (told.prompt, told.completion);
        Usage { prompt_tokens: prompt.unwrap_or(0), completion_tokens: completion.unwrap_or(0) }
    }
}

impl Usage {
    pub(super) fn total(self) -> u64 {
        self.prompt_tokens + self.completion_tokens
    }

    pub(super) fn add(&mut self, other: Usage) {
        self.prompt_tokens += other.prompt_tokens;
        self.completion_tokens += other.completion_tokens;
    }
}

/// The fields of a request that matter on the way.
#[derive(Debug, Default, Deserialize)]
pub(super) struct RequestPeek<'a> {
    #[serde(borrow)]
    pub(super) model: Option<Cow<'a, str>>,
    #[serde(default)]
    pub(super) stream: Option<bool>,
    pub(super) temperature: Option<f64>,
    max_tokens: Option<f64>,
    max_completion_tokens: Option<f64>,
    #[serde(borrow)]
    messages: Option<&'a RawValue>,
    #[serde(borrow)]
    prompt: Option<&'a RawValue>,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
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

    fn content(&self) -> &'a [u8] {
        let content = self.messages.or(self.prompt).or(self.input);
        content.map_or(&[][..], |content| content.get().as_bytes())
    }

    /// Tokens of its prompts, by the bytes of text.
    pub(super) fn input(&self) -> f64 {
        self.content().len() as f64 / BYTES_OF_A_TOKEN as f64
    }

    /// Longest answer it allows, tokens.
    pub(super) fn limit(&self) -> Option<f64> {
        let limit = self.max_completion_tokens.or(self.max_tokens)?;
        Some(limit.max(0.0))
    }

    /// Requests that begin alike have the same, because servers keep what they have computed for
    /// beginnings.
    pub(super) fn prefix(&self) -> u64 {
        let content = self.content();
        let beginning = &content[..content.len().min(BEGINNING_TOKENS * BYTES_OF_A_TOKEN)];
        let mut hasher = DefaultHasher::new();
        hasher.write(beginning);
        hasher.finish()
    }
}

/// What an answer must have, whatever else is in it. Lists of nothing take no memory, so this is one
/// pass over the text.
#[derive(Deserialize)]
struct AnswerPeek<'a> {
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    choices: Option<Vec<IgnoredAny>>,
    data: Option<Vec<IgnoredAny>>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
}

/// The usage that the whole answer `body` tells; the error says why it is no answer. Proxies answer
/// 200 with a page of HTML, and servers with an error or half a text.
pub(super) fn answer(operation: Operation, body: &[u8]) -> Result<Usage, String> {
    let whole = || {
        if body.trim_ascii_start().first() != Some(&b'{') {
            return Err("it is not a JSON object".to_owned());
        }
        let peek: AnswerPeek<'_> =
            serde_json::from_slice(body).map_err(|error| error.to_string())?;
        if peek.error.is_some() {
            return Err("it is an error".to_owned());
        }
        let there = match operation {
            Operation::Chat | Operation::Completions => {
                peek.choices.is_some_and(|choices| !choices.is_empty())
            }
            Operation::Embeddings => peek.data.is_some(),
        };
        if !there {
            return Err(format!("it has no `{}`", operation.list()));
        }
        // Odd counts are no reason to throw an answer away.
        let usage = peek.usage.and_then(|usage| serde_json::from_str(usage.get()).ok());
        Ok(usage.unwrap_or_default())
    };
    if body.trim_ascii().is_empty() { Err("it is empty".to_owned()) } else { whole() }
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
            let mut values =
                serde_json::Deserializer::from_slice(value).into_iter::<Option<Usage>>();
            if let Some(Ok(Some(usage))) = values.next() {
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
    fn an_answer_is_told_from_what_is_none() {
        let usage = Ok(Usage { prompt_tokens: 3, completion_tokens: 4 });
        let chat = |body: &str| answer(Operation::Chat, body.as_bytes());
        let told =
            r#" {"choices":[{}],"error":null,"usage":{"prompt_tokens":3,"completion_tokens":4}}"#;
        assert_eq!(chat(told), usage);
        assert_eq!(chat(r#"{"choices":[7],"usage":"much"}"#), Ok(Usage::default()));
        for none in [
            "",
            " ",
            "<html>",
            "null",
            "[null,[1]]",
            r#"{"choices":[{"text":"a"#,
            r#"{"choices":[1]} {"#,
            r#"{"error":{"message":"out of memory"}}"#,
            r#"{"choices":[1],"error":{"message":"out of memory"}}"#,
            r#"{"choices":[]}"#,
            r#"{"choices":{}}"#,
            r#"{"data":[1]}"#,
        ] {
            assert!(chat(none).is_err(), "{none}");
        }
        let embed = |body: &str| answer(Operation::Embeddings, body.as_bytes());
        assert!(embed(r#"{"data":[]}"#).is_ok());
        assert!(embed(r#"{"choices":[1]}"#).is_err());
    }

    #[test]
    fn requests_are_read_lightly() {
        let body = br#"{"model":"m","prompt":["a","b"],"max_tokens":100,"stream":true}"#;
        let peek = RequestPeek::of(body).unwrap();
        assert_eq!(peek.model.as_deref(), Some("m"));
        assert_eq!(peek.stream, Some(true));
        assert_eq!(peek.limit(), Some(100.0));
        assert!((peek.input() - 9.0 / 4.0).abs() < 1e-9);
        let alike = RequestPeek::of(br#"{"prompt":["a","b"]}"#).unwrap();
        assert_eq!(alike.prefix(), peek.prefix());
        let other = RequestPeek::of(br#"{"prompt":["a","c"]}"#).unwrap();
        assert_ne!(other.prefix(), peek.prefix());
        assert!(RequestPeek::of(b"[1").is_err());
        assert!(RequestPeek::of(br#"{"model":7,"max_tokens":-1}"#).is_ok());
    }
}
