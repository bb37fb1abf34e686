//! Running jobs, one or several at once.
//!
//! Several jobs have one gateway, one simulator for each endpoint they share, and one clock; all
//! else each has for itself: workers, queue, folder, figures, outcome. A job that fails takes no
//! other with it.

use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use sage_cluster::{Cluster, ClusterConfig, LocalLauncher};
use sage_core::arrivals::seed_of;
use sage_core::fair::Share;
use sage_dataflow::arrivals::{Schedule, read_trace};
use sage_dataflow::{RunClock, RunSettings, seeded};
use sage_dsl::experiment::Arrivals;
use sage_dsl::plan::{Plan, lookup};
use sage_dsl::types::Value;
use sage_llm::gateway::{GatewayStats, JobShares};
use sage_retrieval::documents::Corpus;

use super::follow::{Follower, Hold};
use super::gate::Gate;
use super::indexes::{self, Built};
use super::interrupt::Interrupts;
use super::job::{Job, Usage};
use super::options::Options;
use super::progress::Display;
use super::report::{Folder, Report};
use super::services::{Access, JOURNAL, Kept, Places, Services};
use super::{JobRun, RunResult, VERSION, probe_all_but_indexes};
use crate::exit::{usage, usage_of};
use crate::jobs::Watch;

/// Workers that are done have this long to go.
const LEAVE: Duration = Duration::from_secs(5);

/// What holds for all jobs of a run.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    /// Seed of the simulated endpoints.
    pub(crate) seed: u64,
    /// Whether jobs share endpoints by their shares, or stand in one line.
    pub(crate) fair: bool,
    /// Whether the jobs wait until all are ready, and begin at moments that were named beforehand.
    pub(crate) held: bool,
    /// Where answers are kept; `None` for a job alone, which has its own place.
    pub(crate) places: Option<Places>,
    /// Who says what.
    pub(crate) talk: Talk,
}

/// Who says what goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Talk {
    /// The one job, with a bar where there is a terminal.
    One,
    /// Each job, with its name.
    Each,
    /// Nobody.
    None,
}

impl Session {
    /// Of a job alone.
    pub(crate) fn alone(job: &JobRun) -> Self {
        Session { seed: job.options.seed, fair: true, held: false, places: None, talk: Talk::One }
    }
}

/// Why a run was given up before it began.
#[derive(Debug)]
pub(crate) struct Stopped;

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("interrupted while an index was built; vectors that were paid for are kept")
    }
}

impl std::error::Error for Stopped {}

/// What the jobs left, and what is known of them together.
pub(crate) struct Executed {
    /// By job.
    pub(crate) results: Vec<anyhow::Result<RunResult>>,
    /// What all jobs together have asked of the endpoints.
    pub(crate) endpoints: Option<GatewayStats>,
}

