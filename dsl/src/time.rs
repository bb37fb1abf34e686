//! Times as text: one reader for constants of programs and for values in data.
//!
//! A program writes `time("2026-11-28T10:00:00Z")`, a file the text alone; both mean the same
//! nanosecond. **Invariant: what [`show`] writes, [`parse`] reads as the same number.**

use std::fmt::Write as _;

/// Nanoseconds of a second.
const SECOND: i128 = 1_000_000_000;
const DAY: i64 = 86_400;
/// Days of the months of a year that is no leap year.
const MONTHS: [i64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

fn leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_of(year: i64, month: usize) -> i64 {
    MONTHS[month] + i64::from(month == 1 && leap(year))
}

/// Days from the first of January 1970 to that of `year`.
fn days_to(year: i64) -> i64 {
    // Leap years in front of a year.
    let leaps = |year: i64| {
        let before = year - 1;
        before.div_euclid(4) - before.div_euclid(100) + before.div_euclid(400)
    };
    365 * (year - 1970) + leaps(year) - leaps(1970)
}

/// Year, month from 0 and day from 1, so many days after the first of January 1970.
fn calendar(days: i64) -> (i64, usize, i64) {
    let mut year = 1970 + days.div_euclid(365);
    while days_to(year) > days {
        year -= 1;
    }
    while days_to(year + 1) <= days {
        year += 1;
    }
    let mut day = days - days_to(year);
    let mut month = 0;
    while month < 11 && day >= days_of(year, month) {
        day -= days_of(year, month);
        month += 1;
    }
    (year, month, day + 1)
}

/// Whether so many seconds after the first of January 1970 a leap second may have ended: they are
/// put in at the end of June or December, UTC.
fn ends_leap_second(seconds: i64) -> bool {
    let (_, month, day) = calendar(seconds.div_euclid(DAY));
    seconds.rem_euclid(DAY) == 0 && day == 1 && (month == 0 || month == 6)
}

/// A time by RFC 3339, in UTC, with no more digits than it has.
pub fn show(nanoseconds: i64) -> String {
    let seconds = nanoseconds.div_euclid(SECOND as i64);
    let fraction = nanoseconds.rem_euclid(SECOND as i64);
    let (days, second) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
    let (year, month, day) = calendar(days);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    let mut out =
        format!("{year:04}-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}", month + 1, day);
    if fraction > 0 {
        let digits = format!("{fraction:09}");
        let _ = write!(out, ".{}", digits.trim_end_matches('0'));
    }
    out + "Z"
}

const OF_DAY: &str = "a time of day up to 23:59:59";
const TIMES: &str = "a time such as `2026-11-28T10:00:00Z`";

/// A time by RFC 3339 or the forms of ISO 8601 near to it: a date alone, a blank before the time of
/// day, seconds left out, any number of digits. Without an offset it is in UTC. The
/// error says what was expected.
pub fn parse(text: &str) -> Result<i64, &'static str> {
    let text = text.trim();
    let wrong = || TIMES;
    let number = |from: usize, digits: usize| -> Result<i64, &'static str> {
        let part =
            text.get(from..from + digits).filter(|it| it.bytes().all(|b| b.is_ascii_digit()));
        part.and_then(|part| part.parse().ok()).ok_or_else(wrong)
    };
    let is = |at: usize, marks: &[u8]| text.as_bytes().get(at).is_some_and(|b| marks.contains(b));
    if !is(4, b"-") || !is(7, b"-") {
        return Err(wrong());
    }
    let (year, month, day) = (number(0, 4)?, number(5, 2)?, number(8, 2)?);
    let in_year = usize::try_from(month - 1).ok().filter(|month| *month < 12);
    let in_year = in_year.filter(|month| (1..=days_of(year, *month)).contains(&day));
    let Some(month) = in_year else { return Err("a day of the calendar") };
    let days = days_to(year) + (0..month).map(|month| days_of(year, month)).sum::<i64>() + day - 1;
    let mut total = i128::from(days * DAY) * SECOND;
    if text.len() > 10 {
        if !is(10, b"Tt ") || !is(13, b":") {
            return Err(wrong());
        }
        let (hour, minute) = (number(11, 2)?, number(14, 2)?);
        let mut at = 16;
        let (mut second, mut fraction) = (0, 0);
        if is(at, b":") {
            second = number(17, 2)?;
            at = 19;
            if is(at, b".,") {
                let digits = text[at + 1..].bytes().take_while(u8::is_ascii_digit).count();
                let kept = format!("{:0<9.9}", text.get(at + 1..at + 1 + digits).unwrap_or(""));
                fraction = kept.parse().map_err(|_| wrong())?;
                at += 1 + digits;
                if digits == 0 {
                    return Err(wrong());
                }
            }
        }
        if hour > 23 || minute > 59 || second > 60 {
            return Err(OF_DAY);
        }
        let offset = offset(text.get(at..).unwrap_or("")).ok_or_else(wrong)?;
        let seconds = hour * 3_600 + minute * 60 + second - offset;
        // A leap second is the first of the next minute.
        if second == 60 && !ends_leap_second(days * DAY + seconds) {
            return Err(OF_DAY);
        }
        total += i128::from(seconds) * SECOND + i128::from(fraction);
    }
    i64::try_from(total).map_err(|_| "a time between 1678 and 2262")
}

/// Seconds that local time is ahead of UTC: `Z`, `+01:00`, `+0100`, `+01`, or nothing.
fn offset(text: &str) -> Option<i64> {
    if text.is_empty() || text.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = match rest.split_once(':') {
        Some(parts) => parts,
        None => rest.split_at_checked(2)?,
    };
    let two = |text: &str| {
        let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse::<i64>().ok()).flatten()
    };
    let minutes = if minutes.is_empty() && !rest.contains(':') { 0 } else { two(minutes)? };
    let hours = two(hours)?;
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3_600 + minutes * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leap_second_is_the_first_of_the_next_minute() {
        let new_year = parse("2017-01-01").expect("a date");
        assert_eq!(parse("2016-12-31T23:59:60Z"), Ok(new_year));
        assert_eq!(parse("2017-01-01T00:59:60+01:00"), Ok(new_year));
        for none in ["2016-12-31T23:58:60Z", "2016-11-30T23:59:60Z", "2016-12-31T23:59:60+01:00"] {
            assert_eq!(parse(none), Err(OF_DAY), "{none}");
        }
    }

    #[test]
    fn a_time_is_shown_with_no_more_digits_than_it_has() {
        for text in ["2026-11-28T10:00:00.5Z", "1969-12-31T23:59:59Z", "2024-02-29T00:00:00Z"] {
            assert_eq!(show(parse(text).expect(text)), text);
        }
    }
}
