//! Differences to the baseline with their intervals: which of many policies is better, and by how
//! much at least.

use super::Kind;
use crate::plots::data::{Data, job_words, sound};
use crate::plots::fit::{Fit, Side, fit};
use crate::plots::model::{Axis, Beads, Key, Mark, Panel, Picture, Sign, drawable};
use crate::plots::notes::{failures, file_name, source, title};
use crate::plots::rows::{MOST_ROWS, ROW, Table};
use crate::plots::style::{GUIDE, LOOKS, pt, series as look_of};
use crate::plots::ticks::short;
use crate::results::{Column, Difference, Direction, Row, column};

pub(super) const KIND: Kind = Kind {
    pictures: |data, _| {
        Ok(data.parts(MOST_ROWS).iter().filter_map(|part| versus(data, part)).collect())
    },
};

/// Which columns are compared, the first three that there are.
const COLUMNS: [&str; 5] =
    ["throughput_per_s", "latency_mean_ms", "latency_p99_ms", "goodput_per_s", "makespan_s"];

/// So many times what three quarters of the differences do not exceed, and 100 %, is far off.
const FAR: f64 = 4.0;

/// Jobs that can be told apart.
const MOST_JOBS: usize = LOOKS;

fn difference<'r>(row: &'r Row, column: &str) -> Option<&'r Difference> {
    row.versus.get(column).filter(|found| drawable(found.relative))
}

fn versus(whole: &Data<'_>, data: &Data<'_>) -> Option<Picture> {
    let baseline = whole.results.baseline.as_deref()?;
    let any = |column: &str| data.rows.iter().any(|row| difference(row, column).is_some());
    let columns = COLUMNS.into_iter().filter(|column| any(column)).take(3);
    let columns: Vec<&Column> = columns.filter_map(column).collect();
    if columns.is_empty() {
        return None;
    }
    let compared = |row: &Row| columns.iter().any(|column| difference(row, column.name).is_some());
    let table = rows(data).only(compared);
    let jobs = table.panels.len().min(MOST_JOBS);
    let far = columns.iter().any(|column| is_far(&table, column.name));
    let height = ROW.max(pt(if far { 10.0 } else { 6.5 }) * jobs as f64);
    let mut whiskers = false;
    let mut panels = Vec::new();
    for column in &columns {
        let mut marks = Vec::new();
        let most = most(&table, column.name);
        for (job, (title, cells)) in table.panels.iter().enumerate().take(jobs) {
            let look = look_of(job);
            for (row, cell) in cells.iter().enumerate() {
                let at = row as f64 + 0.7 * ((job as f64 + 0.5) / jobs as f64 - 0.5);
                let Some(found) = cell.and_then(|row| difference(row, column.name)) else {
                    continue;
                };
                if found.relative.abs() > most {
                    let arrow = if found.relative > 0.0 { ("", " →") } else { ("← ", "") };
                    let whose = if jobs > 1 { format!("{title}: ") } else { String::new() };
                    let percent = short(100.0 * found.relative);
                    let text = format!("{}{whose}{percent} %{}", arrow.0, arrow.1);
                    marks.push(Mark::Words { row: at, text, right: found.relative > 0.0 });
                    continue;
                }
                if let Some((low, high)) = sound(found.interval) {
                    let (from, to) = ((100.0 * low, at), (100.0 * high, at));
                    marks.push(Mark::Whisker { from, to, look });
                    whiskers = true;
                }
                marks.push(Mark::Dot { at: (100.0 * found.relative, at), look, label: None });
            }
        }
        let points = vec![(0.0, -0.5), (0.0, table.names.len() as f64 - 0.5)];
        marks.push(Mark::Line { points, look: GUIDE, beads: Beads::None });
        let title = match column.direction {
            Direction::Up => "Difference (%), better →",
            Direction::Down => "← better, difference (%)",
            Direction::Neutral => "Difference (%)",
        };
        panels.push(Panel {
            title: column.title.to_owned(),
            x: Axis::of(title),
            y: table.axis(),
            marks,
            height,
        });
    }
    fit(&mut panels, Side::X, Fit::Free);
    let legend = table.panels.iter().take(jobs).enumerate().filter(|_| table.panels.len() > 1);
    let legend =
        legend.map(|(job, (name, _))| Key { sign: Sign::Mark(look_of(job)), label: name.clone() });
    let mut notes = source(data);
    notes.push(if whiskers {
        "Mean over paired repeats; whiskers: 95 % bootstrap interval.".into()
    } else {
        "Mean over paired repeats, too few for an interval.".into()
    });
    notes.extend(failures(data));
    Some(Picture {
        name: file_name(data, "versus"),
        title: title(data, &format!("difference to {baseline}")),
        legend: legend.collect(),
        columns: panels.len(),
        panels,
        shared_rows: true,
        notes,
    })
}

/// Differences beyond it are written instead of drawn: one that is far off would hide all others.
fn most(table: &Table<'_>, column: &str) -> f64 {
    let cells = table.panels.iter().flat_map(|(_, cells)| cells.iter().flatten());
    let found = cells.filter_map(|row| difference(row, column));
    let mut sizes: Vec<f64> = found.map(|found| found.relative.abs()).collect();
    sizes.sort_by(f64::total_cmp);
    let usual = sizes.get(sizes.len() * 3 / 4).copied().unwrap_or(0.0);
    f64::max(FAR * usual, 1.0)
}

/// Whether some difference is written instead of drawn. Its words need a line of their own, clear of
/// the marks of other jobs.
fn is_far(table: &Table<'_>, column: &str) -> bool {
    let most = most(table, column);
    let mut cells = table.panels.iter().flat_map(|(_, cells)| cells.iter().flatten());
    cells.any(|row| difference(row, column).is_some_and(|found| found.relative.abs() > most))
}

/// Points by jobs, the job's name as the title of every panel.
fn rows<'r>(data: &Data<'r>) -> Table<'r> {
    let names = data.names();
    let panel =
        |job: &&str| (job_words(job), names.iter().map(|name| data.find(job, name)).collect());
    let panels = data.jobs.iter().map(panel).collect();
    Table { panels, ..Table::of(data) }
}