/// Run the jobs to their ends. An error of one job is its own result; an error of all is one that
/// came before any was started.
pub(crate) fn execute(
    jobs: &[JobRun],
    session: &Session,
    interrupts: &Interrupts,
) -> anyhow::Result<Executed> {
    let origin_ns = RunClock::host_ns();
    let corpora = jobs.iter().map(read).collect::<anyhow::Result<Vec<_>>>()?;
    let named: Vec<_> = jobs.iter().map(|job| (job.name.as_str(), &job.plan)).collect();
    let prepared = Services::prepare(&named, shares(jobs, session.fair), session.seed)?;
    let claim =
        |job: &JobRun| Folder::claim(job.options.out.as_deref(), &job.plan.name, job.options.fresh);
    let folders = jobs.iter().map(claim).collect::<anyhow::Result<Vec<_>>>()?;
    if session.talk != Talk::None {
        let names = jobs.iter().map(|job| job.name.as_str());
        let drain = jobs.iter().map(|job| job.options.drain).max().unwrap_or_default();
        crate::jobs::begin(names, folders.iter().map(|folder| folder.path.as_path()), drain);
    }
    let services = match prepared {
        None => None,
        Some(prepared) => {
            let plans: Vec<&Plan> = jobs.iter().map(|job| &job.plan).collect();
            let own = || {
                let given = jobs.first().and_then(|job| job.options.journal.clone());
                let folder = folders.first().map_or(Path::new("."), |folder| folder.path.as_path());
                let journal = given.unwrap_or_else(|| folder.join(JOURNAL));
                Places { journal: Some(journal), content: None }
            };
            let places = session.places.clone().unwrap_or_else(own);
            Some(prepared.open(Kept::open(&plans, places)?)?)
        }
    };
    let paid = services.as_ref().map_or(0, Services::paid);
    let own_cpu_s = Usage::own().cpu_s;
    let mut works = Vec::new();
    for (number, ((job, corpora), folder)) in jobs.iter().zip(corpora).zip(&folders).enumerate() {
        let access = services.as_ref().and_then(|services| services.access(number));
        let company = jobs.len();
        let report = Report { job, access, out: &folder.path, origin_ns, own_cpu_s, company };
        // First of all: a folder with a setup is known as a run's, also when the run fails early.
        report.write_setup()?;
        let display = match session.talk {
            Talk::One => Display::new(job.options.quiet, expected(&job.plan, &job.options)),
            Talk::Each => Display::of(&job.name),
            Talk::None => Display::mute(),
        };
        let seed = seed_of(job.options.seed, number);
        let mut work = Work { job, report, access, display, origin_ns, seed, built: Vec::new() };
        work.build(corpora, interrupts)?;
        work.announce(folder.replaced, paid);
        works.push(work);
    }
    let gate = Gate::new(works.len());
    let results = thread::scope(|scope| {
        let mut threads = Vec::new();
        for work in works {
            let start_ns = work.job.start_ns;
            let hold = session.held.then(|| Hold { gate: &gate, ticket: gate.ticket(), start_ns });
            threads.push(scope.spawn(move || work.run(hold, interrupts)));
        }
        let panicked = || anyhow::anyhow!("the thread of the job panicked");
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err(panicked())))
            .collect()
    });
    Ok(Executed { results, endpoints: services.as_ref().map(Services::stats) })
}

/// Check all that can be wrong with a job before anything is started; gives the documents of the
/// indexes it has yet to build.
fn read(job: &JobRun) -> anyhow::Result<Vec<Corpus>> {
    probe_all_but_indexes(&job.plan)?;
    if let Some(Arrivals::Trace { path }) = &job.options.arrivals {
        read_trace(Path::new(path)).map_err(usage_of)?;
    }
    sage_cluster::check_descriptors(job.options.workers).map_err(usage)?;
    if job.indexes.is_some() { Ok(Vec::new()) } else { indexes::read(&job.plan) }
}

fn shares(jobs: &[JobRun], fair: bool) -> JobShares {
    let share = |job: &JobRun| (job.name.clone(), Share { weight: job.share, ..Share::default() });
    JobShares { shares: jobs.iter().map(share).collect(), one_line: !fair }
}

/// One job on its way.
struct Work<'w> {
    job: &'w JobRun,
    report: Report<'w>,
    access: Option<&'w Access>,
    display: Display,
    origin_ns: u64,
    /// Of its policy and its arrivals.
    seed: u64,
    built: Vec<Built>,
}

