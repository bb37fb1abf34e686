//! What each job has asked of an endpoint; the gateway's accounts, without the stages.

/// Counters of one job at one endpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobStats {
    /// Calls that it submitted.
    pub calls: u64,
    /// Calls with an answer.
    pub ok: u64,
    /// Calls without.
    pub errors: u64,
    /// Tries at a server.
    pub attempts: u64,
    /// Tries after the first.
    pub retries: u64,
    /// Most of its calls that held a permit at once.
    pub max_in_flight: u64,
    /// Prompt tokens.
    pub prompt_tokens: u64,
    /// Generated tokens.
    pub completion_tokens: u64,
}

/// The counters of all jobs. A second try beside a call's first holds a permit, too, but is no call
/// and is not counted as one.
#[derive(Debug)]
pub(super) struct Books {
    jobs: Vec<JobStats>,
    in_flight: Vec<u64>,
}

impl Books {
    pub(super) fn new(jobs: usize) -> Self {
        Books { jobs: vec![JobStats::default(); jobs], in_flight: vec![0; jobs] }
    }

    /// Count something of `job`; there may be no such job.
    pub(super) fn count(&mut self, job: usize, count: impl FnOnce(&mut JobStats)) {
        if let Some(stats) = self.jobs.get_mut(job) {
            count(stats);
        }
    }

    /// A call of `job` has a permit.
    pub(super) fn holds(&mut self, job: usize) {
        if let (Some(stats), Some(now)) = (self.jobs.get_mut(job), self.in_flight.get_mut(job)) {
            *now += 1;
            stats.max_in_flight = stats.max_in_flight.max(*now);
        }
    }

    /// It gives the permit back.
    pub(super) fn lets_go(&mut self, job: usize) {
        if let Some(now) = self.in_flight.get_mut(job) {
            *now = now.saturating_sub(1);
        }
    }

    pub(super) fn jobs(&self) -> Vec<JobStats> {
        self.jobs.clone()
    }
}
