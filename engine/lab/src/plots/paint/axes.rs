//! The axes of a panel: grid, ticks, their words and titles.

use plotters::element::PathElement;
use plotters::style::{Color, RGBColor};

use super::layout::{Place, ROW_LINE, TICK};
use super::plane::Plane;
use super::text::{self, Anchor, dots};
use super::{Area, Painted};
use crate::plots::font;
use crate::plots::model::{Axis, Mark, Panel, Scale};
use crate::plots::style::{GRID, INK, LEADING, SOFT, TEXT};

/// What lies under the data: the grid.
pub(super) fn under(plane: &Plane<'_, '_>, panel: &Panel, place: &Place) -> Painted {
    let (low, high) = (place.top, place.bottom);
    for (at, _) in &place.x_ticks {
        if let Some(x) = plane.tick(*at, true) {
            stroke(plane.area, [(x, low), (x, high)], GRID, 1)?;
        }
    }
    for (at, _) in &place.y_ticks {
        if let Some(y) = plane.tick(*at, false) {
            stroke(plane.area, [(place.left, y), (place.right, y)], GRID, 1)?;
        }
    }
    // Marks of a row stand between lines; bars show by themselves where they belong.
    if let Scale::Rows(names) = &panel.y.scale
        && panel.marks.iter().any(|mark| matches!(mark, Mark::Dot { .. }))
    {
        let height = (high - low) / names.len().max(1) as f64;
        for row in 0..names.len() {
            let y = low + row as f64 * height;
            stroke(plane.area, [(place.left, y), (place.right, y)], GRID, 1)?;
        }
    }
    Ok(())
}

/// What lies over it: lines, ticks and words.
pub(super) fn over(plane: &Plane<'_, '_>, panel: &Panel, place: &Place) -> Painted {
    let area = plane.area;
    let corner = (place.left, place.bottom);
    stroke(area, [(place.left, place.top), corner], INK, 2)?;
    stroke(area, [corner, (place.right, place.bottom)], INK, 2)?;
    if !panel.title.is_empty() {
        let words = text::shorten(&panel.title, TEXT, place.to - place.left);
        text::write(area, &words, (place.left, place.title), Anchor::Start, TEXT, INK, false)?;
    }
    horizontal(plane, panel, place)?;
    vertical(plane, panel, place)
}

fn horizontal(plane: &Plane<'_, '_>, panel: &Panel, place: &Place) -> Painted {
    let baseline = place.bottom + TICK + 4.0 + 0.8 * TEXT;
    for (at, words) in &place.x_ticks {
        let Some(x) = plane.tick(*at, true) else { continue };
        stroke(plane.area, [(x, place.bottom), (x, place.bottom + TICK)], INK, 2)?;
        let (begin, end) = place.words_at(x, font::width(words, TEXT));
        let middle = f64::midpoint(begin, end);
        text::write(plane.area, words, (middle, baseline), Anchor::Middle, TEXT, INK, false)?;
    }
    let title = titled(&panel.x);
    if title.is_empty() {
        return Ok(());
    }
    let room = place.to - place.from;
    let words = text::shorten(&title, TEXT, room);
    let half = font::width(&words, TEXT) / 2.0;
    let middle = f64::midpoint(place.left, place.right).min(place.to - half).max(place.from + half);
    let baseline = baseline + LEADING * TEXT;
    text::write(plane.area, &words, (middle, baseline), Anchor::Middle, TEXT, INK, false)
}

fn vertical(plane: &Plane<'_, '_>, panel: &Panel, place: &Place) -> Painted {
    let area = plane.area;
    let end = place.left - TICK - 5.0;
    for (at, words) in &place.y_ticks {
        let Some(y) = plane.tick(*at, false) else { continue };
        stroke(area, [(place.left - TICK, y), (place.left, y)], INK, 2)?;
        text::write(area, words, (end, y + 0.35 * TEXT), Anchor::End, TEXT, INK, false)?;
    }
    let height = (place.bottom - place.top) / place.rows.len().max(1) as f64;
    for (row, lines) in place.rows.iter().enumerate() {
        let middle = place.top + (row as f64 + 0.5) * height;
        let above = (lines.len() as f64 - 1.0) / 2.0;
        for (line, words) in lines.iter().enumerate() {
            let y = middle + (line as f64 - above) * ROW_LINE + 0.35 * TEXT;
            text::write(area, words, (end, y), Anchor::End, TEXT, INK, false)?;
        }
    }
    let title = titled(&panel.y);
    if title.is_empty() {
        return Ok(());
    }
    if matches!(panel.y.scale, Scale::Rows(_)) {
        // Above the names of the rows, where the panel at the left has them.
        if place.rows.is_empty() {
            return Ok(());
        }
        let words = text::shorten(&title, TEXT, end - place.from);
        return text::write(
            area,
            &words,
            (place.from, place.title),
            Anchor::Start,
            TEXT,
            SOFT,
            false,
        );
    }
    let words = text::shorten(&title, TEXT, place.bottom - place.top + 3.0 * TEXT);
    let half = font::width(&words, TEXT) / 2.0;
    let middle = f64::midpoint(place.top, place.bottom).max(half + 4.0);
    let at = (place.from + 0.8 * TEXT, middle);
    text::write(area, &words, at, Anchor::Middle, TEXT, INK, true)
}

fn titled(axis: &Axis) -> String {
    match &axis.scale {
        Scale::Numbers { log: true, .. } if !axis.title.is_empty() => {
            format!("{}, log scale", axis.title)
        }
        _ => axis.title.clone(),
    }
}

fn stroke(area: &Area<'_>, ends: [(f64, f64); 2], color: RGBColor, width: u32) -> Painted {
    area.draw(&PathElement::new(ends.map(dots).to_vec(), color.stroke_width(width)))
}
