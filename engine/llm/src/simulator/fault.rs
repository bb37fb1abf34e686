//! Faults on purpose: what a client has to survive, at a chosen rate, the same in every run.
//!
//! A rule is `name=how often`; rules are separated by commas and tried in order:
//!
//! | rule | effect |
//! |---|---|
//! | `status_503=5%` | that share of calls fails with that status |
//! | `status_429=1/20` | every 20th call does |
//! | `drop=1%` | the connection is closed without an answer |
//! | `stall=1/100` | the connection stays open without an answer |
//! | `latency=200ms`, `latency=2s:10%` | so much (virtual) time is added |
//!
//! Chance is drawn from the seed and the number of the call, not from a shared generator, so the
//! fate of a call does not depend on how many rules there are before it.

use std::time::Duration;

use axum::http::StatusCode;

use super::SimulatorError;
use super::compose::draw;

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Status(StatusCode),
    Drop,
    Stall,
    Latency(Duration),
}

/// How often.
#[derive(Debug, Clone, Copy, PartialEq)]
enum When {
    /// A share of the calls, 0 to 1.
    Share(f64),
    /// Every so many calls.
    Every(u64),
}

/// A list of fault rules; none by default.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Faults {
    rules: Vec<(Effect, When)>,
}

impl Faults {
    /// Read rules such as `status_500=5%,latency=200ms`.
    ///
    /// ```
    /// use sage_llm::simulator::Faults;
    /// assert!(Faults::parse("status_503=1/20, drop=0.5%, latency=2s:10%").is_ok());
    /// assert_eq!(Faults::parse("")?, Faults::default());
    /// let error = Faults::parse("latncy=1s").unwrap_err().to_string();
    /// assert!(error.contains("`latncy=1s`") && error.contains("latency"), "{error}");
    /// # Ok::<(), sage_llm::simulator::SimulatorError>(())
    /// ```
    pub fn parse(text: &str) -> Result<Faults, SimulatorError> {
        let rules = text.split(',').map(str::trim).filter(|rule| !rule.is_empty());
        let rules = rules
            .map(|rule| {
                parse_rule(rule).map_err(|reason| SimulatorError::Fault {
                    rule: rule.to_owned(),
                    reason: reason.to_owned(),
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(Faults { rules })
    }

    /// Whether calls are left alone.
    pub(super) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// What happens to call `number` (counted from 1): delays, then at most one end.
    pub(super) fn effects(&self, seed: u64, number: u64) -> Vec<Effect> {
        let mut effects = Vec::new();
        for (index, (effect, when)) in self.rules.iter().enumerate() {
            let hit = match *when {
                When::Every(count) => number.is_multiple_of(count),
                When::Share(share) => {
                    let lot = draw(&format!("fault {index} {number}"), seed);
                    (lot % 1_000_000) as f64 / 1e6 < share
                }
            };
            if hit {
                effects.push(*effect);
                if !matches!(effect, Effect::Latency(_)) {
                    break;
                }
            }
        }
        effects
    }
}

fn parse_rule(rule: &str) -> Result<(Effect, When), &'static str> {
    let (name, value) = rule.split_once('=').ok_or("write `name=how often`")?;
    let (name, value) = (name.trim(), value.trim());
    if name == "latency" {
        let (span, when) = match value.split_once(':') {
            Some((span, when)) => (span, parse_when(when)?),
            None => (value, When::Share(1.0)),
        };
        return Ok((Effect::Latency(parse_span(span)?), when));
    }
    let effect = match name {
        "drop" => Effect::Drop,
        "stall" => Effect::Stall,
        _ => {
            let code = name.strip_prefix("status_");
            let code = code.ok_or("known are status_<code>, latency, drop and stall")?;
            let code = code.parse().ok().filter(|code| (400..600).contains(code));
            let code = code.ok_or("the status is a number from 400 to 599")?;
            Effect::Status(StatusCode::from_u16(code).map_err(|_| "no such status")?)
        }
    };
    Ok((effect, parse_when(value)?))
}

fn parse_when(text: &str) -> Result<When, &'static str> {
    const HOW: &str = "how often is a share such as `5%` or a count such as `1/20`";
    if let Some(share) = text.strip_suffix('%') {
        let share: f64 = share.trim().parse().map_err(|_| HOW)?;
        return if (0.0..=100.0).contains(&share) {
            Ok(When::Share(share / 100.0))
        } else {
            Err(HOW)
        };
    }
    let count = text.strip_prefix("1/").and_then(|count| count.parse().ok()).ok_or(HOW)?;
    if count == 0 { Err(HOW) } else { Ok(When::Every(count)) }
}

fn parse_span(text: &str) -> Result<Duration, &'static str> {
    const HOW: &str = "a latency is written `200ms` or `2s`";
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 1e-3),
        None => (text.strip_suffix('s').ok_or(HOW)?, 1.0),
    };
    let seconds = number.trim().parse::<f64>().map_err(|_| HOW)? * unit;
    if (0.0..=86_400.0).contains(&seconds) {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err(HOW)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_named() {
        for (rule, word) in [
            ("status_500", "how often"),
            ("status_200=1%", "400 to 599"),
            ("drop=200%", "share"),
            ("stall=1/0", "count"),
            ("latency=5", "200ms"),
        ] {
            let error = Faults::parse(rule).unwrap_err().to_string();
            assert!(error.contains(word) && error.contains(rule), "{error}");
        }
    }

    #[test]
    fn rates_are_met_and_repeat() {
        let faults = Faults::parse("status_500=5%,latency=10ms:50%,drop=1/10").unwrap();
        let all: Vec<_> = (1..=10_000).map(|number| faults.effects(7, number)).collect();
        let count = |wanted: Effect| all.iter().filter(|e| e.contains(&wanted)).count();
        assert!((400..600).contains(&count(Effect::Status(StatusCode::INTERNAL_SERVER_ERROR))));
        assert!((900..=1000).contains(&count(Effect::Drop)));
        assert!((4500..5000).contains(&count(Effect::Latency(Duration::from_millis(10)))));
        assert_eq!(faults.effects(7, 123), faults.effects(7, 123));
    }
}
