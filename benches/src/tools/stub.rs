//! `stub_endpoint`: an OpenAI-compatible endpoint that answers after a known time and nothing else.
//!
//! It keeps the only clock that is fair to every client: from its first request to its last answer.

use std::collections::HashSet;
use std::convert::Infallible;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Read;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use clap::Parser;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// An endpoint with a fixed service time
#[derive(Debug, Parser)]
#[command(name = "stub_endpoint")]
struct Args {
    /// Address to listen on; port 0 picks a free one, the first line of output says which
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Service time of a call, milliseconds
    #[arg(long, default_value_t = 50)]
    delay_ms: u64,
    /// 90 % of the calls take 30 ms and 10 % take 230 ms; the mean is 50 ms
    #[arg(long)]
    tail: bool,
    /// This share of the calls is answered with 429 and `Retry-After: 1`, per cent
    #[arg(long, default_value_t = 0)]
    throttled: u64,
    /// The server goes down so many seconds after its first call: connections are cut
    #[arg(long)]
    down_after: Option<f64>,
    /// How long it stays down, seconds
    #[arg(long, default_value_t = 30.0)]
    down_for: f64,
    /// No call is answered in the first so many seconds after the first one came
    #[arg(long)]
    stall: Option<f64>,
    /// End, and print the counts, when the standard input ends
    #[arg(long)]
    until_stdin_ends: bool,
}

#[derive(Default)]
struct Seen {
    calls: u64,
    answered: u64,
    /// Answers beyond the first to the same texts: somebody pays for them a second time.
    answered_again: u64,
    texts: HashSet<u64>,
    refused: u64,
    in_flight: u64,
    most_in_flight: u64,
    first: Option<Instant>,
    last: Option<Instant>,
}

struct Stub {
    delay: Duration,
    tail: bool,
    throttled: u64,
    down_after: Option<Duration>,
    down_for: Duration,
    stall: Duration,
    seen: Mutex<Seen>,
}

impl Stub {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stats(&self) -> Value {
        let seen = self.seen();
        let span = seen.last.zip(seen.first).map(|(last, first)| last.duration_since(first));
        json!({
            "calls": seen.calls,
            "answered": seen.answered,
            "answered_again": seen.answered_again,
            "refused": seen.refused,
            "max_in_flight": seen.most_in_flight,
            "span_s": span.map(|span| span.as_secs_f64()),
            "cpu_s": crate::process::own_cpu_s(),
        })
    }

