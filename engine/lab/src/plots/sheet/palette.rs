//! Colours of a bitmap as a palette: one byte for a dot instead of three halves the file.
//!
//! Plots have a few colours and the blends of their edges. If there are more than a palette holds,
//! the rarest, which are blends, become the nearest of the others.

use std::collections::HashMap;

type Color = [u8; 3];

/// Colours of a PNG's palette.
const MOST: usize = 256;

/// A bitmap by palette.
pub(super) struct Indexed {
    pub(super) colors: Vec<Color>,
    /// Number of the color of each dot.
    pub(super) dots: Vec<u8>,
}

impl Indexed {
    /// Of opaque dots of four bytes each.
    pub(super) fn of(pixels: &[u8]) -> Indexed {
        let runs = runs(pixels);
        let mut counts: HashMap<Color, usize> = HashMap::new();
        for (color, length) in &runs {
            *counts.entry(*color).or_default() += length;
        }
        let mut ranked: Vec<(Color, usize)> = counts.into_iter().collect();
        ranked.sort_by_key(|(color, count)| (std::cmp::Reverse(*count), *color));
        let colors: Vec<Color> = ranked.iter().take(MOST).map(|(color, _)| *color).collect();
        let places: HashMap<Color, u8> =
            ranked.iter().map(|(color, _)| (*color, nearest(&colors, *color))).collect();
        let mut dots = Vec::with_capacity(pixels.len() / 4);
        for (color, length) in runs {
            dots.resize(dots.len() + length, places[&color]);
        }
        Indexed { colors, dots }
    }
}

/// Neighbouring dots of one colour, and how many.
fn runs(pixels: &[u8]) -> Vec<(Color, usize)> {
    let mut runs: Vec<(Color, usize)> = Vec::new();
    for pixel in pixels.chunks_exact(4) {
        match runs.last_mut() {
            Some((color, length)) if color[..] == pixel[..3] => *length += 1,
            _ => runs.push(([pixel[0], pixel[1], pixel[2]], 1)),
        }
    }
    runs
}

/// Number of the colour that differs least.
fn nearest(colors: &[Color], from: Color) -> u8 {
    let distance = |color: &Color| -> u32 {
        color.iter().zip(from).map(|(a, b)| u32::from(a.abs_diff(b)).pow(2)).sum()
    };
    let best = colors.iter().enumerate().min_by_key(|(_, color)| distance(color));
    best.map_or(0, |(number, _)| number as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bitmap(colors: impl IntoIterator<Item = Color>) -> Vec<u8> {
        colors.into_iter().flat_map(|[r, g, b]| [r, g, b, 255]).collect()
    }

    #[test]
    fn few_colours_are_kept_exactly() {
        let colors: Vec<Color> = (0..=255).map(|i| [i, 255 - i, i / 2]).collect();
        let indexed = Indexed::of(&bitmap(colors.iter().copied().chain([[0, 255, 0]; 9])));
        let back: Vec<Color> =
            indexed.dots.iter().map(|dot| indexed.colors[usize::from(*dot)]).collect();
        assert_eq!(back[..256], colors);
        assert_eq!(back[256..], [[0, 255, 0]; 9]);
    }

    #[test]
    fn of_too_many_the_rarest_become_their_neighbours() {
        // 300 shades, of which the last 60 are rare.
        let shade = |i: usize| [(i % 150) as u8, (i / 150) as u8 * 100, 0];
        let often = (0..240).flat_map(|i| [shade(i); 3]);
        let indexed = Indexed::of(&bitmap(often.chain((240..300).map(shade))));
        assert_eq!(indexed.colors.len(), 256);
        for i in 0..300 {
            let dot = indexed.dots[if i < 240 { 3 * i } else { 720 + i - 240 }];
            let color = indexed.colors[usize::from(dot)];
            let away = color.iter().zip(shade(i)).map(|(a, b)| i32::from(a.abs_diff(b))).max();
            assert!(away.unwrap() <= if i < 240 { 0 } else { 60 }, "{i}: {color:?}");
        }
    }
}
