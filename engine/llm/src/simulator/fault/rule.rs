//! How rules are written.

use std::time::Duration;

use axum::http::StatusCode;

use super::{Call, Effect, RetryAfter, When, Window};

const KNOWN: &str = "known are status_<code>, latency, drop, reset, stall, truncated, bad_json, \
                     wrong_schema, slow_start, outage and retry_after";
const SPAN: &str = "a span is written `200ms`, `2s` or `1m`";
const OUTAGE: &str = "an outage is written `60s+30s` or `60s+30s:every=5m`";
const HOW_OFTEN: &str = "how often is a share such as `5%` or a count such as `1/20`";

/// One rule.
#[derive(Debug, PartialEq)]
pub(super) enum Rule {
    Call(Call, When),
    SlowStart(Duration),
    Outage(Window),
    RetryAfter(RetryAfter),
}

impl Rule {
    pub(super) fn parse(rule: &str) -> Result<Rule, &'static str> {
        let (name, value) = rule.split_once('=').ok_or("write `name=how often`")?;
        let (name, value) = (name.trim(), value.trim());
        let effect = match name {
            "latency" => {
                let (length, when) = match value.split_once(':') {
                    Some((length, when)) => (length, how_often(when)?),
                    None => (value, When::Share(1.0)),
                };
                return Ok(Rule::Call(Call::Latency(span(length)?), when));
            }
            "wrong_schema" => return Ok(Rule::Call(Call::WrongSchema, how_often(value)?)),
            "slow_start" => return Ok(Rule::SlowStart(span(value)?)),
            "outage" => return window(value).map(Rule::Outage),
            "retry_after" if value == "none" => return Ok(Rule::RetryAfter(RetryAfter::Silent)),
            "retry_after" => {
                // The header has whole seconds; coming too early is what it is to prevent.
                let seconds = span(value)?.as_secs_f64().ceil() as u64;
                return Ok(Rule::RetryAfter(RetryAfter::Seconds(seconds)));
            }
            "drop" => Effect::Drop,
            "reset" => Effect::Reset,
            "stall" => Effect::Stall,
            "truncated" => Effect::Truncated,
            "bad_json" => Effect::BadJson,
            _ => {
                let code = name.strip_prefix("status_").ok_or(KNOWN)?;
                let code = code.parse().ok().filter(|code| (400..600).contains(code));
                let code = code.ok_or("the status is a number from 400 to 599")?;
                Effect::Status(StatusCode::from_u16(code).map_err(|_| "no such status")?)
            }
        };
        Ok(Rule::Call(Call::Ends(effect), how_often(value)?))
    }
}

fn how_often(text: &str) -> Result<When, &'static str> {
    if let Some(share) = text.strip_suffix('%') {
        let share: f64 = share.trim().parse().map_err(|_| HOW_OFTEN)?;
        let valid = (0.0..=100.0).contains(&share);
        return if valid { Ok(When::Share(share / 100.0)) } else { Err(HOW_OFTEN) };
    }
    let count = text.strip_prefix("1/").and_then(|count| count.parse().ok()).ok_or(HOW_OFTEN)?;
    if count == 0 { Err(HOW_OFTEN) } else { Ok(When::Every(count)) }
}

fn span(text: &str) -> Result<Duration, &'static str> {
    let text = text.trim();
    let units = [("ms", 1e-3), ("s", 1.0), ("m", 60.0)];
    let (number, unit) =
        units.iter().find_map(|(name, unit)| Some((text.strip_suffix(name)?, unit))).ok_or(SPAN)?;
    let seconds = number.trim().parse::<f64>().map_err(|_| SPAN)? * unit;
    let valid = (0.0..=86_400.0).contains(&seconds);
    if valid { Ok(Duration::from_secs_f64(seconds)) } else { Err(SPAN) }
}

fn window(text: &str) -> Result<Window, &'static str> {
    let (window, every) = match text.split_once(':') {
        None => (text, None),
        Some((window, repeat)) => {
            let every = repeat.trim().strip_prefix("every=").ok_or(OUTAGE)?;
            (window, Some(span(every)?))
        }
    };
    let (from, length) = window.split_once('+').ok_or(OUTAGE)?;
    let window = Window { from: span(from)?, span: span(length)?, every };
    if every.is_some_and(|every| every <= window.span) {
        return Err("an outage must be shorter than its `every`");
    }
    Ok(window)
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
            ("outage=60s", "60s+30s"),
            ("outage=60s+30s:each=1s", "every"),
            ("outage=60s+30s:every=30s", "shorter"),
            ("slow_start=-1s", "span"),
            ("retry_after=soon", "span"),
            ("other=1%", "known are"),
        ] {
            let error = Rule::parse(rule).unwrap_err();
            assert!(error.contains(word), "{rule}: {error}");
        }
    }

    #[test]
    fn spans_have_units() {
        let millis = |text: &str| span(text).map(|span| span.as_millis());
        assert_eq!(["200ms", "2s", "1.5m"].map(millis), [Ok(200), Ok(2000), Ok(90_000)]);
        let after = Rule::parse("retry_after=1500ms");
        assert_eq!(after, Ok(Rule::RetryAfter(RetryAfter::Seconds(2))));
    }
}
