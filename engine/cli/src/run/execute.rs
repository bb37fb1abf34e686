//! Running jobs, one or several at once.
//!
//! Several jobs have one gateway, one simulator for each endpoint they share, and one clock; all
//! else each has for itself: workers, queue, folder, figures, outcome. A job that fails takes no
//! other with it.

use std::path::Path;
use std::thread;

use sage_core::arrivals::seed_of;
use sage_core::fair::Share;
use sage_dataflow::RunClock;
use sage_dataflow::arrivals::read_trace;
use sage_dsl::experiment::Arrivals;
use sage_dsl::plan::Plan;
use sage_llm::gateway::{GatewayStats, JobShares};
use sage_retrieval::documents::Corpus;

use super::follow::Hold;
use super::gate::Gate;
use super::generations::Generations;
use super::indexes;
use super::interrupt::Interrupts;
use super::job::Usage;
use super::links::Links;
use super::progress::{Display, expected};
use super::report::{Folder, Report};
use super::services::{JOURNAL, Kept, Places, Services};
use super::work::Work;
use super::{JobRun, RunResult, probe_all_but_indexes, programs, reach, serving, web};
use crate::exit::{usage, usage_of};

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
    // A trial that is stopped leaves what the trials before it have found.
    let starting = interrupts.starting(session.talk != Talk::None);
    let corpora = jobs.iter().map(read).collect::<anyhow::Result<Vec<_>>>()?;
    let named: Vec<_> = jobs.iter().map(|job| (job.name.as_str(), &job.plan)).collect();
    // The jobs of a command have its links in common.
    let links = jobs.first().map(|job| Links::of(&job.options)).transpose()?.unwrap_or_default();
    links.check(jobs.len())?;
    let prepared = Services::prepare(&named, shares(jobs, session.fair), session.seed, &links)?;
    let claims = jobs.iter().zip(&corpora).map(|(job, corpora)| Folder::claim(job, corpora));
    let folders = claims.collect::<anyhow::Result<Vec<_>>>()?;
    drop(starting);
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
    let unread = services.as_ref().map_or(0, Services::unread);
    if unread > 0 && session.talk != Talk::None {
        eprintln!(
            "warning: the journal is damaged in {unread} places, or a write was cut off there; answers \
             that cannot be read are asked for and paid again"
        );
    }
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
        let built = Vec::new();
        let earlier = folder.earlier.clone().unwrap_or_default();
        let generations = Generations::new(job, &links.of_job(number)?, interrupts)?;
        let mut work =
            Work { job, report, access, display, origin_ns, seed, built, earlier, generations };
        work.build(corpora, interrupts)?;
        work.announce(folder, if access.is_some() { paid } else { 0 });
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
    let endpoints = services.as_ref().map(Services::stats);
    if let Some(services) = services {
        services.end(interrupts, session.talk != Talk::None);
    }
    Ok(Executed { results, endpoints })
}

/// Check all that can be wrong with a job before anything is started; gives the documents of the
/// indexes it has yet to build.
fn read(job: &JobRun) -> anyhow::Result<Vec<Corpus>> {
    if job.options.launch.remote() && reads_stdin(&job.plan) {
        return Err(usage(format!(
            "flow {}: its source is the standard input of this process, which workers on other \
             hosts cannot read; write the records to a file that all hosts see, or run it with \
             --launcher local",
            job.plan.name
        )));
    }
    serving::check(&job.plan, &job.options)?;
    web::check(&job.plan, &job.options)?;
    programs::check(&job.plan, job.options.allow_exec, job.options.launch.remote())?;
    if job.options.launch.comes_back() {
        // There is a place for it, before anything is started.
        crate::jobs::credentials_file()?;
    }
    // Of other launchers the output of the first worker comes back to this process.
    if job.options.launch.comes_back()
        && let Some(sink) = job.plan.sinks.iter().find(|sink| sink.kind == "stdout")
    {
        return Err(usage(format!(
            "flow {}: sink {} is the standard output, and of workers that join by themselves that is \
             not this process's; write to a file, or run it with --launcher local",
            job.plan.name, sink.name
        )));
    }
    probe_all_but_indexes(&job.plan)?;
    reach(&job.plan)?;
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

/// Whether a plan's records come from the standard input.
pub(super) fn reads_stdin(plan: &Plan) -> bool {
    plan.source().is_some_and(|source| source.kind == "stdin")
}
