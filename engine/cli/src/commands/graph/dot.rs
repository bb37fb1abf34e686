//! A picture in the language of Graphviz.

use std::fmt::Write as _;

use super::nested::{Part, parts};
use super::picture::{Kind, Picture, Way};

pub(super) fn text(picture: &Picture) -> String {
    let mut out = String::from("digraph flow {\n");
    let _ =
        writeln!(out, "  label={}; labelloc=t; fontname=\"sans-serif\";", quoted(&picture.title));
    out += "  node [fontname=\"sans-serif\", fontsize=11, style=filled, fillcolor=white];\n";
    out += "  edge [fontname=\"sans-serif\", fontsize=10];\n";
    groups(&mut out, picture);
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
fn groups(out: &mut String, picture: &Picture) {
    for (depth, part) in parts(picture) {
        let indent = "  ".repeat(depth + 1);
        let _ = match part {
            Part::Shape(at, shape) => {
                let label = quoted(&shape.lines.join("\n"));
                writeln!(out, "{indent}n{at} [{}, label={label}];", form(shape.kind))
            }
            Part::Open(at, group) => {
                let label = quoted(group);
                writeln!(out, "{indent}subgraph cluster_{at}_{depth} {{\n{indent}  label={label};")
            }
            Part::Close => writeln!(out, "{indent}}}"),
        };
    }
}

fn form(kind: Kind) -> &'static str {
    match kind {
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
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}
