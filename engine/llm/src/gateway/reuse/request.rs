//! A request as items that can be answered one by one.
//!
//! ```text
//! completions  "prompt":  "a"            1 item       chat  "messages"  1 item
//!              "prompt":  ["a", "b"]     2 items      embeddings "input" as "prompt"
//!              "prompt":  [1, 2, 3]      1 item (tokens)
//!              "prompt":  [[1], [2]]     2 items
//! ```

use serde_json::value::RawValue;

use super::super::Operation;
use super::object::{Object, write_list, write_string};
use crate::journal::{Key, KeyBuilder};

/// Most answers for one item that are kept.
const MAX_ANSWERS: usize = 16;

/// Fields that do not touch what is answered, only how it is sent.
const MANNERS: [&str; 5] = ["stream", "stream_options", "user", "priority", "request_id"];

/// See the module.
pub(super) struct Parts<'a> {
    pub(super) operation: Operation,
    object: Object<'a>,
    /// The text of each item.
    pub(super) items: Vec<&'a RawValue>,
    /// Answers for each item.
    pub(super) answers: usize,
    /// The asker wants the usage at the end of a stream.
    pub(super) include_usage: bool,
}

/// What else a key depends on.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    /// What kind of server answers.
    pub(super) kind: &'a str,
    /// The model that the endpoint serves.
    pub(super) model: &'a str,
    /// Only the answers of this record's earlier calls; else of any.
    pub(super) run: Option<RunScope<'a>>,
}

/// A stage of a run.
#[derive(Clone, Copy)]
pub(super) struct RunScope<'a> {
    pub(super) run: &'a str,
    pub(super) job: &'a str,
    pub(super) stage: u64,
}

