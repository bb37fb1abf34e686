//! Trials with real worker processes: `--on sim` and `--on live`.
//!
//! A trial is run as `run` would run it, but for three things. Nothing is carried over from one
//! trial to the next that could make it faster, so answers are paid anew each time; what only costs
//! time before the first record is done once for all trials (see `IndexCache`); and the records of
//! every job arrive from a moment that is named when all workers are ready.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use sage_cluster::MAX_LOCAL_WORKERS;
use sage_dataflow::is_served;
use sage_dataflow::sources::is_live;
use sage_dsl::catalog::EndpointUse;
use sage_dsl::experiment::Backend as Place;
use sage_dsl::plan::{EndpointPlan, Plan, SinkPlan};
use sage_dsl::types::Value;
use sage_lab::trial::{Backend, Trial, TrialError, TrialJob};
use serde_json::{Map, json};

use crate::exit::Exit;
use crate::program;
use crate::run::changes::Changes;
use crate::run::launch::Launch;
use crate::run::links::LinkArguments;
use crate::run::loss::OnLoss;
use crate::run::options::Options;
use crate::run::services::Places;
use crate::run::{
    Executed, IndexCache, Interrupts, JobRun, LOCK, Session, Stopped, Talk, execute, facts,
};

/// Runs trials with worker processes on this host.
pub(crate) struct ProcessBackend {
    place: Place,
    interrupts: Interrupts,
    indexes: IndexCache,
    allow_exec: bool,
    allow_http: Vec<String>,
    /// Sinks of which it was said that their rows go to a file; none is said of in quiet.
    told: Option<BTreeSet<String>>,
}

/// A trial that is interrupted has no result, so there is little to wait for: what was paid for is
/// cut off after the time that a run gives it.
pub(super) const DRAIN: Duration = Duration::from_secs(30);

/// Where a trial keeps answers while it runs, in its folder.
const KEPT: [&str; 2] = [".journal", ".content"];

impl ProcessBackend {
    /// A backend for `Place::Sim` or `Place::Live`. It listens for interrupts from now on.
    /// Flows that run programs of this machine, or speak to other hosts, are refused unless they are
    /// allowed to.
    pub(crate) fn new(
        place: Place,
        allow_exec: bool,
        allow_http: &[String],
        quiet: bool,
    ) -> anyhow::Result<Self> {
        let (interrupts, indexes) = (Interrupts::listen()?, IndexCache::new()?);
        let allow_http = allow_http.to_vec();
        let told = (!quiet).then(BTreeSet::new);
        Ok(ProcessBackend { place, interrupts, indexes, allow_exec, allow_http, told })
    }

    fn job(&mut self, trial: &Trial, job: &TrialJob, folder: &Path) -> Result<JobRun, TrialError> {
        let mut plan = plan(job)?;
        let changes = Changes {
            policy: job.policy.clone(),
            slots: job.slots,
            queue: job.queue,
            deadline_ns: job.deadline_ns,
            endpoint: job.endpoint.clone(),
            concurrency: job.concurrency,
        };
        changes.apply(&mut plan).map_err(failed)?;
        check_endpoints(self.place, job, &plan)?;
        check_streams(job, &mut plan, self.told.as_mut())?;
        let indexes = match self.indexes.indexes(&plan, &self.interrupts) {
            Err(stopped) if stopped.is::<Stopped>() => return Err(TrialError::Interrupted),
            indexes => indexes.map_err(failed)?,
        };
        let options = Options {
            program: job.file.clone().into(),
            workers: job.nodes as usize,
            launch: Launch::Local,
            threads: 1,
            tasks: job.tasks,
            limit: None,
            arrivals: Some(job.arrivals.clone()),
            seed: trial.seed,
            out: Some(folder.join(&job.name)),
            fresh: true,
            // The others would have had less company than they were to have.
            on_loss: OnLoss::Fail,
            journal: None,
            drain: DRAIN,
            quiet: true,
            json: false,
            strict_slo: false,
            allow_exec: self.allow_exec,
            allow_http: self.allow_http.clone(),
            listen: None,
            links: LinkArguments::default(),
        };
        Ok(JobRun {
            name: job.name.clone(),
            plan,
            options,
            share: job.share,
            start_ns: job.start_ns,
            indexes: Some(indexes),
        })
    }

