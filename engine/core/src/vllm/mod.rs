//! A model of one vLLM server: what it schedules in each step, and how long the step takes.
//!
//! ```text
//! submit -> front end (serial) -> waiting -> running --step(now)--> tokens, at `ends_at_ns`
//!                                    ^          |
//!                                    +-- preempt when no KV block is left
//! ```
//!
//! The scheduler follows vLLM's V1 engine (continuous batching, chunked prefill, prefix caching,
//! preemption by recompute); the step times follow a roofline fitted to Vidur's A100 profile and to
//! published vLLM benchmarks (see [`step`](step_ms)). Nothing here reads a clock: the twin drives an
//! [`Engine`] in virtual time, the simulator server by the wall clock, and both see the same steps.

mod architecture;
mod embed;
mod engine;
mod file;
pub mod fit;
mod front;
mod known;
mod kv;
mod profile;
mod queue;
mod report;
mod sequence;
mod step;
pub mod tokens;
pub mod validation;

pub use architecture::{Architecture, Efficiency, Gpu};
pub use embed::{EMBEDDERS, EmbedEngine, EmbedStep, Embedder, embedder};
pub use engine::Engine;
pub use file::ProfileError;
pub use known::{PROFILES, names, profile};
pub use profile::{Profile, Scheduling};
pub use report::{Admission, Emission, Stats, Step};
pub use sequence::{Finish, Rejected, Request};
pub use step::{Costs, Load, step_ms};
