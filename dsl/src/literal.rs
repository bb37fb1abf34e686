//! Literals: numbers with units, strings, text blocks.
//!
//! A unit is part of the number, so `30` where a duration is due is an error of types and not a
//! surprise at run time.

use crate::codes;
use crate::types::Value;
use crate::units::{DURATIONS, SIZES};

pub(crate) use crate::units::{show_duration, show_size};

/// A literal that could not be read.
#[derive(Debug)]
pub(crate) struct LiteralError {
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
    pub(crate) fix: Option<String>,
}

/// Spellings of units from elsewhere.
const OTHER_SPELLINGS: &[(&str, &str)] = &[
    ("sec", "s"),
    ("secs", "s"),
    ("second", "s"),
    ("seconds", "s"),
    ("mins", "min"),
    ("minute", "min"),
    ("minutes", "min"),
    ("hr", "h"),
    ("hour", "h"),
    ("hours", "h"),
    ("day", "d"),
    ("days", "d"),
    ("msec", "ms"),
    ("millis", "ms"),
    ("usec", "us"),
    ("KB", "KiB"),
    ("kB", "KiB"),
    ("MB", "MiB"),
    ("GB", "GiB"),
    ("TB", "TiB"),
    ("rps", "/s"),
    ("qps", "/s"),
    ("rpm", "/min"),
    ("tok", " tokens"),
    ("toks", " tokens"),
];

/// Whether `word` may follow a number.
pub(crate) fn is_unit(word: &str) -> bool {
    matches!(word, "tokens" | "token" | "%")
        || DURATIONS.iter().any(|(unit, _)| *unit == word)
        || SIZES.iter().any(|(unit, _)| *unit == word)
}

/// Reads a number with its unit, as the grammar's `number` cuts it.
pub(crate) fn number(text: &str) -> Result<Value, LiteralError> {
    let split = text.find(|c: char| !matches!(c, '0'..='9' | '_' | '.')).unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let plain: String = digits.chars().filter(|c| *c != '_').collect();
    let whole: Option<i64> = plain.parse().ok();
    let real: f64 =
        plain.parse().ok().filter(|x: &f64| x.is_finite()).ok_or_else(|| too_large(text))?;
    let integer = || whole.ok_or_else(|| too_large(text));
    let scaled = |factor: f64| {
        let product = real * factor;
        if product < 9.0e18 { Ok(product.round()) } else { Err(too_large(text)) }
    };
    if unit.starts_with(' ') && !unit.trim().starts_with("token") {
        let fix = spelt(unit.trim()).map_or(unit.trim(), |meant| meant);
        let fix = format!("{digits}{fix}");
        return Err(LiteralError {
            code: codes::UNKNOWN_UNIT,
            message: "a unit follows its number without a blank".to_owned(),
            help: Some(format!("write `{fix}`")),
            fix: Some(fix),
        });
    }
    match unit.trim() {
        "" if plain.contains('.') => Ok(Value::Float(real)),
        "" => Ok(Value::Int(integer()?)),
        // By text: 99.9 divided by 100 is not the float closest to 0.999.
        "%" => Ok(Value::Percent(format!("{plain}e-2").parse().unwrap_or(real / 100.0))),
        "tokens" | "token" => Ok(Value::Tokens(integer()?)),
        "/Mtok" => Ok(Value::Float(real)),
        unit if unit.starts_with('/') => {
            let per = DURATIONS.iter().find(|(name, _)| *name == &unit[1..]);
            let nanos = per.map_or(1_000_000_000, |(_, nanos)| *nanos);
            Ok(Value::Rate(real / (nanos as f64 / 1e9)))
        }
        unit => {
            if let Some((_, nanos)) = DURATIONS.iter().find(|(name, _)| *name == unit) {
                return match whole {
                    Some(n) => {
                        n.checked_mul(*nanos).map(Value::Duration).ok_or_else(|| too_large(text))
                    }
                    None if !is_whole(&plain, *nanos) => Err(too_fine(text, "a duration", "1ns")),
                    None => Ok(Value::Duration(scaled(*nanos as f64)? as i64)),
                };
            }
            if let Some((_, bytes)) = SIZES.iter().find(|(name, _)| *name == unit) {
                let size = scaled(*bytes as f64)?;
                // Parts of larger units need not be whole bytes: `0.1GiB`.
                let fine = *bytes == 1 && !is_whole(&plain, 1) || size == 0.0 && real > 0.0;
                return if fine {
                    Err(too_fine(text, "a size", "1B"))
                } else {
                    Ok(Value::Size(size as u64))
                };
            }
            Err(unknown_unit(digits, unit))
        }
    }
}

