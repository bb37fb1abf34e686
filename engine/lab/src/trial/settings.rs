//! What holds for one job at one point: layers of settings, the innermost last.

use std::mem::discriminant;

use sage_dsl::experiment::{Arrivals, JobRef, NodeFailure, Setting};
use sage_dsl::types::Value;

use super::TrialJob;

/// Nodes of a job when nobody says how many.
pub(super) const NODES: u32 = 4;

/// Everything that can be set, as far as it was.
#[derive(Debug, Clone, Default)]
pub(super) struct Settings {
    tasks: Option<u64>,
    nodes: Option<u32>,
    slots: Option<u32>,
    policy: Option<(String, Vec<(String, Value)>)>,
    #[expect(clippy::option_option, reason = "not said, `auto`, a number")]
    concurrency: Option<Option<u32>>,
    endpoint: Option<String>,
    arrivals: Option<Arrivals>,
    share: Option<f64>,
    deadline_ns: Option<u64>,
    queue: Option<u32>,
    params: Vec<(String, Value)>,
    stagger_ns: Option<u64>,
    together: Option<bool>,
    fair: Option<bool>,
    /// Relative speeds of the nodes.
    pub(super) speeds: Vec<f64>,
    /// Nodes that are lost.
    pub(super) failures: Vec<NodeFailure>,
    /// Which jobs run; all without it.
    pub(super) jobs: Option<Vec<String>>,
}

impl Settings {
    /// What all layers come to; a later layer takes the place of an earlier one.
    pub(super) fn of<'s>(layers: impl IntoIterator<Item = &'s [Setting]>) -> Settings {
        let mut settings = Settings::default();
        layers.into_iter().flatten().for_each(|setting| settings.set(setting.clone()));
        settings
    }

    fn set(&mut self, setting: Setting) {
        match setting {
            Setting::Tasks(tasks) => self.tasks = Some(tasks),
            Setting::Nodes(nodes) => self.nodes = Some(nodes),
            Setting::Slots(slots) => self.slots = Some(slots),
            Setting::Policy { name, args } => self.policy = Some((name, args)),
            Setting::Concurrency(concurrency) => self.concurrency = Some(concurrency),
            Setting::Together(together) => self.together = Some(together),
            Setting::StaggerNs(stagger) => self.stagger_ns = Some(stagger),
            Setting::Arrivals(arrivals) => self.arrivals = Some(arrivals),
            Setting::Fair(fair) => self.fair = Some(fair),
            Setting::Share(share) => self.share = Some(share),
            Setting::Endpoint(url) => self.endpoint = Some(url),
            Setting::DeadlineNs(deadline) => self.deadline_ns = Some(deadline),
            Setting::Queue(queue) => self.queue = Some(queue),
            Setting::Speeds(speeds) => self.speeds = speeds,
            Setting::Failures(failures) => self.failures = failures,
            Setting::Jobs(jobs) => self.jobs = Some(jobs),
            Setting::Param { name, value } => {
                match self.params.iter_mut().find(|(have, _)| *have == name) {
                    Some((_, have)) => *have = value,
                    None => self.params.push((name, value)),
                }
            }
        }
    }

    pub(super) fn together(&self) -> bool {
        self.together.unwrap_or(false)
    }

    /// Without a word, the gateway shares fairly.
    pub(super) fn fair(&self) -> bool {
        self.fair.unwrap_or(true)
    }

    pub(super) fn stagger_ns(&self) -> u64 {
        self.stagger_ns.unwrap_or(0)
    }

    /// `job` with these settings, which are those of its own layers.
    pub(super) fn job(self, job: &JobRef, start_ns: u64) -> TrialJob {
        TrialJob {
            name: job.name.clone(),
            flow: job.flow.clone(),
            file: job.file.clone(),
            params: self.params,
            tasks: self.tasks,
            nodes: self.nodes.unwrap_or(NODES),
            slots: self.slots,
            policy: self.policy,
            concurrency: self.concurrency,
            endpoint: self.endpoint,
            arrivals: self.arrivals.unwrap_or_default(),
            start_ns,
            share: self.share.unwrap_or(1.0),
            deadline_ns: self.deadline_ns,
            queue: self.queue,
        }
    }
}

/// Whether two settings are of one thing, so that one takes the place of the other.
pub(super) fn same_kind(one: &Setting, other: &Setting) -> bool {
    match (one, other) {
        (Setting::Param { name: one, .. }, Setting::Param { name: other, .. }) => one == other,
        _ => discriminant(one) == discriminant(other),
    }
}

/// Whether a setting means nothing to a job that runs alone.
pub(super) fn is_of_company(setting: &Setting) -> bool {
    matches!(
        setting,
        Setting::Together(_)
            | Setting::StaggerNs(_)
            | Setting::Fair(_)
            | Setting::Share(_)
            | Setting::Jobs(_)
    )
}

/// Whether two jobs do the same when each runs alone.
pub(crate) fn same_alone(one: &TrialJob, other: &TrialJob) -> bool {
    let alone =
        |job: &TrialJob| TrialJob { name: String::new(), start_ns: 0, share: 1.0, ..job.clone() };
    alone(one) == alone(other)
}
