//! The shapes of a picture in their arms and loops, as languages of graphs write them.

use super::picture::{Picture, Shape};

/// A piece of such a text.
pub(super) enum Part<'p> {
    /// A shape and its position.
    Shape(usize, &'p Shape),
    /// A group begins: the position of its first shape, and its name.
    Open(usize, &'p str),
    /// It is over.
    Close,
}

/// All shapes, each in the groups around it, with how deep each part lies.
pub(super) fn parts(picture: &Picture) -> Vec<(usize, Part<'_>)> {
    let mut parts = Vec::new();
    let all: Vec<usize> = (0..picture.shapes.len()).collect();
    gather(picture, &all, 0, &mut parts);
    parts
}

fn gather<'p>(
    picture: &'p Picture,
    shapes: &[usize],
    depth: usize,
    parts: &mut Vec<(usize, Part<'p>)>,
) {
    let group_of = |at: usize| picture.shapes[at].groups.get(depth).map(String::as_str);
    let mut done: Vec<&str> = Vec::new();
    for at in shapes.iter().copied() {
        let Some(group) = group_of(at) else {
            parts.push((depth, Part::Shape(at, &picture.shapes[at])));
            continue;
        };
        if done.contains(&group) {
            continue;
        }
        done.push(group);
        let inside: Vec<usize> =
            shapes.iter().copied().filter(|at| group_of(*at) == Some(group)).collect();
        parts.push((depth, Part::Open(at, group)));
        gather(picture, &inside, depth + 1, parts);
        parts.push((depth, Part::Close));
    }
}
