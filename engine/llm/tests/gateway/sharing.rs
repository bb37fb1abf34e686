//! Who gets how much: shares among jobs and clients, and limits that are found out.

use sage_core::fair::Share;
use sage_llm::gateway::{ClientKey, JobShares};

use super::*;

/// Keeps `outstanding` calls of `job` in the line until it is dropped.
fn flood(
    gateway: &str,
    job: &str,
    token: &str,
    outstanding: usize,
) -> Vec<tokio::task::JoinHandle<()>> {
    let client = Arc::new(client_of(gateway, job, token));
    let one = |_| {
        let client = client.clone();
        tokio::spawn(async move {
            loop {
                drop(ask(&client, prompts(&["1"])).await);
            }
        })
    };
    (0..outstanding).map(one).collect()
}

#[tokio::test]
async fn a_flood_takes_nothing_from_the_others() {
    let url = serve(steady(&Watch::default(), Duration::from_millis(4))).await;
    let concurrency = Concurrency::Fixed(4);
    let (gateway, stats) = gateway(Upstream { concurrency, ..upstream(&url) }).await;
    let mut tasks = flood(&gateway, "flood", TOKEN, 200);
    until(|| stats.snapshot().endpoints[0].total.queued > 150).await;
    let before = stats.snapshot().endpoints[0].jobs["flood"].ok;
    for job in ["a", "b"] {
        tasks.extend(flood(&gateway, job, TOKEN, 12));
    }
    let mut jobs = std::collections::BTreeMap::new();
    until(|| {
        jobs = stats.snapshot().endpoints[0].jobs.clone();
        let others = ["a", "b"].map(|job| jobs.get(job).map_or(0, |counters| counters.ok));
        others.iter().sum::<u64>() >= 200
    })
    .await;
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
    let (flood, a, b) = (jobs["flood"].ok - before, jobs["a"].ok, jobs["b"].ok);
    let fair = (flood + a + b) as f64 / 3.0;
    assert!(a as f64 >= 0.85 * fair && b as f64 >= 0.85 * fair, "{a} and {b} beside {flood}");
}

#[tokio::test]
async fn clients_with_keys_share_by_weight() {
    let url = serve(steady(&Watch::default(), Duration::from_millis(4))).await;
    let concurrency = Concurrency::Fixed(4);
    let share = Share { weight: 3.0, ..Share::default() };
    let heavy = ClientKey { share, ..ClientKey::new("heavy", "key-h") };
    let (gateway, stats) = gateway_of(GatewayConfig {
        upstreams: vec![Upstream { concurrency, ..upstream(&url) }],
        clients: vec![heavy, ClientKey::new("light", "key-l")],
        ..GatewayConfig::default()
    })
    .await;
    let mut tasks = flood(&gateway, "h", "key-h", 30);
    // Many jobs of one client are still one client.
    for job in ["l1", "l2", "l3"] {
        tasks.extend(flood(&gateway, job, "key-l", 10));
    }
    let mut jobs = std::collections::BTreeMap::new();
    until(|| {
        jobs = stats.snapshot().endpoints[0].jobs.clone();
        jobs.values().map(|counters| counters.ok).sum::<u64>() >= 400
    })
    .await;
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
    let light: u64 = ["light/l1", "light/l2", "light/l3"].map(|job| jobs[job].ok).iter().sum();
    let ratio = jobs["heavy/h"].ok as f64 / light as f64;
    assert!((2.2..4.0).contains(&ratio), "{ratio}: {} against {light}", jobs["heavy/h"].ok);
}

/// Calls of `heavy` for each of `light` while both have far more to ask than there is room for, and
/// `heavy` asks for four times as much.
async fn heavy_per_light(jobs: JobShares) -> f64 {
    let url = serve(steady(&Watch::default(), Duration::from_millis(4))).await;
    let concurrency = Concurrency::Fixed(4);
    let (gateway, stats) = gateway_of(GatewayConfig {
        upstreams: vec![Upstream { concurrency, ..upstream(&url) }],
        token: Some(TOKEN.into()),
        jobs,
        ..GatewayConfig::default()
    })
    .await;
    let mut tasks = flood(&gateway, "light", TOKEN, 20);
    tasks.extend(flood(&gateway, "heavy", TOKEN, 80));
    let mut counts = std::collections::BTreeMap::new();
    until(|| {
        counts = stats.snapshot().endpoints[0].jobs.clone();
        counts.values().map(|counters| counters.ok).sum::<u64>() >= 600
    })
    .await;
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
    counts["heavy"].ok as f64 / counts["light"].ok as f64
}

#[tokio::test]
async fn jobs_share_by_weight_or_stand_in_one_line() {
    let equal = heavy_per_light(JobShares::default()).await;
    assert!((0.8..1.3).contains(&equal), "{equal}");
    let share = Share { weight: 3.0, ..Share::default() };
    let shares = std::iter::once(("light".to_owned(), share)).collect();
    let weighted = heavy_per_light(JobShares { shares, one_line: false }).await;
    assert!((0.25..0.45).contains(&weighted), "{weighted}");
    let one_line = JobShares { one_line: true, ..JobShares::default() };
    let ratio = heavy_per_light(one_line).await;
    assert!((3.0..5.0).contains(&ratio), "who asks for more gets more: {ratio}");
}

#[tokio::test]
async fn the_limit_holds_over_sixteen_clients() {
    let watch = Watch::default();
    let url = serve(steady(&watch, Duration::from_millis(5))).await;
    let concurrency = Concurrency::Fixed(6);
    let (gateway, stats) = gateway(Upstream { concurrency, ..upstream(&url) }).await;
    let clients: Vec<_> = (0..16).map(|n| client_of(&gateway, &format!("j{n}"), TOKEN)).collect();
    let answers: Vec<_> = (0..320)
        .map(|n| submit(&clients[n % 16], call(prompts(&["1"]), Duration::from_secs(30))))
        .collect();
    for answer in answers {
        assert!(answer.await.unwrap().result.is_ok());
    }
    assert_eq!(watch.most.load(Ordering::SeqCst), 6);
    let endpoint = stats.snapshot().endpoints[0].clone();
    assert!(endpoint.jobs.values().all(|counters| counters.ok == 20));
}

#[tokio::test]
async fn a_limit_is_found_out_from_the_server_s_queue() {
    let (watch, waiting) = (Watch::default(), Arc::new(AtomicUsize::new(0)));
    let (seen, told) = (watch.clone(), waiting.clone());
    let metrics = get(move || {
        let (running, waiting) = (seen.now(), told.load(Ordering::SeqCst));
        async move {
            format!("vllm:num_requests_running {running}\nvllm:num_requests_waiting {waiting}\n")
        }
    });
    let router = steady(&watch, Duration::from_millis(20)).route("/metrics", metrics);
    let url = serve(router).await;
    let concurrency = Concurrency::Auto { max: 64, latency_target: None };
    let (gateway, stats) = gateway(Upstream { concurrency, ..upstream(&url) }).await;
    let tasks = flood(&gateway, "job", TOKEN, 100);
    let limit = || stats.snapshot().endpoints[0].limit;
    let first = limit();
    until(|| limit() > first).await;
    waiting.store(400, Ordering::SeqCst);
    let mut most = limit();
    until(|| {
        most = most.max(limit());
        limit() < most && stats.snapshot().endpoints[0].limit_reason == "server_queue"
    })
    .await;
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
    assert!(most <= 64);
}
