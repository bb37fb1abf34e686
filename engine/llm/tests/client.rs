//! The client as a worker sees it: answers, failures, and the promise of exactly one outcome.

#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use common::*;
use sage_core::endpoint::{Answer, CallOutcome, Completion, Endpoint, ErrorClass, Request};
use sage_llm::client::{Client, ClientConfig, ClientError, EndpointTarget};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

fn fixed(status: u16, body: &'static str) -> Router {
    let answer = move || async move { (StatusCode::from_u16(status).unwrap(), body) };
    Router::new().route("/v1/completions", post(answer)).route("/v1/embeddings", post(answer))
}

async fn outcome_of(status: u16, body: &'static str, request: Request) -> CallOutcome {
    let (gateway, _) = gateway(upstream(&serve(fixed(status, body)).await)).await;
    ask(&client(&gateway), request).await
}

#[tokio::test]
async fn items_come_back_in_the_order_they_were_asked() {
    let body = r#"{"choices":[{"index":2,"text":"c"},{"index":0,"text":"a"},
        {"index":1,"text":"b"}],"usage":{"prompt_tokens":9,"completion_tokens":6}}"#;
    let outcome = outcome_of(200, body, prompts(&["1", "2", "3"])).await;
    assert_eq!(outcome.attempts, 1);
    assert_eq!(texts(outcome), ["a", "b", "c"]);
}

#[tokio::test]
async fn vectors_come_back_in_the_order_they_were_asked() {
    let body = r#"{"data":[{"index":1,"embedding":[3.0,4.0]},{"index":0,"embedding":[1.0,2.0]}],
        "usage":{"prompt_tokens":4,"total_tokens":4}}"#;
    let request = Request::Embed { texts: vec!["a".into(), "b".into()] };
    let outcome = outcome_of(200, body, request).await;
    let vectors = vec![vec![1.0, 2.0], vec![3.0, 4.0]];
    assert_eq!(outcome.result, Ok(Answer::Embedded { vectors, tokens: 4 }));
}

