//! Where the labels of lines stand: on their lines, and on nothing else that is to be read.

use super::curve::{self, Curve, Point};
use super::layout::Frame;
use super::picture::{Picture, Way};

/// Width of a character of a label; most are narrower.
const CHARACTER: f64 = 6.2;
/// Height of a label.
const HEIGHT: f64 = 14.0;
/// Shares of a line's way that are tried, those in the middle first.
const SHARES: [f64; 13] = [0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8, 0.45, 0.55, 0.35, 0.65, 0.25, 0.75];

/// The box of a label around a point.
pub(super) fn frame(label: &str, (x, y): Point) -> Frame {
    let width = label.chars().count() as f64 * CHARACTER + 6.0;
    Frame { x, y, width, height: HEIGHT }
}

/// The middle of each line's label, where it has one; `taken` are texts that stand already.
pub(super) fn places(
    picture: &Picture,
    curves: &[Vec<Curve>],
    frames: &[Frame],
    taken: &[Frame],
) -> Vec<Option<Point>> {
    let mut taken: Vec<Frame> = frames.iter().chain(taken).copied().collect();
    let mut places = Vec::new();
    for (line, curves) in picture.lines.iter().zip(curves) {
        let tried = tried(curves, line.way);
        let cost = |point: &Point| {
            let own = frame(&line.label, *point);
            taken.iter().map(|other| shared(own, *other)).sum::<f64>()
        };
        // Of equal ones the first is the nearest to the middle.
        let best = tried.into_iter().min_by(|a, b| cost(a).total_cmp(&cost(b)));
        let best = best.filter(|_| !line.label.is_empty());
        taken.extend(best.map(|point| frame(&line.label, point)));
        places.push(best);
    }
    places
}

/// Points of a line in the order in which they are liked. The label of a long line belongs near its
/// beginning, where its point has room for it.
fn tried(curves: &[Curve], way: Way) -> Vec<Point> {
    let mut points = Vec::new();
    if let (Way::On, [first, _, ..]) = (way, curves) {
        points.push(first[3]);
    }
    for curve in curves {
        points.extend(SHARES.iter().map(|share| curve::at(curve, *share)));
    }
    points
}

/// The area that two boxes have in common.
fn shared(a: Frame, b: Frame) -> f64 {
    let side = |x: f64, size: f64, other: f64, its: f64| {
        ((x + size / 2.0).min(other + its / 2.0) - (x - size / 2.0).max(other - its / 2.0)).max(0.0)
    };
    side(a.x, a.width, b.x, b.width) * side(a.y, a.height, b.y, b.height)
}

#[cfg(test)]
mod tests {
    use super::super::picture::Line;
    use super::*;

    #[test]
    fn labels_leave_shapes_and_each_other_alone() {
        let line = |label: &str| Line { from: 0, to: 1, label: label.to_owned(), way: Way::Beside };
        let lines = vec![line("vectors"), line("vectors"), line("")];
        let picture = Picture { title: String::new(), shapes: Vec::new(), lines };
        let path = curve::curves(&[(0.0, 0.0), (400.0, 0.0)], Way::Beside);
        let shape = Frame { x: 200.0, y: 0.0, width: 60.0, height: 40.0 };
        let curves = vec![path.clone(), path.clone(), path];
        let found = places(&picture, &curves, &[shape], &[]);
        let [Some(first), Some(second), None] = found[..] else { panic!("{found:?}") };
        let (first, second) = (frame("vectors", first), frame("vectors", second));
        assert!(shared(first, shape) == 0.0 && shared(second, shape) == 0.0, "{found:?}");
        assert!(shared(first, second) == 0.0, "{found:?}");
        assert!(shared(first, first) > 0.0);
    }
}
