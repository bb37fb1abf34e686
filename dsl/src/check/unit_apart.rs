//! `50 /s`: a rate whose unit was written apart, and so read as a division by a name.

use super::Checker;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::span::Span;

/// Units that a rate may have.
const PER: [&str; 4] = ["s", "min", "h", "d"];

impl Checker<'_> {
    /// Whether the unknown `name` is the unit of a rate; then it has been reported.
    pub(super) fn unit_of_rate(&mut self, name: &str, span: Span) -> bool {
        let before = Span { start: 0, end: span.start, ..span };
        let before = self.input.sources.text(before);
        let Some(number) = before.trim_end_matches(' ').strip_suffix('/') else { return false };
        let number = number.trim_end_matches(' ');
        let million = ["M", "m", "Mtoken", "Mtokens", "million", "MTok"].contains(&name);
        if million && number.ends_with(|c: char| c.is_ascii_digit()) {
            let start =
                number.trim_end_matches(|c: char| c.is_ascii_digit() || "_.".contains(c)).len();
            let price = format!("{}/Mtok", &number[start..]);
            let at = Span { start: start as u32, ..span };
            self.report(
                Diagnostic::error(codes::UNKNOWN_UNIT, at, "a price is of a million tokens")
                    .help(format!("write `{price}`"))
                    .fix(at, price),
            );
            return true;
        }
        if !PER.contains(&name) || !number.ends_with(|c: char| c.is_ascii_digit()) {
            return false;
        }
        let digit = |c: char| c.is_ascii_digit() || "_.".contains(c);
        let start = number.trim_end_matches(digit).len();
        let rate = format!("{}/{name}", &number[start..]);
        let at = Span { start: start as u32, ..span };
        let message = "the unit of a rate follows its number without a blank";
        self.report(
            Diagnostic::error(codes::UNKNOWN_UNIT, at, message)
                .help(format!("write `{rate}`"))
                .fix(at, rate),
        );
        true
    }
}
