//! From the folders of a suite's runs to results.
//!
//! Every figure is read from what the runs left, so a report can be made again at any time.

use std::collections::BTreeMap;
use std::path::Path;

use sage_dsl::experiment::Backend as Place;
use serde_json::{Map, Value};

use super::notes::{Lost, notes};
use super::tasks::Times;
use super::together::{self, Member};
use super::{ALL, COLUMNS, Results, Row, SCHEMA, derive, value};
use crate::LabError;
use crate::claims;
use crate::stats;
use crate::suite::{Outcome, RUNS, Suite};
use crate::trial::{Trial, same_alone};

/// Figures that do not stand in the run's own file, by column; one map for each repeat.
type More = Vec<BTreeMap<&'static str, f64>>;

/// The results of the trials that are there; the others are in `failed` with the reason.
pub fn gather(suite: &Suite, folder: &Path) -> Result<Results, LabError> {
    let repeats = suite.trials.iter().map(|trial| trial.repeat + 1).max().unwrap_or(0) as usize;
    let mut gathering = Gathering { repeats, rows: Vec::new(), more: Vec::new() };
    let (mut failed, mut not_possible) = (Vec::new(), Vec::new());
    let mut lost = Lost::default();
    let mut runs: Vec<(&Trial, Vec<Map<String, Value>>)> = Vec::new();
    for trial in &suite.trials {
        let why = match Suite::look(folder, trial) {
            Ok(None) => "it was not run".into(),
            Err(why) => format!("its result cannot be read: {why}"),
            Ok(Some((ended, metrics))) if ended.outcome == Outcome::Done => {
                lost.add(trial, &metrics, folder);
                runs.push((trial, metrics));
                continue;
            }
            Ok(Some((ended, _))) => {
                let reason = ended.reason.unwrap_or_default();
                if ended.outcome == Outcome::NotPossible {
                    not_possible.push((trial.id.clone(), reason.clone()));
                    format!("not possible: {reason}")
                } else {
                    reason
                }
            }
        };
        // Every setting that was asked for has its row, so that it is seen to be missing.
        gathering.rows_of(trial);
        failed.push((trial.id.clone(), why));
    }
    let solos: Vec<_> = runs.iter().filter(|(trial, _)| trial.solo).collect();
    let alone = |trial: &Trial, job: usize| {
        let found = solos.iter().find(|(solo, _)| {
            solo.repeat == trial.repeat
                && solo.speeds == trial.speeds
                && solo.failures == trial.failures
                && same_alone(&solo.jobs[0], &trial.jobs[job])
        })?;
        value("makespan_s", found.1.first()?)
    };
    for (trial, metrics) in &runs {
        gathering.trial(trial, metrics, &alone, folder);
    }
    let dimension = suite.dimensions.clone();
    let Gathering { mut rows, mut more, .. } = gathering;
    // In the order of the sweeps, whatever was skipped or came first.
    let mut order: Vec<usize> = (0..rows.len()).collect();
    let place = |row: &Row| {
        let same = |trial: &Trial| trial.point == row.point && trial.solo == row.solo;
        let trial = suite.trials.iter().position(same);
        let jobs = &suite.experiment.jobs;
        let job = jobs.iter().position(|job| job.name == row.job).unwrap_or(jobs.len());
        (row.solo, trial, job)
    };
    order.sort_by_key(|index| place(&rows[*index]));
    rows = order.iter().map(|index| rows[*index].clone()).collect();
    more = order.iter().map(|index| more[*index].clone()).collect();

    let seed = suite.experiment.seed;
    derive::speedup(&mut more, &rows);
    for (row, more) in rows.iter_mut().zip(&more) {
        for column in COLUMNS {
            let values = row.runs.iter().zip(more).map(|(metrics, more)| {
                more.get(column.name).copied().or_else(|| value(column.name, metrics))
            });
            let words = row.point.iter().flat_map(|(name, label)| [name.as_str(), label]);
            let words = words.chain([row.job.as_str(), column.name]);
            let seed = seed ^ stats::seed_of(words);
            if let Some(found) = stats::estimate(values.collect(), seed) {
                row.figures.insert(column.name.to_owned(), found);
            }
        }
    }
    let baseline = suite.experiment.baseline.clone();
    derive::versus(&mut rows, baseline.as_deref(), seed);
    let backend = |row: &Row| {
        row.runs
            .iter()
            .any(|run| matches!(run.get("backend").and_then(Value::as_str), Some("sim" | "twin")))
    };
    let claims = suite.experiment.claims.iter();
    let claims = claims.map(|claim| claims::decide_on(claim, &rows, suite.backend));
    Ok(Results {
        schema: SCHEMA,
        experiment: suite.experiment.name.clone(),
        summary: suite.experiment.summary.clone(),
        backend: suite.backend,
        simulated: suite.backend == Place::Twin || rows.iter().any(backend),
        quick: suite.quick,
        changed: suite.overrides.words(),
        setup: suite.setup.clone(),
        dimensions: dimension,
        report: suite.experiment.report.clone(),
        baseline,
        claims: claims.collect(),
        notes: notes(suite, repeats, &rows, &lost, &not_possible),
        rows,
        failed,
    })
}

