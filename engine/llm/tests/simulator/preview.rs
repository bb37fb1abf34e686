//! A preview says what the server says: same text, same tokens, same refusals.

use std::sync::Arc;

use sage_core::endpoint::{GenerateOptions, OutputSchema};
use sage_core::vllm::{embedder, profile};
use sage_llm::simulator::preview;
use serde_json::{Value, json};

use crate::running::{MODEL, start};

const SEED: u64 = 11;

/// The body of `options`, written by hand.
fn body(prompt: &str, options: &GenerateOptions) -> Value {
    let mut body = json!({"model": MODEL, "max_tokens": options.max_tokens, "seed": options.seed,
        "temperature": options.temperature, "stop": options.stop});
    if options.chat {
        body["messages"] = json!([{"role": "user", "content": prompt}]);
    } else {
        body["prompt"] = json!(prompt);
    }
    if let Some(schema) = &options.schema {
        let parsed: Value = serde_json::from_str(&schema.json).unwrap();
        body["response_format"] = json!({"type": "json_schema",
            "json_schema": {"name": schema.name, "schema": parsed}});
    }
    body
}

#[tokio::test]
async fn answers_and_refusals_are_the_server_s() {
    let server = start(|config| config.seed = SEED).await;
    let of = |max_tokens, temperature, chat| GenerateOptions {
        max_tokens,
        temperature: Some(temperature),
        seed: Some(3),
        chat,
        ..GenerateOptions::default()
    };
    let schema = json!({"type": "object", "required": ["label"], "additionalProperties": false,
        "properties": {"label": {"enum": ["good", "bad"]}}});
    let schema = OutputSchema { name: "rating".into(), json: schema.to_string() };
    let asked = [
        of(200, 0.7, true),
        of(200, 0.0, true),
        of(3, 0.7, false),
        GenerateOptions { stop: vec!["the".into()], ..of(100, 0.7, false) },
        GenerateOptions { schema: Some(Arc::new(schema)), ..of(50, 0.7, true) },
        of(32_768, 0.7, true),
    ];
    let context = "Context:\n[d1] The gateway owns the retries. Workers never retry.\n\
        Question: Who owns the retries?";
    let mut refused = 0;
    for options in &asked {
        for prompt in ["Explain continuous batching to a beginner.", context, ""] {
            let path = if options.chat { "/v1/chat/completions" } else { "/v1/completions" };
            let (status, answer) = server.post(path, body(prompt, options)).await;
            let own =
                preview::generation(profile("a100/qwen2.5-7b").unwrap(), SEED, prompt, options);
            let preview = match own {
                Ok(preview) => preview,
                Err(error) => {
                    assert_eq!(error.status, Some(status.as_u16()));
                    assert_eq!(answer["error"]["message"], json!(error.message));
                    refused += 1;
                    continue;
                }
            };
            let choice = &answer["choices"][0];
            let text = if options.chat { &choice["message"]["content"] } else { &choice["text"] };
            let said = &preview.generation;
            assert_eq!(
                (text, &choice["finish_reason"]),
                (&json!(said.text), &json!(said.finish)),
                "{options:?} {prompt}"
            );
            assert_eq!(answer["usage"]["prompt_tokens"], json!(said.prompt_tokens));
            assert_eq!(answer["usage"]["completion_tokens"], json!(said.completion_tokens));
        }
    }
    assert_eq!(refused, 3, "an answer as long as the context fits behind no prompt");
    server.stop().await;
}

#[tokio::test]
async fn vectors_are_the_server_s() {
    let server = start(|_| {}).await;
    let model = embedder("BAAI/bge-small-en-v1.5").unwrap();
    for text in ["who owns the retries?", "word ".repeat(600).as_str()] {
        let asked = json!({"model": model.model, "input": [text]});
        let (status, answer) = server.post("/v1/embeddings", asked).await;
        match preview::embedding(model, text) {
            Ok((vector, tokens)) => {
                let got: Vec<f32> =
                    serde_json::from_value(answer["data"][0]["embedding"].clone()).unwrap();
                assert_eq!((got, &answer["usage"]["prompt_tokens"]), (vector, &json!(tokens)));
            }
            Err(error) => {
                assert_eq!(error.status, Some(status.as_u16()));
                assert_eq!(answer["error"]["message"], json!(error.message));
            }
        }
    }
    server.stop().await;
}

#[test]
fn models_that_judge_are_of_several_opinions() {
    let schema = json!({"type": "object", "properties": {"value": {"enum": ["a", "b", "c", "d"]}},
        "required": ["value"], "additionalProperties": false});
    let schema = OutputSchema { name: "Verdict".into(), json: schema.to_string() };
    let options = GenerateOptions {
        max_tokens: 64,
        chat: true,
        schema: Some(Arc::new(schema)),
        ..GenerateOptions::default()
    };
    let says = |name: &str, prompt: &str| {
        let found = preview::generation(profile(name).unwrap(), SEED, prompt, &options);
        found.unwrap().generation.text
    };
    let prompts: Vec<String> = (0..40).map(|n| format!("Judge number {n}.")).collect();
    let same = |one: &str, other: &str| {
        prompts.iter().filter(|prompt| says(one, prompt) == says(other, prompt)).count()
    };
    assert_eq!(same("a100/qwen2.5-7b", "a100/qwen2.5-7b"), 40);
    let agreed = same("a100/qwen2.5-7b", "a100/qwen3-14b");
    assert!((2..30).contains(&agreed), "{agreed}");
}
