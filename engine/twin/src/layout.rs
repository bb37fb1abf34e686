//! `Layout`: the operators of one job on a dataflow thread, by number.
//!
//! ```text
//! 0 source, 1.. before, schedule, receive, .. behind, complete
//! ```
//! The order is that of the live engine, whose worker steps its active operators by number: what an
//! operator sends to a later one is taken up in the same step, what goes back waits for the next.

use crate::model::{Demand, Job, Segment, Work};

/// Number of the source.
pub(crate) const SOURCE: usize = 0;
/// Most operators of a job: one bit each in the set of those that are active.
pub(crate) const MOST_OPERATORS: usize = 128;

/// One job's plan, ready to be asked.
#[derive(Debug)]
pub(crate) struct Layout<'m> {
    pub(crate) job: &'m Job,
    /// Position among the jobs.
    pub(crate) number: u16,
    pub(crate) schedule: usize,
    pub(crate) receive: usize,
    pub(crate) complete: usize,
    /// Stages behind the scheduling operator.
    behind: Vec<u16>,
    /// Whether any record is dropped or fails by its demand.
    pub(crate) losses: bool,
}

impl<'m> Layout<'m> {
    pub(crate) fn new(job: &'m Job, number: u16) -> Self {
        let schedule = job.before.len() + 1;
        let receive = schedule + 1;
        let losses = |demand: &Demand| demand.dropped_at.is_some() || demand.fails_at.is_some();
        Layout {
            job,
            number,
            schedule,
            receive,
            complete: receive + job.behind.len() + 1,
            behind: job.behind.iter().flat_map(stages).collect(),
            losses: job.demands.iter().any(losses),
        }
    }

    /// Operators of a job with these segments.
    pub(crate) fn operators(job: &Job) -> usize {
        job.before.len() + job.behind.len() + 4
    }

    /// The segment that an operator is, if it is one.
    pub(crate) fn segment(&self, operator: usize) -> Option<&'m Segment> {
        if operator < self.schedule {
            self.job.before.get(operator.checked_sub(1)?)
        } else {
            self.job.behind.get(operator.checked_sub(self.receive + 1)?)
        }
    }

    /// What a record asks of the stages behind the scheduling operator.
    pub(crate) fn behind<'d>(&self, demand: &'d Demand) -> impl Iterator<Item = &'d Work> {
        self.behind.iter().filter_map(|stage| demand.work.get(usize::from(*stage)))
    }

    /// Whether an operator stands on the first node alone: what it holds outlives a loss of that
    /// node.
    pub(crate) fn coordinates(&self, operator: usize) -> bool {
        operator <= self.schedule
    }

    /// What record number `record` asks.
    pub(crate) fn demand(&self, record: u64) -> &'m Demand {
        let demands = &self.job.demands;
        &demands[(record % demands.len() as u64) as usize]
    }
}

fn stages(segment: &Segment) -> Vec<u16> {
    match segment {
        Segment::Local { stages } => stages.clone(),
        Segment::Ask { members } => members.iter().map(|member| member.stage).collect(),
    }
}
