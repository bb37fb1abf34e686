//! Invented results of every shape that plots have to cope with. The numbers mean nothing; they
//! are the same every time.

mod make;

use std::collections::BTreeMap;

use sage_dsl::experiment::Backend;
use sage_lab::results::{Difference, Results, Row};
use serde_json::{Map, json};

use make::{Dice, Make, compare, results, row, tasks};

/// Results and the `tasks.csv` of their runs, by folder.
pub(crate) struct Shape {
    /// Name of the shape.
    pub(crate) name: &'static str,
    /// The results.
    pub(crate) results: Results,
    /// Folder and text of its `tasks.csv`.
    pub(crate) tasks: BTreeMap<String, String>,
}

/// All shapes.
pub(crate) fn all() -> Vec<Shape> {
    vec![
        scale_out(),
        policies(),
        concurrency(),
        levels(),
        stagger(),
        isolation(),
        single(),
        wide(),
        thousand(),
        grid(),
        long_labels(),
        missing(),
        strange(),
        empty(),
    ]
}

const POLICIES: [&str; 13] = [
    "fifo",
    "round_robin",
    "random",
    "least_loaded",
    "load_aware(spread)",
    "load_aware(pack)",
    "power_of_two",
    "priority",
    "edf",
    "shortest_first",
    "slack",
    "prefix_affinity(bound: 8)",
    "weighted_fair",
];

fn scale_out() -> Shape {
    let mut dice = Dice(1);
    let mut rows = Vec::new();
    for (nodes, rag, compute) in
        [("1", 1.55, 38.1), ("4", 5.84, 57.2), ("8", 11.41, 38.9), ("16", 17.6, 19.4)]
    {
        for (job, rate) in [("rag", rag), ("compute", compute)] {
            let tail = 2000.0 / rate * 1e3 * 0.98;
            let count = nodes.parse().unwrap_or(1);
            let make = Make { rate, tail, nodes: count, repeats: 3, skew: 0.1 };
            rows.push(row(&mut dice, &[("nodes", nodes)], job, make));
        }
    }
    let mut tasks_of = BTreeMap::new();
    for row in &rows {
        let rate = row.mean("throughput_per_s").unwrap_or(1.0);
        for folder in &row.folders {
            tasks_of.insert(folder.clone(), tasks(&mut dice, 600, rate, 0.0));
        }
    }
    Shape { name: "scale_out", results: results("exp1", &["nodes"], rows), tasks: tasks_of }
}

fn policies() -> Shape {
    let mut dice = Dice(2);
    let mut rows = Vec::new();
    for policy in POLICIES {
        for (job, rate, tail) in [("rag", 18.0, 11_000.0), ("compute", 420.0, 480.0)] {
            let (rate, tail) = (dice.about(rate, 0.2), dice.about(tail, 0.4));
            let skew = dice.roll();
            let make = Make { rate, tail, nodes: 4, repeats: 5, skew };
            rows.push(row(&mut dice, &[("policy", policy)], job, make));
        }
    }
    compare(&mut dice, &mut rows, "policy", "fifo");
    let mut tasks_of = BTreeMap::new();
    for row in &rows {
        let rate = row.mean("throughput_per_s").unwrap_or(1.0);
        tasks_of.insert(row.folders[0].clone(), tasks(&mut dice, 200, rate, 0.0));
    }
    let mut results = results("exp2b", &["policy"], rows);
    results.baseline = Some("fifo".to_owned());
    results.backend = Backend::Sim;
    Shape { name: "policies", results, tasks: tasks_of }
}

fn concurrency() -> Shape {
    let mut dice = Dice(3);
    let mut rows = Vec::new();
    for (label, rate, tail) in [
        ("1", 11.91, 168_000.0),
        ("4", 11.74, 170_000.0),
        ("8", 32.06, 62_000.0),
        ("16", 20.63, 97_000.0),
        ("32", 12.67, 158_000.0),
        ("auto", 30.1, 66_000.0),
    ] {
        let make = Make { rate, tail, nodes: 4, repeats: 3, skew: 0.2 };
        rows.push(row(&mut dice, &[("concurrency", label)], "rag", make));
    }
    let mut results = results("exp3", &["concurrency"], rows);
    results.quick = true;
    Shape { name: "concurrency", results, tasks: BTreeMap::new() }
}

