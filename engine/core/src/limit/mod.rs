//! How many calls may be at an upstream at once, and how fast they may follow each other.
//!
//! All are pure: a driver holds one of each per upstream behind a lock, sleeps where they say wait
//! and wakes whom they name. They are for one place that sees the calls of all workers, which is why
//! a limit written in a program holds for the cluster and not for each worker.
//!
//! [`RateLimit`] is the one for limits that others enforce by the minute; [`TokenBucket`] is its
//! pace; [`ConcurrencyLimit`] is a line without fairness ([`crate::fair`] has it with).

mod bucket;
mod concurrency;
mod rate;

pub use bucket::TokenBucket;
pub use concurrency::{Admission, ConcurrencyLimit, Ticket};
pub use rate::{RateLimit, Reservation};
