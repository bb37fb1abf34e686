//! How good the twin is: its error by each figure, and whether it ranks settings as the real
//! engine does.
//!
//! Two settings that the real engine cannot tell apart have no right order, and tau counts the twin
//! wrong half of the time there. So beside tau stands how often the twin agrees on the pairs whose
//! intervals do not touch.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{COLUMNS, pairs, setting, tau_b};
use crate::results::{ALL, Direction, Results, Row, column};
use crate::stats;

/// The twin's errors.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fidelity {
    /// Version of this shape.
    pub schema: u32,
    /// Name of the experiment.
    pub experiment: String,
    /// What the twin is compared with.
    pub reference: String,
    /// The twin.
    pub twin: String,
    /// By column.
    pub misses: Vec<Miss>,
    /// Which dimension is ranked.
    pub ranked: Option<String>,
    /// By job, other settings and column.
    pub rankings: Vec<Ranking>,
}

/// Error of one column: absolute value of twin / real - 1.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Miss {
    /// Name of the column.
    pub column: &'static str,
    /// Rows that both measured.
    pub rows: usize,
    /// Median over the rows.
    pub median: f64,
    /// The largest.
    pub max: f64,
    /// The row with the largest: job and labels.
    pub worst: String,
}

/// Whether settings are ranked alike.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ranking {
    /// Name of the job, and what else is fixed.
    pub group: String,
    /// Column they are ranked by.
    pub column: &'static str,
    /// Settings ranked.
    pub settings: usize,
    /// Kendall's tau-b; `None` when one of them has no order.
    pub tau: Option<f64>,
    /// Pairs that the real engine tells apart.
    pub clear: usize,
    /// Those of them that the twin puts in the same order.
    pub agreed: usize,
    /// The best setting of the real engine.
    pub best_real: String,
    /// The best setting of the twin.
    pub best_twin: String,
}

/// Columns that settings are ranked by.
const RANKED_BY: [&str; 2] = ["throughput_per_s", "latency_p99_ms"];

impl Fidelity {
    pub(super) fn of(real: &Results, twin: &Results) -> Fidelity {
        let pairs: Vec<_> =
            pairs(real, twin).into_iter().filter(|(row, _)| row.job != ALL).collect();
        let misses = COLUMNS.iter().filter_map(|column| miss(column, &pairs)).collect();
        let ranked = ranked(real, &pairs);
        let rankings =
            ranked.as_deref().map(|dimension| rankings(dimension, &pairs)).unwrap_or_default();
        Fidelity {
            schema: 1,
            experiment: real.experiment.clone(),
            reference: super::name(real),
            twin: super::name(twin),
            misses,
            ranked,
            rankings,
        }
    }
}

fn miss(column: &'static str, pairs: &[(&Row, &Row)]) -> Option<Miss> {
    let mut errors: Vec<(f64, &Row)> = pairs
        .iter()
        .filter_map(|(real, twin)| {
            let error = (twin.mean(column)? / real.mean(column)? - 1.0).abs();
            error.is_finite().then_some((error, *real))
        })
        .collect();
    errors.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    let (max, worst) = *errors.last()?;
    let sorted: Vec<f64> = errors.iter().map(|(error, _)| *error).collect();
    Some(Miss {
        column,
        rows: errors.len(),
        median: stats::quantile(&sorted, 0.5),
        max,
        worst: format!("{} {}", worst.job, setting(worst)).trim().to_owned(),
    })
}

/// The policy, if it is varied, else the first dimension that is.
fn ranked(results: &Results, pairs: &[(&Row, &Row)]) -> Option<String> {
    let varied = |name: &&String| {
        let labels = pairs.iter().filter_map(|(row, _)| row.label(name));
        *name != "job" && labels.collect::<BTreeSet<_>>().len() > 1
    };
    let mut varied = results.dimensions.iter().filter(varied);
    let first = varied.clone().next();
    varied.find(|name| *name == "policy").or(first).cloned()
}

fn rankings(dimension: &str, pairs: &[(&Row, &Row)]) -> Vec<Ranking> {
    let mut groups: Vec<(String, Vec<(&Row, &Row)>)> = Vec::new();
    for (real, twin) in pairs {
        let others = real.point.iter().filter(|(name, _)| name != dimension && name != "job");
        let mut name = real.job.clone();
        others.for_each(|(_, label)| name.push_str(&format!(", {label}")));
        match groups.iter_mut().find(|(have, _)| *have == name) {
            Some((_, rows)) => rows.push((real, twin)),
            None => groups.push((name, vec![(real, twin)])),
        }
    }
    let by = |(name, rows): &(String, Vec<(&Row, &Row)>)| {
        let of = |column| ranking(name, dimension, column, rows);
        RANKED_BY.into_iter().filter_map(of).collect::<Vec<_>>()
    };
    groups.iter().flat_map(by).collect()
}

fn ranking(
    group: &str,
    dimension: &str,
    name: &'static str,
    pairs: &[(&Row, &Row)],
) -> Option<Ranking> {
    let known: Vec<(&Row, f64, f64)> = pairs
        .iter()
        .filter_map(|(real, twin)| Some((*real, real.mean(name)?, twin.mean(name)?)))
        .collect();
    if known.len() < 2 {
        return None;
    }
    let real: Vec<f64> = known.iter().map(|(_, real, _)| *real).collect();
    let twin: Vec<f64> = known.iter().map(|(_, _, twin)| *twin).collect();
    let (mut clear, mut agreed) = (0, 0);
    for i in 0..known.len() {
        for j in 0..i {
            let (one, other) = (known[i].0.figures.get(name), known[j].0.figures.get(name));
            if one.zip(other).is_some_and(|(one, other)| one.apart(other)) {
                clear += 1;
                agreed += usize::from((real[i] > real[j]) == (twin[i] > twin[j]));
            }
        }
    }
    let up = column(name).is_some_and(|column| column.direction == Direction::Up);
    let best = |values: &[f64]| {
        let order = |a: &usize, b: &usize| values[*a].total_cmp(&values[*b]);
        let places = 0..values.len();
        let best = if up { places.max_by(order) } else { places.min_by(order) };
        let label = best.and_then(|best| known[best].0.label(dimension));
        label.unwrap_or_default().to_owned()
    };
    Some(Ranking {
        group: group.to_owned(),
        column: name,
        settings: known.len(),
        tau: tau_b(&real, &twin),
        clear,
        agreed,
        best_real: best(&real),
        best_twin: best(&twin),
    })
}
