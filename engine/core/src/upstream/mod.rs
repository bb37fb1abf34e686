//! What stands between the line of an endpoint and its servers, as pure objects.
//!
//! The gateway drives these behind locks, by the wall clock; the twin drives them in virtual time.
//! There is one of each rule, so what the twin predicts is what the gateway does.
//!
//! - [`Health`]: *what is known of one server, and what may a call do about it?* Breaker, hold-off,
//!   limit and calls in flight, with one rule for what an outcome says of them.
//! - [`look`]: *which servers may this call go to now, and if none, how long does it wait?*
//! - [`Rates`]: *when may it be sent?* Both rate limits, with one line in order of arrival.
//! - [`Repeat`]: *it failed: may it be sent once more, and when?*
//! - [`UsualTime`]: *how long does a call take?* And so: when does silence count against a server?
//! - [`settings`]: the numbers in all of this that no program sets.

mod choice;
mod failed;
mod health;
mod rates;
mod repeat;
mod servers;
pub mod settings;
mod shunned;
mod usable;
mod usual;

pub use choice::{Choice, Look, Seeker, look};
pub use failed::Failed;
pub use health::{Effect, Health, News};
pub use rates::{Rates, Taken, Turn};
pub use repeat::{Repeat, Tries};
pub use servers::{Servers, joint_limit, limit_of_one, outage, shortest_hold_ns};
pub use shunned::Shunned;
pub use usable::Usable;
pub use usual::UsualTime;
