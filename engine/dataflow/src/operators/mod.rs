//! The operators a plan becomes: one file each.
//!
//! ```text
//! source -> (fused cheap stages) -> schedule -> exchange -> receive -> fused | call ... -> complete
//!                                      ^                                                   |  |  |
//!                                      '------------------- feedback: done ----------------'  |  '- printed -> print, replies -> reply
//!                                                           events -> measure, counted -> tally
//! ```
//! All data is stamped one tick ahead of a capability that the source keeps until the last task is
//! done. So no message is ever at the frontier, and timely's workers broadcast no progress while
//! tasks come and go; the frontier moves once, at the end, and proves that nothing is left.

mod call;
mod complete;
mod fused;
mod held;
mod measure;
mod print;
mod receive;
mod reply;
mod schedule;
mod source;
mod tally;

pub(crate) use call::{Member, call, corrected};
pub(crate) use complete::{Emit, complete};
pub(crate) use fused::{Fused, Guarded, Step, fused};
pub(crate) use held::Held;
pub use measure::TASKS;
pub(crate) use measure::{Measurements, measure};
pub(crate) use print::print;
pub(crate) use receive::{Slots, receive};
pub(crate) use reply::{failed, reply, reply_of};
pub(crate) use schedule::{SchedulerSettings, schedule};
pub(crate) use source::{SourceSettings, source};
pub(crate) use tally::tally;

/// The dataflow's time. 0 is the source's promise, 1 the data; see the module text.
pub(crate) type Time = u64;

/// A stream of tasks.
pub(crate) type Tasks<'s> = timely::dataflow::StreamVec<'s, Time, crate::task::Task>;
