//! From text to known keys with plain values, each with its line.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::ProfileError;
use super::keys::{Field, KEYS, Key, SECTIONS};

/// A value that fits its key.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Text(String),
    Number(f64),
    Count(u32),
    Flag(bool),
}

pub(super) struct Entry {
    pub(super) key: &'static Key,
    pub(super) value: Value,
    pub(super) line: usize,
}

/// Read all entries; unknown keys and values that do not fit are errors.
pub(super) fn entries(text: &str) -> Result<Vec<Entry>, ProfileError> {
    let table = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        ProfileError::new(line_of(text, at), error.message())
    })?;
    let mut entries = Vec::new();
    for (name, value) in table.get_ref() {
        let line = line_of(text, name.span().start);
        match value.get_ref() {
            DeValue::Table(section) => {
                let known = SECTIONS.into_iter().find(|known| known == name.get_ref());
                let known = known.ok_or_else(|| {
                    let what = format!("there is no section [{}]", name.get_ref());
                    unknown(line, &what, name.get_ref(), SECTIONS.into_iter())
                })?;
                for (name, value) in section {
                    entries.push(entry(text, known, name, value)?);
                }
            }
            _ => entries.push(entry(text, "", name, value)?),
        }
    }
    Ok(entries)
}

fn entry(
    text: &str,
    section: &'static str,
    name: &Spanned<std::borrow::Cow<'_, str>>,
    value: &Spanned<DeValue<'_>>,
) -> Result<Entry, ProfileError> {
    let line = line_of(text, name.span().start);
    let of_section = || KEYS.iter().filter(|key| key.section == section);
    let key = of_section().find(|key| key.name == name.get_ref()).ok_or_else(|| {
        let place = if section.is_empty() { String::new() } else { format!(" in [{section}]") };
        let what = format!("there is no key `{}`{place}", name.get_ref());
        unknown(line, &what, name.get_ref(), of_section().map(|key| key.name))
    })?;
    let value = fit(key, value.get_ref()).ok_or_else(|| {
        let message = format!("`{}` is {}", full_name(key), allowed(key.field));
        ProfileError::new(line, message)
    })?;
    Ok(Entry { key, value, line })
}

/// `section.name`.
pub(super) fn full_name(key: &Key) -> String {
    if key.section.is_empty() { key.name.into() } else { format!("{}.{}", key.section, key.name) }
}

fn fit(key: &Key, value: &DeValue<'_>) -> Option<Value> {
    let number = match value {
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).ok(),
        _ => None,
    };
    let real = match value {
        DeValue::Float(number) => number.as_str().parse::<f64>().ok(),
        _ => number.map(|number| number as f64),
    };
    let real = real.filter(|number| number.is_finite());
    match key.field {
        Field::Text(_) | Field::BaseName => {
            let text = value.as_str().filter(|text| !text.trim().is_empty() && text.len() <= 200);
            text.map(|text| Value::Text(text.to_owned()))
        }
        Field::Scheduling => {
            let text = value.as_str().filter(|text| matches!(*text, "fcfs" | "priority"));
            text.map(|text| Value::Text(text.to_owned()))
        }
        Field::Flag(_) => value.as_bool().map(Value::Flag),
        Field::Number(_) => real.filter(|&n| (0.0..=MOST_NUMBER).contains(&n)).map(Value::Number),
        Field::BaseNumber => real.filter(|&n| n > 0.0 && n <= MOST_NUMBER).map(Value::Number),
        Field::BaseShare(_) => real.filter(|&n| n > 0.0 && n <= 1.0).map(Value::Number),
        Field::Count(_) | Field::BaseCount | Field::KvTokens => {
            let count = number.and_then(|number| u32::try_from(number).ok());
            count.filter(|count| (1..=MOST_COUNT).contains(count)).map(Value::Count)
        }
    }
}

/// Bounds that no real server reaches; they keep the arithmetic and the cache's table in range.
const MOST_NUMBER: f64 = 1e9;
const MOST_COUNT: u32 = 100_000_000;

fn allowed(field: Field) -> String {
    match field {
        Field::Text(_) | Field::BaseName => "a text of 1 to 200 bytes, in quotes".into(),
        Field::Scheduling => "\"fcfs\" or \"priority\"".into(),
        Field::Flag(_) => "true or false".into(),
        Field::Number(_) => format!("a number from 0 to {MOST_NUMBER}"),
        Field::BaseNumber => format!("a number above 0, at most {MOST_NUMBER}"),
        Field::BaseShare(_) => "a share above 0, at most 1".into(),
        Field::Count(_) | Field::BaseCount | Field::KvTokens => {
            format!("a whole number from 1 to {MOST_COUNT}")
        }
    }
}

fn unknown(
    line: usize,
    what: &str,
    word: &str,
    known: impl Iterator<Item = &'static str>,
) -> ProfileError {
    let known: Vec<&str> = known.collect();
    let distance = |name: &&str| strsim::damerau_levenshtein(word, name);
    let near = known.iter().copied().min_by_key(distance);
    let near = near.filter(|near| distance(near) <= 1 + near.len() / 3);
    let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    ProfileError::new(line, format!("{what}{hint} (known: {})", known.join(", ")))
}

fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|&byte| byte == b'\n').count()
}
