//! Reads `name(argument, key: value)` as given to `--scheduler`.
//!
//! A policy in a program goes through the language's grammar. This reads the same form from the
//! command line, where only words, numbers, durations and plain text make sense.

use sage_dsl::types::Value;

use super::PolicyError;

/// Name and arguments of a policy, for [`build`](super::build) or a plan's schedule.
///
/// ```
/// let (name, args) = sage_core::policies::parse("priority(aging: 30s)")?;
/// assert_eq!(name, "priority");
/// assert_eq!(args[0].0, "aging");
/// assert_eq!(args[0].1.as_duration_ns(), Some(30_000_000_000));
/// # Ok::<(), sage_core::policies::PolicyError>(())
/// ```
pub fn parse(text: &str) -> Result<(String, Vec<(String, Value)>), PolicyError> {
    let mut reader = Reader { text, at: 0 };
    let name = reader.word().ok_or_else(|| reader.expected("the name of a policy"))?;
    let mut args = Vec::new();
    if reader.eat('(') && !reader.eat(')') {
        loop {
            args.push(reader.argument()?);
            if reader.eat(')') {
                break;
            }
            if !reader.eat(',') {
                return Err(reader.expected("`,` or `)`"));
            }
        }
    }
    reader.end()?;
    Ok((name, args))
}

/// One value, as a parameter's default is written.
pub(super) fn value(text: &str) -> Result<Value, PolicyError> {
    let mut reader = Reader { text, at: 0 };
    let value = reader.value()?;
    reader.end()?;
    Ok(value)
}

const VALUE: &str = "a word, a number, a duration or text in double quotes";

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn skip_space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn expected(&self, expected: &'static str) -> PolicyError {
        let column = 1 + self.text[..self.at].chars().count();
        PolicyError::Syntax { text: self.text.to_owned(), expected, column }
    }

    fn end(&mut self) -> Result<(), PolicyError> {
        self.skip_space();
        if self.rest().is_empty() { Ok(()) } else { Err(self.expected("the end")) }
    }

    fn eat(&mut self, wanted: char) -> bool {
        self.skip_space();
        let found = self.rest().starts_with(wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        found
    }

    fn take_while(&mut self, fits: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let len = rest.find(|c| !fits(c)).unwrap_or(rest.len());
        self.at += len;
        &rest[..len]
    }

    fn word(&mut self) -> Option<String> {
        self.skip_space();
        let starts = self.rest().starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        starts.then(|| self.take_while(|c| c.is_ascii_alphanumeric() || c == '_').to_owned())
    }

    fn argument(&mut self) -> Result<(String, Value), PolicyError> {
        let start = self.at;
        if let Some(name) = self.word()
            && self.eat(':')
        {
            return Ok((name, self.value()?));
        }
        self.at = start;
        Ok((String::new(), self.value()?))
    }

    fn value(&mut self) -> Result<Value, PolicyError> {
        if let Some(word) = self.word() {
            return Ok(match word.as_str() {
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                _ => Value::Call { name: word, args: Vec::new() },
            });
        }
        if self.eat('"') {
            let text = self.take_while(|c| c != '"').to_owned();
            return if self.eat('"') {
                Ok(Value::String(text))
            } else {
                Err(self.expected("`\"`"))
            };
        }
        let start = self.at;
        let negative = self.eat('-');
        let digits = self.take_while(|c| c.is_ascii_digit() || c == '.' || c == '_');
        let number: String = digits.chars().filter(|c| *c != '_').collect();
        let unit = self.take_while(|c| c.is_ascii_alphabetic());
        let sign = if negative { "-" } else { "" };
        let read = match unit {
            "" if !number.contains('.') => format!("{sign}{number}").parse().ok().map(Value::Int),
            "" => finite(&number).map(|x| Value::Float(if negative { -x } else { x })),
            _ => duration(&number, unit, negative),
        };
        read.ok_or_else(|| {
            self.at = start;
            self.expected(VALUE)
        })
    }
}

fn finite(number: &str) -> Option<f64> {
    number.parse().ok().filter(|x: &f64| x.is_finite())
}

fn duration(number: &str, unit: &str, negative: bool) -> Option<Value> {
    let scale = match unit {
        "ns" => 1.0,
        "us" => 1e3,
        "ms" => 1e6,
        "s" => 1e9,
        "m" | "min" => 60e9,
        "h" => 3600e9,
        "d" => 86_400e9,
        _ => return None,
    };
    let ns = (finite(number)? * scale).round();
    (ns < i64::MAX as f64).then_some(Value::Duration(if negative {
        -(ns as i64)
    } else {
        ns as i64
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_names_words_numbers_and_durations() {
        let word = |name: &str| Value::Call { name: name.into(), args: vec![] };
        let cases = [
            ("fifo", "fifo", vec![]),
            (" fifo ( ) ", "fifo", vec![]),
            ("load_aware(spread)", "load_aware", vec![("", word("spread"))]),
            ("load_aware( mode : pack )", "load_aware", vec![("mode", word("pack"))]),
            ("random(-7)", "random", vec![("", Value::Int(-7))]),
            ("random(1_000)", "random", vec![("", Value::Int(1000))]),
            ("p(1.5, true)", "p", vec![("", Value::Float(1.5)), ("", Value::Bool(true))]),
            ("p(aging: 250ms)", "p", vec![("aging", Value::Duration(250_000_000))]),
            ("p(w: \"a=1, b\")", "p", vec![("w", Value::String("a=1, b".into()))]),
            ("p(\"\")", "p", vec![("", Value::String(String::new()))]),
            ("p(1.5h)", "p", vec![("", Value::Duration(5_400_000_000_000))]),
        ];
        for (text, name, args) in cases {
            let args = args.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            assert_eq!(parse(text), Ok((name.to_owned(), args)), "{text}");
        }
    }

    #[test]
    fn says_where_the_text_goes_wrong() {
        let cases = [
            ("", "the name of a policy", 1),
            ("fifo)", "the end", 5),
            ("fifo(", VALUE, 6),
            ("fifo(1 2)", "`,` or `)`", 8),
            ("fifo(1,)", VALUE, 8),
            ("fifo(10 parsecs)", "`,` or `)`", 9),
            ("fifo(10parsecs)", VALUE, 6),
            ("p(\"a)", "`\"`", 6),
            ("fifo(1.2.3)", VALUE, 6),
            ("fifo(99999999999999999999)", VALUE, 6),
            ("fifo(99999999999d)", VALUE, 6),
        ];
        for (text, what, at) in cases {
            match parse(text) {
                Err(PolicyError::Syntax { expected, column, .. }) => {
                    assert_eq!((expected, column), (what, at), "{text}");
                }
                other => panic!("{text}: {other:?}"),
            }
        }
    }
}
