//! Colours, marks, dashes and sizes.
//!
//! The colours are those of Okabe and Ito (2008), which people with any kind of colour blindness
//! tell apart. Since half of all papers are printed in grey, a series differs by its mark and dash
//! too, and the parts of a bar by their lightness.

use plotters::style::RGBColor;

/// Dots of the picture for `points` of type, so many at a time.
pub(super) const fn pt(points: f64) -> f64 {
    points * super::sheet::DPI / 72.0
}

/// Em of everything but titles: 7 pt at the width of a column.
pub(super) const TEXT: f64 = pt(7.0);
/// Em of the title.
pub(super) const TITLE: f64 = pt(8.5);
/// From baseline to baseline, in em.
pub(super) const LEADING: f64 = 1.22;
/// Width of a column of a paper, 85 mm, in dots.
pub(super) const COLUMN: u32 = 1004;
/// Width of two columns, 175 mm, in dots.
pub(super) const PAGE: u32 = 2067;

pub(super) const INK: RGBColor = RGBColor(0x1a, 0x1a, 0x1a);
pub(super) const SOFT: RGBColor = RGBColor(0x55, 0x55, 0x55);
pub(super) const FAINT: RGBColor = RGBColor(0x9a, 0x9a, 0x9a);
pub(super) const GRID: RGBColor = RGBColor(0xdd, 0xdd, 0xdd);

const BLUE: RGBColor = RGBColor(0x00, 0x72, 0xb2);
const VERMILLION: RGBColor = RGBColor(0xd5, 0x5e, 0x00);
const GREEN: RGBColor = RGBColor(0x00, 0x9e, 0x73);
const PURPLE: RGBColor = RGBColor(0xcc, 0x79, 0xa7);
const ORANGE: RGBColor = RGBColor(0xe6, 0x9f, 0x00);
const SKY: RGBColor = RGBColor(0x56, 0xb4, 0xe9);
const YELLOW: RGBColor = RGBColor(0xf0, 0xe4, 0x42);
const BLACK: RGBColor = RGBColor(0x00, 0x00, 0x00);

/// Form of a mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Circle,
    Square,
    Triangle,
    Diamond,
    Drop,
    Cross,
    Plus,
    Ring,
}

/// Ink and gap of a dashed line in dots; `None` is a solid line.
pub(super) type Dash = Option<(u32, u32)>;

/// How a series looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Look {
    pub(super) color: RGBColor,
    pub(super) shape: Shape,
    pub(super) dash: Dash,
}

/// So many series can be told apart in one picture.
pub(super) const LOOKS: usize = SERIES.len();

const SERIES: [Look; 8] = [
    look(BLUE, Shape::Circle, None),
    look(VERMILLION, Shape::Square, Some((22, 9))),
    look(GREEN, Shape::Triangle, Some((6, 7))),
    look(PURPLE, Shape::Diamond, Some((36, 9))),
    look(ORANGE, Shape::Drop, Some((13, 7))),
    look(BLACK, Shape::Cross, Some((4, 11))),
    look(SKY, Shape::Plus, None),
    look(SOFT, Shape::Ring, Some((22, 16))),
];

const fn look(color: RGBColor, shape: Shape, dash: Dash) -> Look {
    Look { color, shape, dash }
}

/// The look of series number `index`; they begin again after [`LOOKS`].
pub(super) const fn series(index: usize) -> Look {
    SERIES[index % LOOKS]
}

/// The parts of a whole, from light to dark: scheduling, queueing, execution.
pub(super) const PARTS: [Look; 3] = [
    look(YELLOW, Shape::Circle, None),
    look(SKY, Shape::Square, None),
    look(BLUE, Shape::Triangle, None),
];

/// Median, 90th and 99th percentile: further out is warmer and has more corners.
pub(super) const PERCENTILES: [Look; 3] = [
    look(BLUE, Shape::Circle, None),
    look(GREEN, Shape::Diamond, Some((22, 9))),
    look(VERMILLION, Shape::Triangle, Some((6, 7))),
];

/// What was not measured but follows: the ideal line, the mean.
pub(super) const GUIDE: Look = look(SOFT, Shape::Circle, Some((10, 8)));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_series_have_the_same_mark_or_colour_and_none_vanishes_on_white() {
        for (index, one) in SERIES.iter().enumerate() {
            for other in &SERIES[..index] {
                assert_ne!(one.shape, other.shape);
                assert_ne!(one.color, other.color);
            }
            let RGBColor(r, g, b) = one.color;
            let grey = 0.3 * f64::from(r) + 0.59 * f64::from(g) + 0.11 * f64::from(b);
            assert!(grey < 180.0, "{one:?} is too light for a line");
        }
    }

    #[test]
    fn parts_of_a_whole_differ_in_grey() {
        let greys = PARTS.map(|Look { color: RGBColor(r, g, b), .. }| {
            0.3 * f64::from(r) + 0.59 * f64::from(g) + 0.11 * f64::from(b)
        });
        assert!(greys[0] - greys[1] > 40.0 && greys[1] - greys[2] > 40.0, "{greys:?}");
    }
}
