//! The search: coordinate steps on logarithms, halved when none helps (Hooke and Jeeves, 1961).

use super::cell::{Cell, Figures};
use super::replay::replay;
use crate::vllm::known::PROFILES;
use crate::vllm::profile::Profile;

/// Runs of the forward model over all cells, for each profile to start from and for the best.
const COARSE_RUNS: u32 = 40;
const FINE_RUNS: u32 = 300;
/// Factor that the first steps try, and the smallest one worth trying, as logarithms.
const FIRST_STEP: f64 = 0.4;
const LAST_STEP: f64 = 0.004;
/// Answers that a cell needs to say anything.
const LEAST_SAMPLES: usize = 2;
/// The time to the first token carries the client's and the network's own time: half the weight.
const TTFT_WEIGHT: f64 = 0.5;

/// Why nothing can be fitted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FitError {
    /// No cell to fit to.
    #[error("no cell of the probe was measured: nothing can be fitted")]
    NoCells,
    /// Without one client alone, the floor of a step cannot be told from the price of a sequence.
    #[error("no cell of a single client with answers of several tokens was measured")]
    NoLoneCell,
}

/// A profile and how well it explains what was measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Fitted {
    /// The profile.
    pub profile: Profile,
    /// The known profile that it started from.
    pub base: &'static str,
    /// Every usable cell with the figures that were measured and the profile's.
    pub cells: Vec<(Cell, Figures, Figures)>,
}

impl Fitted {
    /// Mean absolute relative errors over the cells that were held out, or over those that were
    /// not: throughput, TTFT, TPOT, latency. `None` without such cells.
    pub fn errors(&self, held_out: bool) -> Option<[f64; 4]> {
        let of = |(cell, _, _): &&(Cell, Figures, Figures)| cell.held_out == held_out;
        let (mut sum, mut count) = ([0.0; 4], 0.0);
        for (_, measured, model) in self.cells.iter().filter(of) {
            count += 1.0;
            for (sum, error) in sum.iter_mut().zip(model.errors(measured)) {
                *sum += error.abs();
            }
        }
        (count > 0.0).then(|| sum.map(|sum| sum / count))
    }
}

/// Fit a profile to `cells` of an endpoint that serves `model`. If a known profile serves it, that is
/// where the search starts: the ratios between the constants are the architecture's. Otherwise it
/// starts from whichever known profile comes nearest.
///
/// # Errors
///
/// [`FitError`] when the cells cannot say enough.
pub fn fit(cells: &[Cell], model: &str) -> Result<Fitted, FitError> {
    let usable: Vec<&Cell> =
        cells.iter().filter(|cell| cell.samples.len() >= LEAST_SAMPLES).collect();
    let targets: Vec<(&Cell, Figures)> = usable
        .iter()
        .filter(|cell| !cell.held_out)
        .map(|cell| (*cell, Figures::of(&cell.samples)))
        .collect();
    if targets.is_empty() {
        return Err(FitError::NoCells);
    }
    let lone =
        targets.iter().find(|(cell, figures)| cell.concurrency == 1 && figures.tpot_ms > 0.0);
    let (lone, measured) = lone.ok_or(FitError::NoLoneCell)?;
    let mut best: Option<(f64, Point, &'static Profile)> = None;
    let known = PROFILES.iter().find(|base| base.model.eq_ignore_ascii_case(model));
    for base in known.map_or(PROFILES, std::slice::from_ref) {
        let model = Figures::of(&replay(base, lone));
        let factor = (measured.tpot_ms / model.tpot_ms.max(1e-9)).ln();
        let (error, point) = search(base, &targets, [factor; 4], COARSE_RUNS);
        if best.as_ref().is_none_or(|(least, _, _)| error < *least) {
            best = Some((error, point, base));
        }
    }
    let (_, point, base) = best.ok_or(FitError::NoCells)?;
    let (_, point) = search(base, &targets, point, FINE_RUNS);
    let profile = rounded(at(base, &point));
    let compare = |cell: &&Cell| {
        let model = Figures::of(&replay(&profile, cell));
        ((*cell).clone(), Figures::of(&cell.samples), model)
    };
    let cells = usable.iter().map(compare).collect();
    Ok(Fitted { profile, base: &base.name, cells })
}

/// Logarithms of the factors on: the floor of a step, prompt tokens, sequences, the API server.
type Point = [f64; 4];

fn at(base: &Profile, point: &Point) -> Profile {
    let [floor, prompt, sequence, api] = point.map(f64::exp);
    let mut profile = base.clone();
    let costs = &mut profile.costs;
    costs.weights *= floor;
    costs.head_weights *= floor;
    costs.step_overhead *= floor;
    costs.compute *= prompt;
    costs.elementwise *= prompt;
    costs.prefill_pair *= prompt;
    costs.head_compute *= prompt;
    costs.decode_context *= sequence;
    costs.sequence_overhead *= sequence;
    profile.api_ms_per_request *= api;
    profile.api_us_per_token *= api;
    profile
}

/// To four digits: more would only claim what was not measured.
fn rounded(mut profile: Profile) -> Profile {
    let costs = &mut profile.costs;
    for number in [
        &mut costs.weights,
        &mut costs.compute,
        &mut costs.elementwise,
        &mut costs.decode_context,
        &mut costs.prefill_pair,
        &mut costs.head_weights,
        &mut costs.head_compute,
        &mut costs.step_overhead,
        &mut costs.sequence_overhead,
        &mut profile.api_ms_per_request,
        &mut profile.api_us_per_token,
    ] {
        *number = format!("{number:.3e}").parse().unwrap_or(*number);
    }
    profile
}

/// Squared logarithms of model over measurement, summed over cells and figures.
fn badness(profile: &Profile, targets: &[(&Cell, Figures)]) -> f64 {
    let distance = |model: f64, target: f64| {
        if model > 0.0 && target > 0.0 { (model / target).ln().powi(2) } else { 0.0 }
    };
    let of_cell = |(cell, measured): &(&Cell, Figures)| {
        let model = Figures::of(&replay(profile, cell));
        distance(model.throughput, measured.throughput)
            + distance(model.tpot_ms, measured.tpot_ms)
            + TTFT_WEIGHT * distance(model.ttft_ms, measured.ttft_ms)
    };
    targets.iter().map(of_cell).sum()
}

/// The best point within so many runs of the model, and its badness.
fn search(base: &Profile, targets: &[(&Cell, Figures)], from: Point, runs: u32) -> (f64, Point) {
    let (mut point, mut least) = (from, badness(&at(base, &from), targets));
    let (mut step, mut left) = (FIRST_STEP, runs);
    while step > LAST_STEP && left > 0 {
        let before = least;
        for coordinate in 0..point.len() {
            for direction in [step, -step] {
                let mut tried = point;
                tried[coordinate] = (tried[coordinate] + direction).clamp(-12.0, 12.0);
                let error = badness(&at(base, &tried), targets);
                left = left.saturating_sub(1);
                if error < least {
                    (point, least) = (tried, error);
                    break;
                }
            }
        }
        if least >= before {
            step /= 2.0;
        }
    }
    (least, point)
}
