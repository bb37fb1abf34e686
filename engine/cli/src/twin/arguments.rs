//! What the command line says of simulated runs.

use std::path::PathBuf;

use clap::Args;
use sage_core::policies;
use sage_dsl::experiment::{Arrivals, MAX_NODES, NodeFailure};
use sage_dsl::plan::Plan;
use sage_twin::model::SPEEDS;

use super::{Cluster, TwinJob, TwinRun};
use crate::exit::usage;
use crate::program;
use crate::run::changes::{Changes, concurrency};
use crate::run::{arrivals, parse_stagger};

/// Times of a run are shorter.
const YEAR_NS: u64 = 365 * 24 * 3600 * 1_000_000_000;
/// Nodes of a simulated run that is not told how many.
const USUAL_NODES: usize = 4;

/// Options that say what is simulated, of several verbs.
#[derive(Debug, Args)]
pub(crate) struct TwinArguments {
    /// Nodes, one worker process each [default: 4]
    #[arg(long, short, value_name = "N")]
    pub(crate) workers: Option<usize>,
    /// Tasks a worker executes at once (overrides `schedule`)
    #[arg(long, value_name = "S")]
    pub(crate) slots: Option<u32>,
    /// Scheduling policy, with arguments (overrides `schedule`)
    #[arg(long, value_name = "NAME")]
    pub(crate) scheduler: Option<String>,
    /// Calls in flight at an endpoint, over all workers: a number or `auto`
    #[arg(long, value_name = "N|auto")]
    pub(crate) concurrency: Option<String>,
    /// Use this endpoint in place of the program's: sim:PROFILE[@SPEED]
    #[arg(long, value_name = "URL")]
    pub(crate) endpoint: Option<String>,
    /// Machine and model that stand in for servers that are not simulated ones: a name of
    /// `sage-flow list profiles`, or a file of `sage-flow calibrate`
    #[arg(long, value_name = "PROFILE")]
    pub(crate) profile: Option<String>,
    /// Exactly N records: cut the source when it is longer, read it again when it is shorter
    #[arg(long, value_name = "N", conflicts_with = "limit")]
    pub(crate) tasks: Option<u64>,
    /// At most N records
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,
    /// Records that arrive per second, evenly spaced (`20`, `20/s`, `600/min`)
    #[arg(long, value_name = "R/s")]
    pub(crate) rate: Option<String>,
    /// How records arrive: batch, constant(20/s), poisson(20/s), burst(50, every: 10s), trace(FILE)
    #[arg(long, value_name = "HOW", conflicts_with = "rate")]
    pub(crate) arrivals: Option<String>,
    /// Seed of all that is drawn: choices of the scheduling policy, arrivals, costs and answers of
    /// stages, texts and faults of the simulated endpoint [default: 0]
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// All nodes on one host with C cores; without it each node has a host of its own. To compare
    /// with `run` on this machine, give this and --workers
    #[arg(long, value_name = "C")]
    pub(crate) cores: Option<f64>,
    /// Relative speeds of the nodes, repeated over them (`1,0.5`)
    #[arg(long, value_name = "X,X", value_delimiter = ',')]
    pub(crate) speeds: Vec<f64>,
    /// A node that is lost on the way: NODE@TIME for good, NODE@TIME+FOR for a while (`3@2s+5s`)
    #[arg(long = "fail", value_name = "FAILURE")]
    pub(crate) failures: Vec<String>,
}

impl TwinArguments {
    /// Whether any of them is there.
    pub(crate) fn is_given(&self) -> bool {
        let words = [
            &self.scheduler,
            &self.concurrency,
            &self.endpoint,
            &self.profile,
            &self.rate,
            &self.arrivals,
        ];
        words.into_iter().any(Option::is_some)
            || self.workers.is_some()
            || self.slots.is_some()
            || [self.tasks, self.limit, self.seed].into_iter().any(|number| number.is_some())
            || self.cores.is_some()
            || !self.speeds.is_empty()
            || !self.failures.is_empty()
    }

    /// The run of the flows in `files`.
    pub(crate) fn run(
        &self,
        files: &[PathBuf],
        sets: &[String],
        flow: Option<&str>,
        stagger: Option<&str>,
    ) -> anyhow::Result<TwinRun> {
        let stagger = stagger.map(parse_stagger).transpose()?.unwrap_or_default();
        let plans = files
            .iter()
            .map(|file| Ok((file.clone(), program::one_plan(file, sets, flow)?)))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let mut run = self.of_plans(plans)?;
        for (number, job) in run.jobs.iter_mut().enumerate() {
            job.start_ns = (stagger.as_nanos() as u64).saturating_mul(number as u64);
        }
        Ok(run)
    }

