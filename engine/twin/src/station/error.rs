//! What no station can be made of.

use sage_core::upstream::settings::MAX_SERVERS;

/// A model of an endpoint that makes no sense, with what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StationError {
    /// Nobody serves it.
    #[error("endpoint `{endpoint}` has no server; give it at least one")]
    NoServer {
        /// Its name.
        endpoint: String,
    },
    /// More servers than the gateway can choose among.
    #[error("endpoint `{endpoint}` has {count} servers; at most {MAX_SERVERS} are possible")]
    TooManyServers {
        /// Its name.
        endpoint: String,
        /// Number of its servers.
        count: usize,
    },
    /// Nobody calls it.
    #[error("endpoint `{endpoint}` has no jobs; give the weight of each job that calls it")]
    NoJobs {
        /// Its name.
        endpoint: String,
    },
    /// A number is outside of what it may be.
    #[error("endpoint `{endpoint}`: {what} is {value}; it must be {rule}")]
    Setting {
        /// Its name.
        endpoint: String,
        /// Which number.
        what: &'static str,
        /// What it is.
        value: String,
        /// What it may be.
        rule: &'static str,
    },
}
