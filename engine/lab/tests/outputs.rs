//! The files of an experiment: what stands in them, and that other programs can read them.

#![allow(clippy::unwrap_used, clippy::float_cmp, reason = "a test fails where it must not go on")]

mod common;
#[path = "common/schema.rs"]
mod schema;

use std::fs;
use std::path::Path;

use common::{Fake, at, claim, experiment, nodes, num, op, policies, results, together};
use sage_dsl::experiment::{Experiment, Setting};
use sage_dsl::plan::BinaryOp;
use sage_lab::outputs;
use sage_lab::results::{COLUMNS, Results};
use sage_lab::trial::TrialError;
use serde_json::{Value, json};

fn published() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../experiments/metrics.schema.json");
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn claimed() -> Experiment {
    let less = op(at("balance", &["fifo"]), BinaryOp::Lt, at("balance", &["load_aware"]));
    let fast = op(at("latency_p99_ms", &["fifo"]), BinaryOp::Lt, num(1e9));
    let lost = op(at("cost", &["fifo"]), BinaryOp::Lt, num(1.0));
    Experiment {
        claims: vec![
            claim("FIFO leaves the nodes unbalanced", less),
            claim("FIFO is fast", fast),
            claim("FIFO is cheap", lost),
        ],
        ..experiment()
    }
}

fn written(experiment: &Experiment, folder: &Path) -> (Results, Vec<String>) {
    let results = results(experiment, &mut Fake::new(), folder);
    let names = outputs::write_texts(&results, folder).unwrap();
    for name in &names {
        assert!(folder.join(name).metadata().unwrap().len() > 0, "{name}");
    }
    (results, names)
}

fn read(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap()
}

#[test]
fn metrics_json_is_as_its_schema_says_and_reads_back() {
    let schema = published();
    for experiment in [claimed(), together()] {
        let folder = tempfile::tempdir().unwrap();
        let mut fake = Fake::new();
        let mut first = true;
        fake.verdict = Box::new(move |_| {
            let fails = std::mem::take(&mut first);
            if fails { Err(TrialError::Failed("broke".into())) } else { Ok(()) }
        });
        let results = results(&experiment, &mut fake, folder.path());
        outputs::write_texts(&results, folder.path()).unwrap();
        let value: Value = serde_json::from_str(&read(folder.path(), "metrics.json")).unwrap();
        let problems = schema::problems(&schema, &schema, &value, "");
        assert!(problems.is_empty(), "{}", problems.join("\n"));
        let again = outputs::read(folder.path()).unwrap();
        assert_eq!(again.rows.len(), results.rows.len());
        assert_eq!(again.claims, results.claims);
    }
}

#[test]
fn the_schema_knows_all_columns_and_sees_what_is_wrong() {
    let schema = published();
    let names: Vec<&str> = COLUMNS.iter().map(|column| column.name).collect();
    for path in
        ["/properties/report/items/enum", "/$defs/row/properties/figures/propertyNames/enum"]
    {
        assert_eq!(schema.pointer(path), Some(&json!(names)), "{path}");
    }
    let folder = tempfile::tempdir().unwrap();
    written(&experiment(), folder.path());
    let right: Value = serde_json::from_str(&read(folder.path(), "metrics.json")).unwrap();
    for (path, wrong) in [
        ("/backend", json!("cloud")),
        ("/rows/0/solo", json!("no")),
        ("/rows/0/runs/0/tasks_ok", json!("many")),
        ("/rows/0/figures/throughput_per_s/mean", Value::Null),
        ("/rows/0/figures/throughput_per_s/interval", json!([1.0])),
        ("/rows/0/runs/0/nodes/0/node", json!(-1)),
    ] {
        let mut value = right.clone();
        *value.pointer_mut(path).unwrap() = wrong;
        let problems = schema::problems(&schema, &schema, &value, "");
        assert!(!problems.is_empty(), "{path} may be anything");
    }
}

#[test]
fn the_summary_says_what_the_figures_are_and_what_became_of_the_claims() {
    let folder = tempfile::tempdir().unwrap();
    written(&claimed(), folder.path());
    let summary = read(folder.path(), "summary.txt");
    for words in [
        &["exp2b: which scheduling operator is best under medium load?"][..],
        &["figures", "twin (virtual time)"],
        &["rag (twin (virtual time))"],
        &["policy", "Throughput (tasks/s)", "P99 latency (ms)", "Balance"],
        &["load_aware(spread)", "["],
        &["fails", "FIFO leaves the nodes unbalanced", "(in 0 of 5 repeats)"],
        &["holds", "FIFO is fast", "(in 5 of 5 repeats)"],
        &["not measurable", "FIFO is cheap"],
        &["cost[fifo] was not measured"],
        &["draining of a backlog"],
        &["warm-up is left out of latency figures"],
        &["of all runs are in tasks.csv"],
        &["Efron and Tibshirani 1993"],
    ] {
        let has = |line: &str| words.iter().all(|word| line.contains(word));
        assert!(summary.lines().any(has), "no line has {words:?}:\n{summary}");
    }
    let comparison = read(folder.path(), "comparison.txt");
    for words in ["twin (virtual time)", "best by", "against fifo", "priority", "fails", "fifo"] {
        assert!(comparison.contains(words), "`{words}` is not in\n{comparison}");
    }
    // The baseline itself is not compared with itself.
    let block = comparison.split("against fifo").nth(1).unwrap();
    assert!(!block.split("\n\n").next().unwrap().lines().any(|line| line.starts_with("fifo")));
}

