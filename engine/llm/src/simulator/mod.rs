//! A vLLM server without a GPU: the API and the timing of one, driven by the model in `sage-core`.
//!
//! ```text
//!  HTTP --- key --- faults --- route -.- chat, completions -- text, tokens --.
//!                                     '- embeddings ---------- vectors ------+-- inbox (bounded)
//!  answer <--- wait or stream <--- progress of the call <--- driver: step, sleep, deliver
//! ```
//!
//! One task per model owns its engine and steps it in *virtual time* = wall time times `speed`.
//! Each step starts where the last one ended, not when the timer woke up, so coarse sleeps do not
//! add up: the server is late by at most one sleep, never slower. At high speeds the client's own
//! overhead is multiplied too, which no server can undo.
//!
//! What is said is made up deterministically (module `compose`); what is charged is counted by the
//! rule in `sage_core::text`. **Every response carries `x-sage-endpoint: simulated`**, so that no
//! result can be taken for a measurement of real hardware.

mod admin;
mod answer;
mod body;
mod call;
mod chat;
mod clock;
mod completion;
mod compose;
mod config;
mod draft;
mod driver;
mod embedding;
mod error;
mod fault;
mod generate;
mod guard;
mod held;
mod metrics;
mod model;
mod params;
pub mod preview;
mod problem;
mod prompt;
mod reading;
mod schema;
mod script;
mod server;
mod socket;
mod stream;
mod structured;
mod tokenize;
mod url;
mod vocabulary;
mod wire;

pub use config::SimulatorConfig;
pub use error::SimulatorError;
pub use fault::{End, Faults, Foreteller, Foretold};
pub use server::serve;
pub use url::parse_url;