#[tokio::test]
async fn what_cannot_be_understood_is_a_protocol_error() {
    // The gateway knows what is no answer at all, the client what lacks something it wants.
    for (body, status) in [
        ("<html>hello</html>", 502),
        (r#"{"choices":[]}"#, 502),
        (r#"{"choices":[{"index":0}]}"#, 200),
        ("", 502),
    ] {
        let error = outcome_of(200, body, prompts(&["1"])).await.result.unwrap_err();
        assert_eq!((error.class, error.status), (ErrorClass::Protocol, Some(status)), "{body}");
    }
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_asked_for_again_and_whole() {
    const BEGUN: &str = "data: {\"choices\":[{\"index\":0,\"text\":\"fi\"}]}\n\n";
    // Cut off, an error in its middle, nothing at all, and no stream in the first place.
    let broken = [
        ("text/event-stream", BEGUN),
        ("text/event-stream", "data: {\"error\":{\"message\":\"engine died\"}}\n\n"),
        ("text/event-stream", ""),
        ("text/html", "<html>busy</html>"),
    ];
    for (kind, text) in broken {
        let streams = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&streams);
        let answer = move |body: String| async move {
            if body.contains("\"stream\":true") && seen.fetch_add(1, Ordering::SeqCst) == 0 {
                return ([("content-type", kind)], text);
            }
            ([("content-type", "application/json")], OK)
        };
        let server = Router::new().route("/v1/completions", post(answer));
        let (gateway, _) = gateway(upstream(&serve(server).await)).await;
        let mut request = prompts(&["1"]);
        if let Request::Generate { options, .. } = &mut request {
            options.stream = true;
        }
        let outcome = ask(&client(&gateway), request).await;
        assert_eq!(outcome.attempts, 2, "{kind} {text}");
        assert_eq!(texts(outcome), ["fine"]);
        let asked = if kind == "text/html" { 2 } else { 1 };
        assert_eq!(streams.load(Ordering::SeqCst), asked, "{kind} {text}");
    }
}

#[tokio::test]
async fn the_server_s_own_words_reach_the_caller() {
    let body = r#"{"error":{"message":"maximum context length is 8 tokens","code":400}}"#;
    let outcome = outcome_of(400, body, prompts(&["1"])).await;
    let error = outcome.result.unwrap_err();
    assert_eq!((error.class, error.status), (ErrorClass::Rejected, Some(400)));
    assert_eq!(error.message, "maximum context length is 8 tokens");
    assert_eq!(outcome.attempts, 1);
}

#[tokio::test]
async fn a_slow_upstream_is_a_timeout_and_takes_no_longer() {
    let watch = Watch::default();
    let url = serve(steady(&watch, Duration::from_secs(30))).await;
    let (gateway, stats) = gateway(upstream(&url)).await;
    let client = client(&gateway);
    let started = Instant::now();
    let answer = submit(&client, call(prompts(&["1"]), Duration::from_millis(400)));
    let error = answer.await.unwrap().result.unwrap_err();
    assert!(started.elapsed() < Duration::from_millis(1_500));
    assert_eq!((error.class, error.status), (ErrorClass::Timeout, Some(504)));
    assert!(error.message.contains(&url), "{}", error.message);
    // The upstream's socket is closed, too: nobody pays for an answer that nobody reads.
    until(|| watch.now() == 0).await;
    assert_eq!(stats.snapshot().endpoints[0].total.errors.timeout, 1);
}

#[tokio::test]
async fn a_silent_gateway_is_a_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = client(&format!("http://{}", listener.local_addr().unwrap()));
    let answer = submit(&client, call(prompts(&["1"]), Duration::from_millis(200)));
    assert_eq!(answer.await.unwrap().result.unwrap_err().class, ErrorClass::Timeout);
}

#[tokio::test]
async fn a_missing_gateway_is_unreachable() {
    let address = format!("http://{}", free_port().await);
    let outcome = ask(&client(&address), prompts(&["1"])).await;
    assert_eq!(outcome.attempts, 0);
    let error = outcome.result.unwrap_err();
    assert_eq!(error.class, ErrorClass::Unreachable);
    assert!(error.message.contains(&address), "{}", error.message);
}

#[tokio::test]
async fn a_call_whose_link_to_the_gateway_breaks_is_answered_over_the_next_one() {
    let watch = Watch::default();
    let url = serve(steady(&watch, Duration::from_millis(300))).await;
    let (gateway, _) = gateway(upstream(&url)).await;
    let gateway = gateway.strip_prefix("http://").unwrap().to_owned();
    // The first connection is cut when its question is at the server, the second refused, the others
    // are carried.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let link = format!("http://{}", listener.local_addr().unwrap());
    let (cut, at_server) = tokio::sync::oneshot::channel::<()>();
    tokio::spawn(async move {
        let mut at_server = Some(at_server);
        for number in 0.. {
            let (mut near, _) = listener.accept().await.unwrap();
            if number == 1 {
                continue;
            }
            let gateway = gateway.clone();
            let at_server = at_server.take();
            tokio::spawn(async move {
                let mut far = TcpStream::connect(gateway).await.unwrap();
                let carried = tokio::io::copy_bidirectional(&mut near, &mut far);
                match at_server {
                    Some(at_server) => tokio::select! { _ = carried => {}, _ = at_server => {} },
                    None => drop(carried.await),
                }
            });
        }
    });
    let endpoint = EndpointTarget { name: "e".into(), model: "m".into() };
    let config = ClientConfig {
        gateway: link,
        tls: None,
        token: TOKEN.into(),
        job: "job".into(),
        worker: 0,
        endpoints: vec![endpoint],
        max_in_flight: 4,
    };
    let client = Client::patient(config, Duration::from_secs(20)).unwrap();
    let answer = submit(&client, call(prompts(&["1"]), Duration::from_secs(30)));
    until(|| watch.now() == 1).await;
    cut.send(()).unwrap();
    answer.await.unwrap().result.unwrap();
}

#[tokio::test]
async fn a_patient_client_says_late_that_its_gateway_is_gone_and_at_once_what_the_gateway_says() {
    let patience = Duration::from_millis(700);
    let patient = |gateway: &str, patience| {
        let endpoint = EndpointTarget { name: "e".into(), model: "m".into() };
        let config = ClientConfig {
            gateway: gateway.into(),
            tls: None,
            token: String::new(),
            job: "job".into(),
            worker: 0,
            endpoints: vec![endpoint],
            max_in_flight: 4,
        };
        Client::patient(config, patience).unwrap()
    };
    let missing = format!("http://{}", free_port().await);
    // Takes the call and closes the connection.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closing = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 64]).await;
        }
    });
    for (gateway, class) in [(missing, ErrorClass::Unreachable), (closing, ErrorClass::Server)] {
        let asked = Instant::now();
        let outcome = ask(&patient(&gateway, patience), prompts(&["1"])).await;
        assert_eq!(outcome.result.unwrap_err().class, class);
        assert!(asked.elapsed() >= patience);
    }
    // An answer, if not a good one: with an hour's patience it would never come.
    let failing = serve(Router::new()).await;
    let outcome = ask(&patient(&failing, Duration::from_hours(1)), prompts(&["1"])).await;
    assert_eq!(outcome.result.unwrap_err().status, Some(404));
}

