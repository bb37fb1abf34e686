//! Two values that were to be equal, line by line: what was expected and is not there, what is there and
//! was not expected.

use std::fmt::Write as _;

use serde_json::Value;

use crate::testing::Difference;

/// Text that is shown by the expectation itself is not shown again.
const LONG: usize = 40;
/// Lines of a value that are compared; the table of the comparison has so many lines and columns.
const COMPARED: usize = 200;
/// Lines that are shown.
const SHOWN: usize = 40;

/// One line of a comparison.
#[derive(Debug, PartialEq, Eq)]
enum Line<'a> {
    Both(&'a str),
    Expected(&'a str),
    Got(&'a str),
}

impl<'a> Line<'a> {
    fn text(&self) -> &'a str {
        match self {
            Line::Both(text) | Line::Expected(text) | Line::Got(text) => text,
        }
    }
}

/// The difference for people; nothing where the values are so short that they can be seen at a glance.
pub(super) fn shown(difference: &Difference) -> String {
    if !(is_long(&difference.got) || is_long(&difference.expected)) {
        return String::new();
    }
    let (expected, got) = (lines(&difference.expected), lines(&difference.got));
    let all = compared(&expected, &got);
    let mut out = format!("{}\n  - expected\n  + got\n", difference.text);
    for line in all.iter().take(SHOWN) {
        let sign = match line {
            Line::Both(_) => ' ',
            Line::Expected(_) => '-',
            Line::Got(_) => '+',
        };
        let _ = writeln!(out, "  {sign} {}", line.text());
    }
    if all.len() > SHOWN {
        let _ = writeln!(out, "  and {} more lines", all.len() - SHOWN);
    }
    out.push('\n');
    out
}

fn is_long(value: &Value) -> bool {
    match value {
        Value::Array(items) => !items.is_empty(),
        Value::Object(_) => true,
        Value::String(text) => text.len() > LONG || text.contains('\n'),
        _ => false,
    }
}

/// A list an item a line, a record a field a line, a text as it is.
fn lines(value: &Value) -> Vec<String> {
    let mut lines: Vec<String> = match value {
        Value::Array(items) => items.iter().map(Value::to_string).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| format!("{name}: {value}")).collect()
        }
        Value::String(text) => text.lines().map(str::to_owned).collect(),
        other => vec![other.to_string()],
    };
    lines.truncate(COMPARED);
    lines
}

/// The lines of both in order, as many as can be of them as one.
fn compared<'a>(expected: &'a [String], got: &'a [String]) -> Vec<Line<'a>> {
    // Length of the longest common part behind each pair of places.
    let mut common = vec![vec![0_usize; got.len() + 1]; expected.len() + 1];
    for at in (0..expected.len()).rev() {
        for to in (0..got.len()).rev() {
            common[at][to] = if expected[at] == got[to] {
                common[at + 1][to + 1] + 1
            } else {
                common[at + 1][to].max(common[at][to + 1])
            };
        }
    }
    let (mut at, mut to, mut all) = (0, 0, Vec::new());
    while at < expected.len() || to < got.len() {
        if at < expected.len() && to < got.len() && expected[at] == got[to] {
            all.push(Line::Both(&expected[at]));
            (at, to) = (at + 1, to + 1);
        } else if to == got.len() || at < expected.len() && common[at + 1][to] >= common[at][to + 1]
        {
            all.push(Line::Expected(&expected[at]));
            at += 1;
        } else {
            all.push(Line::Got(&got[to]));
            to += 1;
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rows_that_are_missing_and_rows_too_many_are_told_apart() {
        let difference = Difference {
            text: "answers.id == [\"a\", \"b\", \"c\"]".to_owned(),
            got: json!(["a", "c", "d"]),
            expected: json!(["a", "b", "c"]),
        };
        let wanted = "  - expected\n  + got\n    \"a\"\n  - \"b\"\n    \"c\"\n  + \"d\"\n";
        assert!(shown(&difference).contains(wanted), "{}", shown(&difference));
        let short = Difference { got: json!(2), expected: json!(3), ..difference };
        assert_eq!(shown(&short), "");
    }

    /// All lists of up to four of three words.
    fn lists() -> Vec<Vec<String>> {
        let mut all = vec![Vec::new()];
        let mut longest = all.clone();
        for _ in 0..4 {
            longest = longest
                .iter()
                .flat_map(|list: &Vec<String>| {
                    ["a", "b", "c"].map(|word| [list.as_slice(), &[word.to_owned()]].concat())
                })
                .collect();
            all.extend(longest.clone());
        }
        all
    }

    #[test]
    fn both_values_can_be_read_from_their_difference() {
        let all = lists();
        for expected in &all {
            for got in all.iter().step_by(3) {
                let lines = compared(expected, got);
                let of = |left: bool| -> Vec<&str> {
                    let text = |line: &Line<'_>| match line {
                        Line::Both(_) => true,
                        Line::Expected(_) => left,
                        Line::Got(_) => !left,
                    };
                    lines.iter().filter(|line| text(line)).map(Line::text).collect()
                };
                assert_eq!(of(true), *expected);
                assert_eq!(of(false), *got);
            }
        }
    }
}
