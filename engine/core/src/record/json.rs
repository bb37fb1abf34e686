//! Rows from and to JSON, guided by the declared type and without value trees.
//!
//! Reading drives serde_json's parser with the schema: each known field is packed as it is met.
//! Writing appends to a byte buffer.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use sage_dsl::types::{RecordType, Type};

use super::datum::Datum;
use super::pack::{pack, pack_list, pack_record, pack_value};
use super::quantity::{real, show, whole};

/// Why a JSON line is no record of the declared type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct JsonRowError(String);

/// Reads JSON objects into rows; keeps its scratch memory between rows.
#[derive(Debug)]
pub struct RowReader<'t> {
    record: &'t RecordType,
    fields: Vec<Vec<u8>>,
}

impl<'t> RowReader<'t> {
    /// A reader of records of type `record`.
    pub fn new(record: &'t RecordType) -> Self {
        RowReader { record, fields: vec![Vec::new(); record.fields.len()] }
    }

    /// Parse one JSON object and append its columns to `out` in declaration order.
    pub fn read(&mut self, out: &mut Vec<u8>, json: &[u8]) -> Result<(), JsonRowError> {
        let mut deserializer = serde_json::Deserializer::from_slice(json);
        let seed = RecordSeed { record: self.record, fields: &mut self.fields };
        seed.deserialize(&mut deserializer)
            .and_then(|()| deserializer.end())
            .map_err(|error| JsonRowError(plain(&error)))?;
        for (field, packed) in self.record.fields.iter().zip(&self.fields) {
            match (&field.default, packed.is_empty()) {
                (_, false) => out.extend_from_slice(packed),
                (Some(default), true) => pack_value(out, default),
                (None, true) if matches!(field.ty, Type::Optional(_)) => pack(out, Datum::Null),
                (None, true) => {
                    return Err(JsonRowError(format!("field `{}` is missing", field.name)));
                }
            }
        }
        Ok(())
    }
}

/// Parse one JSON object as a row of `record`; convenience for a single row.
pub fn json_row(out: &mut Vec<u8>, record: &RecordType, json: &[u8]) -> Result<(), JsonRowError> {
    RowReader::new(record).read(out, json)
}

/// Parse any JSON value as `ty`.
pub(super) fn parse_json(out: &mut Vec<u8>, ty: &Type, json: &[u8]) -> Result<(), String> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    ValueSeed { ty, key: false, out }
        .deserialize(&mut deserializer)
        .and_then(|()| deserializer.end())
        .map_err(|error| plain(&error))
}

/// serde_json counts lines within the text it was given, which is one line here: keep the column.
fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string().replace(" at line 1 column", " at column");
    match error.classify() {
        serde_json::error::Category::Data => text,
        _ => format!("it is not valid JSON: {text}"),
    }
}

/// Up to here every whole number has a float of its own.
const LARGEST_WHOLE: f64 = (1_u64 << 53) as f64;

/// A string as it is shown in an error.
fn shortened(text: &str) -> std::borrow::Cow<'_, str> {
    const LONGEST: usize = 40;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &text[..end]).into(),
        None => text.into(),
    }
}

struct RecordSeed<'t, 'o> {
    record: &'t RecordType,
    fields: &'o mut [Vec<u8>],
}

impl<'de> DeserializeSeed<'de> for RecordSeed<'_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for RecordSeed<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with the fields of {}", self.record.name)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.fields.iter_mut().for_each(Vec::clear);
        while let Some(name) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            match self.record.field(&name) {
                Some((position, field)) => {
                    let out = &mut self.fields[position];
                    out.clear();
                    map.next_value_seed(ValueSeed { ty: &field.ty, key: field.key, out })
                        .map_err(|error| in_field(&error, &field.name))?;
                }
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

fn in_field<E: serde::de::Error>(error: &E, name: &str) -> E {
    E::custom(format_args!("field `{name}`: {error}"))
}

struct ValueSeed<'t, 'o> {
    ty: &'t Type,
    /// Whether it is the identity of its record.
    key: bool,
    out: &'o mut Vec<u8>,
}

impl<'de> DeserializeSeed<'de> for ValueSeed<'_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'t> ValueSeed<'t, '_> {
    fn wrong<E: serde::de::Error>(&self, found: &str) -> E {
        E::custom(format_args!("expected {}, found {found}", self.ty))
    }

    fn inner(&self) -> &'t Type {
        if let Type::Optional(inner) = self.ty { inner } else { self.ty }
    }
}