#[tokio::test]
async fn a_wrong_token_is_rejected() {
    let (gateway, _) = gateway(upstream(&serve(fixed(200, OK)).await)).await;
    let outcome = ask(&client_of(&gateway, "job", "guess"), prompts(&["1"])).await;
    let error = outcome.result.unwrap_err();
    assert_eq!((error.class, error.status), (ErrorClass::Rejected, Some(401)));
}

#[tokio::test]
async fn senseless_calls_are_rejected_without_a_try() {
    let client = client(&format!("http://{}", free_port().await));
    let empty = ask(&client, prompts(&[])).await;
    assert_eq!(empty.result.unwrap_err().class, ErrorClass::Rejected);
    let mut beyond = call(prompts(&["1"]), Duration::from_secs(1));
    beyond.endpoint = 1;
    let beyond = submit(&client, beyond).await.unwrap();
    assert_eq!(beyond.result.unwrap_err().class, ErrorClass::Rejected);
}

#[tokio::test]
async fn a_dropped_client_cancels_its_calls_down_to_the_upstream() {
    let watch = Watch::default();
    let url = serve(steady(&watch, Duration::from_secs(30))).await;
    let (gateway, stats) = gateway(upstream(&url)).await;
    let client = client(&gateway);
    let answers: Vec<_> =
        (0..20).map(|_| submit(&client, call(prompts(&["1"]), Duration::from_secs(60)))).collect();
    until(|| watch.now() == 20).await;
    let started = Instant::now();
    // The drop joins a thread, so it is moved off the runtime that serves the stubs.
    tokio::task::spawn_blocking(move || drop(client)).await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(1));
    for answer in answers {
        let outcome = answer.await.unwrap();
        assert_eq!(outcome.result.unwrap_err().class, ErrorClass::Cancelled);
    }
    until(|| watch.now() == 0).await;
    until(|| stats.snapshot().endpoints[0].total.errors.cancelled == 20).await;
    let total = stats.snapshot().endpoints[0].total.clone();
    assert_eq!((total.calls, total.in_flight, total.queued), (20, 0, 0));
}

#[tokio::test]
async fn every_call_is_answered_exactly_once() {
    // A third answers, a third fails, a third is in flight when the client is dropped.
    let turn = Arc::new(AtomicUsize::new(0));
    let answer = move || {
        let turn = turn.fetch_add(1, Ordering::SeqCst);
        async move {
            match turn % 3 {
                0 => (StatusCode::OK, OK),
                1 => (StatusCode::BAD_REQUEST, "no"),
                _ => {
                    tokio::time::sleep(Duration::from_secs(30)).await;
                    (StatusCode::OK, OK)
                }
            }
        }
    };
    let url = serve(Router::new().route("/v1/completions", post(answer))).await;
    let (gateway, _) = gateway(upstream(&url)).await;
    let client = client(&gateway);
    let counts: Arc<Vec<AtomicUsize>> = Arc::new((0..60).map(|_| AtomicUsize::new(0)).collect());
    for n in 0..60 {
        let counts = counts.clone();
        let completion = Completion::new(move |_| {
            counts[n].fetch_add(1, Ordering::SeqCst);
        });
        client.submit(call(prompts(&["1"]), Duration::from_secs(60)), completion);
    }
    let answered = || counts.iter().map(|count| count.load(Ordering::SeqCst)).sum::<usize>();
    until(|| answered() == 40).await;
    tokio::task::spawn_blocking(move || drop(client)).await.unwrap();
    assert!(counts.iter().all(|count| count.load(Ordering::SeqCst) == 1));
}

