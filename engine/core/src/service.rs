//! What the dataflow needs of a service: requests that wait for what becomes of a record.
//!
//! The trait is the seam between timely (which must not know HTTP) and the server that has the
//! connections. **Every request that was taken in is answered exactly once**, by its number, from
//! whichever worker its record ended on; what nobody answered is refused when the service goes.

use serde::{Deserialize, Serialize};

/// How a service begins.
pub struct Opening {
    /// Number of the first request; the others follow it. Earlier numbers were done before.
    pub first: u64,
    /// After so many requests no more are taken in.
    pub most: Option<u64>,
    /// Called before a request is taken in, with how many have come then, earlier ones included; one
    /// of which this cannot be noted is not taken in.
    pub note: Box<dyn Fn(u64) -> std::io::Result<()> + Send + Sync>,
    /// Called, from any thread, when a request has come or none will come any more.
    pub wake: Box<dyn Fn() + Send + Sync>,
}

/// A request that was taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Its number, also that of its task.
    pub number: u64,
    /// Its record, packed (see [`crate::record`]).
    pub row: Vec<u8>,
}

/// What [`Service::next`] has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// A request.
    Request(Asked),
    /// None at the moment.
    Nothing,
    /// None any more.
    Ended,
}

/// What became of the record of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// Rows came out of it: JSON objects, one a line.
    Rows {
        /// How many.
        count: u64,
        /// The lines.
        lines: Vec<u8>,
    },
    /// It was dropped on its way, or nothing was emitted for it.
    Nothing,
    /// It failed.
    Failed(Failure),
}

/// Why a record failed, as its dead letter says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Name of the stage.
    pub stage: String,
    /// Class of the error.
    pub class: String,
    /// HTTP status of the server that was called, if there was one.
    pub status: Option<u16>,
    /// What happened.
    pub message: String,
}

/// Something that takes requests in and hands their answers out.
pub trait Service: Send + Sync {
    /// Requests are taken in from now on.
    fn open(&self, opening: Opening);

    /// The next request, without waiting.
    fn next(&self) -> Next;

    /// Answer a request; one that nobody waits for any more is no mistake.
    fn answer(&self, number: u64, reply: Reply);

    /// No more are taken in; those that were are still handed out.
    fn close(&self);
}