    /// Until the outage begins; for ever without one.
    async fn outage(&self) {
        let Some(after) = self.down_after else { return std::future::pending().await };
        loop {
            let left = self.seen().first.map(|first| after.saturating_sub(first.elapsed()));
            match left {
                Some(Duration::ZERO) => return,
                Some(left) => tokio::time::sleep(left).await,
                None => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }

    /// Whether the call of that number is refused: a share of them, the same ones each time.
    fn refuses(&self, number: u64) -> bool {
        (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) % 100 < self.throttled
    }

    /// Which calls are slow depends on their bytes alone, so every client meets the same ones.
    fn service_time(&self, texts: &[&str]) -> Duration {
        if !self.tail {
            return self.delay;
        }
        let sum = texts.iter().flat_map(|text| text.bytes());
        let sum = sum.fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
        let slow = (sum.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) % 10 == 0;
        Duration::from_millis(if slow { 230 } else { 30 })
    }
}

/// Entry point.
pub fn main(args: &[String]) -> anyhow::Result<()> {
    let args = Args::parse_from(args);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let seconds = |seconds: f64| Duration::try_from_secs_f64(seconds);
    let stub = Arc::new(Stub {
        delay: Duration::from_millis(args.delay_ms),
        tail: args.tail,
        throttled: args.throttled,
        down_after: args.down_after.map(seconds).transpose()?,
        down_for: seconds(args.down_for)?,
        stall: seconds(args.stall.unwrap_or(0.0))?,
        seen: Mutex::default(),
    });
    let (ended, ending) = tokio::sync::oneshot::channel();
    if args.until_stdin_ends {
        std::thread::spawn(move || {
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
            let _ = ended.send(());
        });
    }
    let stop = async move {
        if !args.until_stdin_ends || ending.await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    runtime.block_on(async {
        let listener = TcpListener::bind(args.listen).await?;
        super::say(&json!({"listening": listener.local_addr()?.to_string()}))?;
        tokio::select! {
            () = accept(listener, &stub) => {}
            () = stop => {}
        }
        super::say(&stub.stats())
    })
}

/// Serve, and go down once if that was asked for: all connections are cut and none is taken.
async fn accept(listener: TcpListener, stub: &Arc<Stub>) {
    let Ok(address) = listener.local_addr() else { return };
    let mut connections = JoinSet::new();
    tokio::select! {
        () = take(listener, stub, &mut connections) => {}
        () = stub.outage() => {}
    }
    connections.shutdown().await;
    tokio::time::sleep(stub.down_for).await;
    let listener = loop {
        match TcpListener::bind(address).await {
            Ok(listener) => break listener,
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    };
    take(listener, stub, &mut connections).await;
}

async fn take(listener: TcpListener, stub: &Arc<Stub>, connections: &mut JoinSet<()>) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        let Ok((socket, _)) = accepted else { continue };
        let _ = socket.set_nodelay(true);
        let stub = Arc::clone(stub);
        connections.spawn(async move {
            let service = service_fn(move |request| {
                let stub = Arc::clone(&stub);
                async move { Ok::<_, Infallible>(answer(&stub, request).await) }
            });
            // A client that goes away is no business of ours.
            let _ = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(socket), service)
                .await;
        });
    }
}

async fn answer(stub: &Stub, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let path = request.uri().path().to_owned();
    match (request.method(), path.as_str()) {
        (&Method::GET, "/stats") => reply(&stub.stats()),
        (&Method::GET, "/v1/models") => {
            let model = |id: &str| json!({"id": id, "object": "model"});
            // The second name is for comparisons with the simulator.
            let models = [model("stub"), model("Qwen/Qwen2.5-7B-Instruct")];
            reply(&json!({"object": "list", "data": models}))
        }
        (&Method::POST, "/v1/completions" | "/v1/chat/completions" | "/v1/embeddings") => {
            let Ok(body) = request.into_body().collect().await else {
                return problem(StatusCode::BAD_REQUEST, "the body broke off");
            };
            let body: Value = serde_json::from_slice(&body.to_bytes()).unwrap_or_default();
            serve(stub, &path, &body).await
        }
        _ => problem(StatusCode::NOT_FOUND, "no such path"),
    }
}

async fn serve(stub: &Stub, path: &str, body: &Value) -> Response<Full<Bytes>> {
    let (number, first) = {
        let mut seen = stub.seen();
        seen.calls += 1;
        seen.in_flight += 1;
        seen.most_in_flight = seen.most_in_flight.max(seen.in_flight);
        (seen.calls, *seen.first.get_or_insert_with(Instant::now))
    };
    // Also when the connection is cut in the middle.
    let _here = Here(stub);
    if stub.refuses(number) {
        stub.seen().refused += 1;
        let mut response = problem(StatusCode::TOO_MANY_REQUESTS, "too many calls");
        let second = hyper::header::HeaderValue::from_static("1");
        response.headers_mut().insert(hyper::header::RETRY_AFTER, second);
        return response;
    }
    let texts = texts(body);
    let wait = stub.stall.saturating_sub(first.elapsed()) + stub.service_time(&texts);
    // A sleep of nothing would still take the timer's next tick.
    if !wait.is_zero() {
        tokio::time::sleep(wait).await;
    }
    let reply = reply(&match path {
        "/v1/completions" => completions(&texts),
        "/v1/embeddings" => embeddings(&texts),
        _ => chat(&texts),
    });
    let mut seen = stub.seen();
    let mut hash = DefaultHasher::new();
    texts.hash(&mut hash);
    seen.answered += 1;
    seen.answered_again += u64::from(!seen.texts.insert(hash.finish()));
    seen.last = Some(Instant::now());
    reply
}

/// A call that is being served.
struct Here<'s>(&'s Stub);

