//! `tables.tex`: the tables of the plan (1 to 6), and one of the report's columns for any other
//! experiment, for LaTeX with the package `booktabs`.

use super::blocks::{Block, blocks, columns, heading, with_success};
use crate::claims::number;
use crate::results::{Column, Estimate, Results, column};

/// A table of the plan.
struct Spec {
    experiment: &'static str,
    number: u32,
    title: &'static str,
    columns: &'static [&'static str],
}

/// The tables of the plan, by experiment.
const SPECS: &[Spec] = &[
    Spec {
        experiment: "exp1",
        number: 1,
        title: "Scale-out",
        columns: &[
            "throughput_per_s",
            "speedup",
            "efficiency",
            "latency_mean_ms",
            "latency_p99_ms",
            "balance",
        ],
    },
    Spec {
        experiment: "exp2a",
        number: 2,
        title: "Load levels",
        columns: &["throughput_per_s", "latency_mean_ms", "latency_p99_ms", "balance"],
    },
    Spec {
        experiment: "exp2b",
        number: 3,
        title: "Scheduling operators",
        columns: &[
            "throughput_per_s",
            "balance",
            "decision_p50_us",
            "decision_p99_us",
            "dispatch_p50_us",
            "dispatch_p99_us",
        ],
    },
    Spec {
        experiment: "exp3",
        number: 4,
        title: "Concurrency",
        columns: &["throughput_per_s", "latency_mean_ms", "latency_p99_ms"],
    },
    Spec {
        experiment: "exp3_split",
        number: 5,
        title: "Parts of the latency",
        columns: &[
            "scheduling_mean_ms",
            "queueing_mean_ms",
            "execution_mean_ms",
            "latency_mean_ms",
        ],
    },
    Spec {
        experiment: "exp4a",
        number: 6,
        title: "Isolation of concurrent jobs",
        columns: &["makespan_s", "throughput_per_s", "latency_p99_ms", "balance"],
    },
];

pub(super) fn text(results: &Results) -> String {
    let mut text =
        format!("% {}: {}. Needs \\usepackage{{booktabs}}.\n", results.experiment, results.label());
    let blocks = blocks(results);
    let blocks: Vec<_> = blocks.iter().filter(|block| !block.solo).collect();
    let specs: Vec<&Spec> =
        SPECS.iter().filter(|spec| spec.experiment == results.experiment).collect();
    for spec in &specs {
        let columns = spec.columns.iter().filter_map(|name| column(name)).collect();
        let columns = with_success(results, columns);
        let whose = if results.changed.is_some() { ", changed" } else { " of the plan" };
        let title = format!("Table {}{whose}: {}", spec.number, spec.title);
        let label = format!("{}-{}", results.experiment, spec.number);
        text.push_str(&table(results, &blocks, &columns, &title, &label));
    }
    if specs.is_empty() {
        let mut shown: Vec<&'static Column> = Vec::new();
        for column in blocks.iter().flat_map(|block| columns(results, block)) {
            if !shown.iter().any(|have| have.name == column.name) {
                shown.push(column);
            }
        }
        let title = results.summary.clone().unwrap_or_else(|| results.experiment.clone());
        text.push_str(&table(results, &blocks, &shown, &title, &results.experiment));
    }
    text
}

