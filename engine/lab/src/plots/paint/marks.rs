//! The marks of a panel: lines, dots, whiskers, bars.

use plotters::element::{Circle, DashedPathElement, PathElement, Polygon, Rectangle};
use plotters::style::{Color, RGBColor, WHITE};

use super::labels;
use super::plane::Plane;
use super::text::{self, Anchor, dots};
use super::{Area, Painted};
use crate::plots::font;
use crate::plots::model::{Beads, Mark};
use crate::plots::style::{INK, Look, SOFT, Shape, TEXT};

/// Radius of a mark.
pub(super) const RADIUS: f64 = 10.0;
/// Half of the end of a whisker.
const CAP: f64 = 8.0;

/// Draw all marks: what fills first, then lines, then words, then dots, then their names.
pub(super) fn draw(plane: &Plane<'_, '_>, marks: &[Mark]) -> Painted {
    for mark in marks {
        match mark {
            Mark::Bar { from, to, look } => bar(plane, *from, *to, *look)?,
            Mark::Rule { from, to, look, thick } => {
                if let Some(ends) = plane.cut(*from, *to) {
                    polyline(plane.area, &ends, *look, if *thick { 9 } else { 3 })?;
                }
            }
            _ => {}
        }
    }
    for mark in marks {
        match mark {
            Mark::Line { points, look, .. } => line(plane, points, *look)?,
            Mark::Whisker { from, to, look } => whisker(plane, *from, *to, *look)?,
            _ => {}
        }
    }
    for mark in marks {
        if let Mark::Words { row, text, right } = mark {
            words(plane, *row, text, *right)?;
        }
    }
    for item in marks {
        match item {
            Mark::Line { points, look, beads } => {
                for at in strung(points, *beads).into_iter().filter_map(|at| plane.map(at)) {
                    mark(plane.area, at, *look)?;
                }
            }
            Mark::Dot { at, look, .. } => {
                if let Some(at) = plane.map(*at) {
                    mark(plane.area, at, *look)?;
                }
            }
            _ => {}
        }
    }
    labels::draw(plane, marks)
}

/// Words at an end of a row, over lines but under dots, which are data.
fn words(plane: &Plane<'_, '_>, row: f64, text: &str, right: bool) -> Painted {
    let Some(y) = plane.tick(row, false) else { return Ok(()) };
    let (x, anchor) = if right {
        (plane.place.right, Anchor::End)
    } else {
        (plane.place.left + 9.0, Anchor::Start)
    };
    let width = font::width(text, TEXT) + 8.0;
    let left = if right { x - width } else { x - 2.0 };
    // As high as a bar, which they may end.
    let corners = [(left, y - 0.56 * TEXT), (left + width, y + 0.56 * TEXT)];
    plane.area.draw(&Rectangle::new(corners.map(dots), WHITE.filled()))?;
    text::write(plane.area, text, (x, y + 0.35 * TEXT), anchor, TEXT, SOFT, false)
}

/// The points of a line that get a mark.
fn strung(points: &[(f64, f64)], beads: Beads) -> Vec<(f64, f64)> {
    match beads {
        Beads::None => Vec::new(),
        Beads::All => points.to_vec(),
        Beads::Some { count, phase } => {
            let step = (points.len() / count.max(1)).max(1);
            let first = (step as f64 * phase) as usize;
            points.iter().skip(first).step_by(step).copied().collect()
        }
    }
}

/// A line through points; parts outside of the axes are cut off.
fn line(plane: &Plane<'_, '_>, points: &[(f64, f64)], look: Look) -> Painted {
    let mut run: Vec<(f64, f64)> = Vec::new();
    for pair in points.windows(2) {
        let part = plane.cut(pair[0], pair[1]);
        let begins = part.is_none_or(|[begin, _]| run.last().is_some_and(|last| *last != begin));
        if begins {
            polyline(plane.area, &run, look, 4)?;
            run.clear();
        }
        if let Some([begin, end]) = part {
            if run.is_empty() {
                run.push(begin);
            }
            if run.last() != Some(&end) {
                run.push(end);
            }
        }
    }
    polyline(plane.area, &run, look, 4)
}

