//! `staggered`: tasks enter the fleet one after the other, a gap apart.
//!
//! Workers that all take up their tasks at the same moment reach their calls at the same moment,
//! and a shared model server sees a wave where it could have had a stream: the prompts of the wave
//! are read before any of its answers is written, and everybody waits for everybody. With
//! `staggered(gap: 20ms)` at most one task in 20 ms is placed, over all workers, so at most 50 a
//! second; `burst` of them may follow at once after a pause. Within that it is `load_aware(spread)`.
//!
//! It is not work-conserving: slots may stand idle while tasks wait, and no run is faster than one
//! task a gap. Choose a gap a little below what the server needs for one task, and use it where the
//! gateway does not hold the pace already (`concurrency: auto`).
//!
//! The pace is a token bucket (Turner, "New Directions in Communications (or Which Way to the
//! Information Age?)", 1986), in the form of the generic cell rate algorithm (ITU-T I.371), which is
//! one time stamp in whole nanoseconds.
//!
//! ```
//! use sage_core::policies::{build, parse};
//! use sage_core::schedule::{FleetConfig, Scheduler, Task};
//!
//! let (name, args) = parse("staggered(gap: 20ms)")?;
//! let fleet = FleetConfig::new(2, 2);
//! let mut scheduler = Scheduler::new(build(&name, &args)?, &fleet, 0, 100, None);
//! for id in 0..2 {
//!     scheduler.arrive(Task::new(id, 0), 0)?;
//! }
//! assert!(scheduler.next(0).is_some());
//! assert!(scheduler.next(0).is_none());
//! assert_eq!(scheduler.next_wake_ns(), Some(20_000_000));
//! assert!(scheduler.next(20_000_000).is_some());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use rand::Rng;
use sage_dsl::catalog::{Kind, Param, Signature};

use super::{PolicySpec, Promises};
use crate::schedule::{Fleet, Policy, Task, Verdict};

pub(super) const SPEC: PolicySpec = PolicySpec {
    signature: Signature {
        name: "staggered",
        summary: "tasks enter one after the other, a gap apart",
        params: &[
            Param {
                name: "gap",
                kind: Kind::Duration,
                default: Some("20ms"),
                doc: "time between two tasks that enter the fleet",
            },
            Param {
                name: "burst",
                kind: Kind::Int,
                default: Some("1"),
                doc: "tasks that may enter at once after a pause",
            },
        ],
        example: "schedule { policy: staggered(gap: 20ms, burst: 1) }",
        takes_fields: false,
    },
    promises: Promises {
        work_conserving: false,
        deterministic: true,
        keeps_order: true,
        starves_nobody: true,
    },
    wants: None,
    build: |args| {
        let gap = u64::try_from(args.duration_ns("gap")?).unwrap_or(0);
        let burst = u64::try_from(args.int("burst")?).unwrap_or(0);
        if gap == 0 {
            return Err("`gap` must be longer than 0s".to_owned());
        }
        if burst == 0 {
            return Err("`burst` must be at least 1".to_owned());
        }
        let ahead = gap.saturating_mul(burst - 1);
        Ok(Box::new(Staggered { gap, ahead, even: 0, wake: None }))
    },
};

/// All in nanoseconds.
struct Staggered {
    gap: u64,
    /// How far placements may be ahead of an even pace.
    ahead: u64,
    /// When the next task would be placed at an even pace.
    even: u64,
    /// When the gap is over that the last task was held for.
    wake: Option<u64>,
}

impl Policy for Staggered {
    fn place(&mut self, _task: &Task, fleet: &Fleet, _rng: &mut dyn Rng) -> Verdict {
        self.wake = None;
        let Some(worker) = fleet.spread() else { return Verdict::Hold };
        let due_ns = self.even.saturating_sub(self.ahead);
        if fleet.now_ns < due_ns {
            self.wake = Some(due_ns);
            return Verdict::Hold;
        }
        self.even = self.even.max(fleet.now_ns).saturating_add(self.gap);
        Verdict::Run(worker)
    }

    fn reason(&self) -> &'static str {
        "a gap after the last, fewest in flight"
    }

    fn wake_ns(&self) -> Option<u64> {
        self.wake
    }
}
