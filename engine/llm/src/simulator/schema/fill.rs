//! Makes a value of a schema: all properties, lists of a few items, texts about the prompt.
//!
//! Recursive descent. Alternatives are tried in an order drawn by lot until one can be filled and
//! fits; below a certain depth the short ones come first, so that schemas which refer to themselves
//! come to an end. A budget of steps bounds the search.

use std::borrow::Cow;
use std::cell::{Cell, OnceCell};

use serde_json::{Map, Value, json};

use super::fits::{fits, same};
use super::merge::merge;
use super::{numbers, resolve, types};
use crate::simulator::compose::{Remarks, choose, draw};

/// From here on, optional parts are left out and short alternatives preferred.
const SHALLOW: usize = 6;
const DEEPEST: usize = 48;
const STEPS: u32 = 20_000;
/// Bytes of schemas that are joined, and of constants and texts that are put into the value.
const JOINED: usize = 1 << 24;
const WRITTEN: usize = 1 << 20;

/// Fills values of one schema.
pub(super) struct Filler<'a> {
    root: &'a Value,
    prompt: &'a str,
    seed: u64,
    answer: &'a str,
    remarks: OnceCell<Remarks<'a>>,
    steps: Cell<u32>,
    joined: Cell<usize>,
    written: Cell<usize>,
    /// Steps of the checks.
    checked: Cell<u32>,
}

type Filled = Result<Value, String>;

impl<'a> Filler<'a> {
    pub(super) fn new(root: &'a Value, prompt: &'a str, seed: u64, answer: &'a str) -> Self {
        let (remarks, steps) = (OnceCell::new(), Cell::new(0));
        let (joined, written, checked) = (Cell::new(0), Cell::new(0), Cell::new(0));
        Filler { root, prompt, seed, answer, remarks, steps, joined, written, checked }
    }

    /// The whole value, or why there is none.
    pub(super) fn fill(&self) -> Filled {
        self.value(self.root, "", 0)
    }

    /// Both schemas in one.
    fn join(&self, a: &Value, b: &Value) -> Filled {
        let whole = merge(a, b);
        self.joined.set(self.joined.get() + whole.to_string().len());
        if self.joined.get() > JOINED {
            return Err("its parts refer to each other too often".to_owned());
        }
        Ok(whole)
    }

    /// `value` as a part of the whole, unless that becomes too long.
    fn write(&self, value: Value) -> Filled {
        let size = value.as_str().map_or_else(|| value.to_string().len(), str::len);
        self.written.set(self.written.get() + size);
        if self.written.get() > WRITTEN {
            return Err(format!("its values are longer than {WRITTEN} bytes"));
        }
        Ok(value)
    }

    /// A number that depends on where in the value it is used.
    fn lot(&self, path: &str) -> u64 {
        draw(&format!("{}\u{0}{path}", self.prompt), self.seed)
    }

    fn value(&self, schema: &Value, path: &str, depth: usize) -> Filled {
        self.steps.set(self.steps.get() + 1);
        if self.steps.get() > STEPS || depth > DEEPEST {
            return Err("it does not come to an end".to_owned());
        }
        let Value::Object(keywords) = schema else {
            let nothing = || "a part of it admits nothing".to_owned();
            return if schema == &json!(false) { Err(nothing()) } else { self.text(schema, path) };
        };
        if let Some(reference) = keywords.get("$ref").and_then(Value::as_str) {
            let target = resolve(self.root, reference).ok_or("a reference leads nowhere")?;
            let whole = self.join(&without(keywords, "$ref"), target)?;
            return self.value(&whole, path, depth + 1);
        }
        if let Some(parts) = keywords.get("allOf").and_then(Value::as_array) {
            let base = without(keywords, "allOf");
            let whole = parts.iter().try_fold(base, |whole, part| self.join(&whole, part))?;
            return self.value(&whole, path, depth + 1);
        }
        for key in ["anyOf", "oneOf"] {
            if let Some(alternatives) = keywords.get(key).and_then(Value::as_array) {
                return self.alternative(
                    schema,
                    &without(keywords, key),
                    alternatives,
                    path,
                    depth,
                );
            }
        }
        if let Some(constant) = keywords.get("const") {
            return self.write(constant.clone());
        }
        if let Some(values) = keywords.get("enum").and_then(Value::as_array) {
            return self.one_of(schema, values, path);
        }
        self.typed(schema, keywords, path, depth)
    }

