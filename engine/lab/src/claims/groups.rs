//! Which rows a condition is said of.
//!
//! Labels are matched with dimensions, the job being one of them; dimensions that the condition
//! names vary within a group, the others tell groups apart. If it names no dimension of a sweep,
//! aggregates range over all points of the sweeps; jobs stay apart.

use std::collections::{BTreeMap, BTreeSet};

use sage_dsl::experiment::Condition;

use crate::results::{ALL, Row, column};

/// Labels by the number of their dimension.
pub(super) type Binding = BTreeMap<usize, String>;

/// Rows by their labels, and the groups of one condition.
pub(super) struct Groups {
    /// Names of the dimensions; the last is the job.
    dimensions: Vec<String>,
    /// Labels of each row by dimension, with the row's number. Solo runs are not here.
    rows: Vec<(usize, Vec<String>)>,
    /// The groups, in order of the rows.
    pub(super) bindings: Vec<Binding>,
    /// Whether aggregates range over all points, since no dimension of a sweep is named.
    pub(super) over_all: bool,
}

/// The dimension of jobs, in turn or together.
const JOB: &str = "job";

impl Groups {
    pub(super) fn of(condition: &Condition, rows: &[Row]) -> Groups {
        let mut dimensions: Vec<String> = Vec::new();
        for (name, _) in rows.iter().filter(|row| !row.solo).flat_map(|row| &row.point) {
            if name != JOB && !dimensions.contains(name) {
                dimensions.push(name.clone());
            }
        }
        dimensions.push(JOB.into());
        let labels = |row: &Row| {
            let of = |name: &String| {
                let found = row.point.iter().find(|(dimension, _)| dimension == name);
                found.map(|(_, label)| label.clone()).unwrap_or_default()
            };
            let mut labels: Vec<String> =
                dimensions[..dimensions.len() - 1].iter().map(of).collect();
            labels.push(row.job.clone());
            labels
        };
        let rows = rows.iter().enumerate().filter(|(_, row)| !row.solo);
        let rows = rows.map(|(number, row)| (number, labels(row))).collect();
        let mut groups = Groups { dimensions, rows, bindings: Vec::new(), over_all: false };

        let mut named = BTreeSet::new();
        groups.read(condition, &mut named);
        let columns = columns(condition);
        let together = !columns.is_empty() && columns.iter().all(|name| is_together(name));
        let job = groups.dimensions.len() - 1;
        groups.over_all = named.iter().all(|dimension| *dimension == job);
        // Where every figure is one of all points, the points are no groups.
        let one = groups.over_all && groups.is_of_all(condition, named.contains(&job));
        for (_, labels) in &groups.rows {
            if (labels[job] == ALL) != together && !named.contains(&job) {
                continue;
            }
            let apart = (0..labels.len())
                .filter(|dimension| !named.contains(dimension) && (!one || *dimension == job));
            let binding: Binding =
                apart.map(|dimension| (dimension, labels[dimension].clone())).collect();
            if !groups.bindings.contains(&binding) {
                groups.bindings.push(binding);
            }
        }
        groups
    }

    /// Gather the dimensions that a condition names.
    fn read(&self, condition: &Condition, named: &mut BTreeSet<usize>) {
        match condition {
            Condition::Number(_) | Condition::Bool(_) | Condition::Column(_) => {}
            Condition::At { labels, .. } => {
                named.extend(self.bind(labels).unwrap_or_default().keys());
            }
            Condition::Over(_, inner) | Condition::Unary(_, inner) | Condition::Abs(inner) => {
                self.read(inner, named);
            }
            Condition::Binary(_, left, right) => {
                self.read(left, named);
                self.read(right, named);
            }
        }
    }

    /// Whether `condition` looks at rows only within aggregates, and there only at rows of a named
    /// job if it names jobs at all.
    fn is_of_all(&self, condition: &Condition, jobs: bool) -> bool {
        match condition {
            Condition::Number(_) | Condition::Bool(_) => true,
            Condition::Column(_) | Condition::At { .. } => false,
            Condition::Over(_, inner) => !jobs || self.names_job(inner),
            Condition::Unary(_, inner) | Condition::Abs(inner) => self.is_of_all(inner, jobs),
            Condition::Binary(_, left, right) => {
                self.is_of_all(left, jobs) && self.is_of_all(right, jobs)
            }
        }
    }

    /// Whether every column of `condition` is that of a named job.
    fn names_job(&self, condition: &Condition) -> bool {
        match condition {
            Condition::Number(_) | Condition::Bool(_) => true,
            Condition::Column(_) => false,
            Condition::At { labels, .. } => {
                let job = self.dimensions.len() - 1;
                self.bind(labels).is_ok_and(|binding| binding.contains_key(&job))
            }
            Condition::Over(_, inner) | Condition::Unary(_, inner) | Condition::Abs(inner) => {
                self.names_job(inner)
            }
            Condition::Binary(_, left, right) => self.names_job(left) && self.names_job(right),
        }
    }

