//! What follows from how the processes of a program fare: pauses, a warning, the end.
//!
//! A program that has answered once is right, and what it fails at is its record. One that never has,
//! however often it was started, is wrong itself, such as a script whose name is mistyped. Then it is
//! better to end the run than to make dead letters of all records.

use std::time::Duration;

/// Between two starts of a program that fails, growing from the first to the second.
const PAUSE: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(2));
/// So many processes end before the program is given up, if none ever answers.
pub(crate) const MOST_STARTS: u32 = 8;
/// So many in a row are worth a warning of a program that has answered before.
const MANY: u32 = 5;

/// How the processes of one program fared so far.
#[derive(Debug, Default)]
pub(crate) struct Starts {
    answered: bool,
    /// In a row, without an answer in between.
    failures: u32,
    warned: (bool, bool),
}

/// What a failure means for the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    GoOn,
    /// It is to be said, once.
    Warn,
    /// No process of it has ever answered, and there were enough.
    Hopeless,
}

impl Starts {
    /// A process has answered.
    pub(crate) fn answered(&mut self) {
        self.answered = true;
        self.failures = 0;
    }

    /// A process has ended, or had to be ended, without an answer.
    pub(crate) fn failed(&mut self) -> Verdict {
        self.failures = self.failures.saturating_add(1);
        if self.is_hopeless() {
            return Verdict::Hopeless;
        }
        let (due, warned) = if self.answered {
            (self.failures >= MANY, &mut self.warned.1)
        } else {
            (true, &mut self.warned.0)
        };
        if due && !std::mem::replace(warned, true) { Verdict::Warn } else { Verdict::GoOn }
    }

    /// Whether the program can answer at all.
    pub(crate) fn is_proven(&self) -> bool {
        self.answered
    }

    pub(crate) fn is_hopeless(&self) -> bool {
        !self.answered && self.failures >= MOST_STARTS
    }

    /// To be waited for before the next start.
    pub(crate) fn pause(&self) -> Duration {
        let (first, longest) = PAUSE;
        match self.failures.checked_sub(1) {
            None => Duration::ZERO,
            Some(more) => first.saturating_mul(1 << more.min(16)).min(longest),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn only_a_program_that_never_answered_is_given_up_and_each_trouble_is_said_once(
            answers in prop::collection::vec(prop::bool::weighted(0.2), 0..60),
        ) {
            let mut starts = Starts::default();
            let (mut row, mut ever, mut warnings) = (0_u32, false, Vec::new());
            for answer in answers {
                if answer {
                    starts.answered();
                    (row, ever) = (0, true);
                    prop_assert_eq!(starts.pause(), Duration::ZERO);
                } else {
                    let before = starts.pause();
                    let verdict = starts.failed();
                    row += 1;
                    prop_assert_eq!(verdict == Verdict::Hopeless, !ever && row >= MOST_STARTS);
                    if verdict == Verdict::Warn {
                        warnings.push((ever, row));
                    }
                    let pause = starts.pause();
                    prop_assert!(pause >= before && pause >= PAUSE.0 && pause <= PAUSE.1);
                }
                prop_assert_eq!(starts.is_proven(), ever);
                prop_assert_eq!(starts.is_hopeless(), !ever && row >= MOST_STARTS);
            }
            let of = |kind| warnings.iter().filter(|(ever, _)| *ever == kind).collect::<Vec<_>>();
            prop_assert!(of(false).len() <= 1 && of(false).iter().all(|(_, row)| *row == 1));
            prop_assert!(of(true).len() <= 1 && of(true).iter().all(|(_, row)| *row == MANY));
        }
    }
}
