//! Tables in plain text: columns as wide as their widest cell.

/// Lines of a table; the first row is its head. The first `left` columns stand to the left, the
/// others, which are numbers, to the right.
pub(crate) fn lines(rows: &[Vec<String>], left: usize) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let cell = |row: &Vec<String>, column: usize| row.get(column).map_or(0, |c| c.chars().count());
    let widths: Vec<usize> = (0..columns)
        .map(|column| rows.iter().map(|row| cell(row, column)).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
            if column < left { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        let line = cells.collect::<Vec<_>>().join("  ");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// `17.71 [17.2, 18.1]`.
pub(super) fn estimate(found: Option<&crate::results::Estimate>) -> String {
    use crate::claims::number;
    match found {
        None => "-".into(),
        Some(found) => match found.interval {
            // The same in every repeat.
            Some((low, high)) if low < high => {
                format!("{} [{}, {}]", number(found.mean), number(low), number(high))
            }
            _ => number(found.mean),
        },
    }
}

/// `+9.3% [8.4, 10.1]`.
pub(super) fn difference(found: Option<&crate::results::Difference>) -> String {
    let percent = |share: f64| format!("{:+.1}", share * 100.0);
    match found {
        None => "-".into(),
        Some(found) => match found.interval {
            Some((low, high)) if low < high => {
                format!("{}% [{}, {}]", percent(found.relative), percent(low), percent(high))
            }
            _ => format!("{}%", percent(found.relative)),
        },
    }
}
