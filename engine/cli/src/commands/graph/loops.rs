//! Loops in a drawn picture: an outline around what a loop does again, and the way back.
//!
//! Layers are as wide as what stands in them, so an outline goes from layer to layer in steps: a plain
//! box would take in shapes of other paths.

use super::curve::{Curve, Point};
use super::layout::Frame;
use super::picture::Picture;

/// Between a shape and the outline around it.
const AROUND: f64 = 12.0;
/// How far the way back leaves the shapes.
const ASIDE: f64 = 40.0;

/// The points of an outline, around.
type Outline = Vec<(f64, f64)>;

/// The outlines of all loops, each with its name; those around others first. The last point of an
/// outline is its upper left corner.
pub(super) fn outlines(picture: &Picture, frames: &[Frame]) -> Vec<(String, Outline)> {
    let mut found: Vec<(Vec<String>, Outline)> = Vec::new();
    let mut depths: Vec<usize> = picture.shapes.iter().map(|shape| shape.loops).collect();
    depths.sort_unstable();
    depths.dedup();
    for depth in depths.into_iter().filter(|depth| *depth > 0) {
        for shape in picture.shapes.iter().filter(|shape| shape.loops == depth) {
            let path = &shape.groups[..depth];
            if found.iter().any(|(known, _)| known == path) {
                continue;
            }
            let inside =
                picture.shapes.iter().zip(frames).filter(|(it, _)| it.groups.starts_with(path));
            found.push((path.to_vec(), outline(inside.map(|(_, frame)| *frame))));
        }
    }
    let named = |(path, outline): (Vec<String>, Outline)| {
        (path.last().cloned().unwrap_or_default(), outline)
    };
    found.into_iter().map(named).collect()
}

/// Down on the right side and up on the left.
fn outline(frames: impl Iterator<Item = Frame>) -> Outline {
    let mut frames: Vec<Frame> = frames.collect();
    frames.sort_by(|a, b| a.y.total_cmp(&b.y));
    // Of each layer: left, right, top, bottom.
    let mut bands: Vec<[f64; 4]> = Vec::new();
    for layer in frames.chunk_by(|a, b| (a.y - b.y).abs() < 1.0) {
        let over = |of: &dyn Fn(&Frame) -> f64, pick: fn(f64, f64) -> f64| {
            layer.iter().map(of).reduce(pick).unwrap_or(0.0)
        };
        bands.push([
            over(&|it| it.x - it.width / 2.0 - AROUND, f64::min),
            over(&|it| it.x + it.width / 2.0 + AROUND, f64::max),
            over(&|it| it.y - it.height / 2.0 - AROUND, f64::min),
            over(&|it| it.y + it.height / 2.0 + AROUND, f64::max),
        ]);
    }
    // Neighbours meet in the middle between them.
    for at in 1..bands.len() {
        let middle = f64::midpoint(bands[at - 1][3], bands[at][2]);
        (bands[at - 1][3], bands[at][2]) = (middle, middle);
    }
    let right =
        bands.iter().flat_map(|[_, right, top, bottom]| [(*right, *top), (*right, *bottom)]);
    let left =
        bands.iter().rev().flat_map(|[left, _, top, bottom]| [(*left, *bottom), (*left, *top)]);
    right.chain(left).collect()
}

/// From the right of one shape around to the right of another.
pub(super) fn back(path: &[Point]) -> Option<Curve> {
    let [from, to] = path else { return None };
    let x = turning_point(*from, *to);
    Some([*from, (x, from.1), (x, to.1), *to])
}

/// How far to the right the way back may come.
pub(super) fn turning_point(from: Point, to: Point) -> f64 {
    from.0.max(to.0) + ASIDE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outline_holds_its_shapes_and_steps_from_layer_to_layer() {
        let frame = |x, y, width| Frame { x, y, width, height: 20.0 };
        let around = outline([frame(100.0, 50.0, 80.0), frame(40.0, 110.0, 20.0)].into_iter());
        assert_eq!(around.len(), 8);
        assert_eq!(around[0], (152.0, 28.0));
        assert_eq!(around[2], (62.0, 80.0), "the second layer is narrow");
        assert_eq!(around.last(), Some(&(48.0, 28.0)));
        let way = back(&[(10.0, 90.0), (20.0, 10.0)]);
        assert_eq!(way, Some([(10.0, 90.0), (60.0, 90.0), (60.0, 10.0), (20.0, 10.0)]));
    }
}
