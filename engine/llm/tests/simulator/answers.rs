//! What is answered: texts, vectors, lists, streams, errors.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::running::{MODEL, ask, start};

#[tokio::test]
async fn a_chat_is_answered_from_its_context() {
    let server = start(|_| {}).await;
    let prompt = "Context:\n[README.md#1] The gateway owns all retries.\n[b] Vectors are long.\n\n\
                  Question: Who owns the retries?";
    let answer = server.chat(ask(prompt)).await;
    let choice = &answer["choices"][0];
    assert_eq!(choice["message"]["content"], "The gateway owns all retries. [README.md#1]");
    assert_eq!(
        (&choice["finish_reason"], &answer["object"]),
        (&json!("stop"), &json!("chat.completion"))
    );
    let usage = &answer["usage"];
    assert!(usage["prompt_tokens"].as_u64().unwrap() > 25, "{usage}");
    let sum =
        usage["prompt_tokens"].as_u64().unwrap() + usage["completion_tokens"].as_u64().unwrap();
    assert_eq!(usage["total_tokens"], sum);
    assert_eq!(server.chat(ask(prompt)).await["choices"], answer["choices"]);
    server.stop().await;
}

#[tokio::test]
async fn lengths_and_stop_strings_are_kept() {
    let server = start(|_| {}).await;
    let mut body = ask("Explain continuous batching.");
    body["max_tokens"] = json!(5);
    let cut = server.chat(body.clone()).await;
    assert_eq!(cut["choices"][0]["finish_reason"], "length");
    assert_eq!(cut["usage"]["completion_tokens"], 5);
    body["max_tokens"] = json!(300);
    body["ignore_eos"] = json!(true);
    assert_eq!(server.chat(body.clone()).await["usage"]["completion_tokens"], 300);
    body["stop"] = json!(".");
    let stopped = server.chat(body.clone()).await;
    assert_eq!(stopped["choices"][0]["finish_reason"], "stop");
    assert!(!stopped["choices"][0]["message"]["content"].as_str().unwrap().contains('.'));
    let seeded = |seed: u64| {
        let mut body = ask("Explain continuous batching.");
        body["seed"] = json!(seed);
        body
    };
    let (a, b) = (server.chat(seeded(1)).await, server.chat(seeded(2)).await);
    assert_ne!(a["choices"], b["choices"]);
    server.stop().await;
}

