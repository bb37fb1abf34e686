//! Faults by rate, in windows, at run time.

use std::time::Duration;

use reqwest::StatusCode;
use sage_llm::simulator::Faults;
use serde_json::{Value, json};

use crate::running::{Running, ask, start};

async fn call(server: &Running) -> Result<StatusCode, reqwest::Error> {
    let url = format!("{}/v1/chat/completions", server.base);
    let request = server.client.post(url).body(ask("Hi.").to_string());
    Ok(request.timeout(Duration::from_millis(1500)).send().await?.status())
}

/// What a few calls one after the other come to.
async fn outcomes(server: &Running, count: usize) -> Vec<String> {
    let mut all = Vec::new();
    for _ in 0..count {
        all.push(match call(server).await {
            Ok(status) => status.as_u16().to_string(),
            Err(error) if error.is_timeout() => "timeout".to_owned(),
            Err(_) => "cut".to_owned(),
        });
    }
    all
}

async fn set(server: &Running, rules: &str) -> (StatusCode, Value) {
    server.post("/admin/faults", json!({ "rules": rules })).await
}

#[tokio::test]
async fn faults_happen_as_ordered() {
    let rules = "status_503=1/3,drop=1/4,stall=1/5,status_429=1/7,retry_after=3s";
    let server = start(|config| config.fault = Faults::parse(rules).unwrap()).await;
    let expect = ["200", "200", "503", "cut", "timeout", "503", "429", "cut"];
    assert_eq!(outcomes(&server, 8).await, expect);
    let refused = server.send("/v1/chat/completions", &ask("Hi.")).await;
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["retry-after"]),
        (503, &"3".parse().unwrap())
    );
    // Nothing but calls is counted or hit.
    for _ in 0..8 {
        server.get("/v1/models").await;
    }
    server.stop().await;
}

#[tokio::test]
async fn latency_is_virtual_and_added_once() {
    let server = start(|config| config.fault = Faults::parse("latency=10s:1/2").unwrap()).await;
    for slow in [false, true] {
        let begin = std::time::Instant::now();
        assert_eq!(call(&server).await.unwrap(), 200);
        // 10 s of virtual time at speed 50; a lower bound, as sleeping has no upper one.
        assert!(!slow || begin.elapsed() >= Duration::from_millis(200));
    }
    server.stop().await;
}

#[tokio::test]
async fn refusals_can_keep_silent_about_when_to_come_back() {
    let rules = "status_429=1/1,retry_after=none";
    let server = start(|config| config.fault = Faults::parse(rules).unwrap()).await;
    let refused = server.send("/v1/chat/completions", &ask("Hi.")).await;
    assert!(refused.status() == 429 && !refused.headers().contains_key("retry-after"));
    server.stop().await;
}

#[tokio::test]
async fn a_slow_start_answers_503_to_everything() {
    let rules = "slow_start=10m,retry_after=7s";
    let server = start(|config| {
        config.fault = Faults::parse(rules).unwrap();
        config.admin = true;
    })
    .await;
    for path in ["/health", "/v1/models", "/metrics"] {
        let response = server.client.get(format!("{}{path}", server.base)).send().await.unwrap();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["retry-after"]),
            (503, &"7".parse().unwrap())
        );
    }
    assert_eq!(call(&server).await.unwrap(), 503);
    assert_eq!(set(&server, "").await.0, 200);
    server.get("/health").await;
    assert_eq!(call(&server).await.unwrap(), 200);
    server.stop().await;
}

#[tokio::test]
async fn an_outage_cuts_what_runs_and_what_comes() {
    let server = start(|config| {
        config.admin = true;
        config.speed = 1.0;
    })
    .await;
    let mut body = ask("Explain.");
    body["max_tokens"] = json!(5000);
    body["ignore_eos"] = json!(true);
    body["stream"] = json!(true);
    let mut stream = server.send("/v1/chat/completions", &body).await;
    assert!(stream.chunk().await.unwrap().is_some());
    let (status, report) = set(&server, "outage=0s+1m").await;
    assert_eq!((status.as_u16(), &report["outage"]), (200, &json!(true)));
    let cut = loop {
        match stream.chunk().await {
            Ok(Some(_)) => {}
            other => break other,
        }
    };
    assert!(cut.is_err(), "{cut:?}");
    assert_eq!(outcomes(&server, 2).await, ["cut", "cut"]);
    assert!(server.client.get(format!("{}/health", server.base)).send().await.is_err());
    set(&server, "").await;
    assert_eq!(outcomes(&server, 2).await, ["200", "200"]);
    server.stop().await;
}

#[tokio::test]
async fn without_administration_an_outage_resets_connections_at_once() {
    let rules = "outage=0s+10m";
    let server = start(|config| config.fault = Faults::parse(rules).unwrap()).await;
    assert_eq!(outcomes(&server, 3).await, ["cut", "cut", "cut"]);
    server.stop().await;
}

#[tokio::test]
async fn rules_are_changed_at_run_time_and_repeat() {
    let server = start(|config| config.admin = true).await;
    let (status, report) = set(&server, "status_429=40%,drop=20%").await;
    assert_eq!((status.as_u16(), &report["calls"]), (200, &json!(0)));
    let first = outcomes(&server, 20).await;
    assert!(
        ["200", "429", "cut"].iter().all(|kind| first.iter().any(|one| one == kind)),
        "{first:?}"
    );
    let report: Value = serde_json::from_str(&server.get("/admin/faults").await).unwrap();
    assert_eq!(
        (&report["rules"], &report["calls"]),
        (&json!("status_429=40%,drop=20%"), &json!(20))
    );
    set(&server, "status_429=40%,drop=20%").await;
    assert_eq!(outcomes(&server, 20).await, first);
    let (status, answer) = set(&server, "drop=often").await;
    assert_eq!((status.as_u16(), &answer["error"]["param"]), (400, &json!("rules")));
    assert!(set(&server, &"drop=1%,".repeat(1000)).await.0 == 400);
    set(&server, "").await;
    assert_eq!(outcomes(&server, 5).await, ["200"; 5]);
    let page = server.client.post(format!("{}/admin/faults", server.base));
    let page = page.header("origin", "http://evil").body("{\"rules\":\"drop=100%\"}");
    assert_eq!(page.send().await.unwrap().status(), 403);
    server.stop().await;
}
