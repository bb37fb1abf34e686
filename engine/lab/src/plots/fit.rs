//! How long axes are: from the marks on them, and alike where panels can be compared.

use super::model::{Axis, Mark, Panel, Scale, drawable};
use super::style::GUIDE;

/// How an axis of numbers is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// From 0: lengths can be compared.
    Zero,
    /// Around the values.
    Free,
    /// From 0, or logarithmic if all are positive and span more than this factor.
    Spread(u32),
    /// Around the values, or logarithmic by the same rule.
    Loose(u32),
}

/// Which axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    X,
    Y,
}

/// Guides such as the ideal line may make an axis longer by this factor; what goes on leaves the
/// panel, so that it does not squeeze what was measured.
const STRETCH: f64 = 1.7;
/// Smaller values than this have no place on a logarithmic axis.
const LEAST: f64 = 1e-100;
/// An axis around values is at least so long, as a share of the largest: a gap of a few thousandths
/// between two values must not look like opposite ends.
const LEAST_SPAN: f64 = 0.05;
/// Axes become one if that makes none longer by more than this factor.
const ALIKE: f64 = 2.5;

/// Fit one axis of all panels to what is on it. Those with the same title get the same scale, unless
/// that would squeeze one of them.
pub(super) fn fit(panels: &mut [Panel], side: Side, fit: Fit) {
    let values: Vec<Vec<f64>> = panels.iter().map(|panel| values(panel, side)).collect();
    let titles: Vec<String> =
        panels.iter_mut().map(|panel| axis(panel, side).title.clone()).collect();
    for title in &titles {
        let same: Vec<usize> = (0..panels.len()).filter(|i| titles[*i] == *title).collect();
        let all: Vec<f64> = same.iter().flat_map(|index| values[*index].clone()).collect();
        let one = scale(&all, fit, is_wide(&all, fit));
        let squeezed = |index: &usize| {
            let own = scale(&values[*index], fit, is_log(&one));
            length(&one) > ALIKE * length(&own)
        };
        let apart = same.iter().filter(|index| !values[**index].is_empty()).any(squeezed);
        for index in same {
            let own = scale(&values[index], fit, is_wide(&values[index], fit));
            axis(&mut panels[index], side).scale = if apart { own } else { one.clone() };
        }
    }
}

fn axis(panel: &mut Panel, side: Side) -> &mut Axis {
    match side {
        Side::X => &mut panel.x,
        Side::Y => &mut panel.y,
    }
}

/// All drawable values on one axis.
fn values(panel: &Panel, side: Side) -> Vec<f64> {
    let of = |(x, y): (f64, f64)| match side {
        Side::X => x,
        Side::Y => y,
    };
    let (mut measured, mut guides) = (Vec::new(), Vec::new());
    for mark in &panel.marks {
        match mark {
            Mark::Line { points, look, .. } if *look == GUIDE => {
                guides.extend(points.iter().copied().map(of));
            }
            Mark::Line { points, .. } => measured.extend(points.iter().copied().map(of)),
            Mark::Dot { at, .. } => measured.push(of(*at)),
            Mark::Whisker { from, to, .. }
            | Mark::Bar { from, to, .. }
            | Mark::Rule { from, to, .. } => measured.extend([of(*from), of(*to)]),
            Mark::Words { .. } => {}
        }
    }
    measured.retain(|value| drawable(*value));
    let most = measured.iter().fold(0.0f64, |most, value| most.max(value.abs()));
    guides.retain(|value| drawable(*value) && value.abs() <= STRETCH * most);
    measured.extend(guides);
    measured
}

fn ends(values: &[f64]) -> Option<(f64, f64)> {
    let low = values.iter().copied().reduce(f64::min)?;
    Some((low, values.iter().copied().fold(low, f64::max)))
}

/// Whether values ask for a logarithmic axis.
fn is_wide(values: &[f64], fit: Fit) -> bool {
    match (fit, ends(values)) {
        (Fit::Spread(factor) | Fit::Loose(factor), Some((low, high))) => {
            low > LEAST && high / low > f64::from(factor)
        }
        _ => false,
    }
}

/// An axis that has all of `values` in it.
fn scale(values: &[f64], fit: Fit, log: bool) -> Scale {
    let Some((mut low, mut high)) = ends(values) else {
        return Scale::numbers(0.0, 1.0, false);
    };
    if log {
        let pad = (high / low).powf(0.06).max(1.1);
        return Scale::numbers(low / pad, high * pad, true);
    }
    let free = matches!(fit, Fit::Free | Fit::Loose(_));
    if free {
        let pad = 0.08 * (high - low);
        (low, high) = (low - pad, high + pad);
        let missing = LEAST_SPAN * low.abs().max(high.abs()) - (high - low);
        if missing > 0.0 {
            (low, high) = (low - missing / 2.0, high + missing / 2.0);
        }
    } else {
        let (bottom, top) = (low.min(0.0), high.max(0.0));
        let pad = 0.06 * (top - bottom);
        low = if bottom < 0.0 { bottom - pad } else { 0.0 };
        high = if top > 0.0 { top + pad } else { 0.0 };
    }
    if high - low <= 1e-9 * low.abs().max(high.abs()) {
        let pad = if high == 0.0 { 1.0 } else { 0.05 * high.abs() };
        (low, high) = if free { (low - pad, high + pad) } else { (low, high + pad) };
    }
    Scale::numbers(low, high, false)
}

