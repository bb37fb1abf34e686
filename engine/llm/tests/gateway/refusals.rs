//! What refusals and outages mean for the calls beside, and what failed calls are told of them.

use serde_json::Value;

use super::*;

/// Answers call number `n` (from 0) as `status(n)` says; anything but 200 with `Retry-After: 1`.
async fn refusing(
    status: impl Fn(usize) -> u16 + Clone + Send + Sync + 'static,
) -> (String, Watch) {
    let watch = Watch::default();
    let seen = watch.clone();
    let answer = move || {
        let status = status(seen.seen());
        drop(seen.visit());
        async move {
            match status {
                200 => OK.into_response(),
                _ => (StatusCode::from_u16(status).unwrap(), [("retry-after", "1")], "no")
                    .into_response(),
            }
        }
    };
    (serve(Router::new().route("/v1/completions", post(answer))).await, watch)
}

#[tokio::test]
async fn a_stray_refusal_binds_only_its_call() {
    let (url, watch) = refusing(|n| if n == 0 { 429 } else { 200 }).await;
    let (gateway, stats) = gateway(upstream(&url)).await;
    let client = client(&gateway);
    let started = Instant::now();
    let refused = submit(&client, call(prompts(&["1"]), Duration::from_secs(30)));
    until(|| stats.snapshot().endpoints[0].total.shed == 1).await;
    assert!(!stats.snapshot().endpoints[0].replicas[0].held);
    // They have less time than the refused call was asked to wait.
    for _ in 0..20 {
        let answer = submit(&client, call(prompts(&["1"]), Duration::from_millis(900)));
        assert!(answer.await.unwrap().result.is_ok());
    }
    let refused = refused.await.unwrap();
    assert!(refused.result.is_ok() && started.elapsed() >= Duration::from_secs(1));
    assert_eq!((refused.attempts, watch.seen()), (2, 22));
}

#[tokio::test]
async fn stray_refusals_do_not_stop_the_rest() {
    // Every twentieth, but never three in a row.
    let (url, _) = refusing(|n| if n % 20 == 7 { 429 } else { 200 }).await;
    let (gateway, stats) = gateway(upstream(&url)).await;
    let client = client(&gateway);
    // Fifteen quiets of a second one after the other would take longer than a call has.
    let answers: Vec<_> =
        (0..300).map(|_| submit(&client, call(prompts(&["1"]), Duration::from_secs(10)))).collect();
    for answer in answers {
        assert!(answer.await.unwrap().result.is_ok());
    }
    let endpoint = stats.snapshot().endpoints[0].clone();
    assert_eq!((endpoint.total.ok, endpoint.total.shed), (300, endpoint.total.retries));
    assert!(endpoint.total.shed >= 15);
}

#[tokio::test]
async fn refusals_in_a_row_hold_the_whole_server_back() {
    let (url, watch) = refusing(|n| if n < 3 { 429 } else { 200 }).await;
    let (gateway, stats) = gateway(upstream(&url)).await;
    let client = client(&gateway);
    let started = Instant::now();
    let submit_for = |time| submit(&client, call(prompts(&["1"]), time));
    let mut answers: Vec<_> = (0..3).map(|_| submit_for(Duration::from_secs(30))).collect();
    until(|| stats.snapshot().endpoints[0].total.shed == 3).await;
    assert!(stats.snapshot().endpoints[0].replicas[0].held);
    let hurried = submit_for(Duration::from_millis(200)).await.unwrap();
    let error = hurried.result.unwrap_err();
    assert_eq!((error.class, hurried.attempts), (ErrorClass::Throttled, 0), "{error}");
    let cause = "the last answer was: throttled: answered 429 Too Many Requests";
    assert!(error.message.contains(cause), "{error}");
    assert_eq!(watch.seen(), 3);
    answers.push(submit_for(Duration::from_secs(30)));
    for answer in answers {
        assert!(answer.await.unwrap().result.is_ok());
    }
    assert!(started.elapsed() >= Duration::from_secs(1));
    assert_eq!(watch.seen(), 7);
    assert!(!stats.snapshot().endpoints[0].replicas[0].held);
}

