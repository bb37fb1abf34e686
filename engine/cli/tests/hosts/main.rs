//! Workers on several hosts and jobs beside each other: how they are started, watched and ended.
//!
//! They are one program, since they wait more than they compute.

mod cut_off;
mod launch;
#[path = "../support/mod.rs"]
mod support;
mod together;
#[cfg(target_os = "linux")]
mod unheard;
