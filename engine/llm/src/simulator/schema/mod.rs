//! Structured output: values that a JSON schema admits, filled from the prompt.
//!
//! ```text
//! schema -- review: anything not simulated? -- fill: a value -- fits: is it one? -- answer
//!                        | 400                     | 400            | 400
//! ```
//!
//! Every value is checked before it is sent, so an answer either fits its schema or is an error
//! that says why; there is no third case. Covered is what typed prompts are made of: objects,
//! arrays, strings, numbers, booleans, null, enumerations, constants, `anyOf`, `oneOf`, `allOf` and
//! local references, with their bounds. Patterns, conditions and negations are refused.

mod fill;
mod fits;
mod merge;
mod misfit;
mod numbers;
mod review;

use std::cell::Cell;

use serde_json::Value;

pub(super) use misfit::misfit;

/// Bytes of a schema as text: filling takes time in proportion to some power of it.
const LONGEST: usize = 256 * 1024;

/// A schema that can be filled, as far as its keywords say.
#[derive(Debug)]
pub(super) struct Schema {
    root: Value,
}

impl Schema {
    /// Accept `root`, or say which part of it is not simulated.
    pub(super) fn new(root: Value) -> Result<Schema, String> {
        if root.to_string().len() > LONGEST {
            return Err(format!("it is longer than {LONGEST} bytes"));
        }
        review::review(&root)?;
        Ok(Schema { root })
    }

    /// A value that fits, made from the prompt; `answer` is what long texts say.
    pub(super) fn fill(&self, prompt: &str, seed: u64, answer: &str) -> Result<Value, String> {
        let value = fill::Filler::new(&self.root, prompt, seed, answer).fill()?;
        if self.fits(&value) {
            return Ok(value);
        }
        Err("no value was found that fits all its parts".to_owned())
    }

    /// Whether the schema admits `value`.
    pub(super) fn fits(&self, value: &Value) -> bool {
        fits::fits(&self.root, &self.root, value, &Cell::new(0))
    }
}

/// The part of `root` that a local reference such as `#/$defs/tag` means.
fn resolve<'a>(root: &'a Value, reference: &str) -> Option<&'a Value> {
    root.pointer(reference.strip_prefix('#')?)
}

