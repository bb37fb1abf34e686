//! What a pipeline says to others over HTTP, and others to it: [`Calls`] of its stages and [`Direct`]
//! requests of its sources and sinks, to hosts that are allowed, and a service.
//!
//! [`Server`] is a `Service` of `sage-core`: a request of a client becomes a record, and what comes
//! out of the record is the answer on the same connection. Nothing here knows the dataflow; it asks
//! for the next request and answers by number.

mod allowed;
mod calls;
mod client;
mod direct;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod reading;
mod service;

pub use allowed::{Allowed, address};
pub use calls::Calls;
pub use direct::Direct;
pub use reqwest::Url;
pub use service::{Server, ServiceConfig};

/// What can go wrong as a whole; what goes wrong with one request is its answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The address cannot be listened at.
    #[error("cannot listen at `{address}`: {reason}")]
    Listen {
        /// As it was given.
        address: String,
        /// What the system said.
        reason: std::io::Error,
    },
    /// The thread or its runtime could not be started.
    #[error("the thread that speaks HTTP cannot be started: {0}")]
    Start(#[source] std::io::Error),
}