fn levels() -> Shape {
    let mut dice = Dice(4);
    let mut rows = Vec::new();
    for (label, rate, tail, nodes) in
        [("low", 16.24, 625.0, 2), ("medium", 12.49, 9960.0, 4), ("high", 10.14, 39_900.0, 8)]
    {
        for (job, factor) in [("rag", 1.0), ("compute", 30.0)] {
            let make =
                Make { rate: rate * factor, tail: tail / factor, nodes, repeats: 2, skew: 0.3 };
            rows.push(row(&mut dice, &[("load", label)], job, make));
        }
    }
    Shape { name: "levels", results: results("exp2a", &["load"], rows), tasks: BTreeMap::new() }
}

/// Rows of three jobs and all of them, with the tasks of each.
fn together(
    dice: &mut Dice,
    point: &[(&str, &str)],
    stagger: f64,
    tasks_of: &mut BTreeMap<String, String>,
) -> Vec<Row> {
    let mut rows = Vec::new();
    for (number, job) in ["first", "second", "third"].into_iter().enumerate() {
        let rate = 7.7 - 0.2 * number as f64;
        let tail = 130_000.0 - 15_000.0 * stagger;
        let make = Make { rate, tail, nodes: 4, repeats: 3, skew: 0.1 };
        let mut row = row(dice, point, job, make);
        for (run, folder) in row.runs.iter_mut().zip(&row.folders) {
            run.insert("offset_s".to_owned(), json!(stagger * number as f64));
            tasks_of.insert(folder.clone(), tasks(dice, 300, 3.0 * rate, 0.0));
        }
        rows.push(row);
    }
    let make = Make { rate: 22.0, tail: 120_000.0, nodes: 4, repeats: 3, skew: 0.1 };
    rows.push(row(dice, point, "all", make));
    rows
}

fn stagger() -> Shape {
    let (mut dice, mut tasks_of, mut rows) = (Dice(5), BTreeMap::new(), Vec::new());
    for (label, seconds) in [("0s", 0.0), ("1s", 1.0), ("2s", 2.0), ("5s", 5.0)] {
        rows.extend(together(&mut dice, &[("stagger", label)], seconds, &mut tasks_of));
    }
    Shape { name: "stagger", results: results("exp4b", &["stagger"], rows), tasks: tasks_of }
}

fn isolation() -> Shape {
    let (mut dice, mut tasks_of, mut rows) = (Dice(6), BTreeMap::new(), Vec::new());
    for label in ["true", "false"] {
        rows.extend(together(&mut dice, &[("fair", label)], 2.0, &mut tasks_of));
    }
    let mut results = results("exp4a", &["fair"], rows);
    results.backend = Backend::Live;
    results.simulated = false;
    Shape { name: "isolation", results, tasks: tasks_of }
}

fn single() -> Shape {
    let mut dice = Dice(7);
    let make = Make { rate: 17.3, tail: 2300.0, nodes: 2, repeats: 1, skew: 0.2 };
    let row = row(&mut dice, &[], "rag", make);
    let tasks_of = BTreeMap::from([(row.folders[0].clone(), tasks(&mut dice, 100, 17.0, 0.0))]);
    Shape { name: "single", results: results("once", &[], vec![row]), tasks: tasks_of }
}

fn wide() -> Shape {
    let mut dice = Dice(8);
    let mut rows = Vec::new();
    for nodes in ["16", "64", "256", "1024"] {
        let count: usize = nodes.parse().unwrap_or(1);
        for (policy, skew) in [("fifo", 0.9), ("load_aware(spread)", 0.05)] {
            let rate = 1.1 * (count as f64).powf(0.93 - 0.1 * skew);
            let make = Make { rate, tail: 1e6 / rate, nodes: count, repeats: 3, skew };
            rows.push(row(&mut dice, &[("policy", policy), ("nodes", nodes)], "rag", make));
        }
    }
    compare(&mut dice, &mut rows, "policy", "fifo");
    let mut results = results("scale", &["policy", "nodes"], rows);
    results.baseline = Some("fifo".to_owned());
    Shape { name: "wide", results, tasks: BTreeMap::new() }
}

fn thousand() -> Shape {
    let mut dice = Dice(13);
    let mut rows = Vec::new();
    for (policy, skew) in [("fifo", 0.9), ("load_aware(spread)", 0.05)] {
        let make = Make { rate: 800.0, tail: 90_000.0, nodes: 1024, repeats: 1, skew };
        rows.push(row(&mut dice, &[("policy", policy)], "rag", make));
    }
    Shape { name: "thousand", results: results("big", &["policy"], rows), tasks: BTreeMap::new() }
}

