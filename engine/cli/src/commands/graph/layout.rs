//! Where the shapes of a picture stand: layers from top to bottom, few crossings, no overlaps.
//!
//! The usual three steps: a layer is one more than the highest before it; shapes of a layer are put in
//! the order of the middles of their neighbours, back and forth a few times; then each is drawn
//! towards its neighbours as far as those beside it let it. A line over several layers gets a point in
//! each of them, so that it goes around what stands there. Indexes stand to the left of what uses them,
//! endpoints to the right.

use super::loops;
use super::picture::{Kind, Picture, Way};

const CHARACTER: f64 = 7.0;
const LINE: f64 = 16.0;
const MARGIN: f64 = 24.0;
/// Between neighbours of a layer.
const BESIDE: f64 = 28.0;
/// Between layers.
const BELOW: f64 = 44.0;
/// Between the flow and what stands beside it.
const AWAY: f64 = 64.0;
const SWEEPS: usize = 12;

/// A box: its middle and its size.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Frame {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

#[derive(Debug)]
pub(super) struct Layout {
    /// By shape.
    pub(super) frames: Vec<Frame>,
    /// Points of each line, from its start to its end.
    pub(super) paths: Vec<Vec<(f64, f64)>>,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// A shape, or the point of a long line.
struct Cell {
    frame: Frame,
    layer: usize,
    above: Vec<usize>,
    below: Vec<usize>,
}

pub(super) fn layout(picture: &Picture) -> Layout {
    let count = picture.shapes.len();
    let layers = layers(picture);
    let mut cells: Vec<Cell> = picture
        .shapes
        .iter()
        .zip(&layers)
        .map(|(shape, layer)| Cell {
            frame: size(shape.kind, &shape.lines),
            layer: *layer,
            above: Vec::new(),
            below: Vec::new(),
        })
        .collect();
    let mut chains: Vec<Vec<usize>> = Vec::new();
    for line in &picture.lines {
        let mut chain = vec![line.from];
        if line.way == Way::On {
            for layer in layers[line.from] + 1..layers[line.to] {
                // Room for the label, if it is the first point of a labelled line.
                let width = if chain.len() == 1 { label_width(&line.label) } else { 8.0 };
                let frame = Frame { width, height: 1.0, ..Frame::default() };
                cells.push(Cell { frame, layer, above: Vec::new(), below: Vec::new() });
                chain.push(cells.len() - 1);
            }
        }
        chain.push(line.to);
        if line.way == Way::On {
            for pair in chain.windows(2) {
                cells[pair[0]].below.push(pair[1]);
                cells[pair[1]].above.push(pair[0]);
            }
        }
        chains.push(chain);
    }
    let mut rows: Vec<Vec<usize>> =
        vec![Vec::new(); layers.iter().max().map_or(0, |most| most + 1)];
    for (at, cell) in cells.iter().enumerate() {
        if at >= count || !picture.shapes[at].kind.is_beside() {
            rows[cell.layer].push(at);
        }
    }
    order(&cells, &mut rows);
    place(&mut cells, &rows);
    beside(picture, &mut cells);
    finished(picture, cells, &chains)
}

fn label_width(label: &str) -> f64 {
    (label.chars().count() as f64 * CHARACTER).max(8.0)
}

fn size(kind: Kind, lines: &[String]) -> Frame {
    let longest = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0);
    let (width, height) = (longest as f64 * CHARACTER + 24.0, lines.len() as f64 * LINE + 14.0);
    // A diamond has room in its middle only.
    let (width, height) = match kind {
        Kind::Route => (width + 56.0, height + 28.0),
        Kind::Filter => (width + 20.0, height),
        Kind::Endpoint => (width + 28.0, height + 8.0),
        Kind::Index => (width, height + 10.0),
        _ => (width, height),
    };
    Frame { width: width.max(72.0), height, ..Frame::default() }
}

/// Layer of each shape: one below the lowest before it.
fn layers(picture: &Picture) -> Vec<usize> {
    let mut layers = vec![0; picture.shapes.len()];
    // Lines go from earlier shapes to later ones but for those into sinks that were there already.
    for _ in 0..picture.shapes.len() {
        let mut moved = false;
        for line in picture.lines.iter().filter(|line| line.way == Way::On) {
            if layers[line.to] <= layers[line.from] {
                layers[line.to] = layers[line.from] + 1;
                moved = true;
            }
        }
        if !moved {
            break;
        }
    }
    layers
}

