//! Answers of language models as values of a declared type.
//!
//! A model that was asked for JSON mostly gives it, but also wraps it into a code fence, says a
//! sentence before it, or thinks aloud. So the text as a whole is tried first, then each balanced
//! JSON value in it, and the first that fits the type is the answer. What fits is decided by the
//! same typed reader as for the rows of a source: fields that are not known are passed over, an
//! optional one that is missing is null, anything else is an error that says where and why.

use sage_dsl::schema;
use sage_dsl::types::{Field, RecordType, Type};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::datum::{Datum, Items};
use super::json::parse_json;
use super::pack::pack;

/// Balanced values that are tried; a text with more is no answer.
const MOST_VALUES: usize = 32;
/// Openings of values that are followed; most of them in a text that is no JSON lead nowhere.
const MOST_OPENINGS: usize = 64;

/// What an answer must be.
#[derive(Debug, Clone, PartialEq)]
pub struct AnswerType {
    ty: Type,
    /// The object around a value that is none itself, as the schema asks for it.
    around: Option<Type>,
}

impl AnswerType {
    /// Answers of type `ty`.
    pub fn new(ty: Type) -> Self {
        let around = schema::wrapped(&ty).then(|| {
            let value =
                Field { name: schema::VALUE.to_owned(), ty: ty.clone(), default: None, key: false };
            Type::Record(RecordType { name: "the answer".to_owned(), fields: vec![value] })
        });
        AnswerType { ty, around }
    }

    /// Answers of a program, which are plain JSON: no object stands around a value that is none.
    pub fn of_program(ty: Type) -> Self {
        AnswerType { ty, around: None }
    }

    /// Find the value in `text` and append it to `out`; the error says why the text has none, in
    /// words that a model or a person can act on. `out` is as before then.
    pub fn read(&self, out: &mut Vec<u8>, text: &str) -> Result<(), String> {
        let text = behind_thoughts(text).trim();
        let start = out.len();
        let mut first = None;
        let mut attempt = |value: &str, out: &mut Vec<u8>| {
            let result = self.value(out, value);
            if let Err(error) = result {
                out.truncate(start);
                first.get_or_insert(error);
                return false;
            }
            true
        };
        if looks_like_json(text) && attempt(text, out) {
            return Ok(());
        }
        if let Some(variant) = self.bare_word(text) {
            pack(out, Datum::Str(variant));
            return Ok(());
        }
        if values(text).any(|value| attempt(value, out)) {
            return Ok(());
        }
        Err(first.unwrap_or_else(|| {
            if text.is_empty() {
                "it is empty".to_owned()
            } else {
                format!("it has no JSON value of {}", self.ty)
            }
        }))
    }

    /// One JSON text, in the object around it or by itself.
    fn value(&self, out: &mut Vec<u8>, json: &str) -> Result<(), String> {
        let Some(around) = &self.around else { return parse_json(out, &self.ty, json.as_bytes()) };
        let start = out.len();
        let mut packed = Vec::new();
        let inside = parse_json(&mut packed, around, json.as_bytes());
        if inside.is_ok() {
            let value = Items::new(&packed).get(0).items().get(0);
            // A value that may be null is null when its object is missing, too.
            if value != Datum::Null || names_value(json) {
                pack(out, value);
                return Ok(());
            }
        }
        // Without the constraint of a schema models often give the bare value.
        parse_json(out, &self.ty, json.as_bytes()).map_err(|bare| {
            out.truncate(start);
            if json.starts_with('{') { inside.err().unwrap_or(bare) } else { bare }
        })
    }

    /// The variant that a text is, if it is that and nothing else: `Positive.` for `positive`.
    fn bare_word(&self, text: &str) -> Option<&str> {
        let inner = if let Type::Optional(inner) = &self.ty { inner } else { &self.ty };
        let Type::Enum(choices) = inner else { return None };
        let word = text.trim_matches(|c: char| c.is_whitespace() || "`*\"'.!:".contains(c));
        let exact = choices.variants.iter().find(|variant| *variant == word);
        let mut alike =
            choices.variants.iter().filter(|variant| variant.eq_ignore_ascii_case(word));
        let only = alike.next().filter(|_| alike.next().is_none());
        exact.or(only).map(String::as_str)
    }
}

