//! `Task`: the unit that is scheduled, and committed.

/// One record of an expensive flow, or a morsel of many records of a cheap one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Task {
    /// Number in source order; unique within a run.
    pub id: u64,
    /// Higher runs first, if the policy looks at it.
    pub priority: i64,
    /// When it entered the queue, nanoseconds since the run began.
    pub arrived_ns: u64,
    /// Records in it.
    pub records: u32,
    /// Expected service time from the stages' cost models, where there is one.
    pub expected_ns: Option<u64>,
    /// When its result is wanted, nanoseconds since the run began, if ever.
    pub due_ns: Option<u64>,
    /// Whose it is; 0 where nobody asked. Equal numbers are one tenant.
    pub flow: u64,
    /// What it has in common with others that run best together; 0 for nothing.
    pub affinity: u64,
    /// Expected time of its longest chain of stages, if known: what is left of it when it starts.
    pub critical_ns: Option<u64>,
}

impl Task {
    /// A task of one record, priority 0, without a cost estimate.
    pub fn new(id: u64, arrived_ns: u64) -> Self {
        Task {
            id,
            priority: 0,
            arrived_ns,
            records: 1,
            expected_ns: None,
            due_ns: None,
            flow: 0,
            affinity: 0,
            critical_ns: None,
        }
    }
}
