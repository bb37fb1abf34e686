//! What is accepted and what is refused, and with which words.

use sage_core::vllm::Scheduling;
use serde_json::{Value, json};

use crate::running::{MODEL, ask, start};

#[tokio::test]
async fn values_out_of_range_are_refused_by_name() {
    let server = start(|_| {}).await;
    for (field, value, word) in [
        ("temperature", json!(-0.1), "temperature must be non-negative, got -0.1."),
        ("top_p", json!(0), "top_p must be in (0, 1], got 0.0."),
        ("top_p", json!(1.5), "top_p"),
        ("top_k", json!(-2), "top_k"),
        ("min_p", json!(1.1), "min_p must be in [0, 1], got 1.1."),
        ("presence_penalty", json!(2.5), "presence_penalty"),
        ("repetition_penalty", json!(0), "repetition_penalty"),
        ("n", json!(0), "n must be at least 1"),
        ("n", json!(5000), "4096 choices"),
        ("max_tokens", json!(0), "max_tokens must be at least 1"),
        ("min_tokens", json!(201), "min_tokens must be less than or equal to max_tokens=200"),
        ("stop", json!(""), "empty string"),
        ("logprobs", json!(true), "not simulated"),
        ("prompt_logprobs", json!(1), "not simulated"),
        ("use_beam_search", json!(true), "Beam search"),
        ("tools", json!([{"type": "function"}]), "tool choice"),
        ("truncate_prompt_tokens", json!(-2), "truncate_prompt_tokens"),
        ("stream_options", json!({"include_usage": true}), "stream=True"),
        ("priority", json!(3), "Got priority 3 but Priority scheduling is not enabled."),
        ("max_tokens", json!(32_760), "maximum context length is 32768 tokens. However, you"),
        ("response_format", json!({"type": "structural_tag"}), "not simulated"),
        ("structured_outputs", json!({"regex": "a+"}), "not simulated"),
        ("structured_outputs", json!({}), "exactly one"),
        ("structured_outputs", json!({"choice": []}), "1 to 1024"),
        ("temperature", json!("hot"), "expected f64"),
        ("messages", json!([{"role": "user", "content": [{"type": "image_url"}]}]), "multimodal"),
    ] {
        let mut body = ask("Explain.");
        body[field] = value.clone();
        let (status, answer) = server.post("/v1/chat/completions", body).await;
        let error = &answer["error"];
        assert_eq!((status.as_u16(), &error["code"]), (400, &json!(400)), "{field} {value}");
        assert_eq!(error["type"], "BadRequestError");
        assert!(error["message"].as_str().unwrap().contains(word), "{field} {value}: {error}");
        assert!(error.get("param").is_some());
    }
    server.stop().await;
}

#[tokio::test]
async fn what_a_real_server_takes_is_taken() {
    let server = start(|_| {}).await;
    let body = json!({
        "model": MODEL,
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "Tell of dogs."}, {"type": "text", "text": "And cats."}]},
            {"role": "assistant", "content": null, "tool_calls": []},
            {"role": "user", "content": "Go on."},
        ],
        "max_completion_tokens": 20, "temperature": 0, "top_p": 1, "top_k": -1, "min_p": 0,
        "presence_penalty": -2, "frequency_penalty": 2, "repetition_penalty": 1.1, "seed": -1,
        "logprobs": false, "n": 1, "stop": null, "stream": false, "stream_options": null,
        "response_format": {"type": "text"}, "priority": 0, "tools": [], "user": "u",
        "cache_salt": "x", "no_such_field": [1, {}], "chat_template_kwargs": {"a": 1},
    });
    let answer = server.chat(body).await;
    assert_eq!(answer["choices"][0]["message"]["role"], "assistant");
    server.stop().await;
}

