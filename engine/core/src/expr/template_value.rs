//! Values as templates see them.
//!
//! A record in flight has values by position and nothing more; its type says what they are called, and
//! that a whole number is a duration. The type is taken apart once, so that a rendering only looks up
//! what it needs.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Enumerator, Object, Value};
use sage_dsl::types::Type;

use crate::record::{Datum, write_text};

/// What the values of a type are made of.
#[derive(Debug)]
pub(super) enum Shape {
    /// Given as it is.
    Plain,
    /// Whole numbers that are written in another form, such as `250ms`.
    Written(Type),
    /// A list with elements of one shape.
    List(Box<Shape>),
    /// Names and shapes of fields, in order.
    Record(Arc<[Arc<str>]>, Vec<Shape>),
}

impl Shape {
    pub(super) fn of(ty: &Type) -> Shape {
        match ty {
            Type::Optional(inner) => Shape::of(inner),
            Type::Time | Type::Duration | Type::Size => Shape::Written(ty.clone()),
            Type::List(item) => Shape::List(Box::new(Shape::of(item))),
            Type::Record(record) => Shape::Record(
                record.fields.iter().map(|field| Arc::from(field.name.as_str())).collect(),
                record.fields.iter().map(|field| Shape::of(&field.ty)).collect(),
            ),
            _ => Shape::Plain,
        }
    }

    pub(super) fn value(&self, datum: Datum<'_>) -> Value {
        match (self, datum) {
            (_, Datum::Null) => Value::from(()),
            (_, Datum::Bool(flag)) => Value::from(flag),
            (Shape::Written(ty), Datum::Int(_)) => {
                let mut text = Vec::new();
                write_text(&mut text, ty, datum);
                Value::from(String::from_utf8_lossy(&text).into_owned())
            }
            (_, Datum::Int(n)) => Value::from(n),
            (_, Datum::Float(x)) => Value::from(x),
            (_, Datum::Str(text)) => Value::from(text),
            (_, Datum::Bytes(bytes)) => Value::from(String::from_utf8_lossy(bytes).into_owned()),
            (Shape::Record(names, shapes), Datum::Record(items)) => {
                let values = shapes.iter().zip(items).map(|(shape, item)| shape.value(item));
                Value::from_object(Fields { names: Arc::clone(names), values: values.collect() })
            }
            (shape, Datum::List(items) | Datum::Record(items)) => {
                let inner = if let Shape::List(inner) = shape { inner } else { &Shape::Plain };
                items.map(|item| inner.value(item)).collect()
            }
            (_, Datum::Vector(floats)) => {
                floats.iter().map(|x| Value::from(f64::from(x))).collect()
            }
        }
    }
}

/// A record: values by the names of its fields, in their order, and JSON where it is printed whole.
struct Fields {
    names: Arc<[Arc<str>]>,
    values: Vec<Value>,
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (number, (name, value)) in self.names.iter().zip(&self.values).enumerate() {
            let comma = if number == 0 { "" } else { "," };
            let name = serde_json::to_string(&**name).map_err(|_| fmt::Error)?;
            let value = serde_json::to_string(value).map_err(|_| fmt::Error)?;
            write!(f, "{comma}{name}:{value}")?;
        }
        f.write_str("}")
    }
}

impl Object for Fields {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        let at = self.names.iter().position(|name| **name == *key)?;
        self.values.get(at).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.names.iter().map(|name| Value::from(&**name)).collect())
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

#[cfg(test)]
mod tests {
    use bumpalo::Bump;
    use proptest::prelude::*;
    use sage_dsl::plan::{Expr, Template};
    use sage_dsl::types::{EnumType, Field, RecordType};
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::expr::{Program, Templates};
    use crate::record::{Rows, parse_text, write_json};

    /// Renders `text` with `p`, a value of type `ty`.
    fn rendered(ty: &Type, row: &Rows, text: &str) -> String {
        let templates = Templates::compile(&[Template {
            name: "t".into(),
            params: vec!["p".into()],
            types: vec![ty.clone()],
            text: text.into(),
            result: Type::String,
        }])
        .unwrap();
        let mut columns = Vec::new();
        let arena = Bump::new();
        row.unpack(0, &mut columns);
        let program = Program::compile(&Expr::Template(0, vec![Expr::Column(0)])).unwrap();
        match program.evaluate(&columns, &templates, &arena).unwrap() {
            Datum::Str(text) => text.to_owned(),
            other => panic!("{other:?}"),
        }
    }

