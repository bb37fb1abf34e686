//! One schema that says what two say: the conjunction that `allOf`, a reference beside other
//! keywords, or an alternative beside them needs before it can be filled.
//!
//! Where two values of a keyword cannot be joined exactly the first is kept: the filled value is
//! checked against the original schema, so an inexact join costs an answer but never gives a wrong
//! one.

use serde_json::{Map, Value, json};

use super::fits::same;

/// What both `a` and `b` admit.
pub(super) fn merge(a: &Value, b: &Value) -> Value {
    match (a, b) {
        (Value::Bool(false), _) | (_, Value::Bool(false)) => Value::Bool(false),
        (Value::Object(a), Value::Object(b)) => {
            let mut both = a.clone();
            for (name, value) in b {
                match both.get(name).cloned() {
                    None => {
                        both.insert(name.clone(), value.clone());
                    }
                    Some(old) => join(&mut both, name, &old, value),
                }
            }
            Value::Object(both)
        }
        (Value::Object(one), _) | (_, Value::Object(one)) => Value::Object(one.clone()),
        _ => Value::Bool(true),
    }
}

fn join(both: &mut Map<String, Value>, name: &str, old: &Value, new: &Value) {
    let larger = |larger: bool| {
        let new_is = new.as_f64() > old.as_f64();
        if new_is == larger { new.clone() } else { old.clone() }
    };
    let joined = match name {
        "minimum" | "exclusiveMinimum" | "minLength" | "minItems" | "minProperties" => larger(true),
        "maximum" | "exclusiveMaximum" | "maxLength" | "maxItems" | "maxProperties" => {
            larger(false)
        }
        "items" | "additionalProperties" => merge(old, new),
        "properties" => properties(old, new),
        "prefixItems" | "anyOf" | "oneOf" | "$ref" if same(old, new) => return,
        // Two of a kind have no common form; the second waits its turn in `allOf`.
        "anyOf" | "oneOf" | "$ref" => {
            let later = json!({ name: new });
            let list = both.entry("allOf").or_insert_with(|| json!([]));
            if let Some(list) = list.as_array_mut() {
                list.push(later);
            }
            return;
        }
        "allOf" => concat(old, new),
        "required" => concat(old, new),
        "enum" => {
            let wanted = new.as_array().map_or(&[][..], Vec::as_slice);
            let kept = old.as_array().map_or(&[][..], Vec::as_slice).iter();
            kept.filter(|one| wanted.iter().any(|other| same(one, other))).cloned().collect()
        }
        "type" => kinds(old, new),
        "uniqueItems" => json!(old == &json!(true) || new == &json!(true)),
        _ => return,
    };
    both.insert(name.to_owned(), joined);
}

fn concat(old: &Value, new: &Value) -> Value {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    Value::Array([list(old), list(new)].concat())
}

fn properties(old: &Value, new: &Value) -> Value {
    let mut all = old.as_object().cloned().unwrap_or_default();
    for (name, schema) in new.as_object().into_iter().flatten() {
        let joined = all.get(name).map_or_else(|| schema.clone(), |old| merge(old, schema));
        all.insert(name.clone(), joined);
    }
    Value::Object(all)
}

/// The types in both lists; an integer is a number too.
fn kinds(old: &Value, new: &Value) -> Value {
    let list = |value: &Value| match value {
        Value::Array(many) => many.clone(),
        one => vec![one.clone()],
    };
    let (old, new) = (list(old), list(new));
    let (integer, number) = (json!("integer"), json!("number"));
    let mut both: Vec<Value> = old.iter().filter(|kind| new.contains(kind)).cloned().collect();
    let narrowed = (old.contains(&integer) && new.contains(&number))
        || (old.contains(&number) && new.contains(&integer));
    if narrowed && !both.contains(&integer) {
        both.push(integer);
    }
    // No type is in common: nothing is admitted, which a type that nothing has says.
    if both.is_empty() { json!(["nothing"]) } else { Value::Array(both) }
}
