//! The fair queue: laws under any order of events, and what jobs get from a simulated upstream.

mod laws;
mod shares;
mod upstream;
