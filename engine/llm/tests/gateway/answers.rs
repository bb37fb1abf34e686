//! What a server answers instead of an answer, and what becomes of it.

use serde_json::Value;

use super::*;

const CHAT: &str = "/v1/chat/completions";

/// Answers chats with `status` and `body` until it has been called `times` times, then well.
async fn odd(times: usize, status: u16, body: &'static str) -> (String, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let count = calls.clone();
    let answer = move || {
        let call = count.fetch_add(1, Ordering::SeqCst);
        let status = StatusCode::from_u16(status).unwrap();
        async move { if call < times { (status, body) } else { (StatusCode::OK, OK) } }
    };
    let router = Router::new()
        .route("/v1/completions", post(answer.clone()))
        .route("/v1/chat/completions", post(answer.clone()))
        .route("/v1/embeddings", post(answer));
    (serve(router).await, calls)
}

const NONE: [(u16, &str); 6] = [
    (200, "<html>Welcome</html>"),
    (200, r#"{"choices":[{"index":0,"mess"#),
    (200, r#"{"error":{"message":"engine died","code":500}}"#),
    (200, r#"{"choices":[]}"#),
    (200, ""),
    (204, ""),
];

#[tokio::test]
async fn a_success_that_is_no_answer_is_asked_for_again() {
    for (status, body) in NONE {
        let (url, calls) = odd(2, status, body).await;
        let (gateway, stats) = gateway(upstream(&url)).await;
        let answer = plain(&gateway, CHAT, BODY).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), &*answer.text().await.unwrap()), (200, OK), "{body}");
        assert_eq!(calls.load(Ordering::SeqCst), 3);
        let total = stats.snapshot().endpoints[0].total.clone();
        assert_eq!((total.ok, total.retries, total.errors.sum()), (1, 2, 0));
        assert_eq!((total.prompt_tokens, total.completion_tokens), (3, 2));
    }
}

#[tokio::test]
async fn a_success_that_stays_none_is_a_protocol_error_that_quotes_it() {
    for (status, body) in NONE {
        let (url, calls) = odd(usize::MAX, status, body).await;
        let (gateway, stats) = gateway(upstream(&url)).await;
        let answer = plain(&gateway, CHAT, BODY).send().await.unwrap();
        assert_eq!(answer.status(), 502);
        assert_eq!(answer.headers()["x-sage-error-class"], "protocol");
        let told: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        let message = told["error"]["message"].as_str().unwrap();
        assert!(message.ends_with(&format!(": {body:?}")), "{message}");
        assert!(message.contains(&status.to_string()), "{message}");
        assert_eq!(calls.load(Ordering::SeqCst), 5);
        let total = stats.snapshot().endpoints[0].total.clone();
        assert_eq!((total.ok, total.errors.protocol), (0, 1));
    }
}

#[tokio::test]
async fn vectors_are_wanted_of_embeddings() {
    let (url, _) = odd(1, 200, r#"{"data":[{"index":0,"embedding":[0.5]}]}"#).await;
    let (gateway, _) = gateway(upstream(&url)).await;
    let embed = r#"{"model":"m","input":"a"}"#;
    let first = plain(&gateway, "/v1/embeddings", embed).send().await.unwrap();
    assert_eq!(first.status(), 200);
    // The same server now answers texts.
    let second = plain(&gateway, "/v1/embeddings", embed).send().await.unwrap();
    assert_eq!(second.status(), 502);
}

#[tokio::test]
async fn failures_of_another_shape_are_put_into_the_api_s() {
    let nothing = "the server answered 502 without a message";
    for (status, body, message) in [
        (502, "<html>Bad Gateway</html>", "<html>Bad Gateway</html>"),
        (502, "{}", nothing),
        (502, "", nothing),
        (404, r#"{"detail":"Not Found"}"#, "Not Found"),
        (422, r#"{"error":"too odd"}"#, "too odd"),
    ] {
        let (url, _) = odd(usize::MAX, status, body).await;
        let retry = RetryPolicy { max: 0, ..RetryPolicy::default() };
        let (gateway, _) = gateway(Upstream { retry, ..upstream(&url) }).await;
        let answer = plain(&gateway, CHAT, BODY).send().await.unwrap();
        assert_eq!(answer.status(), status);
        assert_eq!(answer.headers()["content-type"], "application/json");
        let told: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        assert_eq!(told["error"]["message"], message);
        assert_eq!(told["error"]["code"], status);
    }
}

#[tokio::test]
async fn failures_of_the_api_s_shape_pass_untouched() {
    let body = r#"{"error": {"message":"no", "type":"Odd", "param":"x","code":"y"} }"#;
    let (url, _) = odd(usize::MAX, 400, body).await;
    let (gateway, _) = gateway(upstream(&url)).await;
    let answer = plain(&gateway, CHAT, BODY).send().await.unwrap();
    assert_eq!(answer.status(), 400);
    assert_eq!(answer.text().await.unwrap(), body);
}

#[tokio::test]
async fn an_answer_beyond_all_bounds_is_refused_once() {
    let calls = Arc::new(AtomicUsize::new(0));
    let count = calls.clone();
    let answer = move || {
        count.fetch_add(1, Ordering::SeqCst);
        async { vec![b' '; (64 << 20) + 1] }
    };
    let url = serve(Router::new().route("/v1/completions", post(answer))).await;
    let (gateway, _) = gateway(upstream(&url)).await;
    let answer = plain(&gateway, "/v1/completions", BODY).send().await.unwrap();
    assert_eq!(answer.headers()["x-sage-error-class"], "rejected");
    assert!(answer.text().await.unwrap().contains("longer than 64 MiB"));
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}
