//! Figures that compare rows: speedup over the nodes, differences to the baseline.

use std::collections::BTreeMap;

use super::{Row, value};
use crate::stats;

/// The dimension that speedup is over.
const NODES: &str = "nodes";

/// Speedup and efficiency of each repeat: throughput over that of the same repeat on 1 node, or on
/// the fewest nodes that were run, N0. Efficiency is speedup * N0 / N.
pub(super) fn speedup(more: &mut [Vec<BTreeMap<&'static str, f64>>], rows: &[Row]) {
    for (row, more) in rows.iter().zip(more) {
        let Some(nodes) = nodes_of(row) else { continue };
        let Some((least, base)) = base_of(rows, row) else { continue };
        for (repeat, more) in more.iter_mut().enumerate() {
            let throughput = |row: &Row| value("throughput_per_s", row.runs.get(repeat)?);
            if let (Some(this), Some(base)) = (throughput(row), throughput(base))
                && base > 0.0
            {
                more.insert("speedup", this / base);
                more.insert("efficiency", this / base * least / nodes);
            }
        }
    }
}

/// The row of the same other labels with the fewest nodes that has any result, and these nodes.
fn base_of<'r>(rows: &'r [Row], row: &Row) -> Option<(f64, &'r Row)> {
    let ran = |row: &Row| row.runs.iter().any(|run| value("throughput_per_s", run).is_some());
    let same = rows.iter().filter(|other| same_but(row, other, NODES) && ran(other));
    let counted = same.filter_map(|other| Some((nodes_of(other)?, other)));
    counted.min_by(|(a, _), (b, _)| a.total_cmp(b))
}

/// What speedup and efficiency are relative to, where that is not one node: `speedup and efficiency
/// are relative to 16 nodes, the fewest that were run`.
pub(super) fn base_words(rows: &[Row]) -> Option<String> {
    let shown = rows.iter().filter(|row| row.figures.contains_key("speedup") && !row.solo);
    let mut bases: Vec<f64> = shown.filter_map(|row| Some(base_of(rows, row)?.0)).collect();
    bases.sort_by(f64::total_cmp);
    bases.dedup();
    if bases.iter().all(|nodes| *nodes <= 1.0) {
        return None;
    }
    // Rows may have lost different ones.
    let nodes: Vec<String> = bases.iter().map(f64::to_string).collect();
    let each = if nodes.len() > 1 { " of the same other settings" } else { "" };
    let nodes = nodes.join(" or ");
    Some(format!(
        "speedup and efficiency are relative to {nodes} nodes, the fewest that were run{each}"
    ))
}

/// Number of nodes that a row is labelled with.
fn nodes_of(row: &Row) -> Option<f64> {
    let (_, label) = row.point.iter().find(|(name, _)| name == NODES)?;
    label.parse().ok().filter(|nodes| *nodes > 0.0)
}

/// Whether two rows differ in dimension `except` alone.
fn same_but(one: &Row, other: &Row, except: &str) -> bool {
    let rest = |row: &Row| {
        let rest = row.point.iter().filter(|(name, _)| name != except).cloned();
        rest.collect::<Vec<_>>()
    };
    one.job == other.job && one.solo == other.solo && rest(one) == rest(other)
}

/// The dimension that has `label`, and the label as it stands there: exactly so, or the policy of
/// this name with arguments.
fn dimension_of(rows: &[Row], label: &str) -> Option<(String, String)> {
    let points = || rows.iter().flat_map(|row| &row.point);
    let exact = points().find(|(_, have)| have == label);
    let short = || points().find(|(_, have)| have.split('(').next() == Some(label));
    exact.or_else(short).cloned()
}

/// Compare every row with the baseline's row of the same other labels, repeat by repeat.
pub(super) fn versus(rows: &mut [Row], baseline: Option<&str>, seed: u64) {
    let Some((dimension, label)) = baseline.and_then(|label| dimension_of(rows, label)) else {
        return;
    };
    let is_base = |row: &Row| row.point.contains(&(dimension.clone(), label.clone()));
    for index in 0..rows.len() {
        let row = &rows[index];
        if is_base(row) {
            continue;
        }
        let base = rows.iter().find(|other| is_base(other) && same_but(row, other, &dimension));
        let Some(base) = base else { continue };
        let mut versus = BTreeMap::new();
        for (column, this) in &row.figures {
            let seed = seed ^ stats::seed_of([column.as_str(), row.job.as_str(), "versus"]);
            let found =
                base.figures.get(column).and_then(|base| stats::difference(this, base, seed));
            if let Some(found) = found {
                versus.insert(column.clone(), found);
            }
        }
        rows[index].versus = versus;
    }
}