impl<'de> Visitor<'de> for ValueSeed<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.ty)
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        if !matches!(self.ty, Type::Optional(_) | Type::Unknown) {
            return Err(self.wrong("null"));
        }
        pack(self.out, Datum::Null);
        Ok(())
    }

    fn visit_bool<E: serde::de::Error>(self, flag: bool) -> Result<(), E> {
        if !matches!(self.inner(), Type::Bool | Type::Unknown) {
            return Err(self.wrong("a bool"));
        }
        pack(self.out, Datum::Bool(flag));
        Ok(())
    }

    fn visit_i64<E: serde::de::Error>(self, n: i64) -> Result<(), E> {
        match self.inner() {
            Type::Size if n < 0 => return Err(self.wrong(&n.to_string())),
            Type::Int | Type::Tokens | Type::Size | Type::Time | Type::Duration | Type::Unknown => {
                pack(self.out, Datum::Int(n));
            }
            Type::Float | Type::Rate | Type::Percent => pack(self.out, Datum::Float(n as f64)),
            // Identities are often numbers in the data and strings in the program.
            Type::String if self.key => pack(self.out, Datum::Str(&n.to_string())),
            _ => return Err(self.wrong(&n.to_string())),
        }
        Ok(())
    }

    fn visit_u64<E: serde::de::Error>(self, n: u64) -> Result<(), E> {
        match i64::try_from(n) {
            Ok(n) => self.visit_i64(n),
            Err(_) => Err(self.wrong("a number above 2^63")),
        }
    }

    fn visit_f64<E: serde::de::Error>(self, x: f64) -> Result<(), E> {
        match self.inner() {
            Type::Float | Type::Rate | Type::Percent | Type::Unknown => {
                pack(self.out, Datum::Float(x));
                Ok(())
            }
            // For JSON 2.0 is a whole number, and many programs write it so.
            Type::Int if x.fract() == 0.0 && x.abs() <= LARGEST_WHOLE => {
                pack(self.out, Datum::Int(x as i64));
                Ok(())
            }
            Type::Int if x.fract() == 0.0 => Err(self.wrong("a whole number that is too large")),
            _ => Err(self.wrong(&x.to_string())),
        }
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        match self.inner() {
            Type::String | Type::Unknown => pack(self.out, Datum::Str(text)),
            Type::Bytes => pack(self.out, Datum::Bytes(text.as_bytes())),
            Type::Enum(choices) => {
                if !choices.variants.iter().any(|variant| variant == text) {
                    let all = choices.variants.join(", ");
                    return Err(E::custom(format_args!(
                        "expected one of {all}, found `{}`",
                        shortened(text)
                    )));
                }
                pack(self.out, Datum::Str(text));
            }
            ty @ (Type::Time | Type::Duration | Type::Size | Type::Tokens) => {
                pack(self.out, Datum::Int(whole(ty, text).map_err(E::custom)?));
            }
            ty @ (Type::Rate | Type::Percent) => {
                pack(self.out, Datum::Float(real(ty, text).map_err(E::custom)?));
            }
            _ => return Err(self.wrong(&format!("\"{}\"", shortened(text)))),
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        if let Type::Vector(want) = self.inner() {
            let mut floats: Vec<f32> = Vec::new();
            while let Some(float) = seq.next_element::<f32>()? {
                if !float.is_finite() {
                    return Err(self.wrong("a number beyond those of 32 bits"));
                }
                floats.push(float);
            }
            if want.is_some_and(|want| want as usize != floats.len()) {
                return Err(self.wrong(&format!("{} numbers", floats.len())));
            }
            super::pack::pack_vector(self.out, &floats);
            return Ok(());
        }
        let unknown = Type::Unknown;
        let item = match self.inner() {
            Type::List(item) => item.as_ref(),
            Type::Unknown => &unknown,
            _ => return Err(self.wrong("a list")),
        };
        let mut result = Ok(());
        pack_list(self.out, |out| {
            loop {
                match seq.next_element_seed(ValueSeed { ty: item, key: false, out }) {
                    Ok(Some(())) => {}
                    Ok(None) => break,
                    Err(error) => {
                        result = Err(error);
                        break;
                    }
                }
            }
        });
        result
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        let Type::Record(record) = self.inner() else {
            return Err(self.wrong("an object"));
        };
        let mut fields = vec![Vec::new(); record.fields.len()];
        RecordSeed { record, fields: &mut fields }.visit_map(map)?;
        let mut missing = None;
        pack_record(self.out, |out| {
            for (field, packed) in record.fields.iter().zip(&fields) {
                match (&field.default, packed.is_empty()) {
                    (_, false) => out.extend_from_slice(packed),
                    (Some(default), true) => pack_value(out, default),
                    (None, true) if matches!(field.ty, Type::Optional(_)) => pack(out, Datum::Null),
                    (None, true) => missing = Some(&field.name),
                }
            }
        });
        match missing {
            Some(name) => Err(serde::de::Error::custom(format_args!("field `{name}` is missing"))),
            None => Ok(()),
        }
    }
}

