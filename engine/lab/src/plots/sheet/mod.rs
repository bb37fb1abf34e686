//! The sheet: a backend of plotters that draws the SVG and the PNG of a picture at once.
//!
//! Both come from the same calls in the same coordinates, so they cannot differ. Plotters' own
//! bitmap backend has no smooth thick lines and wants fonts of the machine or a global registry.

mod bitmap;
mod palette;

use std::io::Error;

use plotters::backend::SVGBackend;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind,
};

use super::font;
use bitmap::Bitmap;

/// Plotters' font size over the em that its SVG has for it.
pub(super) const SIZE_OF_EM: f64 = 1.24;

/// Dots of the PNG per inch, and units of the SVG.
pub(super) const DPI: f64 = 300.0;

/// What plotters draws on, in dots.
pub(super) type Area<'a> = DrawingArea<Sheet<'a>, Shift>;

/// The two files of a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Files {
    pub(super) svg: String,
    pub(super) png: Vec<u8>,
}

/// Both backends behind one.
pub(super) struct Sheet<'a> {
    svg: SVGBackend<'a>,
    bitmap: &'a mut Bitmap,
    /// Width of every text, in the order of the SVG.
    widths: &'a mut Vec<f64>,
}

/// Draw on a white sheet of `size` dots. `title` and `description` are for readers who do not see.
pub(super) fn draw<E: std::error::Error>(
    size: (u32, u32),
    title: &str,
    description: &str,
    paint: impl FnOnce(&Area<'_>) -> Result<(), E>,
) -> Result<Files, String> {
    let mut svg = String::new();
    let mut bitmap = Bitmap::new(size).ok_or("the picture is too large")?;
    let mut widths = Vec::new();
    {
        let backend = SVGBackend::with_string(&mut svg, size);
        let area = Sheet { svg: backend, bitmap: &mut bitmap, widths: &mut widths };
        let area = area.into_drawing_area();
        paint(&area).map_err(|error| error.to_string())?;
        area.present().map_err(|error| error.to_string())?;
    }
    Ok(Files { svg: finish(&svg, size, &widths, title, description), png: bitmap.encode()? })
}

/// The SVG with its size on paper, its title, and the width of each text: a viewer with another
/// font squeezes the letters instead of running over the edge.
fn finish(
    svg: &str,
    (width, height): (u32, u32),
    widths: &[f64],
    title: &str,
    description: &str,
) -> String {
    let mm = |dots: u32| format!("{:.2}mm", f64::from(dots) / DPI * 25.4);
    let body = svg.split_once('>').map_or("", |(_, body)| body);
    // A text cannot hold the mark itself, since `<` is escaped in it.
    const MARK: &str = "<text ";
    let mut parts = body.split(MARK);
    let mut body = parts.next().unwrap_or_default().to_owned();
    for (part, width) in parts.zip(widths) {
        body.push_str(MARK);
        if *width > 0.0 {
            body.push_str(&format!("textLength=\"{width:.1}\" lengthAdjust=\"spacingAndGlyphs\" "));
        }
        body.push_str(part);
    }
    format!(
        "<svg width=\"{}\" height=\"{}\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
         xmlns=\"http://www.w3.org/2000/svg\">\n<title>{}</title>\n<desc>{}</desc>{body}",
        mm(width),
        mm(height),
        escape(title),
        escape(description),
    )
}

/// `text` as XML and HTML write it, without the characters that neither may contain.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(printable(c)),
        }
    }
    escaped
}

/// `c`, or a replacement where XML has no way to write it.
pub(crate) fn printable(c: char) -> char {
    match c {
        '\t' | '\n' => c,
        c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => '\u{fffd}',
        c => c,
    }
}

type Outcome = Result<(), DrawingErrorKind<Error>>;

impl DrawingBackend for Sheet<'_> {
    type ErrorType = Error;

    fn get_size(&self) -> (u32, u32) {
        self.svg.get_size()
    }

    fn ensure_prepared(&mut self) -> Outcome {
        self.svg.ensure_prepared()
    }

    fn present(&mut self) -> Outcome {
        self.svg.present()
    }

    fn draw_pixel(&mut self, point: BackendCoord, color: BackendColor) -> Outcome {
        self.bitmap.rectangle(point, (point.0 + 1, point.1 + 1), color);
        self.svg.draw_pixel(point, color)
    }

    fn draw_line<S: BackendStyle>(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        style: &S,
    ) -> Outcome {
        self.bitmap.path(&[from, to], style);
        self.svg.draw_line(from, to, style)
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        style: &S,
        fill: bool,
    ) -> Outcome {
        if fill {
            self.bitmap.rectangle(from, to, style.color());
            return self.svg.draw_rect(from, to, style, true);
        }
        // Plotters forgets the stroke width of rectangles.
        self.draw_path([from, (to.0, from.1), to, (from.0, to.1), from], style)
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Outcome {
        let points: Vec<BackendCoord> = path.into_iter().collect();
        self.bitmap.path(&points, style);
        self.svg.draw_path(points, style)
    }

    fn draw_circle<S: BackendStyle>(
        &mut self,
        center: BackendCoord,
        radius: u32,
        style: &S,
        fill: bool,
    ) -> Outcome {
        self.bitmap.circle(center, radius, style, fill);
        self.svg.draw_circle(center, radius, style, fill)
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        corners: I,
        style: &S,
    ) -> Outcome {
        let corners: Vec<BackendCoord> = corners.into_iter().collect();
        self.bitmap.polygon(&corners, style.color());
        self.svg.fill_polygon(corners, style)
    }

    fn draw_text<S: BackendTextStyle>(
        &mut self,
        text: &str,
        style: &S,
        at: BackendCoord,
    ) -> Outcome {
        let text: String = text.chars().map(printable).collect();
        self.bitmap.text(&text, style, at);
        self.widths.push(font::width(&text, style.size() / SIZE_OF_EM));
        self.svg.draw_text(&text, style, at)
    }
}
