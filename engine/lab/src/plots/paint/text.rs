//! Text on a sheet: placed by its baseline, broken into lines, shortened where it must be.

use plotters::element::Text;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontTransform, IntoFont, RGBColor, TextStyle};
use plotters_backend::BackendCoord;

use super::{Area, Painted};
use crate::plots::font;
use crate::plots::sheet::SIZE_OF_EM;

/// Which point of a text is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// Write `text` with the given point of its baseline at `at`; turned, it runs upwards.
pub(super) fn write(
    area: &Area<'_>,
    text: &str,
    at: (f64, f64),
    anchor: Anchor,
    em: f64,
    color: RGBColor,
    turned: bool,
) -> Painted {
    let across = match anchor {
        Anchor::Start => HPos::Left,
        Anchor::Middle => HPos::Center,
        Anchor::End => HPos::Right,
    };
    // An SVG has the baseline of text at the top 0.76 em below the point, whatever the font.
    let rise = 0.76 * em;
    let at = if turned { (at.0 - rise, at.1) } else { (at.0, at.1 - rise) };
    let transform = if turned { FontTransform::Rotate270 } else { FontTransform::None };
    let style = TextStyle::from((font::FAMILY, em * SIZE_OF_EM).into_font())
        .transform(transform)
        .color(&color)
        .pos(Pos::new(across, VPos::Top));
    area.draw(&Text::new(text, dots(at), style))
}

/// The nearest dot.
pub(super) fn dots((x, y): (f64, f64)) -> BackendCoord {
    (x.round() as i32, y.round() as i32)
}

/// `text` in lines no wider than `width`, broken at blanks and behind `,`, `_`, `-` and `/`;
/// what is longer than `most` lines, or has no place to break, loses its middle.
pub(super) fn wrap(text: &str, em: f64, width: f64, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut last = String::new();
    for piece in pieces(text) {
        let longer = format!("{last}{piece}");
        let fits = last.is_empty() || font::width(longer.trim_end(), em) <= width;
        if fits || lines.len() + 1 >= most {
            last = longer;
        } else {
            lines.push(std::mem::replace(&mut last, piece.to_owned()));
        }
    }
    lines.push(last);
    lines.into_iter().map(|line| shorten(line.trim(), em, width)).collect()
}

/// Parts of `text` that stay together, each with the blank or sign behind it.
fn pieces(text: &str) -> Vec<&str> {
    text.split_inclusive([' ', ',', '_', '-', '/']).collect()
}

/// `text` without so much of its middle that it is no wider than `width`.
pub(super) fn shorten(text: &str, em: f64, width: f64) -> String {
    if font::width(text, em) <= width {
        return text.to_owned();
    }
    let letters: Vec<char> = text.chars().collect();
    for left in (0..letters.len()).rev() {
        let (head, tail) = (left - left / 2, left / 2);
        let short: String = letters[..head]
            .iter()
            .chain(['…'].iter())
            .chain(&letters[letters.len() - tail..])
            .collect();
        if font::width(&short, em) <= width {
            return short;
        }
    }
    "…".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_no_wider_than_allowed_and_lose_nothing_if_there_is_room() {
        let text = "load_aware(spread, window: 16) on 4 nodes with twice the slots";
        let lines = wrap(text, 10.0, 120.0, 9);
        assert!(lines.iter().all(|line| font::width(line, 10.0) <= 120.0), "{lines:?}");
        let joined: String = lines.concat().split_whitespace().collect();
        assert_eq!(joined, text.split_whitespace().collect::<String>());
        assert_eq!(wrap("fifo", 10.0, 120.0, 2), ["fifo"]);
        assert_eq!(wrap("", 10.0, 120.0, 2), [""]);
    }

    #[test]
    fn what_does_not_fit_loses_its_middle() {
        let text = "abcdefghijklmnopqrstuvwxyz0123456789";
        for width in [300.0, 100.0, 30.0, 1.0] {
            for lines in [wrap(text, 10.0, width, 2), vec![shorten(text, 10.0, width)]] {
                for line in lines {
                    assert!(line == "…" || font::width(&line, 10.0) <= width, "{line}");
                }
            }
        }
        let short = shorten(text, 10.0, 100.0);
        assert!(short.starts_with("abc") && short.ends_with("789") && short.contains('…'));
        let lines = wrap("one two three four five six", 10.0, 60.0, 2);
        assert_eq!(lines.len(), 2);
        assert!(lines[1].contains('…') && lines[1].ends_with("six"), "{lines:?}");
    }
}