/// Append `datum` as JSON. Records need their type for the field names; without it they are
/// written as lists.
pub fn write_json(out: &mut Vec<u8>, ty: &Type, datum: Datum<'_>) {
    let ty = if let Type::Optional(inner) = ty { inner } else { ty };
    match datum {
        Datum::Null => out.extend_from_slice(b"null"),
        Datum::Bool(flag) => out.extend_from_slice(if flag { b"true" } else { b"false" }),
        Datum::Int(n) => match show(ty, n) {
            Some(text) => write_string(out, &text),
            None => write_number(out, &n),
        },
        Datum::Float(x) if x.is_finite() => write_number(out, &x),
        Datum::Float(_) => out.extend_from_slice(b"null"),
        Datum::Str(text) => write_string(out, text),
        Datum::Bytes(bytes) => write_string(out, &String::from_utf8_lossy(bytes)),
        Datum::Vector(floats) => {
            separated(out, b"[", b"]", floats.iter(), |out, float| write_number(out, &float));
        }
        Datum::Record(items) if matches!(ty, Type::Record(_)) => {
            if let Type::Record(record) = ty {
                write_json_object(out, record, items);
            }
        }
        Datum::List(items) | Datum::Record(items) => {
            let item = if let Type::List(item) = ty { item } else { &Type::Unknown };
            separated(out, b"[", b"]", items, |out, datum| write_json(out, item, datum));
        }
    }
}

/// Append the columns of a record as a JSON object.
pub fn write_json_object<'a>(
    out: &mut Vec<u8>,
    record: &RecordType,
    values: impl Iterator<Item = Datum<'a>>,
) {
    let pairs = record.fields.iter().zip(values);
    separated(out, b"{", b"}", pairs, |out, (field, datum)| {
        write_string(out, &field.name);
        out.push(b':');
        write_json(out, &field.ty, datum);
    });
}

fn separated<T>(
    out: &mut Vec<u8>,
    open: &[u8],
    close: &[u8],
    items: impl Iterator<Item = T>,
    mut write: impl FnMut(&mut Vec<u8>, T),
) {
    out.extend_from_slice(open);
    for (i, item) in items.enumerate() {
        if i > 0 {
            out.push(b',');
        }
        write(out, item);
    }
    out.extend_from_slice(close);
}

fn write_number(out: &mut Vec<u8>, number: &impl serde::Serialize) {
    serde_json::to_writer(out, number).expect("a finite number is written to memory");
}

fn write_string(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("text is written to memory");
}

#[cfg(test)]
mod tests {
    use super::super::datum::Items;
    use super::*;
    use sage_dsl::types::{Field, Value};

    fn query() -> RecordType {
        let field = |name: &str, ty, default| Field { name: name.into(), ty, default, key: false };
        RecordType {
            name: "Query".into(),
            fields: vec![
                Field { key: true, ..field("id", Type::String, None) },
                field("n", Type::Int, Some(Value::Int(7))),
                field("tags", Type::List(Box::new(Type::String)), Some(Value::List(vec![]))),
            ],
        }
    }

    fn check(json: &str, expect: &str) {
        let mut out = Vec::new();
        let record = query();
        let shown = match json_row(&mut out, &record, json.as_bytes()) {
            Ok(()) => {
                let mut text = Vec::new();
                write_json_object(&mut text, &record, Items::new(&out));
                String::from_utf8(text).unwrap()
            }
            Err(error) => format!("error: {error}"),
        };
        assert_eq!(shown, expect, "{json}");
    }

    #[test]
    fn objects_become_rows_and_back() {
        check(r#"{"id":"a","n":1,"tags":["x"]}"#, r#"{"id":"a","n":1,"tags":["x"]}"#);
        check(r#"{"tags":[],"id":"a \u00e9"}"#, r#"{"id":"a é","n":7,"tags":[]}"#);
        check(r#"{"id":17,"more":{"x":[1]}}"#, r#"{"id":"17","n":7,"tags":[]}"#);
    }

    #[test]
    fn wrong_rows_say_what_is_wrong() {
        check(r#"{"n":1}"#, "error: field `id` is missing");
        check(r#"{"id":"a","n":"x"}"#, "error: field `n`: expected int, found \"x\" at column 17");
        check(
            r#"{"id":"a","tags":[5]}"#,
            "error: field `tags`: expected string, found 5 at column 19",
        );
        check(r#"{"id":"a","n":1.5}"#, "error: field `n`: expected int, found 1.5 at column 17");
        check(
            r#"{"id":"a""#,
            "error: it is not valid JSON: EOF while parsing an object at column 9",
        );
        check(
            "[1]",
            "error: invalid type: sequence, expected an object with the fields of Query at column 0",
        );
    }
}
