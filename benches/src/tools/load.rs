//! `load`: several jobs in closed loops against one OpenAI-compatible endpoint, for a fixed time.
//!
//! Each job keeps so many calls outstanding. What is counted are answers and their tokens, per job
//! and per window of time, so that the share of each job and its steadiness can be seen from the
//! clients' side, whatever a gateway says about itself.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::Parser;
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// Jobs in closed loops against one endpoint
#[derive(Debug, Parser)]
#[command(name = "load")]
struct Args {
    /// The endpoint, as in `http://127.0.0.1:8000`
    url: String,
    /// A job: NAME:OUTSTANDING:PROMPT_WORDS:MAX_TOKENS; may be given several times
    #[arg(long = "job", required = true, value_parser = Job::parse)]
    jobs: Vec<Job>,
    /// Model to ask for
    #[arg(long, default_value = "stub")]
    model: String,
    /// How long
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Left out of the counts at the beginning, seconds
    #[arg(long, default_value_t = 1.0)]
    warmup: f64,
    /// Length of a window, seconds
    #[arg(long, default_value_t = 2.0)]
    window: f64,
}

#[derive(Debug, Clone)]
struct Job {
    name: String,
    outstanding: usize,
    words: usize,
    max_tokens: u64,
}

impl Job {
    fn parse(text: &str) -> Result<Job, String> {
        let form = || format!("`{text}`: expected NAME:OUTSTANDING:PROMPT_WORDS:MAX_TOKENS");
        let parts: Vec<&str> = text.split(':').collect();
        let [name, outstanding, words, max_tokens] = parts.as_slice() else { return Err(form()) };
        let number = |part: &str| part.parse::<usize>().map_err(|_| form());
        Ok(Job {
            name: (*name).to_owned(),
            outstanding: number(outstanding)?,
            words: number(words)?,
            max_tokens: number(max_tokens)? as u64,
        })
    }
}

/// One answer.
struct Answered {
    at: Duration,
    took: Duration,
    tokens: u64,
}

#[derive(Default)]
struct Seen {
    answered: Vec<Answered>,
    failed: u64,
}

impl Seen {
    fn note(&mut self, tokens: anyhow::Result<u64>, began: Instant, sent: Instant) {
        match tokens {
            Ok(tokens) => {
                let (at, took) = (began.elapsed(), sent.elapsed());
                self.answered.push(Answered { at, took, tokens });
            }
            Err(_) => self.failed += 1,
        }
    }
}

/// Entry point.
pub fn main(args: &[String]) -> anyhow::Result<()> {
    let args = Args::parse_from(args);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(run(&args))?;
    super::say(&report)
}

