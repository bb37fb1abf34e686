//! Who goes next when several jobs share one upstream.
//!
//! [`FairQueue`] is start-time fair queueing for a server that works on several calls at once,
//! SFQ(D): Goyal, Vin, Cheng, *Start-time Fair Queuing* (SIGCOMM 1996); Jin, Chase, Kaur,
//! *Interposed Proportional Sharing for a Storage Service Utility* (SIGMETRICS 2004). D is the
//! number of permits, which a controller may change at any time. [`CostEstimator`] says what a call
//! will cost before it has run.
//!
//! # Flows and lanes
//!
//! Two orders meet here. Among **flows** (jobs, tenants) virtual time decides alone; the **lane** of
//! a call orders it among the calls of its own flow only. Were lanes compared across flows, a job
//! that marks every call `control` would take the upstream for itself; so a lane says what a job
//! wants first, never how much it gets. Little is lost by it: a flow that asks for less than its
//! share is served nearly at once whatever its lane, since its start tag is the virtual time.
//!
//! Tags therefore belong to flows. A flow's tag is the finish tag of the call it was last granted;
//! which of its calls gets the next permit is decided when there is one. While a flow is backlogged
//! that is the same as a tag for each call at arrival, and a call that leaves the line needs no
//! repair.

mod cost;
mod flow;
mod queue;

pub use cost::CostEstimator;
pub use queue::FairQueue;

/// A job or tenant that shares the upstream with others. Only good for the queue that made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowId(u32);

/// What a flow is entitled to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share {
    /// Its part of the upstream's work against the parts of others; from 0.001 to 1000 (what lies
    /// outside is moved in, what is no number counts as 1).
    pub weight: f64,
    /// Calls it may have in flight before others are served, however much it has used. Places that
    /// it does not use are used by others.
    pub reserve: u32,
}

impl Default for Share {
    fn default() -> Self {
        Share { weight: 1.0, reserve: 0 }
    }
}

/// One call's name here, in order of arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(u64);

/// Answer to a call that wants a permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It has one.
    Granted(Ticket),
    /// It waits; a later event names its ticket.
    Queued(Ticket),
    /// There is no room for it.
    Full,
}
