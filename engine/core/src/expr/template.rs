//! Prompt templates, compiled once.

use minijinja::Environment;
use minijinja::value::Value;
use sage_dsl::plan::Template;

use super::evaluate::EvalError;
use crate::record::Datum;

/// All templates of a plan.
#[derive(Debug, Default)]
pub struct Templates {
    environment: Environment<'static>,
    templates: Vec<Template>,
}

/// Instructions one rendering may take: a loop inside a template is bounded by it.
const FUEL: u64 = 1_000_000;

impl Templates {
    /// Compile `templates`; the error names the prompt.
    pub fn compile(templates: &[Template]) -> Result<Self, EvalError> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
        environment.set_fuel(Some(FUEL));
        for (i, template) in templates.iter().enumerate() {
            environment
                .add_template_owned(i.to_string(), template.text.clone())
                .map_err(|error| failed(template, &error))?;
        }
        Ok(Templates { environment, templates: templates.to_vec() })
    }

    /// Render template `i` with values for its parameters in order.
    pub(super) fn render(&self, i: usize, values: &[Datum<'_>]) -> Result<String, EvalError> {
        let Some(template) = self.templates.get(i) else {
            return Err(EvalError::Template {
                name: i.to_string(),
                message: "the plan has no such prompt".into(),
            });
        };
        let names = template.params.iter().map(|name| Value::from(name.as_str()));
        let context = Value::from_pairs(names.zip(values.iter().map(|v| value(*v))));
        self.environment
            .get_template(&i.to_string())
            .and_then(|compiled| compiled.render(context))
            .map_err(|error| failed(template, &error))
    }
}

fn failed(template: &Template, error: &minijinja::Error) -> EvalError {
    let message = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    let at = error.line().map_or_else(String::new, |line| format!(" (line {line} of the prompt)"));
    EvalError::Template { name: template.name.clone(), message: message + &at }
}

fn value(datum: Datum<'_>) -> Value {
    match datum {
        Datum::Null => Value::from(()),
        Datum::Bool(flag) => Value::from(flag),
        Datum::Int(n) => Value::from(n),
        Datum::Float(x) => Value::from(x),
        Datum::Str(text) => Value::from(text),
        Datum::Bytes(bytes) => Value::from(String::from_utf8_lossy(bytes).into_owned()),
        Datum::List(items) | Datum::Record(items) => items.map(value).collect(),
        Datum::Vector(floats) => floats.iter().map(|x| Value::from(f64::from(x))).collect(),
    }
}
