//! The columns of results: what claims, objectives and reports may name.

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The more the better.
    Up,
    /// The less the better.
    Down,
    /// Neither.
    Neutral,
}

/// A column.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// As written in programs and files; the unit stands in it.
    pub name: &'static str,
    /// Other names it goes by in programs, such as `throughput`.
    pub aliases: &'static [&'static str],
    /// As shown in tables and plots.
    pub title: &'static str,
    /// Unit, as shown; empty for a number without one.
    pub unit: &'static str,
    /// Which way is better.
    pub direction: Direction,
    /// What it is, in one line.
    pub doc: &'static str,
}

/// Every column, in the order of reports.
pub const COLUMNS: &[Column] = &[Column {
    name: "throughput_per_s",
    aliases: &["throughput"],
    title: "Throughput",
    unit: "tasks/s",
    direction: Direction::Up,
    doc: "completed tasks over the time from the first arrival to the last completion",
}];
