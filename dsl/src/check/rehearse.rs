//! Prompts are compiled and tried out when they are checked.
//!
//! The scan of a template sees names and not what they stand for behind `set`, an index or a filter.
//! So the engine renders the text with values made up by type, several times, so that more than one
//! branch is taken. What counts is which fields are asked of records that do not have them, and
//! nothing else: other failures depend on values.

use std::fmt;
use std::sync::{Arc, Mutex};

use minijinja::value::{Enumerator, Object, Value};
use minijinja::{Environment, ErrorKind, UndefinedBehavior};

use super::Checker;
use super::template::{Calls, calls};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::span::Span;
use crate::suggest::{self, did_you_mean};
use crate::types::Type;

/// Instructions that one rendering may take.
const FUEL: u64 = 100_000;

/// How many renderings there are, each with other values.
const ROUNDS: usize = 8;

/// Tags that are looked at for the one that is wrong.
const MOST_TAGS: usize = 200;

/// Words that stand behind `|` most often, for the help on one that is misspelt.
const FILTERS: &[&str] = &[
    "abs",
    "batch",
    "bool",
    "capitalize",
    "default",
    "dictsort",
    "first",
    "float",
    "groupby",
    "indent",
    "int",
    "items",
    "join",
    "last",
    "length",
    "lines",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "select",
    "selectattr",
    "slice",
    "sort",
    "split",
    "string",
    "sum",
    "title",
    "trim",
    "unique",
    "upper",
];

/// Those that are named where nothing is near.
const COMMON: &[&str] = &["default", "join", "length", "lower", "round", "trim", "upper"];

/// A field that a record does not have.
struct Miss {
    record: String,
    name: String,
    known: Vec<String>,
}

type Misses = Arc<Mutex<Vec<Miss>>>;

/// Whether templates read a parameter of this name, and not something of their own.
pub(super) fn is_readable(name: &str) -> bool {
    let context = Value::from_pairs([(name, Value::from("value"))]);
    let text = format!("{{{{ {name} }}}}");
    Environment::new().render_str(&text, context).is_ok_and(|text| text == "value")
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    environment.set_fuel(Some(FUEL));
    environment
}

impl Checker<'_> {
    /// Whether a template can be read at all; says so where it cannot.
    pub(super) fn is_template(&mut self, place: Span, raw: &str, text: &str) -> bool {
        let environment = environment();
        let Err(error) = environment.template_from_str(text) else { return true };
        let what = said(&error);
        let span = wrong_tag(&environment, place, raw, &what);
        let message = format!("the template is wrong here: {what}");
        let help = "values stand in `{{ name }}`, conditions in `{% if name %}...{% endif %}`, lists in \
                    `{% for it in list %}...{% endfor %}`";
        self.report(Diagnostic::error(codes::TEMPLATE_VARIABLE, span, message).help(help));
        false
    }

    /// What trying a template out says about it; it stands at `place` as `raw`.
    pub(super) fn rehearse(
        &mut self,
        place: Span,
        raw: &str,
        text: &str,
        params: &[(String, Type)],
    ) {
        let environment = environment();
        if self.unknown_calls(&environment, place, raw) {
            return;
        }
        let misses = Misses::default();
        for round in 0..ROUNDS {
            let pairs = params.iter();
            let pairs = pairs.map(|(name, ty)| (name.as_str(), sample(ty, round, &misses)));
            // What else fails depends on values.
            drop(environment.render_str(text, Value::from_pairs(pairs)));
        }
        let Ok(misses) = misses.lock() else { return };
        let mut said = Vec::new();
        for Miss { record, name, known } in misses.iter() {
            let Some(at) = read_at(raw, name).filter(|at| !said.contains(at)) else { continue };
            said.push(at);
            let start = place.start + at as u32;
            let span = Span { start, end: start + name.len() as u32, ..place };
            let known = || known.iter().map(String::as_str);
            let help = did_you_mean(name, known())
                .unwrap_or_else(|| format!("its fields are {}", suggest::list(known())));
            let message = format!("{record} has no field `{name}`");
            self.report(Diagnostic::error(codes::TEMPLATE_VARIABLE, span, message).help(help));
        }
    }

    /// Filters, tests and functions that templates do not have.
    fn unknown_calls(&mut self, environment: &Environment<'_>, place: Span, raw: &str) -> bool {
        let Calls { filters, tests } = calls(raw);
        let lacks = |expression: String, kind: ErrorKind| {
            let tried = environment.compile_expression_owned(expression);
            tried.and_then(|it| it.eval(())).is_err_and(|error| error.kind() == kind)
        };
        let filters = filters.into_iter().map(|(at, name)| ("filter", at, name));
        let tests = tests.into_iter().map(|(at, name)| ("test", at, name));
        let mut found = false;
        for (what, at, name) in filters.chain(tests) {
            let unknown = match what {
                "filter" => lacks(format!("none|{name}"), ErrorKind::UnknownFilter),
                _ => lacks(format!("none is {name}"), ErrorKind::UnknownTest),
            };
            if !unknown {
                continue;
            }
            found = true;
            let start = place.start + at as u32;
            let span = Span { start, end: start + name.len() as u32, ..place };
            let message = format!("templates have no {what} `{name}`");
            let known = || FILTERS.iter().copied();
            let help = did_you_mean(&name, known()).filter(|_| what == "filter");
            let help = help.unwrap_or_else(|| match what {
                "filter" => format!("some are {}", suggest::list(COMMON.iter().copied())),
                _ => "some are `defined`, `none`, `number`, `string` and `in`".to_owned(),
            });
            self.report(Diagnostic::error(codes::TEMPLATE_VARIABLE, span, message).help(help));
        }
        found
    }
}

