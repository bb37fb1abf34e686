//! The plane of a panel: from data to dots, and what lies outside cut off.

use plotters::coord::cartesian::Cartesian2d;
use plotters::coord::types::RangedCoordf64;
use plotters::drawing::DrawingArea;

use super::layout::Place;
use crate::plots::model::{Panel, Scale};
use crate::plots::sheet::{Area, Sheet};

type Coordinates = Cartesian2d<RangedCoordf64, RangedCoordf64>;

/// The axes of a panel laid over its place on the sheet.
pub(super) struct Plane<'p, 'a> {
    pub(super) area: &'p Area<'a>,
    pub(super) place: &'p Place,
    coordinates: DrawingArea<Sheet<'a>, Coordinates>,
    x: Line,
    y: Line,
}

/// One axis in the units in which it is even: rows counted, logarithms taken.
#[derive(Debug, Clone, Copy)]
struct Line {
    low: f64,
    high: f64,
    log: bool,
}

impl Line {
    fn of(scale: &Scale) -> Line {
        match scale {
            // The first row is at the top.
            Scale::Rows(names) => {
                Line { low: names.len().max(1) as f64 - 0.5, high: -0.5, log: false }
            }
            Scale::Numbers { low, high, log, .. } if *log => {
                Line { low: low.log10(), high: high.log10(), log: true }
            }
            Scale::Numbers { low, high, .. } => Line { low: *low, high: *high, log: false },
        }
    }

    fn even(self, value: f64) -> f64 {
        if self.log { value.log10() } else { value }
    }

    fn bounds(self) -> (f64, f64) {
        // What rounding does to a value at the very end does not put it outside.
        let slack = 1e-9 * (self.high - self.low).abs();
        (self.low.min(self.high) - slack, self.low.max(self.high) + slack)
    }

    fn holds(self, even: f64) -> bool {
        let (low, high) = self.bounds();
        low <= even && even <= high
    }
}

impl<'p, 'a> Plane<'p, 'a> {
    pub(super) fn new(area: &'p Area<'a>, panel: &Panel, place: &'p Place) -> Plane<'p, 'a> {
        let (x, y) = (Line::of(&panel.x.scale), Line::of(&panel.y.scale));
        let across = place.left as i32..place.right as i32;
        let down = place.bottom as i32..place.top as i32;
        let coordinates = Cartesian2d::new(x.low..x.high, y.low..y.high, (across, down));
        Plane { area, place, coordinates: area.apply_coord_spec(coordinates), x, y }
    }

    /// Where `point` is on the sheet; `None` outside of the axes.
    pub(super) fn map(&self, point: (f64, f64)) -> Option<(f64, f64)> {
        let even = (self.x.even(point.0), self.y.even(point.1));
        (self.x.holds(even.0) && self.y.holds(even.1)).then(|| self.dots(even))
    }

    /// The part of the line from `from` to `to` that lies within the axes.
    pub(super) fn cut(&self, from: (f64, f64), to: (f64, f64)) -> Option<[(f64, f64); 2]> {
        let from = (self.x.even(from.0), self.y.even(from.1));
        let to = (self.x.even(to.0), self.y.even(to.1));
        let (begin, end) =
            within([(from.0, to.0, self.x.bounds()), (from.1, to.1, self.y.bounds())])?;
        let at = |share: f64| {
            // The ends themselves, not what is left of them after arithmetic.
            let between = |a: f64, b: f64| match share {
                0.0 => a,
                1.0 => b,
                share => a + share * (b - a),
            };
            self.dots((between(from.0, to.0), between(from.1, to.1)))
        };
        Some([at(begin), at(end)])
    }

    /// The rectangle between two corners, cut off at the axes: left, top, right, bottom.
    pub(super) fn rectangle(&self, a: (f64, f64), b: (f64, f64)) -> Option<[f64; 4]> {
        let clip = |line: Line, value: f64| {
            let (low, high) = (line.low.min(line.high), line.low.max(line.high));
            // The logarithm of 0 is at the very low end.
            let even = line.even(value);
            if even.is_nan() { None } else { Some(even.clamp(low, high)) }
        };
        let one = self.dots((clip(self.x, a.0)?, clip(self.y, a.1)?));
        let two = self.dots((clip(self.x, b.0)?, clip(self.y, b.1)?));
        Some([one.0.min(two.0), one.1.min(two.1), one.0.max(two.0), one.1.max(two.1)])
    }

    /// Where the tick at `at` of one axis stands: its x, or its y.
    pub(super) fn tick(&self, at: f64, across: bool) -> Option<f64> {
        let line = if across { self.x } else { self.y };
        let even = line.even(at);
        if !line.holds(even) {
            return None;
        }
        let dots = self.dots(if across { (even, self.y.low) } else { (self.x.low, even) });
        Some(if across { dots.0 } else { dots.1 })
    }

    fn dots(&self, even: (f64, f64)) -> (f64, f64) {
        let (x, y) = self.coordinates.map_coordinate(&even);
        (f64::from(x), f64::from(y))
    }
}

/// Which part of a segment lies within all bounds, as shares of its length (Liang and Barsky 1984).
fn within(sides: [(f64, f64, (f64, f64)); 2]) -> Option<(f64, f64)> {
    let (mut begin, mut end) = (0.0f64, 1.0f64);
    for (from, to, (low, high)) in sides {
        let length = to - from;
        if !length.is_finite() {
            return None;
        }
        if length == 0.0 {
            if from < low || from > high {
                return None;
            }
            continue;
        }
        let (a, b) = ((low - from) / length, (high - from) / length);
        begin = begin.max(a.min(b));
        end = end.min(a.max(b));
    }
    (begin <= end).then_some((begin, end))
}

#[cfg(test)]
mod tests {
    use super::within;

    #[test]
    fn segments_are_cut_at_the_bounds() {
        let box_of = |from: (f64, f64), to: (f64, f64)| {
            within([(from.0, to.0, (0.0, 10.0)), (from.1, to.1, (0.0, 10.0))])
        };
        assert_eq!(box_of((1.0, 1.0), (9.0, 9.0)), Some((0.0, 1.0)));
        assert_eq!(box_of((0.0, 0.0), (20.0, 20.0)), Some((0.0, 0.5)));
        assert_eq!(box_of((-10.0, 5.0), (30.0, 5.0)), Some((0.25, 0.5)));
        assert_eq!(box_of((-10.0, 5.0), (-1.0, 5.0)), None);
        assert_eq!(box_of((5.0, 11.0), (5.0, 12.0)), None);
        assert_eq!(box_of((5.0, f64::NEG_INFINITY), (5.0, 5.0)), None);
    }
}
