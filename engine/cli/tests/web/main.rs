//! Pipelines and the web: stages, sources and sinks that call servers, and flows that are one.
//!
//! They are one program, since they wait more than they compute.

mod calls;
#[path = "../support/client.rs"]
mod client;
mod ends;
mod faults;
mod retries;
mod service;
#[path = "../support/stub.rs"]
mod stub;
#[path = "../support/mod.rs"]
mod support;
mod totals;
