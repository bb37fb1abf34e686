//! What all generations of a job's workers have in common: who starts them, where they join, and the
//! secret that they prove.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use sage_cluster::{Cluster, ClusterConfig, ControlPort, Launcher, LocalLauncher, Secret};

use super::execute::reads_stdin;
use super::interrupt::Interrupts;
use super::links::Links;
use super::{JobRun, VERSION};
use crate::exit::usage_of;
use crate::jobs::Watch;

/// How long a run waits for workers that somebody else starts.
const SOMEBODY: Duration = Duration::from_secs(600);

/// See the module.
pub(super) struct Generations {
    launcher: Box<dyn Launcher + Send>,
    secret: Secret,
    links: Links,
    /// Kept open for workers that come back by themselves, and for those that come too early.
    port: Option<ControlPort>,
    patience: Option<Duration>,
    interrupts: Interrupts,
}

impl Generations {
    pub(super) fn new(
        job: &JobRun,
        links: &Links,
        interrupts: &Interrupts,
    ) -> anyhow::Result<Self> {
        let (kind, plan) = (job.options.launcher, &job.plan);
        // Only the gateway needs the endpoints' keys.
        let without = plan.endpoints.iter().filter_map(|endpoint| endpoint.api_key_env.clone());
        let local = LocalLauncher {
            inherit_stdin: reads_stdin(plan),
            without: without.collect(),
            ..LocalLauncher::default()
        };
        let remote = kind.is_remote();
        let open = || ControlPort::open(links.listen).map_err(usage_of);
        Ok(Generations {
            launcher: kind.launcher(&job.name, job.options.workers, local)?,
            secret: Secret::random()?,
            links: links.clone(),
            port: remote.then(open).transpose()?,
            patience: remote.then_some(SOMEBODY),
            interrupts: interrupts.clone(),
        })
    }

    /// Start the workers of one generation, which are given `payload`.
    pub(super) fn start(
        &mut self,
        generation: u32,
        workers: usize,
        payload: Vec<u8>,
        watch: &Watch,
    ) -> anyhow::Result<Cluster> {
        let defaults = ClusterConfig::new(workers, payload, VERSION)?;
        let interrupts = self.interrupts.clone();
        let config = ClusterConfig {
            generation,
            secret: self.secret.clone(),
            listen: self.links.listen,
            port: self.port.clone(),
            transport: self.links.transport.clone(),
            start_deadline: self.patience.unwrap_or(defaults.start_deadline),
            // Those of this host are there before an interrupt would be noticed.
            give_up: self.patience.map(|_| {
                let given_up = move || interrupts.count() > 0;
                Arc::new(given_up) as Arc<dyn Fn() -> bool + Send + Sync>
            }),
            ..defaults
        };
        Cluster::start(config, &mut watch.noting(self.launcher.as_mut()))
            .context("the workers did not start")
    }
}
