//! Comparisons for people.

use super::{Comparison, Fidelity, Gap};
use crate::claims::number;
use crate::outputs::lines;
use crate::results::column;

pub(super) fn comparison(comparison: &Comparison) -> String {
    let Comparison { experiment, first, second, rows, .. } = comparison;
    let mut text = format!("{experiment}\n  A  {first}\n  B  {second}\n");
    let mut jobs: Vec<&str> = Vec::new();
    for row in rows.iter().filter(|row| !row.gaps.is_empty()) {
        if !jobs.contains(&row.job.as_str()) {
            jobs.push(&row.job);
        }
    }
    for job in jobs {
        text.push_str(&format!("\n{job}\n"));
        let mut table =
            vec![["setting", "column", "A", "B", "B to A", ""].map(str::to_owned).into()];
        for row in rows.iter().filter(|row| row.job == job) {
            for (number, gap) in row.gaps.iter().enumerate() {
                let setting = if number == 0 { row.setting.clone() } else { String::new() };
                table.push(line(setting, gap));
            }
        }
        text.push_str(&lines(&table, 2));
    }
    text.push_str("\n`=` marks gaps within the intervals of the two: they may be chance.\n");
    for (which, missing) in [("A", &comparison.only_first), ("B", &comparison.only_second)] {
        if !missing.is_empty() {
            text.push_str(&format!("\nonly in {which}: {}\n", missing.join("; ")));
        }
    }
    if let Some(found) = &comparison.fidelity {
        text.push_str(&format!("\n{}", fidelity(found)));
    }
    text
}

fn line(setting: String, gap: &Gap) -> Vec<String> {
    vec![
        setting,
        gap.column.to_owned(),
        number(gap.first),
        number(gap.second),
        gap.relative.map_or_else(|| "-".into(), |gap| format!("{:+.1}%", gap * 100.0)),
        if gap.apart { String::new() } else { "=".into() },
    ]
}

pub(super) fn fidelity(fidelity: &Fidelity) -> String {
    let Fidelity { experiment, reference, twin, misses, ranked, rankings, .. } = fidelity;
    let mut text =
        format!("fidelity of the twin on {experiment}\n  real  {reference}\n  twin  {twin}\n\n");
    let percent = |share: f64| format!("{:.1}%", share * 100.0);
    let mut table =
        vec![["error of", "rows", "median", "max", "largest at"].map(str::to_owned).into()];
    for miss in misses {
        table.push(vec![
            title(miss.column),
            miss.rows.to_string(),
            percent(miss.median),
            percent(miss.max),
            miss.worst.clone(),
        ]);
    }
    text.push_str(&lines(&table, 1));
    let Some(ranked) = ranked else { return text };
    text.push_str(&format!("\nranking of `{ranked}` (Kendall's tau-b)\n"));
    let head = ["group", "by", "settings", "tau", "clear pairs in order", "best real", "best twin"];
    let mut table = vec![head.map(str::to_owned).into()];
    for ranking in rankings {
        table.push(vec![
            ranking.group.clone(),
            title(ranking.column),
            ranking.settings.to_string(),
            ranking.tau.map_or_else(|| "-".into(), |tau| format!("{tau:.2}")),
            format!("{} of {}", ranking.agreed, ranking.clear),
            ranking.best_real.clone(),
            ranking.best_twin.clone(),
        ]);
    }
    text.push_str(&lines(&table, 2));
    text.push_str(
        "Clear pairs are those whose intervals do not touch in the real run; others have no right \
         order. With fewer than 3 repeats there are no intervals, and every difference counts.\n",
    );
    text
}

fn title(name: &str) -> String {
    column(name).map_or(name, |column| column.title).to_owned()
}
