//! The one table all figures end up in.

use std::fmt::Write;

/// One line: a figure beside its target.
struct Line {
    figure: String,
    target: String,
    measured: String,
    ratio: String,
}

/// What was measured so far.
#[derive(Default)]
pub(crate) struct Table {
    lines: Vec<Line>,
    notes: Vec<String>,
}

/// Samples of one figure.
#[derive(Debug, Clone, Default)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    pub(crate) fn push(&mut self, sample: f64) {
        self.0.push(sample);
        self.0.sort_by(f64::total_cmp);
    }

    pub(crate) fn median(&self) -> f64 {
        let n = self.0.len();
        match n {
            0 => f64::NAN,
            _ if n % 2 == 1 => self.0[n / 2],
            _ => f64::midpoint(self.0[n / 2 - 1], self.0[n / 2]),
        }
    }

    pub(crate) fn min(&self) -> f64 {
        self.0.first().copied().unwrap_or(f64::NAN)
    }

    /// Median and least value, with three digits behind the point.
    pub(crate) fn shown(&self, unit: &str) -> String {
        format!("{:.3} {unit} (min {:.3}, n={})", self.median(), self.min(), self.0.len())
    }
}

/// Ratio of two sampled figures, by their medians and by their least values.
pub(crate) fn ratio(ours: &Samples, theirs: &Samples) -> String {
    format!("{:.2} (min {:.2})", ours.median() / theirs.median(), ours.min() / theirs.min())
}

impl Table {
    /// A figure, its target, and what was found.
    pub(crate) fn add(&mut self, figure: &str, target: &str, measured: impl Into<String>) {
        self.add_ratio(figure, target, measured, "");
    }

    /// The same, with a ratio to something measured beside it.
    pub(crate) fn add_ratio(
        &mut self,
        figure: &str,
        target: &str,
        measured: impl Into<String>,
        ratio: impl Into<String>,
    ) {
        let (figure, target) = (figure.to_owned(), target.to_owned());
        self.lines.push(Line { figure, target, measured: measured.into(), ratio: ratio.into() });
    }

    /// A sentence below the table.
    pub(crate) fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    /// As a Markdown table.
    pub(crate) fn render(&self) -> String {
        let mut text = String::from("| figure | target | measured | ratio |\n|---|---|---|---|\n");
        for Line { figure, target, measured, ratio } in &self.lines {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "| {figure} | {target} | {measured} | {ratio} |");
        }
        for note in &self.notes {
            let _ = write!(text, "\n- {note}");
        }
        text + "\n"
    }
}
