//! Colours of a bitmap as a palette: one byte for a dot instead of three halves the file.
//!
//! Plots have a few colours and the blends of their edges. If there are more than a palette holds,
//! the rarest, which are blends, become the nearest of the others.

use std::cmp::Reverse;
use std::collections::HashMap;

use tiny_skia::PremultipliedColorU8;

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
    /// Of opaque dots.
    pub(super) fn of(pixels: &[PremultipliedColorU8]) -> Indexed {
        // Most dots are as the one before.
        let runs: Vec<(Color, usize)> = pixels
            .chunk_by(|one, next| one == next)
            .map(|run| ([run[0].red(), run[0].green(), run[0].blue()], run.len()))
            .collect();
        let mut counts: HashMap<Color, usize> = HashMap::new();
        for (color, length) in &runs {
            *counts.entry(*color).or_default() += length;
        }
        let mut ranked: Vec<(Color, usize)> = counts.into_iter().collect();
        ranked.sort_by_key(|(color, count)| (Reverse(*count), *color));
        let ranked: Vec<Color> = ranked.into_iter().map(|(color, _)| color).collect();
        let (kept, rare) = ranked.split_at(ranked.len().min(MOST));
        let known = kept.iter().enumerate().map(|(number, color)| (*color, number as u8));
        let others = rare.iter().map(|color| (*color, nearest(kept, *color)));
        let places: HashMap<Color, u8> = known.chain(others).collect();
        let mut dots = Vec::with_capacity(pixels.len());
        for (color, length) in runs {
            dots.resize(dots.len() + length, places[&color]);
        }
        Indexed { colors: kept.to_vec(), dots }
    }
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

    fn bitmap(colors: impl IntoIterator<Item = Color>) -> Vec<PremultipliedColorU8> {
        let opaque = |[r, g, b]: Color| PremultipliedColorU8::from_rgba(r, g, b, 255).unwrap();
        colors.into_iter().map(opaque).collect()
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