/// The tag at which a text can no longer be read, which fails as `what`.
fn wrong_tag(environment: &Environment<'_>, place: Span, raw: &str, what: &str) -> Span {
    let fails = |text: &str| environment.template_from_str(text).err().map(|error| said(&error));
    let tags = tags(raw).take(MOST_TAGS);
    let found = if what.contains("end of input") {
        // The last that stands where nothing is open.
        tags.filter(|(start, _)| fails(&raw[..*start]).is_none()).last()
    } else {
        tags.into_iter().find(|(_, end)| fails(&raw[..*end]).as_deref() == Some(what))
    };
    found.map_or(place, |(start, end)| {
        let at = |offset: usize| place.start + offset as u32;
        Span { start: at(start), end: at(end), ..place }
    })
}

/// Where tags begin and end.
fn tags(raw: &str) -> impl Iterator<Item = (usize, usize)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let opens = |it: &usize| raw[*it..].starts_with("{{") || raw[*it..].starts_with("{%");
        let start = raw[at..].match_indices('{').map(|(n, _)| at + n).find(opens)?;
        let close = if raw[start..].starts_with("{{") { "}}" } else { "%}" };
        at = raw[start..].find(close).map_or(raw.len(), |n| start + n + 2);
        Some((start, at))
    })
}

fn said(error: &minijinja::Error) -> String {
    error.detail().map_or_else(|| error.kind().to_string(), str::to_owned)
}

/// Where a text reads a field by its name: behind a dot or in quotes.
fn read_at(raw: &str, name: &str) -> Option<usize> {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    raw.match_indices(name).map(|(at, _)| at).find(|at| {
        let before = raw[..*at].bytes().next_back();
        let after = raw[at + name.len()..].bytes().next();
        matches!(before, Some(b'.' | b'"' | b'\'')) && !after.is_some_and(word)
    })
}

/// A value of a type; another one in each round.
fn sample(ty: &Type, round: usize, misses: &Misses) -> Value {
    match ty {
        // Absent in every other round.
        Type::Optional(inner) if round.is_multiple_of(2) => sample(inner, round, misses),
        Type::Optional(_) | Type::Unknown => Value::from(()),
        Type::Int | Type::Tokens => Value::from(round),
        Type::Float | Type::Rate | Type::Percent => Value::from(round as f64 / 2.0),
        Type::Bool => Value::from(round % 4 < 2),
        Type::Enum(choices) => {
            let count = choices.variants.len().max(1);
            Value::from(choices.variants.get(round % count).map_or("", String::as_str))
        }
        Type::String | Type::Bytes | Type::Time | Type::Duration | Type::Size => {
            Value::from(if round == 3 { "" } else { "a text of some words" })
        }
        Type::Vector(_) => Value::from(vec![0.5, 0.25]),
        // Empty in one round, and long enough for any place in it in the others.
        Type::List(item) => {
            let count = if round == 3 { 0 } else { 1 + round % 3 };
            (0..count).map(|_| sample(item, round, misses)).collect()
        }
        Type::Record(record) => {
            let fields = record.fields.iter();
            let fields = fields.map(|it| (it.name.clone(), sample(&it.ty, round, misses)));
            let misses = Arc::clone(misses);
            Value::from_object(Sample {
                record: record.name.clone(),
                fields: fields.collect(),
                misses,
            })
        }
    }
}

/// A record that remembers what it was asked for and does not have.
struct Sample {
    record: String,
    fields: Vec<(String, Value)>,
    misses: Misses,
}

impl fmt::Debug for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.fields.iter().map(|(name, value)| (name, value))).finish()
    }
}

impl Object for Sample {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name = key.as_str()?;
        if let Some((_, value)) = self.fields.iter().find(|(field, _)| field == name) {
            return Some(value.clone());
        }
        if let Ok(mut misses) = self.misses.lock()
            && !misses.iter().any(|miss| miss.name == name && miss.record == self.record)
        {
            let known = self.fields.iter().map(|(field, _)| field.clone()).collect();
            misses.push(Miss { record: self.record.clone(), name: name.to_owned(), known });
        }
        None
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.fields.iter().map(|(name, _)| Value::from(name.as_str())).collect())
    }
}
