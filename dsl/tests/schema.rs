//! Schemas of structured output: what they say of a type, and that every one of them is strict.

use proptest::prelude::*;
use sage_dsl::schema::{VALUE, json_schema, name, wrapped};
use sage_dsl::types::{EnumType, Field, RecordType, Type};
use serde_json::{Value, json};

fn record(name: &str, fields: &[(&str, Type)]) -> Type {
    let fields = fields.iter().map(|(name, ty)| Field {
        name: (*name).to_owned(),
        ty: ty.clone(),
        default: None,
        key: false,
    });
    Type::Record(RecordType { name: name.to_owned(), fields: fields.collect() })
}

fn level() -> Type {
    let variants = vec!["simple".to_owned(), "hard".to_owned()];
    Type::Enum(EnumType { name: "Level".to_owned(), variants })
}

fn read(ty: &Type) -> Value {
    serde_json::from_str(&json_schema(ty)).expect("a schema is JSON")
}

#[test]
fn a_record_is_an_object_with_all_its_fields() {
    let person = record("Person", &[("name", Type::String), ("age", optional(Type::Int))]);
    let facts = record(
        "Facts",
        &[
            ("people", list(person)),
            ("level", level()),
            ("sure", Type::Bool),
            ("score", Type::Float),
        ],
    );
    assert!(!wrapped(&facts));
    assert_eq!(
        read(&facts),
        json!({
            "type": "object",
            "properties": {
                "people": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {
                            "name": { "type": "string" },
                            "age": { "anyOf": [{ "type": "integer" }, { "type": "null" }] },
                        },
                        "required": ["name", "age"],
                        "additionalProperties": false,
                    },
                },
                "level": { "type": "string", "enum": ["simple", "hard"] },
                "sure": { "type": "boolean" },
                "score": { "type": "number" },
            },
            "required": ["people", "level", "sure", "score"],
            "additionalProperties": false,
        })
    );
}

#[test]
fn anything_else_is_the_value_of_an_object() {
    for (ty, inner) in [
        (level(), json!({ "type": "string", "enum": ["simple", "hard"] })),
        (Type::Int, json!({ "type": "integer" })),
        (list(Type::String), json!({ "type": "array", "items": { "type": "string" } })),
        (optional(Type::String), json!({ "anyOf": [{ "type": "string" }, { "type": "null" }] })),
    ] {
        assert!(wrapped(&ty));
        let whole = json!({
            "type": "object",
            "properties": { VALUE: inner },
            "required": [VALUE],
            "additionalProperties": false,
        });
        assert_eq!(read(&ty), whole, "{ty}");
    }
}

#[test]
fn names_fit_every_server() {
    assert_eq!(name("level_of"), "level_of");
    assert_eq!(name("über alles"), "_ber_alles");
    assert_eq!(name(&"x".repeat(200)).len(), 64);
}

fn list(item: Type) -> Type {
    Type::List(Box::new(item))
}

fn optional(inner: Type) -> Type {
    Type::Optional(Box::new(inner))
}

/// Any type that a prompt may answer with; names of all kinds, as a schema cannot trust them.
fn any_type() -> impl Strategy<Value = Type> {
    let names = prop::collection::btree_set(any::<String>(), 1..4);
    let leaf = prop_oneof![
        Just(Type::String),
        Just(Type::Int),
        Just(Type::Float),
        Just(Type::Bool),
        names.clone().prop_map(|names| Type::Enum(EnumType {
            name: "E".to_owned(),
            variants: names.into_iter().collect(),
        })),
    ];
    leaf.prop_recursive(5, 24, 3, move |inner| {
        prop_oneof![
            inner.clone().prop_map(list),
            inner.clone().prop_map(optional),
            (names.clone(), prop::collection::vec(inner, 3)).prop_map(|(names, types)| {
                let fields: Vec<(&str, Type)> =
                    names.iter().map(String::as_str).zip(types).collect();
                record("R", &fields)
            }),
        ]
    })
}

/// Whether `schema` describes `ty` and nothing else, strictly.
fn describes(schema: &Value, ty: &Type) -> bool {
    match ty {
        Type::String => *schema == json!({ "type": "string" }),
        Type::Int => *schema == json!({ "type": "integer" }),
        Type::Float => *schema == json!({ "type": "number" }),
        Type::Bool => *schema == json!({ "type": "boolean" }),
        Type::Enum(item) => *schema == json!({ "type": "string", "enum": item.variants }),
        Type::List(item) => schema["type"] == "array" && describes(&schema["items"], item),
        Type::Optional(inner) if matches!(**inner, Type::Optional(_)) => describes(schema, inner),
        Type::Optional(inner) => {
            schema["anyOf"][1] == json!({ "type": "null" }) && describes(&schema["anyOf"][0], inner)
        }
        Type::Record(record) => {
            let names: Vec<&str> = record.fields.iter().map(|field| field.name.as_str()).collect();
            schema["type"] == "object"
                && schema["additionalProperties"] == false
                && schema["required"] == json!(names)
                && schema["properties"].as_object().is_some_and(|it| it.len() == names.len())
                && record
                    .fields
                    .iter()
                    .all(|field| describes(&schema["properties"][&field.name], &field.ty))
        }
        _ => false,
    }
}

proptest! {
    #[test]
    fn every_schema_is_strict_and_complete(ty in any_type()) {
        let schema = read(&ty);
        prop_assert_eq!(&schema["type"], "object");
        let inner = if wrapped(&ty) { &schema["properties"][VALUE] } else { &schema };
        prop_assert!(describes(inner, &ty), "{}", schema);
        prop_assert!(!json_schema(&ty).contains('\n'));
    }
}
