//! A value that a schema does not admit, near one that it does: what a model without guided
//! decoding gets wrong.

use serde_json::{Value, json};

use super::Schema;

/// A value that does not fit, chosen by `lot`; `None` for a schema that admits anything.
pub(in super::super) fn misfit(schema: &Schema, fitting: &Value, lot: u64) -> Option<Value> {
    let mut candidates = Vec::new();
    if let Value::Object(members) = fitting {
        for (name, value) in members {
            let mut fewer = members.clone();
            fewer.shift_remove(name);
            candidates.push(Value::Object(fewer));
            let mut other = members.clone();
            other.insert(name.clone(), other_type(value));
            candidates.push(Value::Object(other));
        }
        let mut more = members.clone();
        more.insert("unexpected".to_owned(), json!(true));
        candidates.push(Value::Object(more));
    }
    candidates.extend([json!([fitting]), other_type(fitting), json!({}), json!([]), Value::Null]);
    candidates.retain(|candidate| !schema.fits(candidate));
    (!candidates.is_empty())
        .then(|| candidates.swap_remove((lot % candidates.len() as u64) as usize))
}

fn other_type(value: &Value) -> Value {
    match value {
        Value::String(_) => json!(17),
        Value::Number(number) => json!(number.to_string()),
        Value::Bool(truth) => json!(if *truth { "yes" } else { "no" }),
        Value::Null => json!("none"),
        Value::Array(_) | Value::Object(_) => json!(value.to_string()),
    }
}