/// Orders the layers by the middles of neighbours, down and up again.
fn order(cells: &[Cell], rows: &mut [Vec<usize>]) {
    for sweep in 0..SWEEPS {
        let mut rank = vec![0.0; cells.len()];
        for row in rows.iter() {
            for (at, cell) in row.iter().enumerate() {
                rank[*cell] = (at as f64 + 0.5) / row.len() as f64;
            }
        }
        let down = sweep % 2 == 0;
        let numbers: Vec<usize> =
            if down { (0..rows.len()).collect() } else { (0..rows.len()).rev().collect() };
        for number in numbers {
            let row = &mut rows[number];
            let middle = |at: usize| {
                let near = if down { &cells[at].above } else { &cells[at].below };
                mean(near.iter().map(|other| rank[*other])).unwrap_or(rank[at])
            };
            row.sort_by(|a, b| middle(*a).total_cmp(&middle(*b)));
            let count = row.len() as f64;
            for (at, cell) in row.iter().enumerate() {
                rank[*cell] = (at as f64 + 0.5) / count;
            }
        }
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    (count > 0.0).then(|| sum / count)
}

/// Middles of all cells.
fn place(cells: &mut [Cell], rows: &[Vec<usize>]) {
    let mut y = 0.0;
    for row in rows {
        let height = row.iter().map(|at| cells[*at].frame.height).fold(0.0, f64::max);
        for at in row {
            cells[*at].frame.y = y + height / 2.0;
        }
        y += height + BELOW;
        pack(cells, row, |_| 0.0);
    }
    for sweep in 0..SWEEPS {
        for row in rows {
            let wanted: Vec<(usize, f64)> = row
                .iter()
                .map(|at| {
                    let cell = &cells[*at];
                    let both = cell.above.iter().chain(&cell.below);
                    let one = if sweep % 2 == 0 { &cell.above } else { &cell.below };
                    let near = mean(one.iter().map(|other| cells[*other].frame.x))
                        .or_else(|| mean(both.map(|other| cells[*other].frame.x)));
                    (*at, near.unwrap_or(cell.frame.x))
                })
                .collect();
            pack(cells, row, |at| {
                wanted.iter().find(|(other, _)| *other == at).map_or(0.0, |(_, x)| *x)
            });
        }
    }
}

/// Puts a row as near as can be to where its cells want to be: neighbours that would overlap stand
/// side by side around the mean of their wishes.
fn pack(cells: &mut [Cell], row: &[usize], wish: impl Fn(usize) -> f64) {
    // Blocks of cells that touch: their members, the sum of their wishes for the start, their width.
    let mut blocks: Vec<(Vec<usize>, f64, f64)> = Vec::new();
    for at in row {
        let width = cells[*at].frame.width + BESIDE;
        let mut block = (vec![*at], wish(*at) - width / 2.0, width);
        while let Some((members, sum, before)) = blocks.last() {
            let start = sum / members.len() as f64;
            if start + before <= block.1 / block.0.len() as f64 {
                break;
            }
            let (mut members, sum, before) = (members.clone(), *sum, *before);
            blocks.pop();
            let shifted = block.1 - before * block.0.len() as f64;
            members.extend(&block.0);
            block = (members, sum + shifted, before + block.2);
        }
        blocks.push(block);
    }
    for (members, sum, _) in blocks {
        let mut x = sum / members.len() as f64;
        for at in members {
            let width = cells[at].frame.width + BESIDE;
            cells[at].frame.x = x + width / 2.0;
            x += width;
        }
    }
}

/// Indexes to the left and endpoints to the right, at the height of what uses them.
fn beside(picture: &Picture, cells: &mut [Cell]) {
    let edges = |cells: &[Cell]| {
        let flow = cells
            .iter()
            .enumerate()
            .filter(|(at, _)| picture.shapes.get(*at).is_none_or(|shape| !shape.kind.is_beside()));
        let frames: Vec<Frame> = flow.map(|(_, cell)| cell.frame).collect();
        let left = frames.iter().map(|it| it.x - it.width / 2.0).fold(f64::INFINITY, f64::min);
        let right = frames.iter().map(|it| it.x + it.width / 2.0).fold(f64::NEG_INFINITY, f64::max);
        (left, right)
    };
    let (left, right) = edges(cells);
    for (kind, other) in [(Kind::Index, Kind::Endpoint), (Kind::Endpoint, Kind::Index)] {
        let mut column: Vec<(f64, usize)> = Vec::new();
        for at in (0..picture.shapes.len()).filter(|at| picture.shapes[*at].kind == kind) {
            let users = picture.lines.iter().filter_map(|line| match (line.from, line.to) {
                (from, to) if from == at => Some(to),
                (from, to) if to == at => Some(from),
                _ => None,
            });
            let users = users.filter(|user| picture.shapes[*user].kind != other);
            column.push((mean(users.map(|user| cells[user].frame.y)).unwrap_or(0.0), at));
        }
        column.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut free = f64::NEG_INFINITY;
        for (y, at) in column {
            let frame = &mut cells[at].frame;
            frame.y = y.max(free + frame.height / 2.0);
            free = frame.y + frame.height / 2.0 + BESIDE;
            frame.x = match kind {
                Kind::Index => left - AWAY - frame.width / 2.0,
                _ => right + AWAY + frame.width / 2.0,
            };
        }
    }
}

/// Moves everything into view and gives lines their points.
fn finished(picture: &Picture, cells: Vec<Cell>, chains: &[Vec<usize>]) -> Layout {
    let frames = || cells.iter().map(|cell| cell.frame);
    let left = frames().map(|it| it.x - it.width / 2.0).fold(f64::INFINITY, f64::min);
    let top = frames().map(|it| it.y - it.height / 2.0).fold(f64::INFINITY, f64::min);
    let of_shapes = frames().map(|it| it.x + it.width / 2.0).fold(f64::NEG_INFINITY, f64::max);
    let back = picture.lines.iter().filter(|line| line.way == Way::Back).map(|line| {
        let edge = |at: usize| (cells[at].frame.x + cells[at].frame.width / 2.0, 0.0);
        let turn = loops::turning_point(edge(line.from), edge(line.to));
        turn + label_width(&line.label) / 2.0
    });
    let right = back.fold(of_shapes, f64::max);
    let bottom = frames().map(|it| it.y + it.height / 2.0).fold(f64::NEG_INFINITY, f64::max);
    let title = picture.title.chars().count() as f64 * CHARACTER * 1.1;
    let head = 2.0 * MARGIN + LINE;
    let width = (right - left).max(title) + 2.0 * MARGIN;
    let aside = (width - (right - left)) / 2.0 - left;
    let moved: Vec<Frame> =
        frames().map(|it| Frame { x: it.x + aside, y: it.y - top + head, ..it }).collect();
    let paths = picture
        .lines
        .iter()
        .zip(chains)
        .map(|(line, chain)| {
            let (from, to) = (moved[line.from], moved[line.to]);
            let right = |it: Frame| (it.x + it.width / 2.0, it.y);
            if line.way == Way::Back {
                return vec![right(from), right(to)];
            }
            if line.way == Way::Beside {
                let to_the_right = to.x > from.x;
                let side = |it: Frame, right: bool| {
                    (it.x + if right { it.width / 2.0 } else { -it.width / 2.0 }, it.y)
                };
                return vec![side(from, to_the_right), side(to, !to_the_right)];
            }
            let mut points = vec![(from.x, from.y + from.height / 2.0)];
            let inner = &chain[1..chain.len() - 1];
            points.extend(inner.iter().map(|at| (moved[*at].x, moved[*at].y)));
            points.push((to.x, to.y - to.height / 2.0));
            points
        })
        .collect();
    let frames = moved[..picture.shapes.len()].to_vec();
    Layout { frames, paths, width, height: bottom - top + head + MARGIN }
}

#[cfg(test)]
mod tests {
    use super::super::picture::{Line, Shape, Way};
    use super::*;

    fn picture(count: usize, lines: &[(usize, usize)]) -> Picture {
        let shape = |at: usize| Shape {
            kind: Kind::Cheap,
            lines: vec!["x".repeat(1 + at % 30)],
            groups: Vec::new(),
            loops: 0,
        };
        let line = |(from, to): &(usize, usize)| Line {
            from: *from,
            to: *to,
            label: String::new(),
            way: Way::On,
        };
        Picture {
            title: "t".to_owned(),
            shapes: (0..count).map(shape).collect(),
            lines: lines.iter().map(line).collect(),
        }
    }

    #[test]
    fn no_two_shapes_overlap_and_lines_go_down() {
        let wide: Vec<(usize, usize)> = (1..40).map(|at| (at / 4, at)).collect();
        let cross: Vec<(usize, usize)> =
            (0..9).flat_map(|a| (9..18).map(move |b| (a, b))).collect();
        let long: Vec<(usize, usize)> = (1..12).flat_map(|at| [(at - 1, at), (0, at)]).collect();
        for (count, lines) in [(1, vec![]), (40, wide), (18, cross), (12, long)] {
            let drawn = layout(&picture(count, &lines));
            for (at, a) in drawn.frames.iter().enumerate() {
                assert!(a.x - a.width / 2.0 >= 0.0 && a.x + a.width / 2.0 <= drawn.width);
                assert!(a.y - a.height / 2.0 >= 0.0 && a.y + a.height / 2.0 <= drawn.height);
                for b in &drawn.frames[at + 1..] {
                    let apart = (a.x - b.x).abs() >= f64::midpoint(a.width, b.width) - 0.01
                        || (a.y - b.y).abs() >= f64::midpoint(a.height, b.height) - 0.01;
                    assert!(apart, "{a:?} and {b:?}");
                }
            }
            for path in &drawn.paths {
                assert!(path.windows(2).all(|pair| pair[0].1 < pair[1].1), "{path:?}");
            }
        }
    }
}
