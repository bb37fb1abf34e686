//! Who goes away on purpose, and who crashes.

use sage_core::endpoint::Call;
use sage_llm::journal::Kind;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::journal::journal;
use super::*;

struct Setting {
    watch: Watch,
    release: tokio::sync::watch::Sender<bool>,
    gateway: String,
    stats: sage_llm::gateway::StatsHandle,
    _folder: tempfile::TempDir,
}

/// An upstream that answers when it is released, behind a gateway with a journal.
async fn setting() -> Setting {
    let watch = Watch::default();
    let (release, released) = tokio::sync::watch::channel(false);
    let seen = watch.clone();
    let answer = move || {
        let visit = seen.visit();
        let mut released = released.clone();
        async move {
            let _ = released.wait_for(|&go| go).await;
            drop(visit);
            OK
        }
    };
    let url = serve(Router::new().route("/v1/completions", post(answer))).await;
    let folder = tempfile::tempdir().unwrap();
    let (gateway, stats) = gateway_of(GatewayConfig {
        upstreams: vec![upstream(&url)],
        token: Some(TOKEN.into()),
        journal: Some(journal(&folder, "run", Kind::Run)),
        ..GatewayConfig::default()
    })
    .await;
    Setting { watch, release, gateway, stats, _folder: folder }
}

/// The body that a worker sends for `prompts(&["1"])`.
const ASKED: &str = r#"{"model":"m","prompt":"1","max_tokens":8}"#;

/// A worker's call over a socket of its own.
async fn connect(gateway: &str, headers: &str) -> TcpStream {
    let mut socket = TcpStream::connect(gateway.trim_start_matches("http://")).await.unwrap();
    let head = format!(
        "POST /e/e/v1/completions HTTP/1.1\r\nhost: g\r\nauthorization: Bearer {TOKEN}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\nx-sage-job: job\r\n{headers}\r\n",
        ASKED.len()
    );
    socket.write_all(format!("{head}{ASKED}").as_bytes()).await.unwrap();
    socket
}

fn again() -> Call {
    Call { records: vec![5], stage: 0, ..call(prompts(&["1"]), Duration::from_secs(30)) }
}

const WORKER: &str = "x-sage-worker: 0\r\nx-sage-stage: 0\r\nx-sage-record: 5\r\n\
                      x-sage-cache: run\r\nx-sage-call: a-1\r\nx-sage-deadline-ms: 30000\r\n";

#[tokio::test]
async fn a_crashed_worker_s_call_is_paid_for_once() {
    let setting = setting().await;
    let socket = connect(&setting.gateway, WORKER).await;
    until(|| setting.watch.now() == 1).await;
    drop(socket);
    // The next worker asks the same while the first call is still under way.
    let client = client(&setting.gateway);
    let asked = submit(&client, again());
    setting.release.send(true).unwrap();
    assert_eq!(texts(asked.await.unwrap()), ["fine"]);
    assert_eq!(texts(submit(&client, again()).await.unwrap()), ["fine"]);
    assert_eq!(setting.watch.seen(), 1);
    let total = setting.stats.snapshot().endpoints[0].total.clone();
    assert!(add_up(&total));
    assert_eq!((total.errors.sum(), total.attempts, total.cache_hits), (0, 1, 2));
}

#[tokio::test]
async fn a_worker_that_says_so_cancels_its_call() {
    let setting = setting().await;
    let _socket = connect(&setting.gateway, WORKER).await;
    until(|| setting.watch.now() == 1).await;
    let cancel = async |id: &str| {
        let request = http().delete(format!("{}/x-sage/calls/{id}", setting.gateway));
        request.bearer_auth(TOKEN).send().await.unwrap().text().await.unwrap()
    };
    assert_eq!(cancel("b-1").await, r#"{"cancelled":0}"#);
    assert_eq!(cancel("a-1").await, r#"{"cancelled":1}"#);
    until(|| setting.watch.now() == 0).await;
    until(|| setting.stats.snapshot().endpoints[0].total.errors.cancelled == 1).await;
}

#[tokio::test]
async fn a_dropped_client_cancels_calls_that_would_be_kept_unless_it_only_leaves() {
    let setting = setting().await;
    let client = client(&setting.gateway);
    let answer = submit(&client, again());
    until(|| setting.watch.now() == 1).await;
    tokio::task::spawn_blocking(move || drop(client)).await.unwrap();
    assert_eq!(answer.await.unwrap().result.unwrap_err().class, ErrorClass::Cancelled);
    until(|| setting.watch.now() == 0).await;

    let leaving = common::client(&setting.gateway);
    let answer = submit(&leaving, again());
    until(|| setting.watch.now() == 1).await;
    leaving.leave();
    tokio::task::spawn_blocking(move || drop(leaving)).await.unwrap();
    assert!(answer.await.unwrap().result.is_err());
    setting.release.send(true).unwrap();
    let next = common::client(&setting.gateway);
    assert_eq!(texts(submit(&next, again()).await.unwrap()), ["fine"]);
    assert_eq!(setting.watch.seen(), 2);
}

#[tokio::test]
async fn any_other_client_goes_on_purpose() {
    let setting = setting().await;
    let socket = connect(&setting.gateway, "").await;
    until(|| setting.watch.now() == 1).await;
    drop(socket);
    until(|| setting.watch.now() == 0).await;
    until(|| setting.stats.snapshot().endpoints[0].total.errors.cancelled == 1).await;
}
