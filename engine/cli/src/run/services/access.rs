//! What one job sees of the services.

use sage_cluster::Tls;
use sage_dsl::catalog::EndpointUse;
use sage_dsl::plan::Plan;
use sage_llm::gateway::{EndpointStats, StatsHandle};

/// A job's way to its endpoints.
#[derive(Clone)]
pub(crate) struct Access {
    /// `http://HOST:PORT` of the gateway, or `https://` with certificates.
    pub(crate) gateway: String,
    pub(crate) tls: Option<Tls>,
    /// Token it wants.
    pub(crate) token: String,
    /// The job's name there.
    pub(crate) job: String,
    /// Name at the gateway and model of each of the plan's endpoints, in order.
    pub(crate) endpoints: Vec<(String, String)>,
    /// Labels of the endpoints that generate, else of all.
    pub(crate) label: String,
    /// Whether any of them is simulated.
    pub(crate) simulated: bool,
    /// Whether any is not.
    pub(crate) live: bool,
    pub(super) stats: StatsHandle,
    /// Whether the gateway serves other jobs, too.
    pub(super) shared: bool,
}

impl Access {
    /// What the job has asked of each of its endpoints, by the names of the plan. Limits and servers
    /// are those of all jobs.
    pub(crate) fn stats(&self, plan: &Plan) -> Vec<EndpointStats> {
        let all = self.stats.snapshot().endpoints;
        let mut stats = Vec::new();
        for (endpoint, (name, _)) in plan.endpoints.iter().zip(&self.endpoints) {
            let Some(found) = all.iter().find(|found| found.name == *name) else { continue };
            let mut found = found.clone();
            if self.shared {
                found.total = found.jobs.get(&self.job).cloned().unwrap_or_default();
            }
            found.name.clone_from(&endpoint.name);
            stats.push(found);
        }
        stats
    }
}

/// One label of what `plan` calls, from those of its endpoints.
pub(super) fn label(plan: &Plan, labels: &[String]) -> String {
    let generating: Vec<usize> = plan
        .stages()
        .filter(|stage| stage.calls == EndpointUse::Generate)
        .filter_map(|stage| stage.endpoint)
        .collect();
    let mut shown: Vec<&str> = Vec::new();
    for (i, label) in labels.iter().enumerate() {
        let counts = generating.is_empty() || generating.contains(&i);
        if counts && !shown.contains(&label.as_str()) {
            shown.push(label);
        }
    }
    shown.join(", ")
}
