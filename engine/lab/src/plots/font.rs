//! The font of the plots, compiled in: a machine without fonts draws the same picture.
//!
//! Layout needs the width of a text before it is drawn, and the bitmap needs its outlines. Kerning
//! is left out of both; it is less than the slack of the layout.

use std::sync::LazyLock;

use tiny_skia::{Path, PathBuilder, Transform};
use ttf_parser::{Face, GlyphId, OutlineBuilder};

static BYTES: &[u8] = include_bytes!("font/Arimo-Regular.ttf");

static FACE: LazyLock<Option<Face<'static>>> = LazyLock::new(|| Face::parse(BYTES, 0).ok());

/// What an SVG asks for: the font itself where it is installed, then those of the same widths.
pub(super) const FAMILY: &str = "Arimo, Liberation Sans, Arial, Helvetica, sans-serif";

/// Height of a small letter, in em; `dy="0.5ex"` in SVG is half of it.
pub(super) const EX: f32 = 0.528;

/// Width of `text` when an em is `em` wide, in the unit of `em`.
pub(super) fn width(text: &str, em: f64) -> f64 {
    let Some(face) = &*FACE else { return 0.55 * em * text.chars().count() as f64 };
    let units: u64 = text.chars().map(|c| u64::from(advance(face, glyph(face, c)))).sum();
    units as f64 * em / f64::from(face.units_per_em())
}

/// The outlines of `text`, beginning at the origin with the baseline on the x axis; `None` of a
/// text without ink.
pub(super) fn outline(text: &str, em: f32) -> Option<Path> {
    let face = FACE.as_ref()?;
    let mut pen = Pen { builder: PathBuilder::new(), x: 0.0 };
    for c in text.chars() {
        let glyph = glyph(face, c);
        face.outline_glyph(glyph, &mut pen);
        pen.x += f32::from(advance(face, glyph));
    }
    let scale = em / f32::from(face.units_per_em());
    // Fonts count upwards, pictures downwards.
    pen.builder.finish()?.transform(Transform::from_scale(scale, -scale))
}

/// The glyph of `c`, or the empty box.
fn glyph(face: &Face<'_>, c: char) -> GlyphId {
    face.glyph_index(c).unwrap_or(GlyphId(0))
}

fn advance(face: &Face<'_>, glyph: GlyphId) -> u16 {
    face.glyph_hor_advance(glyph).unwrap_or(0)
}

struct Pen {
    builder: PathBuilder,
    x: f32,
}

impl OutlineBuilder for Pen {
    fn move_to(&mut self, x: f32, y: f32) {
        self.builder.move_to(self.x + x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.builder.line_to(self.x + x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        self.builder.quad_to(self.x + x1, y1, self.x + x, y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        self.builder.cubic_to(self.x + x1, y1, self.x + x2, y2, self.x + x, y);
    }

    fn close(&mut self) {
        self.builder.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_font_is_readable_and_has_what_plots_write() {
        let face = FACE.as_ref().expect("the font parses");
        for c in "AZaz09 …–—·•µ≤≥±×−→←%'\"ΔσΩäßЖ".chars() {
            assert!(face.glyph_index(c).is_some(), "{c} is missing");
        }
        let ex = f32::from(face.x_height().unwrap()) / f32::from(face.units_per_em());
        assert!((ex - EX).abs() < 0.001, "{ex}");
    }

    #[test]
    fn widths_are_those_of_arial() {
        // Advance widths of Arial in thousandths of an em: digits 556, m 833, i 222, space 278.
        for (text, expected) in [("0", 0.556), ("m", 0.833), ("i", 0.222), (" ", 0.278)] {
            assert!((width(text, 1.0) - expected).abs() < 0.001, "{text}");
        }
        assert!((width("007", 10.0) - 3.0 * 5.56).abs() < 0.03);
        assert!(width("", 10.0).abs() < 1e-12);
    }

    #[test]
    fn outlines_stand_on_the_baseline_and_are_as_wide_as_was_said() {
        let path = outline("HH", 100.0).unwrap().bounds();
        assert!(path.bottom().abs() < 1.0 && path.top() < -60.0 && path.top() > -80.0, "{path:?}");
        assert!(f64::from(path.right()) < width("HH", 100.0));
        assert!(outline("  ", 100.0).is_none());
        assert!(outline("漢", 100.0).is_some(), "an unknown character is an empty box");
    }
}
