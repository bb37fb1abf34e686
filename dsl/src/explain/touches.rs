//! What a run of a plan touches beside its records: files, hosts, programs, keys.
//!
//! A program may be somebody else's. Here it is told before it runs what it would read and write,
//! whom it would speak to with which keys, and what only an option of the command line allows.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::plan::{Argument, EndpointPlan, Expr, Plan, RelationStep, SourcePlan, lookup};
use crate::types::Value;

/// A line for each thing that is touched, in the order of the program; empty if there is none.
pub fn explain_touches(plan: &Plan) -> String {
    let mut lines = Vec::new();
    let joined = plan.relation().into_iter().flat_map(|relation| &relation.steps);
    let joined = joined.filter_map(|step| match step {
        RelationStep::Join(join) => Some(&join.source),
        _ => None,
    });
    for source in plan.source().into_iter().chain(joined) {
        lines.extend(of_source(source));
    }
    for index in &plan.indexes {
        lines.extend(files(&index.args).map(|file| format!("reads {file} (index {})", index.name)));
    }
    lines.extend(plan.endpoints.iter().flat_map(of_endpoint));
    for stage in plan.stages() {
        let constant = |name: &str| {
            stage.args.iter().find_map(|(known, argument)| match argument {
                Argument::Expr(Expr::Literal(value)) if known == name => value.as_str(),
                _ => None,
            })
        };
        let keys = keys(&stage.options);
        match (constant("command"), constant("url")) {
            (Some(command), _) => {
                lines.push(format!("runs `{command}` (stage {}); --allow-exec", stage.name));
            }
            (_, Some(url)) => {
                lines.push(format!("sends to {url}{keys} (stage {}); --allow-http", stage.name));
            }
            _ => {}
        }
    }
    for sink in &plan.sinks {
        let name = &sink.name;
        let keys = keys(&sink.args);
        lines.extend(
            files(&sink.args)
                .map(|file| format!("writes {file} in the folder of the run (sink {name})")),
        );
        if let Some(url) = text(&sink.args, "url") {
            lines.push(format!("sends to {url}{keys} (sink {name}); --allow-http"));
        }
        if let Some(brokers) = text(&sink.args, "brokers") {
            lines.push(format!("sends to the brokers {brokers}{keys} (sink {name})"));
        }
    }
    let figures = plan.measures.iter().filter_map(|measure| measure.file());
    lines.extend(figures.map(|file| format!("writes {file} in the folder of the run (measure)")));
    // A loop makes the same call in each of its rounds.
    let mut told = BTreeSet::new();
    lines.into_iter().filter(|line| told.insert(line.clone())).fold(
        String::new(),
        |mut out, line| {
            let _ = writeln!(out, "  {line}");
            out
        },
    )
}

fn of_source(source: &SourcePlan) -> Vec<String> {
    let name = &source.name;
    let keys = keys(&source.args);
    let mut lines: Vec<String> =
        files(&source.args).map(|file| format!("reads {file} (source {name})")).collect();
    if let Some(url) = text(&source.args, "url") {
        lines.push(format!("asks {url}{keys} (source {name}); --allow-http"));
    }
    if let Some(brokers) = text(&source.args, "brokers") {
        lines.push(format!("reads from the brokers {brokers}{keys} (source {name})"));
    }
    if let Some(address) = text(&source.args, "listen") {
        lines.push(format!("listens on {address}{keys} (source {name})"));
    }
    lines
}

fn of_endpoint(endpoint: &EndpointPlan) -> Vec<String> {
    let name = &endpoint.name;
    let key = endpoint.api_key_env.as_ref();
    let key = key.map_or(String::new(), |env| format!(" with the value of {env}"));
    let urls = std::iter::once(&endpoint.url).chain(&endpoint.replicas);
    urls.map(|url| match url.strip_prefix("sim:") {
        Some(profile) => format!("calls a simulated server, {profile} (endpoint {name})"),
        None => format!("calls {url}{key} (endpoint {name})"),
    })
    .collect()
}

fn text<'a>(args: &'a [(String, Value)], name: &str) -> Option<&'a str> {
    lookup(args, name).and_then(Value::as_str)
}

/// Files and folders.
fn files(args: &[(String, Value)]) -> impl Iterator<Item = &str> {
    let places = args.iter().filter(|(name, _)| name == "path" || name == "paths");
    places.flat_map(|(_, value)| match value {
        Value::List(items) => items.iter().filter_map(Value::as_str).collect(),
        other => other.as_str().into_iter().collect::<Vec<_>>(),
    })
}

/// Variables of the environment whose values are sent along: a plan has the name in place of a secret.
fn keys(args: &[(String, Value)]) -> String {
    let names = args.iter().filter(|(name, _)| name == "token" || name == "password");
    let names = names.filter_map(|(_, value)| value.as_str());
    names.fold(String::new(), |text, name| format!("{text} with the value of {name}"))
}
