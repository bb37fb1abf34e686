//! When a failed call is tried again, and what an outage costs.

use super::*;

/// Fails with `status` and `headers` until it has been called `failures` times.
fn failing(
    failures: usize,
    status: u16,
    headers: &'static [(&'static str, &'static str)],
) -> (Router, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let count = calls.clone();
    let answer = move || {
        let call = count.fetch_add(1, Ordering::SeqCst);
        async move {
            if call >= failures {
                return OK.into_response();
            }
            let mut answer = (StatusCode::from_u16(status).unwrap(), "not now").into_response();
            for (name, value) in headers {
                answer.headers_mut().insert(*name, value.parse().unwrap());
            }
            answer
        }
    };
    (Router::new().route("/v1/completions", post(answer)), calls)
}

#[tokio::test]
async fn a_server_error_is_tried_again_and_counted() {
    let (router, calls) = failing(2, 500, &[]);
    let (gateway, stats) = gateway(upstream(&serve(router).await)).await;
    let outcome = ask(&client(&gateway), prompts(&["1"])).await;
    assert_eq!(outcome.attempts, 3);
    assert_eq!(texts(outcome), ["fine"]);
    assert_eq!(calls.load(Ordering::SeqCst), 3);
    let total = stats.snapshot().endpoint("e").unwrap().total.clone();
    assert_eq!((total.calls, total.ok, total.attempts, total.retries), (1, 1, 3, 2));
    assert_eq!((total.prompt_tokens, total.completion_tokens), (3, 2));
}

#[tokio::test]
async fn retries_end_and_the_last_answer_is_passed_on() {
    let (router, calls) = failing(100, 500, &[]);
    let (gateway, stats) = gateway(upstream(&serve(router).await)).await;
    let outcome = ask(&client(&gateway), prompts(&["1"])).await;
    assert_eq!((outcome.attempts, calls.load(Ordering::SeqCst)), (5, 5));
    let error = outcome.result.unwrap_err();
    assert_eq!((error.class, error.status), (ErrorClass::Server, Some(500)));
    assert_eq!(error.message, "not now");
    assert_eq!(stats.snapshot().endpoints[0].total.errors.server, 1);
}

