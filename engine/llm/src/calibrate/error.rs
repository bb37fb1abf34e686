//! Why nothing can be measured, each with what to do about it.

use crate::gateway::GatewayError;

/// Why an endpoint cannot be calibrated.
#[derive(Debug, thiserror::Error)]
pub enum CalibrateError {
    /// The endpoint is not there, wants a key, or does not serve the model.
    #[error(transparent)]
    Endpoint(#[from] GatewayError),
    /// The bounds are too small for the least that says anything.
    #[error(
        "the budget is too small: one client alone needs {requests} requests and about {tokens} \
         tokens; raise --max-requests or --max-tokens"
    )]
    Budget {
        /// Requests of the smallest probe.
        requests: u32,
        /// Tokens of it.
        tokens: u64,
    },
    /// The HTTP client cannot be made.
    #[error("cannot prepare the HTTP client")]
    Client(#[source] reqwest::Error),
    /// A call was refused.
    #[error("the endpoint answers {status}: {message}")]
    Status {
        /// The status.
        status: u16,
        /// What it says.
        message: String,
    },
    /// The stream has no counts.
    #[error(
        "the endpoint does not say how many tokens an answer has: its streams end without `usage` \
         although `stream_options.include_usage` is set; a calibration needs these counts"
    )]
    NoUsage,
    /// An answer broke off or made no sense.
    #[error("an answer cannot be read: {0}")]
    Answer(String),
    /// No answer within the limit for one call.
    #[error("no answer within {0} s")]
    Slow(u64),
}