    /// The run of plans from these files, all at once.
    pub(crate) fn of_plans(&self, plans: Vec<(PathBuf, Plan)>) -> anyhow::Result<TwinRun> {
        let workers = self.workers.unwrap_or(USUAL_NODES);
        if !(1..=MAX_NODES as usize).contains(&workers) {
            return Err(usage(format!("--workers {workers}: expected 1 to {MAX_NODES}")));
        }
        for (name, value) in [("--tasks", self.tasks), ("--limit", self.limit)] {
            if value == Some(0) {
                let text = "there would be nothing to do; expected 1 or more";
                return Err(usage(format!("{name} 0: {text}")));
            }
        }
        let changes = self.changes()?;
        let how = match (&self.arrivals, &self.rate) {
            (Some(text), _) => Some(arrivals::parse(text)?),
            (None, Some(rate)) => Some(arrivals::parse_rate(rate)?),
            (None, None) => None,
        };
        if let Some(Arrivals::Burst { every_ns: YEAR_NS.., .. }) = &how {
            return Err(usage("--arrivals: bursts are at most a year (8760h) apart"));
        }
        let mut jobs: Vec<TwinJob> = Vec::new();
        for (program, mut plan) in plans {
            changes.apply(&mut plan)?;
            let taken = |name: &str| jobs.iter().any(|job: &TwinJob| job.name == name);
            let numbered = (2..).map(|number| format!("{}-{number}", plan.name));
            let mut names = std::iter::once(plan.name.clone()).chain(numbered);
            let name = names.find(|name| !taken(name)).unwrap_or_default();
            plan.name.clone_from(&name);
            jobs.push(TwinJob {
                name,
                program,
                plan,
                workers,
                tasks: self.tasks,
                limit: self.limit,
                arrivals: how.clone(),
                share: 1.0,
                start_ns: 0,
            });
        }
        let profile = self.profile.as_deref().map(stand_in).transpose()?;
        let cluster = self.cluster(workers)?;
        Ok(TwinRun { jobs, seed: self.seed.unwrap_or(0), fair: true, cluster, profile })
    }

    fn changes(&self) -> anyhow::Result<Changes> {
        let policy = self.scheduler.as_deref().map(policies::parse).transpose();
        let policy = policy.map_err(|error| usage(format!("--scheduler: {error}")))?;
        for (name, value) in policy.iter().flat_map(|(_, arguments)| arguments) {
            if value.as_duration_ns().is_some_and(|ns| ns >= YEAR_NS as i64) {
                return Err(usage(format!(
                    "--scheduler: `{name}` is too long for a run; give less than a year (8760h)"
                )));
            }
        }
        Ok(Changes {
            policy,
            slots: self.slots,
            endpoint: self.endpoint.clone(),
            concurrency: self.concurrency.as_deref().map(concurrency).transpose()?,
            ..Changes::default()
        })
    }

    fn cluster(&self, nodes: usize) -> anyhow::Result<Cluster> {
        let positive = |x: f64| x.is_finite() && x > 0.0;
        if let Some(cores) = self.cores.filter(|cores| !positive(*cores)) {
            return Err(usage(format!("--cores {cores}: expected a number above 0")));
        }
        if let Some(speed) = self.speeds.iter().find(|speed| !SPEEDS.contains(speed)) {
            let (least, most) = (SPEEDS.start(), SPEEDS.end());
            return Err(usage(format!(
                "--speeds {speed:?}: expected numbers from {least} to {most}, such as 1,0.5"
            )));
        }
        let failures = self.failures.iter().map(|text| failure(text, nodes));
        Ok(Cluster {
            cores: self.cores,
            speeds: self.speeds.clone(),
            failures: failures.collect::<anyhow::Result<_>>()?,
        })
    }
}

/// A profile by name or file, in the form of an endpoint's address.
pub(crate) fn stand_in(name: &str) -> anyhow::Result<sage_core::vllm::Profile> {
    let bare = name.strip_prefix("sim:").unwrap_or(name);
    sage_llm::simulator::parse_url(&format!("sim:{bare}"))
        .map(|(profile, _)| profile)
        .map_err(|error| usage(format!("--profile {name}: {error}")))
}

/// `3@2s`, `3@2s+5s`.
fn failure(text: &str, nodes: usize) -> anyhow::Result<NodeFailure> {
    let wrong = |what: &str| {
        usage(format!(
            "--fail {text}: {what}; expected NODE@TIME or NODE@TIME+FOR, such as 3@2s+5s"
        ))
    };
    let time = |text: &str| {
        let time = humantime::parse_duration(text.trim());
        time.map(|time| time.as_nanos() as u64).map_err(|error| wrong(&error.to_string()))
    };
    let (node, when) = text.split_once('@').ok_or_else(|| wrong("there is no `@`"))?;
    let node: u32 = node.trim().parse().map_err(|_| wrong("the node is no number"))?;
    if node as usize >= nodes {
        return Err(wrong(&format!("there are nodes 0 to {}", nodes - 1)));
    }
    if node == 0 && !when.contains('+') {
        return Err(wrong("node 0 is lost for good, and source and scheduler are there"));
    }
    let (at, lasts) = match when.split_once('+') {
        Some((at, lasts)) => (at, Some(time(lasts)?)),
        None => (when, None),
    };
    Ok(NodeFailure { node, at_ns: time(at)?, for_ns: lasts })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_read_and_bad_ones_refused_with_the_form() {
        let good = failure("3@20s+500ms", 4).unwrap();
        let expected = NodeFailure { node: 3, at_ns: 20_000_000_000, for_ns: Some(500_000_000) };
        assert_eq!(good, expected);
        assert_eq!(failure("1@1min", 2).unwrap().for_ns, None);
        for text in ["3", "x@1s", "4@1s", "-1@1s", "1@", "1@5", "1@5s+", "1@5s+x", "0@1s"] {
            let error = failure(text, 4).unwrap_err().to_string();
            assert!(error.contains("3@2s+5s"), "{text}: {error}");
        }
    }
}