    fn leaf() -> impl Strategy<Value = (Type, Json)> {
        let tone = EnumType { name: "Tone".into(), variants: vec!["calm".into(), "angry".into()] };
        prop_oneof![
            any::<i64>().prop_map(|n| (Type::Int, json!(n))),
            (-1000i32..1000).prop_map(|n| (Type::Float, json!(f64::from(n) / 4.0))),
            any::<bool>().prop_map(|flag| (Type::Bool, json!(flag))),
            ".{0,8}".prop_map(|text| (Type::String, json!(text))),
            (0i64..1 << 60).prop_map(|n| (Type::Duration, json!(n))),
            (0i64..1 << 60).prop_map(|n| (Type::Time, json!(n))),
            (0i64..1 << 60).prop_map(|n| (Type::Size, json!(n))),
            any::<bool>().prop_map(move |flag| {
                (Type::Enum(tone.clone()), json!(if flag { "calm" } else { "angry" }))
            }),
            Just((Type::Optional(Box::new(Type::Int)), Json::Null)),
        ]
    }

    /// A record of values.
    fn record(parts: Vec<(Type, Json)>) -> (Type, Json) {
        let name = |number: usize| format!("f{number}");
        let fields = parts.iter().enumerate().map(|(number, (ty, _))| Field {
            name: name(number),
            ty: ty.clone(),
            default: None,
            key: false,
        });
        let record = RecordType { name: "R".into(), fields: fields.collect() };
        let values = parts.iter().enumerate();
        let values = values.map(|(number, (_, value))| (name(number), value.clone()));
        (Type::Record(record), Json::Object(values.collect()))
    }

    /// A type and a value of it.
    fn typed() -> impl Strategy<Value = (Type, Json)> {
        leaf().prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 1..4).prop_map(record),
                (inner.clone(), 0usize..3).prop_map(|((ty, value), count)| {
                    (Type::List(Box::new(ty)), Json::Array(vec![value; count]))
                }),
                inner.prop_map(|(ty, value)| match ty {
                    Type::Optional(_) => (ty, value),
                    ty => (Type::Optional(Box::new(ty)), value),
                }),
            ]
        })
    }

    /// Every path to a single value, and what is written there.
    fn leaves(path: &str, value: &Json, found: &mut Vec<(String, String)>) {
        match value {
            Json::Object(fields) => {
                for (name, value) in fields {
                    leaves(&format!("{path}.{name}"), value, found);
                }
            }
            Json::Array(items) => {
                for (number, value) in items.iter().enumerate() {
                    leaves(&format!("{path}[{number}]"), value, found);
                }
            }
            Json::String(text) => found.push((path.to_owned(), text.clone())),
            // As in Jinja.
            Json::Bool(flag) => {
                found.push((path.to_owned(), (if *flag { "True" } else { "False" }).into()));
            }
            Json::Null => found.push((path.to_owned(), String::new())),
            Json::Number(number) => found.push((path.to_owned(), number.to_string())),
        }
    }

    proptest! {
        #[test]
        fn every_path_prints_what_its_value_is_written_as(parts in prop::collection::vec(typed(), 1..4)) {
            let (ty, value) = record(parts);
            let mut row = Rows::default();
            let mut packed = Ok(());
            row.push(|out| packed = parse_text(out, &ty, &value.to_string()));
            prop_assert_eq!(packed, Ok(()));
            let mut columns = Vec::new();
            row.unpack(0, &mut columns);
            let mut text = Vec::new();
            write_json(&mut text, &ty, columns[0]);
            let written: Json = serde_json::from_slice(&text).unwrap();
            let mut paths = Vec::new();
            leaves("p", &written, &mut paths);
            for (path, expect) in paths {
                let tag = format!("{{% if {path} is not none %}}{{{{ {path} }}}}{{% endif %}}");
                prop_assert_eq!(rendered(&ty, &row, &tag), expect, "{} of {}", path, written);
            }
            let whole: Json = serde_json::from_str(&rendered(&ty, &row, "{{ p }}")).unwrap();
            prop_assert_eq!(whole, written);
        }
    }
}