    fn execute(&mut self, trial: &Trial, folder: &Path) -> Result<(), TrialError> {
        let jobs = trial
            .jobs
            .iter()
            .map(|job| self.job(trial, job, folder))
            .collect::<Result<Vec<_>, _>>()?;
        let [journal, content] = KEPT.map(|name| folder.join(name));
        // What was not paid for need not be durable, and beside simulated time, which may run many
        // times faster than the clock, the disk would look slow.
        let journal = Some(journal).filter(|_| self.place == Place::Live);
        let session = Session {
            seed: trial.seed,
            fair: trial.fair,
            held: true,
            places: Some(Places { journal, content: Some(content) }),
            talk: Talk::None,
        };
        let mut executed = match execute(&jobs, &session, &self.interrupts) {
            Err(stopped) if stopped.is::<Stopped>() => return Err(TrialError::Interrupted),
            executed => executed.map_err(failed)?,
        };
        let mut about = Map::new();
        about.insert("experiment".into(), json!(trial.experiment));
        about.insert("id".into(), json!(trial.id));
        about.insert("point".into(), json!(trial.point));
        about.insert("repeat".into(), json!(trial.repeat));
        about.insert("solo".into(), json!(trial.solo));
        about.insert("place".into(), json!(self.place.as_str()));
        facts::write(&jobs, &mut executed, trial.fair, folder, about).map_err(failed)?;
        self.outcome(&executed, trial)
    }

    /// Late or dead records are a result; a job that broke off makes the whole trial none, since the
    /// others had less company than they were to have.
    fn outcome(&self, executed: &Executed, trial: &Trial) -> Result<(), TrialError> {
        if self.interrupts.count() > 0 {
            return Err(TrialError::Interrupted);
        }
        for (job, result) in trial.jobs.iter().zip(&executed.results) {
            let broken = match result {
                Err(error) => format!("{error:#}"),
                Ok(result) if matches!(result.exit, Exit::Complete | Exit::Incomplete) => continue,
                Ok(result) => result.complaints.join("; "),
            };
            return Err(TrialError::Failed(format!("job `{}`: {broken}", job.name)));
        }
        Ok(())
    }
}

impl Backend for ProcessBackend {
    fn place(&self) -> Place {
        self.place
    }

    fn run(&mut self, trial: &Trial, folder: &Path) -> Result<(), TrialError> {
        if self.interrupts.count() > 0 {
            return Err(TrialError::Interrupted);
        }
        possible(trial)?;
        fs::create_dir_all(folder).map_err(|error| {
            TrialError::Failed(format!("cannot make the folder `{}`: {error}", folder.display()))
        })?;
        // An earlier attempt may have left answers.
        let clean = || KEPT.iter().for_each(|name| drop(fs::remove_dir_all(folder.join(name))));
        clean();
        // The largest memory of this trial is asked for, not that of all since the process began. A
        // system without this shows the latter.
        let _ = fs::write("/proc/self/clear_refs", "5");
        let done = self.execute(trial, folder);
        clean();
        for job in &trial.jobs {
            let _ = fs::remove_file(folder.join(&job.name).join(LOCK));
        }
        done
    }
}

fn failed(error: impl std::fmt::Display) -> TrialError {
    TrialError::Failed(format!("{error:#}"))
}

/// What worker processes on this host cannot do at all.
fn possible(trial: &Trial) -> Result<(), TrialError> {
    let not = |why: String| Err(TrialError::NotPossible(why));
    if !trial.failures.is_empty() {
        return not(
            "it loses nodes on the way, and a run ends with the loss of a worker; use --on twin"
                .into(),
        );
    }
    if !trial.speeds.is_empty() {
        return not(
            "its nodes are not equally fast, and those of one host are; use --on twin".into()
        );
    }
    let nodes: u64 = trial.jobs.iter().map(|job| u64::from(job.nodes)).sum();
    if nodes > MAX_LOCAL_WORKERS as u64 {
        return not(format!(
            "it has {nodes} worker processes, and one host takes {MAX_LOCAL_WORKERS}; use --on twin"
        ));
    }
    if let Some(job) = trial.jobs.iter().find(|job| job.nodes == 0) {
        return not(format!("job `{}` has no node", job.name));
    }
    Ok(())
}

