//! From what a client sees of an endpoint to a profile of it.
//!
//! The model itself is the forward model: a candidate profile runs the same requests at the same
//! concurrency in virtual time, and the candidate whose figures come nearest wins. That way queueing,
//! batching and the front end are accounted for as the simulator will account for them later.
//!
//! **Only what a client can tell apart is fitted**, four factors: on the floor of a decode step
//! (weights, output layer and CPU together), on the price of a prompt token, on the price of a
//! running sequence, and on the time of the API server. The ratios within each of these, and all limits, come from the known profile that lies nearest.
//! Cells that are held out take no part and say how far to trust the result.

mod cell;
mod replay;
mod search;

pub use cell::{Cell, Figures, Sample};
pub use replay::replay;
pub use search::{FitError, Fitted, fit};
