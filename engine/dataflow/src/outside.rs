//! What a worker is given of the world around it, beside endpoints and indexes.

use sage_core::secrets::Mask;

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct Outside {
    /// What is not to be shown in dead letters and messages.
    pub mask: Mask,
}
