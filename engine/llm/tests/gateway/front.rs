//! Who may call what, and what passes through unchanged.

use super::*;

#[tokio::test]
async fn strangers_are_turned_away() {
    let (gateway, stats) =
        gateway(upstream(&serve(steady(&Watch::default(), Duration::ZERO)).await)).await;
    for request in [
        http().post(format!("{gateway}/e/e/v1/completions")).body(BODY),
        http().post(format!("{gateway}/v1/completions")).bearer_auth("run-tokem").body(BODY),
        http().get(format!("{gateway}/v1/models")),
    ] {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 401);
        assert!(answer.text().await.unwrap().contains("AuthenticationError"));
    }
    assert_eq!(stats.snapshot().endpoints[0].total.calls, 0);
    let health = http().get(format!("{gateway}/health")).send().await.unwrap();
    assert_eq!(health.status(), 200);
}

#[tokio::test]
async fn bodies_and_keys_are_forwarded_as_they_should_be() {
    let echo = |headers: HeaderMap, body: Bytes| async move {
        let key = headers["authorization"].to_str().unwrap().to_owned();
        assert!(!headers.contains_key("x-sage-job"));
        let body = String::from_utf8(body.to_vec()).unwrap();
        let answer = format!(r#"{{ "choices":[{{"key":"{key}","body":{body}}}] }}"#);
        (StatusCode::OK, [("x-request-id", "r1")], answer)
    };
    let url = serve(Router::new().route("/v1/chat/completions", post(echo))).await;
    let key = Some("upstream-key".to_owned());
    let (gateway, _) = gateway(Upstream { api_key: key, ..upstream(&url) }).await;
    let odd = r#"{ "model":"m",  "extra":{"a":[1]}, "messages":[] }"#;
    let answer = plain(&gateway, "/v1/chat/completions", odd).send().await.unwrap();
    assert_eq!(answer.headers()["x-request-id"], "r1");
    assert!(answer.headers().contains_key("x-sage-queue-ms"));
    let echoed = format!(r#"{{ "choices":[{{"key":"Bearer upstream-key","body":{odd}}}] }}"#);
    assert_eq!(answer.text().await.unwrap(), echoed);
}

#[tokio::test]
async fn paths_and_models_lead_to_their_endpoints() {
    let says = |text: &'static str| {
        let models = move || async move { format!(r#"{{"data":[{{"id":"{text}"}}]}}"#) };
        let answer = post(move || async move { format!(r#"{{"choices":["{text}"]}}"#) });
        Router::new().route("/v1/completions", answer).route("/v1/models", get(models))
    };
    let named = |name: &str, url: String| Upstream {
        name: name.into(),
        model: format!("model-{name}"),
        ..upstream(&url)
    };
    let (a, b) = (serve(says("from a")).await, serve(says("from b")).await);
    let (gateway, _) = gateway_to(vec![named("a", a), named("b", b)]).await;
    let answer = async |path: &str, body| {
        let answer = plain(&gateway, path, body).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let to_b = r#"{"model":"model-b"}"#;
    let from = |which: &str| (200, format!(r#"{{"choices":["from {which}"]}}"#));
    assert_eq!(answer("/e/a/v1/completions", to_b).await, from("a"));
    assert_eq!(answer("/v1/completions", to_b).await, from("b"));
    let (status, text) = answer("/v1/completions", r#"{"model":"model-c"}"#).await;
    assert_eq!(status, 404);
    assert!(text.contains("did you mean"), "{text}");
    assert_eq!(answer("/e/c/v1/completions", to_b).await.0, 404);
    assert_eq!(answer("/v1/other", to_b).await.0, 404);
    assert_eq!(answer("/v1/models", to_b).await.0, 405);
    assert_eq!(answer("/e/a/v1/completions", "not json").await.0, 400);
    let models = async |path: &str| {
        let request = http().get(format!("{gateway}{path}")).bearer_auth(TOKEN);
        request.send().await.unwrap().text().await.unwrap()
    };
    assert_eq!(models("/e/a/v1/models").await, r#"{"data":[{"id":"from a"}]}"#);
    assert!(models("/v1/models").await.contains(r#""id":"model-b""#));
}

#[tokio::test]
async fn huge_requests_are_refused() {
    let (gateway, _) =
        gateway(upstream(&serve(steady(&Watch::default(), Duration::ZERO)).await)).await;
    let huge = " ".repeat(17 << 20);
    let request = http().post(format!("{gateway}/v1/completions")).bearer_auth(TOKEN).body(huge);
    // The gateway may close the connection while the rest is still being sent.
    if let Ok(answer) = request.send().await {
        assert_eq!(answer.status(), 413);
    }
}

#[tokio::test]
async fn streams_pass_through_as_they_come() {
    let (go, gone) = tokio::sync::watch::channel(false);
    let answer = move || {
        let mut gone = gone.clone();
        async move {
            let (send, receive) = tokio::sync::mpsc::channel::<Bytes>(1);
            tokio::spawn(async move {
                send.send("data: {\"choices\":[{\"text\":\"a\"}]}\n\n".into()).await.unwrap();
                gone.wait_for(|&go| go).await.unwrap();
                let last = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":4,\"completion_tokens\":1}}\n\ndata: [DONE]\n\n";
                send.send(last.into()).await.unwrap();
            });
            axum::body::Body::new(Channel(receive))
        }
    };
    let url = serve(Router::new().route("/v1/completions", post(answer))).await;
    let (gateway, stats) = gateway(upstream(&url)).await;
    let body = r#"{"model":"m","prompt":"p","stream":true}"#;
    let mut answer = plain(&gateway, "/v1/completions", body).send().await.unwrap();
    let first = answer.chunk().await.unwrap().unwrap();
    assert!(first.starts_with(b"data: {\"choices\":[{\"text\":\"a\""));
    assert_eq!(stats.snapshot().endpoints[0].total.in_flight, 1);
    go.send(true).unwrap();
    assert!(answer.chunk().await.unwrap().unwrap().ends_with(b"[DONE]\n\n"));
    assert_eq!(answer.chunk().await.unwrap(), None);
    until(|| stats.snapshot().endpoints[0].total.ok == 1).await;
    let total = stats.snapshot().endpoints[0].total.clone();
    assert_eq!((total.in_flight, total.prompt_tokens, total.completion_tokens), (0, 4, 1));
}

/// A body that is fed by a channel.
struct Channel(tokio::sync::mpsc::Receiver<Bytes>);

impl hyper::body::Body for Channel {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
        self.0.poll_recv(context).map(|data| data.map(|data| Ok(hyper::body::Frame::data(data))))
    }
}

#[tokio::test]
async fn embeddings_take_the_same_way() {
    let answer = || async {
        r#"{"data":[{"index":0,"embedding":[0.5]}],"usage":{"prompt_tokens":2,"total_tokens":2}}"#
    };
    let url = serve(Router::new().route("/v1/embeddings", post(answer))).await;
    let (gateway, stats) = gateway(upstream(&url)).await;
    let outcome = ask(&client(&gateway), Request::Embed { texts: vec!["a".into()] }).await;
    assert!(outcome.result.is_ok());
    assert_eq!(stats.snapshot().endpoints[0].total.prompt_tokens, 2);
}