fn table(
    results: &Results,
    blocks: &[&Block<'_>],
    columns: &[&'static Column],
    title: &str,
    label: &str,
) -> String {
    // The jobs stand in a column if there are several.
    let with_job = blocks.len() > 1;
    let mut dimensions: Vec<&str> = Vec::new();
    for name in blocks.iter().flat_map(|block| &block.dimensions) {
        if !dimensions.contains(name) {
            dimensions.push(name);
        }
    }
    let mut heads: Vec<String> = Vec::new();
    heads.extend(with_job.then(|| "Job".to_owned()));
    heads.extend(dimensions.iter().map(|name| escape(name)));
    let left = heads.len();
    heads.extend(columns.iter().map(|column| escape(&heading(results, column))));
    let mut lines = Vec::new();
    for (number, block) in blocks.iter().enumerate() {
        if number > 0 {
            lines.push("    \\midrule\n".to_owned());
        }
        for (number, row) in block.rows.iter().enumerate() {
            let mut cells: Vec<String> = Vec::new();
            if with_job {
                cells.push(if number == 0 { escape(block.job) } else { String::new() });
            }
            cells.extend(dimensions.iter().map(|name| escape(row.label(name).unwrap_or_default())));
            cells.extend(columns.iter().map(|column| cell(row.figures.get(column.name))));
            lines.push(format!("    {} \\\\\n", cells.join(" & ")));
        }
    }
    format!(
        "\n\\begin{{table}}[t]\n  \\centering\n  \\caption{{{}}}\n  \\label{{tab:{label}}}\n  \
         \\begin{{tabular}}{{{}{}}}\n    \\toprule\n    {} \\\\\n    \\midrule\n{}    \
         \\bottomrule\n  \\end{{tabular}}\n\\end{{table}}\n",
        caption(results, title, columns),
        "l".repeat(left),
        "r".repeat(columns.len()),
        heads.join(" & "),
        lines.concat(),
    )
}

fn caption(results: &Results, title: &str, columns: &[&Column]) -> String {
    let repeats = results.rows.iter().map(|row| row.runs.len()).max().unwrap_or(0);
    let mut text = escape(title);
    if !title.ends_with(['.', '?', '!']) {
        text.push('.');
    }
    text.push_str(&format!(" Figures: {}", escape(results.label())));
    if results.quick {
        text.push_str(", quick run");
    }
    text.push('.');
    if let Some(changed) = &results.changed {
        text.push_str(&format!(" Changed: {}.", escape(changed)));
    }
    let relative = columns.iter().any(|column| matches!(column.name, "speedup" | "efficiency"));
    if let Some(base) = results.speedup_base().filter(|_| relative) {
        text.push_str(&format!(" {}.", escape(&capital(&base))));
    }
    if repeats > 1 {
        text.push_str(&format!(
            " Means over {repeats} repeats{}.",
            if repeats >= crate::stats::FEWEST { " with 95\\,\\% bootstrap intervals" } else { "" }
        ));
    }
    // What the plan asks of jobs that run together fits no column of a job.
    for row in results.asked().filter(|row| row.job == crate::results::ALL) {
        let (Some(shared), Some(gain)) = (row.mean("makespan_s"), row.mean("parallel_gain")) else {
            continue;
        };
        let labels: Vec<&str> = row.point.iter().map(|(_, label)| label.as_str()).collect();
        text.push_str(&format!(
            " {}ogether {}\\,s, one after the other {}\\,s.",
            if labels.is_empty() {
                "T".to_owned()
            } else {
                format!("{}: t", escape(&labels.join(", ")))
            },
            number(shared),
            number(shared * gain),
        ));
    }
    text
}

/// `text` with a large first letter.
fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}

fn cell(found: Option<&Estimate>) -> String {
    match found {
        None => "--".into(),
        Some(found) => match found.interval {
            Some((low, high)) if low < high => {
                format!("{} {{\\scriptsize [{}, {}]}}", minus(found.mean), minus(low), minus(high))
            }
            _ => minus(found.mean),
        },
    }
}

/// A number with a minus sign, not a hyphen.
fn minus(value: f64) -> String {
    match number(value).strip_prefix('-') {
        Some(rest) => format!("$-${rest}"),
        None => number(value),
    }
}

/// Text with all that means something to TeX made harmless.
fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => safe.push_str("\\textbackslash{}"),
            '~' => safe.push_str("\\textasciitilde{}"),
            '^' => safe.push_str("\\textasciicircum{}"),
            '<' => safe.push_str("\\textless{}"),
            '>' => safe.push_str("\\textgreater{}"),
            'µ' => safe.push_str("$\\mu$"),
            '{' | '}' | '$' | '&' | '#' | '_' | '%' => safe.extend(['\\', c]),
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_something_to_tex_is_escaped() {
        assert_eq!(
            escape(r"a_b 50% {x} \y $1 ~^"),
            r"a\_b 50\% \{x\} \textbackslash{}y \$1 \textasciitilde{}\textasciicircum{}"
        );
        assert_eq!(minus(-2.5), "$-$2.5");
    }

    #[test]
    fn the_plan_has_six_tables_of_known_columns() {
        let numbers: Vec<u32> = SPECS.iter().map(|spec| spec.number).collect();
        assert_eq!(numbers, [1, 2, 3, 4, 5, 6]);
        for name in SPECS.iter().flat_map(|spec| spec.columns) {
            assert_eq!(column(name).map(|column| column.name), Some(*name));
        }
    }
}
