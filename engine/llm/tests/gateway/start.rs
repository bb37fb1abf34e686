//! Start, shutdown, and what is said when something is wrong.

use super::*;

#[tokio::test]
async fn a_shutdown_lets_calls_end() {
    let watch = Watch::default();
    let url = serve(steady(&watch, Duration::from_millis(200))).await;
    let config = GatewayConfig {
        upstreams: vec![upstream(&url)],
        token: Some(TOKEN.into()),
        ..GatewayConfig::default()
    };
    let gateway = Gateway::bind("127.0.0.1:0", config).await.unwrap();
    let client = client(&format!("http://{}", gateway.local_addr()));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(gateway.serve(async move { drop(stopped.await) }));
    let answer = submit(&client, call(prompts(&["1"]), Duration::from_secs(5)));
    until(|| watch.now() == 1).await;
    stop.send(()).unwrap();
    assert!(answer.await.unwrap().result.is_ok());
    let started = Instant::now();
    serving.await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(1), "idle connections must not hold it up");
}

#[tokio::test]
async fn a_taken_port_is_named_with_the_remedy() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let config =
        GatewayConfig { upstreams: vec![upstream("http://h:1")], ..GatewayConfig::default() };
    let error = Gateway::bind(&address, config).await.unwrap_err();
    assert!(matches!(error, GatewayError::AddressInUse { .. }));
    let text = error.to_string();
    assert!(text.contains(&address) && text.contains("another port"), "{text}");
}

#[tokio::test]
async fn settings_that_contradict_themselves_are_refused() {
    let bind = async |upstreams| {
        let config = GatewayConfig { upstreams, ..GatewayConfig::default() };
        Gateway::bind("127.0.0.1:0", config).await.unwrap_err().to_string()
    };
    assert!(bind(vec![]).await.contains("at least one upstream"));
    let twice = vec![upstream("http://h:1"), upstream("http://h:2")];
    assert!(bind(twice).await.contains("two endpoints are called `e`"));
    assert!(bind(vec![upstream("sim:a100")]).await.contains("http(s)://"));
    let idle = Upstream { requests_per_s: Some(0.0), ..upstream("http://h:1") };
    assert!(bind(vec![idle]).await.contains("above 0"));
    let key = Upstream { api_key: Some("k\n".into()), ..upstream("http://h:1") };
    assert!(!format!("{key:?}").contains("k\\n"));
    assert!(bind(vec![key]).await.contains("api key"));
}

#[tokio::test]
async fn the_probe_says_what_is_wrong() {
    let fail = async |upstream: Upstream| probe(&upstream).await.unwrap_err();
    let refused = fail(upstream(&format!("http://{}", free_port().await))).await;
    assert!(matches!(refused, GatewayError::Unreachable { .. }), "{refused}");
    assert!(refused.to_string().to_lowercase().contains("connection refused"));

    let models = |status: u16, body: &'static str| {
        let answer = move || async move { (StatusCode::from_u16(status).unwrap(), body) };
        Router::new().route("/v1/models", get(answer))
    };
    let list = r#"{"object":"list","data":[{"id":"qwen2.5-7b"},{"id":"minilm"}]}"#;
    let url = serve(models(200, list)).await;
    let wrong = fail(Upstream { model: "qwen2.5-7B-x".into(), ..upstream(&url) }).await.to_string();
    assert!(wrong.contains("it serves `qwen2.5-7b`, `minilm`"), "{wrong}");
    assert!(wrong.ends_with("did you mean `qwen2.5-7b`?"), "{wrong}");
    let right = Upstream { model: "minilm".into(), ..upstream(&url) };
    assert_eq!(probe(&right).await.unwrap().models, ["qwen2.5-7b", "minilm"]);

    let url = serve(models(401, r#"{"error":"Unauthorized"}"#)).await;
    let locked = fail(upstream(&url)).await.to_string();
    assert!(locked.contains("401 (Unauthorized)") && locked.contains("`api_key`"), "{locked}");

    let url = serve(models(200, "<html>")).await;
    assert!(matches!(fail(upstream(&url)).await, GatewayError::Unexpected { .. }));
}
