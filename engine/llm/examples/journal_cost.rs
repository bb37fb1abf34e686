//! What the answer journal costs: latency and throughput of `record`, latency of `lookup`, time to
//! open, memory of the index.
//!
//! `cargo run --release -p sage-llm --example journal_cost [ENTRIES [BYTES [FOLDER]]]`
//!
//! It fills a journal of ENTRIES answers of BYTES bytes in FOLDER (a temporary one below the
//! current folder by default, so that the disk counts) with 1, 64 and 1024 writers at a time.

#![expect(clippy::print_stdout, reason = "printing is its purpose")]

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sage_llm::journal::{Journal, JournalConfig, Key, KeyBuilder, Kind, Stored};

type Failure = Box<dyn std::error::Error>;

/// How long the few writers write.
const WHILE: Duration = Duration::from_secs(5);

fn main() -> Result<(), Failure> {
    let mut words = std::env::args().skip(1);
    let entries: u64 = words.next().map_or(Ok(1_000_000), |text| text.parse())?;
    let bytes: usize = words.next().map_or(Ok(1000), |text| text.parse())?;
    let folder = words.next().map_or_else(|| PathBuf::from("journal-cost"), PathBuf::from);
    if folder.exists() {
        return Err(format!("{} is there; name a new folder", folder.display()).into());
    }
    let outcome = measure(&folder, entries, bytes);
    std::fs::remove_dir_all(&folder)?;
    outcome
}

fn open(folder: &Path) -> Result<Journal, Failure> {
    let config = JournalConfig { path: folder.into(), max_bytes: 16 << 30, kind: Kind::Run };
    Ok(Journal::open(config)?)
}

fn measure(folder: &Path, entries: u64, bytes: usize) -> Result<(), Failure> {
    let journal = open(folder)?;
    let mut next = 0;
    for writers in [1, 64] {
        write(&journal, &mut next, u64::MAX, writers, bytes)?;
    }
    let left = entries.saturating_sub(next);
    write(&journal, &mut next, left, 1024, bytes)?;
    lookups(&journal, next);
    drop(journal);

    let before = resident();
    let started = Instant::now();
    let journal = open(folder)?;
    let took = started.elapsed().as_secs_f64();
    let stats = journal.stats();
    println!(
        "open: {} entries, {:.0} MiB in {took:.2} s = {:.0} entries/s, {:.0} MiB/s",
        stats.entries,
        stats.bytes as f64 / f64::from(1 << 20),
        stats.entries as f64 / took,
        stats.bytes as f64 / f64::from(1 << 20) / took
    );
    let grown = resident().saturating_sub(before) as f64;
    println!("memory: {:.0} bytes an entry (resident set)", grown / stats.entries.max(1) as f64);
    lookups(&journal, next);
    Ok(())
}

fn key(number: u64) -> Key {
    KeyBuilder::new("cost").number(number).finish()
}

/// So many writers at a time, until so many entries are durable or the time is over.
fn write(
    journal: &Journal,
    next: &mut u64,
    most: u64,
    writers: usize,
    bytes: usize,
) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let (started, first) = (Instant::now(), *next);
    let until = (most == u64::MAX).then(|| started + WHILE);
    let last = first.saturating_add(most);
    let numbers = Arc::new(Mutex::new(first..last));
    let times = Arc::new(Mutex::new(Vec::new()));
    runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..writers {
            let (journal, numbers, times) = (journal.clone(), numbers.clone(), times.clone());
            tasks.spawn(async move {
                let mut own = Vec::new();
                let next = || numbers.lock().unwrap_or_else(PoisonError::into_inner).next();
                while let Some(number) = next() {
                    let stored = Stored {
                        body: vec![b'x'; bytes].into(),
                        prompt_tokens: number,
                        completion_tokens: 1,
                        simulated: false,
                        model: "m".into(),
                    };
                    let asked = Instant::now();
                    journal.record(key(number), stored).await?;
                    own.push(asked.elapsed());
                    if until.is_some_and(|until| Instant::now() >= until) {
                        break;
                    }
                }
                times.lock().unwrap_or_else(PoisonError::into_inner).extend(own);
                Ok::<(), sage_llm::journal::JournalError>(())
            });
        }
        while let Some(done) = tasks.join_next().await {
            done??;
        }
        Ok::<(), Failure>(())
    })?;
    let took = started.elapsed().as_secs_f64();
    let mut times = times.lock().unwrap_or_else(PoisonError::into_inner);
    *next += times.len() as u64;
    let rate = times.len() as f64 / took;
    println!("record, {writers} at a time: {rate:.0} entries/s, {}", latency(&mut times));
    Ok(())
}

fn lookups(journal: &Journal, entries: u64) {
    for (what, offset) in [("found", 0), ("not found", entries)] {
        let mut times: Vec<Duration> = (0..100_000u64)
            .map(|turn| key(turn.wrapping_mul(0x9E37_79B9_7F4A_7C15) % entries.max(1) + offset))
            .map(|key| {
                let asked = Instant::now();
                std::hint::black_box(journal.lookup(&key));
                asked.elapsed()
            })
            .collect();
        println!("lookup, {what}: {}", latency(&mut times));
    }
}

fn latency(times: &mut [Duration]) -> String {
    times.sort_unstable();
    let at = |part: f64| times.get((times.len() as f64 * part) as usize).copied();
    let [p50, p99] = [0.5, 0.99].map(|part| at(part).unwrap_or_default());
    format!("p50 {p50:.1?}, p99 {p99:.1?}")
}

/// Bytes of memory this process has, as Linux counts them; zero elsewhere.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
}
