//! What is simulated, and how.

use std::sync::Arc;

use sage_core::vllm::Profile;

use super::fault::Faults;

/// The settings of a simulated server.
#[derive(Debug, Clone)]
pub struct SimulatorConfig {
    /// Machine and model; also the scheduling policy, which decides whether calls may have a
    /// priority.
    pub profile: Arc<Profile>,
    /// Virtual seconds that pass in a second.
    pub speed: f64,
    /// Seed of the texts (where a request brings none) and of the faults.
    pub seed: u64,
    /// Key that calls below `/v1` must bring.
    pub api_key: Option<String>,
    /// Faults on purpose.
    pub fault: Faults,
    /// Let callers on the same machine change the faults (`/admin/faults`).
    pub admin: bool,
    /// More names under which the model is served.
    pub served_models: Vec<String>,
}

impl SimulatorConfig {
    /// `profile` in real time, without key, faults or more names.
    pub fn new(profile: &Profile) -> Self {
        SimulatorConfig {
            profile: Arc::new(profile.clone()),
            speed: 1.0,
            seed: 0,
            api_key: None,
            fault: Faults::default(),
            admin: false,
            served_models: Vec::new(),
        }
    }
}