#[tokio::test]
async fn a_refused_call_goes_to_another_server_meanwhile() {
    let (first, _) = refusing(|_| 429).await;
    let (second, _) = refusing(|_| 200).await;
    let upstream = Upstream { replicas: vec![second], ..upstream(&first) };
    let (gateway, stats) = gateway(upstream).await;
    let client = client(&gateway);
    for _ in 0..20 {
        // Less than the refused have to wait.
        let answer = submit(&client, call(prompts(&["1"]), Duration::from_millis(900)));
        assert!(answer.await.unwrap().result.is_ok());
    }
    let endpoint = stats.snapshot().endpoints[0].clone();
    assert_eq!((endpoint.total.ok, endpoint.replicas[1].attempts), (20, 20));
    assert_eq!(endpoint.replicas[0].attempts, endpoint.total.shed);
}

#[tokio::test]
async fn an_overload_lowers_the_limit_of_the_line_too() {
    let (url, _) = refusing(|_| 429).await;
    let concurrency = Concurrency::Auto { max: 64, latency_target: None };
    let retry = RetryPolicy { max: 0, ..RetryPolicy::default() };
    let (gateway, stats) = gateway(Upstream { concurrency, retry, ..upstream(&url) }).await;
    assert_eq!(stats.snapshot().endpoints[0].limit, 32);
    let outcome = ask(&client(&gateway), prompts(&["1"])).await;
    assert_eq!((outcome.attempts, outcome.result.unwrap_err().class), (1, ErrorClass::Throttled));
    let endpoint = stats.snapshot().endpoints[0].clone();
    assert_eq!((endpoint.replicas[0].limit, endpoint.limit), (16, 16));
}

#[tokio::test]
async fn without_a_budget_nothing_is_retried_but_what_was_refused() {
    let (url, watch) = refusing(|n| if n == 0 { 429 } else { 500 }).await;
    let (gateway, stats) = gateway(Upstream { retry_budget: 0.0, ..upstream(&url) }).await;
    let client = client(&gateway);
    assert!(ask(&client, prompts(&["1"])).await.result.is_err());
    assert_eq!(watch.seen(), 2);
    for _ in 0..5 {
        let outcome = ask(&client, prompts(&["1"])).await;
        assert_eq!((outcome.attempts, outcome.result.unwrap_err().class), (1, ErrorClass::Server));
    }
    let total = stats.snapshot().endpoints[0].total.clone();
    assert_eq!((total.attempts, total.retries, total.shed), (7, 1, 1));
}

#[tokio::test]
async fn a_call_that_found_the_server_failing_is_told_why() {
    let (url, _) = refusing(|_| 500).await;
    let retry = RetryPolicy { max: 0, ..RetryPolicy::default() };
    let (gateway, stats) = gateway(Upstream { retry, ..upstream(&url) }).await;
    let client = client(&gateway);
    for _ in 0..10 {
        assert!(ask(&client, prompts(&["1"])).await.result.is_err());
    }
    assert!(stats.snapshot().endpoints[0].down);
    // One of them may be the one that tries it.
    for _ in 0..4 {
        let request = plain(&gateway, "/v1/completions", BODY).header("x-sage-deadline-ms", "50");
        let answer = request.send().await.unwrap();
        if answer.headers()["x-sage-attempts"] != "0" {
            continue;
        }
        assert_eq!(answer.headers()["x-sage-error-class"], "server");
        let told: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        let message = told["error"]["message"].as_str().unwrap();
        let cause = "; the last answer was: server: answered 500 Internal Server Error";
        assert!(message.contains(cause), "{message}");
        return;
    }
    panic!("every call was let through");
}

#[tokio::test]
async fn a_call_that_found_nobody_is_told_why() {
    let url = format!("http://{}", free_port().await);
    let (gateway, stats) = gateway(upstream(&url)).await;
    let ask = async || {
        let request = plain(&gateway, "/v1/completions", BODY).header("x-sage-deadline-ms", "100");
        let answer = request.send().await.unwrap();
        assert_eq!(answer.headers()["x-sage-error-class"], "unreachable");
        answer.text().await.unwrap().to_lowercase()
    };
    ask().await;
    assert!(stats.snapshot().endpoints[0].down);
    // This one makes no try of its own.
    assert!(ask().await.contains("was: unreachable: "));
    let endpoint = stats.snapshot().endpoints[0].clone();
    assert_eq!((endpoint.total.attempts, endpoint.replicas[0].attempts), (0, 0));
}