fn grid() -> Shape {
    let mut dice = Dice(9);
    let mut rows = Vec::new();
    for policy in POLICIES {
        for nodes in ["1", "2", "4", "8", "16"] {
            let count: usize = nodes.parse().unwrap_or(1);
            let rate = dice.about(2.0 * count as f64, 0.2);
            let skew = dice.roll();
            let make = Make { rate, tail: 1e5 / rate, nodes: count, repeats: 3, skew };
            rows.push(row(&mut dice, &[("policy", policy), ("nodes", nodes)], "rag", make));
        }
    }
    compare(&mut dice, &mut rows, "policy", "fifo");
    let mut results = results("grid", &["policy", "nodes"], rows);
    results.baseline = Some("fifo".to_owned());
    Shape { name: "grid", results, tasks: BTreeMap::new() }
}

fn long_labels() -> Shape {
    let mut dice = Dice(10);
    let mut rows = Vec::new();
    for label in [
        "load_aware(spread, window: 16, decay: 0.95, respect_prefix: true, slack: 250ms)",
        "a<b & \"c\" > 'd'",
        "prefix_affinity(bound: 8, spread: 0.25, fall_back: power_of_two)",
        "averyveryverylongnamewithoutanyplacewhereonecouldbreakitintotwolines",
        "политика по умолчанию µ σ ≤ 3",
    ] {
        for job in ["interactive questions of users", "bulk & batch <nightly>"] {
            let make = Make {
                rate: dice.about(3.0, 0.5),
                tail: dice.about(900.0, 0.5),
                nodes: 3,
                repeats: 3,
                skew: 0.4,
            };
            rows.push(row(&mut dice, &[("policy", label)], job, make));
        }
    }
    let mut results = results(
        "an experiment with a long name & a question about <everything> that may be compared",
        &["policy"],
        rows,
    );
    results.failed = vec![("policy-x.r0".to_owned(), "port <8000> & others were taken".to_owned())];
    Shape { name: "long_labels", results, tasks: BTreeMap::new() }
}

fn missing() -> Shape {
    let mut dice = Dice(11);
    let mut rows = Vec::new();
    for (policy, gone) in [
        ("fifo", None),
        ("no_throughput", Some("throughput_per_s")),
        ("no_p99", Some("latency_p99_ms")),
        ("no_queueing", Some("queueing_mean_ms")),
        ("no_decision", Some("decision_p50_us")),
        ("nothing", Some("")),
    ] {
        let make = Make { rate: 10.0, tail: 900.0, nodes: 4, repeats: 3, skew: 0.5 };
        let mut row = row(&mut dice, &[("policy", policy)], "rag", make);
        match gone {
            Some("") => {
                row.figures.clear();
                row.runs.iter_mut().for_each(Map::clear);
                row.folders.fill(String::new());
            }
            Some(column) => {
                row.figures.remove(column);
            }
            None => {}
        }
        rows.push(row);
    }
    let mut results = results("missing", &["policy"], rows);
    results.failed = vec![
        ("policy-nothing.r0".to_owned(), "it broke off".to_owned()),
        ("policy-nothing.r1".to_owned(), "it broke off".to_owned()),
    ];
    Shape { name: "missing", results, tasks: BTreeMap::new() }
}

fn strange() -> Shape {
    let mut dice = Dice(12);
    let mut rows = Vec::new();
    for (label, value) in [
        ("1", f64::NAN),
        ("2", f64::INFINITY),
        ("3", 1e300),
        ("4", -5.0),
        ("5", 0.0),
        ("6", 1e18),
        ("7", f64::MIN_POSITIVE),
    ] {
        let make = Make { rate: 1.0, tail: 1.0, nodes: 2, repeats: 3, skew: 0.5 };
        let mut row = row(&mut dice, &[("x\u{1}y", label)], "rag", make);
        for found in row.figures.values_mut() {
            found.mean = value;
            found.values = vec![Some(value), None, Some(value)];
            found.interval = Some((value, f64::NAN));
        }
        row.versus
            .insert("throughput_per_s".to_owned(), Difference { relative: value, interval: None });
        rows.push(row);
    }
    let mut results = results("strange", &["x\u{1}y"], rows);
    results.baseline = Some("1".to_owned());
    Shape { name: "strange", results, tasks: BTreeMap::new() }
}

fn empty() -> Shape {
    let mut results = results("empty", &["policy"], Vec::new());
    results.claims.clear();
    Shape { name: "empty", results, tasks: BTreeMap::new() }
}
