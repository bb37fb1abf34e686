//! A picture in the language of Graphviz.

use std::fmt::Write as _;

use super::picture::{Kind, Picture, Way};

pub(super) fn text(picture: &Picture) -> String {
    let mut out = String::from("digraph flow {\n");
    let _ =
        writeln!(out, "  label={}; labelloc=t; fontname=\"sans-serif\";", quoted(&picture.title));
    out += "  node [fontname=\"sans-serif\", fontsize=11, style=filled, fillcolor=white];\n";
    out += "  edge [fontname=\"sans-serif\", fontsize=10];\n";
    groups(&mut out, picture, &(0..picture.shapes.len()).collect::<Vec<_>>(), 0);
    for line in &picture.lines {
        let mut attributes = Vec::new();
        if !line.label.is_empty() {
            attributes.push(format!("label={}", quoted(&line.label)));
        }
        if line.way != Way::On {
            let style = if line.way == Way::Back { "bold" } else { "dashed" };
            attributes.push(format!("style={style}"));
            attributes.push("constraint=false".to_owned());
        }
        let attributes = if attributes.is_empty() {
            String::new()
        } else {
            format!(" [{}]", attributes.join(", "))
        };
        let _ = writeln!(out, "  n{} -> n{}{attributes};", line.from, line.to);
    }
    out += "}\n";
    out
}

/// Shapes, those of an arm or a loop in a frame.
fn groups(out: &mut String, picture: &Picture, shapes: &[usize], depth: usize) {
    let indent = "  ".repeat(depth + 1);
    let mut done: Vec<&str> = Vec::new();
    for at in shapes {
        let shape = &picture.shapes[*at];
        let Some(group) = shape.groups.get(depth) else {
            let form = match shape.kind {
                Kind::Source | Kind::Sink => "shape=box, fillcolor=\"#dff0d8\"",
                Kind::Filter => "shape=hexagon",
                Kind::Cheap => "shape=box",
                Kind::Compute => "shape=box, fillcolor=\"#fdebc8\"",
                Kind::Wait => "shape=box, fillcolor=\"#d9e8fb\"",
                Kind::Schedule => "shape=box, style=\"filled,bold\", fillcolor=\"#e6dcf5\"",
                Kind::Group => "shape=box, peripheries=2, fillcolor=\"#e6dcf5\"",
                Kind::Route => "shape=diamond",
                Kind::Endpoint => "shape=ellipse, fillcolor=\"#d9e8fb\"",
                Kind::Index => "shape=cylinder",
            };
            let label = quoted(&shape.lines.join("\n"));
            let _ = writeln!(out, "{indent}n{at} [{form}, label={label}];");
            continue;
        };
        if done.contains(&group.as_str()) {
            continue;
        }
        done.push(group);
        let inside: Vec<usize> = shapes
            .iter()
            .copied()
            .filter(|at| picture.shapes[*at].groups.get(depth) == Some(group))
            .collect();
        let _ = writeln!(
            out,
            "{indent}subgraph cluster_{at}_{depth} {{\n{indent}  label={};",
            quoted(group)
        );
        groups(out, picture, &inside, depth + 1);
        let _ = writeln!(out, "{indent}}}");
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}
