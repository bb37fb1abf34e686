//! A run, from the supervisor's side: services, indexes, cluster, supervision, report.

mod indexes;
mod interrupt;
pub(crate) mod job;
pub(crate) mod options;
mod progress;
mod report;
pub(crate) mod services;

use std::collections::BTreeMap;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use anyhow::Context;
use sage_cluster::{Cluster, ClusterConfig, ClusterEvent, LocalLauncher, Lost};
use sage_core::expr::Templates;
use sage_dataflow::{Progress, RunClock, RunSettings, WorkerOutcome};
use sage_dsl::plan::{Plan, lookup};
use sage_dsl::types::Value;
use sage_retrieval::documents::Corpus;

use self::interrupt::Interrupts;
use self::job::{Job, Usage, Word};
use self::options::Options;
use self::progress::Display;
use self::report::{Folder, Report};
use self::services::{JOURNAL, Kept, Prepared, Services};
use crate::exit::{Exit, usage};

/// Supervisor and workers must be the same build.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// After an interrupt, calls in flight have this long to end.
const DRAIN: Duration = Duration::from_secs(30);
/// Workers that are done have this long to go.
const LEAVE: Duration = Duration::from_secs(5);

/// The size of the cluster.
#[derive(Debug, Clone, Copy)]
struct Shape {
    workers: usize,
    slots: u32,
}

/// How the workers fared.
#[derive(Default)]
struct Course {
    progress: Progress,
    outcomes: Vec<WorkerOutcome>,
    /// By worker.
    usage: BTreeMap<usize, Usage>,
    failure: Option<String>,
    interrupted: bool,
}

/// Whether a plan can be run on this host: its inputs are there, its outputs have a place, its
/// prompts can be rendered. Said before anything is started; gives the documents of its indexes,
/// which had to be read for it.
pub(crate) fn probe(plan: &Plan) -> anyhow::Result<Vec<Corpus>> {
    sage_dataflow::sinks::probe(plan, &report::OWN_FILES).map_err(usage)?;
    Templates::compile(&plan.templates).map_err(usage)?;
    sage_dataflow::stages::probe(plan).map_err(usage)?;
    if let Some(source) = plan.source() {
        sage_dataflow::sources::probe(source).map_err(usage)?;
    }
    indexes::read(plan)
}

/// Run `plan` to its end and report.
pub(crate) fn supervise(plan: Plan, options: &Options) -> anyhow::Result<Exit> {
    let origin_ns = RunClock::host_ns();
    let began = Instant::now();
    let corpora = probe(&plan)?;
    let interrupts = Interrupts::listen()?;
    let prepared = Services::prepare(&plan, options.seed)?;
    let folder = Folder::claim(options.out.as_deref(), &plan.name, options.fresh)?;
    let out = folder.path.as_path();
    let open = |prepared: Prepared| {
        let journal = options.journal.clone().unwrap_or_else(|| out.join(JOURNAL));
        prepared.open(Kept::open(&plan, journal)?)
    };
    let services = prepared.map(open).transpose()?;
    let report = Report::new(&plan, options, services.as_ref(), out);
    // First of all: a folder with a setup is known as a run's, also when the run fails early.
    report.write_setup()?;
    let index = out.join("index");
    let built = match indexes::build(&plan, corpora, &index, services.as_ref(), &interrupts) {
        Err(_) if interrupts.count() > 0 => {
            eprintln!("interrupted while an index was built; vectors that were paid for are kept");
            return Ok(Exit::Interrupted);
        }
        built => built?,
    };
    let mut display = Display::new(options.quiet, expected(&plan, options));
    if !options.quiet {
        if folder.replaced {
            let paid = services.as_ref().map_or(0, |services| services.journal.stats().entries);
            let reuse = match paid {
                0 => String::new(),
                paid => format!("; its {paid} paid answers are used again (--fresh pays again)"),
            };
            display.say(&format!("replacing the earlier run in {}{reuse}", out.display()));
        }
        display.say(&headline(&report, &plan, options, services.as_ref()));
        built.iter().flat_map(|index| &index.notes).for_each(|note| display.say(note));
    }

    let job = Job {
        plan: plan.clone(),
        settings: RunSettings {
            out: absolute(out)?,
            origin_ns,
            seed: options.seed,
            threads: options.threads,
            tasks: options.tasks,
            limit: options.limit,
            rate: options.rate,
        },
        gateway: services.as_ref().map(|services| services.gateway.clone()),
        token: services.as_ref().map(|services| services.token.clone()).unwrap_or_default(),
        endpoints: services.as_ref().map(|services| services.endpoints.clone()).unwrap_or_default(),
        indexes: built.iter().map(|index| absolute(&index.path)).collect::<Result<_, _>>()?,
    };
    let cluster = start(&plan, options, &job)?;
    let mut course = Course::default();
    let shape = Shape { workers: options.workers, slots: plan.schedule.slots };
    follow(&cluster, &interrupts, &mut course, &mut display, shape);
    let hurry = course.failure.is_some() || interrupts.count() > 1;
    let left = cluster.shutdown(if hurry { Duration::ZERO } else { LEAVE });
    display.finish();
    drop(left);

    report.finish(course, began.elapsed())
}

