//! The bitmap of a picture: smooth lines and text by tiny-skia, in the geometry of SVG.

use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{BackendColor, BackendCoord, BackendStyle, BackendTextStyle, FontTransform};
use tiny_skia::{FillRule, Paint, Path, PathBuilder, Pixmap, Rect, Stroke, Transform};

use super::palette::Indexed;
use super::{DPI, SIZE_OF_EM};
use crate::plots::font;

pub(super) struct Bitmap {
    pixels: Pixmap,
}

impl Bitmap {
    /// A white one; `None` if it is larger than memory can address, or empty.
    pub(super) fn new((width, height): (u32, u32)) -> Option<Bitmap> {
        let mut pixels = Pixmap::new(width, height)?;
        pixels.fill(tiny_skia::Color::WHITE);
        Some(Bitmap { pixels })
    }

    pub(super) fn rectangle(&mut self, from: BackendCoord, to: BackendCoord, color: BackendColor) {
        let sides = [from.0, from.1, to.0, to.1].map(|side| side as f32);
        let [left, top, right, bottom] = sides;
        if let Some(rect) = Rect::from_ltrb(left, top, right, bottom) {
            self.fill(&PathBuilder::from_rect(rect), color, Transform::identity());
        }
    }

    pub(super) fn path<S: BackendStyle>(&mut self, points: &[BackendCoord], style: &S) {
        if let Some(path) = lines(points, false) {
            self.stroke(&path, style);
        }
    }

    pub(super) fn polygon(&mut self, corners: &[BackendCoord], color: BackendColor) {
        if let Some(path) = lines(corners, true) {
            self.fill(&path, color, Transform::identity());
        }
    }

    pub(super) fn circle<S: BackendStyle>(
        &mut self,
        center: BackendCoord,
        radius: u32,
        style: &S,
        fill: bool,
    ) {
        let (x, y) = (center.0 as f32, center.1 as f32);
        let Some(path) = PathBuilder::from_circle(x, y, radius as f32) else { return };
        if fill {
            self.fill(&path, style.color(), Transform::identity());
        } else {
            self.stroke(&path, style);
        }
    }

    /// As the SVG backend of plotters places it: `dy` of 0.76 em or half an ex, then turned.
    pub(super) fn text<S: BackendTextStyle>(&mut self, text: &str, style: &S, at: BackendCoord) {
        let em = style.size() / SIZE_OF_EM;
        let Some(path) = font::outline(text, em as f32) else { return };
        let width = font::width(text, em) as f32;
        let across = match style.anchor().h_pos {
            HPos::Left => 0.0,
            HPos::Center => -width / 2.0,
            HPos::Right => -width,
        };
        let down = match style.anchor().v_pos {
            VPos::Top => 0.76 * em as f32,
            VPos::Center => font::EX / 2.0 * em as f32,
            VPos::Bottom => -font::EX / 2.0 * em as f32,
        };
        let degrees = match style.transform() {
            FontTransform::None => 0.0,
            FontTransform::Rotate90 => 90.0,
            FontTransform::Rotate180 => 180.0,
            FontTransform::Rotate270 => 270.0,
        };
        let place = Transform::from_translate(at.0 as f32, at.1 as f32)
            .pre_concat(Transform::from_rotate(degrees))
            .pre_translate(across, down);
        self.fill(&path, style.color(), place);
    }

    fn fill(&mut self, path: &Path, color: BackendColor, place: Transform) {
        self.pixels.fill_path(path, &paint(color), FillRule::Winding, place, None);
    }

    fn stroke<S: BackendStyle>(&mut self, path: &Path, style: &S) {
        let stroke = Stroke { width: style.stroke_width() as f32, ..Stroke::default() };
        let paint = paint(style.color());
        self.pixels.stroke_path(path, &paint, &stroke, Transform::identity(), None);
    }

    /// The PNG, with its resolution, so that it has its size on paper.
    pub(super) fn encode(&self) -> Result<Vec<u8>, String> {
        let Indexed { colors, dots } = Indexed::of(self.pixels.pixels());
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, self.pixels.width(), self.pixels.height());
        encoder.set_color(png::ColorType::Indexed);
        encoder.set_palette(colors.concat());
        encoder.set_depth(png::BitDepth::Eight);
        // Flat areas compress best as they are.
        encoder.set_filter(png::Filter::NoFilter);
        let dots_per_metre = (DPI / 0.0254).round() as u32;
        encoder.set_pixel_dims(Some(png::PixelDimensions {
            xppu: dots_per_metre,
            yppu: dots_per_metre,
            unit: png::Unit::Meter,
        }));
        let mut writer = encoder.write_header().map_err(|error| error.to_string())?;
        writer.write_image_data(&dots).map_err(|error| error.to_string())?;
        writer.finish().map_err(|error| error.to_string())?;
        Ok(bytes)
    }
}

fn lines(points: &[BackendCoord], close: bool) -> Option<Path> {
    let mut builder = PathBuilder::new();
    let (first, rest) = points.split_first()?;
    builder.move_to(first.0 as f32, first.1 as f32);
    rest.iter().for_each(|point| builder.line_to(point.0 as f32, point.1 as f32));
    if close {
        builder.close();
    }
    builder.finish()
}

fn paint(color: BackendColor) -> Paint<'static> {
    let mut paint = Paint { anti_alias: true, ..Paint::default() };
    let (red, green, blue) = color.rgb;
    paint.set_color_rgba8(red, green, blue, (color.alpha.clamp(0.0, 1.0) * 255.0).round() as u8);
    paint
}