#[tokio::test]
async fn a_wrong_request_is_not_tried_again() {
    let (router, calls) = failing(100, 400, &[]);
    let (gateway, _) = gateway(upstream(&serve(router).await)).await;
    let outcome = ask(&client(&gateway), prompts(&["1"])).await;
    assert_eq!(outcome.result.unwrap_err().class, ErrorClass::Rejected);
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn retry_after_is_obeyed() {
    let (router, _) = failing(1, 429, &[("retry-after", "1")]);
    let (gateway, _) = gateway(upstream(&serve(router).await)).await;
    let started = Instant::now();
    let outcome = ask(&client(&gateway), prompts(&["1"])).await;
    assert_eq!(outcome.attempts, 2);
    assert!(outcome.result.is_ok());
    assert!(started.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn a_third_of_429s_is_got_over() {
    let turn = Arc::new(AtomicUsize::new(0));
    let answer = move || {
        let turn = turn.fetch_add(1, Ordering::SeqCst);
        async move {
            if turn * 7 % 10 < 3 {
                StatusCode::TOO_MANY_REQUESTS.into_response()
            } else {
                OK.into_response()
            }
        }
    };
    let url = serve(Router::new().route("/v1/completions", post(answer))).await;
    let (gateway, stats) = gateway(upstream(&url)).await;
    let client = client(&gateway);
    let answers: Vec<_> =
        (0..300).map(|_| submit(&client, call(prompts(&["1"]), Duration::from_secs(30)))).collect();
    for answer in answers {
        assert!(answer.await.unwrap().result.is_ok());
    }
    let total = stats.snapshot().endpoints[0].total.clone();
    assert_eq!((total.ok, total.attempts), (300, 300 + total.retries));
    assert_eq!(total.shed, total.retries);
}

#[tokio::test]
async fn retries_stay_within_their_budget() {
    let (router, calls) = failing(usize::MAX, 500, &[]);
    let concurrency = Concurrency::Fixed(1);
    let upstream = Upstream { concurrency, retry_budget: 0.1, ..upstream(&serve(router).await) };
    let (gateway, stats) = gateway(upstream).await;
    let client = client(&gateway);
    let started = Instant::now();
    for _ in 0..30 {
        let outcome = submit(&client, call(prompts(&["1"]), Duration::from_millis(200)));
        assert!(outcome.await.unwrap().result.is_err());
    }
    let total = stats.snapshot().endpoints[0].total.clone();
    let allowed = 10.0 + 0.1 * 30.0 + 0.5 * started.elapsed().as_secs_f64() + 1.0;
    assert!(total.retries as f64 <= allowed, "{} of {allowed}", total.retries);
    // A try that its deadline cuts off is counted, whether or not it has arrived.
    assert!(total.attempts >= calls.load(Ordering::SeqCst) as u64);
}

#[tokio::test]
async fn a_retry_after_beyond_the_deadline_is_not_waited_for() {
    let (router, calls) = failing(1, 429, &[("retry-after", "60")]);
    let (gateway, _) = gateway(upstream(&serve(router).await)).await;
    let client = client(&gateway);
    let started = Instant::now();
    let outcome = submit(&client, call(prompts(&["1"]), Duration::from_secs(30))).await.unwrap();
    assert_eq!(outcome.result.unwrap_err().class, ErrorClass::Throttled);
    assert_eq!((outcome.attempts, calls.load(Ordering::SeqCst)), (1, 1));
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn without_retries_a_refused_connection_is_reported_at_once() {
    let address = free_port().await;
    let url = format!("http://{address}");
    let retry = RetryPolicy { max: 0, ..RetryPolicy::default() };
    let (gateway, stats) = gateway(Upstream { retry, ..upstream(&url) }).await;
    let outcome = ask(&client(&gateway), prompts(&["1"])).await;
    assert_eq!(outcome.attempts, 0);
    let error = outcome.result.unwrap_err();
    assert_eq!((error.class, error.status), (ErrorClass::Unreachable, Some(503)));
    let text = error.to_string().to_lowercase();
    assert!(text.starts_with(&format!("unreachable: {url}: connection refused")), "{text}");
    assert!(stats.snapshot().endpoints[0].down);
}

#[tokio::test]
async fn an_outage_is_waited_out_and_costs_no_retries() {
    let address = free_port().await;
    let (gateway, stats) = gateway(upstream(&format!("http://{address}"))).await;
    let client = client(&gateway);
    let answers: Vec<_> =
        (0..40).map(|_| submit(&client, call(prompts(&["1"]), Duration::from_secs(20)))).collect();
    tokio::time::sleep(Duration::from_millis(700)).await;
    let listener = listen(&address).await;
    let router = steady(&Watch::default(), Duration::ZERO);
    let back = Instant::now();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    for answer in answers {
        let outcome = answer.await.unwrap();
        assert_eq!(outcome.attempts, 1);
        assert!(outcome.result.is_ok());
    }
    assert!(back.elapsed() < Duration::from_millis(1_500), "{:?}", back.elapsed());
    let endpoint = stats.snapshot().endpoints[0].clone();
    assert_eq!((endpoint.total.ok, endpoint.total.retries, endpoint.down), (40, 0, false));
}

#[tokio::test]
async fn calls_that_a_restart_cuts_off_are_made_again() {
    let (watch, address) = (Watch::default(), free_port().await);
    let start = async |delay| {
        let listener = listen(&address).await;
        let router = steady(&watch, delay);
        // A runtime of its own: its end cuts the connections, as that of a process does.
        let listener = listener.into_std().unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                tokio::select! {
                    served = axum::serve(listener, router) => served.unwrap(),
                    _ = stopped => {}
                }
            });
        });
        (stop, thread)
    };
    let (stop, thread) = start(Duration::from_secs(30)).await;
    let (gateway, stats) = gateway(upstream(&format!("http://{address}"))).await;
    let client = client(&gateway);
    let answers: Vec<_> =
        (0..64).map(|_| submit(&client, call(prompts(&["1"]), Duration::from_secs(20)))).collect();
    until(|| watch.now() == 64).await;
    stop.send(()).unwrap();
    tokio::task::spawn_blocking(move || thread.join().unwrap()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let _running = start(Duration::ZERO).await;
    for answer in answers {
        let outcome = answer.await.unwrap();
        assert_eq!(outcome.attempts, 2);
        assert!(outcome.result.is_ok());
    }
    let total = stats.snapshot().endpoints[0].total.clone();
    assert_eq!((total.ok, total.attempts, total.retries), (64, 128, 64));
}

#[tokio::test]
async fn an_outage_longer_than_the_call_is_unreachable() {
    let url = format!("http://{}", free_port().await);
    let (gateway, _) = gateway(upstream(&url)).await;
    let client = client(&gateway);
    let outcome = submit(&client, call(prompts(&["1"]), Duration::from_millis(500))).await.unwrap();
    let error = outcome.result.unwrap_err();
    assert_eq!((error.class, outcome.attempts), (ErrorClass::Unreachable, 0));
    assert!(error.message.contains(&url), "{}", error.message);
}
