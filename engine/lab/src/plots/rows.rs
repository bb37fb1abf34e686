//! Charts of rows: one for each point, its name at the left, and a panel for each job.
//!
//! Names of policies with their arguments are long; lying rows have room for them where upright
//! bars would need turned or cut labels.

use super::data::{Data, job_words};
use super::model::{Axis, Key, Panel, Picture, Scale};
use super::notes::{file_name, title};
use super::style::pt;
use crate::results::Row;

/// More rows than these are spread over several pictures.
pub(super) const MOST_ROWS: usize = 36;
/// Height of a row with one mark or bar, in dots.
pub(super) const ROW: f64 = pt(10.0);
/// Panels side by side.
const MOST_COLUMNS: usize = 4;

/// Points by jobs.
#[derive(Debug, Clone)]
pub(super) struct Table<'r> {
    /// What the names are: the dimensions.
    pub(super) title: String,
    /// Names of the rows.
    pub(super) names: Vec<String>,
    /// Title of each panel, and its cells in the order of the rows.
    pub(super) panels: Vec<(String, Vec<Option<&'r Row>>)>,
}

impl<'r> Table<'r> {
    /// The table of `data`. With a single point the jobs are its rows.
    pub(super) fn of(data: &Data<'r>) -> Table<'r> {
        let names = data.names();
        if let [only] = names.as_slice() {
            let cells = data.jobs.iter().map(|job| data.find(job, only)).collect();
            let jobs: Vec<String> = data.jobs.iter().map(|job| job_words(job)).collect();
            let title = if jobs.len() > 1 { "job".to_owned() } else { String::new() };
            return Table { title, names: jobs, panels: vec![(only.clone(), cells)] };
        }
        let panel = |job: &&str| {
            let cells = names.iter().map(|name| data.find(job, name)).collect();
            let title = if data.jobs.len() > 1 { job_words(job) } else { String::new() };
            (title, cells)
        };
        let panels = data.jobs.iter().map(panel).collect();
        let title = data.dimensions.join(", ").replace('_', " ");
        Table { title, names, panels }
    }

    /// Only panels in which `shown` holds of some row.
    pub(super) fn with(mut self, shown: impl Fn(&Row) -> bool) -> Table<'r> {
        self.panels.retain(|(_, cells)| cells.iter().flatten().any(|row| shown(row)));
        self
    }

    /// The axis of the rows.
    pub(super) fn axis(&self) -> Axis {
        Axis { title: self.title.clone(), scale: Scale::Rows(self.names.clone()) }
    }

    /// Only rows of which `shown` holds in some panel.
    pub(super) fn only(mut self, shown: impl Fn(&Row) -> bool) -> Table<'r> {
        let keep: Vec<bool> = (0..self.names.len())
            .map(|index| self.panels.iter().any(|(_, cells)| cells[index].is_some_and(&shown)))
            .collect();
        let kept = |index: &usize| keep[*index];
        let indices: Vec<usize> = (0..self.names.len()).filter(kept).collect();
        self.names = indices.iter().map(|index| self.names[*index].clone()).collect();
        for (_, cells) in &mut self.panels {
            *cells = indices.iter().map(|index| cells[*index]).collect();
        }
        self
    }
}

/// A picture of panels with the same rows.
pub(super) fn picture(
    data: &Data<'_>,
    kind: &str,
    what: &str,
    legend: Vec<Key>,
    panels: Vec<Panel>,
    notes: Vec<String>,
) -> Picture {
    Picture {
        name: file_name(data, kind),
        title: title(data, what),
        legend,
        columns: panels.len().min(MOST_COLUMNS),
        panels,
        shared_rows: true,
        notes,
    }
}
