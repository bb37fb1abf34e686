//! What a run has left, as the columns that expectations read.

use std::io::{BufRead, BufReader};
use std::path::Path;

use anyhow::Context;
use sage_core::record::{Datum, RowReader, pack, pack_list, pack_record};
use sage_dataflow::sinks::join_parts;
use sage_dataflow::{DEAD_LETTERS, WorkerOutcome, commit};
use sage_dsl::testing::{ENDPOINT_FIGURES, Figure, FigureSource, Test, dead_letter};
use sage_dsl::types::{RecordType, Type};
use sage_twin::station::StationStats;
use serde_json::{Map, Value, json};

use super::stage::file_of;
use super::world::World;

/// The packed columns.
pub(super) fn row(
    test: &Test,
    folder: &Path,
    outcome: &WorkerOutcome,
    world: &World,
) -> anyhow::Result<Vec<u8>> {
    let commit = commit::read(folder)?;
    let lines = |name: &str, record: &RecordType, out: &mut Vec<u8>| {
        join_parts(folder, name, b"", &commit, true)?;
        read(&folder.join(name), record, out)
    };
    let results = results(test, outcome, world)?;
    let mut out = Vec::new();
    for Figure { column, source } in &test.figures {
        match source {
            FigureSource::Sink(name) => {
                let found = test.plan.sinks.iter().enumerate().find(|(_, it)| it.name == *name);
                match found {
                    Some((at, sink)) => lines(&file_of(at), &sink.record, &mut out)?,
                    None => pack_list(&mut out, |_| {}),
                }
            }
            FigureSource::DeadLetters => {
                let letter = dead_letter(&test.plan).context("the flow has no source")?;
                lines(DEAD_LETTERS, &letter, &mut out)?;
            }
            FigureSource::Endpoint(name) => {
                let stats = world.stats(name);
                pack_record(&mut out, |out| {
                    for figure in ENDPOINT_FIGURES {
                        let count = i64::try_from(count(&stats, figure)).unwrap_or(i64::MAX);
                        pack(out, Datum::Int(count));
                    }
                });
            }
            FigureSource::Result(name, factor) => {
                let value = sage_lab::results::value(name, &results).map(|value| value * factor);
                let datum = match (value, &column.ty) {
                    (None, _) => Datum::Null,
                    (Some(value), Type::Duration | Type::Tokens) => {
                        Datum::Int(value.round() as i64)
                    }
                    (Some(value), _) => Datum::Float(value),
                };
                pack(&mut out, datum);
            }
        }
    }
    Ok(out)
}

/// The lines of a file as a list of records.
fn read(path: &Path, record: &RecordType, out: &mut Vec<u8>) -> anyhow::Result<()> {
    let shown = || format!("cannot read `{}`", path.display());
    let file = std::fs::File::open(path).with_context(shown)?;
    let mut reader = RowReader::new(record);
    let mut rows: Vec<Vec<u8>> = Vec::new();
    for line in BufReader::new(file).lines() {
        let mut row = Vec::new();
        reader.read(&mut row, line.with_context(shown)?.as_bytes())?;
        rows.push(row);
    }
    pack_list(out, |out| {
        for row in &rows {
            pack_record(out, |out| out.extend_from_slice(row));
        }
    });
    Ok(())
}

/// What `metrics.json` of a run would say, as far as virtual time has it.
fn results(
    test: &Test,
    outcome: &WorkerOutcome,
    world: &World,
) -> anyhow::Result<Map<String, Value>> {
    let Value::Object(mut results) = serde_json::to_value(&outcome.summary)? else {
        anyhow::bail!("the run has no summary");
    };
    results.insert("left_out".into(), json!(outcome.left_out));
    let entry = |name: &str| {
        let stats = world.stats(name);
        json!({
            "name": name,
            "limit": stats.limit,
            "calls": stats.calls,
            "max_in_flight": stats.max_in_flight,
        })
    };
    let endpoints = test.plan.endpoints.iter().map(|endpoint| entry(&endpoint.name));
    results.insert("endpoint_stats".into(), endpoints.collect());
    Ok(results)
}

fn count(stats: &StationStats, figure: &str) -> u64 {
    match figure {
        "calls" => stats.calls,
        "ok" => stats.ok,
        "errors" => stats.errors,
        "attempts" => stats.attempts,
        "retries" => stats.retries,
        "max_in_flight" => stats.max_in_flight,
        "prompt_tokens" => stats.prompt_tokens,
        "completion_tokens" => stats.completion_tokens,
        _ => stats.prompt_tokens + stats.completion_tokens,
    }
}
