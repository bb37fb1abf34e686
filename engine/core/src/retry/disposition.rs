//! What a failure means for its call and for the others.

use crate::endpoint::ErrorClass;

/// 503: the server says that it has too much to do, or none of its own behind it.
const UNAVAILABLE: u16 = 503;

/// Not registered, but what several hosted models answer under load.
const SITE_OVERLOADED: u16 = 529;

/// What to do about a failed try.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Disposition {
    /// It may go well the next time: repeat it after a backoff, within the retry budget.
    Retry,
    /// The upstream refused it for want of room: repeat it after a backoff, obey `Retry-After`, and
    /// send less at once from now on. It did no work, so it costs no retry budget and is counted by
    /// itself; what bounds these repetitions is the call's own number of tries and its deadline.
    Shed,
    /// It would fail again: give up.
    Terminal,
}

impl Disposition {
    /// The disposition of a failure of this class, with the HTTP status if there was one.
    ///
    /// A 429 may also mean that the account has run out of money, which no wait mends. Only its body
    /// says so; who has read it there names the class `Rejected`.
    ///
    /// An answer that is none (a page of HTML, half a JSON text) mostly comes from something on the
    /// way that is ill for the moment, so it is repeated; a redirect comes from a wrong address.
    ///
    /// ```
    /// use sage_core::endpoint::ErrorClass;
    /// use sage_core::retry::Disposition;
    ///
    /// assert_eq!(Disposition::of(ErrorClass::Server, Some(500)), Disposition::Retry);
    /// assert_eq!(Disposition::of(ErrorClass::Protocol, None), Disposition::Retry);
    /// assert_eq!(Disposition::of(ErrorClass::Throttled, Some(429)), Disposition::Shed);
    /// assert_eq!(Disposition::of(ErrorClass::Rejected, Some(400)), Disposition::Terminal);
    /// ```
    pub fn of(class: ErrorClass, status: Option<u16>) -> Disposition {
        match class {
            ErrorClass::Throttled => Disposition::Shed,
            ErrorClass::Server => match status {
                Some(UNAVAILABLE | SITE_OVERLOADED) => Disposition::Shed,
                _ => Disposition::Retry,
            },
            ErrorClass::Protocol => match status {
                Some(300..400) => Disposition::Terminal,
                _ => Disposition::Retry,
            },
            ErrorClass::Unreachable | ErrorClass::Timeout => Disposition::Retry,
            ErrorClass::Rejected | ErrorClass::Abandoned | ErrorClass::Cancelled => {
                Disposition::Terminal
            }
        }
    }

    /// The word used in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Disposition::Retry => "retry",
            Disposition::Shed => "shed",
            Disposition::Terminal => "terminal",
        }
    }
}

/// Whether a failure of this class may go away by itself.
pub fn retryable(class: ErrorClass) -> bool {
    Disposition::of(class, None) != Disposition::Terminal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overload_is_told_from_failure() {
        let of = |status| Disposition::of(ErrorClass::Server, status);
        assert_eq!(of(Some(503)), Disposition::Shed);
        assert_eq!(of(Some(529)), Disposition::Shed);
        assert_eq!(of(Some(502)), Disposition::Retry);
        assert_eq!(of(None), Disposition::Retry);
    }

    #[test]
    fn what_cannot_pass_is_terminal_whatever_the_status() {
        for class in [ErrorClass::Rejected, ErrorClass::Abandoned, ErrorClass::Cancelled] {
            assert_eq!(Disposition::of(class, Some(503)), Disposition::Terminal);
            assert!(!retryable(class));
        }
    }

    #[test]
    fn what_is_no_answer_is_asked_for_again_but_a_redirect_is_not() {
        let of = |status| Disposition::of(ErrorClass::Protocol, status);
        assert_eq!(of(None), Disposition::Retry);
        assert_eq!(of(Some(200)), Disposition::Retry);
        assert_eq!(of(Some(308)), Disposition::Terminal);
        assert!(retryable(ErrorClass::Protocol));
    }
}