fn too_large(text: &str) -> LiteralError {
    LiteralError {
        code: codes::NUMBER_RANGE,
        message: format!("`{}` is out of range", short(text)),
        help: Some("whole numbers have 64 bits".to_owned()),
        fix: None,
    }
}

/// Whether a decimal number of units is a whole number of the smallest unit.
fn is_whole(plain: &str, factor: i64) -> bool {
    let (_, fraction) = plain.split_once('.').unwrap_or((plain, ""));
    let digits = fraction.trim_end_matches('0');
    if digits.len() > 18 {
        return false;
    }
    let scale = 10_i128.pow(digits.len() as u32);
    let parts: i128 = digits.parse().unwrap_or(0);
    parts * i128::from(factor) % scale == 0
}

fn too_fine(text: &str, what: &str, unit: &str) -> LiteralError {
    LiteralError {
        code: codes::NUMBER_RANGE,
        message: format!("`{}` is finer than {what} can be", short(text)),
        help: Some(format!("the smallest is `{unit}`, and all others are whole multiples of it")),
        fix: None,
    }
}

fn short(text: &str) -> String {
    if text.len() <= 24 { text.to_owned() } else { format!("{}...", &text[..24]) }
}

/// The unit that another spelling means, also in capitals where that leaves no doubt.
fn spelt(unit: &str) -> Option<&'static str> {
    let of = |wanted: &str| OTHER_SPELLINGS.iter().find(|(other, _)| *other == wanted);
    let lower = unit.to_ascii_lowercase();
    let known = || DURATIONS.iter().map(|(name, _)| *name).find(|name| *name == lower);
    let upper = || SIZES.iter().map(|(name, _)| *name).find(|name| name.eq_ignore_ascii_case(unit));
    // A capital `M` may be a million as well as a minute.
    let clear = unit.len() > 1 || unit == "S" || unit == "H";
    let lowered = clear.then(|| known().or_else(|| of(&lower).map(|it| it.1)).or_else(upper));
    of(unit).map(|it| it.1).or(lowered.flatten())
}

/// `1h30m` as `90min`: the sum of its parts in the smallest of their units.
pub(crate) fn one_unit(text: &str) -> Option<String> {
    let (mut total, mut least, mut rest) = (0_i64, None::<(&str, i64)>, text);
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let behind = &rest[digits..];
        let letters =
            behind.len() - behind.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
        let word = match &behind[..letters] {
            "m" => "min",
            word => word,
        };
        let unit = DURATIONS.iter().find(|(unit, _)| *unit == word)?;
        let part = rest[..digits].parse::<i64>().ok()?.checked_mul(unit.1)?;
        total = total.checked_add(part)?;
        least = Some(least.filter(|(_, nanos)| *nanos <= unit.1).unwrap_or((unit.0, unit.1)));
        rest = &behind[letters..];
    }
    let (unit, nanos) = least?;
    Some(format!("{}{unit}", total / nanos))
}

/// A number in powers of ten or in thousands as it is written here: `1e3`, `10k`, `2M`.
fn written_out(digits: &str, unit: &str) -> Option<String> {
    let plain = digits.replace('_', "");
    let zeros: i32 = match unit {
        "k" | "K" => 3,
        "M" => 6,
        "G" => 9,
        _ => unit.strip_prefix(['e', 'E'])?.parse().ok()?,
    };
    let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, ""));
    let fraction = fraction.trim_end_matches('0');
    let shift = usize::try_from(zeros).ok()?.checked_sub(fraction.len()).filter(|it| *it <= 15)?;
    let number = format!("{whole}{fraction}{}", "0".repeat(shift));
    let number = number.trim_start_matches('0');
    let mut out = String::new();
    for (at, c) in number.char_indices() {
        if at > 0 && (number.len() - at) % 3 == 0 {
            out.push('_');
        }
        out.push(c);
    }
    (!out.is_empty() && out.len() <= 24).then_some(out)
}

