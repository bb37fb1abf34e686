//! The form of an answer: free text, JSON of some kind, JSON of a schema, or one of a few words.

use serde_json::{Value, json};

use super::body::Generate;
use super::compose::{answer, choose, draw};
use super::problem::Problem;
use super::schema::{Schema, misfit};

/// Longest list of choices.
const MAX_CHOICES: usize = 1024;

/// What the answer has to be.
#[derive(Debug)]
pub(super) enum Structure {
    Free,
    Object,
    Schema(Schema),
    Choice(Vec<String>),
}

impl Structure {
    /// Read `response_format` and `structured_outputs`.
    pub(super) fn of(body: &Generate) -> Result<Structure, Problem> {
        let formats = [
            ("response_format", response_format(body.response_format.as_ref())),
            ("structured_outputs", structured_outputs(body.structured_outputs.as_ref())),
        ];
        let mut structure = Structure::Free;
        for (param, format) in formats {
            match format.map_err(|reason| Problem::bad(param, reason))? {
                Structure::Free => {}
                _ if !structure.is_free() => {
                    let message = "Only one kind of structured output can be asked for.";
                    return Err(Problem::bad(param, message));
                }
                found => structure = found,
            }
        }
        Ok(structure)
    }

    pub(super) fn is_free(&self) -> bool {
        matches!(self, Structure::Free)
    }

    /// An answer of this form. `wrong` makes one that is not, where there is a form to miss.
    pub(super) fn say(&self, prompt: &str, seed: u64, wrong: bool) -> Result<String, Problem> {
        let answer = || answer(prompt, seed);
        let lot = draw(prompt, seed);
        match self {
            Structure::Free => Ok(answer()),
            Structure::Object if wrong => Ok(cut(&json!({ "answer": answer() }).to_string())),
            Structure::Object => Ok(json!({ "answer": answer() }).to_string()),
            Structure::Schema(schema) => {
                let value = schema
                    .fill(prompt, seed, &answer())
                    .map_err(|reason| Problem::bad("response_format", refusal(&reason)))?;
                if !wrong {
                    return Ok(value.to_string());
                }
                // A schema that admits everything is missed by what is no JSON at all.
                Ok(misfit(schema, &value, lot)
                    .map_or_else(|| cut(&value.to_string()), |v| v.to_string()))
            }
            Structure::Choice(_) if wrong => Ok("none of these".to_owned()),
            Structure::Choice(choices) => {
                let choices: Vec<&str> = choices.iter().map(String::as_str).collect();
                Ok(choose(&choices, prompt, lot).to_owned())
            }
        }
    }
}

/// The beginning of a JSON text, which is none.
fn cut(text: &str) -> String {
    let half = text.chars().count().div_ceil(2);
    let mut beginning: String = text.chars().take(half).collect();
    if serde_json::from_str::<Value>(&beginning).is_ok() {
        beginning.insert(0, '{');
    }
    beginning
}

fn refusal(reason: &str) -> String {
    format!("The simulator cannot make a value for this schema: {reason}.")
}

fn schema(value: &Value) -> Result<Structure, String> {
    let parsed;
    let value = match value {
        Value::String(text) => {
            parsed = serde_json::from_str(text)
                .map_err(|error| format!("The schema is not JSON: {error}."))?;
            &parsed
        }
        other => other,
    };
    Schema::new(value.clone()).map(Structure::Schema).map_err(|reason| refusal(&reason))
}

fn response_format(format: Option<&Value>) -> Result<Structure, String> {
    let Some(format) = format.filter(|format| !format.is_null()) else {
        return Ok(Structure::Free);
    };
    match format.get("type").and_then(Value::as_str) {
        Some("text") => Ok(Structure::Free),
        Some("json_object") => Ok(Structure::Object),
        Some("json_schema") => match format.pointer("/json_schema/schema") {
            Some(found) => schema(found),
            None => Err("response_format.json_schema.schema is missing.".to_owned()),
        },
        Some(other) => Err(format!("The response format `{other}` is not simulated.")),
        None => Err("response_format.type must be a string.".to_owned()),
    }
}

fn structured_outputs(outputs: Option<&Value>) -> Result<Structure, String> {
    let Some(outputs) = outputs.filter(|outputs| !outputs.is_null()) else {
        return Ok(Structure::Free);
    };
    let outputs = outputs.as_object().ok_or("structured_outputs must be an object.")?;
    let set = |key: &&str| outputs.get(*key).is_some_and(|value| !value.is_null());
    const KINDS: [&str; 6] =
        ["json", "regex", "choice", "grammar", "json_object", "structural_tag"];
    let kinds: Vec<&str> = KINDS.into_iter().filter(|kind| set(kind)).collect();
    let [kind] = kinds[..] else {
        return Err(format!("structured_outputs takes exactly one of {}.", KINDS.join(", ")));
    };
    let value = &outputs[kind];
    match kind {
        "json" => schema(value),
        "json_object" => {
            Ok(if value == &json!(true) { Structure::Object } else { Structure::Free })
        }
        "choice" => {
            let list = value.as_array().filter(|list| (1..=MAX_CHOICES).contains(&list.len()));
            let words = list.map(|list| list.iter().map(|word| word.as_str().map(str::to_owned)));
            let words: Option<Vec<String>> = words.and_then(Iterator::collect);
            let wanted = || format!("choice must be a list of 1 to {MAX_CHOICES} strings.");
            words.map(Structure::Choice).ok_or_else(wanted)
        }
        other => Err(format!("Structured output by `{other}` is not simulated.")),
    }
}
