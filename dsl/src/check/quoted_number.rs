//! `.n > "3"`: a number in quotes beside one without.

use super::fit::required;
use crate::ast::{self, ExprKind};
use crate::types::{Type, Value};

/// Units of a duration.
const UNITS: [&str; 6] = ["ms", "us", "s", "min", "h", "d"];

/// What a text literal is as a value of the type that stands beside it.
pub(super) fn without_quotes(text: &ast::Expr, beside: &Type) -> Option<String> {
    let ExprKind::Literal(Value::String(text)) = &text.kind else { return None };
    let digits = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let number = text.len() > digits.len();
    let point = |it: &&str| it.len() > 1 && it[1..].bytes().all(|byte| byte.is_ascii_digit());
    match required(beside) {
        Type::Int if number && digits.is_empty() => Some(text.clone()),
        Type::Float if number && digits.is_empty() => Some(format!("{text}.0")),
        Type::Float if number => {
            digits.strip_prefix('.').filter(|_| point(&digits)).map(|_| text.clone())
        }
        Type::Duration if number && UNITS.contains(&digits) => Some(text.clone()),
        _ => None,
    }
}
