//! `Event`: the one measurement type, emitted by dataflow, gateway and twin alike.
//!
//! Plain old data of 48 bytes without padding, so that a batch of events crosses process
//! boundaries as bytes, without encoding. All times are nanoseconds since the run began, on the
//! host's monotonic clock.

use bytemuck::{Pod, Zeroable};

/// One thing that happened to one task.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Pod, Zeroable)]
pub struct Event {
    /// Task number, in source order.
    pub task: u64,
    /// When, nanoseconds since the run began.
    pub at_ns: u64,
    /// Depends on the kind; see [`Kind`].
    pub value: u64,
    /// Depends on the kind; see [`Kind`].
    pub extra: u64,
    /// Worker (node) number.
    pub node: u32,
    /// Number of records in the task.
    pub records: u32,
    /// Job number within the run.
    pub job: u16,
    /// Position among the plan's stages, where the kind has one.
    pub stage: u16,
    /// A [`Kind`] as a number.
    pub kind: u16,
    /// Depends on the kind; see [`Kind`].
    pub detail: u16,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u16)]
pub enum Kind {
    /// The task entered the scheduler's queue.
    Arrived = 0,
    /// A worker was chosen. `value` = nanoseconds spent inside the policy, `extra` = queue length,
    /// `detail` = 1 when no policy was asked because nothing was left to place.
    Decided = 1,
    /// The task is in the worker's hands.
    Dispatched = 2,
    /// Its first expensive stage began.
    Started = 3,
    /// A stage is done for this task. `value` = nanoseconds it took, `extra` = prompt tokens in the
    /// upper and generated tokens in the lower 32 bits, as far as they were paid for with its calls,
    /// `detail` = tries (0 for local stages).
    StageDone = 4,
    /// The first token of a streamed answer came. `value` = nanoseconds since the call was made.
    FirstToken = 5,
    /// All records of the task have an outcome. `value` = records that succeeded, `extra` = records
    /// dead-lettered, `detail` = most tries of any call. Records filtered out count as succeeded.
    Completed = 6,
    /// A stage failed for one record of the task. `detail` = tries; `stage` is beyond the plan's
    /// stages where a filter or an `emit` failed.
    Failed = 7,
    /// The task is late: its deadline passed before it ran, or before all was asked that it needs.
    Shed = 8,
    /// A call was tried again. `value` = how often.
    Retried = 9,
    /// A row could not be read from the source: dead before it became a task. `records` = 1.
    Unreadable = 10,
    /// A stage got answers that had been paid for earlier. `value` = how many.
    Cached = 11,
}

impl Kind {
    /// All kinds, in numeric order.
    pub const ALL: [Kind; 12] = [
        Kind::Arrived,
        Kind::Decided,
        Kind::Dispatched,
        Kind::Started,
        Kind::StageDone,
        Kind::FirstToken,
        Kind::Completed,
        Kind::Failed,
        Kind::Shed,
        Kind::Retried,
        Kind::Unreadable,
        Kind::Cached,
    ];
}

impl Event {
    /// An event of `kind` with everything else zero.
    pub fn new(kind: Kind, task: u64, at_ns: u64) -> Self {
        Event { task, at_ns, kind: kind as u16, records: 1, ..Event::zeroed() }
    }

    /// The kind, or `None` for a number no kind has (bytes from a newer peer).
    pub fn kind(&self) -> Option<Kind> {
        Kind::ALL.get(usize::from(self.kind)).copied()
    }

    /// Prompt and generated tokens of a `StageDone`.
    pub fn tokens(&self) -> (u32, u32) {
        ((self.extra >> 32) as u32, self.extra as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_48_bytes_and_kinds_match_their_numbers() {
        assert_eq!(size_of::<Event>(), 48);
        for (number, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, number);
            assert_eq!(Event::new(kind, 0, 0).kind(), Some(kind));
        }
        assert_eq!(Event { kind: 99, ..Event::new(Kind::Arrived, 0, 0) }.kind(), None);
    }
}
