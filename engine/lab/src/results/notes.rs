//! What has to be known to read the figures.

use std::path::Path;

use sage_dsl::experiment::{Arrivals, Backend as Place};
use serde_json::{Map, Value};

use super::{ALL, Column, Row, column, derive};
use crate::stats;
use crate::suite::{Losses, Suite};
use crate::trial::Trial;

/// Labels of rows that are listed in a note.
const LISTED: usize = 4;

/// Trials with records that came to nothing.
#[derive(Debug, Default)]
pub(super) struct Lost {
    /// Of all trials.
    pub(super) all: Losses,
    /// Trials that have a result, and those of them with dead or late records.
    pub(super) trials: usize,
    pub(super) with: usize,
}

impl Lost {
    /// Add the runs of a trial, whose folder is in that of the suite.
    pub(super) fn add(&mut self, trial: &Trial, metrics: &[Map<String, Value>], folder: &Path) {
        let before = self.all.dead + self.all.late;
        let run = Suite::run_folder(folder, trial);
        for (job, metrics) in trial.jobs.iter().zip(metrics) {
            self.all.add(metrics, &run.join(&job.name));
        }
        self.trials += 1;
        self.with += usize::from(self.all.dead + self.all.late > before);
    }

    fn note(&self) -> Option<String> {
        let why = self.all.commonest().map_or(String::new(), |why| format!(", most often: {why}"));
        self.all.any().then(|| {
            format!("{} in {} of {} trials{why}", self.all.counts(), self.with, self.trials)
        })
    }
}

/// The notes on results: of the design, of these figures, of all figures of this kind.
pub(super) fn notes(
    suite: &Suite,
    repeats: usize,
    rows: &[Row],
    lost: &Lost,
    not_possible: &[(String, String)],
) -> Vec<String> {
    let mut notes = suite.notes.clone();
    notes.extend(lost.note());
    notes.extend(impossible(suite.trials.len(), not_possible));
    notes.extend(derive::base_words(rows));
    let mut jobs = suite.trials.iter().flat_map(|trial| &trial.jobs);
    if jobs.any(|job| job.arrivals == Arrivals::Batch) {
        notes.push(
            "latency under batch arrivals is the draining of a backlog: it grows with the number of \
             tasks and is not what a user would wait"
                .into(),
        );
    }
    notes.push(
        "warm-up is left out of latency figures: the first 5 % of the completed tasks, at most 5 s; \
         throughput and balance count all"
            .into(),
    );
    let (same, varied) = identical(rows);
    notes.extend(same);
    notes.extend(match repeats {
        0 | 1 => Some("every setting ran once: there are no intervals".into()),
        2 => Some("every setting ran twice: too few for intervals".into()),
        _ if !varied => None,
        _ => Some(format!(
            "[low, high] is the 95 % interval of the mean over {repeats} repeats (percentile \
             bootstrap, {} samples; Efron and Tibshirani 1993); of few repeats it is rather too \
             narrow",
            stats::RESAMPLES
        )),
    });
    if rows.iter().any(|row| row.job == ALL && !row.figures.contains_key("isolation_spread")) {
        notes.push(
            "isolation spread is of the time when all jobs run; where it is missing, one was over \
             before the last began"
                .into(),
        );
    }
    notes.push(
        "run r of every setting has the same seed; trials go repeat by repeat, in random order \
         within a repeat, so that a drift of the machine meets all settings alike"
            .into(),
    );
    if suite.backend == Place::Twin {
        let machine = match suite.overrides.cores {
            Some(cores) => format!("all nodes are on one machine of {cores} cores"),
            None => "every node has a machine of its own".into(),
        };
        notes.push(format!(
            "twin: the same decisions in virtual time; service times are modelled, not measured; \
             {machine}"
        ));
    }
    let shown = suite.experiment.report.iter().filter_map(|name| column(name));
    if shown.into_iter().any(|column| column.assumed(suite.backend)) {
        notes.push(
            "times of decision and dispatch are assumed on the twin, not measured (docs/twin.md); \
             claims about them are not measurable there"
                .into(),
        );
    }
    notes
}

/// How many trials this backend cannot run, and why.
fn impossible(trials: usize, not_possible: &[(String, String)]) -> Option<String> {
    let (first, reason) = not_possible.first()?;
    let others = not_possible.iter().any(|(_, other)| other != reason);
    let which =
        if others { format!(" ({first}; others have other reasons)") } else { String::new() };
    Some(format!(
        "{} of {trials} trials are not possible on this backend, and their rows have no figures: \
         {reason}{which}",
        not_possible.len()
    ))
}

/// A note on rows whose repeats are all the same, and whether there are others.
fn identical(rows: &[Row]) -> (Option<String>, bool) {
    let ran = |row: &&Row| row.runs.iter().filter(|run| !run.is_empty()).count() > 1;
    let repeated: Vec<&Row> = rows.iter().filter(ran).collect();
    let (same, varied): (Vec<&Row>, Vec<&Row>) = repeated.iter().partition(|row| is_same(row));
    if same.is_empty() {
        return (None, !varied.is_empty());
    }
    let of = if varied.is_empty() {
        "all settings".to_owned()
    } else {
        let names: Vec<String> = same.iter().take(LISTED).map(|row| name(row)).collect();
        let more = same.len().saturating_sub(LISTED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{} of {} settings ({}{more})", same.len(), repeated.len(), names.join("; "))
    };
    let note = format!(
        "the repeats of {of} are identical to the last digit: the seed decides nothing there, so \
         they are one sample and have no intervals"
    );
    (Some(note), !varied.is_empty())
}

/// Whether no figure differs between the repeats. What the program itself cost is left out: that is
/// of the machine, and differs even where nothing else does.
fn is_same(row: &Row) -> bool {
    let own = |column: &&Column| !matches!(column.name, "cpu_s" | "rss_peak_mb" | "wall_s");
    let figures =
        super::COLUMNS.iter().filter(own).filter_map(|column| row.figures.get(column.name));
    figures.into_iter().all(|found| {
        let mut values = found.values.iter().flatten();
        let first = values.next();
        values.all(|value| Some(value) == first)
    })
}

/// `compute, fifo`, or `compute alone`.
fn name(row: &Row) -> String {
    let job = if row.solo { format!("{} alone", row.job) } else { row.job.clone() };
    let labels = row.point.iter().filter(|(dimension, _)| dimension != "job");
    let labels = labels.map(|(_, label)| label.clone());
    std::iter::once(job).chain(labels).collect::<Vec<_>>().join(", ")
}