struct Gathering {
    repeats: usize,
    rows: Vec<Row>,
    more: Vec<More>,
}

impl Gathering {
    /// Number of the row of a trial's job, made if it is not there.
    fn row(&mut self, trial: &Trial, job: &str) -> usize {
        let known = self
            .rows
            .iter()
            .position(|row| row.solo == trial.solo && row.job == job && row.point == trial.point);
        known.unwrap_or_else(|| {
            self.rows.push(Row {
                point: trial.point.clone(),
                job: job.to_owned(),
                solo: trial.solo,
                runs: vec![Map::new(); self.repeats],
                folders: vec![String::new(); self.repeats],
                ..Row::default()
            });
            self.more.push(vec![BTreeMap::new(); self.repeats]);
            self.rows.len() - 1
        })
    }

    fn rows_of(&mut self, trial: &Trial) {
        for job in &trial.jobs {
            self.row(trial, &job.name);
        }
        if trial.jobs.len() > 1 {
            self.row(trial, ALL);
        }
    }

    fn trial(
        &mut self,
        trial: &Trial,
        metrics: &[Map<String, Value>],
        alone: &dyn Fn(&Trial, usize) -> Option<f64>,
        folder: &Path,
    ) {
        let repeat = trial.repeat as usize;
        let within = format!("{RUNS}/{}", trial.id);
        for (number, (job, metrics)) in trial.jobs.iter().zip(metrics).enumerate() {
            let row = self.row(trial, &job.name);
            self.rows[row].runs[repeat].clone_from(metrics);
            self.rows[row].folders[repeat] = format!("{within}/{}", job.name);
            if trial.jobs.len() > 1
                && let (Some(shared), Some(alone)) =
                    (value("makespan_s", metrics), alone(trial, number))
                && alone > 0.0
            {
                self.more[row][repeat].insert("slowdown", shared / alone);
            }
        }
        if trial.jobs.len() < 2 {
            return;
        }
        let members: Vec<Member<'_>> = trial
            .jobs
            .iter()
            .zip(metrics)
            .map(|(job, metrics)| {
                let offset = metrics.get("offset_s").and_then(Value::as_f64);
                let offset = offset.unwrap_or(job.start_ns as f64 / 1e9);
                let times = Times::read(&Suite::run_folder(folder, trial).join(&job.name));
                Member { metrics, times: times.ok().map(|times| times.later(offset)) }
            })
            .collect();
        let all = together::metrics(&members);
        let row = self.row(trial, ALL);
        let more = &mut self.more[row][repeat];
        let good = metrics
            .iter()
            .map(|job| value("goodput_per_s", job).or_else(|| value("throughput_per_s", job)));
        let good: Option<Vec<f64>> = good.collect();
        let solo: Option<f64> = (0..trial.jobs.len()).map(|job| alone(trial, job)).sum();
        let gain = solo.zip(value("makespan_s", &all)).map(|(alone, shared)| alone / shared);
        for (name, found) in [
            ("isolation_spread", together::isolation_spread(&members)),
            ("jain", good.and_then(|good| together::jain(&good))),
            ("parallel_gain", gain),
        ] {
            if let Some(found) = found.filter(|found| found.is_finite()) {
                more.insert(name, found);
            }
        }
        self.rows[row].runs[repeat] = all;
        self.rows[row].folders[repeat] = within;
    }
}
