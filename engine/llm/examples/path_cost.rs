//! What a call costs on its way through client and gateway, next to a bare reqwest loop.
//!
//! `cargo run --release -p sage-llm --example path_cost [CALLS [IN_FLIGHT [MS]]]`
//!
//! Each part runs on a thread of its own, and the kernel's account of each thread's time
//! (`/proc/self/task/*/schedstat`, so Linux only) is read before and after.

#![expect(clippy::print_stdout, reason = "printing is its purpose")]

use std::collections::BTreeMap;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::post;
use sage_core::endpoint::{Call, Completion, Endpoint, GenerateOptions, Request};
use sage_llm::client::{Client, ClientConfig, EndpointTarget};
use sage_llm::gateway::{Concurrency, Gateway, GatewayConfig, Upstream};

type Failure = Box<dyn std::error::Error>;

const ANSWER: &str = r#"{"id":"cmpl-1","object":"text_completion","created":1,"model":"m","choices":[{"index":0,"text":"some words that were generated","finish_reason":"length","logprobs":null}],"usage":{"prompt_tokens":16,"total_tokens":24,"completion_tokens":8}}"#;

fn main() -> Result<(), Failure> {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<u64>());
    let mut next = |usual| numbers.next().unwrap_or(Ok(usual));
    let (calls, in_flight, ms) = (next(2_000)? as usize, next(64)? as usize, next(50)?);
    println!("{calls} calls of {ms} ms, {in_flight} in flight");

    let stub = stub(ms)?;
    let before = cpu();
    let started = Instant::now();
    direct(&stub, calls, in_flight)?;
    report("bare reqwest", started, calls, &before, &["direct"]);

    let gateway = gateway(&stub, in_flight as u32)?;
    let client = Client::new(ClientConfig {
        gateway,
        tls: None,
        token: "t".into(),
        job: "cost".into(),
        worker: 0,
        endpoints: vec![EndpointTarget { name: "e".into(), model: "m".into() }],
        max_in_flight: in_flight,
    })?;
    let before = cpu();
    let started = Instant::now();
    through(&client, calls, in_flight)?;
    report("client and gateway", started, calls, &before, &["main", "llm-client", "gateway"]);
    Ok(())
}

/// A server that answers each completion after `ms`.
fn stub(ms: u64) -> Result<String, Failure> {
    let (tell, told) = mpsc::channel();
    on_thread("stub", async move {
        let answer = move || async move {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            ([("content-type", "application/json")], ANSWER)
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        tell.send(listener.local_addr()?)?;
        axum::serve(listener, Router::new().route("/v1/completions", post(answer))).await?;
        Ok(())
    })?;
    Ok(format!("http://{}", told.recv()?))
}

fn gateway(stub: &str, concurrency: u32) -> Result<String, Failure> {
    let upstream =
        Upstream { concurrency: Concurrency::Fixed(concurrency), ..Upstream::new("e", stub, "m") };
    let config = GatewayConfig {
        upstreams: vec![upstream],
        token: Some("t".into()),
        ..GatewayConfig::default()
    };
    let (tell, told) = mpsc::channel();
    on_thread("gateway", async move {
        let gateway = Gateway::bind("127.0.0.1:0", config).await?;
        tell.send(gateway.local_addr())?;
        gateway.serve(std::future::pending()).await;
        Ok(())
    })?;
    Ok(format!("http://{}", told.recv()?))
}

/// The loop to compare with: a shared counter, `in_flight` tasks.
fn direct(stub: &str, calls: usize, in_flight: usize) -> Result<(), Failure> {
    let url = format!("{stub}/v1/completions");
    let (done, end) = mpsc::channel();
    on_thread("direct", async move {
        // The provider is asked for although nothing here is encrypted.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().tcp_nodelay(true).no_proxy().build()?;
        let left = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(calls));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..in_flight {
            let (client, left, url) = (client.clone(), left.clone(), url.clone());
            tasks.spawn(async move {
                use std::sync::atomic::Ordering::Relaxed;
                while left.fetch_update(Relaxed, Relaxed, |n| n.checked_sub(1)).is_ok() {
                    let body = r#"{"model":"m","prompt":"a prompt of a few words","max_tokens":8}"#;
                    let request = client.post(&url).header("content-type", "application/json");
                    let response = request.body(body).send().await?;
                    response.bytes().await?;
                }
                Ok::<(), reqwest::Error>(())
            });
        }
        while let Some(task) = tasks.join_next().await {
            task??;
        }
        done.send(cpu())?;
        // The thread's account must still be there when it is read.
        std::future::pending::<()>().await;
        Ok(())
    })?;
    end.recv()?;
    Ok(())
}

/// Keep `in_flight` calls in flight, as an operator does.
fn through(client: &Client, calls: usize, in_flight: usize) -> Result<(), Failure> {
    let (done, ends) = mpsc::channel();
    let submit = |task: usize| {
        let request = Request::Generate {
            prompts: vec!["a prompt of a few words".into()],
            options: GenerateOptions { max_tokens: 8, chat: false, ..GenerateOptions::default() },
        };
        let call = Call { task: task as u64, ..Call::new(0, request, 60_000_000_000) };
        let done = done.clone();
        client.submit(call, Completion::new(move |outcome| drop(done.send(outcome))));
    };
    (0..in_flight.min(calls)).for_each(submit);
    for ended in 0..calls {
        ends.recv()?.result?;
        if ended + in_flight < calls {
            submit(ended + in_flight);
        }
    }
    Ok(())
}

fn on_thread(
    name: &str,
    work: impl Future<Output = Result<(), Failure>> + Send + 'static,
) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let role = name.to_owned();
    thread::Builder::new().name(name.into()).spawn(move || {
        if let Err(error) = runtime.block_on(work) {
            println!("{role}: {error}");
            std::process::exit(1);
        }
    })?;
    Ok(())
}

/// Nanoseconds on a processor so far, by thread name.
fn cpu() -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    let main = std::process::id().to_string();
    for task in std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
        let read = |file: &str| std::fs::read_to_string(task.path().join(file)).unwrap_or_default();
        let name = if task.file_name() == main.as_str() {
            "main".to_owned()
        } else {
            read("comm").trim().to_owned()
        };
        let ns = read("schedstat").split(' ').next().and_then(|ns| ns.parse::<u64>().ok());
        *sums.entry(name).or_default() += ns.unwrap_or(0);
    }
    sums
}

fn report(
    what: &str,
    started: Instant,
    calls: usize,
    before: &BTreeMap<String, u64>,
    threads: &[&str],
) {
    let wall = started.elapsed().as_secs_f64();
    let after = cpu();
    let of = |name: &str| {
        let at = |sums: &BTreeMap<String, u64>| sums.get(name).copied().unwrap_or(0);
        (at(&after) - at(before)) as f64 / 1e6 / calls as f64
    };
    let sum: f64 = threads.iter().map(|name| of(name)).sum();
    let parts: Vec<String> = threads.iter().map(|name| format!("{name} {:.3}", of(name))).collect();
    println!("{what:<20} wall {wall:.3} s  CPU {sum:.3} ms a call ({})", parts.join(", "));
}