    /// The dimensions of `labels`; the label as the rows have it, or the short one.
    pub(super) fn bind(&self, labels: &[String]) -> Result<Binding, String> {
        let mut binding = Binding::new();
        for label in labels {
            let among = |fits: fn(&str, &str) -> bool| {
                let dimensions = (0..self.dimensions.len()).filter(|dimension| {
                    !binding.contains_key(dimension)
                        && self.rows.iter().any(|(_, labels)| fits(&labels[*dimension], label))
                });
                dimensions.collect::<Vec<_>>()
            };
            let mut found = among(|have, want| have == want);
            if found.is_empty() {
                found = among(|have, want| short(have) == want);
            }
            match found[..] {
                [dimension] => binding.insert(dimension, label.clone()),
                [] => return Err(format!("no result is labelled `{label}`")),
                [one, other, ..] => {
                    let (one, other) = (&self.dimensions[one], &self.dimensions[other]);
                    return Err(format!("`{label}` is a label of `{one}` and of `{other}`"));
                }
            };
        }
        Ok(binding)
    }

    /// Rows with these labels. What is said of jobs together stands in their common row; that row
    /// is else taken only where it is named.
    pub(super) fn matching(&self, binding: &Binding, column: &str) -> Vec<usize> {
        let job = self.dimensions.len() - 1;
        let fits = |labels: &[String]| {
            let common = labels[job] == ALL;
            if is_together(column) && !common {
                return false;
            }
            let asked = is_together(column) || binding.get(&job).is_some_and(|want| want == ALL);
            let mut wanted =
                binding.iter().filter(|(dimension, _)| !(common && **dimension == job));
            (asked || !common)
                && wanted.all(|(dimension, want)| self.fits(*dimension, &labels[*dimension], want))
        };
        self.rows.iter().filter(|(_, labels)| fits(labels)).map(|(number, _)| *number).collect()
    }

    /// Whether a label is meant: by its whole text, or by the short one if no label is just that.
    fn fits(&self, dimension: usize, have: &str, want: &str) -> bool {
        have == want
            || (short(have) == want
                && !self.rows.iter().any(|(_, labels)| labels[dimension] == want))
    }

    /// Every binding that adds to `binding` the labels of `free` dimensions, in order of the rows.
    pub(super) fn spread(&self, binding: &Binding, free: &[usize], column: &str) -> Vec<Binding> {
        let mut found = Vec::new();
        for number in self.matching(binding, column) {
            let Some((_, labels)) = self.rows.iter().find(|(row, _)| *row == number) else {
                continue;
            };
            let mut wider = binding.clone();
            wider.extend(free.iter().map(|dimension| (*dimension, labels[*dimension].clone())));
            if !found.contains(&wider) {
                found.push(wider);
            }
        }
        found
    }

    /// `binding` without the dimensions of sweeps, and those.
    pub(super) fn all_points(&self, binding: &Binding) -> (Binding, Vec<usize>) {
        let job = self.dimensions.len() - 1;
        let wide = binding.iter().filter(|(dimension, _)| **dimension == job);
        (wide.map(|(dimension, label)| (*dimension, label.clone())).collect(), (0..job).collect())
    }

    /// Numbers of the dimensions that `binding` leaves open.
    pub(super) fn open(&self, binding: &Binding) -> Vec<usize> {
        (0..self.dimensions.len()).filter(|dimension| !binding.contains_key(dimension)).collect()
    }

    /// What a group is called: its labels, the job first.
    pub(super) fn name(&self, binding: &Binding) -> String {
        let job = self.dimensions.len() - 1;
        let others = (0..job).filter_map(|dimension| binding.get(&dimension));
        let labels = binding.get(&job).into_iter().chain(others).map(String::as_str);
        labels.filter(|label| !label.is_empty()).collect::<Vec<_>>().join(", ")
    }

    /// Names of dimensions.
    pub(super) fn names(&self, dimensions: &[usize]) -> String {
        let names: Vec<_> =
            dimensions.iter().map(|dimension| self.dimensions[*dimension].as_str()).collect();
        names.join(", ")
    }
}

/// A policy without its arguments.
fn short(label: &str) -> &str {
    label.split('(').next().unwrap_or(label)
}

fn is_together(name: &str) -> bool {
    column(name).is_some_and(|column| column.together)
}

/// Names of the columns of `condition`.
pub(super) fn columns(condition: &Condition) -> BTreeSet<&str> {
    match condition {
        Condition::Number(_) | Condition::Bool(_) => BTreeSet::new(),
        Condition::Column(column) | Condition::At { column, .. } => BTreeSet::from([&column[..]]),
        Condition::Over(_, inner) | Condition::Unary(_, inner) | Condition::Abs(inner) => {
            columns(inner)
        }
        Condition::Binary(_, left, right) => &columns(left) | &columns(right),
    }
}
