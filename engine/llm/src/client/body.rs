//! The OpenAI-shaped bodies a worker sends and reads.
//!
//! Typed structs that borrow what is sent and own only what is kept: no value tree is built for a
//! call. Unknown fields of an answer are skipped.

use sage_core::endpoint::{Answer, GenerateOptions, Generation, Request};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::usage::Told;

/// Which operation of the API a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Chat,
    Completions,
    Embeddings,
}

impl Operation {
    pub(super) fn of(request: &Request) -> Operation {
        match request {
            Request::Generate { prompts, options } if options.chat && prompts.len() == 1 => {
                Operation::Chat
            }
            Request::Generate { .. } => Operation::Completions,
            Request::Embed { .. } | Request::Exec { .. } | Request::Http { .. } => {
                Operation::Embeddings
            }
        }
    }
}

#[derive(Serialize)]
struct Sampling<'a> {
    max_tokens: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<ResponseFormat<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
}

#[derive(Serialize)]
struct ResponseFormat<'a> {
    r#type: &'static str,
    json_schema: JsonSchema<'a>,
}

#[derive(Serialize)]
struct JsonSchema<'a> {
    name: &'a str,
    schema: &'a RawValue,
    strict: bool,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

impl<'a> Sampling<'a> {
    fn new(options: &'a GenerateOptions, stream: bool) -> serde_json::Result<Self> {
        let format = options.schema.as_ref().map(|schema| {
            let json_schema = JsonSchema {
                name: &schema.name,
                schema: serde_json::from_str(&schema.json)?,
                strict: true,
            };
            Ok(ResponseFormat { r#type: "json_schema", json_schema })
        });
        Ok(Sampling {
            max_tokens: options.max_tokens,
            temperature: options.temperature,
            seed: options.seed,
            stop: &options.stop,
            response_format: format.transpose()?,
            stream: stream.then_some(true),
            stream_options: stream.then_some(StreamOptions { include_usage: true }),
        })
    }
}

/// Whether the answer to `request` is taken as a stream.
pub(super) fn is_streamed(request: &Request) -> bool {
    matches!(request, Request::Generate { prompts, options } if options.stream && prompts.len() == 1)
}

#[derive(Serialize)]
struct ChatBody<'a> {
    model: &'a str,
    messages: [Message<'a>; 1],
    #[serde(flatten)]
    sampling: Sampling<'a>,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
}

#[derive(Serialize)]
struct CompletionsBody<'a> {
    model: &'a str,
    prompt: Prompt<'a>,
    #[serde(flatten)]
    sampling: Sampling<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Prompt<'a> {
    One(&'a str),
    Many(&'a [String]),
}

#[derive(Serialize)]
struct EmbeddingsBody<'a> {
    model: &'a str,
    input: &'a [String],
    encoding_format: &'static str,
}

/// The body to send.
pub(crate) fn encode(request: &Request, model: &str) -> serde_json::Result<Vec<u8>> {
    match request {
        Request::Generate { prompts, options } => {
            let sampling = Sampling::new(options, is_streamed(request))?;
            match prompts.as_slice() {
                [content] if options.chat => {
                    let messages = [Message { role: "user", content }];
                    serde_json::to_vec(&ChatBody { model, messages, sampling })
                }
                [prompt] => {
                    let prompt = Prompt::One(prompt);
                    serde_json::to_vec(&CompletionsBody { model, prompt, sampling })
                }
                prompts => {
                    let prompt = Prompt::Many(prompts);
                    serde_json::to_vec(&CompletionsBody { model, prompt, sampling })
                }
            }
        }
        Request::Embed { texts } => {
            serde_json::to_vec(&EmbeddingsBody { model, input: texts, encoding_format: "float" })
        }
        // Refused before it comes here.
        Request::Exec { .. } | Request::Http { .. } => Ok(Vec::new()),
    }
}

#[derive(Deserialize)]
struct TextAnswer {
    choices: Vec<Choice>,
    usage: Option<Told>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    index: usize,
    text: Option<String>,
    message: Option<AnswerMessage>,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct AnswerMessage {
    content: Option<String>,
}

#[derive(Deserialize)]
struct VectorAnswer {
    data: Vec<Vector>,
    usage: Option<Told>,
}

#[derive(Deserialize)]
struct Vector {
    #[serde(default)]
    index: usize,
    embedding: Vec<f32>,
}

/// The answer to `operation` on `items` items, or what is wrong with it; `cached` if none of it was
/// paid for now.
pub(super) fn decode(
    operation: Operation,
    items: usize,
    cached: bool,
    body: &[u8],
) -> Result<Answer, String> {
    match operation {
        Operation::Embeddings => {
            let answer: VectorAnswer = parse(body)?;
            let usage = answer.usage.unwrap_or_default();
            let tokens = usage.total.or(usage.prompt).unwrap_or(0);
            let found = answer.data.into_iter().map(|item| (item.index, item.embedding));
            let vectors: Vec<Vec<f32>> = in_order(found, items)?;
            if !vectors.iter().flatten().all(|x| x.is_finite()) {
                return Err("a vector has numbers beyond those of 32 bits".into());
            }
            let size = vectors.first().map_or(0, Vec::len);
            if size == 0 || vectors.iter().any(|vector| vector.len() != size) {
                return Err("the vectors are empty or of different lengths".into());
            }
            Ok(Answer::Embedded { vectors, tokens })
        }
        Operation::Chat | Operation::Completions => {
            let answer: TextAnswer = parse(body)?;
            let usage = answer.usage.unwrap_or_default();
            let prompt_tokens = usage.prompt.unwrap_or(0);
            let completion_tokens = usage.completion.unwrap_or(0);
            let found = answer.choices.into_iter().map(|choice| (choice.index, choice));
            let choices = in_order(found, items)?;
            let texts = choices.into_iter().enumerate().map(|(item, choice)| {
                let text = match (choice.text, choice.message) {
                    (Some(text), _) => text,
                    // `content` is null when a model only refuses or calls a tool.
                    (None, Some(message)) => message.content.unwrap_or_default(),
                    (None, None) => return Err(format!("choice {item} has no text")),
                };
                Ok(Generation {
                    text,
                    prompt_tokens: share(prompt_tokens, items, item),
                    completion_tokens: share(completion_tokens, items, item),
                    finish: choice.finish_reason.unwrap_or_default(),
                    cached,
                })
            });
            Ok(Answer::Generated(texts.collect::<Result<_, String>>()?))
        }
    }
}

fn parse<'de, T: Deserialize<'de>>(body: &'de [u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| {
        // A web page instead of JSON is the usual case: its first words say whose it is.
        let text = String::from_utf8_lossy(&body[..body.len().min(240)]);
        let start: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let start: String = start.chars().take(60).collect();
        format!("the answer is not as expected: {error}; it begins with `{start}`")
    })
}

/// Items by their index: exactly `0..count`, in whatever order they came.
fn in_order<T>(
    found: impl ExactSizeIterator<Item = (usize, T)>,
    count: usize,
) -> Result<Vec<T>, String> {
    if found.len() != count {
        return Err(format!("asked for {count} items, the answer has {}", found.len()));
    }
    let mut slots: Vec<Option<T>> = (0..count).map(|_| None).collect();
    for (index, item) in found {
        match slots.get_mut(index) {
            None => return Err(format!("item index {index} is out of range (0 to {})", count - 1)),
            Some(slot) if slot.is_some() => return Err(format!("item index {index} comes twice")),
            Some(slot) => *slot = Some(item),
        }
    }
    // As many distinct indexes below `count` as there are slots: none is empty.
    Ok(slots.into_iter().flatten().collect())
}

/// Even division of a sum over items; what is left over goes to the first ones.
fn share(sum: u64, items: usize, item: usize) -> u64 {
    let items = items.max(1) as u64;
    sum / items + u64::from((item as u64) < sum % items)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use sage_core::endpoint::OutputSchema;

    use super::*;

    fn text(request: &Request) -> String {
        String::from_utf8(encode(request, "m").unwrap()).unwrap()
    }

    fn generate(prompts: &[&str], chat: bool) -> Request {
        let prompts = prompts.iter().map(|&prompt| prompt.to_owned()).collect();
        let options = GenerateOptions { max_tokens: 8, chat, ..GenerateOptions::default() };
        Request::Generate { prompts, options }
    }

    #[test]
    fn requests_have_the_api_s_shape() {
        let chat = r#"{"model":"m","messages":[{"role":"user","content":"a\""}],"max_tokens":8}"#;
        assert_eq!(text(&generate(&["a\""], true)), chat);
        let one = r#"{"model":"m","prompt":"a","max_tokens":8}"#;
        assert_eq!(text(&generate(&["a"], false)), one);
        let many = r#"{"model":"m","prompt":["a","b"],"max_tokens":8}"#;
        assert_eq!(text(&generate(&["a", "b"], true)), many);
        let embed = r#"{"model":"m","input":["a"],"encoding_format":"float"}"#;
        assert_eq!(text(&Request::Embed { texts: vec!["a".into()] }), embed);
    }

    #[test]
    fn schemas_and_streams_are_asked_for() {
        let schema = OutputSchema { name: "city".into(), json: r#"{"type": "object"}"#.into() };
        let options = GenerateOptions {
            max_tokens: 8,
            stream: true,
            schema: Some(Arc::new(schema)),
            ..GenerateOptions::default()
        };
        let asked = |count: usize, options: GenerateOptions| Request::Generate {
            prompts: vec!["a".into(); count],
            options,
        };
        let one = asked(1, options.clone());
        assert!(is_streamed(&one));
        let text_of_one = text(&one);
        let format = r#""response_format":{"type":"json_schema","json_schema":{"name":"city","schema":{"type": "object"},"strict":true}}"#;
        assert!(text_of_one.contains(format), "{text_of_one}");
        let stream = r#""stream":true,"stream_options":{"include_usage":true}"#;
        assert!(text_of_one.contains(stream), "{text_of_one}");
        let two = asked(2, options.clone());
        assert!(!is_streamed(&two) && !text(&two).contains("stream"));
        let schema = OutputSchema { name: "bad".into(), json: "{".into() };
        let wrong = GenerateOptions { schema: Some(Arc::new(schema)), ..options };
        assert!(encode(&asked(1, wrong), "m").is_err());
    }

    #[test]
    fn items_are_put_in_order_and_usage_is_shared() {
        let body = br#"{"choices":[{"index":1,"text":"b","finish_reason":"length"},
            {"index":0,"text":"a"}],"usage":{"prompt_tokens":5,"completion_tokens":4}}"#;
        let Answer::Generated(texts) = decode(Operation::Completions, 2, false, body).unwrap()
        else {
            panic!("texts were asked for")
        };
        assert_eq!((texts[0].text.as_str(), texts[0].prompt_tokens), ("a", 3));
        assert_eq!((texts[1].text.as_str(), texts[1].prompt_tokens), ("b", 2));
        assert_eq!(texts[1].finish, "length");
    }

    #[test]
    fn wrong_answers_are_errors() {
        let wrong =
            |body: &str| decode(Operation::Completions, 2, false, body.as_bytes()).unwrap_err();
        assert!(wrong("<html>").contains("not as expected"));
        assert!(wrong(r#"{"choices":[{"text":"a"}]}"#).contains("asked for 2"));
        let twice = r#"{"choices":[{"text":"a"},{"text":"b"}]}"#;
        assert!(wrong(twice).contains("comes twice"));
        let beyond = r#"{"choices":[{"text":"a"},{"index":2,"text":"b"}]}"#;
        assert!(wrong(beyond).contains("out of range"));
        let ragged = r#"{"data":[{"index":0,"embedding":[1.0]},{"index":1,"embedding":[]}]}"#;
        assert!(decode(Operation::Embeddings, 2, false, ragged.as_bytes()).is_err());
        let beyond = br#"{"data":[{"index":0,"embedding":[1.0,1e39]}]}"#;
        assert!(decode(Operation::Embeddings, 1, false, beyond).unwrap_err().contains("beyond"));
    }
}
