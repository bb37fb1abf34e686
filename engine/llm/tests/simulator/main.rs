//! The simulator over real sockets: every endpoint, its errors, its timing, its manners.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests fail and print")]

mod answers;
mod choices;
mod damage;
mod faults;
mod manners;
mod metrics;
mod options;
mod preview;
mod running;
mod structured;
mod tokens;
