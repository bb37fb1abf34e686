//! Tables as runs write them: a head line, and no value that holds a comma.

use std::collections::HashMap;
use std::path::Path;

use crate::exit::usage;
use crate::regular;

/// See the module.
pub(super) struct Table {
    name: String,
    columns: HashMap<String, usize>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// The table `name` of the run in `folder`.
    pub(super) fn read(folder: &Path, name: &str) -> anyhow::Result<Table> {
        let path = folder.join(name);
        let text = regular::read_text(&path, regular::TABLE).map_err(|error| {
            usage(format!("`{}` is no folder of a run: {name}: {error}", folder.display()))
        })?;
        let split = |line: &str| line.split(',').map(str::to_owned).collect::<Vec<_>>();
        let mut lines = text.lines();
        let head = lines.next().map(split).unwrap_or_default();
        let rows: Vec<Vec<String>> = lines.map(split).collect();
        if let Some(at) = rows.iter().position(|row| row.len() != head.len()) {
            let (line, found, columns) = (at + 2, rows[at].len(), head.len());
            let path = path.display();
            return Err(usage(format!("{path}:{line}: {found} values, the head has {columns}")));
        }
        let columns = head.into_iter().enumerate().map(|(at, name)| (name, at)).collect();
        Ok(Table { name: path.display().to_string(), columns, rows })
    }

    pub(super) fn has(&self, column: &str) -> bool {
        self.columns.contains_key(column)
    }

    /// Number of lines below the head.
    pub(super) fn rows(&self) -> usize {
        self.rows.len()
    }

    /// What is wrong with line `at` below the head.
    pub(super) fn wrong(&self, at: usize, what: impl std::fmt::Display) -> anyhow::Error {
        usage(format!("{}:{}: {what}", self.name, at + 2))
    }

    /// An error unless all these columns are there.
    pub(super) fn must_have<'n>(
        &self,
        columns: impl IntoIterator<Item = &'n str>,
    ) -> anyhow::Result<()> {
        match columns.into_iter().find(|column| !self.has(column)) {
            Some(column) => Err(usage(format!("{}:1: there is no column `{column}`", self.name))),
            None => Ok(()),
        }
    }

    /// The text of a cell; empty when there is none.
    pub(super) fn cell(&self, at: usize, column: &str) -> &str {
        let row = self.rows.get(at).map_or(&[][..], Vec::as_slice);
        self.columns.get(column).and_then(|at| row.get(*at)).map_or("", String::as_str)
    }

    /// A cell that must be there.
    pub(super) fn need<T: std::str::FromStr>(&self, at: usize, column: &str) -> anyhow::Result<T> {
        let cell = self.cell(at, column);
        cell.parse().map_err(|_| self.wrong(at, format!("column `{column}`: cannot read `{cell}`")))
    }

    /// Milliseconds as nanoseconds; `None` for an empty cell.
    pub(super) fn ns(&self, at: usize, column: &str) -> anyhow::Result<Option<u64>> {
        let cell = self.cell(at, column);
        if cell.is_empty() {
            return Ok(None);
        }
        let wrong = || self.wrong(at, format!("column `{column}`: `{cell}` is no time"));
        nanoseconds(cell).map(Some).ok_or_else(wrong)
    }

    /// The same of a cell that must be there.
    pub(super) fn need_ns(&self, at: usize, column: &str) -> anyhow::Result<u64> {
        let found = self.ns(at, column)?;
        found.ok_or_else(|| self.wrong(at, format!("column `{column}`: there is no time")))
    }
}

/// Whole nanoseconds of milliseconds in digits, exactly.
fn nanoseconds(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let part: String = part.chars().chain("000000".chars()).take(6).collect();
    let whole: u64 = whole.parse().ok()?;
    whole.checked_mul(1_000_000)?.checked_add(part.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_to_the_nanosecond() {
        for (text, ns) in [("0", 0), ("1.5", 1_500_000), ("12.000001", 12_000_001)] {
            assert_eq!(nanoseconds(text), Some(ns));
        }
        assert_eq!(nanoseconds("-1"), None);
        assert_eq!(nanoseconds("1.x"), None);
    }
}
