//! The sage language: text to a checked, serialisable [`plan::Plan`].
//!
//! ```text
//! text -> scan -> parse -> tree -> check -> lower -> Plan
//!           \________\______________\__________________-> Vec<Diagnostic>
//! ```
//!
//! **Invariants**
//! - No I/O, no clock, no threads: imports and environment come in through [`Request`].
//! - No knowledge of stages, sources, sinks or policies but what the [`catalog::Catalog`] says.
//! - No panic and no unbounded work on any input; nesting, size and inlining are limited.
//! - All mistakes of a program are reported in one run, each once.
//! - A plan or an experiment exists only for a program without errors.
//! - An experiment runs programs: each of its jobs is compiled on its own, so that pipelines may be
//!   compared whose declarations would collide in one program.

mod aggregates;
mod ast;
pub mod catalog;
mod check;
mod codes;
mod compile;
mod diagnostic;
pub mod experiment;
mod explain;
mod format;
mod functions;
mod literal;
mod load;
mod lower;
pub mod manual;
pub mod measures;
mod parse;
mod path;
pub mod plan;
mod rename;
pub mod rewrite;
mod scan;
pub mod schema;
mod span;
mod study;
mod suggest;
pub mod symbols;
pub mod testing;
pub mod time;
pub mod types;
pub mod units;

pub use aggregates::{AGGREGATES, AggregateSpec, find_aggregate};
pub use check::{InputFile, check_catalog};
pub use codes::{CODES, Code, Within, explain_code};
pub use compile::{Compiled, Request, compile};
pub use diagnostic::{Diagnostic, Edit, Fix, Label, Severity};
pub use explain::{explain, explain_experiment, explain_rewrites, explain_touches, levels};
pub use format::{NotFormatted, format};
pub use functions::{FUNCTIONS, FunctionSpec};
pub use span::{SourceFile, SourceMap, Span};
