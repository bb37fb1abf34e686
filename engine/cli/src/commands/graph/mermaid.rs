//! A picture in the language of Mermaid, which many pages of Markdown show.

use std::fmt::Write as _;

use super::nested::{Part, parts};
use super::picture::{Kind, Picture, Way};

pub(super) fn text(picture: &Picture) -> String {
    let mut out = format!("---\ntitle: {}\n---\nflowchart TD\n", title(&picture.title));
    groups(&mut out, picture);
    for line in &picture.lines {
        let arrow = match line.way {
            Way::On => "-->",
            Way::Beside => "-.->",
            Way::Back => "==>",
        };
        let label = if line.label.is_empty() {
            String::new()
        } else {
            format!("|{}|", quoted(&line.label))
        };
        let _ = writeln!(out, "  n{} {arrow}{label} n{}", line.from, line.to);
    }
    out
}

fn groups(out: &mut String, picture: &Picture) {
    for (depth, part) in parts(picture) {
        let indent = "  ".repeat(depth + 1);
        let _ = match part {
            Part::Shape(at, shape) => {
                let ((open, close), label) = (form(shape.kind), quoted(&shape.lines.join("\n")));
                writeln!(out, "{indent}n{at}{open}{label}{close}")
            }
            Part::Open(at, group) => {
                writeln!(out, "{indent}subgraph g{at}_{depth}[{}]", quoted(group))
            }
            Part::Close => writeln!(out, "{indent}end"),
        };
    }
}

/// The brackets of a shape.
fn form(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Source | Kind::Sink => ("([", "])"),
        Kind::Filter => ("{{", "}}"),
        Kind::Schedule | Kind::Group => ("[[", "]]"),
        Kind::Route => ("{", "}"),
        Kind::Endpoint => ("((", "))"),
        Kind::Index => ("[(", ")]"),
        Kind::Cheap | Kind::Compute | Kind::Wait => ("[", "]"),
    }
}

/// Text between quotes; signs that Mermaid would read are written as entities.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '\n' => out += "<br/>",
            '"' => out += "#quot;",
            '<' => out += "#lt;",
            '>' => out += "#gt;",
            '#' => out += "#35;",
            '`' => out += "#96;",
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A title is a string of YAML.
fn title(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
