//! What an experiment is made of besides its programs: the plans that they compile to, which depend
//! on the environment, too, and every file that is read.
//!
//! A suite that was stopped goes on only if all of this is as it was: otherwise its rows would mix
//! two set-ups.

use std::collections::BTreeMap;
use std::path::Path;

use sage_dataflow::arrivals::read_trace;
use sage_dsl::catalog::{Kind, Signature};
use sage_dsl::experiment::Arrivals;
use sage_dsl::plan::Plan;
use sage_dsl::types::Value;
use sage_lab::trial::{Overrides, Trial, TrialJob};

use super::checksum::{checksum, of_path};
use crate::catalog::catalog;
use crate::exit::{usage, usage_of};

/// Checksums by name, as `setup.json` lists them.
pub(super) fn of(trials: &[Trial], overrides: &Overrides) -> BTreeMap<String, String> {
    let mut inputs = Inputs::default();
    let mut jobs: Vec<&TrialJob> = Vec::new();
    for job in trials.iter().flat_map(|trial| &trial.jobs) {
        if let Arrivals::Trace { path } = &job.arrivals {
            inputs.file(path);
        }
        job.endpoint.iter().for_each(|url| inputs.profile(url));
        let known = |other: &&TrialJob| {
            (&other.file, &other.flow, &other.params) == (&job.file, &job.flow, &job.params)
        };
        // The last is looked at first: jobs that are alike mostly stand together.
        if !jobs.iter().rev().any(known) {
            jobs.push(job);
        }
    }
    for job in jobs {
        inputs.plan(job);
    }
    if let Some(profile) = &overrides.profile {
        inputs.profile(profile);
    }
    inputs.0
}

/// Every trace of arrivals can be read: one that cannot would fail each trial that has it.
pub(super) fn check_traces(trials: &[Trial]) -> anyhow::Result<()> {
    let mut seen: Vec<&str> = Vec::new();
    for job in trials.iter().flat_map(|trial| &trial.jobs) {
        let Arrivals::Trace { path } = &job.arrivals else { continue };
        if seen.contains(&path.as_str()) {
            continue;
        }
        seen.push(path);
        read_trace(Path::new(path)).map_err(|error| {
            let error = usage_of(error);
            usage(format!("arrivals of job `{}`: {error:#}", job.name))
        })?;
    }
    Ok(())
}

#[derive(Default)]
struct Inputs(BTreeMap<String, String>);

impl Inputs {
    fn plan(&mut self, job: &TrialJob) {
        let params = job.params.iter().map(|(name, value)| format!(" {name}={}", value.to_set()));
        let name = format!("flow {} of {}{}", job.flow, job.file, params.collect::<String>());
        // What does not compile is a matter of the trials; here it is only another plan.
        let sum = match super::plan(job) {
            Ok(plan) => {
                self.files_of(&plan);
                serde_json::to_vec(&plan).map_or_else(|error| error.to_string(), |it| checksum(&it))
            }
            Err(error) => format!("no plan, {}", checksum(format!("{error:?}").as_bytes())),
        };
        self.0.insert(name, sum);
    }

    fn files_of(&mut self, plan: &Plan) {
        let catalog = catalog();
        if let Some(source) = plan.source() {
            self.paths(catalog.sources, &source.kind, &source.args);
        }
        for index in &plan.indexes {
            self.paths(catalog.documents, &index.kind, &index.args);
        }
        for endpoint in &plan.endpoints {
            for url in std::iter::once(&endpoint.url).chain(&endpoint.replicas) {
                self.profile(url);
            }
        }
    }

    /// Those of the arguments that are paths.
    fn paths(&mut self, known: &[&Signature], kind: &str, args: &[(String, Value)]) {
        let Some(signature) = known.iter().find(|signature| signature.name == kind) else { return };
        let is_path = |name: &str| {
            let param = signature.params.iter().find(|param| param.name == name);
            param.is_some_and(|param| matches!(param.kind, Kind::Path | Kind::Paths))
        };
        for (_, value) in args.iter().filter(|(name, _)| is_path(name)) {
            let values = match value {
                Value::List(values) => values.as_slice(),
                one => std::slice::from_ref(one),
            };
            for value in values {
                if let Value::String(path) = value {
                    self.file(path);
                }
            }
        }
    }

    /// The file of a profile, if the address `sim:PROFILE[@SPEED]` names one.
    fn profile(&mut self, url: &str) {
        let name = url.strip_prefix("sim:").unwrap_or(url);
        let bare = name.rsplit_once('@').map_or(name, |(bare, _)| bare);
        for path in [name, bare] {
            if Path::new(path).extension().is_some_and(|it| it.eq_ignore_ascii_case("toml")) {
                self.file(path);
                return;
            }
        }
    }

    fn file(&mut self, path: &str) {
        let name = format!("file {path}");
        self.0.entry(name).or_insert_with(|| of_path(Path::new(path)));
    }
}
