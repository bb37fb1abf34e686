//! Prompt templates, compiled once.

use minijinja::Environment;
use minijinja::value::Value;
use sage_dsl::plan::Template;

use super::evaluate::EvalError;
use super::template_value::Shape;
use crate::record::Datum;

/// All templates of a plan.
#[derive(Debug, Default)]
pub struct Templates {
    environment: Environment<'static>,
    prompts: Vec<Template>,
    /// What the parameters of each are made of.
    shapes: Vec<Vec<Shape>>,
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
        let shapes = templates.iter().map(|it| it.types.iter().map(Shape::of).collect()).collect();
        Ok(Templates { environment, prompts: templates.to_vec(), shapes })
    }

    /// Render template `i` with values for its parameters in order.
    pub(super) fn render(&self, i: usize, values: &[Datum<'_>]) -> Result<String, EvalError> {
        let Some(template) = self.prompts.get(i) else {
            return Err(EvalError::Template {
                name: i.to_string(),
                message: "the plan has no such prompt".into(),
            });
        };
        let names = template.params.iter().map(|name| Value::from(name.as_str()));
        let shapes = self.shapes.get(i).map_or(&[][..], Vec::as_slice).iter();
        let shapes = shapes.chain(std::iter::repeat(&Shape::Plain));
        let values = shapes.zip(values).map(|(shape, value)| shape.value(*value));
        let context = Value::from_pairs(names.zip(values));
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
