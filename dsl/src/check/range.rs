//! Ranges of constants: what has the right type may still be nonsense.

use super::Checker;
use crate::catalog::{Kind, Param};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::span::Span;
use crate::types::Value;

impl Checker<'_> {
    /// Whether a constant is one that its parameter takes; says so if not.
    pub(crate) fn in_range(&mut self, param: &Param, value: &Value, span: Span) -> bool {
        let name = param.name;
        let wrong = match (param.kind, value) {
            (Kind::Count(least, most), Value::Int(n)) if !(least..=most).contains(n) => {
                format!("`{name}` is a whole number from {least} to {most}")
            }
            (Kind::Int | Kind::Tokens, Value::Int(n) | Value::Tokens(n)) if *n < 0 => {
                format!("`{name}` is a whole number from 0")
            }
            (Kind::Float, Value::Float(x)) if *x < 0.0 => format!("`{name}` is not negative"),
            (Kind::Duration, Value::Duration(0)) if name == "timeout" => {
                "`timeout` is longer than nothing: every call would be too late".to_owned()
            }
            (Kind::Duration, Value::Duration(nanos)) if *nanos < 0 => {
                format!("`{name}` is not negative")
            }
            _ => return true,
        };
        self.report(Diagnostic::error(codes::BAD_OPTION, span, wrong));
        false
    }
}
