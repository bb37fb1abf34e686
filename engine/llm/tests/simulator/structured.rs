//! Structured output: answers that fit, refusals that say why, answers that are made not to fit.

use sage_llm::simulator::Faults;
use serde_json::{Value, json};

use crate::running::{ask, start};

fn rating() -> Value {
    json!({"type": "object", "required": ["score", "label"], "additionalProperties": false,
        "properties": {
            "score": {"type": "integer", "minimum": 1, "maximum": 5},
            "label": {"enum": ["good", "bad"]},
            "why": {"anyOf": [{"type": "string", "maxLength": 40}, {"type": "null"}]},
            "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}, "minItems": 1, "maxItems": 3},
        },
        "$defs": {"tag": {"type": "string", "minLength": 2, "maxLength": 12}}})
}

/// Checked by hand, independent of the simulator's own check.
fn is_rating(value: &Value) -> bool {
    let Some(object) = value.as_object() else { return false };
    let known = ["score", "label", "why", "tags"];
    object.keys().all(|key| known.contains(&key.as_str()))
        && object.get("score").and_then(Value::as_i64).is_some_and(|s| (1..=5).contains(&s))
        && object.get("label").and_then(Value::as_str).is_some_and(|l| ["good", "bad"].contains(&l))
        && object.get("why").is_none_or(|why| {
            why.is_null() || why.as_str().is_some_and(|why| why.chars().count() <= 40)
        })
        && object.get("tags").is_none_or(|tags| {
            tags.as_array().is_some_and(|tags| {
                (1..=3).contains(&tags.len())
                    && tags.iter().all(|tag| {
                        tag.as_str().is_some_and(|tag| (2..=12).contains(&tag.chars().count()))
                    })
            })
        })
}

fn request(seed: u32) -> Value {
    let mut body = ask("Rate the answer: it was good.");
    body["seed"] = json!(seed);
    body["response_format"] =
        json!({"type": "json_schema", "json_schema": {"name": "rating", "schema": rating()}});
    body
}

fn content(answer: &Value) -> &str {
    answer["choices"][0]["message"]["content"].as_str().unwrap()
}

#[tokio::test]
async fn answers_fit_their_schema_and_repeat() {
    let server = start(|_| {}).await;
    for seed in 0..20 {
        let answer = server.chat(request(seed)).await;
        let value: Value = serde_json::from_str(content(&answer)).unwrap();
        assert!(is_rating(&value), "{value}");
        assert_eq!(answer["choices"][0]["finish_reason"], "stop");
        assert_eq!(content(&server.chat(request(seed)).await), content(&answer));
    }
    let mut forced = request(1);
    forced["ignore_eos"] = json!(true);
    let value = server.chat(forced).await;
    assert!(is_rating(&serde_json::from_str(content(&value)).unwrap()));
    server.stop().await;
}

#[tokio::test]
async fn all_kinds_of_structure_are_served() {
    let server = start(|_| {}).await;
    let mut body = ask("Is it good?");
    body["response_format"] = json!({"type": "json_object"});
    let answer = server.chat(body.clone()).await;
    assert!(serde_json::from_str::<Value>(content(&answer)).unwrap().is_object());
    body["response_format"] = Value::Null;
    body["structured_outputs"] = json!({"choice": ["yes", "no"]});
    let answer = server.chat(body.clone()).await;
    assert!(["yes", "no"].contains(&content(&answer)));
    for schema in [rating(), json!(rating().to_string())] {
        body["structured_outputs"] = json!({ "json": schema });
        let answer = server.chat(body.clone()).await;
        assert!(is_rating(&serde_json::from_str(content(&answer)).unwrap()));
    }
    server.stop().await;
}

#[tokio::test]
async fn a_schema_that_is_not_simulated_is_refused_with_the_reason() {
    let server = start(|_| {}).await;
    for (schema, word) in [
        (json!({"type": "string", "pattern": "^a"}), "`pattern`"),
        (json!({"type": "object", "required": ["a"], "properties": {"a": {"$ref": "#"}}}), "end"),
        (json!({"$ref": "#/$defs/none"}), "#/$defs/none"),
        (json!(7), "neither"),
    ] {
        let mut body = request(0);
        body["response_format"]["json_schema"]["schema"] = schema;
        let (status, answer) = server.post("/v1/chat/completions", body).await;
        assert_eq!(status, 400);
        assert!(answer["error"]["message"].as_str().unwrap().contains(word), "{answer}");
    }
    server.stop().await;
}

#[tokio::test]
async fn answers_can_be_made_not_to_fit() {
    let server = start(|config| {
        config.fault = Faults::parse("wrong_schema=1/2").unwrap();
    })
    .await;
    let mut kinds = std::collections::BTreeSet::new();
    for seed in 0..30 {
        let answer = server.chat(request(seed)).await;
        let value = serde_json::from_str(content(&answer));
        assert_eq!(value.as_ref().is_ok_and(is_rating), seed % 2 == 0, "{answer}");
        if seed % 2 == 1 {
            kinds.insert(value.map_or("no JSON".to_owned(), |v: Value| v.to_string()));
        }
    }
    assert!(kinds.len() > 5, "{kinds:?}");
    // An answer without a form cannot miss it.
    for _ in 0..2 {
        assert!(!content(&server.chat(ask("Hi.")).await).is_empty());
    }
    server.stop().await;
}