#[test]
fn the_table_of_tasks_has_every_task_with_its_coordinates() {
    let folder = tempfile::tempdir().unwrap();
    let comma = Experiment {
        sweeps: vec![policies(&["fifo", "priority(aging: 5s, levels: 3)"])],
        settings: vec![Setting::Tasks(20), Setting::Nodes(2)],
        repeat: 2,
        ..experiment()
    };
    let (_, names) = written(&comma, folder.path());
    assert!(names.contains(&"tasks.csv".to_owned()));
    let mut reader = csv::Reader::from_path(folder.path().join("tasks.csv")).unwrap();
    let head: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    assert_eq!(head[..6], ["job", "policy", "alone", "repeat", "task_id", "node"]);
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 2 * 2 * 2 * 20);
    let coordinates: std::collections::BTreeSet<String> =
        rows.iter().map(|row| format!("{} {} {} {}", &row[0], &row[1], &row[3], &row[4])).collect();
    assert_eq!(coordinates.len(), rows.len());
    assert!(rows.iter().any(|row| &row[1] == "priority(aging: 5s, levels: 3)"));
}

/// Braces, environments and columns that fit each other.
fn well_formed(text: &str) -> usize {
    let mut depth = 0_i32;
    let mut escaped = false;
    for c in text.lines().filter(|line| !line.starts_with('%')).flat_map(str::chars) {
        match c {
            '\\' if !escaped => {
                escaped = true;
                continue;
            }
            '{' if !escaped => depth += 1,
            '}' if !escaped => depth -= 1,
            _ => {}
        }
        assert!(depth >= 0);
        escaped = false;
    }
    assert_eq!(depth, 0);
    let mut tables = 0;
    for table in text.split("\\begin{tabular}{").skip(1) {
        let (columns, rest) = table.split_once('}').unwrap();
        let (body, _) = rest.split_once("\\end{tabular}").unwrap();
        let rows: Vec<&str> = body.lines().filter(|line| line.ends_with("\\\\")).collect();
        for row in &rows {
            let cells = row.replace("\\&", "").matches('&').count() + 1;
            assert_eq!(cells, columns.len(), "{row}");
        }
        assert!(rows.len() > 1);
        for word in ["\\toprule", "\\midrule", "\\bottomrule"] {
            assert!(body.contains(word));
        }
        tables += 1;
    }
    for environment in ["table", "tabular"] {
        let count = |word: &str| text.matches(&format!("\\{word}{{{environment}}}")).count();
        assert_eq!(count("begin"), count("end"));
    }
    tables
}

#[test]
fn tables_are_well_formed_tex_with_the_columns_of_the_plan() {
    let named = |name: &str, experiment: Experiment| Experiment { name: name.into(), ..experiment };
    let hostile = Experiment {
        summary: Some(r"100 % of {this} & \that_one $ ~ ^ # <x>".into()),
        ..named("own_name", claimed())
    };
    let scale = Experiment { sweeps: vec![nodes(&[1, 4, 16])], baseline: None, ..experiment() };
    for (experiment, tables, words) in [
        (named("exp1", scale), 1, &["Table 1", "Speedup", "Efficiency", "P99 latency"][..]),
        (named("exp2a", experiment()), 1, &["Table 2", "Balance"]),
        (experiment(), 1, &["Table 3", "P99 decision ($\\mu$s)", "load\\_aware(spread)"]),
        (named("exp3", experiment()), 1, &["Table 4", "Mean latency (ms)"]),
        (named("exp3_split", experiment()), 1, &["Table 5", "Queueing (ms)"]),
        (together(), 1, &["Table 6", "Duration (s)", "one after the other", "on: together"]),
        (hostile, 1, &["100 \\% of \\{this\\} \\& \\textbackslash{}that\\_one"]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        written(&experiment, folder.path());
        let text = read(folder.path(), "tables.tex");
        assert_eq!(well_formed(&text), tables, "{text}");
        for word in words.iter().chain(&["twin (virtual time)", "\\caption{"]) {
            assert!(text.contains(word), "`{word}` is not in\n{text}");
        }
    }
}

#[test]
fn a_report_that_is_made_again_is_the_same_and_leaves_nothing_old() {
    let folder = tempfile::tempdir().unwrap();
    let experiment = Experiment { repeat: 3, ..claimed() };
    let results = results(&experiment, &mut Fake::new(), folder.path());
    let names = outputs::write(&results, folder.path()).unwrap();
    for kind in ["png", "svg", "html"] {
        assert!(names.iter().any(|name| name.ends_with(kind)), "no {kind} in {names:?}");
    }
    let all = || -> Vec<Vec<u8>> {
        names.iter().map(|name| fs::read(folder.path().join(name)).unwrap()).collect()
    };
    let before = all();
    fs::write(folder.path().join("old.png"), "x").unwrap();
    let again = sage_lab::results::gather(&common::suite(&experiment), folder.path()).unwrap();
    assert_eq!(again, results);
    assert_eq!(outputs::write(&again, folder.path()).unwrap(), names);
    assert!(before == all());
    assert!(!folder.path().join("old.png").exists());
}
