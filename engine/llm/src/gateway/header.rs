//! Headers that the client and the gateway understand beyond the OpenAI API.

use std::fmt::Write;

use hyper::header::{HeaderMap, HeaderName};
use sage_core::endpoint::ErrorClass;

/// Milliseconds the call has left, all tries together.
pub(crate) const DEADLINE_MS: HeaderName = HeaderName::from_static("x-sage-deadline-ms");
/// Name of the job.
pub(crate) const JOB: HeaderName = HeaderName::from_static("x-sage-job");
/// Number of the worker. Whoever sends it announces a cancellation; see `calls`.
pub(crate) const WORKER: HeaderName = HeaderName::from_static("x-sage-worker");
/// Position of the stage.
pub(crate) const STAGE: HeaderName = HeaderName::from_static("x-sage-stage");
/// First record the call is made for.
pub(crate) const TASK: HeaderName = HeaderName::from_static("x-sage-task");
/// Identity of the record behind each item: 64-bit numbers in hexadecimal, separated by commas.
pub(crate) const RECORD: HeaderName = HeaderName::from_static("x-sage-record");
/// Lane of the queue: `control`, `normal` or `batch`.
pub(crate) const LANE: HeaderName = HeaderName::from_static("x-sage-lane");
/// Which earlier answers will do: `run`, `content` or `off`.
pub(crate) const CACHE: HeaderName = HeaderName::from_static("x-sage-cache");
/// Identity of the call, `SESSION-NUMBER` in hexadecimal, to cancel it by.
pub(crate) const CALL: HeaderName = HeaderName::from_static("x-sage-call");
/// Tries that reached the upstream (answer).
pub(crate) const ATTEMPTS: HeaderName = HeaderName::from_static("x-sage-attempts");
/// Milliseconds before the first try (answer).
pub(crate) const QUEUE_MS: HeaderName = HeaderName::from_static("x-sage-queue-ms");
/// Class of the failure (answer).
pub(crate) const ERROR_CLASS: HeaderName = HeaderName::from_static("x-sage-error-class");
/// Number of items answered by the journal (answer).
pub(crate) const CACHED: HeaderName = HeaderName::from_static("x-sage-cached");
/// A gateway of ours has answered (answer).
pub(crate) const GATEWAY: HeaderName = HeaderName::from_static("x-sage-gateway");
/// What kind of server has answered: `simulated`, or nothing (answer).
pub(crate) const ENDPOINT: HeaderName = HeaderName::from_static("x-sage-endpoint");

/// Where cancellations are announced: `DELETE /x-sage/calls/SESSION[-NUMBER]`.
pub(crate) const CALLS_PATH: &str = "/x-sage/calls";

/// A header's whole number.
pub(crate) fn number(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// A header's word.
pub(crate) fn word<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// The class of failure that an answer names.
pub(crate) fn class(headers: &HeaderMap) -> Option<ErrorClass> {
    let word = word(headers, &ERROR_CLASS)?;
    ErrorClass::ALL.into_iter().find(|class| class.as_str() == word)
}

/// Record identities as a header's value.
pub(crate) fn write_records(records: &[u64]) -> String {
    let mut text = String::with_capacity(records.len() * 17);
    for (i, record) in records.iter().enumerate() {
        let comma = if i == 0 { "" } else { "," };
        // Writing to a string does not fail.
        let _ = write!(text, "{comma}{record:x}");
    }
    text
}

/// Record identities of a header's value; `None` if it is none.
pub(crate) fn read_records(value: &str) -> Option<Vec<u64>> {
    value.split(',').map(|record| u64::from_str_radix(record.trim(), 16).ok()).collect()
}

/// Identity of a call: of its client and of the call among the client's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CallId {
    pub(crate) session: u64,
    pub(crate) number: u64,
}

impl CallId {
    pub(crate) fn parse(text: &str) -> Option<CallId> {
        let (session, number) = text.split_once('-')?;
        let hex = |text: &str| u64::from_str_radix(text, 16).ok();
        Some(CallId { session: hex(session)?, number: hex(number)? })
    }
}

impl std::fmt::Display for CallId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:x}-{:x}", self.session, self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_and_calls_are_read_as_they_were_written() {
        let records = [0, 1, u64::MAX];
        assert_eq!(write_records(&records), "0,1,ffffffffffffffff");
        assert_eq!(read_records("0,1,ffffffffffffffff").as_deref(), Some(&records[..]));
        assert_eq!(read_records(""), None);
        assert_eq!(read_records("1,x"), None);
        let id = CallId { session: 255, number: 3 };
        assert_eq!(CallId::parse(&id.to_string()), Some(id));
        assert_eq!(CallId::parse("ff"), None);
    }
}
