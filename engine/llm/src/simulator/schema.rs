//! Structured output: a value that a JSON schema admits, filled from the prompt.
//!
//! Covers what typed prompts need (objects, arrays, strings, numbers, booleans, enumerations,
//! constants, alternatives, local references); what it does not know comes out as a string. All
//! properties are present, so strict readers are content.

use serde_json::{Map, Value, json};

use super::compose::{choose, draw, remark};

/// Nesting beyond this ends in `null`: schemas may refer to themselves.
const DEPTH: usize = 16;

/// Fills values of one schema.
pub(super) struct Filler<'a> {
    pub(super) root: &'a Value,
    pub(super) prompt: &'a str,
    pub(super) seed: u64,
    /// What long texts say.
    pub(super) answer: &'a str,
}

impl Filler<'_> {
    /// The whole value.
    pub(super) fn fill(&self) -> Value {
        self.value(self.root, "", 0)
    }

    /// A number that depends on where in the value it is used.
    fn number(&self, path: &str) -> u64 {
        draw(&format!("{}\u{0}{path}", self.prompt), self.seed)
    }

    fn value(&self, schema: &Value, path: &str, depth: usize) -> Value {
        if depth > DEPTH {
            return Value::Null;
        }
        if let Some(constant) = schema.get("const") {
            return constant.clone();
        }
        if let Some(values) = schema.get("enum").and_then(Value::as_array) {
            return self.one_of(values, path);
        }
        if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
            let target = self.root.pointer(target.trim_start_matches('#'));
            return target.map_or(Value::Null, |target| self.value(target, path, depth + 1));
        }
        for key in ["anyOf", "oneOf", "allOf"] {
            if let Some(first) = schema.get(key).and_then(|list| list.get(0)) {
                return self.value(first, path, depth + 1);
            }
        }
        // A list of types allows any of them.
        let kind = schema.get("type").map(|kind| kind.get(0).unwrap_or(kind));
        let kind = kind.and_then(Value::as_str);
        match kind {
            Some("object") => self.object(schema, path, depth),
            None if schema.get("properties").is_some() => self.object(schema, path, depth),
            Some("array") => self.array(schema, path, depth),
            Some("integer") => json!(self.between(schema, path).round() as i64),
            Some("number") => json!((self.between(schema, path) * 100.0).round() / 100.0),
            Some("boolean") => json!(self.number(path).is_multiple_of(2)),
            Some("null") => Value::Null,
            _ => self.text(schema, path),
        }
    }

    fn one_of(&self, values: &[Value], path: &str) -> Value {
        let words: Vec<&str> = values.iter().filter_map(Value::as_str).collect();
        let number = self.number(path);
        if words.len() == values.len() && !words.is_empty() {
            return json!(choose(&words, self.prompt, number));
        }
        values.get((number % values.len().max(1) as u64) as usize).cloned().unwrap_or(Value::Null)
    }

    fn object(&self, schema: &Value, path: &str, depth: usize) -> Value {
        let properties = schema.get("properties").and_then(Value::as_object);
        let fill = |(name, schema): (&String, &Value)| {
            (name.clone(), self.value(schema, &format!("{path}/{name}"), depth + 1))
        };
        Value::Object(properties.map_or_else(Map::new, |all| all.iter().map(fill).collect()))
    }

    fn array(&self, schema: &Value, path: &str, depth: usize) -> Value {
        let limit = |key: &str| schema.get(key).and_then(Value::as_u64);
        let least = limit("minItems").unwrap_or(1).min(64);
        let most = limit("maxItems").unwrap_or(least.max(1) + 2).max(least);
        let count = (least + self.number(path) % (most - least + 1)).min(least + 3);
        let item = |at| {
            let schema = schema.get("items").unwrap_or(&Value::Null);
            self.value(schema, &format!("{path}/{at}"), depth + 1)
        };
        Value::Array((0..count).map(item).collect())
    }

    /// A number between the schema's bounds; 0 to 10 where there are none.
    fn between(&self, schema: &Value, path: &str) -> f64 {
        let bound = |keys: [&str; 2]| keys.iter().find_map(|key| schema.get(key)?.as_f64());
        let low = bound(["minimum", "exclusiveMinimum"]);
        let high = bound(["maximum", "exclusiveMaximum"]);
        let (low, high) = match (low, high) {
            (Some(low), Some(high)) => (low, high),
            (Some(low), None) => (low, low + 10.0),
            (None, Some(high)) => (high - 10.0, high),
            (None, None) => (0.0, 10.0),
        };
        // Never at the bounds themselves, which may be exclusive.
        low + (high - low) * (10 + self.number(path) % 81) as f64 / 100.0
    }

    fn text(&self, schema: &Value, path: &str) -> Value {
        let number = self.number(path);
        let long = path.is_empty() || path.ends_with("answer") || path.ends_with("text");
        let mut text = if long { self.answer.to_owned() } else { String::new() };
        if text.is_empty() {
            text = remark(self.prompt, self.seed, (number % 1000) as usize);
        }
        if let Some(most) = schema.get("maxLength").and_then(Value::as_u64) {
            text = text.chars().take(most as usize).collect();
        }
        Value::String(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_fit_their_schema() {
        let root = json!({
            "type": "object",
            "properties": {
                "answer": {"type": "string"},
                "score": {"type": "integer", "minimum": 1, "maximum": 5},
                "label": {"enum": ["good", "bad"]},
                "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}, "maxItems": 2},
                "sure": {"type": "boolean"},
                "maybe": {"anyOf": [{"type": "number"}, {"type": "null"}]},
            },
            "$defs": {"tag": {"type": "string", "maxLength": 8}},
        });
        let filler =
            Filler { root: &root, prompt: "Rate this good text.", seed: 3, answer: "Yes." };
        let value = filler.fill();
        assert_eq!(value["answer"], "Yes.");
        assert!((1..=5).contains(&value["score"].as_i64().unwrap()));
        assert!(["good", "bad"].contains(&value["label"].as_str().unwrap()));
        let tags = value["tags"].as_array().unwrap();
        assert!((1..=2).contains(&tags.len()) && tags[0].as_str().unwrap().len() <= 8);
        assert!(value["sure"].is_boolean() && value["maybe"].is_number());
        assert_eq!(value, filler.fill());
    }

    #[test]
    fn a_schema_that_refers_to_itself_ends() {
        let root = json!({"type": "object", "properties": {"next": {"$ref": "#"}}});
        let filler = Filler { root: &root, prompt: "x", seed: 0, answer: "" };
        assert!(filler.fill().is_object());
    }
}
