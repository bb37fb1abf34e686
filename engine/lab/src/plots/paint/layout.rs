//! Where everything stands, in dots.

use super::legend::{self, Spot};
use super::text;
use crate::plots::font;
use crate::plots::model::{Panel, Picture, Scale};
use crate::plots::style::{COLUMN, LEADING, PAGE, TEXT, TITLE};
use crate::plots::ticks::ticks;

/// A line of text.
const LINE: f64 = LEADING * TEXT;
/// A line of a row's name, which may have two.
pub(super) const ROW_LINE: f64 = 1.05 * TEXT;
/// Between a tick's end and its words.
const GAP: f64 = 8.0;
/// Ticks of an axis.
const MOST_TICKS: usize = 7;
/// Length of a tick.
pub(super) const TICK: f64 = 7.0;

/// The places of a picture's parts.
pub(super) struct Layout {
    pub(super) size: (u32, u32),
    pub(super) margin: f64,
    pub(super) title: Vec<String>,
    pub(super) title_top: f64,
    pub(super) legend: Vec<Spot>,
    pub(super) places: Vec<Place>,
    pub(super) notes: Vec<String>,
    pub(super) notes_top: f64,
}

/// The place of a panel.
#[derive(Debug, Clone, Default)]
pub(super) struct Place {
    /// The rectangle between the axes.
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) right: f64,
    pub(super) bottom: f64,
    /// Where the sheet of this panel begins and ends, labels included.
    pub(super) from: f64,
    pub(super) to: f64,
    /// Baseline of the title above.
    pub(super) title: f64,
    pub(super) x_ticks: Vec<(f64, String)>,
    pub(super) y_ticks: Vec<(f64, String)>,
    /// Names of rows in lines; empty where the panel at the left has them.
    pub(super) rows: Vec<Vec<String>>,
}

impl Place {
    /// From where to where words of this width below `x` reach, moved so that they stay within the
    /// sheet of the panel.
    pub(super) fn words_at(&self, x: f64, width: f64) -> (f64, f64) {
        let middle = x.min(self.to - width / 2.0).max(self.from + width / 2.0);
        (middle - width / 2.0, middle + width / 2.0)
    }
}

impl Layout {
    pub(super) fn of(picture: &Picture) -> Layout {
        let columns = picture.columns.clamp(1, picture.panels.len().max(1));
        let width = f64::from(if columns > 2 { PAGE } else { COLUMN });
        let margin = 14.0;
        let inner = width - 2.0 * margin;

        let title = text::wrap(&picture.title, TITLE, inner, 2);
        let mut y = margin + title.len() as f64 * LEADING * TITLE + 4.0;
        let (legend, below) = legend::flow(&picture.legend, margin, y, inner);
        y = below;

        let mut places: Vec<Place> = picture.panels.iter().map(|_| Place::default()).collect();
        across(picture, columns, width, margin, &mut places);
        for (line, places) in picture.panels.chunks(columns).zip(places.chunks_mut(columns)) {
            y = down(line, places, y + 8.0);
        }
        for (panel, place) in picture.panels.iter().zip(&mut places) {
            place.x_ticks = across_of(&panel.x.scale, place);
            place.y_ticks = marks_of(&panel.y.scale, place.bottom - place.top, 2.4 * TEXT);
        }

        let notes = text::wrap(&picture.notes.join(" "), TEXT, inner, 8);
        let notes: Vec<String> = notes.into_iter().filter(|line| !line.is_empty()).collect();
        let notes_top = y + 6.0;
        let height = notes_top + notes.len() as f64 * LINE + margin;
        let size = (width as u32, height.ceil() as u32);
        Layout { size, margin, title, title_top: margin, legend, places, notes, notes_top }
    }
}

