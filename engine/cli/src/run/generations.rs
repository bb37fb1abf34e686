//! What all generations of a job's workers have in common: who starts them, where they join, and the
//! secret that they prove.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use sage_cluster::{
    ArrivalHook, Arrivals, Cluster, ClusterConfig, ControlPort, Launcher, Reason, Refusals, Secret,
};

use super::execute::reads_stdin;
use super::interrupt::Interrupts;
use super::launch::{Launch, Place, Start};
use super::links::Links;
use super::{JobRun, VERSION, serving};
use crate::exit::usage_of;
use crate::jobs::Watch;

/// How long a run waits for workers that somebody else starts, or a batch system that may be busy.
pub(super) const SOMEBODY: Duration = Duration::from_secs(600);
/// Workers that come back by themselves are back after this.
const SOON: Duration = Duration::from_secs(2);

/// See the module.
pub(super) struct Generations<'j> {
    job: &'j JobRun,
    /// Of workers that come back for every generation; for others each has a launcher of its own.
    kept: Option<Box<dyn Launcher + Send>>,
    secret: Secret,
    links: Links,
    /// Kept open for workers that come back by themselves, and for those that come too early.
    port: Option<ControlPort>,
    interrupts: Interrupts,
    /// By which others are to be started, once that is known.
    command: Arc<OnceLock<String>>,
}

impl<'j> Generations<'j> {
    pub(super) fn new(
        job: &'j JobRun,
        links: &Links,
        interrupts: &Interrupts,
    ) -> anyhow::Result<Self> {
        let comes_back = job.options.launch.comes_back();
        let open = || ControlPort::open(links.listen).map_err(usage_of);
        Ok(Generations {
            job,
            kept: None,
            secret: secret(comes_back)?,
            links: links.clone(),
            port: comes_back.then(open).transpose()?,
            interrupts: interrupts.clone(),
            command: Arc::default(),
        })
    }

    /// Says who has come and who was refused, while the run waits for workers. That it waits was said
    /// with the command, the first time; after a loss only if workers do not come back by themselves.
    fn arrivals(&self) -> ArrivalHook {
        let (job, quiet) = (self.job.name.clone(), self.job.options.quiet);
        let again = self.kept.is_some();
        let (command, start) = (Arc::clone(&self.command), Instant::now());
        let nobody = Arrivals { joined: 0, workers: 0, refusals: Refusals::default() };
        let before = Mutex::new((nobody, !again));
        Arc::new(move |now| {
            let mut guard = before.lock().unwrap_or_else(PoisonError::into_inner);
            let (before, asked) = &mut *guard;
            let mut said = told(&job, before, now, *asked);
            if !*asked && start.elapsed() > SOON {
                *asked = true;
                said.push(missing(&job, now, command.get().map_or("", String::as_str)));
            }
            if !quiet {
                said.iter().for_each(|line| eprintln!("{line}"));
            }
            before.clone_from(now);
        })
    }

    /// Start the workers of one generation at `places`, which are given `payload`.
    pub(super) fn start(
        &mut self,
        generation: u32,
        places: &[Place],
        payload: Vec<u8>,
        watch: &Watch,
    ) -> anyhow::Result<Cluster> {
        let launch = &self.job.options.launch;
        let defaults = ClusterConfig::new(places.len(), payload, VERSION)?;
        let interrupts = self.interrupts.clone();
        let patient = matches!(launch, Launch::Join | Launch::Slurm { .. });
        let config = ClusterConfig {
            generation,
            secret: self.secret.clone(),
            listen: self.links.listen,
            port: self.port.clone(),
            transport: self.links.transport.clone(),
            start_deadline: if patient { SOMEBODY } else { defaults.start_deadline },
            // Those of this host are there before an interrupt would be noticed.
            give_up: launch.remote().then(|| {
                let given_up = move || interrupts.count() > 0;
                Arc::new(given_up) as Arc<dyn Fn() -> bool + Send + Sync>
            }),
            on_arrival: launch.comes_back().then(|| self.arrivals()),
            ..defaults
        };
        let plan = &self.job.plan;
        // Only the gateway needs the endpoints' keys.
        let keys = plan.endpoints.iter().filter_map(|endpoint| endpoint.api_key_env.clone());
        let without = keys.chain(serving::secrets(plan));
        let start = Start {
            job: &self.job.name,
            places,
            without: without.collect(),
            inherit_stdin: reads_stdin(plan),
            quiet: self.job.options.quiet,
            command: Arc::clone(&self.command),
        };
        let mut launcher = match self.kept.take() {
            Some(kept) => kept,
            None => launch.launcher(start)?,
        };
        let started = Cluster::start(config, &mut watch.noting(launcher.as_mut()));
        self.kept = launch.comes_back().then_some(launcher);
        started.context("the workers did not start")
    }
}

