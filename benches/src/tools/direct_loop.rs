//! `direct_loop`: the plain program somebody would write instead: tokio and reqwest in one process,
//! N calls, C of them in flight, answers to a file. It stands for the practical limit of calling.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::time::Instant;

use clap::Parser;
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// N calls to an endpoint, C of them in flight
#[derive(Debug, Parser)]
#[command(name = "direct_loop")]
struct Args {
    /// The endpoint, as in `http://127.0.0.1:8000`
    url: String,
    /// Where the answers go
    output: PathBuf,
    /// Calls
    #[arg(long, default_value_t = 2000)]
    calls: u64,
    /// Calls in flight
    #[arg(long, default_value_t = 64)]
    concurrency: usize,
}

async fn call(client: reqwest::Client, url: String, id: u64) -> anyhow::Result<(u64, String)> {
    let body = json!({
        "model": "stub",
        "prompt": format!("id={id} what is the capital of France?"),
        "max_tokens": 16,
    });
    let request = client.post(url).header("content-type", "application/json");
    let response = request.body(body.to_string()).send().await?.error_for_status()?;
    let answer: Value = serde_json::from_slice(&response.bytes().await?)?;
    let text = answer["choices"][0]["text"].as_str().unwrap_or_default();
    Ok((id, text.to_owned()))
}

/// Entry point.
pub fn main(args: &[String]) -> anyhow::Result<()> {
    let args = Args::parse_from(args);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (answers, wall) = runtime.block_on(run(&args))?;
    super::say(&json!({
        "answers": answers,
        "wall_s": wall.as_secs_f64(),
        "cpu_s": crate::process::own_cpu_s(),
    }))
}

async fn run(args: &Args) -> anyhow::Result<(u64, std::time::Duration)> {
    // The client is built with TLS by other members of the workspace and then wants a provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let began = Instant::now();
    let client = reqwest::Client::builder().pool_max_idle_per_host(args.concurrency).build()?;
    let url = format!("{}/v1/completions", args.url);
    let mut out = BufWriter::new(File::create(&args.output)?);
    let mut calls = JoinSet::new();
    // Numbered from 1 like the records of `generate`: the same calls are slow for both.
    let (mut next, mut answers) = (1, 0);
    loop {
        while next <= args.calls && calls.len() < args.concurrency {
            calls.spawn(call(client.clone(), url.clone(), next));
            next += 1;
        }
        let Some(done) = calls.join_next().await else { break };
        let (id, text) = done??;
        serde_json::to_writer(&mut out, &json!({"id": id, "text": text}))?;
        out.write_all(b"\n")?;
        answers += 1;
    }
    out.flush()?;
    Ok((answers, began.elapsed()))
}
