//! Rows as they are shown: a block for each job, the settings as the heads of its rows.

use crate::results::{Column, Results, Row, column};

/// The rows of one job.
pub(crate) struct Block<'r> {
    pub(crate) job: &'r str,
    /// Whether its jobs ran alone, to compare with.
    pub(crate) solo: bool,
    pub(crate) rows: Vec<&'r Row>,
    /// Names of the dimensions that tell its rows apart.
    pub(crate) dimensions: Vec<&'r str>,
}

/// Columns when the experiment names none.
const COLUMNS: [&str; 4] = ["throughput_per_s", "latency_mean_ms", "latency_p99_ms", "balance"];

/// All blocks, in the order of the rows.
pub(crate) fn blocks(results: &Results) -> Vec<Block<'_>> {
    let mut blocks: Vec<Block<'_>> = Vec::new();
    for row in &results.rows {
        match blocks.iter_mut().find(|block| block.job == row.job && block.solo == row.solo) {
            Some(block) => block.rows.push(row),
            None => blocks.push(Block {
                job: &row.job,
                solo: row.solo,
                rows: vec![row],
                dimensions: Vec::new(),
            }),
        }
    }
    for block in &mut blocks {
        let own = |name: &&str| block.rows.iter().any(|row| row.label(name).is_some());
        let names = results.dimensions.iter().map(String::as_str);
        block.dimensions = names.filter(|name| *name != "job").filter(own).collect();
    }
    blocks
}

impl Block<'_> {
    /// `rag`, or `rag alone`.
    pub(crate) fn title(&self) -> String {
        if self.solo { format!("{} alone", self.job) } else { self.job.to_owned() }
    }

    /// The labels of a row, one for each dimension.
    pub(crate) fn labels(&self, row: &Row) -> Vec<String> {
        let labels = self.dimensions.iter();
        labels.map(|name| row.label(name).unwrap_or("-").to_owned()).collect()
    }
}

/// The columns to show in a block: those asked for, with what is said of jobs together in the row
/// of all of them. What none of its rows has is left out there.
pub(crate) fn columns(results: &Results, block: &Block<'_>) -> Vec<&'static Column> {
    let asked: Vec<&'static Column> = if results.report.is_empty() {
        COLUMNS.iter().filter_map(|name| column(name)).collect()
    } else {
        results.report.iter().filter_map(|name| column(name)).collect()
    };
    let known =
        |column: &&Column| block.rows.iter().any(|row| row.figures.contains_key(column.name));
    if block.job != crate::results::ALL {
        let own = asked.into_iter().filter(|column| !column.together);
        let own = own.filter(|column| !block.solo || known(column)).collect();
        return with_success(results, own);
    }
    let together = crate::results::COLUMNS.iter().filter(|column| column.together);
    let mut columns = asked;
    for column in together.chain(column("makespan_s")) {
        if !columns.iter().any(|have| have.name == column.name) {
            columns.push(column);
        }
    }
    columns.retain(known);
    with_success(results, columns)
}

/// `columns`, with the share of records that succeeded if that is not all of them somewhere: figures
/// of the others are only of those records.
pub(crate) fn with_success(
    results: &Results,
    mut columns: Vec<&'static Column>,
) -> Vec<&'static Column> {
    let lost = results.rows.iter().any(|row| row.mean("success").is_some_and(|share| share < 1.0));
    if lost && !columns.iter().any(|column| column.name == "success") {
        columns.extend(column("success"));
    }
    columns
}

/// `Throughput (tasks/s)`, or `P50 decision (µs, assumed)`.
pub(crate) fn heading(results: &Results, column: &Column) -> String {
    let assumed = if column.assumed(results.backend) { "assumed" } else { "" };
    let notes: Vec<&str> =
        [column.unit, assumed].into_iter().filter(|note| !note.is_empty()).collect();
    if notes.is_empty() {
        column.title.to_owned()
    } else {
        format!("{} ({})", column.title, notes.join(", "))
    }
}
