//! Answers, taken apart by item to be kept and put together again.
//!
//! What is kept of an item is the list of its objects (`choices` or `data`) as the upstream wrote
//! them; only `index` is written anew when items from several places make one answer.

use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::Operation;
use super::super::peek::Usage;
use super::object::{Object, write_list, write_string};
use crate::journal::Stored;

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    model: Option<Cow<'a, str>>,
    #[serde(borrow)]
    choices: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    data: Option<Vec<&'a RawValue>>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Head<'a> {
    index: Option<usize>,
    #[serde(borrow)]
    finish_reason: Option<Cow<'a, str>>,
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    #[serde(borrow)]
    embedding: Option<&'a RawValue>,
}

/// Whether an answer that ended for this reason is a whole one. A server that broke off says
/// `abort`, `error` or nothing.
pub(super) fn is_whole(finish_reason: &str) -> bool {
    matches!(finish_reason, "stop" | "length" | "tool_calls" | "function_call" | "content_filter")
}

/// The part of a message that clients read.
#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, rename = "content")]
    _content: Option<Cow<'a, str>>,
}

impl Head<'_> {
    /// Whether a client can read its text. Half a surrogate pair is JSON, and no text; parts in a
    /// list are for clients that asked for them. Such an answer is passed on and not kept: else the
    /// record that cannot use it would get it again for ever.
    fn is_readable(&self) -> bool {
        let text =
            |text: &&RawValue| serde_json::from_str::<Option<Cow<'_, str>>>(text.get()).is_ok();
        let message = |message: &&RawValue| {
            serde_json::from_str::<Option<Message<'_>>>(message.get()).is_ok()
        };
        self.text.iter().all(text) && self.message.iter().all(message)
    }

    fn is_complete(&self, operation: Operation) -> bool {
        let there = |value: Option<&RawValue>| value.is_some_and(|value| value.get() != "null");
        let whole = || self.finish_reason.as_deref().is_some_and(is_whole) && self.is_readable();
        match operation {
            Operation::Chat => there(self.message) && whole(),
            Operation::Completions => there(self.text) && whole(),
            Operation::Embeddings => there(self.embedding),
        }
    }
}

/// What is kept of each of `items` items with `answers` answers, or `None` if any is missing,
/// broken off or not understood.
pub(super) fn take_apart(
    operation: Operation,
    (items, answers): (usize, usize),
    simulated: bool,
    body: &[u8],
) -> Option<Vec<Stored>> {
    let envelope: Envelope<'_> = serde_json::from_slice(body).ok()?;
    let objects = match operation {
        Operation::Embeddings => envelope.data?,
        Operation::Chat | Operation::Completions => envelope.choices?,
    };
    if objects.len() != items * answers {
        return None;
    }
    let mut slots: Vec<Option<&RawValue>> = vec![None; objects.len()];
    for object in objects {
        let head: Head<'_> = serde_json::from_str(object.get()).ok()?;
        if !head.is_complete(operation) {
            return None;
        }
        let slot = slots.get_mut(head.index.unwrap_or(0))?;
        if slot.replace(object).is_some() {
            return None;
        }
    }
    let objects: Vec<&RawValue> = slots.into_iter().collect::<Option<_>>()?;
    let usage = envelope.usage.unwrap_or_default();
    let model = envelope.model.unwrap_or_default();
    let item = |(item, objects): (usize, &[&RawValue])| {
        let mut text = Vec::with_capacity(objects.iter().map(|o| o.get().len() + 1).sum());
        write_list(&mut text, objects, |out, object| {
            out.extend_from_slice(object.get().as_bytes());
        });
        Stored {
            body: Bytes::from(text),
            prompt_tokens: share(usage.prompt_tokens, items, item),
            completion_tokens: share(usage.completion_tokens, items, item),
            simulated,
            model: model.clone().into_owned(),
        }
    };
    Some(objects.chunks(answers).enumerate().map(item).collect())
}

/// Even division of a sum over items; what is left over goes to the first ones.
fn share(sum: u64, items: usize, item: usize) -> u64 {
    let items = items.max(1) as u64;
    sum / items + u64::from((item as u64) < sum % items)
}

/// The objects of a kept item; `None` if they are not `answers` objects.
pub(super) fn objects(stored: &Stored, answers: usize) -> Option<Vec<Object<'_>>> {
    let objects: Vec<Object<'_>> = serde_json::from_slice(&stored.body).ok()?;
    (objects.len() == answers).then_some(objects)
}

/// One answer of kept items, in order; `paid` is what they cost now. `None` if an item is not what
/// it should be.
pub(super) fn put_together(
    operation: Operation,
    answers: usize,
    items: &[Stored],
    paid: Usage,
) -> Option<Vec<u8>> {
    let mut out =
        Vec::with_capacity(256 + items.iter().map(|item| item.body.len() + 16).sum::<usize>());
    out.push(b'{');
    let (object, list) = match operation {
        Operation::Chat => ("chat.completion", "choices"),
        Operation::Completions => ("text_completion", "choices"),
        Operation::Embeddings => ("list", "data"),
    };
    let model = items.first().map_or("", |item| &item.model);
    write_head(&mut out, object, model);
    out.push(b',');
    write_string(&mut out, list);
    out.extend_from_slice(b":[");
    let mut index = 0;
    for item in items {
        for object in objects(item, answers)? {
            if index > 0 {
                out.push(b',');
            }
            write_object(&mut out, &object, index);
            index += 1;
        }
    }
    out.push(b']');
    out.push(b',');
    write_usage(&mut out, operation, paid);
    out.push(b'}');
    Some(out)
}

