//! The numbers of a gateway that no program sets, for whoever drives its objects.
//!
//! They are together because they hang together: a lease is as long as what it waits for, and the
//! cap of an interval is a part of what a call may take. Times are in nanoseconds.

use crate::limiter::LimiterConfig;
use crate::retry::Trip;

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;

/// Most servers of an endpoint: a set of them is a word of 64 bits.
pub const MAX_SERVERS: usize = 64;
/// Most texts of a call to an embedding model: as many as OpenAI's own service takes.
pub const MAX_TEXTS: usize = 2048;

/// Time of a call that brings no deadline.
pub const DEFAULT_DEADLINE_NS: u64 = 120 * SECOND;
/// What the next on a call's way is told less than there is, at most: its word that the time is up
/// says more than that of the one who waits, so it should come first.
const HOP_MARGIN_NS: u64 = 50 * MS;
/// Longest time until a connection is made.
pub const CONNECT_TIMEOUT_NS: u64 = 5 * SECOND;

/// Answer tokens that are expected of a call before any like it was answered.
pub const USUAL_ANSWER: f64 = 128.0;
/// Kinds of calls (stages of jobs) whose answers are told apart.
pub const MAX_KINDS: usize = 4_096;
/// Tokens that are taken for the answer of a call that names no limit, as no embedding does.
pub const UNNAMED_ANSWER: f64 = 256.0;
/// Bytes of text that are taken for a token where nobody has counted.
pub const BYTES_OF_A_TOKEN: usize = 4;
/// Tokens of the beginning by which prompts are alike: of the order of what system prompts and
/// instructions take.
pub const BEGINNING_TOKENS: usize = 256;

/// The limit that `auto` begins with.
pub const INITIAL_LIMIT: u32 = 32;
/// Retries at once besides the share of the calls, where the number of places is found out.
pub const USUAL_PLACES: u32 = 64;
/// Least retries at once.
pub const LEAST_BURST: u32 = 10;
/// A try that was shed cost the server nothing, so there may be so many times more of them than of
/// others.
pub const SHED_FACTOR: u32 = 4;
/// Failures in a row that say that a server cannot keep up.
pub const RUN_OF_FAILURES: u32 = 3;

/// Probes of a server that cannot be reached: at first so far apart, at most so far.
pub const PROBE_NS: (u64, u64) = (50 * MS, 500 * MS);
/// A probe that does not report within this time is lost: a second more than it takes at most.
pub const PROBE_LEASE_NS: u64 = CONNECT_TIMEOUT_NS + SECOND;
/// Calls that fail one after the other until a server is left alone, but for one at a time that
/// tries it: at first so far apart, at most so far. A trial is lost after the longest time of a call.
pub const TRIP: Trip =
    Trip { failures: 10, base_ns: 250 * MS, cap_ns: 5 * SECOND, lease_ns: DEFAULT_DEADLINE_NS };
/// Refusals in a row until a server is left alone by all calls.
pub const QUIET_AFTER: u32 = 3;
/// Longest time of that, whatever it asks for.
pub const LONGEST_QUIET_NS: u64 = 60 * SECOND;
/// How long one call that tries the server after that may say nothing.
pub const QUIET_LEASE_NS: u64 = 2 * SECOND;
/// A call that finds all places taken looks again after so long, or at news.
pub const LOOK_AGAIN_NS: u64 = SECOND;

/// A time without an answer that counts against a server: as a multiple of the usual one ...
pub const LONG_FACTOR: f64 = 4.0;
/// ... at least so long ...
pub const LEAST_LONG_NS: u64 = SECOND;
/// ... and so long where nothing is usual yet.
pub const LONG_NS: u64 = 10 * SECOND;

/// Between two looks at a server's metrics: at least, and at most.
pub const POLL_NS: (u64, u64) = (200 * MS, SECOND);

/// Retries at once besides the share of the calls: one for each place, because a restarted server
/// cuts all calls it had. `fixed` is the number of places if it is set, `max` what `auto` may reach.
pub fn retry_burst(fixed: Option<u32>, max: u32) -> f64 {
    f64::from(fixed.unwrap_or(max.min(USUAL_PLACES)).max(LEAST_BURST))
}

/// The limiter of a server whose limit is found out, up to `max`.
pub fn limiter(max: u32, latency_target_ns: Option<u64>) -> LimiterConfig {
    let max = max.max(1);
    LimiterConfig { min: 1, initial: INITIAL_LIMIT.min(max), max, latency_target_ns }
}

/// How long the next on a call's way is told that the call may take, of `left_ns`: whole
/// milliseconds, at least one.
pub fn told_ms(left_ns: u64) -> u64 {
    (left_ns.saturating_sub(HOP_MARGIN_NS.min(left_ns / 10)) / MS).max(1)
}

#[cfg(test)]
mod tests {
    use super::told_ms;

    #[test]
    fn the_next_hop_has_less_time_but_some() {
        assert_eq!(told_ms(6_000 * super::MS), 5_950);
        assert_eq!(told_ms(100 * super::MS), 90);
        assert_eq!((told_ms(1), told_ms(0)), (1, 1));
        assert_eq!(told_ms(u64::MAX), (u64::MAX - 50 * super::MS) / super::MS);
    }
}
