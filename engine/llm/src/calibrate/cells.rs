//! The probe itself: cell after cell, until it is done or must end.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rand::SeedableRng;
use rand_pcg::Pcg64Mcg;
use sage_core::vllm::fit::{Cell, Figures, Sample};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::call::Caller;
use super::http::Endpoint;
use super::plan::{Bounds, OPENING_OUTPUT, OPENING_WORDS, Plan, Planned, expected_tokens};
use super::prompt::{about, prompt};
use super::{CalibrateError, Target};

/// Share of a cell's requests that may fail before the cell says nothing.
const MOST_FAILED: f64 = 0.1;
/// Factor by which four times the clients must raise throughput; below, the server only queues.
const LEAST_GAIN: f64 = 1.05;

/// What was measured.
#[derive(Debug, Clone)]
pub struct Measured {
    /// The model that answered.
    pub model: String,
    /// Longest prompt and answer together, if the endpoint says.
    pub max_model_len: Option<u32>,
    /// Whether the endpoint says of itself that it is simulated.
    pub simulated: bool,
    /// The cells that were measured to their end.
    pub cells: Vec<Cell>,
    /// Requests that were answered.
    pub requests: u32,
    /// Tokens that they cost, prompts and answers together.
    pub tokens: u64,
    /// Whether the user stopped it.
    pub interrupted: bool,
    /// Why cells are missing, and what else to know, for people.
    pub notes: Vec<String>,
}

/// How the probe comes along.
#[derive(Debug, Clone)]
pub enum Progress<'a> {
    /// The endpoint is there.
    Found {
        /// The model that will be asked.
        model: &'a str,
        /// Whether the endpoint says that it is simulated.
        simulated: bool,
    },
    /// A cell is done.
    Cell {
        /// The cell.
        cell: &'a Cell,
        /// What it comes to.
        figures: Figures,
    },
}

/// Measure the cells of `plan` at `target`. Ends early, with what is whole by then, when `stop`
/// completes or the time of `bounds` is up.
///
/// # Errors
///
/// When the endpoint is not usable, or its first answer is not.
pub async fn measure(
    target: &Target,
    plan: &Plan,
    bounds: &Bounds,
    seed: u64,
    stop: impl Future<Output = ()>,
    mut progress: impl FnMut(Progress<'_>),
) -> Result<Measured, CalibrateError> {
    let start = Instant::now();
    let endpoint = Endpoint::find(target).await?;
    progress(Progress::Found { model: &endpoint.model, simulated: endpoint.simulated });
    let mut measured = Measured {
        model: endpoint.model.clone(),
        max_model_len: endpoint.max_model_len,
        simulated: endpoint.simulated,
        cells: Vec::new(),
        requests: 0,
        tokens: 0,
        interrupted: false,
        notes: Vec::new(),
    };
    let caller = Arc::new(Caller::new(endpoint));
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    // The first call pays for connections and lazy start-up, and shows whether the rest is worth it.
    let opening = prompt(&mut rng, OPENING_WORDS);
    let first = caller.ask(&opening, OPENING_OUTPUT, start).await?;
    let spent = Arc::new(AtomicU64::new(cost(&first)));
    let end = tokio::time::sleep_until(start + bounds.time);
    tokio::pin!(stop, end);
    let (mut best_rate, mut saturated_at) = (0.0, u32::MAX);
    for planned in &plan.cells {
        if planned.concurrency > saturated_at {
            let what = "the server only queues beyond";
            measured
                .notes
                .push(format!("{what} {saturated_at} clients: {} left out", planned.name()));
            continue;
        }
        let work = run(&caller, planned, &mut rng, &spent, bounds.max_tokens);
        let result = tokio::select! {
            result = work => result,
            () = &mut stop => {
                measured.interrupted = true;
                measured.notes.push(format!("stopped by the user during {}", planned.name()));
                break;
            }
            () = &mut end => {
                let seconds = bounds.time.as_secs();
                measured.notes.push(format!("{seconds} s were up during {}", planned.name()));
                break;
            }
        };
        match result {
            Ok(cell) => {
                let figures = Figures::of(&cell.samples);
                progress(Progress::Cell { cell: &cell, figures });
                if !cell.held_out && cell.concurrency > 1 {
                    if figures.throughput < best_rate * LEAST_GAIN {
                        saturated_at = cell.concurrency;
                    }
                    best_rate = figures.throughput.max(best_rate);
                }
                measured.cells.push(cell);
            }
            Err(reason) => {
                measured.notes.push(format!("{} left out: {reason}", planned.name()));
                if reason.last {
                    break;
                }
            }
        }
    }
    if !caller.exact_lengths() {
        let note = "the endpoint does not take `ignore_eos`: answers were as long as it liked";
        measured.notes.push(note.into());
    }
    measured.tokens = spent.load(Ordering::Relaxed);
    measured.requests =
        1 + measured.cells.iter().map(|cell| cell.samples.len() as u32).sum::<u32>();
    Ok(measured)
}

impl Planned {
    /// For people.
    pub(super) fn name(&self) -> String {
        let Planned { concurrency, words, output, .. } = self;
        let held_out = if self.held_out { ", held out" } else { "" };
        let clients = if *concurrency == 1 { "client" } else { "clients" };
        format!("{concurrency} {clients}, ~{words} words in, {output} tokens out{held_out}")
    }
}

fn cost(sample: &Sample) -> u64 {
    u64::from(sample.prompt_tokens) + u64::from(sample.output_tokens)
}

/// Why a cell says nothing.
#[derive(Debug)]
struct LeftOut {
    reason: String,
    /// Whether the next ones are in vain, too.
    last: bool,
}

impl std::fmt::Display for LeftOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.reason)
    }
}