/// Whether an object has the property that holds the answer.
fn names_value(json: &str) -> bool {
    /// The property is [`schema::VALUE`]; null counts as being there.
    #[derive(Deserialize)]
    struct Named {
        #[serde(rename = "value")]
        _value: IgnoredAny,
    }
    serde_json::from_str::<Named>(json).is_ok()
}

/// What follows the thoughts of a model that thinks aloud.
fn behind_thoughts(text: &str) -> &str {
    text.rsplit_once("</think>").map_or(text, |(_, answer)| answer)
}

fn looks_like_json(text: &str) -> bool {
    let start = text.as_bytes().first();
    start.is_some_and(|byte| b"{[\"-0123456789".contains(byte))
        || ["true", "false", "null"].contains(&text)
}

/// The balanced objects and lists in a text, outermost ones only.
fn values(text: &str) -> impl Iterator<Item = &str> {
    let mut from = 0;
    let mut openings = 0;
    let next = move || {
        while openings < MOST_OPENINGS {
            openings += 1;
            let start = from + text.get(from..)?.find(['{', '['])?;
            from = start + 1;
            if let Some(end) = balanced(text.as_bytes().get(start..)?) {
                from = start + end;
                return text.get(start..from);
            }
        }
        None
    };
    std::iter::from_fn(next).take(MOST_VALUES)
}

