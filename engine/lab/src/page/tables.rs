//! The figures in tables, one for each job: mean, interval, difference to the baseline.

use crate::claims::number;
use crate::outputs::blocks::{Block, blocks, columns, heading};
use crate::plots::escape;
use crate::results::{Column, Difference, Direction, Estimate, Results, Row};

pub(super) fn section(results: &Results) -> String {
    let mut text = String::from("<h2>Figures</h2>\n");
    let blocks = blocks(results);
    if blocks.is_empty() {
        text.push_str("<p>There are none: no trial has a result.</p>\n");
        return text;
    }
    text.push_str(&format!(
        "<p>{} Below each mean stands its 95 % interval, if there are enough repeats{}. \
         <span class=\"screen\">Click on a heading to sort.</span></p>\n",
        escape(&sentence(results.label())),
        if results.baseline.is_some() { ", and the difference to the baseline" } else { "" }
    ));
    blocks.iter().for_each(|block| text.push_str(&table(results, block)));
    text
}

/// A label as a sentence of its own.
fn sentence(label: &str) -> String {
    let mut letters = label.chars();
    let first = letters.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(letters).chain(['.']).collect()
}

fn table(results: &Results, block: &Block<'_>) -> String {
    let columns = columns(results, block);
    let mut text = format!(
        "<h3>{}</h3>\n<div class=\"scroll\"><table class=\"sorted\">\n<thead><tr>",
        escape(&block.title())
    );
    for name in &block.dimensions {
        text.push_str(&format!("<th class=\"name\">{}</th>", escape(name)));
    }
    for column in &columns {
        text.push_str(&format!(
            "<th title=\"{}\">{}</th>",
            escape(column.doc),
            escape(&heading(results, column))
        ));
    }
    text.push_str("</tr></thead>\n<tbody>\n");
    for row in &block.rows {
        let labels = block.labels(row);
        let base = results.baseline.as_ref().is_some_and(|base| labels.contains(base));
        text.push_str(if base { "<tr class=\"baseline\">" } else { "<tr>" });
        for label in labels {
            text.push_str(&format!("<td class=\"name\">{}</td>", escape(&label)));
        }
        columns.iter().for_each(|column| text.push_str(&cell(row, column)));
        text.push_str("</tr>\n");
    }
    text.push_str("</tbody>\n</table></div>\n");
    text
}

fn cell(row: &Row, column: &Column) -> String {
    let Some(found) = row.figures.get(column.name).filter(|found| found.mean.is_finite()) else {
        return "<td data-value=\"NaN\" title=\"not measured\">–</td>".to_owned();
    };
    let interval = interval(found);
    let versus = row.versus.get(column.name).map_or(String::new(), |by| versus(by, column));
    let mean = escape(&number(found.mean));
    format!("<td data-value=\"{}\">{mean}{interval}{versus}</td>", found.mean)
}

fn interval(found: &Estimate) -> String {
    match found.interval {
        Some((low, high)) if low < high => {
            format!("<small>[{}, {}]</small>", escape(&number(low)), escape(&number(high)))
        }
        _ => String::new(),
    }
}

/// `+9.3 % [8.4, 10.1]`, marked as better or worse if the whole interval is.
fn versus(by: &Difference, column: &Column) -> String {
    if !by.relative.is_finite() {
        return String::new();
    }
    let percent = |share: f64| format!("{:+.1}", 100.0 * share);
    let interval = by.interval.filter(|(low, high)| low < high);
    let words = interval
        .map_or(String::new(), |(low, high)| format!(" [{}, {}]", percent(low), percent(high)));
    let sure = interval.and_then(|(low, high)| match column.direction {
        Direction::Neutral => None,
        Direction::Up if low > 0.0 => Some("better"),
        Direction::Up if high < 0.0 => Some("worse"),
        Direction::Down if high < 0.0 => Some("better"),
        Direction::Down if low > 0.0 => Some("worse"),
        _ => None,
    });
    let (class, verdict) = sure.map_or((String::new(), String::new()), |word| {
        (format!(" class=\"{word}\""), format!(" {word}"))
    });
    format!("<small{class}>{} %{words}{verdict}</small>", percent(by.relative))
}

/// What the columns mean.
pub(super) fn glossary(results: &Results) -> String {
    let mut shown: Vec<&Column> = Vec::new();
    for block in blocks(results) {
        for column in columns(results, &block) {
            if !shown.iter().any(|have| have.name == column.name) {
                shown.push(column);
            }
        }
    }
    if shown.is_empty() {
        return String::new();
    }
    let lines: String = shown
        .into_iter()
        .map(|column| {
            format!(
                "<dt>{}</dt><dd><code>{}</code>: {}</dd>\n",
                escape(&heading(results, column)),
                escape(column.name),
                escape(column.doc)
            )
        })
        .collect();
    format!("<h2>Columns</h2>\n<dl>\n{lines}</dl>\n")
}
