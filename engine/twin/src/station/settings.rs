//! The gateway's own numbers: those that no program sets.
//!
//! They are those of `sage_llm::gateway` and of the simulator's HTTP layer, on which this crate must
//! not depend. Change them together; `llm/tests/conformance.rs` compares what both sides do.

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;

/// Most servers of an endpoint.
pub(super) const MAX_SERVERS: usize = 64;
/// Most texts of a call to an embedding model.
pub(super) const MAX_TEXTS: usize = 2048;
/// Most items of any call.
pub(super) const MAX_ITEMS: usize = 1 << ITEM_BITS;
/// Bits of a request's number that name the item.
pub(super) const ITEM_BITS: u32 = 12;

/// Answer tokens that are expected of a call before any like it was answered.
pub(super) const USUAL_ANSWER: f64 = 128.0;
/// Kinds of calls (stages of jobs) whose answers are told apart.
pub(super) const MAX_KINDS: usize = 4_096;
/// Tokens that are taken for the answer of a call that names no limit, as no embedding does.
pub(super) const UNNAMED_ANSWER: f64 = 256.0;
/// Tokens of the beginning by which prompts are alike: 1 KiB of text.
pub(super) const BEGINNING: u32 = 256;

/// The limit that `auto` begins with.
pub(super) const INITIAL_LIMIT: u32 = 32;
/// Retries at once besides the share of the calls, where the number of places is found out.
pub(super) const USUAL_PLACES: u32 = 64;
/// Least retries at once.
pub(super) const LEAST_BURST: u32 = 10;
/// Tries that a server refused may be so many times more than others.
pub(super) const SHED_FACTOR: u32 = 4;
/// Failures in a row that say that a server cannot keep up.
pub(super) const RUN_OF_FAILURES: u32 = 3;

/// Probes of a server that is down: at first so far apart, at most so far.
pub(super) const PROBE_NS: (u64, u64) = (50 * MS, 500 * MS);
/// A probe that does not report within this time is lost.
pub(super) const PROBE_LEASE_NS: u64 = 6 * SECOND;
/// Calls that fail one after the other until a server is left alone.
pub(super) const TRIP_AFTER: u32 = 10;
/// Trials of such a server: at first so far apart, at most so far.
pub(super) const TRIAL_NS: (u64, u64) = (250 * MS, 5 * SECOND);
/// A trial that says nothing for so long is lost.
pub(super) const TRIAL_LEASE_NS: u64 = 120 * SECOND;
/// Refusals in a row until a server is left alone by all calls, the longest time of that, and how
/// long one call that tries it then may say nothing.
pub(super) const QUIET_AFTER: u32 = 3;
pub(super) const LONGEST_QUIET_NS: u64 = 60 * SECOND;
pub(super) const QUIET_LEASE_NS: u64 = 2 * SECOND;
/// A call that finds all places taken looks again after so long, or at news.
pub(super) const LOOK_AGAIN_NS: u64 = SECOND;

/// A time without an answer that counts against a server: as a multiple of the usual one, at least
/// so long, and so long where nothing is usual yet.
pub(super) const LONG_FACTOR: f64 = 4.0;
pub(super) const LEAST_LONG_NS: u64 = SECOND;
pub(super) const LONG_NS: u64 = 10 * SECOND;

/// Between two looks at a server's metrics: at least, and at most.
pub(super) const POLL_NS: (u64, u64) = (200 * MS, SECOND);

/// Status of the failures on purpose.
pub(super) const FAULT_STATUS: u16 = 500;
/// Status of what a server finds fault with.
pub(super) const REJECTED_STATUS: u16 = 400;