/// A line through dots, dashed as it looks.
pub(super) fn polyline(area: &Area<'_>, points: &[(f64, f64)], look: Look, width: u32) -> Painted {
    if points.len() < 2 {
        return Ok(());
    }
    let points: Vec<_> = points.iter().copied().map(dots).collect();
    let style = look.color.stroke_width(width);
    match look.dash {
        None => area.draw(&PathElement::new(points, style)),
        Some((ink, gap)) => area.draw(&DashedPathElement::new(points, ink, gap, style)),
    }
}

fn whisker(plane: &Plane<'_, '_>, from: (f64, f64), to: (f64, f64), look: Look) -> Painted {
    let Some([a, b]) = plane.cut(from, to) else { return Ok(()) };
    let solid = Look { dash: None, ..look };
    polyline(plane.area, &[a, b], solid, 3)?;
    let upright = (a.0 - b.0).abs() < (a.1 - b.1).abs();
    for (x, y) in [a, b] {
        let cap = if upright { [(x - CAP, y), (x + CAP, y)] } else { [(x, y - CAP), (x, y + CAP)] };
        polyline(plane.area, &cap, solid, 3)?;
    }
    Ok(())
}

fn bar(plane: &Plane<'_, '_>, from: (f64, f64), to: (f64, f64), look: Look) -> Painted {
    let Some([left, top, right, bottom]) = plane.rectangle(from, to) else { return Ok(()) };
    let corners = [(left, top), (right, bottom)];
    filled(plane.area, corners, look)?;
    // Bars of a dot or two are nothing but outline otherwise.
    if right - left > 4.0 && bottom - top > 4.0 {
        plane.area.draw(&Rectangle::new(corners.map(dots), INK.stroke_width(1)))?;
    }
    Ok(())
}

/// A filled box.
pub(super) fn filled(area: &Area<'_>, corners: [(f64, f64); 2], look: Look) -> Painted {
    area.draw(&Rectangle::new(corners.map(dots), look.color.filled()))
}

/// A mark around `at`, with a thin white edge, so that those under it can be told apart.
pub(super) fn mark(area: &Area<'_>, at: (f64, f64), look: Look) -> Painted {
    let (x, y) = at;
    let r = RADIUS;
    let closed = |corners: &[(f64, f64)]| -> Painted {
        let mut points: Vec<_> =
            corners.iter().map(|(dx, dy)| dots((x + r * dx, y + r * dy))).collect();
        area.draw(&Polygon::new(points.clone(), look.color.filled()))?;
        points.push(points[0]);
        points.push(points[1]);
        area.draw(&PathElement::new(points, WHITE.stroke_width(1)))
    };
    let strokes = |ends: &[[(f64, f64); 2]]| -> Painted {
        for (color, width) in [(WHITE, 8), (look.color, 5)] {
            for pair in ends {
                let points = pair.map(|(dx, dy)| dots((x + r * dx, y + r * dy))).to_vec();
                area.draw(&PathElement::new(points, color.stroke_width(width)))?;
            }
        }
        Ok(())
    };
    match look.shape {
        Shape::Circle => disc(area, at, r, look.color),
        Shape::Ring => {
            disc(area, at, r, look.color)?;
            area.draw(&Circle::new(dots(at), (r - 4.0) as i32, WHITE.filled()))
        }
        Shape::Square => closed(&[(-0.88, -0.88), (0.88, -0.88), (0.88, 0.88), (-0.88, 0.88)]),
        Shape::Triangle => closed(&[(0.0, -1.15), (1.1, 0.8), (-1.1, 0.8)]),
        Shape::Drop => closed(&[(0.0, 1.15), (1.1, -0.8), (-1.1, -0.8)]),
        Shape::Diamond => closed(&[(0.0, -1.25), (1.1, 0.0), (0.0, 1.25), (-1.1, 0.0)]),
        Shape::Cross => strokes(&[[(-0.9, -0.9), (0.9, 0.9)], [(-0.9, 0.9), (0.9, -0.9)]]),
        Shape::Plus => strokes(&[[(-1.1, 0.0), (1.1, 0.0)], [(0.0, -1.1), (0.0, 1.1)]]),
    }
}

fn disc(area: &Area<'_>, at: (f64, f64), radius: f64, color: RGBColor) -> Painted {
    area.draw(&Circle::new(dots(at), radius as i32 + 1, WHITE.filled()))?;
    area.draw(&Circle::new(dots(at), radius as i32, color.filled()))
}
