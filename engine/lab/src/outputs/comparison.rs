//! `comparison.txt`: which setting is best by each column, and how far the others are from the
//! baseline.

use super::blocks::{Block, blocks, columns, heading};
use super::summary::{repeats, word};
use super::table;
use crate::claims::number;
use crate::results::{Column, Direction, Results, Row};

pub(super) fn text(results: &Results) -> String {
    let quick = if results.quick { ", quick run" } else { "" };
    let mut text = format!("{}: {}{quick}\n", results.experiment, results.label());
    if let Some(changed) = &results.changed {
        text.push_str(&format!("changed: {changed}\n"));
    }
    for block in blocks(results).iter().filter(|block| !block.solo) {
        text.push_str(&format!("\n{}\n", block.title()));
        text.push_str(&best(results, block));
        if let Some(baseline) = &results.baseline {
            text.push_str(&versus(results, block, baseline));
        }
    }
    if !results.claims.is_empty() {
        text.push_str("\nclaims\n");
        for claim in &results.claims {
            let (word, repeats) = (word(claim.outcome), repeats(claim));
            text.push_str(&format!("  {word:<15}{}{repeats}\n", claim.text));
        }
    }
    text.push_str(
        "\nDifferences are means over pairs of repeats with the same seed, with their 95 % interval \
         (percentile bootstrap); one that holds 0 says that there may be no difference.\n",
    );
    text.push_str("\nnotes\n");
    results.notes.iter().for_each(|note| text.push_str(&format!("  - {note}\n")));
    text
}

/// The best row by each column that has a better way, and who cannot be told from it.
fn best(results: &Results, block: &Block<'_>) -> String {
    let mut rows =
        vec![vec!["best by".to_owned(), "setting".into(), "value".into(), String::new()]];
    for column in columns(results, block) {
        let Some(best) = best_row(block, column) else { continue };
        if block.rows.len() < 2 {
            continue;
        }
        let near: Vec<String> = block
            .rows
            .iter()
            .filter(|row| !std::ptr::eq(**row, best) && !apart(row, best, column))
            .map(|row| name(block, row))
            .collect();
        let near = match near.len() {
            0 => String::new(),
            all if all + 1 == block.rows.len() => "none is clearly worse".to_owned(),
            _ => format!("not clearly: intervals overlap with {}", near.join("; ")),
        };
        rows.push(vec![
            heading(results, column),
            name(block, best),
            number(best.mean(column.name).unwrap_or_default()),
            near,
        ]);
    }
    if rows.len() > 1 { table::lines(&rows, 4) } else { String::new() }
}

/// The row with the best mean; of several such the first.
pub(super) fn best_row<'r>(block: &Block<'r>, column: &Column) -> Option<&'r Row> {
    let known = block.rows.iter().filter_map(|row| Some((row.mean(column.name)?, *row)));
    let by = |a: &(f64, &Row), b: &(f64, &Row)| a.0.total_cmp(&b.0);
    let found = match column.direction {
        // Of equals, `max_by` takes the last.
        Direction::Up => known.rev().max_by(by),
        Direction::Down => known.min_by(by),
        Direction::Neutral => None,
    };
    found.map(|(_, row)| row)
}

/// Whether two rows can be told from each other.
fn apart(one: &Row, other: &Row, column: &Column) -> bool {
    let figures = one.figures.get(column.name).zip(other.figures.get(column.name));
    figures.is_none_or(|(one, other)| one.apart(other))
}

fn versus(results: &Results, block: &Block<'_>, baseline: &str) -> String {
    if block.rows.iter().all(|row| row.versus.is_empty()) {
        return String::new();
    }
    let columns = columns(results, block);
    let mut head: Vec<String> = block.dimensions.iter().map(|name| (*name).to_owned()).collect();
    head.extend(columns.iter().map(|column| column.title.to_owned()));
    let mut rows = vec![head];
    for row in block.rows.iter().filter(|row| !row.versus.is_empty()) {
        let mut cells = block.labels(row);
        let differences = columns.iter().map(|column| row.versus.get(column.name));
        cells.extend(differences.map(table::difference));
        rows.push(cells);
    }
    format!("against {baseline}\n{}", table::lines(&rows, block.dimensions.len()))
}

fn name(block: &Block<'_>, row: &Row) -> String {
    block.labels(row).join(", ")
}
