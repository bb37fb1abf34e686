//! `list`: what a program may name, straight from the registries.

use sage_dsl::catalog::{Param, Signature};
use sage_dsl::manual;
use sage_dsl::measures::MEASURES;
use serde_json::{Value, json};

use super::doc::{kind_name, measured};
use crate::args::{ListArguments, Listed};
use crate::catalog::catalog;
use crate::exit::Exit;

pub(crate) fn list(arguments: &ListArguments) -> anyhow::Result<Exit> {
    let entries = entries(arguments.what);
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&entries)?);
        return Ok(Exit::Complete);
    }
    let text = |entry: &Value, field: &str| entry[field].as_str().unwrap_or_default().to_owned();
    let width = entries.iter().map(|entry| text(entry, "name").len()).max().unwrap_or(0);
    for entry in &entries {
        println!("{:<width$}  {}", text(entry, "name"), text(entry, "summary"));
    }
    Ok(Exit::Complete)
}

fn entries(what: Listed) -> Vec<Value> {
    let catalog = catalog();
    let leaves = |list: &[&'static Signature]| list.iter().map(|it| leaf(it, &[])).collect();
    let pairs = |list: &[(&str, &str)]| list.iter().map(|(name, doc)| entry(name, doc)).collect();
    match what {
        Listed::Stages => {
            catalog.stages.iter().map(|spec| leaf(&spec.signature, spec.options)).collect()
        }
        Listed::Sources => leaves(catalog.sources),
        Listed::Documents => leaves(catalog.documents),
        Listed::Sinks => leaves(catalog.sinks),
        Listed::Policies => leaves(catalog.policies),
        Listed::Launchers => sage_cluster::LAUNCHERS
            .iter()
            .map(|launcher| entry(launcher.name, launcher.summary))
            .collect(),
        Listed::Functions => {
            sage_dsl::FUNCTIONS.iter().map(|it| called(it.name, it.doc, it.signature)).collect()
        }
        Listed::Aggregates => {
            sage_dsl::AGGREGATES.iter().map(|it| called(it.name, it.doc, it.signature)).collect()
        }
        Listed::Types => {
            manual::TYPES.iter().map(|word| entry(word.names[0], word.summary)).collect()
        }
        Listed::Faults => pairs(manual::FAULT),
        Listed::Figures => MEASURES.iter().map(|it| entry(it.name, &measured(it))).collect(),
        Listed::Columns => sage_lab::results::COLUMNS
            .iter()
            .map(|column| {
                let mut entry = entry(column.name, column.doc);
                entry["unit"] = column.unit.into();
                entry["aliases"] = json!(column.aliases);
                entry
            })
            .collect(),
        Listed::Settings => pairs(manual::SETTINGS),
        Listed::Profiles => sage_core::vllm::PROFILES
            .iter()
            .map(|profile| entry(&profile.name, &format!("simulated {}", profile.model)))
            .collect(),
    }
}

fn entry(name: &str, summary: &str) -> Value {
    json!({ "name": name, "summary": summary })
}

/// A function or an aggregate.
fn called(name: &str, summary: &str, signature: &str) -> Value {
    json!({ "name": name, "summary": summary, "signature": signature })
}

fn leaf(signature: &Signature, options: &[Param]) -> Value {
    let params = |params: &[Param]| -> Vec<Value> {
        let param = |it: &Param| {
            json!({
                "name": it.name, "kind": kind_name(it.kind), "default": it.default, "doc": it.doc,
            })
        };
        params.iter().map(param).collect()
    };
    json!({
        "name": signature.name,
        "summary": signature.summary,
        "parameters": params(signature.params),
        "options": params(options),
        "example": signature.example,
    })
}
