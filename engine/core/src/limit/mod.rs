//! How fast calls may follow each other.
//!
//! Both are pure: a driver holds one per upstream behind a lock and sleeps where it says wait. They
//! are for one place that sees the calls of all workers, which is why a limit written in a program
//! holds for the cluster and not for each worker.
//!
//! [`RateLimit`] is the one for limits that others enforce by the minute; [`TokenBucket`] is its
//! pace. How many calls may be under way at once is [`crate::fair`]'s and [`crate::limiter`]'s.

mod bucket;
mod rate;

pub use bucket::TokenBucket;
pub use rate::{RateLimit, Reservation};
