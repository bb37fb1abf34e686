//! What gateway and twin share between the line and the servers: health, choice, rates, repetition.

#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

mod choice;
mod health;
mod rates;
mod repeat;

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;
const MINUTE: u64 = 60 * SECOND;
