//! Headers that the client and the gateway understand beyond the OpenAI API.

use hyper::header::{HeaderMap, HeaderName};
use sage_core::endpoint::ErrorClass;

/// Milliseconds the call has left, all tries together.
pub(crate) const DEADLINE_MS: HeaderName = HeaderName::from_static("x-sage-deadline-ms");
/// Name of the job.
pub(crate) const JOB: HeaderName = HeaderName::from_static("x-sage-job");
/// Number of the worker.
pub(crate) const WORKER: HeaderName = HeaderName::from_static("x-sage-worker");
/// Position of the stage.
pub(crate) const STAGE: HeaderName = HeaderName::from_static("x-sage-stage");
/// First record the call is made for.
pub(crate) const TASK: HeaderName = HeaderName::from_static("x-sage-task");
/// Tries that reached the upstream (answer).
pub(crate) const ATTEMPTS: HeaderName = HeaderName::from_static("x-sage-attempts");
/// Milliseconds before the first try (answer).
pub(crate) const QUEUE_MS: HeaderName = HeaderName::from_static("x-sage-queue-ms");
/// Class of the failure (answer).
pub(crate) const ERROR_CLASS: HeaderName = HeaderName::from_static("x-sage-error-class");

/// A header's whole number.
pub(crate) fn number(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// The class of failure that an answer names.
pub(crate) fn class(headers: &HeaderMap) -> Option<ErrorClass> {
    let word = headers.get(ERROR_CLASS)?.to_str().ok()?;
    ErrorClass::ALL.into_iter().find(|class| class.as_str() == word)
}