/// `"id":..,"object":..,"created":..,"model":..`
pub(super) fn write_head(out: &mut Vec<u8>, object: &str, model: &str) {
    let created = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    out.extend_from_slice(b"\"id\":\"sage-journal\",\"object\":");
    write_string(out, object);
    out.extend_from_slice(format!(",\"created\":{created},\"model\":").as_bytes());
    write_string(out, model);
}

/// `"usage":{..}`
pub(super) fn write_usage(out: &mut Vec<u8>, operation: Operation, usage: Usage) {
    let Usage { prompt_tokens, completion_tokens } = usage;
    let total = usage.total();
    let completion = match operation {
        Operation::Embeddings => String::new(),
        _ => format!(",\"completion_tokens\":{completion_tokens}"),
    };
    let text = format!(
        "\"usage\":{{\"prompt_tokens\":{prompt_tokens},\"total_tokens\":{total}{completion}}}"
    );
    out.extend_from_slice(text.as_bytes());
}

fn write_object(out: &mut Vec<u8>, object: &Object<'_>, index: usize) {
    out.extend_from_slice(format!("{{\"index\":{index}").as_bytes());
    for (name, value) in &object.0 {
        if name != "index" {
            out.push(b',');
            write_string(out, name);
            out.push(b':');
            out.extend_from_slice(value.get().as_bytes());
        }
    }
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn answers_come_apart_and_together() {
        let body = br#"{"model":"m","choices":[{"index":1,"text":"b","finish_reason":"length"},
            {"index":0,"text":"a","finish_reason":"stop","logprobs":{"x":[1.50]}}],
            "usage":{"prompt_tokens":5,"completion_tokens":4}}"#;
        let mut items = take_apart(Operation::Completions, (2, 1), false, body).unwrap();
        assert_eq!((items[0].prompt_tokens, items[1].prompt_tokens), (3, 2));
        items.reverse();
        let paid = Usage { prompt_tokens: 3, completion_tokens: 2 };
        let text = put_together(Operation::Completions, 1, &items, paid).unwrap();
        let answer: Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(answer["model"], "m");
        assert_eq!(answer["choices"][0]["text"], "b");
        assert_eq!(answer["choices"][0]["index"], 0);
        assert_eq!(answer["choices"][1]["index"], 1);
        assert_eq!(answer["choices"][1]["logprobs"], json!({"x": [1.50]}));
        assert_eq!(
            answer["usage"],
            json!({"prompt_tokens":3,"total_tokens":5,"completion_tokens":2})
        );
    }

    #[test]
    fn what_is_not_whole_is_not_kept() {
        let apart = |body: &str| take_apart(Operation::Completions, (1, 1), false, body.as_bytes());
        for broken in [
            "<html>",
            r#"{"choices":[]}"#,
            r#"{"choices":[{"index":0,"text":"a"}]}"#,
            r#"{"choices":[{"index":0,"text":"a","finish_reason":null}]}"#,
            r#"{"choices":[{"index":0,"text":"a","finish_reason":"abort"}]}"#,
            r#"{"choices":[{"index":0,"text":null,"finish_reason":"stop"}]}"#,
            r#"{"choices":[{"index":1,"text":"a","finish_reason":"stop"}]}"#,
            r#"{"choices":[{"index":0,"text":"\ud83d","finish_reason":"stop"}]}"#,
            r#"{"choices":[{"index":0,"text":["a"],"finish_reason":"stop"}]}"#,
            r#"{"choices":[{"index":0,"text":"a","finish_reason":"stop"}"#,
        ] {
            assert!(apart(broken).is_none(), "{broken}");
        }
        let cut = r#"{"choices":[{"index":0,"text":"a","finish_reason":"length"}]}"#;
        assert!(apart(cut).is_some());
        let twice = br#"{"data":[{"index":0,"embedding":[1]},{"index":0,"embedding":[2]}]}"#;
        assert!(take_apart(Operation::Embeddings, (2, 1), false, twice).is_none());
    }

    #[test]
    fn several_answers_of_an_item_stay_together() {
        let choice = |i| json!({"index": i, "message": {"content": "x"}, "finish_reason": "stop"});
        let body = json!({"choices": [choice(0), choice(1)], "usage": null}).to_string();
        let items = take_apart(Operation::Chat, (1, 2), true, body.as_bytes()).unwrap();
        assert!(items.len() == 1 && items[0].simulated);
        let text = put_together(Operation::Chat, 2, &items, Usage::default()).unwrap();
        let answer: Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(answer["choices"], json!([choice(0), choice(1)]));
        assert!(put_together(Operation::Chat, 1, &items, Usage::default()).is_none());
    }
}