/// What is said when somebody has come or was refused; nothing of a run that waits for nobody.
fn told(job: &str, before: &Arrivals, now: &Arrivals, waits: bool) -> Vec<String> {
    let mut said = Vec::new();
    let (then, refusals) = (&before.refusals, &now.refusals);
    for (number, Reason { text, times }) in refusals.reasons.iter().enumerate() {
        let before = then.reasons.get(number).map_or(0, |reason| reason.times);
        if is_told(before, *times) {
            let often = if *times == 1 { String::new() } else { format!(" ({times} times)") };
            said.push(format!("{job} refused a worker{often}: {text}"));
        }
    }
    if is_told(then.others, refusals.others) {
        said.push(format!("{job} refused {} workers for further reasons", refusals.others));
    }
    // Ports are scanned all the time, so this is one line however many there are of them.
    if is_told(then.strangers, refusals.strangers) {
        let Refusals { strangers, last_stranger, .. } = refusals;
        said.push(format!(
            "{job} turned away {strangers} connection(s) of no worker so far, such as those of \
             scanners; the last one: {last_stranger}"
        ));
    }
    if waits && now.joined != before.joined {
        let Arrivals { joined, workers, .. } = now;
        said.push(format!("{job} has {joined} of {workers} worker(s), and waits for the others"));
    }
    said
}

/// Whether a count is told: the first time, and when it has another digit.
fn is_told(before: usize, now: usize) -> bool {
    let digits = |count: usize| count.checked_ilog10().map_or(0, |digits| digits + 1);
    digits(now) > digits(before)
}

/// What is said when workers of a run that goes on do not come back.
fn missing(job: &str, now: &Arrivals, command: &str) -> String {
    let Arrivals { joined, workers, .. } = now;
    format!(
        "{job} has {joined} of {workers} worker(s), and waits up to {} for {} more; start each by\n  \
         {command}",
        humantime::format_duration(SOMEBODY),
        workers.saturating_sub(*joined)
    )
}

/// The secret of a run: a fresh one, unless whoever starts its workers has given one to both sides.
fn secret(comes_back: bool) -> anyhow::Result<Secret> {
    let given = std::env::var(Secret::VARIABLE).ok().filter(|_| comes_back);
    Ok(match given {
        Some(hex) => Secret::from_hex(&hex).map_err(usage_of)?,
        None => Secret::random()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_hears_of_arrivals_of_every_refusal_and_of_strangers_in_one_line() {
        let now = |joined, refused: &[(&str, usize)], strangers| {
            let reasons = refused.iter();
            let reasons =
                reasons.map(|(text, times)| Reason { text: (*text).into(), times: *times });
            let reasons = reasons.collect();
            let last_stranger = "it closed".to_owned();
            let refusals = Refusals { reasons, strangers, last_stranger, others: 0 };
            Arrivals { joined, workers: 3, refusals }
        };
        let told = |before, now| super::told("f", &before, &now, true).join("\n");
        assert_eq!(told(now(0, &[], 0), now(0, &[], 0)), "");
        assert!(told(now(0, &[], 0), now(2, &[], 0)).contains("has 2 of 3"));
        let old = ("its version is 0.0.9", 1);
        let said = told(now(1, &[], 700), now(1, &[old], 800));
        assert_eq!(said, "f refused a worker: its version is 0.0.9");
        let again = ("its version is 0.0.9", 12);
        let other = ("it is of another run", 1);
        let said = told(now(1, &[old], 1), now(1, &[again, other], 20));
        assert_eq!(said.lines().count(), 3, "{said}");
        for part in ["(12 times): its version", "worker: it is of another run", "away 20 conn"] {
            assert!(said.contains(part), "{said}");
        }
        assert_eq!(told(now(1, &[], 10), now(1, &[], 99)), "");
        assert!(super::told("f", &now(0, &[], 0), &now(2, &[], 0), false).is_empty());
        let said = super::missing("f", &now(2, &[], 0), "sage-flow worker --join h:1");
        assert!(said.contains("2 of 3") && said.contains("up to 10m for 1 more"), "{said}");
        assert!(said.ends_with("\n  sage-flow worker --join h:1"), "{said}");
    }
}
