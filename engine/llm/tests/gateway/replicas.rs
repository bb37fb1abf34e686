//! Several servers of one endpoint, some of them ill.

use sage_core::endpoint::Call;

use super::*;

fn with_replicas(first: &str, others: &[String]) -> Upstream {
    Upstream { replicas: others.to_vec(), ..upstream(first) }
}

fn sick(status: Arc<AtomicUsize>) -> (Router, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let count = calls.clone();
    let answer = move || {
        count.fetch_add(1, Ordering::SeqCst);
        let status = StatusCode::from_u16(status.load(Ordering::SeqCst) as u16).unwrap();
        async move { (status, OK) }
    };
    (Router::new().route("/v1/completions", post(answer)), calls)
}

#[tokio::test]
async fn calls_go_where_there_is_least_to_do() {
    let (a, b) = (Watch::default(), Watch::default());
    let (first, second) = (
        serve(steady(&a, Duration::from_secs(30))).await,
        serve(steady(&b, Duration::from_secs(30))).await,
    );
    let concurrency = Concurrency::Fixed(8);
    let upstream = Upstream { concurrency, ..with_replicas(&first, &[second]) };
    let (gateway, stats) = gateway(upstream).await;
    let client = client(&gateway);
    let _answers: Vec<_> =
        (0..12).map(|_| submit(&client, call(prompts(&["1"]), Duration::from_secs(30)))).collect();
    until(|| a.now() + b.now() == 8).await;
    assert_eq!((a.now(), b.now()), (4, 4));
    let endpoint = stats.snapshot().endpoints[0].clone();
    let limits: Vec<_> = endpoint.replicas.iter().map(|r| (r.limit, r.in_flight)).collect();
    assert_eq!((endpoint.limit, limits), (8, vec![(4, 4), (4, 4)]));
    assert!(endpoint.replicas[0].outstanding_tokens > 0.0);
}

#[tokio::test]
async fn a_server_that_is_not_there_costs_nothing() {
    let watch = Watch::default();
    let dead = format!("http://{}", free_port().await);
    let alive = serve(steady(&watch, Duration::ZERO)).await;
    let (gateway, stats) = gateway(with_replicas(&dead, &[alive])).await;
    let client = client(&gateway);
    for _ in 0..20 {
        let outcome = ask(&client, prompts(&["1"])).await;
        assert_eq!(outcome.attempts, 1);
        assert!(outcome.result.is_ok());
    }
    let endpoint = stats.snapshot().endpoints[0].clone();
    assert_eq!((endpoint.total.ok, endpoint.total.retries, watch.seen()), (20, 0, 20));
    assert!(!endpoint.down);
}

#[tokio::test]
async fn a_failed_call_is_repeated_at_another_server() {
    let (router, calls) = sick(Arc::new(AtomicUsize::new(500)));
    let watch = Watch::default();
    let (bad, good) = (serve(router).await, serve(steady(&watch, Duration::ZERO)).await);
    let (gateway, stats) = gateway(with_replicas(&bad, &[good])).await;
    let client = client(&gateway);
    for _ in 0..40 {
        let outcome = ask(&client, prompts(&["1"])).await;
        assert!(outcome.attempts <= 2 && outcome.result.is_ok());
    }
    let failed = calls.load(Ordering::SeqCst);
    let endpoint = stats.snapshot().endpoints[0].clone();
    assert!(failed > 0);
    assert_eq!((endpoint.total.ok, endpoint.total.retries, watch.seen()), (40, failed as u64, 40));
    assert_eq!(endpoint.replicas[0].failures, failed as u64);
}

#[tokio::test]
async fn a_server_that_fails_every_call_is_left_alone_until_it_works() {
    let status = Arc::new(AtomicUsize::new(500));
    let (router, calls) = sick(status.clone());
    let url = serve(router).await;
    let retry = RetryPolicy { max: 0, ..RetryPolicy::default() };
    let (gateway, stats) = gateway(Upstream { retry, ..upstream(&url) }).await;
    let client = client(&gateway);
    for _ in 0..10 {
        assert!(ask(&client, prompts(&["1"])).await.result.is_err());
    }
    assert!(stats.snapshot().endpoints[0].down);
    assert_eq!(calls.load(Ordering::SeqCst), 10);
    status.store(200, Ordering::SeqCst);
    let answers: Vec<_> =
        (0..8).map(|_| submit(&client, call(prompts(&["1"]), Duration::from_secs(30)))).collect();
    for answer in answers {
        assert!(answer.await.unwrap().result.is_ok());
    }
    assert!(!stats.snapshot().endpoints[0].down);
    assert_eq!(calls.load(Ordering::SeqCst), 18);
}

#[tokio::test]
async fn gateways_behind_each_other_do_not_multiply_tries() {
    let (router, calls) = sick(Arc::new(AtomicUsize::new(500)));
    let (inner, _) = gateway(upstream(&serve(router).await)).await;
    let outer = Upstream { api_key: Some(TOKEN.into()), ..upstream(&inner) };
    let (outer, stats) = gateway(outer).await;
    let outcome = ask(&client(&outer), prompts(&["1"])).await;
    assert_eq!(outcome.result.unwrap_err().class, ErrorClass::Server);
    assert_eq!(calls.load(Ordering::SeqCst), 5);
    assert_eq!(stats.snapshot().endpoints[0].total.attempts, 1);
}

#[tokio::test]
async fn prompts_that_begin_alike_go_to_the_same_server() {
    let watches = [Watch::default(), Watch::default(), Watch::default()];
    let mut urls = Vec::new();
    for watch in &watches {
        urls.push(serve(steady(watch, Duration::ZERO)).await);
    }
    let upstream = Upstream { affinity: true, ..with_replicas(&urls[0], &urls[1..]) };
    let (gateway, _) = gateway(upstream).await;
    let client = client(&gateway);
    let beginning = "the same instructions ".repeat(60);
    for n in 0..12 {
        let prompt = format!("{beginning}{n}");
        assert!(ask(&client, prompts(&[&prompt])).await.result.is_ok());
    }
    let seen: Vec<usize> = watches.iter().map(Watch::seen).filter(|&seen| seen > 0).collect();
    assert_eq!(seen, [12]);
}

#[tokio::test]
async fn a_gateway_further_on_is_told_whose_call_it_is() {
    let told = Arc::new(std::sync::Mutex::new(Vec::new()));
    let heard = told.clone();
    let answer = move |headers: HeaderMap| {
        let word = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        let deadline = word("x-sage-deadline-ms").map(|ms| ms.parse::<u64>().unwrap());
        let words = ["x-sage-job", "x-sage-stage", "x-sage-record", "x-sage-worker"].map(word);
        heard.lock().unwrap().push((words, deadline));
        async { ([("x-sage-gateway", "1")], OK) }
    };
    let url = serve(Router::new().route("/v1/completions", post(answer))).await;
    let (gateway, _) = gateway(upstream(&url)).await;
    let client = client(&gateway);
    for _ in 0..2 {
        let call = Call { records: vec![255], ..call(prompts(&["1"]), Duration::from_secs(10)) };
        assert!(submit(&client, call).await.unwrap().result.is_ok());
    }
    let told = told.lock().unwrap().clone();
    // Its first answer says what it is.
    assert_eq!(told[0], (<[Option<String>; 4]>::default(), None));
    let (words, deadline) = &told[1];
    let expected = [Some("job"), Some("0"), Some("ff"), None];
    assert_eq!(words.each_ref().map(Option::as_deref), expected);
    assert!(deadline.is_some_and(|ms| ms < 9_950), "{deadline:?}");
}
