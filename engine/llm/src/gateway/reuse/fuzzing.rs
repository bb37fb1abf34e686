//! Answers that are kept and told again, and requests for a part of them, for fuzz targets and
//! property tests.

use fuzz_input::Choices;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::super::Operation;
use super::super::peek::{self, RequestPeek, Usage};
use super::super::sse::Events;
use super::answer::{objects, put_together, take_apart};
use super::request::{Parts, Scope};
use super::stream::{Assembly, replay};
use crate::client::fuzzing::{is_read, told};
use crate::journal::Stored;

fn operation(choices: &mut Choices<'_>) -> Operation {
    Operation::ALL[choices.below(3)]
}

/// The list of an answer without what is written anew; nothing if it has numbers that Rust has not.
fn list(operation: Operation, text: &[u8]) -> Option<Vec<Value>> {
    serde_json::from_slice::<IgnoredAny>(text).expect("an answer is JSON");
    let answer: Value = serde_json::from_slice(text).ok()?;
    let objects = answer[operation.list()].as_array().expect("with a list").clone();
    let numbered = objects.into_iter().enumerate().map(|(at, mut object)| {
        assert_eq!(object["index"], at, "the index of an item is its place");
        object.as_object_mut().expect("of objects").remove("index");
        object
    });
    Some(numbered.collect())
}

/// A whole answer: taken apart and put together it is the same one, whatever is between.
pub fn kept_answer(input: &[u8]) {
    let mut choices = Choices::new(input);
    let operation = operation(&mut choices);
    let counts @ (items, answers) = (1 + choices.below(3), 1 + choices.below(2));
    let body = choices.rest();
    let usage = peek::answer(operation, body);
    let _ = peek::usage_in(body);
    let Some(kept) = take_apart(operation, counts, false, body) else { return };
    assert_eq!(kept.len(), items);
    assert!(kept.iter().all(|item| objects(item, answers).is_some()));
    let mut paid = Usage::default();
    for item in &kept {
        let Stored { prompt_tokens, completion_tokens, .. } = *item;
        paid.add(Usage { prompt_tokens, completion_tokens });
    }
    if let Ok(usage) = usage {
        assert_eq!(usage, paid, "what was paid is shared among the items");
    }
    let text = put_together(operation, answers, &kept, paid).expect("what was kept is told");
    let first = list(operation, &text);
    assert!(first.as_ref().is_none_or(|first| first.len() == items * answers));
    if answers == 1 && operation != Operation::Embeddings {
        assert!(is_read(operation, items, body), "the client cannot read what is kept");
        assert!(is_read(operation, items, &text), "the client cannot read what is told");
    }
    assert_eq!(peek::answer(operation, &text), Ok(paid), "the journal's own answer is one");
    let again = take_apart(operation, counts, false, &text).expect("and can be kept");
    let second = put_together(operation, answers, &again, paid).expect("and told");
    assert_eq!(list(operation, &second), first);
}

fn assemble(operation: Operation, answers: usize, pieces: &[&[u8]]) -> Option<Stored> {
    let mut assembly = Assembly::new(operation, answers);
    let mut events = Events::default();
    'all: for piece in pieces {
        events.push(piece).ok()?;
        while let Some(event) = events.next() {
            if assembly.event(&event) {
                break 'all;
            }
        }
    }
    assembly.finish(false)
}

/// A stream that is read along: in any pieces the same is kept, and it is told again as it was.
pub fn kept_stream(input: &[u8]) {
    let mut choices = Choices::new(input);
    let operation = operation(&mut choices);
    let answers = 1 + choices.below(2);
    let cuts = choices.bytes(24);
    let stream = choices.rest();
    let kept = assemble(operation, answers, &[stream]);
    assert_eq!(kept, assemble(operation, answers, &Choices::new(cuts).pieces(stream)));
    let Some(kept) = kept else { return };
    let replayed = replay(operation, answers, &kept, true).expect("a text goes out as a stream");
    let again = assemble(operation, answers, &[&replayed]).expect("and is a whole one");
    assert_eq!(again, kept);
    if answers == 1 {
        let kept = objects(&kept, 1).expect("one answer");
        let text = match operation {
            Operation::Chat => {
                let message = kept[0].get("message").expect("a message").get();
                serde_json::from_str::<Value>(message).expect("JSON")["content"].clone()
            }
            _ => serde_json::from_str(kept[0].get("text").expect("a text").get()).expect("JSON"),
        };
        let heard = told(&replayed).expect("the client reads what the gateway replays");
        assert_eq!(text, heard.text);
    }
}

/// A request: one for a part of its items has the keys of these, and nothing else has changed.
pub fn request_body(input: &[u8]) {
    let mut choices = Choices::new(input);
    let operation = operation(&mut choices);
    let wanted = choices.byte();
    let body = choices.rest();
    if let Ok(peek) = RequestPeek::of(body) {
        assert!(peek.input().is_finite() && peek.limit().is_none_or(|limit| limit >= 0.0));
        let _ = peek.prefix();
    }
    let Some(parts) = Parts::of(operation, body) else { return };
    let scope = Scope { kind: "", model: "m", run: None };
    let keys = parts.keys(scope, &[]);
    assert_eq!(keys.len(), parts.items.len());
    let chosen: Vec<usize> =
        (0..parts.items.len().min(8)).filter(|item| wanted >> item & 1 == 1).collect();
    if chosen.is_empty() || operation == Operation::Chat {
        return;
    }
    let smaller = parts.request(&chosen);
    let again = Parts::of(operation, &smaller).expect("a part of a request is one");
    assert_eq!(again.answers, parts.answers);
    let expected: Vec<_> = chosen.iter().map(|item| keys[*item]).collect();
    assert_eq!(again.keys(scope, &[]), expected);
}
