//! The painter: from a [`Picture`] to its SVG and PNG.
//!
//! Everything stands in a place of its own, from top to bottom: title, legend, panels with their
//! axes, notes. So nothing covers data, and the height follows from what there is to say.

mod axes;
mod labels;
mod layout;
mod legend;
mod marks;
mod plane;
mod text;

use plotters::drawing::DrawingAreaErrorKind;
use plotters::style::WHITE;

use super::model::Picture;
use super::sheet::{self, Area, Files};
use super::style::{INK, LEADING, SOFT, TEXT, TITLE};
use layout::Layout;
use plane::Plane;
use text::Anchor;

/// What drawing comes to.
type Painted = Result<(), DrawingAreaErrorKind<std::io::Error>>;

/// Draw `picture`. The error says what the drawing library said.
pub(super) fn paint(picture: &Picture) -> Result<Files, String> {
    let layout = Layout::of(picture);
    sheet::draw(layout.size, &picture.title, &describe(picture), |area| {
        area.fill(&WHITE)?;
        lines(area, &layout.title, layout.margin, layout.title_top, TITLE, INK)?;
        legend::draw(area, &picture.legend, &layout.legend)?;
        for (panel, place) in picture.panels.iter().zip(&layout.places) {
            let plane = Plane::new(area, panel, place);
            axes::under(&plane, panel, place)?;
            marks::draw(&plane, &panel.marks)?;
            axes::over(&plane, panel, place)?;
        }
        lines(area, &layout.notes, layout.margin, layout.notes_top, TEXT, SOFT)
    })
}

/// Lines of text below each other, the first with its top at `top`.
fn lines(
    area: &Area<'_>,
    lines: &[String],
    left: f64,
    top: f64,
    em: f64,
    color: plotters::style::RGBColor,
) -> Painted {
    let mut baseline = top + 0.9 * em;
    for line in lines {
        text::write(area, line, (left, baseline), Anchor::Start, em, color, false)?;
        baseline += LEADING * em;
    }
    Ok(())
}

/// The picture in words: what its axes are, its series, its notes.
fn describe(picture: &Picture) -> String {
    let mut words: Vec<String> = Vec::new();
    for panel in &picture.panels {
        let axes = [&panel.x.title, &panel.y.title].map(String::as_str);
        let axes: Vec<&str> = axes.into_iter().filter(|title| !title.is_empty()).collect();
        let sentence = [panel.title.as_str(), &axes.join(" and ")].join(": ");
        let sentence = format!("{}.", sentence.trim_matches([':', ' ']));
        if sentence.len() > 1 && !words.contains(&sentence) {
            words.push(sentence);
        }
    }
    let series: Vec<&str> = picture.legend.iter().map(|key| key.label.as_str()).collect();
    if !series.is_empty() {
        words.push(format!("Series: {}.", series.join(", ")));
    }
    words.extend(picture.notes.iter().cloned());
    words.join(" ")
}
