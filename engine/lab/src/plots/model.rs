//! What is in a picture, before anything is laid out: panels with axes and marks in the units of
//! the data.
//!
//! The kinds of plots make pictures of results without a thought of dots, and `paint` makes dots
//! of any picture without a thought of results.

use super::style::Look;

/// One picture, hence one PNG and one SVG.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Picture {
    /// Base name of its files.
    pub(super) name: String,
    pub(super) title: String,
    pub(super) legend: Vec<Key>,
    pub(super) panels: Vec<Panel>,
    /// Panels side by side.
    pub(super) columns: usize,
    /// Whether the panels of a line have the same rows, so that their names stand once, at the left.
    pub(super) shared_rows: bool,
    /// Sentences under the picture: what the numbers are, how many repeats, what whiskers mean.
    pub(super) notes: Vec<String>,
}

/// An entry of the legend.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Key {
    pub(super) sign: Sign,
    pub(super) label: String,
}

/// What stands before the words of a legend's entry.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Sign {
    /// A line with its mark.
    Line(Look),
    /// A line without a mark.
    Plain(Look),
    /// A mark.
    Mark(Look),
    /// A filled box.
    Box(Look),
    /// A short word, such as the number of a mark.
    Word(String),
}

/// One pair of axes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Panel {
    /// Empty for a picture of one panel, mostly.
    pub(super) title: String,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) marks: Vec<Mark>,
    /// Height between the axes in dots; of rows, that of one row.
    pub(super) height: f64,
}

/// An axis.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Axis {
    /// What it is, with its unit; may be empty.
    pub(super) title: String,
    pub(super) scale: Scale,
}

impl Axis {
    /// An axis of numbers, to be fitted to what is on it.
    pub(super) fn of(title: impl Into<String>) -> Axis {
        Axis { title: title.into(), scale: Scale::numbers(0.0, 1.0, false) }
    }
}

/// What an axis counts.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Scale {
    /// Numbers from `low` to `high`.
    Numbers {
        low: f64,
        high: f64,
        log: bool,
        /// Where ticks stand and what they say; `None` leaves it to the painter.
        ticks: Option<Vec<(f64, String)>>,
    },
    /// Names, the first at the top; the row `i` is at `i`, from `i - 0.5` to `i + 0.5`.
    Rows(Vec<String>),
}

/// Where marks stand on a line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Beads {
    /// At no point.
    None,
    /// At every point.
    All,
    /// At so many points, evenly over the line. The phase, from 0 to 1, moves them along, so that
    /// the marks of lines that lie close together do not cover each other.
    Some { count: usize, phase: f64 },
}

/// Something to draw, in data units.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Mark {
    /// A line through points.
    Line { points: Vec<(f64, f64)>, look: Look, beads: Beads },
    /// A mark, with a name if there is room.
    Dot { at: (f64, f64), look: Look, label: Option<String> },
    /// An interval with ends.
    Whisker { from: (f64, f64), to: (f64, f64), look: Look },
    /// A filled box.
    Bar { from: (f64, f64), to: (f64, f64), look: Look },
    /// A thick or thin bare line, of guides and ranges.
    Rule { from: (f64, f64), to: (f64, f64), look: Look, thick: bool },
    /// Words at the left or the right end of a row.
    Words { row: f64, text: String, right: bool },
}

/// Panels side by side, of so many: a hole in the last line is ugly.
pub(super) fn side_by_side(panels: usize) -> usize {
    match panels {
        0..=3 => panels.max(1),
        4 => 2,
        _ => 3,
    }
}

impl Scale {
    /// From `low` to `high`, with ticks as the painter likes.
    pub(super) fn numbers(low: f64, high: f64, log: bool) -> Scale {
        Scale::Numbers { low, high, log, ticks: None }
    }
}

/// Whether a value has a place on paper. Larger ones are no measurements.
pub(super) fn drawable(value: f64) -> bool {
    value.is_finite() && value.abs() < 1e100
}