fn is_log(scale: &Scale) -> bool {
    matches!(scale, Scale::Numbers { log: true, .. })
}

fn length(scale: &Scale) -> f64 {
    match scale {
        Scale::Numbers { low, high, log: true, .. } => (high / low).ln(),
        Scale::Numbers { low, high, .. } => high - low,
        Scale::Rows(names) => names.len() as f64,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::plots::model::Beads;
    use crate::plots::style::series;

    const FITS: [Fit; 4] = [Fit::Zero, Fit::Free, Fit::Spread(20), Fit::Loose(20)];

    fn panel(heights: &[f64], guide: &[f64]) -> Panel {
        let line = |heights: &[f64], look| Mark::Line {
            points: heights.iter().map(|y| (1.0, *y)).collect(),
            look,
            beads: Beads::All,
        };
        let axis = || Axis { title: String::new(), scale: Scale::numbers(0.0, 1.0, false) };
        let marks = vec![line(heights, series(0)), line(guide, GUIDE)];
        Panel { title: String::new(), x: axis(), y: axis(), marks, height: 1.0 }
    }

    fn cut(panels: &mut [Panel], fit: Fit) -> Vec<(f64, f64, bool)> {
        super::fit(panels, Side::Y, fit);
        let scales = panels.iter().map(|panel| match panel.y.scale {
            Scale::Numbers { low, high, log, .. } => (low, high, log),
            Scale::Rows(_) => unreachable!("an axis of numbers"),
        });
        scales.collect()
    }

    proptest! {
        #[test]
        fn every_drawable_value_has_its_place(
            one in prop::collection::vec(prop::num::f64::ANY, 0..8),
            other in prop::collection::vec(1e-3..1e3f64, 0..8),
            which in 0..4usize,
        ) {
            let mut panels = [panel(&one, &[]), panel(&other, &[])];
            let scales = cut(&mut panels, FITS[which]);
            for ((low, high, log), values) in scales.into_iter().zip([one, other]) {
                prop_assert!(low < high && low.is_finite() && high.is_finite(), "{low} {high}");
                prop_assert!(!log || low > 0.0);
                for value in values.into_iter().filter(|value| drawable(*value)) {
                    prop_assert!(low <= value && value <= high, "{value} in {low}..{high}");
                }
            }
        }
    }

    #[test]
    fn lengths_begin_at_zero_and_wide_spreads_are_logarithmic() {
        assert!(cut(&mut [panel(&[3.0, 10.0], &[])], Fit::Zero)[0].0.abs() < 1e-12);
        assert!(!cut(&mut [panel(&[3.0, 10.0], &[])], Fit::Spread(20))[0].2);
        assert!(cut(&mut [panel(&[0.1, 10.0], &[])], Fit::Spread(20))[0].2);
        assert!(!cut(&mut [panel(&[0.0, 10.0], &[])], Fit::Spread(20))[0].2, "0 has no logarithm");
    }

    #[test]
    fn panels_that_can_be_compared_have_one_scale() {
        let scales = cut(&mut [panel(&[7.0], &[]), panel(&[10.0], &[])], Fit::Zero);
        assert_eq!(scales[0], scales[1]);
        let scales = cut(&mut [panel(&[7.0], &[]), panel(&[100.0], &[])], Fit::Zero);
        assert!(scales[0].1 < 8.0 && scales[1].1 > 100.0, "{scales:?}");
        let scales = cut(&mut [panel(&[7.0, 8.0], &[]), panel(&[1.0, 90.0], &[])], Fit::Spread(20));
        assert!(!scales[0].2 && scales[1].2, "one is flat on the other's axis");
        let scales =
            cut(&mut [panel(&[2.0, 30.0], &[]), panel(&[1.0, 90.0], &[])], Fit::Spread(20));
        assert!(scales[0].2 && scales[0] == scales[1], "both logarithmic");
    }

    #[test]
    fn a_small_gap_is_not_as_long_as_the_axis() {
        for fit in [Fit::Free, Fit::Loose(20)] {
            let (low, high, _) = cut(&mut [panel(&[1000.0, 1000.05], &[])], fit)[0];
            assert!((high - low) > 49.0 && low < 990.0 && high > 1010.0, "{low}..{high}");
            // What differs enough has the axis for itself.
            let (low, high, _) = cut(&mut [panel(&[900.0, 1000.0], &[])], fit)[0];
            assert!(low > 880.0 && high < 1020.0, "{low}..{high}");
        }
    }

    #[test]
    fn a_guide_does_not_squeeze_what_was_measured() {
        let scales = cut(&mut [panel(&[10.0], &[12.0, 500.0])], Fit::Zero);
        assert!(scales[0].1 > 12.0 && scales[0].1 < 20.0, "{scales:?}");
    }
}