fn unknown_unit(digits: &str, unit: &str) -> LiteralError {
    if let Some(fix) = one_unit(&format!("{digits}{unit}")) {
        return LiteralError {
            code: codes::UNKNOWN_UNIT,
            message: "a duration has one unit".to_owned(),
            help: Some(format!("write `{fix}`")),
            fix: Some(fix),
        };
    }
    if let Some(number) = written_out(digits, unit) {
        let size = match unit {
            "k" | "K" => format!(", a size `{digits}KiB`"),
            "M" | "G" => format!(", a size `{digits}{unit}iB`"),
            _ => String::new(),
        };
        let sure = size.is_empty() || unit == "k";
        return LiteralError {
            code: codes::UNKNOWN_UNIT,
            message: format!("`{}` is not a unit", short(unit)),
            help: Some(format!("a number is written `{number}`{size}")),
            fix: sure.then_some(number),
        };
    }
    let fix = spelt(unit).map(|right| format!("{digits}{right}"));
    let help = match &fix {
        Some(fix) if fix.ends_with("iB") => {
            format!("write `{fix}`: units of sizes are binary, 1KiB is 1024 bytes")
        }
        Some(fix) => format!("write `{fix}`"),
        None => {
            "units are `us`, `ms`, `s`, `min`, `h`, `d`, `KiB`, `MiB`, `GiB`, `tokens`, `%` and \
                 rates such as `600/min`"
                .to_owned()
        }
    };
    LiteralError {
        code: codes::UNKNOWN_UNIT,
        message: format!("`{}` is not a unit", short(unit)),
        help: Some(help),
        fix,
    }
}

/// The negative of a constant number.
pub(crate) fn negate(value: &Value) -> Option<Value> {
    match value {
        Value::Int(n) => n.checked_neg().map(Value::Int),
        Value::Float(x) => Some(Value::Float(-x)),
        Value::Duration(n) => n.checked_neg().map(Value::Duration),
        Value::Percent(x) => Some(Value::Percent(-x)),
        _ => None,
    }
}

/// Text of a quoted string, and the offsets of backslashes that escape nothing known.
pub(crate) fn unescape(quoted: &str) -> (String, Vec<usize>) {
    let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(quoted);
    let mut text = String::with_capacity(inner.len());
    let mut bad = Vec::new();
    let mut chars = inner.char_indices();
    while let Some((offset, c)) = chars.next() {
        if c != '\\' {
            text.push(c);
            continue;
        }
        match chars.next().map(|(_, c)| c) {
            Some('n') => text.push('\n'),
            Some('t') => text.push('\t'),
            Some('r') => text.push('\r'),
            Some(c @ ('"' | '\\')) => text.push(c),
            other => {
                bad.push(offset + 1);
                text.extend(other);
            }
        }
    }
    (text, bad)
}

/// Text between triple quotes without the indentation that all lines share, and without the line
/// ends next to the quotes.
pub(crate) fn dedent(quoted: &str) -> String {
    let inner = quoted
        .strip_prefix("\"\"\"")
        .and_then(|rest| rest.strip_suffix("\"\"\""))
        .unwrap_or(quoted);
    let Some((first, rest)) = inner.split_once('\n') else { return inner.to_owned() };
    let lines: Vec<&str> = rest.split('\n').map(|line| line.trim_end_matches('\r')).collect();
    let indent = lines
        .iter()
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.len() - line.trim_start_matches([' ', '\t']).len())
        .min()
        .unwrap_or(0);
    let mut out: Vec<&str> = Vec::with_capacity(lines.len() + 1);
    if !first.trim().is_empty() {
        out.push(first.trim_end_matches('\r'));
    }
    out.extend(lines.iter().map(|line| line.get(indent..).unwrap_or("")));
    if out.last().is_some_and(|line| line.trim().is_empty()) {
        out.pop();
    }
    out.join("\n")
}

