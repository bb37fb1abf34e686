//! How long an upstream asks to be left alone.

use std::time::{Duration, SystemTime};

use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, HeaderName};

/// Longer than this nobody is obeyed: a clock that is wrong must not close an upstream for a day.
const MOST: Duration = Duration::from_secs(600);
const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");

/// The wait that `headers` ask for at `now`: `retry-after-ms`, or `Retry-After` in seconds or as a
/// date (RFC 9110, 10.2.3). A date in the past asks for nothing.
pub(super) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: &HeaderName| headers.get(name)?.to_str().ok().map(str::trim);
    let number = |text: &str, per_second: f64| {
        let seconds = text.parse::<f64>().ok().filter(|number| !number.is_nan())? / per_second;
        Duration::try_from_secs_f64(seconds.min(MOST.as_secs_f64())).ok()
    };
    if let Some(wait) = text(&RETRY_AFTER_MS).and_then(|text| number(text, 1e3)) {
        return Some(wait);
    }
    let asked = text(&RETRY_AFTER)?;
    number(asked, 1.0).or_else(|| {
        let until = httpdate::parse_http_date(asked).ok()?;
        Some(until.duration_since(now).unwrap_or_default().min(MOST))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_understood_and_bounded() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let date = |seconds: u64| httpdate::fmt_http_date(now + Duration::from_secs(seconds));
        let of = |name: &'static str, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            retry_after(&headers, now).map(|wait| wait.as_millis())
        };
        assert_eq!(of("retry-after", "2"), Some(2_000));
        assert_eq!(of("retry-after", "0.5"), Some(500));
        assert_eq!(of("retry-after-ms", "250"), Some(250));
        assert_eq!(of("retry-after", &date(7)), Some(7_000));
        assert_eq!(of("retry-after", &httpdate::fmt_http_date(SystemTime::UNIX_EPOCH)), Some(0));
        assert_eq!(of("retry-after", &date(86_400)), Some(600_000));
        assert_eq!(of("retry-after", "1e300"), Some(600_000));
        for odd in ["-1", "NaN", "soon", ""] {
            assert_eq!(of("retry-after", odd), None, "{odd}");
        }
    }
}
