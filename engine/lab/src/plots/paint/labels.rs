//! Names of dots: each beside its dot where it covers neither a mark nor another name.

use super::Painted;
use super::marks::RADIUS;
use super::plane::Plane;
use super::text::{self, Anchor};
use crate::plots::font;
use crate::plots::model::Mark;
use crate::plots::style::{INK, LEADING, TEXT};

/// Left, top, right, bottom.
type Rect = [f64; 4];

/// Write the names of all dots that have one. The dots come first to last; where there is no free
/// place, a name takes the one where it covers least.
pub(super) fn draw(plane: &Plane<'_, '_>, marks: &[Mark]) -> Painted {
    let mut taken: Vec<Rect> = Vec::new();
    for mark in marks {
        match mark {
            Mark::Dot { at, .. } => {
                taken.extend(plane.map(*at).map(|(x, y)| square(x, y, RADIUS)));
            }
            Mark::Whisker { from, to, .. } => {
                if let Some([a, b]) = plane.cut(*from, *to) {
                    let rect = [a.0.min(b.0), a.1.min(b.1), a.0.max(b.0), a.1.max(b.1)];
                    taken.push([rect[0] - 3.0, rect[1] - 3.0, rect[2] + 3.0, rect[3] + 3.0]);
                }
            }
            Mark::Line { points, .. } => {
                // A line is taken in short pieces.
                for pair in points.windows(2) {
                    let Some([a, b]) = plane.cut(pair[0], pair[1]) else { continue };
                    for step in 0..=8 {
                        let share = f64::from(step) / 8.0;
                        let x = a.0 + share * (b.0 - a.0);
                        taken.push(square(x, a.1 + share * (b.1 - a.1), 3.0));
                    }
                }
            }
            _ => {}
        }
    }
    let place = plane.place;
    let bounds = [place.left + 4.0, place.top - 6.0, place.right, place.bottom - 4.0];
    for mark in marks {
        let Mark::Dot { at, label: Some(label), .. } = mark else { continue };
        let Some(at) = plane.map(*at) else { continue };
        let label = &text::shorten(label, TEXT, bounds[2] - bounds[0]);
        let size = (font::width(label, TEXT), 0.8 * TEXT);
        let best = candidates(at, size)
            .into_iter()
            .map(|rect| inside(rect, &bounds))
            .enumerate()
            .map(|(rank, rect)| (cost(&rect, &taken, &bounds) + rank as f64, rect))
            .min_by(|(one, _), (other, _)| one.total_cmp(other));
        let Some((_, rect)) = best else { continue };
        let at = (rect[0], rect[3] - 0.06 * TEXT);
        text::write(plane.area, label, at, Anchor::Start, TEXT, INK, false)?;
        taken.push([rect[0] - 6.0, rect[1] - 2.0, rect[2] + 6.0, rect[3] + 2.0]);
    }
    Ok(())
}

fn square(x: f64, y: f64, half: f64) -> Rect {
    [x - half, y - half, x + half, y + half]
}

/// Where a name may stand, the best first: beside, above, below, then further off.
fn candidates((x, y): (f64, f64), (width, height): (f64, f64)) -> Vec<Rect> {
    let mut all = Vec::new();
    for lines in [0.0, 0.5, 1.0, 2.0, 3.0] {
        let gap = RADIUS + 5.0 + lines * LEADING * TEXT;
        for (dx, dy) in [
            (gap, -height / 2.0),
            (-gap - width, -height / 2.0),
            (-width / 2.0, -gap - height),
            (-width / 2.0, gap),
            (gap * 0.7, -gap - height * 0.8),
            (gap * 0.7, gap - height * 0.2),
            (-gap * 0.7 - width, -gap - height * 0.8),
            (-gap * 0.7 - width, gap - height * 0.2),
        ] {
            all.push([x + dx, y + dy, x + dx + width, y + dy + height]);
        }
    }
    all
}

/// `rect`, moved into `bounds`, which are no smaller.
fn inside(rect: Rect, bounds: &Rect) -> Rect {
    let shift =
        |from: f64, to: f64, low: f64, high: f64| (low - from).max(0.0) + (high - to).min(0.0);
    let dx = shift(rect[0], rect[2], bounds[0], bounds[2]);
    let dy = shift(rect[1], rect[3], bounds[1], bounds[3]);
    [rect[0] + dx, rect[1] + dy, rect[2] + dx, rect[3] + dy]
}

/// How much of `rect` is covered or outside, in dots.
fn cost(rect: &Rect, taken: &[Rect], bounds: &Rect) -> f64 {
    let area = |r: &Rect| (r[2] - r[0]).max(0.0) * (r[3] - r[1]).max(0.0);
    let common = |a: &Rect, b: &Rect| {
        let both = [a[0].max(b[0]), a[1].max(b[1]), a[2].min(b[2]), a[3].min(b[3])];
        if both[2] > both[0] && both[3] > both[1] { area(&both) } else { 0.0 }
    };
    let outside = area(rect) - common(rect, bounds);
    100.0 * outside + taken.iter().map(|other| 10.0 * common(rect, other)).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_beside_its_dot_unless_something_is_there() {
        let bounds = [0.0, 0.0, 1000.0, 1000.0];
        let best = |taken: &[Rect], at: (f64, f64)| {
            candidates(at, (100.0, 24.0))
                .into_iter()
                .min_by(|a, b| cost(a, taken, &bounds).total_cmp(&cost(b, taken, &bounds)))
                .unwrap()
        };
        let free = best(&[], (500.0, 500.0));
        assert!(free[0] > 500.0 && free[1] < 500.0 && free[3] > 500.0, "at its right");
        let busy = best(&[[510.0, 400.0, 700.0, 600.0]], (500.0, 500.0));
        assert!(busy[2] <= 510.0, "not over the other: {busy:?}");
        for rect in candidates((990.0, 3.0), (400.0, 24.0)) {
            let moved = inside(rect, &bounds);
            assert!((cost(&moved, &[], &bounds)).abs() < 1e-6, "not outside: {moved:?}");
        }
        let edge = best(&[], (990.0, 500.0));
        assert!(edge[2] <= 1000.0, "not outside: {edge:?}");
    }
}
