//! The legend: a line or more between title and panels, where there are no data to cover.

use plotters::element::Rectangle;
use plotters::style::Color;

use super::marks::{mark, polyline};
use super::text::{self, Anchor, dots};
use super::{Area, Painted};
use crate::plots::font;
use crate::plots::model::{Key, Sign};
use crate::plots::style::{INK, LEADING, TEXT};

/// Where an entry stands: left and baseline, and its words.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Spot {
    left: f64,
    baseline: f64,
    words: String,
}

/// Between entries.
const GAP: f64 = 26.0;

fn sign_width(sign: &Sign) -> f64 {
    match sign {
        Sign::Line(_) | Sign::Plain(_) => 70.0,
        Sign::Mark(_) => 26.0,
        Sign::Box(_) => 34.0,
        Sign::Word(word) => font::width(word, TEXT),
    }
}

/// The places of all entries, in lines of `width` from `top`, and where the last line ends. With
/// many entries they stand in columns, so that the eye finds one.
pub(super) fn flow(keys: &[Key], left: f64, top: f64, width: f64) -> (Vec<Spot>, f64) {
    if keys.is_empty() {
        return (Vec::new(), top);
    }
    let sizes: Vec<(String, f64)> = keys
        .iter()
        .map(|key| {
            let room = width - sign_width(&key.sign) - 10.0;
            let words = text::shorten(&key.label, TEXT, room);
            let size = sign_width(&key.sign) + 10.0 + font::width(&words, TEXT) + GAP;
            (words, size)
        })
        .collect();
    let widest = sizes.iter().map(|(_, size)| *size).fold(0.0, f64::max);
    let columns = ((width + GAP) / widest) as usize;
    let table = keys.len() > 4 && columns > 1;
    let step = (width + GAP) / columns.max(1) as f64;
    let lines = keys.len().div_ceil(columns.max(1));
    let mut spots = Vec::new();
    let (mut x, mut line, mut last) = (left, 0, 0);
    for (index, (words, size)) in sizes.into_iter().enumerate() {
        if table {
            x = left + (index / lines) as f64 * step;
            line = index % lines;
        } else if x > left && x + size - GAP > left + width {
            x = left;
            line += 1;
        }
        let baseline = top + line as f64 * LEADING * TEXT + 0.95 * TEXT;
        spots.push(Spot { left: x, baseline, words });
        x += size;
        last = last.max(line);
    }
    (spots, top + (last + 1) as f64 * LEADING * TEXT + 4.0)
}

pub(super) fn draw(area: &Area<'_>, keys: &[Key], spots: &[Spot]) -> Painted {
    for (key, spot) in keys.iter().zip(spots) {
        let width = sign_width(&key.sign);
        let (left, right) = (spot.left, spot.left + width);
        let middle = spot.baseline - 0.35 * TEXT;
        let center = (left + width / 2.0, middle);
        match &key.sign {
            Sign::Line(look) => {
                polyline(area, &[(left, middle), (right, middle)], *look, 4)?;
                mark(area, center, *look)?;
            }
            Sign::Plain(look) => polyline(area, &[(left, middle), (right, middle)], *look, 4)?,
            Sign::Mark(look) => mark(area, center, *look)?,
            Sign::Box(look) => {
                let corners = [(left, middle - 11.0), (right, middle + 11.0)];
                super::marks::filled(area, corners, *look)?;
                area.draw(&Rectangle::new(corners.map(dots), INK.stroke_width(1)))?;
            }
            Sign::Word(word) => {
                let at = (left, spot.baseline);
                text::write(area, word, at, Anchor::Start, TEXT, INK, false)?;
            }
        }
        let at = (right + 10.0, spot.baseline);
        text::write(area, &spot.words, at, Anchor::Start, TEXT, INK, false)?;
    }
    Ok(())
}
