//! Conditions and numbers as they are shown.

use sage_dsl::experiment::{Aggregate, Condition};
use sage_dsl::plan::UnaryOp;

/// `condition` as a program would say it.
pub(super) fn condition(condition: &Condition) -> String {
    match condition {
        Condition::Number(number) => self::number(*number),
        Condition::Bool(flag) => flag.to_string(),
        Condition::Column(column) => column.clone(),
        Condition::At { column, labels } => at(column, labels),
        Condition::Over(aggregate, inner) => {
            format!("{}({})", word(*aggregate), self::condition(inner))
        }
        Condition::Unary(UnaryOp::Neg, inner) => format!("-{}", operand(inner)),
        Condition::Unary(UnaryOp::Not, inner) => format!("not {}", operand(inner)),
        Condition::Binary(op, left, right) => {
            format!("{} {} {}", operand(left), op.symbol(), operand(right))
        }
        Condition::Abs(inner) => format!("abs({})", self::condition(inner)),
    }
}

/// `column[label][label]`.
pub(super) fn at(column: &str, labels: &[String]) -> String {
    labels.iter().fold(column.to_owned(), |text, label| format!("{text}[{label}]"))
}

fn operand(inner: &Condition) -> String {
    match inner {
        Condition::Binary(..) => format!("({})", condition(inner)),
        _ => condition(inner),
    }
}

fn word(aggregate: Aggregate) -> &'static str {
    match aggregate {
        Aggregate::Max => "max",
        Aggregate::Min => "min",
        Aggregate::Mean => "mean",
        Aggregate::Sum => "sum",
    }
}

/// A number with as many digits as mean something: four, and no less than the whole part.
pub(crate) fn number(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    let whole = value.abs().log10().floor() as i32;
    let decimals = usize::try_from((3 - whole).clamp(0, 9)).unwrap_or(0);
    let text = format!("{value:.decimals$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_four_digits() {
        for (value, shown) in [
            (0.0, "0"),
            (0.512_34, "0.5123"),
            (16.0, "16"),
            (17.712_9, "17.71"),
            (123_456.7, "123457"),
            (-0.001_234_56, "-0.001235"),
            (1000.0, "1000"),
        ] {
            assert_eq!(number(value), shown);
        }
    }
}
