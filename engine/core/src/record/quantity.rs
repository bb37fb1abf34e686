//! Quantities as text: times, durations, sizes and rates as people and other programs write them.
//!
//! In a row each is a plain number, of nanoseconds or bytes. In a file a number says nothing of its
//! unit, so sinks write `2026-11-28T10:00:00Z`, `250ms` and `64MiB`, and sources read these beside
//! plain numbers. **Invariant: what is written is read back as the same number.**

use sage_dsl::time;
use sage_dsl::types::Type;
use sage_dsl::units::{DURATIONS, SIZES, show_duration, show_size};

/// Nanoseconds of a second.
const SECOND: i128 = 1_000_000_000;

/// The text of a quantity of type `ty`; `None` if the type has no text of its own.
pub(super) fn show(ty: &Type, n: i64) -> Option<String> {
    match ty {
        Type::Optional(inner) => show(inner, n),
        Type::Time => Some(time::show(n)),
        Type::Duration => Some(show_duration(n)),
        // A size below zero is none, and stays the number it is.
        Type::Size => u64::try_from(n).ok().map(show_size),
        _ => None,
    }
}

/// Read a text as a quantity of type `ty`; the error says what is expected.
pub(super) fn whole(ty: &Type, text: &str) -> Result<i64, String> {
    let text = text.trim();
    if let Ok(n) = text.parse::<i64>() {
        return if *ty == Type::Size && n < 0 { Err(negative(text)) } else { Ok(n) };
    }
    match ty {
        Type::Time => time::parse(text).map_err(|what| expected(what, text)),
        Type::Duration => {
            let (sign, amount) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
            let what = "a duration such as `1s`, `250ms` or `1h 30min`";
            ranged(amount_of(DURATIONS, amount).map(|n| sign * n), what, text)
        }
        Type::Size if text.starts_with('-') => Err(negative(text)),
        Type::Size => {
            // `1MB` is a million bytes to some and 1MiB to others.
            let decimal = ["kB", "KB", "MB", "GB", "TB"].iter().any(|unit| text.ends_with(unit));
            let what = if decimal {
                "a size in binary units such as `512KiB` or `64MiB`, not `MB`"
            } else {
                "a size such as `512B` or `64MiB`"
            };
            ranged(amount_of(SIZES, text), what, text)
        }
        Type::Tokens => {
            let digits = text.strip_suffix("tokens").map(|digits| digits.trim().parse().ok());
            digits.flatten().ok_or_else(|| expected("a number of tokens", text))
        }
        _ => {
            let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
            let long = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            let what = if long { "a whole number within 64 bits" } else { "a whole number" };
            Err(expected(what, text))
        }
    }
}

/// Read a text as a rate or a share.
pub(super) fn real(ty: &Type, text: &str) -> Result<f64, String> {
    let text = text.trim();
    // Rust reads `NaN` and `inf`, and 1e400 as the latter; no sink could write them again.
    let finite = |text: &str| text.trim().parse::<f64>().ok().filter(|x| x.is_finite());
    let (found, what) = match ty {
        Type::Rate => {
            let per = |(number, unit): (&str, &str)| {
                let (_, nanoseconds) = DURATIONS.iter().find(|(name, _)| *name == unit.trim())?;
                Some(finite(number)? / (*nanoseconds as f64 / SECOND as f64))
            };
            let rate = text.split_once('/').and_then(per);
            (finite(text).or(rate), "a rate such as `50/s` or a finite number")
        }
        Type::Percent => {
            // By text: 99.9 divided by 100 is not the float closest to 0.999.
            let share = |number: &str| finite(&format!("{}e-2", number.trim()));
            let share = text.strip_suffix('%').and_then(share);
            (finite(text).or(share), "a share such as `99.5%` or a finite number")
        }
        _ => (finite(text), "a finite number"),
    };
    found.ok_or_else(|| expected(what, text))
}

