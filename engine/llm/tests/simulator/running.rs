//! A simulator on a free port, and a client of it.

use std::time::Duration;

use reqwest::{Client, Response, StatusCode};
use sage_core::vllm::profile;
use sage_llm::simulator::{SimulatorConfig, SimulatorError, serve};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub(crate) const MODEL: &str = "Qwen/Qwen2.5-7B-Instruct";

/// A running simulator and a client of it.
pub(crate) struct Running {
    pub(crate) base: String,
    pub(crate) client: Client,
    pub(crate) stop: Option<oneshot::Sender<()>>,
    pub(crate) server: JoinHandle<Result<(), SimulatorError>>,
}

/// A client that needs no TLS but must be told so.
fn client() -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().no_proxy().build().unwrap()
}

pub(crate) async fn start(change: impl FnOnce(&mut SimulatorConfig)) -> Running {
    let mut config = SimulatorConfig::new(profile("a100/qwen2.5-7b").unwrap());
    config.speed = 50.0;
    change(&mut config);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(serve(config, listener, async move {
        let _ = stopped.await;
    }));
    Running { base, client: client(), stop: Some(stop), server }
}

impl Running {
    pub(crate) async fn send(&self, path: &str, body: &Value) -> Response {
        let request = self.client.post(format!("{}{path}", self.base)).body(body.to_string());
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()["x-sage-endpoint"], "simulated");
        response
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        let response = self.send(path, &body).await;
        let status = response.status();
        (status, serde_json::from_str(&response.text().await.unwrap()).unwrap())
    }

    /// The events of a streamed answer, and whether it ended as it should.
    pub(crate) async fn events(&self, path: &str, mut body: Value) -> (Vec<Value>, bool) {
        body["stream"] = json!(true);
        let raw = self.send(path, &body).await.text().await.unwrap();
        let mut lines: Vec<&str> =
            raw.split("\n\n").filter_map(|line| line.strip_prefix("data: ")).collect();
        let done = lines.pop_if(|line| *line == "[DONE]").is_some();
        (lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect(), done)
    }

    pub(crate) async fn chat(&self, body: Value) -> Value {
        let (status, answer) = self.post("/v1/chat/completions", body).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        answer
    }

    pub(crate) async fn get(&self, path: &str) -> String {
        let response = self.client.get(format!("{}{path}", self.base)).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        response.text().await.unwrap()
    }

    /// The value of one series of `/metrics`: a name, or a name with some of its labels.
    pub(crate) async fn metric(&self, series: &str) -> String {
        let (name, label) = series.split_once('{').unwrap_or((series, "}"));
        let text = self.get("/metrics").await;
        let mut lines = text.lines().filter(|line| line.starts_with(&format!("vllm:{name}{{")));
        let line = lines.find(|line| line.contains(label.trim_end_matches('}'))).unwrap();
        line.rsplit(' ').next().unwrap().to_owned()
    }

    pub(crate) async fn stop(mut self) {
        let _ = self.stop.take().unwrap().send(());
        drop(self.client);
        tokio::time::timeout(Duration::from_secs(5), self.server).await.unwrap().unwrap().unwrap();
    }
}

pub(crate) fn ask(text: &str) -> Value {
    json!({"model": MODEL, "messages": [{"role": "user", "content": text}], "max_tokens": 200})
}