impl Work<'_> {
    /// Build the indexes, unless they were built before.
    fn build(&mut self, corpora: Vec<Corpus>, interrupts: &Interrupts) -> anyhow::Result<()> {
        if let Some(built) = &self.job.indexes {
            self.built.clone_from(built);
            return Ok(());
        }
        let folder = self.report.out.join("index");
        self.built = match indexes::build(&self.job.plan, corpora, &folder, self.access, interrupts)
        {
            Err(_) if interrupts.count() > 0 => return Err(Stopped.into()),
            built => built?,
        };
        Ok(())
    }

    /// Say what is run.
    fn announce(&self, replaced: bool, paid: u64) {
        if self.job.options.quiet {
            return;
        }
        let out = self.report.out.display();
        if replaced {
            let reuse = match paid {
                0 => String::new(),
                paid => format!("; its {paid} paid answers are used again (--fresh pays again)"),
            };
            self.display.say(&format!("replacing the earlier run in {out}{reuse}"));
        }
        self.display.say(&self.headline());
        self.built.iter().flat_map(|index| &index.notes).for_each(|note| self.display.say(note));
    }

    fn headline(&self) -> String {
        let endpoint = self.access.map_or_else(String::new, |access| format!(", {}", access.label));
        format!(
            "running {} on {} worker(s) with {} slots, scheduler {}{endpoint} -> {}",
            self.job.plan.name,
            self.job.options.workers,
            self.job.plan.schedule.slots,
            self.report.scheduler(),
            self.report.out.display()
        )
    }

    /// Run it to its end.
    fn run(mut self, hold: Option<Hold<'_>>, interrupts: &Interrupts) -> anyhow::Result<RunResult> {
        let options = &self.job.options;
        let watch = crate::jobs::watch(&self.job.name);
        let cluster = self.start(hold.is_some(), &watch)?;
        let mut follower = Follower {
            cluster: &cluster,
            interrupts,
            display: &mut self.display,
            workers: options.workers,
            threads: options.threads,
            slots: self.job.plan.schedule.slots,
            drain: options.drain,
            watch: &watch,
        };
        let start_ns = hold.as_ref().map_or(0, |hold| hold.start_ns);
        let course = follower.follow(hold);
        let hurry = course.failure.is_some() || interrupts.count() > 1;
        let left = cluster.shutdown(if hurry { Duration::ZERO } else { LEAVE });
        self.display.finish();
        drop(left);
        // A job that begins later is not slower for it.
        let wall_ns = RunClock::host_ns().saturating_sub(self.origin_ns).saturating_sub(start_ns);
        let result = self.report.finish(&course, Duration::from_nanos(wall_ns))?;
        watch.count(&result.counts);
        Ok(result)
    }

    fn start(&self, held: bool, watch: &Watch) -> anyhow::Result<Cluster> {
        let options = &self.job.options;
        // The run's seed, whatever the job's number: what was paid for it is found again by the job
        // alone.
        let plan = seeded(&self.job.plan, options.seed);
        let rule = options.arrivals.clone();
        let access = self.access;
        // Only the gateway needs the endpoints' keys.
        let without = plan.endpoints.iter().filter_map(|endpoint| endpoint.api_key_env.clone());
        let without = without.collect();
        let inherit_stdin = reads_stdin(&plan);
        let job = Job {
            name: self.job.name.clone(),
            plan,
            settings: RunSettings {
                out: absolute(self.report.out)?,
                origin_ns: self.origin_ns,
                seed: self.seed,
                threads: options.threads,
                tasks: options.tasks,
                limit: options.limit,
                arrivals: rule.map(|rule| Schedule { rule, seed: self.seed }),
            },
            gateway: access.map(|access| access.gateway.clone()),
            token: access.map(|access| access.token.clone()).unwrap_or_default(),
            endpoints: access.map(|access| access.endpoints.clone()).unwrap_or_default(),
            indexes: self
                .built
                .iter()
                .map(|index| absolute(&index.path))
                .collect::<Result<_, _>>()?,
            held,
        };
        let config = ClusterConfig::new(options.workers, serde_json::to_vec(&job)?, VERSION)?;
        let mut launcher = LocalLauncher { inherit_stdin, without, ..LocalLauncher::default() };
        Cluster::start(config, &mut watch.noting(&mut launcher))
            .context("the workers did not start")
    }
}

/// Whether a plan's records come from the standard input.
pub(super) fn reads_stdin(plan: &Plan) -> bool {
    plan.source().is_some_and(|source| source.kind == "stdin")
}

/// How many records will come, where that is known before the source is read.
fn expected(plan: &Plan, options: &Options) -> Option<u64> {
    let source = plan.source()?;
    let own = (source.kind == "generate")
        .then(|| lookup(&source.args, "count").and_then(Value::as_int))
        .flatten()
        .and_then(|count| u64::try_from(count).ok());
    options.tasks.or_else(|| match (own, options.limit) {
        (Some(own), Some(limit)) => Some(own.min(limit)),
        (own, _) => own,
    })
}

fn absolute(path: &Path) -> anyhow::Result<std::path::PathBuf> {
    std::path::absolute(path).with_context(|| format!("`{}` has no absolute path", path.display()))
}
