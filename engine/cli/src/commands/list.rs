//! `list`: what a program may name, straight from the registries.

use serde_json::json;

use crate::args::{ListArguments, Listed};
use crate::catalog::catalog;
use crate::exit::Exit;

pub(crate) fn list(arguments: &ListArguments) -> anyhow::Result<Exit> {
    let catalog = catalog();
    let entries: Vec<(String, String)> = match arguments.what {
        Listed::Stages => catalog.stages.iter().map(|spec| entry(&spec.signature)).collect(),
        Listed::Sources => catalog.sources.iter().map(|signature| entry(signature)).collect(),
        Listed::Documents => catalog.documents.iter().map(|signature| entry(signature)).collect(),
        Listed::Sinks => catalog.sinks.iter().map(|signature| entry(signature)).collect(),
        Listed::Policies => catalog.policies.iter().map(|signature| entry(signature)).collect(),
        Listed::Launchers => sage_cluster::LAUNCHERS
            .iter()
            .map(|launcher| (launcher.name.to_owned(), launcher.summary.to_owned()))
            .collect(),
        Listed::Functions => sage_dsl::FUNCTIONS
            .iter()
            .map(|function| (function.name.to_owned(), function.doc.to_owned()))
            .collect(),
        Listed::Aggregates => sage_dsl::AGGREGATES
            .iter()
            .map(|aggregate| (aggregate.name.to_owned(), aggregate.doc.to_owned()))
            .collect(),
        Listed::Profiles => sage_core::vllm::PROFILES
            .iter()
            .map(|profile| (profile.name.to_string(), format!("simulated {}", profile.model)))
            .collect(),
    };
    if arguments.json {
        let entries: Vec<_> = entries
            .iter()
            .map(|(name, summary)| json!({"name": name, "summary": summary}))
            .collect();
        println!("{}", serde_json::to_string_pretty(&entries)?);
    } else {
        let width = entries.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, summary) in entries {
            println!("{name:<width$}  {summary}");
        }
    }
    Ok(Exit::Complete)
}

fn entry(signature: &sage_dsl::catalog::Signature) -> (String, String) {
    (signature.name.to_owned(), signature.summary.to_owned())
}
