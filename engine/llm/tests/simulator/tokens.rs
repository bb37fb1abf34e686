//! Token ids: counted as `usage` counts, and read back.

use sage_core::text::count_tokens;
use serde_json::{Value, json};

use crate::running::{MODEL, ask, start};

#[tokio::test]
async fn counts_agree_with_usage_and_ids_are_read_back() {
    let server = start(|_| {}).await;
    let text = "The scheduler  waits.\n\nInternationalization, 日本語!";
    let (_, answer) = server.post("/tokenize", json!({"prompt": text})).await;
    let ids = answer["tokens"].clone();
    assert_eq!(answer["count"], count_tokens(text));
    assert_eq!(
        (answer["max_model_len"].as_u64(), &answer["token_strs"]),
        (Some(32_768), &Value::Null)
    );
    let (_, back) = server.post("/detokenize", json!({"model": MODEL, "tokens": ids})).await;
    assert_eq!(back["prompt"], text);
    let completion = |prompt: Value| json!({"prompt": prompt, "max_tokens": 8});
    let (_, by_text) = server.post("/v1/completions", completion(json!(text))).await;
    let (_, by_ids) = server.post("/v1/completions", completion(ids)).await;
    assert_eq!(by_text["usage"]["prompt_tokens"], answer["count"]);
    assert_eq!(by_text["choices"], by_ids["choices"]);
    let (_, spelled) =
        server.post("/tokenize", json!({"prompt": "a bc", "return_token_strs": true})).await;
    assert_eq!(spelled["token_strs"], json!(["a", " bc"]));
    server.stop().await;
}

#[tokio::test]
async fn chats_are_counted_with_their_template() {
    let server = start(|_| {}).await;
    let mut body = ask("Tell of dogs.");
    let (_, answer) = server.post("/tokenize", body.clone()).await;
    body["max_tokens"] = json!(1);
    let usage = server.chat(body).await["usage"].clone();
    assert_eq!(answer["count"], usage["prompt_tokens"]);
    let (_, back) = server.post("/detokenize", json!({"tokens": answer["tokens"]})).await;
    assert_eq!(back["prompt"], "<|im_start|>user\nTell of dogs.<|im_start|>assistant\n");
    server.stop().await;
}

#[tokio::test]
async fn ids_of_others_are_not_guessed() {
    let server = start(|_| {}).await;
    for (path, body, status) in [
        ("/detokenize", json!({"tokens": [1, 2, 3]}), 400),
        ("/detokenize", json!({"tokens": [-1]}), 400),
        ("/tokenize", json!({"model": "nope", "prompt": "x"}), 404),
        ("/tokenize", json!({"model": MODEL}), 400),
    ] {
        let (found, answer) = server.post(path, body).await;
        assert_eq!((found.as_u16(), &answer["error"]["code"]), (status, &json!(status)), "{path}");
    }
    let body = json!({"model": "BAAI/bge-base-en-v1.5", "prompt": "x"});
    assert_eq!(server.post("/tokenize", body).await.1["max_model_len"], 512);
    server.stop().await;
}
