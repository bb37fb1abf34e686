//! Why a simulator cannot be started.

/// An error of configuration or of the listening socket.
#[derive(Debug, thiserror::Error)]
pub enum SimulatorError {
    /// Not the address of a simulator.
    #[error("`{0}` is not a simulated endpoint; write `sim:PROFILE` or `sim:PROFILE@SPEED`")]
    Url(String),
    /// No such profile.
    #[error("unknown profile `{name}`; known are {known}, or a file that ends in .toml")]
    Profile {
        /// What was asked for.
        name: String,
        /// All names.
        known: String,
    },
    /// A profile file that cannot be read.
    #[error("cannot read profile {path}: {source}")]
    File {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// A profile file with a mistake in it.
    #[error("{path}: {source}")]
    ProfileFile {
        /// The file.
        path: String,
        /// The mistake, with its line.
        source: sage_core::vllm::ProfileError,
    },
    /// A speed that is no number or out of range.
    #[error("speed `{0}` is not a number from 0.001 to 1000000")]
    Speed(String),
    /// A fault rule that cannot be understood.
    #[error("fault `{rule}`: {reason}")]
    Fault {
        /// The rule.
        rule: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The server ended by itself.
    #[error("the simulator's server failed")]
    Serve(#[source] std::io::Error),
}