/// The types that a schema names; none if it names none.
fn types(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn fill(root: &Value, seed: u64) -> Result<Value, String> {
        Schema::new(root.clone())?.fill("Rate this good text.", seed, "Yes.")
    }

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
        let value = fill(&root, 3).unwrap();
        assert_eq!(value["answer"], "Yes.");
        assert!((1..=5).contains(&value["score"].as_i64().unwrap()));
        assert!(["good", "bad"].contains(&value["label"].as_str().unwrap()));
        let tags = value["tags"].as_array().unwrap();
        assert!((1..=2).contains(&tags.len()) && tags[0].as_str().unwrap().len() <= 8);
        assert!(value["sure"].is_boolean());
        assert!(value["maybe"].is_number() || value["maybe"].is_null());
        assert_eq!(value, fill(&root, 3).unwrap());
    }

    #[test]
    fn schemas_that_refer_to_themselves_end_where_they_can() {
        let list = json!({"$defs": {"node": {"type": "object", "properties":
            {"next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}, "name": {"type": "string"}},
            "required": ["next", "name"], "additionalProperties": false}}, "$ref": "#/$defs/node"});
        assert!(fill(&list, 1).unwrap()["name"].is_string());
        let tree = json!({"type": "object", "required": ["sons"],
            "properties": {"sons": {"type": "array", "items": {"$ref": "#"}}}});
        assert!(fill(&tree, 1).unwrap()["sons"].is_array());
        let endless =
            json!({"type": "object", "required": ["next"], "properties": {"next": {"$ref": "#"}}});
        assert!(fill(&endless, 1).is_err());
        let circle = json!({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}});
        assert!(fill(&circle, 1).is_err());
    }

    #[test]
    fn schemas_that_explode_are_refused() {
        let twice = json!({"oneOf": [{"$ref": "#"}, {"$ref": "#"}, {"type": "null"}]});
        assert!(fill(&twice, 0).is_err());
        let blob = "x".repeat(100_000);
        let long = json!({"type": "array", "minItems": 4000, "items": {"const": blob}});
        assert!(fill(&long, 0).unwrap_err().contains("longer"));
        let words = json!({"type": "array", "minItems": 4000, "items": {"type": "string", "minLength": 4000}});
        assert!(fill(&words, 0).unwrap_err().contains("longer"));
    }

    #[test]
    fn what_is_not_simulated_is_named() {
        for (root, word) in [
            (json!({"type": "string", "pattern": "a+"}), "`pattern`"),
            (json!({"properties": {"a": {"not": {}}}}), "`not` at #/properties/a"),
            (json!({"$ref": "http://x/y"}), "http://x/y"),
            (json!({"type": "text"}), "`text`"),
            (json!({"minimum": "1"}), "`minimum`"),
            (json!([1]), "neither an object nor a boolean"),
            (json!(false), "admits nothing"),
            (json!({"type": "integer", "minimum": 1.2, "maximum": 1.8}), "between"),
            (json!({"enum": []}), "admits nothing"),
        ] {
            let error = fill(&root, 0).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn keywords_work_together() {
        for root in [
            json!({"allOf": [{"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
                {"properties": {"b": {"const": 2}}, "required": ["b"]}]}),
            json!({"oneOf": [{"type": "integer", "multipleOf": 3}, {"type": "integer", "multipleOf": 5}],
                "minimum": 1, "maximum": 14}),
            json!({"type": ["null", "string"], "minLength": 500, "maxLength": 510}),
            json!({"type": "array", "uniqueItems": true, "minItems": 3, "items": {"enum": [1, 2, 3, 1.0]}}),
            json!({"type": "array", "prefixItems": [{"type": "null"}], "items": false, "minItems": 1}),
            json!({"type": "object", "minProperties": 3, "additionalProperties": {"type": "integer"}}),
            json!({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1e-6}),
            json!({"type": "integer", "minimum": 9_007_199_254_740_000_i64}),
            json!({"type": "string", "format": "date-time", "title": "When"}),
            json!({"enum": [1, "a", null], "type": "string"}),
            json!({"anyOf": [{"type": "integer"}, {"type": "string"}], "const": "x"}),
            json!(true),
            json!({"type": "object", "properties": {"kind": {"const": "b"}}, "required": ["kind"],
                "anyOf": [{"properties": {"kind": {"const": "a"}}},
                          {"properties": {"kind": {"const": "b"}, "x": {"type": "boolean"}}, "required": ["x"]}]}),
        ] {
            for seed in 0..8 {
                assert!(fill(&root, seed).is_ok(), "{root}: {:?}", fill(&root, seed));
            }
        }
    }

    /// Schemas of everything that is covered, a few levels deep.
    fn schemas() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(json!({"type": "boolean"})),
            Just(json!({"type": "null"})),
            (-50_i64..50, 0_i64..20).prop_map(|(low, span)| {
                json!({"type": "integer", "minimum": low, "maximum": low + span})
            }),
            (-5.0..5.0, 0.001..3.0).prop_map(|(low, span): (f64, f64)| {
                json!({"type": "number", "minimum": low, "exclusiveMaximum": low + span})
            }),
            (0_u64..30, 0_u64..30).prop_map(|(least, more)| {
                json!({"type": "string", "minLength": least, "maxLength": least + more})
            }),
            Just(json!({"enum": ["red", 5, null, [1]]})),
            Just(json!({"$ref": "#/$defs/word"})),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                (proptest::collection::vec(inner.clone(), 0..4), any::<bool>()).prop_map(|(all, closed)| {
                    let names = || all.iter().enumerate().map(|(at, one)| (format!("p{at}"), one.clone()));
                    let properties: serde_json::Map<String, Value> = names().collect();
                    let required: Vec<String> = names().map(|(name, _)| name).step_by(2).collect();
                    json!({"type": "object", "properties": properties, "required": required,
                        "additionalProperties": !closed})
                }),
                (inner.clone(), 0_u64..3, 0_u64..3).prop_map(|(items, least, more)| {
                    json!({"type": "array", "items": items, "minItems": least, "maxItems": least + more})
                }),
                proptest::collection::vec(inner.clone(), 1..3).prop_map(|any| json!({"anyOf": any})),
                inner.prop_map(|one| json!({"allOf": [one]})),
            ]
        })
        .prop_map(|mut root| {
            root["$defs"] = json!({"word": {"type": "string", "maxLength": 6}});
            root
        })
    }

    proptest! {
        #[test]
        fn every_covered_schema_is_filled_and_can_be_missed(root in schemas(), seed in 0_u64..100) {
            let schema = Schema::new(root).unwrap();
            let value = schema.fill("Rate this good text.", seed, "Yes.").unwrap();
            prop_assert!(schema.fits(&value));
            if let Some(wrong) = misfit(&schema, &value, seed) {
                prop_assert!(!schema.fits(&wrong));
            }
        }
    }
}