#[tokio::test]
async fn the_last_owner_may_be_a_completion() {
    let (gateway, _) = gateway(upstream(&serve(fixed(200, OK)).await)).await;
    let client = Arc::new(client(&gateway));
    let (tell, told) = tokio::sync::oneshot::channel();
    let owner = client.clone();
    let completion = Completion::new(move |outcome| {
        drop(owner);
        drop(tell.send(outcome));
    });
    client.submit(call(prompts(&["1"]), Duration::from_secs(5)), completion);
    drop(client);
    assert_eq!(texts(told.await.unwrap()), ["fine"]);
}

/// Read one request from `stream`; false when the peer has closed it.
async fn read_request(stream: &mut TcpStream) -> bool {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let n = stream.read(&mut chunk).await.unwrap_or(0);
        if n == 0 {
            return false;
        }
        bytes.extend_from_slice(&chunk[..n]);
        // The bodies of these tests end so, and nothing else in them does.
        if bytes.ends_with(b"\"max_tokens\":8}") {
            return true;
        }
    }
}

async fn write_answer(stream: &mut TcpStream) {
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{OK}", OK.len());
    stream.write_all(answer.as_bytes()).await.unwrap();
}

#[tokio::test]
async fn a_reused_connection_that_was_closed_is_replaced_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = client(&format!("http://{}", listener.local_addr().unwrap()));
    let server = tokio::spawn(async move {
        let (mut first, _) = listener.accept().await.unwrap();
        assert!(read_request(&mut first).await);
        write_answer(&mut first).await;
        // The second request arrives on the kept connection, which closes in its face.
        assert!(read_request(&mut first).await);
        drop(first);
        let (mut second, _) = listener.accept().await.unwrap();
        assert!(read_request(&mut second).await);
        write_answer(&mut second).await;
    });
    assert_eq!(texts(ask(&client, prompts(&["1"])).await), ["fine"]);
    assert_eq!(texts(ask(&client, prompts(&["2"])).await), ["fine"]);
    server.await.unwrap();
}

#[tokio::test]
async fn a_new_connection_that_breaks_is_not_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = client(&format!("http://{}", listener.local_addr().unwrap()));
    let server = tokio::spawn(async move {
        let (mut first, _) = listener.accept().await.unwrap();
        assert!(read_request(&mut first).await);
        drop(first);
        let again = tokio::time::timeout(Duration::from_millis(200), listener.accept()).await;
        assert!(again.is_err(), "the request was sent again");
    });
    let error = ask(&client, prompts(&["1"])).await.result.unwrap_err();
    assert_eq!(error.class, ErrorClass::Server);
    server.await.unwrap();
}

#[test]
fn settings_that_cannot_work_are_named_and_secrets_are_not_shown() {
    let config = ClientConfig {
        gateway: "https://h:1".into(),
        tls: None,
        token: "secret\n".into(),
        job: "j".into(),
        worker: 0,
        endpoints: vec![],
        max_in_flight: 1,
    };
    assert!(!format!("{config:?}").contains("secret"));
    let error = Client::new(config.clone()).unwrap_err();
    assert!(matches!(error, ClientError::Address { .. }));
    let error = Client::new(ClientConfig { gateway: "http://h:1".into(), ..config }).unwrap_err();
    assert!(matches!(error, ClientError::Text { what: "the token" }));
    assert!(!format!("{error} {error:?}").contains("secret"));
}