impl Drop for Here<'_> {
    fn drop(&mut self) {
        self.0.seen().in_flight -= 1;
    }
}

/// What is asked about: prompts, inputs, or the contents of messages.
fn texts(body: &Value) -> Vec<&str> {
    for name in ["prompt", "input"] {
        match body.get(name) {
            Some(Value::String(text)) => return vec![text],
            Some(Value::Array(items)) => return items.iter().filter_map(Value::as_str).collect(),
            _ => {}
        }
    }
    let messages = body.get("messages").and_then(Value::as_array);
    let content = |message: &'_ Value| message.get("content").and_then(Value::as_str).is_some();
    messages
        .and_then(|messages| messages.iter().rev().find(|message| content(message)))
        .and_then(|message| message.get("content")?.as_str())
        .into_iter()
        .collect()
}

fn usage(answers: usize) -> Value {
    json!({"prompt_tokens": 16 * answers, "completion_tokens": 16 * answers, "total_tokens": 32 * answers})
}

fn completions(texts: &[&str]) -> Value {
    let choice = |(index, text): (usize, &&str)| json!({"index": index, "text": format!("answer to {text}"), "finish_reason": "stop"});
    let choices: Vec<_> = texts.iter().enumerate().map(choice).collect();
    json!({"id": "cmpl-0", "object": "text_completion", "model": "stub", "choices": choices, "usage": usage(texts.len())})
}

fn chat(texts: &[&str]) -> Value {
    let content = format!("answer to {}", texts.first().copied().unwrap_or_default());
    json!({
        "id": "chatcmpl-0",
        "object": "chat.completion",
        "model": "stub",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}],
        "usage": usage(1),
    })
}

fn embeddings(texts: &[&str]) -> Value {
    let entry = |(index, text): (usize, &&str)| {
        let sum = text.bytes().fold(1.0_f32, |sum, byte| (sum * 1.3 + f32::from(byte)) % 97.0);
        let vector: Vec<f32> = (1_u8..=8).map(|i| (sum * f32::from(i)).sin()).collect();
        json!({"object": "embedding", "index": index, "embedding": vector})
    };
    let data: Vec<_> = texts.iter().enumerate().map(entry).collect();
    json!({"object": "list", "model": "stub", "data": data, "usage": usage(texts.len())})
}

fn reply(body: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body.to_string()));
    let json = hyper::header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(hyper::header::CONTENT_TYPE, json);
    response
}

fn problem(status: StatusCode, message: &str) -> Response<Full<Bytes>> {
    let mut response = reply(&json!({"error": {"message": message, "code": status.as_u16()}}));
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_found_in_every_form_of_call() {
        assert_eq!(texts(&json!({"prompt": "a"})), ["a"]);
        assert_eq!(texts(&json!({"prompt": ["a", "b"]})), ["a", "b"]);
        assert_eq!(texts(&json!({"input": ["a"]})), ["a"]);
        let messages = json!({"messages": [{"content": "rules"}, {"content": "ask"}]});
        assert_eq!(texts(&messages), ["ask"]);
        assert!(texts(&Value::Null).is_empty());
    }

    #[test]
    fn a_tenth_of_the_calls_is_slow() {
        let stub = Stub {
            delay: Duration::ZERO,
            tail: true,
            throttled: 30,
            down_after: None,
            down_for: Duration::ZERO,
            stall: Duration::ZERO,
            seen: Mutex::default(),
        };
        let refused = (0..2000).filter(|number| stub.refuses(*number)).count();
        assert!((500..=700).contains(&refused), "{refused}");
        let slow = |n: &u32| stub.service_time(&[&format!("id={n} text")]).as_millis() == 230;
        let slow = (0..2000).filter(slow).count();
        assert!((150..=250).contains(&slow), "{slow}");
    }
}
