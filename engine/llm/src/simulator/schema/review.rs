//! Which schemas are refused before anything is filled: unknown assertions and malformed keywords.
//!
//! A keyword that is not known is an annotation by the rules of JSON Schema and is passed over; the
//! assertions that are known but not simulated are listed, so that none is passed over silently.

use serde_json::Value;

use super::resolve;

const REFUSED: &[&str] = &[
    "pattern",
    "patternProperties",
    "propertyNames",
    "not",
    "if",
    "then",
    "else",
    "contains",
    "minContains",
    "maxContains",
    "dependentRequired",
    "dependentSchemas",
    "dependencies",
    "unevaluatedItems",
    "unevaluatedProperties",
    "additionalItems",
    "$dynamicRef",
    "$recursiveRef",
    "$anchor",
];
const TYPES: &[&str] = &["object", "array", "string", "integer", "number", "boolean", "null"];
const COUNTS: &[&str] =
    &["minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"];
const NUMBERS: &[&str] =
    &["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"];
const LISTS: &[&str] = &["anyOf", "oneOf", "allOf", "prefixItems"];
const MAPS: &[&str] = &["properties", "$defs", "definitions"];
const ONES: &[&str] = &["items", "additionalProperties"];
/// Longest list or text that a schema may demand.
const MOST: u64 = 4096;
/// Nesting of the schema itself.
const DEPTH: usize = 64;

/// Refuse `root` with a reason, or find nothing against it.
pub(super) fn review(root: &Value) -> Result<(), String> {
    part(root, root, "#", 0)
}

fn part(root: &Value, schema: &Value, at: &str, depth: usize) -> Result<(), String> {
    if depth > DEPTH {
        return Err(format!("{at} is nested too deeply"));
    }
    let keywords = match schema {
        Value::Bool(_) => return Ok(()),
        Value::Object(keywords) => keywords,
        _ => return Err(format!("{at} is neither an object nor a boolean")),
    };
    for (name, value) in keywords {
        let name = name.as_str();
        let malformed = || format!("`{name}` at {at} is malformed");
        if REFUSED.contains(&name) {
            return Err(format!("`{name}` at {at} is not simulated"));
        }
        if COUNTS.contains(&name) {
            let count = value.as_u64().ok_or_else(malformed)?;
            if name.starts_with("min") && count > MOST {
                return Err(format!("`{name}` at {at} is more than {MOST}"));
            }
        } else if NUMBERS.contains(&name) {
            let number = value.as_f64().filter(|number| number.is_finite());
            number.filter(|n| name != "multipleOf" || *n > 0.0).ok_or_else(malformed)?;
        } else if LISTS.contains(&name) {
            let list = value.as_array().filter(|list| !list.is_empty()).ok_or_else(malformed)?;
            for (index, one) in list.iter().enumerate() {
                part(root, one, &format!("{at}/{name}/{index}"), depth + 1)?;
            }
        } else if MAPS.contains(&name) {
            for (key, one) in value.as_object().ok_or_else(malformed)? {
                part(root, one, &format!("{at}/{name}/{key}"), depth + 1)?;
            }
        } else if ONES.contains(&name) {
            part(root, value, &format!("{at}/{name}"), depth + 1)?;
        } else {
            word(root, name, value, at)?;
        }
    }
    Ok(())
}

/// The keywords whose values are no schemas.
fn word(root: &Value, name: &str, value: &Value, at: &str) -> Result<(), String> {
    let malformed = || format!("`{name}` at {at} is malformed");
    match name {
        "$ref" => {
            let reference = value.as_str().ok_or_else(malformed)?;
            let found = resolve(root, reference);
            found.map(|_| ()).ok_or_else(|| format!("`{reference}` at {at} is not found in it"))
        }
        "type" => {
            let one = std::slice::from_ref(value);
            for kind in value.as_array().map_or(one, Vec::as_slice) {
                let kind = kind.as_str().ok_or_else(malformed)?;
                if !TYPES.contains(&kind) {
                    return Err(format!("the type `{kind}` at {at} is unknown"));
                }
            }
            Ok(())
        }
        "enum" => value.as_array().map(|_| ()).ok_or_else(malformed),
        "required" => {
            let names = value.as_array().filter(|names| names.iter().all(Value::is_string));
            names.map(|_| ()).ok_or_else(malformed)
        }
        "uniqueItems" => value.as_bool().map(|_| ()).ok_or_else(malformed),
        _ => Ok(()),
    }
}