fn start(plan: &Plan, options: &Options, job: &Job) -> anyhow::Result<Cluster> {
    sage_cluster::check_descriptors(options.workers).map_err(usage)?;
    let config = ClusterConfig::new(options.workers, serde_json::to_vec(job)?, VERSION)?;
    let reads_stdin = plan.source().is_some_and(|source| source.kind == "stdin");
    // Only the gateway needs the endpoints' keys.
    let without = plan.endpoints.iter().filter_map(|endpoint| endpoint.api_key_env.clone());
    let mut launcher = LocalLauncher {
        inherit_stdin: reads_stdin,
        without: without.collect(),
        ..LocalLauncher::default()
    };
    Cluster::start(config, &mut launcher).context("the workers did not start")
}

/// Follow the workers until they are done, one is lost, or the user has had enough.
fn follow(
    cluster: &Cluster,
    interrupts: &Interrupts,
    course: &mut Course,
    display: &mut Display,
    shape: Shape,
) {
    let Shape { workers, slots } = shape;
    let mut finished = 0;
    let mut drained: Option<Instant> = None;
    while finished < workers {
        match interrupts.count() {
            0 => {}
            1 if drained.is_none() => {
                course.interrupted = true;
                drained = Some(Instant::now());
                display.say(
                    "stopping: tasks in flight end, queued ones stay pending (again: stop at once)",
                );
                cluster.drain();
            }
            1 => {}
            _ => {
                course.interrupted = true;
                return;
            }
        }
        if drained.is_some_and(|since| since.elapsed() > DRAIN) {
            let seconds = DRAIN.as_secs();
            course.failure = Some(format!("tasks in flight did not end within {seconds} s"));
            return;
        }
        match cluster.events().recv_timeout(Duration::from_millis(50)) {
            Ok(ClusterEvent::Message { worker, bytes }) => {
                hear(worker, &bytes, course, display, slots, cluster);
            }
            Ok(ClusterEvent::Finished { .. }) => finished += 1,
            Ok(ClusterEvent::Lost(lost)) => {
                let settled = cluster.settle(lost);
                course.failure.get_or_insert_with(|| lost_message(&settled.root));
                return;
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                course.failure.get_or_insert_with(|| "the control channel was lost".into());
                return;
            }
        }
    }
}

fn hear(
    worker: usize,
    bytes: &[u8],
    course: &mut Course,
    display: &mut Display,
    slots: u32,
    cluster: &Cluster,
) {
    match serde_json::from_slice(bytes) {
        Ok(Word::Progress(progress)) => {
            display.update(&progress, slots);
            course.progress = progress;
        }
        Ok(Word::Failure(message)) => {
            // What is in flight may still end; nothing new begins.
            course.failure.get_or_insert(message);
            cluster.drain();
        }
        Ok(Word::Outcome { outcomes, usage }) => {
            if let Some(failure) = outcomes.iter().find_map(|outcome| outcome.failure.clone()) {
                course.failure.get_or_insert(failure);
            }
            course.outcomes.extend(outcomes);
            course.usage.insert(worker, usage);
        }
        Err(error) => {
            course.failure.get_or_insert(format!("a worker said something strange: {error}"));
        }
    }
}

fn lost_message(lost: &Lost) -> String {
    let stderr = lost.last_stderr.trim();
    let said = if stderr.is_empty() {
        String::new()
    } else {
        format!("\nits last words:\n{}", indent(stderr))
    };
    format!(
        "worker {} was lost: {}; results so far are kept; the same run again does not pay again for its answers{said}",
        lost.worker, lost.cause
    )
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
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

fn headline(
    report: &Report<'_>,
    plan: &Plan,
    options: &Options,
    services: Option<&Services>,
) -> String {
    let endpoint = services.map_or_else(String::new, |services| format!(", {}", services.label));
    format!(
        "running {} on {} worker(s) with {} slots, scheduler {}{endpoint} -> {}",
        plan.name,
        options.workers,
        plan.schedule.slots,
        report.scheduler(),
        report.out.display()
    )
}

fn absolute(path: &std::path::Path) -> anyhow::Result<std::path::PathBuf> {
    std::path::absolute(path).with_context(|| format!("`{}` has no absolute path", path.display()))
}