/// Left and right of all panels, and the names of their rows.
fn across(picture: &Picture, columns: usize, width: f64, margin: f64, places: &mut [Place]) {
    let mut lefts = vec![0.0f64; columns];
    for (index, (panel, place)) in picture.panels.iter().zip(places.iter_mut()).enumerate() {
        let column = index % columns;
        if column > 0 && picture.shared_rows {
            lefts[column] = lefts[column].max(24.0);
            continue;
        }
        let words = match &panel.y.scale {
            Scale::Rows(names) => {
                let share = if columns > 2 { 0.2 } else { 0.34 };
                place.rows =
                    names.iter().map(|name| text::wrap(name, TEXT, share * width, 2)).collect();
                let title = font::width(&panel.y.title, TEXT).min(share * width);
                widest(place.rows.iter().flatten()).max(title)
            }
            scale @ Scale::Numbers { .. } => {
                let ticks = marks_of(scale, panel.height, 2.4 * TEXT);
                widest(ticks.iter().map(|(_, words)| words))
            }
        };
        // The title of rows stands above their names.
        let beside = matches!(panel.y.scale, Scale::Numbers { .. }) && !panel.y.title.is_empty();
        let title = if beside { LINE } else { 0.0 };
        lefts[column] = lefts[column].max(title + words + GAP + TICK);
    }
    // Half of the last label of an axis stands at its right.
    let right = 1.15 * TEXT;
    let gaps = if picture.shared_rows { 0.0 } else { 10.0 * (columns - 1) as f64 };
    let free = width - 2.0 * margin - gaps - lefts.iter().sum::<f64>() - right * columns as f64;
    let each = (free / columns as f64).max(80.0);
    for (index, place) in places.iter_mut().enumerate() {
        let column = index % columns;
        let step = if picture.shared_rows { 0.0 } else { 10.0 };
        let before: f64 = lefts[..column].iter().sum();
        place.from = margin + before + column as f64 * (each + right + step);
        place.left = (place.from + lefts[column]).round();
        place.right = (place.left + each).round();
        place.to = (place.right + right).min(width - 4.0);
    }
}

/// Top and bottom of one line of panels that begins at `top`; returns where it ends.
fn down(panels: &[Panel], places: &mut [Place], top: f64) -> f64 {
    let rows = |panel: &Panel| matches!(panel.y.scale, Scale::Rows(_)) && !panel.y.title.is_empty();
    let titled = panels.iter().any(|panel| !panel.title.is_empty() || rows(panel));
    let begin = top + if titled { LINE + 6.0 } else { 4.0 };
    let mut lines_of_a_row = 1;
    for place in places.iter() {
        lines_of_a_row = place.rows.iter().map(Vec::len).max().unwrap_or(1).max(lines_of_a_row);
    }
    let mut end = begin;
    for (panel, place) in panels.iter().zip(places) {
        let height = match &panel.y.scale {
            Scale::Numbers { .. } => panel.height,
            Scale::Rows(names) => {
                let row = panel.height.max(lines_of_a_row as f64 * ROW_LINE + 6.0);
                row * names.len() as f64
            }
        };
        place.title = top + 0.9 * TEXT;
        place.top = begin.round();
        place.bottom = (begin + height).round();
        let title = if panel.x.title.is_empty() { 0.0 } else { LINE };
        end = f64::max(end, place.bottom + TICK + GAP + LINE + title);
    }
    end
}

/// The ticks of the axis below a panel. Each has its number: where they would run into each other
/// there are fewer.
fn across_of(scale: &Scale, place: &Place) -> Vec<(f64, String)> {
    let length = place.right - place.left;
    if let Scale::Numbers { low, high, log, ticks: None } = scale {
        let most = ((length / (2.3 * TEXT)) as usize).clamp(2, MOST_TICKS);
        let fewer = (2..=most).rev().map(|most| ticks(*low, *high, *log, most));
        if let Some(found) =
            fewer.into_iter().find(|found| apart(scale, found, place).len() == found.len())
        {
            return found;
        }
    }
    let all = marks_of(scale, length, 2.3 * TEXT);
    let kept = apart(scale, &all, place);
    kept.into_iter().map(|index| all[index].clone()).collect()
}

/// Which of `ticks`, from the left, have room for their words.
fn apart(scale: &Scale, ticks: &[(f64, String)], place: &Place) -> Vec<usize> {
    let Scale::Numbers { low, high, log, .. } = scale else { return Vec::new() };
    let share = |at: f64| {
        if *log { (at / low).ln() / (high / low).ln() } else { (at - low) / (high - low) }
    };
    let mut free = f64::NEG_INFINITY;
    let mut kept = Vec::new();
    for (index, (at, words)) in ticks.iter().enumerate() {
        let x = place.left + share(*at) * (place.right - place.left);
        let (begin, end) = place.words_at(x, font::width(words, TEXT));
        if begin >= free {
            kept.push(index);
            free = end + 0.35 * TEXT;
        }
    }
    kept
}

/// The ticks of an axis `length` dots long, where one takes `room` dots.
fn marks_of(scale: &Scale, length: f64, room: f64) -> Vec<(f64, String)> {
    match scale {
        Scale::Rows(_) => Vec::new(),
        Scale::Numbers { ticks: Some(ticks), .. } => ticks.clone(),
        Scale::Numbers { low, high, log, ticks: None } => {
            ticks(*low, *high, *log, ((length / room) as usize).clamp(2, MOST_TICKS))
        }
    }
}

fn widest<'w>(words: impl Iterator<Item = &'w String>) -> f64 {
    words.map(|words| font::width(words, TEXT)).fold(0.0, f64::max)
}