#[tokio::test]
async fn priorities_count_where_they_are_enabled() {
    let server = start(|config| {
        let mut profile = (*config.profile).clone();
        profile.scheduling = Scheduling::Priority;
        profile.max_num_seqs = 1;
        config.profile = profile.into();
        config.speed = 20.0;
    })
    .await;
    let call = |priority: i32, tokens: u32| {
        let url = format!("{}/v1/completions", server.base);
        let body = json!({"prompt": "Hi.", "priority": priority, "max_tokens": tokens,
            "ignore_eos": true});
        let request = server.client.post(url).body(body.to_string());
        tokio::spawn(async move { request.send().await.unwrap().status().as_u16() })
    };
    let first = call(0, 400);
    while server.metric("num_requests_running").await != "1.0" {
        tokio::task::yield_now().await;
    }
    // Long enough to be under way still when the news of the urgent one is read.
    let late = call(5, 400);
    while server.metric("num_requests_waiting").await != "1.0" {
        tokio::task::yield_now().await;
    }
    let urgent = call(-5, 400);
    assert_eq!(urgent.await.unwrap(), 200);
    assert!(!late.is_finished(), "the urgent call came later and left earlier");
    assert_eq!((late.await.unwrap(), first.await.unwrap()), (200, 200));
    server.stop().await;
}

#[tokio::test]
async fn requests_keep_their_names() {
    let server = start(|_| {}).await;
    let request = server.client.post(format!("{}/v1/chat/completions", server.base));
    let request = request.header("x-request-id", "abc-1").body(ask("Hi.").to_string());
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["x-request-id"], "abc-1");
    let answer: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert_eq!(answer["id"], "chatcmpl-abc-1");
    let other = server.chat(ask("Hi.")).await;
    assert!(other["id"].as_str().unwrap().starts_with("chatcmpl-sim-"));
    server.stop().await;
}

#[tokio::test]
async fn keys_guard_the_api_alone() {
    let server = start(|config| config.api_key = Some("secret".into())).await;
    for (path, open) in [
        ("/v1/models", false),
        ("/health", true),
        ("/ping", true),
        ("/version", true),
        ("/load", true),
        ("/metrics", true),
    ] {
        let url = format!("{}{path}", server.base);
        let status = server.client.get(&url).send().await.unwrap().status();
        assert_eq!(status.as_u16(), if open { 200 } else { 401 }, "{path}");
        let request = server.client.get(&url).header("authorization", "Bearer secret");
        assert_eq!(request.send().await.unwrap().status(), 200, "{path}");
    }
    let wrong = server.client.get(format!("{}/v1/chat/completions", server.base));
    let wrong = wrong.header("authorization", "Bearer secret").send().await.unwrap();
    assert_eq!(wrong.status(), 405);
    let (status, _) = server.post("/admin/faults", json!({"rules": ""})).await;
    assert_eq!(status, 404);
    server.stop().await;
}

#[tokio::test]
async fn excess_is_refused_or_bounded_and_the_server_lives_on() {
    let server = start(|_| {}).await;
    let call = |change: Value| {
        let mut body = json!({"prompt": "Hi.", "max_tokens": 4});
        for (field, value) in change.as_object().unwrap() {
            body[field] = value.clone();
        }
        body
    };
    let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
    for (change, expect) in [
        (json!({"max_tokens": null, "min_tokens": 4_000_000_000_u32}), 200),
        (json!({"n": 1000, "max_tokens": 30_000, "ignore_eos": true}), 400),
        (json!({"n": 4_294_967_295_u32}), 400),
        (json!({"max_tokens": -1}), 400),
        (json!({"seed": 9_223_372_036_854_775_807_i64, "temperature": 1e300}), 200),
        (json!({"prompt": vec!["x"; 5000]}), 400),
        (json!({"prompt": [[]]}), 400),
        (json!({"stop": vec!["x"; 65]}), 400),
        (json!({"stop_token_ids": [0, 4_294_967_295_u32]}), 200),
        (json!({"structured_outputs": {"json": deep}}), 400),
    ] {
        let (status, answer) = server.post("/v1/completions", call(change.clone())).await;
        assert_eq!(status.as_u16(), expect, "{change}: {answer}");
    }
    // Numbers at the ends of what a double holds: an answer that fits, or a plain refusal.
    for schema in [
        json!({"multipleOf": 1e-300, "type": "number"}),
        json!({"minimum": 1e308, "type": "integer"}),
        json!({"minimum": -1.7e308, "maximum": 1.7e308, "type": "number"}),
    ] {
        let body = call(json!({"structured_outputs": {"json": schema}}));
        let (status, answer) = server.post("/v1/completions", body).await;
        assert!([200, 400].contains(&status.as_u16()), "{schema}: {answer}");
    }
    assert_eq!(server.post("/v1/completions", call(json!({}))).await.0, 200);
    assert_eq!(server.get("/load").await, "{\"server_load\":0}");
    server.stop().await;
}
