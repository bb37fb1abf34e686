//! The services a run hosts: simulated endpoints where a program asks for them, and the gateway
//! through which all workers of all its jobs call.

mod access;
mod endpoint;
mod host;
mod kept;
mod local;
mod shared;
mod simulators;

use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context;
use sage_cluster::Tls;
use sage_dsl::plan::Plan;
use sage_llm::gateway::{Gateway, GatewayStats, JobShares, StatsHandle};
use sage_llm::journal::Journal;
use tokio::sync::oneshot;

pub(crate) use self::access::Access;
use self::host::{Found, Line, Terms, Word};
pub(crate) use self::kept::{JOURNAL, Kept, Places};
pub(crate) use self::local::LOCAL;
pub(crate) use self::shared::Shared;
pub(crate) use self::simulators::Simulators;
use super::Interrupts;
use super::links::Links;

/// Gateway and simulators of a run, on a thread of their own; they end with this.
pub(crate) struct Services {
    journal: Option<Journal>,
    /// By job; `None` for one that calls nothing.
    accesses: Vec<Option<Access>>,
    stats: StatsHandle,
    thread: Thread,
}

/// A stop that takes longer is explained.
const QUICK: Duration = Duration::from_millis(300);
/// Between two looks whether the services have ended.
const LOOK: Duration = Duration::from_millis(5);

/// Services that found their endpoints and wait for a place to keep answers in.
pub(crate) struct Prepared {
    jobs: Vec<Option<Seen>>,
    token: String,
    tls: Option<Tls>,
    keep: oneshot::Sender<Kept>,
    when_ready: mpsc::Receiver<anyhow::Result<Word>>,
    thread: Thread,
}

/// What was found for one job.
struct Seen {
    job: String,
    endpoints: Vec<(String, String)>,
    label: String,
    simulated: bool,
    live: bool,
}

/// Stops the services and waits for their end when it goes.
struct Thread {
    stop: Option<oneshot::Sender<()>>,
    handle: Option<JoinHandle<()>>,
}

impl Services {
    /// Start the simulators that the jobs need and check that their endpoints are there; `None` when
    /// no job calls any. Nothing is written before that. `jobs` are the names and plans; `shares`
    /// says how they share what they have in common. The gateway listens on the loopback, or where
    /// workers on other hosts reach it.
    pub(crate) fn prepare(
        jobs: &[(&str, &Plan)],
        shares: JobShares,
        seed: u64,
        links: &Links,
    ) -> anyhow::Result<Option<Prepared>> {
        if jobs.iter().all(|(_, plan)| plan.endpoints.is_empty()) {
            return Ok(None);
        }
        let Shared { endpoints, of } = Shared::new(jobs.iter().map(|(_, plan)| *plan));
        let names: Vec<String> = endpoints.iter().map(|endpoint| endpoint.name.clone()).collect();
        let token = random_token()?;
        let (stop, stopped) = oneshot::channel();
        let (keep, kept) = oneshot::channel();
        let (ready, when_ready) = mpsc::channel();
        let terms = Terms { seed, token: token.clone(), jobs: shares, links: links.clone() };
        let line = Line { kept, ready, stopped };
        let handle = std::thread::Builder::new()
            .name("services".into())
            .spawn(move || host::run(&endpoints, terms, line))?;
        let thread = Thread { stop: Some(stop), handle: Some(handle) };
        let lost = "the services' thread ended at once";
        let Word::Found(found) = when_ready.recv().context(lost)?? else {
            anyhow::bail!("{lost}");
        };
        let seen = |((job, plan), at): (&(&str, &Plan), &Vec<usize>)| {
            let own: Vec<&Found> = at.iter().map(|&at| &found[at]).collect();
            let labels: Vec<String> = own.iter().map(|found| found.label.clone()).collect();
            (!own.is_empty()).then(|| Seen {
                job: (*job).to_owned(),
                endpoints: at
                    .iter()
                    .map(|&at| (names[at].clone(), found[at].model.clone()))
                    .collect(),
                label: access::label(plan, &labels),
                simulated: own.iter().any(|found| found.simulated),
                live: own.iter().any(|found| found.live),
            })
        };
        let jobs = jobs.iter().zip(&of).map(seen).collect();
        Ok(Some(Prepared { jobs, token, tls: links.tls().cloned(), keep, when_ready, thread }))
    }

    /// The way of the job at this position to its endpoints; `None` if it calls none.
    pub(crate) fn access(&self, job: usize) -> Option<&Access> {
        self.accesses.get(job)?.as_ref()
    }

    /// Answers that an earlier attempt has paid for.
    pub(crate) fn paid(&self) -> u64 {
        self.journal.as_ref().map_or(0, |journal| journal.stats().entries)
    }

    /// Places of the journal that could not be read.
    pub(crate) fn unread(&self) -> u64 {
        self.journal.as_ref().map_or(0, |journal| journal.stats().damaged)
    }

    /// Stop. Calls that are at an endpoint have a few seconds, because their answers are paid for; a
    /// second interrupt does not wait for them.
    pub(crate) fn end(mut self, interrupts: &Interrupts, say: bool) {
        if let Some(stop) = self.thread.stop.take() {
            let _ = stop.send(());
        }
        let Some(handle) = self.thread.handle.take() else { return };
        let began = Instant::now();
        let mut told = !say;
        while !handle.is_finished() {
            if interrupts.count() > 1 {
                // The process is about to end, and the thread with it.
                return;
            }
            if !told && began.elapsed() > QUICK {
                told = true;
                let secs = Gateway::GRACE.as_secs();
                eprintln!(
                    "waiting up to {secs} s for calls at the endpoint, to keep their answers (Ctrl-C: \
                     stop at once)"
                );
            }
            std::thread::sleep(LOOK);
        }
        let _ = handle.join();
    }

    /// What all jobs together have asked of the endpoints.
    pub(crate) fn stats(&self) -> GatewayStats {
        self.stats.snapshot()
    }
}

impl Prepared {
    /// Open the gateway.
    pub(crate) fn open(self, kept: Kept) -> anyhow::Result<Services> {
        let journal = kept.journal.clone();
        // A thread that is gone has left its reason in the channel.
        let _ = self.keep.send(kept);
        let lost = "the gateway's thread ended at once";
        let Word::Ready(ready) = self.when_ready.recv().context(lost)?? else {
            anyhow::bail!("{lost}");
        };
        let shared = self.jobs.len() > 1;
        let access = |seen: Seen| Access {
            gateway: ready.gateway.clone(),
            token: self.token.clone(),
            tls: self.tls.clone(),
            job: seen.job,
            endpoints: seen.endpoints,
            label: seen.label,
            simulated: seen.simulated,
            live: seen.live,
            stats: ready.stats.clone(),
            shared,
        };
        let accesses = self.jobs.into_iter().map(|seen| seen.map(access)).collect();
        Ok(Services { journal, accesses, stats: ready.stats, thread: self.thread })
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(handle) = self.handle.take() {
            let _ = handle.join();
        }
    }
}

fn random_token() -> anyhow::Result<String> {
    let mut bytes = [0_u8; 24];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
