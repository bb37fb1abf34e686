//! How it is answered: in time, at scale, with faults, and when one side leaves.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use sage_core::vllm::{Engine, Profile, Request, profile};
use serde_json::{Value, json};

use crate::running::{ask, start};

#[tokio::test]
async fn a_client_that_leaves_cancels_its_request() {
    let server = start(|config| config.speed = 2.0).await;
    for (stream, n, aborted) in [(false, 1, 1), (true, 1, 2), (false, 3, 5), (true, 3, 8)] {
        let mut body = ask("Explain.");
        body["n"] = json!(n);
        body["max_tokens"] = json!(20_000);
        body["ignore_eos"] = json!(true);
        body["stream"] = json!(stream);
        let sending = server.send("/v1/chat/completions", &body);
        if stream {
            drop(sending.await);
        } else {
            assert!(tokio::time::timeout(Duration::from_millis(200), sending).await.is_err());
        }
        let deadline = Instant::now() + Duration::from_secs(3);
        let expect = format!("{aborted}.0");
        while server.metric("request_success_total{finished_reason=\"abort\"}").await != expect {
            assert!(Instant::now() < deadline, "not cancelled");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(server.metric("num_requests_running").await, "0.0");
        assert_eq!(server.metric("kv_cache_usage_perc").await, "0.0");
        assert_eq!(server.get("/load").await, "{\"server_load\":0}");
    }
    server.stop().await;
}

#[tokio::test]
async fn time_passes_at_the_chosen_speed() {
    // 100 tokens of a lone request take 1.02 s on this profile.
    for (speed, expect) in [(1.0, 1.02), (4.0, 0.255)] {
        let server = start(|config| config.speed = speed).await;
        let mut body = ask("Explain.");
        body["max_tokens"] = json!(100);
        body["ignore_eos"] = json!(true);
        let begin = Instant::now();
        server.chat(body).await;
        let took = begin.elapsed().as_secs_f64();
        println!("speed {speed}: {took:.3} s for {expect} s");
        assert!(took > 0.97 * expect && took < 1.25 * expect + 0.1, "{took} s at speed {speed}");
        server.stop().await;
    }
}

/// A server whose API stage takes no time: over sockets a burst does not come at one moment, and
/// that stage makes much of the difference.
fn without_front_end() -> Profile {
    let mut profile = profile("a100/qwen2.5-7b").unwrap().clone();
    (profile.api_ms_per_request, profile.api_us_per_token) = (0.0, 0.0);
    profile
}

/// The same requests in the model alone, without sockets: seconds until the last is answered.
fn modelled(prompts: &[u32], output: u32) -> f64 {
    let mut engine = Engine::new(&without_front_end());
    for (id, &prompt_tokens) in (0..).zip(prompts) {
        let (max_tokens, target_tokens) = (output, u32::MAX);
        let ask = Request { id, prompt_tokens, max_tokens, target_tokens, ..Request::default() };
        engine.submit(ask, 0).unwrap();
    }
    let mut now = 0;
    while let Some(step) = engine.step(now) {
        now = step.ends_at_ns;
    }
    now as f64 / 1e9
}

#[tokio::test]
async fn the_server_takes_as_long_as_the_model() {
    let server = start(|config| {
        config.speed = 5.0;
        config.profile = without_front_end().into();
    })
    .await;
    let begin = Instant::now();
    let calls: Vec<_> = (0..64)
        .map(|number| {
            let url = format!("{}/v1/completions", server.base);
            let prompt = format!("{number} ") + &"word ".repeat(499);
            let body = json!({"prompt": prompt, "max_tokens": 100, "ignore_eos": true});
            let request = server.client.post(url).body(body.to_string());
            tokio::spawn(async move {
                let answer = request.send().await.unwrap().text().await.unwrap();
                let answer: Value = serde_json::from_str(&answer).unwrap();
                u32::try_from(answer["usage"]["prompt_tokens"].as_u64().unwrap()).unwrap()
            })
        })
        .collect();
    let mut prompts = Vec::new();
    for call in calls {
        prompts.push(call.await.unwrap());
    }
    let took = begin.elapsed().as_secs_f64() * 5.0;
    let model = modelled(&prompts, 100);
    println!("64 requests: {took:.2} virtual s over HTTP, {model:.2} s in the model");
    assert_eq!(prompts, [500; 64]);
    // No sooner than the model; how much later is a matter of what else the machine does.
    assert!(took > 0.97 * model && took < 10.0 * model, "{took} s, {model} s");
    server.stop().await;
}

#[tokio::test]
async fn many_requests_at_once_are_all_answered() {
    let server = start(|config| config.speed = 100.0).await;
    let begin = Instant::now();
    let calls: Vec<_> = (0..500)
        .map(|number| {
            let (client, url) =
                (server.client.clone(), format!("{}/v1/chat/completions", server.base));
            let body = ask(&format!("Explain number {number} and why it matters.")).to_string();
            tokio::spawn(async move { client.post(url).body(body).send().await.unwrap().status() })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap(), StatusCode::OK);
    }
    println!("500 requests in {:.2} s", begin.elapsed().as_secs_f64());
    let stopped = server.metric("request_success_total{finished_reason=\"stop\"}").await;
    assert_eq!(stopped, "500.0");
    assert_eq!(server.metric("num_requests_waiting").await, "0.0");
    server.stop().await;
}

/// CPU seconds that this process has used (Linux).
fn cpu_ticks() -> Option<u64> {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").ok()?;
    let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
    Some(fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?)
}

#[tokio::test]
async fn an_idle_server_uses_no_cpu() {
    let server = start(|_| {}).await;
    server.chat(ask("Warm up.")).await;
    // Client, server and test share this thread.
    let before = cpu_ticks();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    if let (Some(before), Some(after)) = (before, cpu_ticks()) {
        assert!(after - before <= 2, "{} ticks while idle", after - before);
    }
    server.stop().await;
}

#[tokio::test]
async fn open_calls_are_told_when_the_server_stops() {
    let mut server = start(|config| config.speed = 1.0).await;
    let mut body = ask("Explain.");
    body["max_tokens"] = json!(20_000);
    body["ignore_eos"] = json!(true);
    let stop = server.stop.take().unwrap();
    let later = async {
        tokio::time::sleep(Duration::from_millis(150)).await;
        let _ = stop.send(());
    };
    let ((status, _), ()) = tokio::join!(server.post("/v1/chat/completions", body), later);
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    drop(server.client);
    tokio::time::timeout(Duration::from_secs(5), server.server).await.unwrap().unwrap().unwrap();
}
