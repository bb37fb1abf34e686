//! The course of a line: Bézier curves from point to point, to be drawn and to put labels on.

use std::fmt::Write as _;

use super::loops;
use super::picture::Way;

pub(super) type Point = (f64, f64);
/// Start, two points that it bends towards, end.
pub(super) type Curve = [Point; 4];

/// The curves through the points of a line. Records leave and enter a shape upright; what stands beside
/// the flow is reached from the side, and the next round of a loop around its shapes.
pub(super) fn curves(points: &[Point], way: Way) -> Vec<Curve> {
    if way == Way::Back {
        return loops::back(points).into_iter().collect();
    }
    let bent = |pair: &[Point]| {
        let (a, b) = (pair[0], pair[1]);
        if way == Way::Beside {
            let middle = f64::midpoint(a.0, b.0);
            [a, (middle, a.1), (middle, b.1), b]
        } else {
            let middle = f64::midpoint(a.1, b.1);
            [a, (a.0, middle), (b.0, middle), b]
        }
    };
    points.windows(2).map(bent).collect()
}

/// The curves as the path of an SVG.
pub(super) fn course(curves: &[Curve]) -> String {
    let Some([(x, y), ..]) = curves.first() else { return String::new() };
    let mut out = format!("M{x:.1} {y:.1}");
    for [_, one, two, end] in curves {
        let _ = write!(
            out,
            "C{:.1} {:.1} {:.1} {:.1} {:.1} {:.1}",
            one.0, one.1, two.0, two.1, end.0, end.1
        );
    }
    out
}

/// The point at this share of a curve's way.
pub(super) fn at(curve: &Curve, share: f64) -> Point {
    let rest = 1.0 - share;
    let weights = [
        rest * rest * rest,
        3.0 * rest * rest * share,
        3.0 * rest * share * share,
        share * share * share,
    ];
    curve.iter().zip(weights).fold((0.0, 0.0), |sum, (point, weight)| {
        (sum.0 + point.0 * weight, sum.1 + point.1 * weight)
    })
}
