//! Values of settings: whole numbers, times, weights.

use crate::ast::{self, ExprKind};
use crate::check::{Checker, Scope};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::types::{Type, Value};

impl Checker<'_> {
    /// A whole number from `least` to `most`, larger than a count of the language may be.
    pub(super) fn whole(
        &mut self,
        what: &str,
        written: &ast::Expr,
        least: u64,
        most: u64,
    ) -> Option<u64> {
        let value = self.constant(written, &Scope::constant(), &Type::Int)?;
        let found = match value {
            Value::Int(n) => u64::try_from(n).ok().filter(|n| (least..=most).contains(n)),
            _ => None,
        };
        if found.is_none() {
            let message = if most > u64::from(u32::MAX) {
                format!("`{what}` is a whole number from {least}")
            } else {
                format!("`{what}` is a whole number from {least} to {most}")
            };
            self.report(Diagnostic::error(codes::BAD_OPTION, written.span, message));
        }
        found
    }

    pub(super) fn flag(&mut self, written: &ast::Expr) -> Option<bool> {
        let word = match &written.kind {
            ExprKind::Name(name) if !self.names.values.contains_key(name.as_str()) => name,
            _ => return self.constant(written, &Scope::constant(), &Type::Bool)?.as_bool(),
        };
        let message = format!("`{word}` is neither `true` nor `false`");
        self.report(Diagnostic::error(codes::BAD_OPTION, written.span, message));
        None
    }

    /// A time of at least `least` nanoseconds.
    pub(super) fn time_from(&mut self, what: &str, written: &ast::Expr, least: u64) -> Option<u64> {
        let value = self.constant(written, &Scope::constant(), &Type::Duration)?;
        let nanos = value.as_duration_ns().and_then(|nanos| u64::try_from(nanos).ok());
        let nanos = nanos.filter(|nanos| *nanos >= least);
        if nanos.is_none() {
            let message = if least == 0 {
                format!("`{what}` is not negative")
            } else {
                format!("`{what}` is longer than 0")
            };
            self.report(Diagnostic::error(codes::BAD_OPTION, written.span, message));
        }
        nanos
    }

    /// A number above 0.
    pub(super) fn positive(&mut self, what: &str, written: &ast::Expr) -> Option<f64> {
        let value = self.constant(written, &Scope::constant(), &Type::Float)?;
        let number = value.as_float().filter(|x| *x > 0.0 && x.is_finite());
        if number.is_none() {
            let message = format!("`{what}` is a number above 0");
            self.report(Diagnostic::error(codes::BAD_OPTION, written.span, message));
        }
        number
    }
}