async fn run(args: &Args) -> anyhow::Result<Value> {
    // The client is built with TLS by other members of the workspace and then wants a provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let all = args.jobs.iter().map(|job| job.outstanding).sum();
    let client = reqwest::Client::builder().pool_max_idle_per_host(all).build()?;
    let url = format!("{}/v1/completions", args.url);
    let began = Instant::now();
    let end = began + Duration::from_secs_f64(args.seconds);
    let mut loops = JoinSet::new();
    let mut seen = Vec::new();
    for job in &args.jobs {
        let book = Arc::new(Mutex::new(Seen::default()));
        seen.push(Arc::clone(&book));
        for lane in 0..job.outstanding {
            let (client, url, job) = (client.clone(), url.clone(), job.clone());
            let (model, book) = (args.model.clone(), Arc::clone(&book));
            loops.spawn(async move {
                let mut number = 0;
                while Instant::now() < end {
                    let prompt = prompt(&job, lane, number);
                    number += 1;
                    let sent = Instant::now();
                    let tokens = call(&client, &url, &model, &job, prompt).await;
                    let refused = tokens.is_err();
                    book.lock().unwrap_or_else(PoisonError::into_inner).note(tokens, began, sent);
                    if refused {
                        // A refused call is not to become a busy loop.
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                }
            });
        }
    }
    // Calls in flight at the end are not waited for: they belong to no window.
    tokio::time::sleep_until(end.into()).await;
    loops.abort_all();
    let jobs: Vec<Value> = args
        .jobs
        .iter()
        .zip(&seen)
        .map(|(job, book)| {
            let book = book.lock().unwrap_or_else(PoisonError::into_inner);
            report(args, job, &book)
        })
        .collect();
    Ok(json!({ "jobs": jobs, "cpu_s": crate::process::own_cpu_s() }))
}

/// Words that no other call has, so that no prefix is shared.
fn prompt(job: &Job, lane: usize, number: u64) -> String {
    let mut text = format!("{} {lane} {number}:", job.name);
    for word in 0..job.words.saturating_sub(4) {
        text.push_str(&format!(" w{}", (word * 7 + lane * 13 + number as usize) % 997));
    }
    text
}

async fn call(
    client: &reqwest::Client,
    url: &str,
    model: &str,
    job: &Job,
    prompt: String,
) -> anyhow::Result<u64> {
    let body = json!({
        "model": model,
        "prompt": prompt,
        "max_tokens": job.max_tokens,
        "ignore_eos": true,
    });
    let request =
        client.post(url).header("content-type", "application/json").header("x-sage-job", &job.name);
    let response = request.body(body.to_string()).send().await?.error_for_status()?;
    let answer: Value = serde_json::from_slice(&response.bytes().await?)?;
    let tokens = |name: &str| answer["usage"][name].as_u64().unwrap_or(0);
    // What a token costs a server: an answer's is worth two of a prompt's.
    Ok(tokens("prompt_tokens") + 2 * tokens("completion_tokens"))
}

fn report(args: &Args, job: &Job, seen: &Seen) -> Value {
    let from = Duration::from_secs_f64(args.warmup);
    let counted: Vec<&Answered> = seen.answered.iter().filter(|one| one.at >= from).collect();
    let span = (args.seconds - args.warmup).max(1e-9);
    let mut took: Vec<f64> = counted.iter().map(|one| one.took.as_secs_f64() * 1e3).collect();
    took.sort_by(f64::total_cmp);
    let quantile = |q: f64| {
        let last = took.len().saturating_sub(1);
        took.get((q * last as f64).round() as usize).copied()
    };
    let windows = (span / args.window).floor() as usize;
    let mut rates = vec![0.0; windows];
    for one in &counted {
        let window = (one.at.saturating_sub(from).as_secs_f64() / args.window) as usize;
        if let Some(rate) = rates.get_mut(window) {
            *rate += one.tokens as f64 / args.window;
        }
    }
    let mean = rates.iter().sum::<f64>() / windows.max(1) as f64;
    let variance =
        rates.iter().map(|rate| (rate - mean).powi(2)).sum::<f64>() / windows.max(1) as f64;
    json!({
        "name": job.name,
        "calls": counted.len(),
        "failed": seen.failed,
        "calls_per_s": counted.len() as f64 / span,
        "cost_per_s": counted.iter().map(|one| one.tokens as f64).sum::<f64>() / span,
        "windows": windows,
        "window_cv": if mean > 0.0 { Some(variance.sqrt() / mean) } else { None },
        "p50_ms": quantile(0.5),
        "p99_ms": quantile(0.99),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_read_and_counted_by_window() {
        let job = Job::parse("a:2:8:16").unwrap();
        assert_eq!((job.outstanding, job.words, job.max_tokens), (2, 8, 16));
        assert!(Job::parse("a:2").is_err() && Job::parse("a:x:1:1").is_err());
        let args = ["load", "http://h", "--job", "a:2:8:16", "--seconds", "5", "--window", "2"];
        let args = Args::parse_from(args);
        let answered = |at: f64, tokens| Answered {
            at: Duration::from_secs_f64(at),
            took: Duration::from_millis(10),
            tokens,
        };
        let seen = Seen {
            answered: vec![answered(0.5, 99), answered(1.5, 10), answered(3.5, 30)],
            failed: 1,
        };
        let report = report(&args, &job, &seen);
        assert_eq!(report["calls"], 2);
        assert_eq!(report["windows"], 2);
        assert_eq!(report["cost_per_s"], 10.0);
        assert_eq!(report["window_cv"], 0.5);
    }

    #[test]
    fn prompts_share_no_beginning() {
        let job = Job::parse("a:2:50:16").unwrap();
        assert_ne!(prompt(&job, 0, 1)[..8], prompt(&job, 1, 1)[..8]);
        assert_ne!(prompt(&job, 0, 1)[..8], prompt(&job, 0, 2)[..8]);
    }
}
