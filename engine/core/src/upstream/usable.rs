//! What one call may do about one server now.

/// See the module. [`Health::usable`](super::Health::usable) says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usable {
    /// Go there.
    Yes,
    /// It failed or refused all calls of late; this one may try it. Whoever is told so tries it, or
    /// says [`Health::no_news`](super::Health::no_news).
    Trial,
    /// Its limit is reached.
    Full,
    /// No connection could be made of late. Whoever is told so asks the server for something that
    /// costs nothing, and reports.
    Probe,
    /// It is down; look again after so many nanoseconds.
    Down(u64),
    /// It asked to be left alone for so many nanoseconds.
    Held(u64),
}