impl<'a> Parts<'a> {
    /// `None` for what cannot be taken apart; that is the upstream's to judge.
    pub(super) fn of(operation: Operation, body: &'a [u8]) -> Option<Parts<'a>> {
        let object: Object<'a> = serde_json::from_slice(body).ok()?;
        let field = operation.field();
        if object.0.iter().filter(|(name, _)| name == field).count() != 1 {
            return None;
        }
        let content = object.value(field)?;
        let items = match operation {
            Operation::Chat => vec![content],
            Operation::Completions | Operation::Embeddings => split(content)?,
        };
        let number = |name: &str| match object.value(name) {
            None => Some(1),
            Some(value) => value.get().parse::<usize>().ok(),
        };
        let answers = match operation {
            Operation::Embeddings => 1,
            Operation::Chat | Operation::Completions => number("n")?,
        };
        if answers == 0 || answers > MAX_ANSWERS || items.is_empty() {
            return None;
        }
        let include_usage = object.value("stream_options").is_some_and(|options| {
            let options = serde_json::from_str::<Object<'_>>(options.get()).ok();
            options.and_then(|o| o.get("include_usage").map(|v| v.get() == "true")) == Some(true)
        });
        Some(Parts { operation, object, items, answers, include_usage })
    }

    /// The key of each item; `records` has the identity of each.
    pub(super) fn keys(&self, scope: Scope<'_>, records: &[u64]) -> Vec<Key> {
        let mut base = match scope.run {
            None => KeyBuilder::new("content"),
            Some(RunScope { run, job, stage }) => {
                KeyBuilder::new("run").text(run).text(job).number(stage)
            }
        };
        base = base.text(scope.kind).text(scope.model).text(self.operation.path());
        let field = self.operation.field();
        let mut fields: Vec<_> = self
            .object
            .0
            .iter()
            .filter(|(name, _)| name != field && !MANNERS.contains(&&**name))
            .collect();
        // Stable, so that of two fields with one name the later one stays the later one.
        fields.sort_by(|a, b| a.0.cmp(&b.0));
        for (name, value) in fields {
            base = base.text(name).text(value.get());
        }
        let key = |(i, item): (usize, &&RawValue)| {
            let mut key = base.clone();
            if scope.run.is_some() {
                key = key.number(records.get(i).copied().unwrap_or_default());
            }
            key.text(item.get()).finish()
        };
        self.items.iter().enumerate().map(key).collect()
    }

    /// The request for only the items at `wanted`.
    pub(super) fn request(&self, wanted: &[usize]) -> Vec<u8> {
        let field = self.operation.field();
        let mut out = Vec::new();
        out.push(b'{');
        for (i, (name, value)) in self.object.0.iter().enumerate() {
            if i > 0 {
                out.push(b',');
            }
            write_string(&mut out, name);
            out.push(b':');
            if name == field && self.operation != Operation::Chat {
                write_list(&mut out, wanted, |out, &item| {
                    out.extend_from_slice(self.items[item].get().as_bytes());
                });
            } else {
                out.extend_from_slice(value.get().as_bytes());
            }
        }
        out.push(b'}');
        out
    }
}

fn split(content: &RawValue) -> Option<Vec<&RawValue>> {
    let text = content.get();
    if text.starts_with('"') {
        return Some(vec![content]);
    }
    let items: Vec<&RawValue> = serde_json::from_str(text).ok()?;
    let kind = |item: &&RawValue| item.get().as_bytes().first().copied();
    match kind(items.first()?)? {
        first @ (b'"' | b'[') => {
            items.iter().all(|item| kind(item) == Some(first)).then_some(items)
        }
        // Token numbers: the list is the prompt.
        b'0'..=b'9' => Some(vec![content]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCOPE: Scope<'static> = Scope { kind: "live", model: "m", run: None };

    fn parts(body: &str) -> Parts<'_> {
        Parts::of(Operation::Completions, body.as_bytes()).unwrap()
    }

    fn key(body: &str) -> Key {
        parts(body).keys(SCOPE, &[])[0]
    }

    #[test]
    fn requests_fall_into_items() {
        let count =
            |body: &str| Parts::of(Operation::Completions, body.as_bytes()).map(|p| p.items.len());
        assert_eq!(count(r#"{"prompt":"a"}"#), Some(1));
        assert_eq!(count(r#"{"prompt":["a","b"]}"#), Some(2));
        assert_eq!(count(r#"{"prompt":[1,2,3]}"#), Some(1));
        assert_eq!(count(r#"{"prompt":[[1],[2,3]]}"#), Some(2));
        for odd in [
            r#"{"prompt":[]}"#,
            r#"{"prompt":["a",1]}"#,
            r#"{"prompt":null}"#,
            "{}",
            "[]",
            r#"{"prompt":"a","n":0}"#,
            r#"{"prompt":"a","prompt":"b"}"#,
            r#"{"prompt":"a","n":1.5}"#,
        ] {
            assert_eq!(count(odd), None, "{odd}");
        }
        let chat = br#"{"messages":[{"role":"user","content":"a"}],"n":2}"#;
        let chat = Parts::of(Operation::Chat, chat).unwrap();
        assert_eq!((chat.items.len(), chat.answers), (1, 2));
    }

    #[test]
    fn a_smaller_request_keeps_everything_else() {
        let body = r#"{"model":"m", "prompt":["a","b","c"], "logit_bias":{"1": 2}, "n":1}"#;
        let smaller = parts(body).request(&[0, 2]);
        let expected = r#"{"model":"m","prompt":["a","c"],"logit_bias":{"1": 2},"n":1}"#;
        assert_eq!(String::from_utf8(smaller).unwrap(), expected);
    }

    #[test]
    fn keys_depend_on_what_the_answer_depends_on() {
        let plain = key(r#"{"model":"m","prompt":"a","max_tokens":8}"#);
        // Order, spaces and manners do not matter, nor does the company.
        assert_eq!(plain, key(r#"{"max_tokens" : 8, "stream":true, "prompt":"a","model":"m"}"#));
        assert_eq!(plain, key(r#"{"model":"m","prompt":["a","b"],"max_tokens":8}"#));
        for other in [
            r#"{"model":"m","prompt":"b","max_tokens":8}"#,
            r#"{"model":"n","prompt":"a","max_tokens":8}"#,
            r#"{"model":"m","prompt":"a","max_tokens":9}"#,
            r#"{"model":"m","prompt":"a"}"#,
            r#"{"model":"m","prompt":"a","max_tokens":8,"temperature":0}"#,
            r#"{"model":"m","prompt":"a","max_tokens":8,"response_format":{"type":"json_object"}}"#,
        ] {
            assert_ne!(plain, key(other), "{other}");
        }
        let parts = parts(r#"{"model":"m","prompt":"a","max_tokens":8}"#);
        let simulated = Scope { kind: "simulated", ..SCOPE };
        assert_ne!(plain, parts.keys(simulated, &[])[0]);
        let run = RunScope { run: "r", job: "j", stage: 0 };
        let scope = Scope { run: Some(run), ..SCOPE };
        let of_record = parts.keys(scope, &[1])[0];
        assert_ne!(of_record, plain);
        assert_ne!(of_record, parts.keys(scope, &[2])[0]);
        let other_stage = Scope { run: Some(RunScope { stage: 1, ..run }), ..SCOPE };
        assert_ne!(of_record, parts.keys(other_stage, &[1])[0]);
    }
}