#[tokio::test]
async fn completions_take_all_forms_of_prompts() {
    let server = start(|config| config.served_models.push("alias".into())).await;
    for (prompt, count) in [
        (json!("One prompt about dogs."), 1),
        (json!(["First prompt about dogs.", "Second about cats.", "Third."]), 3),
        (json!([1, 2, 3]), 1),
        (json!([[1, 2, 3], [4, 5]]), 2),
    ] {
        let body = json!({"model": "alias", "prompt": prompt});
        let (status, answer) = server.post("/v1/completions", body).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        let choices = answer["choices"].as_array().unwrap();
        assert_eq!(choices.len(), count);
        for (index, choice) in choices.iter().enumerate() {
            assert_eq!(choice["index"], index);
            assert!(choice["text"].is_string());
        }
        assert!(answer["usage"]["completion_tokens"].as_u64().unwrap() <= 16 * count as u64);
        assert_eq!(
            (&answer["object"], &answer["model"]),
            (&json!("text_completion"), &json!("alias"))
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn embeddings_come_as_numbers_and_as_base64() {
    let server = start(|_| {}).await;
    let mut body =
        json!({"model": "BAAI/bge-small-en-v1.5", "input": ["a red fox", "a red fox", "tax law"]});
    let (status, answer) = server.post("/v1/embeddings", body.clone()).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let data = answer["data"].as_array().unwrap();
    let vector = |at: usize| -> Vec<f64> {
        data[at]["embedding"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
    };
    let cosine =
        |a: usize, b: usize| vector(a).iter().zip(vector(b)).map(|(x, y)| x * y).sum::<f64>();
    assert_eq!(vector(0).len(), 384);
    assert!((cosine(0, 1) - 1.0).abs() < 1e-4 && cosine(0, 2) < 0.3);
    assert!(answer["usage"]["prompt_tokens"].as_u64().unwrap() >= 8);
    body["encoding_format"] = json!("base64");
    let (_, answer) = server.post("/v1/embeddings", body.clone()).await;
    assert_eq!(answer["data"][2]["embedding"].as_str().unwrap().len(), 384 * 4 / 3 * 4);
    body["dimensions"] = json!(64);
    body["encoding_format"] = json!("float");
    let (_, answer) = server.post("/v1/embeddings", body.clone()).await;
    assert_eq!(answer["data"][0]["embedding"].as_array().unwrap().len(), 64);
    for (field, value) in [
        ("dimensions", json!(385)),
        ("dimensions", json!(0)),
        ("encoding_format", json!("int8")),
        ("input", json!([])),
        ("truncate_prompt_tokens", json!(0)),
    ] {
        let mut wrong = body.clone();
        wrong[field] = value;
        let (status, answer) = server.post("/v1/embeddings", wrong).await;
        assert_eq!((status.as_u16(), &answer["error"]["param"]), (400, &json!(field)));
    }
    body["dimensions"] = Value::Null;
    body["model"] = json!("BAAI/bge-large-en-v1.5");
    body["input"] = json!("word ".repeat(600));
    let (status, answer) = server.post("/v1/embeddings", body).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(answer["error"]["message"].as_str().unwrap().contains("512 tokens"));
    let cut = json!({"model": "BAAI/bge-large-en-v1.5", "input": "word ".repeat(600),
        "truncate_prompt_tokens": -1});
    let (status, answer) = server.post("/v1/embeddings", cut).await;
    assert_eq!((status, &answer["usage"]["prompt_tokens"]), (StatusCode::OK, &json!(512)));
    server.stop().await;
}

#[tokio::test]
async fn errors_have_vllms_shape() {
    let server = start(|config| config.api_key = Some("secret".into())).await;
    let (status, answer) = server.post("/v1/chat/completions", ask("x")).await;
    assert_eq!((status, &answer["error"]["code"]), (StatusCode::UNAUTHORIZED, &json!(401)));
    assert_eq!(
        server.client.get(format!("{}/health", server.base)).send().await.unwrap().status(),
        200
    );
    server.stop().await;

    let server = start(|_| {}).await;
    let no_model = json!({"model": "nope", "messages": [{"role": "user", "content": "x"}]});
    let long = ask(&"word ".repeat(32_700));
    for (path, body, expect, word) in [
        ("/v1/chat/completions", no_model, 404, "NotFoundError"),
        ("/v1/chat/completions", json!({"model": MODEL}), 400, "messages"),
        ("/v1/chat/completions", json!([1]), 400, "BadRequestError"),
        ("/v1/chat/completions", long, 400, "maximum context length is 32768 tokens"),
        ("/v1/completions", json!({"model": MODEL, "prompt": []}), 400, "prompt"),
        ("/v1/completions", json!({"model": MODEL, "prompt": {}}), 400, "a list of token ids"),
        ("/v1/embeddings", json!({"model": MODEL, "input": "x"}), 404, "does not exist"),
        ("/v1/nothing", json!({}), 404, "Not Found"),
        ("/v1/completions", json!({"prompt": "x".repeat(17 << 20)}), 413, "PayloadTooLargeError"),
    ] {
        let (status, answer) = server.post(path, body).await;
        assert_eq!(status.as_u16(), expect, "{answer}");
        assert_eq!(answer["error"]["code"], expect);
        assert!(answer.to_string().contains(word), "{answer}");
    }
    server.stop().await;
}

#[tokio::test]
async fn answers_can_be_streamed() {
    let server = start(|config| config.speed = 5.0).await;
    let mut body = ask("Explain continuous batching of requests.");
    let whole = server.chat(body.clone()).await;
    body["stream"] = json!(true);
    body["stream_options"] = json!({"include_usage": true});
    let mut response = server.send("/v1/chat/completions", &body).await;
    assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/event-stream"));
    let (mut raw, mut parts) = (String::new(), 0);
    while let Some(bytes) = response.chunk().await.unwrap() {
        raw.push_str(std::str::from_utf8(&bytes).unwrap());
        parts += 1;
    }
    assert!(parts > 5, "tokens arrive one by one, not in {parts} parts");
    let lines: Vec<&str> =
        raw.split("\n\n").filter_map(|line| line.strip_prefix("data: ")).collect();
    assert_eq!(lines.last(), Some(&"[DONE]"));
    let chunks: Vec<Value> =
        lines[..lines.len() - 1].iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "assistant");
    let text: String = chunks
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str())
        .collect();
    assert_eq!(text, whole["choices"][0]["message"]["content"].as_str().unwrap());
    assert_eq!(chunks[chunks.len() - 2]["choices"][0]["finish_reason"], "stop");
    assert_eq!(chunks[chunks.len() - 1]["usage"], whole["usage"]);

    let lists =
        json!({"model": MODEL, "prompt": ["Tell of dogs.", "Tell of cats."], "stream": true});
    let raw = server.send("/v1/completions", &lists).await.text().await.unwrap();
    assert!(
        raw.contains("\"index\":0") && raw.contains("\"index\":1") && raw.ends_with("[DONE]\n\n")
    );
    server.stop().await;
}

#[tokio::test]
async fn the_served_models_are_listed() {
    let server = start(|config| config.served_models.push("alias".into())).await;
    let models: Value = serde_json::from_str(&server.get("/v1/models").await).unwrap();
    let ids: Vec<&str> = models["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|card| card["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), 5);
    assert!(
        ids.contains(&MODEL) && ids.contains(&"alias") && ids.contains(&"BAAI/bge-base-en-v1.5")
    );
    assert_eq!(models["data"][0]["max_model_len"], 32_768);
    assert_eq!(models["data"][0]["permission"][0]["object"], "model_permission");
    assert!(server.get("/version").await.contains("simulated"));
    server.stop().await;
}
