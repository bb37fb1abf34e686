//! The pictures, drawn into the page as SVG.

use std::fs;
use std::path::Path;

use crate::LabError;
use crate::plots::escape;

/// Wider pictures than this, in their own units, take the whole width of the page.
const COLUMN: f64 = 1200.0;

pub(super) fn section(names: &[String], folder: &Path) -> Result<String, LabError> {
    if names.is_empty() {
        return Ok(String::new());
    }
    let mut text = String::from("<h2>Pictures</h2>\n<div class=\"pictures\">\n");
    for name in names {
        let path = folder.join(format!("{name}.svg"));
        let svg = fs::read_to_string(&path).map_err(LabError::file("read", &path))?;
        let picture = inline(&svg).ok_or_else(|| {
            LabError::content(&path, "it is no picture of this program; make the report anew")
        })?;
        let class = if picture.width > COLUMN { "page" } else { "column" };
        let file = escape(name);
        text.push_str(&format!(
            "<figure class=\"{class}\">\n{}<figcaption>\
             <a href=\"{file}.png\">{file}.png</a> <a href=\"{file}.svg\">{file}.svg</a>\
             </figcaption>\n</figure>\n",
            picture.svg
        ));
    }
    text.push_str("</div>\n");
    Ok(text)
}

/// A picture as it stands in a page.
struct Inline {
    svg: String,
    width: f64,
}

/// The picture without its size on paper and its name space, which a page does not need. `None` of
/// what is none, or holds more than shapes and text.
fn inline(svg: &str) -> Option<Inline> {
    let (head, body) = svg.strip_prefix("<svg ")?.split_once('>')?;
    let end = body.trim_end().strip_suffix("</svg>")?;
    let view = head.split_once("viewBox=\"")?.1.split_once('"')?.0;
    let width = view.split(' ').nth(2)?.parse().ok()?;
    let lower = end.to_ascii_lowercase();
    let foreign = ["<script", "<foreignobject", "<image", "<use", "<a ", "<svg", "href="];
    if foreign.iter().any(|word| lower.contains(word)) {
        return None;
    }
    let svg = format!("<svg viewBox=\"{}\" role=\"img\">{end}</svg>\n", escape(view));
    Some(Inline { svg, width })
}

#[cfg(test)]
mod tests {
    use super::inline;

    #[test]
    fn only_pictures_are_drawn_into_the_page() {
        let svg = "<svg width=\"1mm\" viewBox=\"0 0 1004 20\" xmlns=\"x\">\n<rect/>\n</svg>\n";
        let picture = inline(svg).unwrap();
        assert!((picture.width - 1004.0).abs() < 1e-9);
        assert_eq!(picture.svg, "<svg viewBox=\"0 0 1004 20\" role=\"img\">\n<rect/>\n</svg>\n");
        for wrong in [
            "",
            "<html></html>",
            "<svg viewBox=\"0 0 1 1\"><script>alert(1)</script></svg>",
            "<svg viewBox=\"0 0 1 1\"><image HREF=\"x\"/></svg>",
            "<svg viewBox=\"0 0 1 1\"><rect/>",
            "<svg width=\"1\"><rect/></svg>",
        ] {
            assert!(inline(wrong).is_none(), "{wrong}");
        }
    }
}
