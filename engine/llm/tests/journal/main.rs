//! The answer journal against damage, kills, full disks and company.

#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

mod bounds;
mod company;
mod damage;
mod kill;
mod model;
mod outside;
mod support;
