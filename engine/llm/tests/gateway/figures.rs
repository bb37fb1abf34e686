//! `/metrics` and `/health`.

use sage_llm::gateway::{ClientKey, Price};

use super::*;

#[tokio::test]
async fn every_line_of_the_figures_can_be_read() {
    let url = serve(steady(&Watch::default(), Duration::ZERO)).await;
    let price = Price { input_per_mtok: 1e6, output_per_mtok: 2e6 };
    let upstream = Upstream { price, requests_per_s: Some(100.0), ..upstream(&url) };
    let (gateway, stats) = gateway(upstream).await;
    let client = client_of(&gateway, "j\"1", TOKEN);
    assert!(ask(&client, prompts(&["1"])).await.result.is_ok());
    let get = |path: &str| http().get(format!("{gateway}{path}"));
    assert_eq!(get("/metrics").send().await.unwrap().status(), 401);
    let page = get("/metrics").bearer_auth(TOKEN).send().await.unwrap().text().await.unwrap();
    let mut samples = std::collections::BTreeMap::new();
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(name.ends_with('}') && name.contains('{'), "{line}");
        assert!(value.parse::<f64>().is_ok(), "{line}");
        assert!(samples.insert(name.to_owned(), value.to_owned()).is_none(), "{line}");
    }
    let job = r#"{endpoint="e",job="j\"1"}"#;
    assert_eq!(samples[&format!("sage_gateway_ok_total{job}")], "1");
    // 3 tokens of prompt at 1, 2 of answer at 2.
    assert_eq!(samples[&format!("sage_gateway_cost_total{job}")], "7");
    assert_eq!(samples[r#"sage_gateway_rate_used{endpoint="e",of="requests"}"#], "1");
    assert_eq!(samples[r#"sage_gateway_latency_seconds_count{endpoint="e"}"#], "1");
    assert_eq!(samples[&format!(r#"sage_gateway_limit{{endpoint="e",replica="{url}"}}"#)], "64");
    let reason =
        format!(r#"sage_gateway_limit_reason{{endpoint="e",replica="{url}",reason="fixed"}}"#);
    assert_eq!(samples[&reason], "1");
    let stage = stats.snapshot().endpoints[0].stages[0].clone();
    assert_eq!((stage.stage, stage.prompt_tokens, stage.completion_tokens), (0, 3, 2));
}

#[tokio::test]
async fn health_says_how_many_are_up_and_no_more() {
    let dead = format!("http://{}", free_port().await);
    let alive = serve(steady(&Watch::default(), Duration::ZERO)).await;
    let retry = RetryPolicy { max: 0, ..RetryPolicy::default() };
    let named = |name: &str, url: &str| Upstream { name: name.into(), retry, ..upstream(url) };
    let (gateway, _) = gateway_to(vec![named("e", &dead), named("f", &alive)]).await;
    let health = async || {
        let answer = http().get(format!("{gateway}/health")).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let ok = r#"{"status":"ok","endpoints":{"up":2,"down":0}}"#;
    assert_eq!(health().await, (200, ok.into()));
    assert!(ask(&client(&gateway), prompts(&["1"])).await.result.is_err());
    let degraded = r#"{"status":"degraded","endpoints":{"up":1,"down":1}}"#;
    assert_eq!(health().await, (200, degraded.into()));
}

#[tokio::test]
async fn a_client_sees_the_endpoints_it_may_use() {
    let url = serve(steady(&Watch::default(), Duration::ZERO)).await;
    let named = |name: &str| Upstream {
        name: name.into(),
        model: format!("model-{name}"),
        ..upstream(&url)
    };
    let some =
        ClientKey { endpoints: vec!["a".into(), "b".into()], ..ClientKey::new("x", "key-x") };
    let (gateway, _) = gateway_of(GatewayConfig {
        upstreams: vec![named("a"), named("b"), named("c")],
        clients: vec![some, ClientKey::new("y", "key-y")],
        ..GatewayConfig::default()
    })
    .await;
    let models = async |key: &str| {
        let request = http().get(format!("{gateway}/v1/models")).bearer_auth(key);
        request.send().await.unwrap().text().await.unwrap()
    };
    let of_x = models("key-x").await;
    assert!(of_x.contains("model-b") && !of_x.contains("model-c"), "{of_x}");
    assert!(models("key-y").await.contains("model-c"));
    let call = async |key: &str, path: &str| {
        let request = http().post(format!("{gateway}{path}")).bearer_auth(key).body(BODY);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(call("key-x", "/e/c/v1/completions").await, 404);
    assert_eq!(call("key-y", "/e/c/v1/completions").await, 200);
    assert_eq!(call("key-z", "/e/c/v1/completions").await, 401);
}
