//! Stubs of an upstream, a gateway and clients on the loopback device.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::post;
use sage_core::endpoint::{
    Answer, Call, CallOutcome, Completion, Endpoint, GenerateOptions, Request,
};
use sage_core::retry::RetryPolicy;
use sage_llm::client::{Client, ClientConfig, EndpointTarget};
use sage_llm::gateway::{Gateway, GatewayConfig, StatsHandle, Upstream};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

pub const TOKEN: &str = "run-token";

/// Serve `router` on a free port; its base URL.
pub async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

/// A port that nobody listens on.
pub async fn free_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().to_string()
}

/// Quick retries, so that tests are.
pub fn upstream(url: &str) -> Upstream {
    let retry = RetryPolicy { max: 4, base_ns: 5_000_000, cap_ns: 50_000_000 };
    Upstream { retry, ..Upstream::new("e", url, "m") }
}

/// A gateway to `upstream` that wants [`TOKEN`]; its base URL and counters.
pub async fn gateway(upstream: Upstream) -> (String, StatsHandle) {
    gateway_to(vec![upstream]).await
}

pub async fn gateway_to(upstreams: Vec<Upstream>) -> (String, StatsHandle) {
    gateway_of(GatewayConfig { upstreams, token: Some(TOKEN.into()), ..GatewayConfig::default() })
        .await
}

pub async fn gateway_of(config: GatewayConfig) -> (String, StatsHandle) {
    let gateway = Gateway::bind("127.0.0.1:0", config).await.unwrap();
    let (url, stats) = (format!("http://{}", gateway.local_addr()), gateway.stats());
    tokio::spawn(gateway.serve(std::future::pending()));
    (url, stats)
}

pub fn client(gateway: &str) -> Client {
    client_of(gateway, "job", TOKEN)
}

pub fn client_of(gateway: &str, job: &str, token: &str) -> Client {
    Client::new(ClientConfig {
        gateway: gateway.into(),
        tls: None,
        token: token.into(),
        job: job.into(),
        worker: 0,
        endpoints: vec![EndpointTarget { name: "e".into(), model: "m".into() }],
        max_in_flight: 100,
    })
    .unwrap()
}

pub fn prompts(texts: &[&str]) -> Request {
    let options = GenerateOptions { max_tokens: 8, chat: false, ..GenerateOptions::default() };
    Request::Generate { prompts: texts.iter().map(|&text| text.into()).collect(), options }
}

pub fn call(request: Request, timeout: Duration) -> Call {
    let timeout_ns = timeout.as_nanos() as u64;
    Call { task: 7, ..Call::new(0, request, timeout_ns) }
}

/// Submit; the receiver gets the outcome.
pub fn submit(client: &Client, call: Call) -> oneshot::Receiver<CallOutcome> {
    let (tell, told) = oneshot::channel();
    client.submit(call, Completion::new(move |outcome| drop(tell.send(outcome))));
    told
}

/// Submit and wait, with a minute for the call.
pub async fn ask(client: &Client, request: Request) -> CallOutcome {
    submit(client, call(request, Duration::from_secs(60))).await.unwrap()
}

pub fn texts(outcome: CallOutcome) -> Vec<String> {
    match outcome.result.unwrap() {
        Answer::Generated(texts) => texts.into_iter().map(|item| item.text).collect(),
        Answer::Embedded { .. } => panic!("texts were asked for"),
    }
}

/// A successful completion.
pub const OK: &str = r#"{"choices":[{"index":0,"text":"fine","finish_reason":"stop"}],
    "usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}"#;

/// Watches the calls at a stub.
#[derive(Clone, Default)]
pub struct Watch {
    pub seen: Arc<AtomicUsize>,
    pub now: Arc<AtomicUsize>,
    pub most: Arc<AtomicUsize>,
}

/// One call at a stub; dropped when it ends, also when its connection is cut.
pub struct Visit(Watch);

impl Watch {
    pub fn visit(&self) -> Visit {
        self.seen.fetch_add(1, Ordering::SeqCst);
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        Visit(self.clone())
    }

    pub fn seen(&self) -> usize {
        self.seen.load(Ordering::SeqCst)
    }

    pub fn now(&self) -> usize {
        self.now.load(Ordering::SeqCst)
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Answers every completion after `delay`.
pub fn steady(watch: &Watch, delay: Duration) -> Router {
    let watch = watch.clone();
    let answer = move || {
        let visit = watch.visit();
        async move {
            tokio::time::sleep(delay).await;
            drop(visit);
            OK
        }
    };
    Router::new().route("/v1/completions", post(answer))
}

/// Listen at an address that was free a while ago. A connection of another test may have it for a
/// moment.
pub async fn listen(address: &str) -> TcpListener {
    for _ in 0..200 {
        if let Ok(listener) = TcpListener::bind(address).await {
            return listener;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{address} is not free");
}

/// Wait until `condition` holds; fails the test after ten seconds.
pub async fn until(mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < Duration::from_secs(10), "the condition never held");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
