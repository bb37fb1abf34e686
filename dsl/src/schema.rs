//! JSON Schema for structured output, as `response_format: json_schema` with `strict: true` wants
//! it: an object at the root, every property required, nothing else allowed.
//!
//! Only `type`, `properties`, `required`, `additionalProperties`, `items`, `enum` and `anyOf` are
//! used: the part that all servers which constrain a model's answer have in common.

use std::fmt::Write as _;

use crate::types::Type;

/// Name of the property that holds an answer which is no object itself.
pub const VALUE: &str = "value";

/// Longest name of a schema that servers take.
const MAX_NAME: usize = 64;

/// Whether an answer of this type is the property [`VALUE`] of an object, because the root of a
/// schema must be an object.
pub fn wrapped(ty: &Type) -> bool {
    !matches!(ty, Type::Record(_))
}

/// The schema of an answer of this type, as JSON text without line ends. Equal types give equal
/// text, so that it may be part of a cache key.
///
/// Types that a prompt cannot declare (see code `S0316`) are described by `{}`, which fits all.
pub fn json_schema(ty: &Type) -> String {
    let mut out = String::new();
    if wrapped(ty) {
        object(&mut out, &[(VALUE, ty)]);
    } else {
        value(&mut out, ty);
    }
    out
}

/// A name for the schema of the prompt called `prompt`: letters, digits, `_` and `-`, at most 64.
pub fn name(prompt: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    prompt.chars().take(MAX_NAME).map(plain).collect()
}

fn value(out: &mut String, ty: &Type) {
    match ty {
        Type::String => out.push_str(r#"{"type":"string"}"#),
        Type::Int => out.push_str(r#"{"type":"integer"}"#),
        Type::Float => out.push_str(r#"{"type":"number"}"#),
        Type::Bool => out.push_str(r#"{"type":"boolean"}"#),
        Type::List(item) => {
            out.push_str(r#"{"type":"array","items":"#);
            value(out, item);
            out.push('}');
        }
        // A null more is no other type.
        Type::Optional(inner) if matches!(**inner, Type::Optional(_)) => value(out, inner),
        Type::Optional(inner) => {
            out.push_str(r#"{"anyOf":["#);
            value(out, inner);
            out.push_str(r#",{"type":"null"}]}"#);
        }
        Type::Enum(item) => {
            out.push_str(r#"{"type":"string","enum":["#);
            separated(out, &item.variants, |out, variant| string(out, variant));
            out.push_str("]}");
        }
        Type::Record(record) => {
            let fields: Vec<(&str, &Type)> =
                record.fields.iter().map(|field| (field.name.as_str(), &field.ty)).collect();
            object(out, &fields);
        }
        Type::Bytes
        | Type::Time
        | Type::Duration
        | Type::Size
        | Type::Rate
        | Type::Percent
        | Type::Tokens
        | Type::Vector(_)
        | Type::Unknown => out.push_str("{}"),
    }
}

fn object(out: &mut String, fields: &[(&str, &Type)]) {
    out.push_str(r#"{"type":"object","properties":{"#);
    separated(out, fields, |out, (name, ty)| {
        string(out, name);
        out.push(':');
        value(out, ty);
    });
    out.push_str(r#"},"required":["#);
    separated(out, fields, |out, (name, _)| string(out, name));
    out.push_str(r#"],"additionalProperties":false}"#);
}

fn separated<T>(out: &mut String, items: &[T], write: impl Fn(&mut String, &T)) {
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        write(out, item);
    }
}

fn string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c < ' ' => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
}