/// Length of the value that begins at the start of `text`, if it ends.
fn balanced(text: &[u8]) -> Option<usize> {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for (at, byte) in text.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sage_dsl::types::EnumType;

    use super::super::json::write_json;
    use super::*;

    fn field(name: &str, ty: Type) -> Field {
        Field { name: name.to_owned(), ty, default: None, key: false }
    }

    fn mood() -> Type {
        let variants = ["good", "bad", "Bad"].map(str::to_owned).to_vec();
        Type::Enum(EnumType { name: "Mood".into(), variants })
    }

    fn invoice() -> Type {
        Type::Record(RecordType {
            name: "Invoice".into(),
            fields: vec![
                field("amount", Type::Float),
                field("items", Type::List(Box::new(Type::String))),
                field("note", Type::Optional(Box::new(Type::String))),
            ],
        })
    }

    fn check(ty: &Type, text: &str, expect: &str) {
        let mut out = vec![7];
        let shown = match AnswerType::new(ty.clone()).read(&mut out, text) {
            Ok(()) => {
                let mut json = Vec::new();
                write_json(&mut json, ty, Items::new(&out[1..]).get(0));
                String::from_utf8(json).unwrap()
            }
            Err(error) => {
                assert_eq!(out, [7], "a failed answer leaves a trace");
                format!("error: {error}")
            }
        };
        assert_eq!(shown, expect, "{text}");
    }

    #[test]
    fn answers_are_found_in_what_models_say_around_them() {
        let good = r#"{"amount":2.5,"items":["a}"],"note":null}"#;
        for text in [
            good.to_owned(),
            format!("```json\n{good}\n```"),
            format!("Here is the {{JSON}} you asked for:\n{good} Anything else?"),
            format!("<think>maybe {{\"amount\": 1, \"items\": []}}?</think>\n{good}"),
            r#"{"items": ["a}"], "extra": [{"x": 1}], "amount": 2.5}"#.to_owned(),
        ] {
            check(&invoice(), &text, good);
        }
        check(&Type::Int, "{\"value\": 42}", "42");
        check(&Type::Int, "42.0", "42");
        check(&Type::List(Box::new(Type::Int)), "Sure: [1, 2]", "[1,2]");
        check(&Type::Optional(Box::new(Type::Bool)), "null", "null");
        for text in ["good", " **Good**.", "\"good\"", "`good`", "{\"value\":\"good\"}"] {
            check(&mood(), text, "\"good\"");
        }
        check(&mood(), "Bad", "\"Bad\"");
        check(&mood(), "the mood is good", "error: it has no JSON value of Mood");
        check(&mood(), "BAD", "error: it has no JSON value of Mood");
    }

    #[test]
    fn what_does_not_fit_says_where_and_why() {
        for (text, expect) in [
            ("", "error: it is empty"),
            ("I cannot say.", "error: it has no JSON value of Invoice"),
            (
                r#"{"amount":"abc","items":[]}"#,
                "error: field `amount`: expected float, found \"abc\" at column 15",
            ),
            (r#"{"items":[]}"#, "error: field `amount` is missing at column 12"),
            (
                r#"{"amount":1,"items":"#,
                "error: field `items`: EOF while parsing a value at column 20",
            ),
        ] {
            check(&invoice(), text, expect);
        }
        check(
            &mood(),
            r#"{"value":"ugly"}"#,
            "error: field `value`: expected one of good, bad, Bad, found `ugly` at column 15",
        );
    }

    /// A type and the JSON text of a value of it.
    fn any_typed() -> impl Strategy<Value = (Type, String)> {
        let text = |value: &str| serde_json::to_string(value).unwrap();
        let leaf = prop_oneof![
            any::<i64>().prop_map(|n| (Type::Int, n.to_string())),
            (-1_000_000_i32..1_000_000)
                .prop_map(|n| (Type::Float, format!("{:?}", f64::from(n) / 8.0))),
            any::<bool>().prop_map(|flag| (Type::Bool, flag.to_string())),
            ".{0,12}".prop_map(move |value| (Type::String, text(&value))),
            (0_usize..3).prop_map(move |at| {
                let Type::Enum(choices) = mood() else { unreachable!() };
                let variant = text(&choices.variants[at]);
                (Type::Enum(choices), variant)
            }),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                (inner.clone(), 0_usize..4).prop_map(|((ty, value), count)| {
                    let values = vec![value; count].join(",");
                    (Type::List(Box::new(ty)), format!("[{values}]"))
                }),
                (inner.clone(), any::<bool>()).prop_map(|((ty, value), there)| {
                    // Two nulls within each other cannot be told apart.
                    let ty = if let Type::Optional(inner) = ty { *inner } else { ty };
                    let value = if there { value } else { "null".to_owned() };
                    (Type::Optional(Box::new(ty)), value)
                }),
                proptest::collection::vec(inner, 1..4).prop_map(|parts| {
                    let name = |at: usize| format!("f{at}");
                    let values = parts.iter().enumerate();
                    let values = values.map(|(at, (_, value))| format!("\"{}\":{value}", name(at)));
                    let values = values.collect::<Vec<_>>().join(",");
                    let fields = parts.into_iter().enumerate();
                    let fields = fields.map(|(at, (ty, _))| field(&name(at), ty)).collect();
                    let record = RecordType { name: "R".into(), fields };
                    (Type::Record(record), format!("{{{values}}}"))
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_value_of_every_type_comes_back(
            (ty, value) in any_typed(), around in 0_usize..4, before in "[a-z ]{0,20}",
        ) {
            let answer = AnswerType::new(ty.clone());
            let json = match (schema::wrapped(&ty), around) {
                (true, 1..) => format!("{{\"value\":{value}}}"),
                _ => value.clone(),
            };
            let text = match around {
                2 => format!("```json\n{json}\n```"),
                3 => format!("{before}:\n{json}\n{before}"),
                _ => json,
            };
            let mut out = Vec::new();
            prop_assert_eq!(answer.read(&mut out, &text), Ok(()));
            let mut back = Vec::new();
            write_json(&mut back, &ty, Items::new(&out).get(0));
            prop_assert_eq!(String::from_utf8(back).unwrap(), value);
            prop_assert_eq!(Items::new(&out).len(), 1);
        }

        #[test]
        fn no_text_panics_or_leaves_a_trace(
            (ty, value) in any_typed(), noise in ".{0,40}", cut in 0_usize..60,
        ) {
            let cut = value.char_indices().map(|(at, _)| at).nth(cut).unwrap_or(value.len());
            for text in [noise.clone(), format!("{noise}{}", &value[..cut]), format!("[{{{noise}")] {
                let mut out = Vec::new();
                if AnswerType::new(ty.clone()).read(&mut out, &text).is_err() {
                    prop_assert!(out.is_empty());
                }
            }
        }
    }
}