    /// The first alternative that can be filled so that the whole fits.
    fn alternative(
        &self,
        whole: &Value,
        base: &Value,
        alternatives: &[Value],
        path: &str,
        depth: usize,
    ) -> Filled {
        let mut order: Vec<&Value> = alternatives.iter().collect();
        let turn = (self.lot(path) % order.len().max(1) as u64) as usize;
        order.rotate_left(turn);
        if depth > SHALLOW {
            order.sort_by_key(|one| one.to_string().contains("$ref"));
        }
        let mut reason = "none of the alternatives can be filled".to_owned();
        for one in order {
            match self.join(base, one).and_then(|one| self.value(&one, path, depth + 1)) {
                Ok(value) if fits(self.root, whole, &value, &self.checked) => return Ok(value),
                Ok(_) => {}
                Err(why) => reason = why,
            }
        }
        Err(reason)
    }

    fn one_of(&self, schema: &Value, values: &[Value], path: &str) -> Filled {
        let fitting: Vec<&Value> =
            values.iter().filter(|value| fits(self.root, schema, value, &self.checked)).collect();
        let words: Vec<&str> = fitting.iter().filter_map(|value| value.as_str()).collect();
        let lot = self.lot(path);
        if words.len() == fitting.len() && !words.is_empty() {
            return self.write(json!(choose(&words, self.prompt, lot)));
        }
        let one = fitting.get((lot % fitting.len().max(1) as u64) as usize);
        match one {
            Some(value) => self.write((*value).clone()),
            None => Err("an `enum` admits nothing".to_owned()),
        }
    }

    /// A value of the named type, else of the type that the keywords are about.
    fn typed(
        &self,
        schema: &Value,
        keywords: &Map<String, Value>,
        path: &str,
        depth: usize,
    ) -> Filled {
        let about = |names: &[&str]| names.iter().any(|name| keywords.contains_key(*name));
        let mut kinds = types(schema);
        if kinds.is_empty() {
            kinds.push(
                if about(&["properties", "required", "additionalProperties", "minProperties"]) {
                    "object"
                } else if about(&["items", "prefixItems", "minItems", "maxItems"]) {
                    "array"
                } else if about(&[
                    "minimum",
                    "maximum",
                    "exclusiveMinimum",
                    "exclusiveMaximum",
                    "multipleOf",
                ]) {
                    "number"
                } else {
                    "string"
                },
            );
        }
        if depth > SHALLOW {
            kinds.sort_by_key(|kind| matches!(*kind, "object" | "array"));
        }
        let mut result = Err("two of its parts have no type in common".to_owned());
        for kind in kinds {
            result = match kind {
                "object" => self.object(schema, path, depth),
                "array" => self.array(schema, path, depth),
                "integer" => numbers::integer(schema, self.lot(path)),
                "number" => numbers::number(schema, self.lot(path)),
                "boolean" => Ok(json!(self.lot(path).is_multiple_of(2))),
                "null" => Ok(Value::Null),
                "string" => self.text(schema, path),
                _ => continue,
            };
            if result.is_ok() {
                break;
            }
        }
        result
    }

