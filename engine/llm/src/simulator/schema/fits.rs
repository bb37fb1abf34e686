//! Whether a schema admits a value: the validation rules of JSON Schema 2020-12 for the keywords
//! that are covered.

use std::cell::Cell;

use serde_json::{Map, Value};

use super::{resolve, types};

/// References followed on the way to one answer; more is a circle.
const DEPTH: usize = 96;
/// Parts looked at for one value: alternatives of alternatives can be exponentially many.
const STEPS: u32 = 500_000;

/// Whether `schema`, a part of `root`, admits `value`; not, if that takes too long to say. `steps`
/// counts on over all questions about one value.
pub(super) fn fits(root: &Value, schema: &Value, value: &Value, steps: &Cell<u32>) -> bool {
    admits(root, schema, value, 0, steps) && steps.get() <= STEPS
}

fn admits(root: &Value, schema: &Value, value: &Value, depth: usize, steps: &Cell<u32>) -> bool {
    steps.set(steps.get().saturating_add(1));
    let keywords = match schema {
        Value::Bool(all) => return *all,
        Value::Object(keywords) => keywords,
        _ => return false,
    };
    if depth > DEPTH || steps.get() > STEPS {
        return false;
    }
    let sub = |schema: &Value, value: &Value| admits(root, schema, value, depth + 1, steps);
    let list = |name: &str| keywords.get(name).and_then(Value::as_array);
    let named = types(schema);
    (named.is_empty() || named.iter().any(|kind| is_a(value, kind)))
        && keywords.get("const").is_none_or(|constant| same(constant, value))
        && list("enum").is_none_or(|values| values.iter().any(|one| same(one, value)))
        && keywords.get("$ref").and_then(Value::as_str).is_none_or(|reference| {
            resolve(root, reference).is_some_and(|target| sub(target, value))
        })
        && list("allOf").is_none_or(|all| all.iter().all(|one| sub(one, value)))
        && list("anyOf").is_none_or(|any| any.iter().any(|one| sub(one, value)))
        && list("oneOf").is_none_or(|any| any.iter().filter(|one| sub(one, value)).count() == 1)
        && match value {
            Value::Object(members) => object(keywords, members, sub),
            Value::Array(items) => array(keywords, items, sub),
            Value::String(text) => within(keywords, "Length", text.chars().count()),
            Value::Number(number) => number.as_f64().is_some_and(|n| in_bounds(keywords, n)),
            Value::Bool(_) | Value::Null => true,
        }
}

/// Whether `value` is of the type `kind`; as JSON Schema has it, 5.0 is an integer.
pub(super) fn is_a(value: &Value, kind: &str) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "integer" => {
            value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|n| n.fract() == 0.0)
        }
        _ => false,
    }
}

/// Equality of values, in which 1 and 1.0 are the same number.
pub(super) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => x == y || x.as_f64() == y.as_f64(),
        (Value::Array(x), Value::Array(y)) => {
            x.len() == y.len() && x.iter().zip(y).all(|(x, y)| same(x, y))
        }
        (Value::Object(x), Value::Object(y)) => {
            x.len() == y.len() && x.iter().all(|(name, x)| y.get(name).is_some_and(|y| same(x, y)))
        }
        _ => a == b,
    }
}

/// Whether a count keeps to `min...` and `max...` of its kind.
fn within(keywords: &Map<String, Value>, what: &str, count: usize) -> bool {
    let bound = |end: &str| keywords.get(&format!("{end}{what}")).and_then(Value::as_u64);
    bound("min").is_none_or(|least| count as u64 >= least)
        && bound("max").is_none_or(|most| count as u64 <= most)
}

fn in_bounds(keywords: &Map<String, Value>, number: f64) -> bool {
    let bound = |name: &str| keywords.get(name).and_then(Value::as_f64);
    bound("minimum").is_none_or(|bound| number >= bound)
        && bound("maximum").is_none_or(|bound| number <= bound)
        && bound("exclusiveMinimum").is_none_or(|bound| number > bound)
        && bound("exclusiveMaximum").is_none_or(|bound| number < bound)
        && bound("multipleOf").is_none_or(|unit| (number / unit).fract() == 0.0)
}

fn object(
    keywords: &Map<String, Value>,
    members: &Map<String, Value>,
    sub: impl Fn(&Value, &Value) -> bool,
) -> bool {
    let properties = keywords.get("properties").and_then(Value::as_object);
    let required = keywords.get("required").and_then(Value::as_array);
    let mut names = required.into_iter().flatten().filter_map(Value::as_str);
    within(keywords, "Properties", members.len())
        && names.all(|name| members.contains_key(name))
        && members.iter().all(|(name, value)| {
            let own = properties.and_then(|properties| properties.get(name));
            own.or_else(|| keywords.get("additionalProperties"))
                .is_none_or(|schema| sub(schema, value))
        })
}

fn array(
    keywords: &Map<String, Value>,
    items: &[Value],
    sub: impl Fn(&Value, &Value) -> bool,
) -> bool {
    let first = keywords.get("prefixItems").and_then(Value::as_array);
    let first = first.map_or(&[][..], Vec::as_slice);
    let rest = keywords.get("items");
    let unique = keywords.get("uniqueItems") == Some(&Value::Bool(true));
    within(keywords, "Items", items.len())
        && items.iter().enumerate().all(|(at, item)| {
            first.get(at).or(rest).is_none_or(|schema| sub(schema, item))
                && !(unique && items[..at].iter().any(|other| same(other, item)))
        })
}
