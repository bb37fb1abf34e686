//! Faults on purpose: what a client has to survive, at a chosen rate, the same in every run.
//!
//! A rule is `name=value`; rules are separated by commas. How often is a share of the calls
//! (`5%`) or every so many calls (`1/20`); spans are written `200ms`, `2s` or `1m` and are the
//! simulator's virtual time.
//!
//! | rule | effect |
//! |---|---|
//! | `status_503=5%` | the call fails with that status |
//! | `drop=1%` | the connection is closed without an answer |
//! | `reset=1%` | the connection is reset (TCP RST) in the middle of the answer |
//! | `stall=1/100` | the connection stays open without an answer |
//! | `truncated=1%` | the answer ends early: a body shorter than announced, a stream without an end |
//! | `bad_json=1%` | the answer's JSON is broken; of a stream, that of its events |
//! | `wrong_schema=1%` | a structured answer that does not fit what was asked for |
//! | `latency=200ms`, `latency=2s:10%` | so much time is added |
//! | `slow_start=30s` | 503 on everything until then, as behind a proxy while a model loads |
//! | `outage=60s+30s`, `outage=60s+30s:every=5m` | from 60 s on, for 30 s, every connection is cut |
//! | `retry_after=2s`, `retry_after=none` | what 429 and 503 say about when to come back |
//!
//! Times of windows count from the moment the rules were set: the start, or a change at run time.
//! Chance is drawn from the seed and the number of the call, not from a shared generator, so the
//! fate of a call does not depend on how many rules there are before it. Of the rules that end or
//! damage a call the first that hits is applied; delays and `wrong_schema` come on top.

mod active;
mod damage;
mod foretold;
mod rule;

use std::time::Duration;

use axum::http::StatusCode;

use super::SimulatorError;
use super::compose::draw;

pub(super) use active::Active;
pub(super) use damage::{broken, damage};
pub use foretold::{End, Foreteller, Foretold};
use rule::Rule;

/// How a call ends, or what happens to its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Status(StatusCode),
    Drop,
    Stall,
    Reset,
    Truncated,
    BadJson,
}

/// What happens to one call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Fate {
    pub(super) delay: Duration,
    pub(super) wrong_schema: bool,
    pub(super) effect: Option<Effect>,
}

/// How often.
#[derive(Debug, Clone, Copy, PartialEq)]
enum When {
    /// A share of the calls, 0 to 1.
    Share(f64),
    /// Every so many calls.
    Every(u64),
}

/// A time in which nothing is reached.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Window {
    from: Duration,
    span: Duration,
    every: Option<Duration>,
}

impl Window {
    fn holds(&self, since: Duration) -> bool {
        let Some(into) = since.checked_sub(self.from) else { return false };
        let into = match self.every.map(|every| every.as_nanos()) {
            Some(every) if every > 0 => into.as_nanos() % every,
            _ => into.as_nanos(),
        };
        into < self.span.as_nanos()
    }
}

/// What `Retry-After` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RetryAfter {
    Seconds(u64),
    Silent,
}

/// A list of fault rules; none by default.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Faults {
    /// As they were written.
    text: String,
    calls: Vec<(Call, When)>,
    slow_start: Duration,
    outages: Vec<Window>,
    retry_after: Option<RetryAfter>,
}

/// A rule about single calls.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Call {
    Latency(Duration),
    WrongSchema,
    Ends(Effect),
}

impl Faults {
    /// Read rules such as `status_500=5%,latency=200ms`.
    ///
    /// ```
    /// use sage_llm::simulator::Faults;
    /// assert!(Faults::parse("status_503=1/20, drop=0.5%, latency=2s:10%").is_ok());
    /// assert!(Faults::parse("outage=60s+30s:every=5m, retry_after=2s").is_ok());
    /// assert_eq!(Faults::parse("")?, Faults::default());
    /// let error = Faults::parse("latncy=1s").unwrap_err().to_string();
    /// assert!(error.contains("`latncy=1s`") && error.contains("latency"), "{error}");
    /// # Ok::<(), sage_llm::simulator::SimulatorError>(())
    /// ```
    pub fn parse(text: &str) -> Result<Faults, SimulatorError> {
        let mut faults = Faults { text: text.trim().to_owned(), ..Faults::default() };
        for rule in text.split(',').map(str::trim).filter(|rule| !rule.is_empty()) {
            let wrong = |reason: &str| SimulatorError::Fault {
                rule: rule.to_owned(),
                reason: reason.to_owned(),
            };
            match Rule::parse(rule).map_err(wrong)? {
                Rule::Call(call, when) => faults.calls.push((call, when)),
                Rule::SlowStart(span) => faults.slow_start = span,
                Rule::Outage(window) => faults.outages.push(window),
                Rule::RetryAfter(after) => faults.retry_after = Some(after),
            }
        }
        Ok(faults)
    }

    /// The rules as they were written.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// What happens to call `number` (counted from 1).
    fn fate(&self, seed: u64, number: u64) -> Fate {
        let mut fate = Fate::default();
        for (index, (call, when)) in self.calls.iter().enumerate() {
            let hit = match *when {
                When::Every(count) => number.is_multiple_of(count),
                When::Share(share) => {
                    let lot = draw(&format!("fault {index} {number}"), seed);
                    (lot % 1_000_000) as f64 / 1e6 < share
                }
            };
            match *call {
                _ if !hit => {}
                Call::Latency(span) => fate.delay += span,
                Call::WrongSchema => fate.wrong_schema = true,
                Call::Ends(effect) => {
                    fate.effect.get_or_insert(effect);
                }
            }
        }
        fate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_met_and_repeat() {
        let faults = Faults::parse("status_500=5%,latency=10ms:50%,drop=1/10").unwrap();
        let all: Vec<_> = (1..=10_000).map(|number| faults.fate(7, number)).collect();
        let count = |wanted: Effect| all.iter().filter(|f| f.effect == Some(wanted)).count();
        assert!((400..600).contains(&count(Effect::Status(StatusCode::INTERNAL_SERVER_ERROR))));
        assert!((900..=1000).contains(&count(Effect::Drop)));
        let slow = all.iter().filter(|fate| fate.delay == Duration::from_millis(10)).count();
        assert!((4800..5200).contains(&slow));
        assert_eq!(faults.fate(7, 123), faults.fate(7, 123));
        assert!((1..500).any(|number| faults.fate(7, number) != faults.fate(8, number)));
    }

    #[test]
    fn windows_open_close_and_return() {
        let seconds = Duration::from_secs;
        let holds = |rule: &str, at| Faults::parse(rule).unwrap().outages[0].holds(seconds(at));
        let at = |rule: &str| [59, 60, 89, 90, 160].map(|at| holds(rule, at));
        assert_eq!(at("outage=60s+30s"), [false, true, true, false, false]);
        assert_eq!(at("outage=1m+30s:every=100s"), [false, true, true, false, true]);
    }
}
