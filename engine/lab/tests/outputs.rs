//! The files of an experiment: what stands in them, and that other programs can read them.

#![allow(clippy::unwrap_used, clippy::float_cmp, reason = "a test fails where it must not go on")]

mod common;
#[path = "common/schema.rs"]
mod schema;

use std::fs;
use std::path::Path;

use common::{Fake, at, claim, experiment, nodes, num, op, policies, results, together};
use sage_dsl::experiment::{Backend, Experiment, Setting};
use sage_dsl::plan::BinaryOp;
use sage_lab::outputs;
use sage_lab::results::{COLUMNS, Results, gather};
use sage_lab::suite::Suite;
use sage_lab::trial::{Overrides, Trial, TrialError, expand};
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
        &["the first 5 % of the completed tasks, at most 5 s"],
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
    for words in [
        "twin (virtual time)",
        "best by",
        "against fifo",
        "priority",
        "fails",
        "(in 0 of 5 repeats)",
    ] {
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
        (experiment(), 1, &["Table 3", "P99 decision ($\\mu$s, assumed)", "load\\_aware(spread)"]),
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
fn what_the_command_line_changed_stands_in_every_head() {
    let experiment = Experiment {
        name: "exp1".into(),
        sweeps: vec![nodes(&[1, 4])],
        baseline: None,
        repeat: 1,
        ..experiment()
    };
    let (vary, only) = (vec![nodes(&[2, 4])], Some("*".to_owned()));
    let overrides = Overrides { vary, only, ..Overrides::default() };
    let design = expand(&experiment, false, &overrides).unwrap();
    let mut suite = Suite::new(experiment, Backend::Twin, design);
    suite.overrides = overrides;
    let folder = tempfile::tempdir().unwrap();
    suite.begin(folder.path()).unwrap();
    suite.run(folder.path(), &mut Fake::new(), &mut common::Count::default()).unwrap();
    let results = gather(&suite, folder.path()).unwrap();
    assert_eq!(results.changed.as_deref(), Some("--nodes 2,4 --only *"));
    outputs::write(&results, folder.path()).unwrap();
    let base = "relative to 2 nodes, the fewest that were run";
    for (name, words) in [
        ("summary.txt", &["changed   --nodes 2,4 --only *", base][..]),
        ("comparison.txt", &["changed: --nodes 2,4 --only *", base]),
        ("tables.tex", &["Table 1, changed: Scale-out", "Changed: --nodes 2,4 --only *.", base]),
        ("report.html", &["<span>changed: --nodes 2,4 --only *</span>", base]),
        ("throughput.svg", &["Changed: --nodes 2,4 --only *.", base]),
    ] {
        let text = read(folder.path(), name);
        for word in words {
            assert!(text.contains(word), "`{word}` is not in {name}:\n{text}");
        }
    }
    // From one node on nothing needs to be said.
    let one = Experiment { sweeps: vec![nodes(&[1, 4])], baseline: None, ..common::experiment() };
    let (results, _) = written(&one, folder.path());
    assert_eq!(results.changed, None);
    assert!(!read(folder.path(), "summary.txt").contains("relative to"));
    assert!(!read(folder.path(), "comparison.txt").contains("changed"));
}

#[test]
fn lost_records_are_told_and_have_a_column() {
    let folder = tempfile::tempdir().unwrap();
    let experiment = Experiment { repeat: 2, ..claimed() };
    let suite = common::suite(&experiment);
    suite.begin(folder.path()).unwrap();
    suite.run(folder.path(), &mut Fake::new(), &mut common::Count::default()).unwrap();
    // Of one run, a quarter of the records is dead.
    let run = folder.path().join("runs/policy-priority.rag.r1/rag");
    common::lose(&run, 50, 0);
    let results = gather(&suite, folder.path()).unwrap();
    outputs::write(&results, folder.path()).unwrap();
    let note = "50 of 2400 records have no result (50 dead, 0 late) in 1 of 12 trials, most often: \
                expression, ";
    for name in ["summary.txt", "comparison.txt", "report.html"] {
        let text = read(folder.path(), name);
        assert!(text.contains(note), "{name}:\n{text}");
        assert!(text.contains("division by zero"), "{name}:\n{text}");
    }
    for name in ["summary.txt", "tables.tex", "report.html"] {
        assert!(read(folder.path(), name).contains("Success"), "{name}");
    }
    let whole = tempfile::tempdir().unwrap();
    written(&claimed(), whole.path());
    assert!(!read(whole.path(), "summary.txt").contains("Success"));
}

#[test]
fn repeats_that_are_all_the_same_claim_no_interval() {
    let folder = tempfile::tempdir().unwrap();
    let mut fake = Fake::new();
    // Only with fifo the seed decides something.
    fake.plan = Box::new(|trial, number| {
        let seed = if trial.id.contains("fifo") { trial.seed } else { 0 };
        common::steady(&Trial { seed, ..trial.clone() }, number)
    });
    let some = results(&experiment(), &mut fake, folder.path());
    let notes = some.notes.join("\n");
    assert!(notes.contains("the repeats of 4 of 6 settings (rag, load_aware(spread); "), "{notes}");
    assert!(notes.contains("are identical to the last digit") && notes.contains("95 % interval"));
    fake.plan =
        Box::new(|trial, number| common::steady(&Trial { seed: 0, ..trial.clone() }, number));
    let folder = tempfile::tempdir().unwrap();
    let notes = results(&experiment(), &mut fake, folder.path()).notes.join("\n");
    assert!(notes.contains("the repeats of all settings are identical"), "{notes}");
    assert!(!notes.contains("95 % interval"), "{notes}");
    let folder = tempfile::tempdir().unwrap();
    let notes = results(&experiment(), &mut Fake::new(), folder.path()).notes.join("\n");
    assert!(!notes.contains("identical"), "{notes}");
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