pub(super) fn expected(what: &str, found: &str) -> String {
    let shown: String = found.chars().take(40).collect();
    format!("expected {what}, found `{shown}`")
}

fn negative(text: &str) -> String {
    expected("a size, which is not negative", text)
}

fn ranged(found: Option<i128>, what: &str, text: &str) -> Result<i64, String> {
    let found = found.ok_or_else(|| expected(what, text))?;
    i64::try_from(found).map_err(|_| expected(&format!("{what} within 64 bits"), text))
}

/// `1h 30min`, `1.5s`: numbers with their units, added up. Finer than the smallest unit is rounded.
fn amount_of(units: &[(&str, i64)], text: &str) -> Option<i128> {
    let mut rest = text.trim();
    let mut total: i128 = 0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, behind) = rest.split_at(end);
        let behind = behind.trim_start();
        let letters = behind.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(letters);
        let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
        total = total.checked_add(times(number, i128::from(*factor))?)?;
        rest = behind.trim_start();
    }
    Some(total)
}

/// A decimal number times `factor`, exactly but for the last rounding.
fn times(number: &str, factor: i128) -> Option<i128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || number.ends_with('.') || !digits(fraction) {
        return None;
    }
    let whole = whole.parse::<i64>().ok()?;
    let fraction = fraction.get(..fraction.len().min(15))?;
    let scale = 10_i128.pow(fraction.len() as u32);
    let parts = if fraction.is_empty() { 0 } else { fraction.parse::<i128>().ok()? };
    Some(i128::from(whole) * factor + (parts * factor + scale / 2) / scale)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KINDS: [Type; 3] = [Type::Time, Type::Duration, Type::Size];

    proptest! {
        #[test]
        fn what_is_written_is_read_back(n in any::<i64>(), round in 0_u32..4, kind in 0_usize..3) {
            // Round numbers, which have larger units, too.
            let n = n / 1_000_i64.pow(round) * 1_000_i64.pow(round);
            let (ty, n) = (&KINDS[kind], if kind == 2 { n.saturating_abs() } else { n });
            let text = show(ty, n).unwrap();
            prop_assert_eq!(whole(ty, &text), Ok(n), "{}", text);
            prop_assert_eq!(whole(ty, &n.to_string()), Ok(n));
        }

        #[test]
        fn an_offset_moves_a_time(n in -4_000_000_000_i64..4_000_000_000, offset in -1_439_i64..1_440) {
            let utc = n * SECOND as i64;
            let local = time::show(utc + offset * 60 * SECOND as i64);
            let (hours, minutes) = (offset.abs() / 60, offset.abs() % 60);
            let sign = if offset < 0 { '-' } else { '+' };
            let local = local.trim_end_matches('Z');
            for text in [
                format!("{local}{sign}{hours:02}:{minutes:02}"),
                format!("{}{sign}{hours:02}{minutes:02}", local.replace('T', " ")),
            ] {
                prop_assert_eq!(whole(&Type::Time, &text), Ok(utc), "{}", text);
            }
        }

        #[test]
        fn no_text_panics(text in ".{0,24}", near in "[0-9]{4}-[01][0-9]-[0-3][0-9][T ]?[-0-9:.Z+]{0,16}") {
            for text in [text, near] {
                for ty in KINDS.iter().chain(&[Type::Tokens]) {
                    let _ = whole(ty, &text);
                }
                for ty in [Type::Rate, Type::Percent, Type::Float] {
                    let _ = real(&ty, &text);
                }
            }
        }
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        const HOUR: i64 = 3_600 * SECOND as i64;
        for (text, hours) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-02", 24),
            ("1969-12-31 23:00:00Z", -1),
            ("1970-01-01T01:00+01:00", 0),
            ("2000-03-01T00:00:00Z", 264_408),
            ("2024-02-29T12:00:00-12", 474_792),
            ("1900-03-01T00:00:00Z", -612_192),
            ("2016-12-31T23:59:60Z", 412_008),
            ("2017-01-01T00:59:60+01:00", 412_008),
        ] {
            assert_eq!(whole(&Type::Time, text), Ok(hours * HOUR), "{text}");
        }
        let half = whole(&Type::Time, "2026-11-28t10:00:00,5z").unwrap();
        assert_eq!(time::show(half), "2026-11-28T10:00:00.5Z");
        assert_eq!(time::show(i64::MIN), "1677-09-21T00:12:43.145224192Z");
        assert_eq!(time::show(i64::MAX), "2262-04-11T23:47:16.854775807Z");
        for (wrong, why) in [
            ("tomorrow", "such as `2026-11-28T10:00:00Z`, found `tomorrow`"),
            ("2026-02-29", "a day of the calendar"),
            ("2026-13-01", "a day of the calendar"),
            ("2026-11-28T24:30:00Z", "a time of day"),
            ("2026-11-28T10:00:60Z", "a time of day"),
            ("2026-11-28T10:00:00 Berlin", "such as"),
            ("2026-11-28T10:00:00.Z", "such as"),
            ("1500-01-01", "between 1678 and 2262"),
            ("28.11.2026", "such as"),
        ] {
            let found = whole(&Type::Time, wrong).unwrap_err();
            assert!(found.contains(why), "{wrong}: {found}");
        }
    }

    #[test]
    fn amounts_have_units() {
        let minute = 60 * SECOND as i64;
        for (ty, text, expect) in [
            (Type::Duration, "1s", SECOND as i64),
            (Type::Duration, "250ms", 250_000_000),
            (Type::Duration, "1.5s", 1_500_000_000),
            (Type::Duration, "-1h 30min", -90 * minute),
            (Type::Duration, "1h30m", 90 * minute),
            (Type::Duration, "1 h 30 min", 90 * minute),
            (Type::Size, "64 MiB", 64 << 20),
            (Type::Duration, "17", 17),
            (Type::Size, "64MiB", 64 << 20),
            (Type::Size, "1.5KiB", 1_536),
            (Type::Size, "12B", 12),
            (Type::Tokens, "1800 tokens", 1_800),
            (Type::Tokens, "1800", 1_800),
        ] {
            assert_eq!(whole(&ty, text), Ok(expect), "{text}");
        }
        for (ty, n, expect) in [
            (Type::Duration, 0, "0s"),
            (Type::Duration, 90_000_000_000, "90s"),
            (Type::Duration, 1_500_000_000, "1500ms"),
            (Type::Duration, -7, "-7ns"),
            (Type::Size, 0, "0B"),
            (Type::Size, 64 << 20, "64MiB"),
            (Type::Size, 1_000, "1000B"),
        ] {
            assert_eq!(show(&ty, n).unwrap(), expect);
        }
        for (ty, wrong) in [
            (Type::Duration, "soon"),
            (Type::Duration, "1 fortnight"),
            (Type::Duration, "99999999999999h"),
            (Type::Duration, "1.s"),
            (Type::Size, "-1MiB"),
            (Type::Size, "-1"),
            (Type::Size, "3s"),
            (Type::Size, "1MB"),
            (Type::Duration, "3MiB"),
            (Type::Duration, "1.5"),
        ] {
            let why = whole(&ty, wrong).unwrap_err();
            assert!(why.contains("expected a") && why.contains(wrong), "{why}");
        }
        for (text, what) in [("1.5", "a whole number,"), ("9223372036854775808", "within 64 bits")]
        {
            assert!(whole(&Type::Int, text).unwrap_err().contains(what), "{text}");
        }
        assert_eq!(real(&Type::Rate, "600/min"), Ok(10.0));
        assert_eq!(real(&Type::Rate, "2.5"), Ok(2.5));
        assert_eq!(real(&Type::Percent, "99.9%"), Ok(0.999));
        assert!(real(&Type::Rate, "5/fortnight").unwrap_err().contains("50/s"));
        assert!(real(&Type::Float, "1/s").is_err());
    }
}
