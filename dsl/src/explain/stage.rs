//! A stage in one line: its type, what it reads, where it calls and how.

use std::fmt::Write as _;

use crate::literal::show;
use crate::plan::{Argument, Plan, StagePlan, lookup};
use crate::types::{Type, Value};

/// An option worth a place in the line.
struct Shown {
    name: &'static str,
    /// A value that says nothing, as it would be written.
    quiet: &'static str,
    /// Only where an answer is taken apart.
    structured: bool,
}

const fn shown(name: &'static str, quiet: &'static str) -> Shown {
    Shown { name, quiet, structured: false }
}

const SHOWN: &[Shown] = &[
    shown("batch", "null"),
    shown("batch_tokens", "null"),
    shown("linger", "null"),
    shown("max_tokens", "null"),
    shown("timeout", "null"),
    Shown { structured: true, ..shown("repair", "null") },
    shown("cache", "null"),
    shown("lane", "null"),
    shown("stream", "false"),
    shown("stop", "null"),
];

/// Longest outline of a type, and longest text of an argument.
const OUTLINE: usize = 80;

impl Shown {
    fn applies(&self, plan: &Plan, stage: &StagePlan) -> bool {
        !self.structured || plan.structured(stage).is_some()
    }

    fn is_quiet(&self, value: &Value) -> bool {
        show(value) == self.quiet || matches!(value, Value::List(items) if items.is_empty())
    }

    /// The value as written; a word of the language stands without quotes.
    fn show(&self, value: &Value) -> String {
        match value {
            Value::String(word) if matches!(self.name, "cache" | "lane") => word.clone(),
            other => show(other),
        }
    }
}

/// One stage in one line.
pub(super) fn text(plan: &Plan, stage: &StagePlan, place: &str) -> String {
    let args: Vec<String> = stage
        .args
        .iter()
        .filter_map(|(name, argument)| match argument {
            Argument::Index(at) => plan.indexes.get(*at).map(|index| index.name.clone()),
            Argument::Expr(crate::plan::Expr::Literal(Value::Null)) => None,
            Argument::Expr(crate::plan::Expr::Literal(value)) => {
                Some(format!("{name}: {}", show(value)))
            }
            Argument::Expr(crate::plan::Expr::Column(at)) => {
                plan.columns.get(*at).map(|column| column.name.clone())
            }
            Argument::Expr(expr) => Some(match stage.texts.0.get(name) {
                Some(text) if text.chars().count() <= OUTLINE => format!("{name}: {text}"),
                _ => format!("{name}: {}", reads_text(plan, expr)),
            }),
        })
        .collect();
    let mut text =
        format!("stage {}: {} = {}({})", stage.name, stage.ty, stage.kind, args.join(", "));
    if let Some(endpoint) = stage.endpoint.and_then(|at| plan.endpoints.get(at)) {
        let _ = write!(text, " on {}", endpoint.name);
    }
    if let Some(template) = plan.structured(stage) {
        let _ = write!(text, " as JSON {}", outline(&template.result));
    }
    let shown: Vec<String> = SHOWN
        .iter()
        .filter(|option| option.applies(plan, stage))
        .filter_map(|option| Some((option, lookup(&stage.options, option.name)?)))
        .filter(|(option, value)| !option.is_quiet(value))
        .map(|(option, value)| format!("{}: {}", option.name, option.show(value)))
        .collect();
    if !shown.is_empty() {
        let _ = write!(text, " {{ {} }}", shown.join(", "));
    }
    let _ = write!(text, "{place} (line {})", stage.line);
    text
}

/// What an answer is made of.
fn outline(ty: &Type) -> String {
    let mut text = String::new();
    parts(&mut text, ty, 0);
    match text.char_indices().nth(OUTLINE) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

fn parts(out: &mut String, ty: &Type, depth: usize) {
    // What does not fit is not looked at.
    if out.len() > OUTLINE {
        return;
    }
    match ty {
        Type::List(item) => {
            out.push('[');
            parts(out, item, depth);
            out.push(']');
        }
        Type::Optional(inner) => {
            parts(out, inner, depth + 1);
            out.push('?');
        }
        Type::Enum(item) => {
            if depth > 0 {
                out.push('(');
            }
            for (at, variant) in item.variants.iter().enumerate().take(OUTLINE) {
                let _ = write!(out, "{}{variant}", if at > 0 { " | " } else { "" });
            }
            if depth > 0 {
                out.push(')');
            }
        }
        Type::Record(record) => {
            out.push('{');
            for (at, field) in record.fields.iter().enumerate() {
                let _ = write!(out, "{} {}: ", if at > 0 { "," } else { "" }, field.name);
                parts(out, &field.ty, depth + 1);
            }
            out.push_str(" }");
        }
        other => {
            let _ = write!(out, "{other}");
        }
    }
}

/// An expression by what it reads; its text is in the program.
pub(super) fn reads_text(plan: &Plan, expr: &crate::plan::Expr) -> String {
    let names: Vec<&str> = crate::lower::columns_read(expr)
        .into_iter()
        .filter_map(|at| plan.columns.get(at).map(|column| column.name.as_str()))
        .collect();
    let list = names.join(", ");
    match expr {
        crate::plan::Expr::Template(at, _) => {
            let name = plan.templates.get(*at).map_or("prompt", |template| template.name.as_str());
            format!("{name}({list})")
        }
        _ if names.is_empty() => "constant expression".to_owned(),
        _ => format!("expression of {list}"),
    }
}
