//! A picture in the language of Mermaid, which many pages of Markdown show.

use std::fmt::Write as _;

use super::picture::{Kind, Picture, Way};

pub(super) fn text(picture: &Picture) -> String {
    let mut out = format!("---\ntitle: {}\n---\nflowchart TD\n", title(&picture.title));
    groups(&mut out, picture, &(0..picture.shapes.len()).collect::<Vec<_>>(), 0);
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

fn groups(out: &mut String, picture: &Picture, shapes: &[usize], depth: usize) {
    let indent = "  ".repeat(depth + 1);
    let mut done: Vec<&str> = Vec::new();
    for at in shapes {
        let shape = &picture.shapes[*at];
        let Some(group) = shape.groups.get(depth) else {
            let (open, close) = match shape.kind {
                Kind::Source | Kind::Sink => ("([", "])"),
                Kind::Filter => ("{{", "}}"),
                Kind::Schedule | Kind::Group => ("[[", "]]"),
                Kind::Route => ("{", "}"),
                Kind::Endpoint => ("((", "))"),
                Kind::Index => ("[(", ")]"),
                Kind::Cheap | Kind::Compute | Kind::Wait => ("[", "]"),
            };
            let label = quoted(&shape.lines.join("\n"));
            let _ = writeln!(out, "{indent}n{at}{open}{label}{close}");
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
        let _ = writeln!(out, "{indent}subgraph g{at}_{depth}[{}]", quoted(group));
        groups(out, picture, &inside, depth + 1);
        let _ = writeln!(out, "{indent}end");
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
