//! Several choices of a prompt, streams of them, echoes, token prompts.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::running::{MODEL, ask, start};

fn texts(answer: &Value) -> Vec<String> {
    let choices = answer["choices"].as_array().unwrap();
    choices.iter().map(|choice| choice["text"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_prompt_has_as_many_choices_as_asked_for() {
    let server = start(|_| {}).await;
    let long = "The quick brown fox jumps over the lazy dog. ".repeat(20);
    let body = json!({"prompt": [format!("{long} One."), format!("{long} Two.")], "n": 3,
        "max_tokens": 12, "seed": 5});
    let (status, answer) = server.post("/v1/completions", body.clone()).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let all = texts(&answer);
    assert_eq!(all.len(), 6);
    for (at, choice) in answer["choices"].as_array().unwrap().iter().enumerate() {
        assert_eq!(choice["index"], at);
    }
    assert!(all[0] != all[1] && all[1] != all[2], "{all:?}");
    let prompts = answer["usage"]["prompt_tokens"].as_u64().unwrap();
    assert_eq!(answer["usage"]["completion_tokens"], 72);
    // Each prompt counts once in the usage, but each choice looks its blocks up.
    assert_eq!(server.metric("prompt_tokens_total").await, format!("{}.0", prompts * 3));
    let hits: f64 = server.metric("prefix_cache_hits_total").await.parse().unwrap();
    assert!(hits >= (prompts * 2 - 6 * 16) as f64, "{hits} of {prompts}");
    assert_eq!(texts(&server.post("/v1/completions", body.clone()).await.1), all);
    // The first choice is the only one of the same call without `n`.
    let mut one = body;
    one["n"] = json!(1);
    assert_eq!(texts(&server.post("/v1/completions", one).await.1)[0], all[0]);
    server.stop().await;
}

#[tokio::test]
async fn choices_are_streamed_side_by_side() {
    let server = start(|_| {}).await;
    let mut body = ask("Explain continuous batching of requests.");
    body["n"] = json!(3);
    body["stream_options"] = json!({"include_usage": true, "continuous_usage_stats": true});
    let mut whole = body.clone();
    whole.as_object_mut().unwrap().remove("stream_options");
    let whole = server.chat(whole).await;
    let (events, done) = server.events("/v1/chat/completions", body).await;
    assert!(done);
    let (last, chunks) = events.split_last().unwrap();
    assert_eq!((&last["choices"], &last["usage"]), (&json!([]), &whole["usage"]));
    for index in 0..3 {
        let own: Vec<&Value> =
            chunks.iter().filter(|chunk| chunk["choices"][0]["index"] == index).collect();
        assert_eq!(own[0]["choices"][0]["delta"]["role"], "assistant");
        assert_eq!(own[0]["usage"]["completion_tokens"], 0);
        let text: String =
            own.iter().filter_map(|c| c["choices"][0]["delta"]["content"].as_str()).collect();
        assert_eq!(text, whole["choices"][index]["message"]["content"].as_str().unwrap());
        let ends: Vec<&Value> = own.iter().map(|c| &c["choices"][0]["finish_reason"]).collect();
        assert_eq!(ends.iter().filter(|end| !end.is_null()).count(), 1);
        assert_eq!(*ends[ends.len() - 1], "stop");
        let counts: Vec<u64> =
            own.iter().map(|c| c["usage"]["completion_tokens"].as_u64().unwrap()).collect();
        assert!(counts.is_sorted(), "{counts:?}");
    }
    let total: u64 = (0..3)
        .map(|index| {
            let own = chunks.iter().rfind(|c| c["choices"][0]["index"] == index).unwrap();
            own["usage"]["completion_tokens"].as_u64().unwrap()
        })
        .sum();
    assert_eq!(last["usage"]["completion_tokens"], total);
    server.stop().await;
}

#[tokio::test]
async fn without_options_a_stream_has_no_usage() {
    let server = start(|_| {}).await;
    let (events, done) = server.events("/v1/chat/completions", ask("Hi.")).await;
    assert!(done && events.iter().all(|event| event.get("usage").is_none()));
    assert!(events.iter().all(|event| event["choices"].as_array().unwrap().len() == 1));
    server.stop().await;
}

#[tokio::test]
async fn the_prompt_can_be_repeated() {
    let server = start(|_| {}).await;
    let mut body = json!({"prompt": ["Tell of dogs.", "Tell of cats."], "n": 2, "max_tokens": 4});
    let plain = texts(&server.post("/v1/completions", body.clone()).await.1);
    body["echo"] = json!(true);
    let echoed = texts(&server.post("/v1/completions", body.clone()).await.1);
    for (at, (plain, echoed)) in plain.iter().zip(&echoed).enumerate() {
        let prompt = ["Tell of dogs.", "Tell of cats."][at / 2];
        assert_eq!(*echoed, format!("{prompt}{plain}"));
    }
    let (events, _) = server.events("/v1/completions", body).await;
    let first = events.iter().find(|event| event["choices"][0]["index"] == 3).unwrap();
    assert!(first["choices"][0]["text"].as_str().unwrap().starts_with("Tell of cats."));
    server.stop().await;
}

#[tokio::test]
async fn stops_cut_and_are_named() {
    let server = start(|_| {}).await;
    let mut body = ask("Explain continuous batching.");
    body["stop"] = json!(["nothing like this", "."]);
    let answer = server.chat(body.clone()).await;
    let choice = &answer["choices"][0];
    assert_eq!((&choice["finish_reason"], &choice["stop_reason"]), (&json!("stop"), &json!(".")));
    assert!(!choice["message"]["content"].as_str().unwrap().contains('.'));
    body["include_stop_str_in_output"] = json!(true);
    let shown = server.chat(body.clone()).await;
    assert!(shown["choices"][0]["message"]["content"].as_str().unwrap().ends_with('.'));
    let (events, _) = server.events("/v1/chat/completions", body).await;
    assert_eq!(events[events.len() - 1]["choices"][0]["stop_reason"], ".");
    server.stop().await;
}

#[tokio::test]
async fn prompts_can_be_cut_and_lengths_demanded() {
    let server = start(|_| {}).await;
    let prompt = "word ".repeat(500);
    let body = json!({"model": MODEL, "prompt": prompt, "truncate_prompt_tokens": 20,
        "max_tokens": 90, "min_tokens": 60});
    let (_, answer) = server.post("/v1/completions", body).await;
    assert_eq!(answer["usage"]["prompt_tokens"], 20);
    assert!((60..=90).contains(&answer["usage"]["completion_tokens"].as_u64().unwrap()));
    let body = json!({"prompt": "word ".repeat(40_000), "truncate_prompt_tokens": -1,
        "max_tokens": 1});
    let (status, answer) = server.post("/v1/completions", body).await;
    assert_eq!((status, &answer["usage"]["prompt_tokens"]), (StatusCode::OK, &json!(32_767)));
    let mut chat = ask("Hi.");
    chat["max_tokens"] = Value::Null;
    chat["max_completion_tokens"] = json!(3);
    chat["ignore_eos"] = json!(true);
    assert_eq!(server.chat(chat).await["usage"]["completion_tokens"], 3);
    server.stop().await;
}
