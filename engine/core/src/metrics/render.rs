//! The summary as plain text, for `summary.txt` and the end of a run.

use std::fmt::{self, Display, Write};

use super::{NodeSummary, Summary};

const BAR: usize = 40;
/// Nodes that have a line each, if there are no more.
const MOST_NODES: usize = 32;
/// Lines of more nodes than that.
const SHOWN: usize = 9;

/// Renders a summary below a heading of names and values (pipeline, endpoint, scheduler). The
/// endpoint's value must say so when it is a simulated one; nothing here can know.
pub fn summary_text(summary: &Summary, heading: &[(&str, String)]) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = render(&mut text, summary, heading);
    text
}

fn render(out: &mut String, summary: &Summary, heading: &[(&str, String)]) -> fmt::Result {
    for (name, value) in heading {
        writeln!(out, "{name:<12}{value}")?;
    }
    if !heading.is_empty() {
        writeln!(out)?;
    }
    let counts = &summary.counts;
    writeln!(
        out,
        "records     in {} = ok {} + dead {} + late {} + pending {}",
        counts.tasks_in,
        counts.tasks_ok,
        counts.tasks_dead,
        counts.tasks_late,
        counts.tasks_pending
    )?;
    let retries = if summary.retries == 1 { "retry" } else { "retries" };
    writeln!(
        out,
        "throughput  {} ok/s over {}, {} {retries}",
        Cell(summary.throughput_per_s),
        Span(summary),
        summary.retries
    )?;
    if summary.goodput_per_s.is_some() {
        writeln!(out, "goodput     {} ok/s within the deadline", Cell(summary.goodput_per_s))?;
    }
    writeln!(
        out,
        "balance     {} by records, {} by busy time; slots {} busy",
        Percent(summary.balance),
        Percent(summary.busy_balance),
        Percent(summary.utilization)
    )?;
    writeln!(
        out,
        "overhead    decision p50 {} us, p99 {} us; dispatch p50 {} us, p99 {} us",
        Cell(summary.decision_p50_us),
        Cell(summary.decision_p99_us),
        Cell(summary.dispatch_p50_us),
        Cell(summary.dispatch_p99_us)
    )?;
    spent(out, summary)?;
    latency(out, summary)?;
    nodes(out, summary)?;
    stages(out, summary)?;
    first_tokens(out, summary)
}

/// What was paid for, if anything was asked of an endpoint.
/// The time that throughput is counted over. It ends with the last ok record: where others ended
/// later, the reader is told of both ends, lest a run whose tail failed looks faster than it was.
struct Span<'a>(&'a Summary);

impl Display for Span<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary { makespan_s, throughput_per_s, counts, .. } = self.0;
        let until_ok =
            throughput_per_s.filter(|rate| *rate > 0.0).map(|rate| counts.tasks_ok as f64 / rate);
        match (until_ok, makespan_s) {
            (Some(until_ok), Some(all)) if until_ok < all * 0.99 => {
                write!(
                    f,
                    "{} s until the last ok record, {} s in all",
                    Cell(Some(until_ok)),
                    Cell(*makespan_s)
                )
            }
            _ => write!(f, "{} s", Cell(*makespan_s)),
        }
    }
}

fn spent(out: &mut String, summary: &Summary) -> fmt::Result {
    let tokens = summary.prompt_tokens.saturating_add(summary.completion_tokens);
    if tokens == 0 && summary.cached == 0 {
        return Ok(());
    }
    write!(out, "tokens      {} in, {} out", summary.prompt_tokens, summary.completion_tokens)?;
    if let Some(cost) = summary.cost {
        write!(out, "; cost {}", Money(cost))?;
    }
    match summary.cached {
        0 => {}
        1 => write!(out, "; 1 answer from the journal")?,
        answers => write!(out, "; {answers} answers from the journal")?,
    }
    writeln!(out)
}

fn latency(out: &mut String, summary: &Summary) -> fmt::Result {
    write!(out, "\n{:<14}", "latency, ms")?;
    for name in ["mean", "p50", "p90", "p99", "max"] {
        write!(out, "{name:>12}")?;
    }
    writeln!(out)?;
    for (name, [mean, p50, p90, _, p99, max]) in summary.parts() {
        write!(out, "{:<14}", if name == "latency" { "total" } else { name })?;
        for value in [mean, p50, p90, p99, max] {
            write!(out, "{:>12}", Cell(value).to_string())?;
        }
        writeln!(out)?;
    }
    if summary.warmup_excluded > 0 {
        writeln!(out, "  without the first {} records (warm-up)", summary.warmup_excluded)?;
    }
    if summary.splits_missing > 0 {
        writeln!(out, "  {} records count in the total only", summary.splits_missing)?;
    }
    Ok(())
}