/// What the clients of a cell share.
struct Work {
    caller: Arc<Caller>,
    /// Words of the prompts, the prompts, and the tokens to ask for.
    asks: Vec<(u32, String, u32)>,
    next: AtomicUsize,
    samples: Mutex<Vec<Sample>>,
    failures: Mutex<Vec<String>>,
    spent: Arc<AtomicU64>,
    max_tokens: u64,
    origin: Instant,
}

async fn run(
    caller: &Arc<Caller>,
    planned: &Planned,
    rng: &mut Pcg64Mcg,
    spent: &Arc<AtomicU64>,
    max_tokens: u64,
) -> Result<Cell, LeftOut> {
    let mut ask = || {
        let words = about(rng, planned.words);
        (words, prompt(rng, words), about(rng, planned.output))
    };
    let work = Arc::new(Work {
        caller: Arc::clone(caller),
        asks: (0..planned.requests).map(|_| ask()).collect(),
        next: AtomicUsize::new(0),
        samples: Mutex::default(),
        failures: Mutex::default(),
        spent: Arc::clone(spent),
        max_tokens,
        origin: Instant::now(),
    });
    // Aborts the clients when this future is dropped.
    let mut clients = JoinSet::new();
    for _ in 0..planned.concurrency {
        clients.spawn(client(Arc::clone(&work)));
    }
    while clients.join_next().await.is_some() {}
    let mut samples =
        std::mem::take(&mut *work.samples.lock().unwrap_or_else(PoisonError::into_inner));
    let failures =
        std::mem::take(&mut *work.failures.lock().unwrap_or_else(PoisonError::into_inner));
    if failures.len() as f64 > f64::from(planned.requests) * MOST_FAILED {
        let (count, example) = (failures.len(), &failures[0]);
        let reason = format!("{count} of {} requests failed, e.g. {example}", planned.requests);
        return Err(LeftOut { reason, last: samples.is_empty() });
    }
    if samples.len() + failures.len() < planned.requests as usize {
        let reason = format!("{max_tokens} tokens are spent; words cost more than was estimated");
        return Err(LeftOut { reason, last: true });
    }
    samples.sort_unstable_by_key(|sample| sample.sent_ns);
    let Planned { concurrency, held_out, .. } = *planned;
    Ok(Cell { name: planned.name(), concurrency, held_out, samples })
}

/// Ask until there is nothing left to ask, or no token to spend. What a call is expected to cost is
/// set aside before it is made, so that calls in flight cannot overspend together.
async fn client(work: Arc<Work>) {
    while let Some((words, prompt, output)) =
        work.asks.get(work.next.fetch_add(1, Ordering::Relaxed))
    {
        let expected = expected_tokens(*words, *output);
        if work.spent.fetch_add(expected, Ordering::Relaxed) + expected > work.max_tokens {
            work.spent.fetch_sub(expected, Ordering::Relaxed);
            return;
        }
        match work.caller.ask(prompt, *output, work.origin).await {
            Ok(sample) => {
                work.spent.fetch_add(cost(&sample), Ordering::Relaxed);
                work.spent.fetch_sub(expected, Ordering::Relaxed);
                work.samples.lock().unwrap_or_else(PoisonError::into_inner).push(sample);
            }
            // What a failed call has cost is not known: its part stays spent.
            Err(error) => {
                let mut failures = work.failures.lock().unwrap_or_else(PoisonError::into_inner);
                failures.push(error.to_string());
            }
        }
    }
}
