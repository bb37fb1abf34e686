//! Who was turned away while workers were awaited. Those that meant this run are told apart from
//! those that meant something else: a port that others reach is scanned all day long, and between
//! a thousand scanners nobody would see the one worker of another version.
//!
//! It is bounded, whatever strangers say: so many reasons are kept, each of so many letters.

use std::fmt;

use crate::error::ClusterError;

/// Reasons that are kept apart.
const MOST_REASONS: usize = 16;
/// Letters of a reason; a part of it may be what a stranger has sent.
const MOST_LETTERS: usize = 400;

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refusals {
    /// Workers that were refused, by reason, in the order in which the reasons came up.
    pub reasons: Vec<Reason>,
    /// Workers that were refused for further reasons.
    pub others: usize,
    /// Connections that did not speak as a worker does, or said nothing.
    pub strangers: usize,
    /// What the last of them did.
    pub last_stranger: String,
}

/// Why workers were refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// Who from, what is wrong, and what to do about it.
    pub text: String,
    /// How often it came up.
    pub times: usize,
}

impl Refusals {
    /// A connection that led to nothing.
    pub(super) fn note(&mut self, error: &ClusterError) {
        let text = without_port(error);
        if is_stranger(error) {
            self.strangers += 1;
            self.last_stranger = readable(&text);
        } else {
            self.worker(&text);
        }
    }

    /// A worker that was not taken, and why.
    pub(super) fn worker(&mut self, text: &str) {
        let text = readable(text);
        if let Some(reason) = self.reasons.iter_mut().find(|reason| reason.text == text) {
            reason.times += 1;
        } else if self.reasons.len() < MOST_REASONS {
            self.reasons.push(Reason { text, times: 1 });
        } else {
            self.others += 1;
        }
    }
}

impl fmt::Display for Refusals {
    /// What follows a sentence; nothing if there was nobody.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Reason { text, times } in &self.reasons {
            write!(f, "\nrefused {}: {text}", often(*times))?;
        }
        if self.others > 0 {
            write!(f, "\nrefused {} for further reasons", often(self.others))?;
        }
        if self.strangers > 0 {
            let (count, last) = (self.strangers, &self.last_stranger);
            write!(f, "\n{count} connection(s) of no worker, the last one: {last}")?;
        }
        Ok(())
    }
}

fn often(times: usize) -> String {
    if times == 1 { "once".to_owned() } else { format!("{times} times") }
}

/// Whether this was no worker, for all that is known. One with other credentials than this run's
/// speaks TLS where none is expected, or shows a certificate of another run.
fn is_stranger(error: &ClusterError) -> bool {
    match error {
        ClusterError::Vanished { .. } | ClusterError::Link { .. } => true,
        ClusterError::Foreign { encrypted, .. } => !encrypted,
        ClusterError::Tls { certificate, .. } => !certificate,
        _ => false,
    }
}

/// The port of who dials is another one each time.
fn without_port(error: &ClusterError) -> String {
    let text = error.to_string();
    match error.peer() {
        Some(peer) => text.replacen(&peer.to_string(), &peer.ip().to_string(), 1),
        None => text,
    }
}

/// On a terminal nothing that a stranger sends does anything.
fn readable(text: &str) -> String {
    let plain = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    let mut letters = text.chars().map(plain);
    let mut shown: String = letters.by_ref().take(MOST_LETTERS).collect();
    if letters.next().is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(port: u16, theirs: &str) -> ClusterError {
        let peer = ([10, 0, 0, 3], port).into();
        ClusterError::Version { peer, ours: "1.0".into(), theirs: theirs.into() }
    }

    #[test]
    fn a_worker_of_another_version_is_seen_among_any_number_of_strangers() {
        let mut refusals = Refusals::default();
        for port in 1..=500 {
            let peer = ([10, 0, 0, 9], port).into();
            let reason = "a frame of 1195725856 bytes is over the limit of 4096".into();
            refusals.note(&ClusterError::Foreign { peer, reason, encrypted: false });
            refusals.note(&ClusterError::Vanished { reason: "not connected".into() });
            if port % 250 == 0 {
                refusals.note(&version(port, "0.9"));
            }
        }
        let Refusals { reasons, others, strangers, last_stranger } = &refusals;
        assert_eq!((reasons.len(), *others, *strangers), (1, 0, 1000));
        assert_eq!(reasons[0].times, 2);
        assert!(reasons[0].text.starts_with("10.0.0.3 runs version 0.9"), "{reasons:?}");
        assert!(last_stranger.contains("closed at once"), "{last_stranger}");
        let said = refusals.to_string();
        assert!(
            said.contains("refused 2 times: 10.0.0.3 runs") && said.contains("1000 conn"),
            "{said}"
        );
        assert_eq!(Refusals::default().to_string(), "");
    }

    #[test]
    fn what_strangers_say_takes_little_room_and_does_nothing_to_a_terminal() {
        let mut refusals = Refusals::default();
        for number in 0..1000 {
            refusals.note(&version(7, &format!("\u{1b}[2J{number}{}", "x".repeat(4000))));
        }
        assert_eq!(refusals.reasons.len(), MOST_REASONS);
        assert_eq!(refusals.others, 1000 - MOST_REASONS);
        for Reason { text, .. } in &refusals.reasons {
            assert!(text.chars().count() <= MOST_LETTERS + 1 && !text.contains('\u{1b}'), "{text}");
        }
    }
}
