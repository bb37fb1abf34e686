//! `/metrics`: the gateway's figures in Prometheus' text format.

mod histogram;
mod page;
mod text;

pub(super) use histogram::Histogram;
pub(super) use page::page;