/// A constant as it would be written in a program.
pub(crate) fn show(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Int(n) => n.to_string(),
        Value::Float(x) => show_float(*x),
        Value::String(text) => format!("{text:?}"),
        Value::Time(nanos) => format!("time(\"{}\")", crate::time::show(*nanos)),
        Value::Duration(nanos) => show_duration(*nanos),
        Value::Size(bytes) => show_size(*bytes),
        Value::Rate(rate) => format!("{}/s", (rate * 1e6).round() / 1e6),
        Value::Percent(share) => format!("{}%", (share * 1e8).round() / 1e6),
        Value::Tokens(n) => format!("{n} tokens"),
        Value::List(items) => {
            format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(", "))
        }
        Value::Call { name, args } if args.is_empty() => name.clone(),
        Value::Call { name, args } => format!("{name}({})", show_args(args)),
    }
}

/// A float in digits: the language has no exponents.
fn show_float(x: f64) -> String {
    let short = format!("{x:?}");
    if !short.contains('e') {
        return short;
    }
    let digits = x.to_string();
    if digits.contains('.') { digits } else { format!("{digits}.0") }
}

/// Arguments as they would be written; bare words without quotes.
pub(crate) fn show_args(args: &[(String, Value)]) -> String {
    let shown = args.iter().map(|(name, value)| {
        if name.is_empty() { show(value) } else { format!("{name}: {}", show(value)) }
    });
    shown.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &Value) {
        assert_eq!(&number(text).expect(text), expect, "{text}");
    }

    #[test]
    fn units_are_part_of_the_number() {
        check("10", &Value::Int(10));
        check("10_000", &Value::Int(10_000));
        check("2.5", &Value::Float(2.5));
        check("20ms", &Value::Duration(20_000_000));
        check("1.5s", &Value::Duration(1_500_000_000));
        check("5us", &Value::Duration(5_000));
        check("2min", &Value::Duration(120_000_000_000));
        check("2m", &Value::Duration(120_000_000_000));
        check("1h", &Value::Duration(3_600_000_000_000));
        check("1d", &Value::Duration(86_400_000_000_000));
        check("64MiB", &Value::Size(64 << 20));
        check("4KiB", &Value::Size(4096));
        check("600_000/min", &Value::Rate(10_000.0));
        check("50/s", &Value::Rate(50.0));
        check("99.5%", &Value::Percent(0.995));
        check("99.9%", &Value::Percent(0.999));
        check("1800 tokens", &Value::Tokens(1800));
        check("0.15/Mtok", &Value::Float(0.15));
    }

    #[test]
    fn foreign_units_are_translated() {
        assert_eq!(number("30sec").expect_err("unit").fix.as_deref(), Some("30s"));
        assert_eq!(number("8GB").expect_err("unit").fix.as_deref(), Some("8GiB"));
        assert_eq!(number("3parsecs").expect_err("unit").fix, None);
        assert!(number("99999999999999999999").is_err());
        assert!(number("99999999999d").is_err());
    }

    #[test]
    fn what_is_finer_than_the_smallest_unit_is_not_rounded_in_silence() {
        for text in ["0.5B", "0.1ns", "1.5ns", "0.0001us", "1.0000000001s", "0.0001KiB"] {
            assert_eq!(number(text).expect_err(text).code, codes::NUMBER_RANGE, "{text}");
        }
        check("0.5us", &Value::Duration(500));
        check("1.000000001s", &Value::Duration(1_000_000_001));
        check("1.0ns", &Value::Duration(1));
        check("0.1KiB", &Value::Size(102));
        check("0.0B", &Value::Size(0));
    }

    #[test]
    fn text_blocks_lose_their_common_indentation() {
        assert_eq!(dedent("\"\"\"\n    a\n      b\n    \"\"\""), "a\n  b");
        assert_eq!(dedent("\"\"\"one\"\"\""), "one");
        assert_eq!(dedent("\"\"\"\n  a\n\n  b\n\"\"\""), "a\n\nb");
    }

    #[test]
    fn constants_are_shown_as_written() {
        for text in ["20ms", "90s", "2min", "64MiB", "50/s", "99.5%", "1800 tokens", "2.5", "0.1"] {
            assert_eq!(show(&number(text).expect(text)), text);
        }
        for x in [1e-9, 2.5e20, 1e300] {
            assert_eq!(number(&show(&Value::Float(x))).expect("digits"), Value::Float(x));
        }
    }
}
