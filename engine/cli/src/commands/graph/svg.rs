//! A picture as SVG, which every browser shows.

use std::fmt::Write as _;

use super::layout::{Frame, layout};
use super::picture::{Kind, Picture, Shape, Way};
use super::{curve, labels, loops};

const STYLE: &str = "
  text { font: 12px sans-serif; fill: #222; text-anchor: middle; }
  .title { font-size: 14px; font-weight: bold; text-anchor: start; }
  .name { font-weight: bold; }
  .label { font-size: 11px; fill: #555; paint-order: stroke; stroke: #fff; stroke-width: 4px; }
  .shape { stroke: #667; stroke-width: 1.2; }
  .line { fill: none; stroke: #667; stroke-width: 1.3; }
  .loop { fill: #f7f5fd; stroke: #a99cd0; stroke-width: 1; }
  .loop-name { font-size: 11px; fill: #6a5aa8; text-anchor: start; paint-order: stroke; stroke: #fff; stroke-width: 4px; }
  .back { fill: none; stroke: #6a5aa8; stroke-width: 1.6; }
  .beside { fill: none; stroke: #99a; stroke-width: 1; stroke-dasharray: 5 4; }
";

pub(super) fn text(picture: &Picture) -> String {
    let drawn = layout(picture);
    let (width, height) = (drawn.width.ceil(), drawn.height.ceil());
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 \
         {width} {height}\" role=\"img\">\n<title>{title}</title>\n<style>{STYLE}</style>\n<defs><marker \
         id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" \
         orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"#667\"/></marker></defs>\n<rect \
         width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n<text class=\"title\" x=\"24\" \
         y=\"28\">{title}</text>\n",
        title = escaped(&picture.title),
    );
    // The name of a loop stands over the upper left corner of its outline.
    let mut names = Vec::new();
    for (name, outline) in loops::outlines(picture, &drawn.frames) {
        let points: Vec<String> = outline.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = writeln!(out, "<polygon class=\"loop\" points=\"{}\"/>", points.join(" "));
        names.extend(outline.last().map(|(x, y)| (name, x + 6.0, y - 4.0)));
    }
    let curves: Vec<_> = picture
        .lines
        .iter()
        .zip(&drawn.paths)
        .map(|(line, path)| curve::curves(path, line.way))
        .collect();
    for (line, curves) in picture.lines.iter().zip(&curves) {
        let tip = " marker-end=\"url(#tip)\"";
        let (class, tip) = match line.way {
            Way::On => ("line", tip),
            Way::Beside => ("beside", ""),
            Way::Back => ("back", tip),
        };
        let _ = writeln!(out, "<path class=\"{class}\" d=\"{}\"{tip}/>", curve::course(curves));
    }
    for (shape, frame) in picture.shapes.iter().zip(&drawn.frames) {
        out += &shown(shape, *frame);
    }
    // Texts stand over all lines.
    let mut taken = Vec::new();
    for (name, x, y) in &names {
        let text = escaped(name);
        let _ = writeln!(out, "<text class=\"loop-name\" x=\"{x:.1}\" y=\"{y:.1}\">{text}</text>");
        let box_of = labels::frame(name, (*x, y - 4.0));
        taken.push(Frame { x: x + box_of.width / 2.0, ..box_of });
    }
    let places = labels::places(picture, &curves, &drawn.frames, &taken);
    for (line, place) in picture.lines.iter().zip(places) {
        if let Some((x, y)) = place {
            let _ = writeln!(
                out,
                "<text class=\"label\" x=\"{x:.1}\" y=\"{:.1}\">{}</text>",
                y + 4.0,
                escaped(&line.label)
            );
        }
    }
    out += "</svg>\n";
    out
}

fn shown(shape: &Shape, frame: Frame) -> String {
    let fill = match shape.kind {
        Kind::Source | Kind::Sink => "#dff0d8",
        Kind::Compute => "#fdebc8",
        Kind::Wait | Kind::Endpoint => "#d9e8fb",
        Kind::Schedule | Kind::Group => "#e6dcf5",
        Kind::Index => "#f3ead9",
        Kind::Filter | Kind::Cheap | Kind::Route => "#f4f4f6",
    };
    let Frame { x, y, width, height } = frame;
    let (left, top) = (x - width / 2.0, y - height / 2.0);
    let (right, bottom) = (x + width / 2.0, y + height / 2.0);
    let polygon = |points: &[(f64, f64)]| {
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        format!("<polygon class=\"shape\" fill=\"{fill}\" points=\"{}\"/>", points.join(" "))
    };
    let mut out = match shape.kind {
        Kind::Route => polygon(&[(x, top), (right, y), (x, bottom), (left, y)]),
        Kind::Filter => polygon(&[
            (left + 12.0, top),
            (right - 12.0, top),
            (right, y),
            (right - 12.0, bottom),
            (left + 12.0, bottom),
            (left, y),
        ]),
        Kind::Endpoint => format!(
            "<ellipse class=\"shape\" fill=\"{fill}\" cx=\"{x:.1}\" cy=\"{y:.1}\" rx=\"{:.1}\" \
             ry=\"{:.1}\"/>",
            width / 2.0,
            height / 2.0
        ),
        kind => {
            let round = match kind {
                Kind::Source | Kind::Sink => height / 2.0,
                Kind::Schedule => 0.0,
                _ => 5.0,
            };
            let bold = if kind == Kind::Schedule { " stroke-width=\"2.5\"" } else { "" };
            format!(
                "<rect class=\"shape\" fill=\"{fill}\"{bold} x=\"{left:.1}\" y=\"{top:.1}\" \
                 width=\"{width:.1}\" height=\"{height:.1}\" rx=\"{round:.1}\"/>"
            )
        }
    };
    out.push('\n');
    let first = y - (shape.lines.len() as f64 - 1.0) * 8.0 + 4.0;
    for (at, line) in shape.lines.iter().enumerate() {
        let class = if at == 0 { " class=\"name\"" } else { "" };
        let _ = writeln!(
            out,
            "<text{class} x=\"{x:.1}\" y=\"{:.1}\">{}</text>",
            first + at as f64 * 16.0,
            escaped(line)
        );
    }
    out
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
