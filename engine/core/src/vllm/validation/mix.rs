//! Mixes of lengths that were published by their totals only.

use rand::{Rng, RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use super::bench::Size;

/// The ShareGPT mix of vLLM's benchmark as GPUStack ran it: 1000 requests, 217,393 tokens in and
/// 201,605 out. Single lengths were not published. They are drawn here from log-normal laws
/// (spread 1.4 for prompts and 1.1 for answers, cut to 4..1024 as that benchmark's filter does),
/// then stretched to these totals. The choice was made once, before the first comparison.
pub(super) fn sharegpt() -> Vec<Size> {
    let mut rng = Pcg64Mcg::seed_from_u64(4);
    let inputs = stretched(draw(&mut rng, 90.0, 1.4), 217_393);
    let outputs = stretched(draw(&mut rng, 140.0, 1.1), 201_605);
    inputs.into_iter().zip(outputs).map(|(input, output)| Size { input, output }).collect()
}

fn draw(rng: &mut impl Rng, median: f64, spread: f64) -> Vec<f64> {
    (0..1000).map(|_| log_normal(rng, median, spread).clamp(4.0, 1024.0)).collect()
}

/// A log-normal number, by Box and Muller's method.
pub(super) fn log_normal(rng: &mut impl Rng, median: f64, spread: f64) -> f64 {
    let (radius, angle): (f64, f64) = (rng.random(), rng.random());
    let normal = (-2.0 * (1.0 - radius).ln()).sqrt() * (angle * std::f64::consts::TAU).cos();
    median * (spread * normal).exp()
}

/// The same lengths times a factor, as whole numbers whose sum is `total`.
fn stretched(lengths: Vec<f64>, total: u64) -> Vec<u32> {
    let factor = total as f64 / lengths.iter().sum::<f64>();
    let (mut exact, mut given) = (0.0, 0_u64);
    let mut whole = Vec::with_capacity(lengths.len());
    for length in lengths {
        exact += length * factor;
        let next = (exact.round() as u64).max(given + 1);
        whole.push((next - given) as u32);
        given = next;
    }
    whole
}
