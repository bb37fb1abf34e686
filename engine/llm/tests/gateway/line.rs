//! Limits: places, the line before them, and rates.

use super::*;

#[tokio::test]
async fn the_limit_holds_over_all_clients_and_the_accounts_add_up() {
    let watch = Watch::default();
    let url = serve(steady(&watch, Duration::from_millis(10))).await;
    let (gateway, stats) =
        gateway(Upstream { concurrency: Concurrency::Fixed(8), ..upstream(&url) }).await;
    let clients: Vec<_> =
        (0..4).map(|n| client_of(&gateway, &format!("job{}", n % 2), TOKEN)).collect();
    let answers: Vec<_> = (0..300)
        .map(|n| submit(&clients[n % 4], call(prompts(&["1"]), Duration::from_secs(30))))
        .collect();
    let mut moments = 0;
    until(|| {
        let endpoint = stats.snapshot().endpoints[0].clone();
        assert!(add_up(&endpoint.total));
        assert!(endpoint.jobs.values().all(add_up));
        assert!(endpoint.total.in_flight <= 8);
        moments += 1;
        endpoint.total.ok == 300
    })
    .await;
    assert!(moments > 10);
    for answer in answers {
        assert!(answer.await.unwrap().result.is_ok());
    }
    assert_eq!(watch.most.load(Ordering::SeqCst), 8);
    let endpoint = stats.snapshot().endpoints[0].clone();
    assert_eq!((endpoint.limit, endpoint.total.max_in_flight), (8, 8));
    assert_eq!((endpoint.jobs["job0"].ok, endpoint.jobs["job1"].ok), (150, 150));
    let json = serde_json::to_string(&stats.snapshot()).unwrap();
    assert!(json.contains(r#""max_in_flight":8"#), "{json}");
}

#[tokio::test]
async fn a_raised_limit_works_at_once() {
    let watch = Watch::default();
    let url = serve(steady(&watch, Duration::from_secs(30))).await;
    let (gateway, stats) =
        gateway(Upstream { concurrency: Concurrency::Fixed(1), ..upstream(&url) }).await;
    let client = client(&gateway);
    let _answers: Vec<_> =
        (0..5).map(|_| submit(&client, call(prompts(&["1"]), Duration::from_secs(30)))).collect();
    until(|| stats.snapshot().endpoints[0].total.queued == 4).await;
    assert!(stats.set_limit("e", 3));
    until(|| watch.now() == 3).await;
    assert!(!stats.set_limit("other", 3));
}

#[tokio::test]
async fn a_full_line_refuses_in_the_api_s_words() {
    let watch = Watch::default();
    let url = serve(steady(&watch, Duration::from_secs(30))).await;
    let (gateway, stats) =
        gateway(Upstream { concurrency: Concurrency::Fixed(1), queue: 1, ..upstream(&url) }).await;
    let client = client(&gateway);
    let _held = submit(&client, call(prompts(&["1"]), Duration::from_secs(30)));
    let _waiting = submit(&client, call(prompts(&["1"]), Duration::from_secs(30)));
    until(|| stats.snapshot().endpoints[0].total.queued == 1).await;
    // Of the same job: one that has nothing in the line yet would still be let in.
    let refused = plain(&gateway, "/e/e/v1/completions", BODY).header("x-sage-job", "job");
    let refused = refused.send().await.unwrap();
    assert_eq!(refused.status(), 429);
    assert_eq!(refused.headers()["retry-after"], "1");
    assert_eq!(refused.headers()["x-sage-error-class"], "throttled");
    let text = refused.text().await.unwrap();
    assert!(text.starts_with(r#"{"error":{"message":"the line of endpoint `e` is full"#), "{text}");
    assert_eq!(stats.snapshot().endpoints[0].total.errors.throttled, 1);
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_the_line() {
    let watch = Watch::default();
    let url = serve(steady(&watch, Duration::from_millis(300))).await;
    let (gateway, stats) =
        gateway(Upstream { concurrency: Concurrency::Fixed(1), ..upstream(&url) }).await;
    let stays = client(&gateway);
    let held = submit(&stays, call(prompts(&["1"]), Duration::from_secs(30)));
    until(|| watch.now() == 1).await;
    let leaves = client(&gateway);
    let _lost = submit(&leaves, call(prompts(&["1"]), Duration::from_secs(30)));
    until(|| stats.snapshot().endpoints[0].total.queued == 1).await;
    tokio::task::spawn_blocking(move || drop(leaves)).await.unwrap();
    until(|| stats.snapshot().endpoints[0].total.queued == 0).await;
    assert!(held.await.unwrap().result.is_ok());
    assert!(ask(&stays, prompts(&["1"])).await.result.is_ok());
    assert_eq!(watch.seen(), 2, "the call that left must not reach the upstream");
    let total = stats.snapshot().endpoints[0].total.clone();
    assert_eq!((total.calls, total.ok, total.errors.cancelled), (3, 2, 1));
}

#[tokio::test]
async fn a_deadline_ends_in_the_line_too() {
    let url = serve(steady(&Watch::default(), Duration::from_secs(30))).await;
    let (gateway, stats) =
        gateway(Upstream { concurrency: Concurrency::Fixed(1), ..upstream(&url) }).await;
    let client = client(&gateway);
    let _held = submit(&client, call(prompts(&["1"]), Duration::from_secs(30)));
    until(|| stats.snapshot().endpoints[0].total.in_flight == 1).await;
    let late = plain(&gateway, "/e/e/v1/completions", BODY).header("x-sage-deadline-ms", "150");
    let late = late.send().await.unwrap();
    assert_eq!(late.status(), 504);
    assert_eq!(late.headers()["x-sage-attempts"], "0");
    assert!(late.text().await.unwrap().contains("no free place"));
}

#[tokio::test]
async fn requests_are_paced() {
    let url = serve(steady(&Watch::default(), Duration::ZERO)).await;
    let (gateway, _) = gateway(Upstream { requests_per_s: Some(50.0), ..upstream(&url) }).await;
    let client = client(&gateway);
    let started = Instant::now();
    let answers: Vec<_> =
        (0..80).map(|_| submit(&client, call(prompts(&["1"]), Duration::from_secs(30)))).collect();
    for answer in answers {
        assert!(answer.await.unwrap().result.is_ok());
    }
    // 50 at once, the other 30 in 0.6 s.
    assert!(started.elapsed() >= Duration::from_millis(580), "{:?}", started.elapsed());
}

#[tokio::test]
async fn tokens_are_paced_by_what_is_used() {
    let url = serve(steady(&Watch::default(), Duration::ZERO)).await;
    // Each call is estimated at about 20 tokens and uses 5, so the first bucket lasts longer.
    let (gateway, _) = gateway(Upstream { tokens_per_s: Some(100.0), ..upstream(&url) }).await;
    let client = client(&gateway);
    let started = Instant::now();
    for _ in 0..17 {
        assert!(ask(&client, prompts(&["1"])).await.result.is_ok());
    }
    // The first second's worth is enough for what they use; the estimates would take 2.4 s.
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}
