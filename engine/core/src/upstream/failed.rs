//! How a try failed, and what that says of the server it was sent to.

use crate::endpoint::ErrorClass;
use crate::retry::Disposition;

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failed {
    /// What kind of failure.
    pub class: ErrorClass,
    /// HTTP status of the answer, if there was one.
    pub status: Option<u16>,
    /// How long the server asks to be left alone, nanoseconds.
    pub retry_after_ns: Option<u64>,
}

impl Failed {
    /// What it means for the call.
    pub fn disposition(self) -> Disposition {
        Disposition::of(self.class, self.status)
    }

    /// Whether the server refused it for want of room.
    pub fn is_shed(self) -> bool {
        self.disposition() == Disposition::Shed
    }

    /// Whether no connection was made: the server has never seen the try.
    pub fn is_unsent(self) -> bool {
        self.class == ErrorClass::Unreachable && self.status.is_none()
    }

    /// Whether the connection broke with the try on it.
    pub fn is_cut(self) -> bool {
        self.class == ErrorClass::Server && self.status.is_none()
    }

    /// Whether the server works all the same. One that says when to come back does, and so does one
    /// that finds fault with a call.
    pub fn shows_life(self) -> bool {
        match self.class {
            ErrorClass::Server => self.is_shed() && self.retry_after_ns.is_some(),
            ErrorClass::Timeout => false,
            // No answer at all, whatever its status said.
            ErrorClass::Protocol => self.status.is_some(),
            _ => true,
        }
    }
}