fn nodes(out: &mut String, summary: &Summary) -> fmt::Result {
    let most = summary.nodes.iter().map(|node| node.tasks).max().unwrap_or(0).max(1);
    writeln!(out, "\n{:<6}{:>10}{:>12}", "node", "records", "busy, s")?;
    let mut shown: Vec<&NodeSummary> = summary.nodes.iter().collect();
    if shown.len() > MOST_NODES {
        shown.sort_by_key(|node| (node.tasks, node.node));
        let last = shown.len() - 1;
        shown = (0..SHOWN).map(|at| shown[last * at / (SHOWN - 1)]).collect();
    }
    for node in &shown {
        // Rounded up: a node that did anything shows a mark.
        let marks = (u128::from(node.tasks) * BAR as u128).div_ceil(u128::from(most)) as usize;
        let line = format!(
            "{:<6}{:>10}{:>12}  {}",
            node.node,
            node.tasks,
            Cell(Some(node.busy_s)).to_string(),
            "#".repeat(marks)
        );
        writeln!(out, "{}", line.trim_end())?;
    }
    if shown.len() < summary.nodes.len() {
        let (all, some) = (summary.nodes.len(), shown.len());
        writeln!(
            out,
            "  {some} of {all} nodes, from the fewest records to the most; all are in metrics.json"
        )?;
    }
    Ok(())
}

fn stages(out: &mut String, summary: &Summary) -> fmt::Result {
    if summary.stages.is_empty() {
        return Ok(());
    }
    let width = summary.stages.iter().map(|stage| stage.name.chars().count()).max().unwrap_or(0);
    let width = width.max(12) + 2;
    writeln!(
        out,
        "\n{:<width$}{:>10}{:>12}{:>12}{:>14}{:>14}{}",
        "stage",
        "calls",
        "mean, ms",
        "p99, ms",
        "tokens in",
        "tokens out",
        if summary.cost.is_some() { format!("{:>14}", "cost") } else { String::new() }
    )?;
    for stage in &summary.stages {
        writeln!(
            out,
            "{:<width$}{:>10}{:>12}{:>12}{:>14}{:>14}{}",
            stage.name,
            stage.calls,
            Cell(stage.mean_ms).to_string(),
            Cell(stage.p99_ms).to_string(),
            stage.prompt_tokens,
            stage.completion_tokens,
            stage.cost.map_or_else(String::new, |cost| format!("{:>14}", Money(cost).to_string()))
        )?;
    }
    Ok(())
}

fn first_tokens(out: &mut String, summary: &Summary) -> fmt::Result {
    let streamed = summary.stages.iter().filter(|stage| stage.ttft_p50_ms.is_some());
    for (i, stage) in streamed.enumerate() {
        writeln!(
            out,
            "{}first token of {}: p50 {} ms, p95 {} ms, p99 {} ms",
            if i == 0 { "\n" } else { "" },
            stage.name,
            Cell(stage.ttft_p50_ms),
            Cell(stage.ttft_p95_ms),
            Cell(stage.ttft_p99_ms)
        )?;
    }
    Ok(())
}

/// An amount: small ones keep three digits that say something.
struct Money(f64);

impl Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let leading = if self.0 > 0.0 { -self.0.log10().floor() } else { 0.0 };
        let digits = (leading + 2.0).clamp(2.0, 9.0) as usize;
        write!(f, "{:.digits$}", self.0)
    }
}

/// A number with about four digits, or a dash for one that was not measured.
struct Cell(Option<f64>);

impl Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("-"),
            Some(x) if x.abs() >= 1000.0 => write!(f, "{x:.0}"),
            Some(x) if x.abs() >= 100.0 => write!(f, "{x:.1}"),
            Some(x) if x.abs() >= 10.0 => write!(f, "{x:.2}"),
            Some(x) => write!(f, "{x:.3}"),
        }
    }
}

struct Percent(Option<f64>);

impl Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("-"),
            Some(share) => write!(f, "{:.1} %", share * 100.0),
        }
    }
}