    fn object(&self, schema: &Value, path: &str, depth: usize) -> Filled {
        let empty = Map::new();
        let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&empty);
        let required: Vec<&str> = match schema.get("required").and_then(Value::as_array) {
            Some(names) => names.iter().filter_map(Value::as_str).collect(),
            None => Vec::new(),
        };
        let count = |key: &str| schema.get(key).and_then(Value::as_u64);
        let most = count("maxProperties").unwrap_or(u64::MAX);
        let least = count("minProperties").unwrap_or(0);
        let others = schema.get("additionalProperties").unwrap_or(&Value::Bool(true));
        let fill =
            |name: &str, schema: &Value| self.value(schema, &format!("{path}/{name}"), depth + 1);
        let mut members = Map::new();
        let mut optional = most.saturating_sub(required.len() as u64);
        for (name, schema) in properties {
            if required.contains(&name.as_str()) {
                members.insert(name.clone(), fill(name, schema)?);
            } else if optional > 0 && depth <= SHALLOW {
                // A part that cannot be filled is not missed where it may be missing.
                if let Ok(value) = fill(name, schema) {
                    members.insert(name.clone(), value);
                    optional -= 1;
                }
            }
        }
        for name in required {
            if !members.contains_key(name) {
                members.insert(name.to_owned(), fill(name, others)?);
            }
        }
        for number in 1.. {
            if members.len() as u64 >= least {
                break;
            }
            let name = format!("more{number}");
            let schema = properties.get(&name).unwrap_or(others);
            if !members.contains_key(&name) {
                let value = fill(&name, schema)?;
                members.insert(name, value);
            }
        }
        Ok(Value::Object(members))
    }

    fn array(&self, schema: &Value, path: &str, depth: usize) -> Filled {
        let limit = |key: &str| schema.get(key).and_then(Value::as_u64);
        let first = schema.get("prefixItems").and_then(Value::as_array);
        let first = first.map_or(&[][..], Vec::as_slice);
        let rest = schema.get("items").unwrap_or(&Value::Bool(true));
        let unique = schema.get("uniqueItems") == Some(&json!(true));
        let least = limit("minItems").unwrap_or(0);
        let wanted = if depth > SHALLOW { least } else { least.max(1).max(first.len() as u64) };
        let most = limit("maxItems").unwrap_or(wanted + 2);
        let count = (wanted + self.lot(path) % (most.saturating_sub(wanted) + 1).min(4)).min(most);
        let mut items: Vec<Value> = Vec::new();
        // Equal items are drawn again, a few times over.
        for at in 0..count * 4 + 16 {
            if items.len() as u64 >= count {
                break;
            }
            let schema = first.get(items.len()).unwrap_or(rest);
            match self.value(schema, &format!("{path}/{at}"), depth + 1) {
                Ok(item) if unique && items.iter().any(|other| same(other, &item)) => {}
                Ok(item) => items.push(item),
                Err(_) if items.len() as u64 >= least => break,
                Err(reason) => return Err(reason),
            }
        }
        if (items.len() as u64) < least {
            return Err("a list has not enough different items".to_owned());
        }
        Ok(Value::Array(items))
    }

    fn text(&self, schema: &Value, path: &str) -> Filled {
        let lot = self.lot(path);
        let limit = |key: &str| schema.get(key).and_then(Value::as_u64).map(|n| n as usize);
        if let Some(text) =
            schema.get("format").and_then(Value::as_str).and_then(|f| formatted(f, lot))
        {
            return self.write(Value::String(text));
        }
        let remarks = self.remarks.get_or_init(|| Remarks::on(self.prompt, self.seed));
        let long = path.is_empty() || path.ends_with("answer") || path.ends_with("text");
        let mut text = Cow::Borrowed(if long { self.answer } else { "" });
        let least = limit("minLength").unwrap_or(0).max(1);
        let mut turn = (lot % 1000) as usize;
        while text.is_empty() || text.chars().count() < least {
            if !text.is_empty() {
                text.to_mut().push(' ');
            }
            text.to_mut().push_str(&remarks.say(turn));
            turn += 1;
        }
        let most = limit("maxLength").unwrap_or(usize::MAX);
        self.write(Value::String(text.chars().take(most).collect()))
    }
}

/// `keywords` but one.
fn without(keywords: &Map<String, Value>, name: &str) -> Value {
    Value::Object(
        keywords
            .iter()
            .filter(|(key, _)| *key != name)
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect(),
    )
}

/// A text of a well-known format; others are annotations only.
fn formatted(format: &str, lot: u64) -> Option<String> {
    let (day, hour, minute) = (1 + lot % 28, lot / 28 % 24, lot / 672 % 60);
    Some(match format {
        "date" => format!("2025-06-{day:02}"),
        "time" => format!("{hour:02}:{minute:02}:00Z"),
        "date-time" => format!("2025-06-{day:02}T{hour:02}:{minute:02}:00Z"),
        "duration" => format!("PT{minute}M"),
        "email" => format!("person{}@example.com", lot % 1000),
        "hostname" => format!("host{}.example.com", lot % 1000),
        "uri" => format!("https://example.com/{}", lot % 1000),
        "ipv4" => format!("192.0.2.{}", lot % 256),
        "ipv6" => format!("2001:db8::{:x}", lot % 65_536),
        "uuid" => format!(
            "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
            lot as u32,
            lot >> 32 & 0xffff,
            lot & 0xfff,
            lot >> 12 & 0xfff,
            lot & 0xffff_ffff_ffff
        ),
        _ => return None,
    })
}
