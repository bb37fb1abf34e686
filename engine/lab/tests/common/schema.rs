//! A validator for as much of JSON Schema as `experiments/metrics.schema.json` uses.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "helpers of tests")]

use serde_json::Value;

/// Where and how `value` is not as `schema`, a part of `root`, says; empty if it is.
pub fn problems(root: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let mut found = Vec::new();
    let keywords = schema.as_object().unwrap_or_else(|| panic!("{at}: {schema} is no schema"));
    for (keyword, rule) in keywords {
        match keyword.as_str() {
            "$schema" | "$defs" | "title" | "description" => {}
            "$ref" => {
                let path = rule.as_str().unwrap().strip_prefix('#').unwrap();
                let target = root.pointer(path).unwrap_or_else(|| panic!("no {path}"));
                found.extend(problems(root, target, value, at));
            }
            "type" if !is_type(rule, value) => found.push(format!("{at}: no {rule}: {value:.60}")),
            "const" if rule != value => found.push(format!("{at}: not {rule}: {value:.60}")),
            "enum" if !rule.as_array().unwrap().contains(value) => {
                found.push(format!("{at}: {value:.60} is none of {rule:.60}"));
            }
            "minimum" if value.as_f64().is_some_and(|value| value < rule.as_f64().unwrap()) => {
                found.push(format!("{at}: {value} is below {rule}"));
            }
            "anyOf" => {
                let any = rule.as_array().unwrap().iter();
                let each: Vec<_> = any.map(|rule| problems(root, rule, value, at)).collect();
                if each.iter().all(|problems| !problems.is_empty()) {
                    found.push(format!("{at}: none fits: {}", each.concat().join("; ")));
                }
            }
            "type" | "const" | "enum" | "minimum" => {}
            _ => match value {
                Value::Array(items) => list(root, keyword, rule, items, at, &mut found),
                Value::Object(fields) => {
                    let all = schema.get("properties").and_then(Value::as_object);
                    let known = |name: &str| all.is_some_and(|all| all.contains_key(name));
                    object(root, keyword, rule, fields, &known, at, &mut found);
                }
                _ => {}
            },
        }
    }
    found
}

fn list(
    root: &Value,
    keyword: &str,
    rule: &Value,
    items: &[Value],
    at: &str,
    found: &mut Vec<String>,
) {
    match keyword {
        "items" => {
            for (number, item) in items.iter().enumerate() {
                found.extend(problems(root, rule, item, &format!("{at}/{number}")));
            }
        }
        "minItems" if (items.len() as u64) < rule.as_u64().unwrap() => {
            found.push(format!("{at}: fewer than {rule}"));
        }
        "maxItems" if (items.len() as u64) > rule.as_u64().unwrap() => {
            found.push(format!("{at}: more than {rule}"));
        }
        "minItems" | "maxItems" => {}
        other => panic!("{at}: keyword `{other}` is not known here"),
    }
}

fn object(
    root: &Value,
    keyword: &str,
    rule: &Value,
    fields: &serde_json::Map<String, Value>,
    known: &dyn Fn(&str) -> bool,
    at: &str,
    found: &mut Vec<String>,
) {
    match keyword {
        "required" => {
            let names = rule.as_array().unwrap().iter().map(|name| name.as_str().unwrap());
            let missing = names.filter(|name| !fields.contains_key(*name));
            found.extend(missing.map(|name| format!("{at}: no `{name}`")));
        }
        "properties" => {
            for (name, rule) in rule.as_object().unwrap() {
                if let Some(field) = fields.get(name) {
                    found.extend(problems(root, rule, field, &format!("{at}/{name}")));
                }
            }
        }
        "additionalProperties" => {
            for (name, field) in fields.iter().filter(|(name, _)| !known(name)) {
                match rule {
                    Value::Bool(false) => found.push(format!("{at}: `{name}` is not known")),
                    rule => found.extend(problems(root, rule, field, &format!("{at}/{name}"))),
                }
            }
        }
        "propertyNames" => {
            for name in fields.keys() {
                found.extend(problems(root, rule, &Value::from(name.as_str()), at));
            }
        }
        "maxProperties" if fields.len() as u64 > rule.as_u64().unwrap() => {
            found.push(format!("{at}: more than {rule} fields"));
        }
        "maxProperties" => {}
        other => panic!("{at}: keyword `{other}` is not known here"),
    }
}

fn is_type(rule: &Value, value: &Value) -> bool {
    let is = |name: &str| match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "integer" => value.is_u64() || value.is_i64(),
        other => panic!("type `{other}` is not known here"),
    };
    match rule {
        Value::Array(names) => names.iter().any(|name| is(name.as_str().unwrap())),
        rule => is(rule.as_str().unwrap()),
    }
}
