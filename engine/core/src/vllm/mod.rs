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

mod embed;
mod engine;
mod kv;
mod profile;
mod queue;
mod sequence;
mod step;
pub mod tokens;

pub use embed::{EMBEDDERS, EmbedEngine, EmbedStep, Embedder, embedder};
pub use engine::{Emission, Engine, Stats, Step};
pub use profile::{Architecture, Gpu, PROFILES, Profile, names, profile};
pub use sequence::{Finish, Rejected, Request};
pub use step::{Costs, Load, step_ms};
