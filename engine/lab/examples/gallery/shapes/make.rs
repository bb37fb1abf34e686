//! How invented results are put together: rows of figures about a rate and a tail.

use std::collections::BTreeMap;

use sage_dsl::experiment::Backend;
use sage_lab::results::{Difference, Estimate, Outcome, Results, Row, Verdict};
use serde_json::{Map, Value, json};

/// Numbers between 0 and 1 that are the same every time.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self) -> f64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    /// About `value`, give or take `part` of it.
    pub(crate) fn about(&mut self, value: f64, part: f64) -> f64 {
        value * (1.0 + part * (2.0 * self.roll() - 1.0))
    }
}

pub(crate) fn results(experiment: &str, dimensions: &[&str], rows: Vec<Row>) -> Results {
    Results {
        schema: 1,
        experiment: experiment.to_owned(),
        summary: Some("Invented figures: what do the plots look like?".to_owned()),
        backend: Backend::Twin,
        simulated: true,
        quick: false,
        changed: None,
        setup: json!({"host": "gallery", "cores": 2, "seed": 7, "version": "0.1.0", "commit": "none"}),
        dimensions: dimensions.iter().map(|name| (*name).to_owned()).collect(),
        report: ["throughput_per_s", "latency_mean_ms", "latency_p99_ms", "balance"]
            .map(str::to_owned)
            .to_vec(),
        baseline: None,
        rows,
        claims: vec![
            Verdict {
                text: "LoadAware balances best".to_owned(),
                condition: "balance[load_aware] >= max(balance) - 0.01".to_owned(),
                outcome: Outcome::Holds,
                repeats: Some((3, 3)),
                detail: vec!["rag: 0.98 >= 0.97".to_owned()],
            },
            Verdict {
                text: "scheduling stays under 1 ms & \"cheap\"".to_owned(),
                condition: "max(dispatch_p99_us) < 1000".to_owned(),
                outcome: Outcome::Fails,
                repeats: None,
                detail: vec!["rag: 1200 < 1000".to_owned()],
            },
            Verdict {
                text: "cost stays low".to_owned(),
                condition: "cost < 1".to_owned(),
                outcome: Outcome::NotMeasurable,
                repeats: None,
                detail: vec!["rag: no figure `cost`".to_owned()],
            },
        ],
        failed: Vec::new(),
        notes: vec!["every figure here is invented".to_owned()],
    }
}

/// Mean and interval of `repeats` values about `value`.
pub(crate) fn estimate(dice: &mut Dice, value: f64, repeats: usize) -> Estimate {
    let values: Vec<f64> = (0..repeats).map(|_| dice.about(value, 0.05)).collect();
    let mean = values.iter().sum::<f64>() / repeats as f64;
    let interval = (repeats > 2).then(|| {
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        (f64::midpoint(low, mean), 2.0 * mean - f64::midpoint(low, mean))
    });
    Estimate { values: values.into_iter().map(Some).collect(), mean, interval }
}

/// What a row is made of: its rate, tail in milliseconds, nodes, repeats.
#[derive(Clone, Copy)]
pub(crate) struct Make {
    pub(crate) rate: f64,
    pub(crate) tail: f64,
    pub(crate) nodes: usize,
    pub(crate) repeats: usize,
    pub(crate) skew: f64,
}

pub(crate) fn row(dice: &mut Dice, point: &[(&str, &str)], job: &str, make: Make) -> Row {
    let Make { rate, tail, nodes, repeats, skew } = make;
    let mut figures = BTreeMap::new();
    for (name, value) in [
        ("throughput_per_s", rate),
        ("latency_mean_ms", 0.45 * tail),
        ("latency_p50_ms", 0.4 * tail),
        ("latency_p90_ms", 0.7 * tail),
        ("latency_p99_ms", tail),
        ("scheduling_mean_ms", 0.2 * tail),
        ("queueing_mean_ms", 0.1 * tail),
        ("execution_mean_ms", 0.15 * tail),
        ("balance", 1.0 - 0.4 * skew),
        ("decision_p50_us", 2.0 + skew),
        ("decision_p99_us", 9.0 + 30.0 * skew),
        ("dispatch_p50_us", 180.0),
        ("dispatch_p99_us", 900.0 + 300.0 * skew),
    ] {
        figures.insert(name.to_owned(), estimate(dice, value, repeats));
    }
    let runs = (0..repeats)
        .map(|_| {
            let list: Vec<Value> = (0..nodes)
                .map(|node| {
                    let tasks = dice.about(200.0, 0.1 + 0.8 * skew).round();
                    json!({"node": node, "tasks": tasks, "busy_s": tasks * 0.1})
                })
                .collect();
            let mut run = Map::new();
            run.insert("nodes".to_owned(), Value::Array(list));
            run
        })
        .collect();
    let labels: Vec<&str> = point.iter().map(|(_, label)| *label).collect();
    let safe = |text: String| text.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    let folders =
        (0..repeats).map(|r| format!("runs/{}.r{r}/{}", safe(labels.join(".")), safe(job.into())));
    Row {
        point: point.iter().map(|(name, label)| ((*name).into(), (*label).into())).collect(),
        job: job.to_owned(),
        folders: folders.collect(),
        runs,
        figures,
        ..Row::default()
    }
}

/// Differences to the rows of `baseline` in the dimension `dimension`.
pub(crate) fn compare(dice: &mut Dice, rows: &mut [Row], dimension: &str, baseline: &str) {
    let bases: Vec<Row> =
        rows.iter().filter(|row| row.label(dimension) == Some(baseline)).cloned().collect();
    for row in rows.iter_mut().filter(|row| row.label(dimension) != Some(baseline)) {
        let same = |base: &&Row| {
            base.job == row.job
                && base.point.iter().zip(&row.point).all(|(a, b)| a == b || a.0 == dimension)
        };
        let Some(base) = bases.iter().find(same) else { continue };
        for (name, found) in &row.figures {
            let relative = found.mean / base.figures[name].mean - 1.0;
            let half = 0.02 + 0.03 * dice.roll();
            let interval = found.interval.map(|_| (relative - half, relative + half));
            row.versus.insert(name.clone(), Difference { relative, interval });
        }
    }
}

/// The tasks of a run: `count` of them, arrived at once, done at `rate` after `wait` seconds.
pub(crate) fn tasks(dice: &mut Dice, count: usize, rate: f64, wait: f64) -> String {
    let mut text = String::from(
        "task_id,node,arrived_ms,decided_ms,started_ms,finished_ms,outcome,attempts,llm_ms,\
         prompt_tokens,completion_tokens,cost,first_token_ms\n",
    );
    for task in 0..count {
        let start = 1e3 * (wait + task as f64 / rate);
        let end = start + 400.0 * (1.0 - dice.roll()).ln().abs() + 300.0;
        let outcome = if task % 97 == 96 { "dead" } else { "ok" };
        text.push_str(&format!(
            "{task},{},0.000000,{start:.6},{start:.6},{end:.6},{outcome},1,{:.6},100,20,,\n",
            task % 4,
            end - start
        ));
    }
    text
}