/// The job's flow, compiled from its file with those of its params that the program has.
pub(crate) fn plan(job: &TrialJob) -> Result<Plan, TrialError> {
    let path = Path::new(&job.file);
    let compile = |params: &[&(String, Value)]| {
        let sets: Vec<String> =
            params.iter().map(|(name, value)| format!("{name}={}", value.to_set())).collect();
        program::compile(path, &sets).map_err(failed)
    };
    let mut compiled = compile(&[])?;
    // A program that needs a value for a param does not compile without it; then all are given.
    let known: Vec<_> = compiled.plans.iter().flat_map(|plan| &plan.params).collect();
    let given: Vec<_> = job
        .params
        .iter()
        .filter(|(name, _)| compiled.failed() || known.iter().any(|(known, _)| known == name))
        .collect();
    if !given.is_empty() {
        compiled = compile(&given)?;
    }
    if compiled.failed() {
        let text = crate::diagnostics::render(&compiled.diagnostics, &compiled.sources, false);
        return Err(TrialError::Failed(format!("`{}` has mistakes:\n{text}", job.file)));
    }
    let flows: Vec<_> = compiled.plans.iter().map(|plan| plan.name.clone()).collect();
    compiled.plans.into_iter().find(|plan| plan.name == job.flow).ok_or_else(|| {
        let flows = flows.join(", ");
        TrialError::Failed(format!("`{}` has no flow `{}`; it has {flows}", job.file, job.flow))
    })
}

/// On `sim` nothing is asked of a real server; on `live` no generated text is simulated.
fn check_endpoints(place: Place, job: &TrialJob, plan: &Plan) -> Result<(), TrialError> {
    let simulated = |endpoint: &EndpointPlan| {
        let mut urls = std::iter::once(&endpoint.url).chain(&endpoint.replicas);
        urls.all(|url| url.starts_with("sim:"))
    };
    let generates = |at: usize| {
        plan.stages()
            .any(|stage| stage.calls == EndpointUse::Generate && stage.endpoint == Some(at))
    };
    for (at, endpoint) in plan.endpoints.iter().enumerate() {
        let (name, url, file) = (&endpoint.name, &endpoint.url, &job.file);
        match place {
            Place::Sim if !simulated(endpoint) => {
                return Err(TrialError::NotPossible(format!(
                    "endpoint `{name}` of `{file}` is {url}, a real server; give a simulated one \
                     (--endpoint sim:a100/qwen2.5-7b) or use --on live"
                )));
            }
            Place::Live if generates(at) && simulated(endpoint) => {
                return Err(TrialError::NotPossible(format!(
                    "endpoint `{name}` of `{file}` is {url}, which is simulated; give a real server \
                     (--endpoint http://HOST:PORT) or use --on sim"
                )));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Trials have no terminal: rows for the standard output go to a file, and nobody types.
fn check_streams(
    job: &TrialJob,
    plan: &mut Plan,
    mut told: Option<&mut BTreeSet<String>>,
) -> Result<(), TrialError> {
    if plan.source().is_some_and(is_live) {
        return Err(TrialError::NotPossible(format!(
            "flow `{}` reads what comes from outside, which is not the same for each trial; read a file",
            job.flow
        )));
    }
    if plan.source().is_some_and(sage_dataflow::sources::is_endless) {
        return Err(TrialError::NotPossible(format!(
            "flow `{}` reads a source that is looked at again without end; add `until_idle` or `rounds`",
            job.flow
        )));
    }
    if is_served(plan) {
        return Err(TrialError::NotPossible(format!(
            "flow `{}` is a service, and nobody asks it in a trial; read a file of requests",
            job.flow
        )));
    }
    // Nor is what a trial makes meant for others.
    let elsewhere =
        |sink: &&mut SinkPlan| ["stdout", "kafka", "http_post"].contains(&sink.kind.as_str());
    for sink in plan.sinks.iter_mut().filter(elsewhere) {
        let (name, kind) = (&sink.name, &sink.kind);
        if kind != "stdout" && told.as_mut().is_some_and(|told| told.insert(name.clone())) {
            eprintln!(
                "note: sink {name} ({kind}) sends nothing in an experiment; a trial writes its rows to a \
                 file, which is removed with its other rows"
            );
        }
        "jsonl".clone_into(&mut sink.kind);
        sink.args = vec![("path".to_owned(), Value::String(format!("{}.jsonl", sink.name)))];
    }
    Ok(())
}
