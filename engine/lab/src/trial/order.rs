//! The order in which trials are run.
//!
//! Trials go repeat by repeat, and within a repeat in an order drawn from the seed: randomised
//! multiple interleaved trials (A. Abedi, T. Brecht, "Conducting Repeatable Experiments in Highly
//! Variable Cloud Computing Environments", ICPE 2017). A machine that slows down in the course of
//! the suite then slows down all settings alike, and none profits from always being the first.

use rand::RngExt;
use rand::SeedableRng;
use rand_pcg::Pcg64Mcg;

use super::Trial;

/// Numbers of `trials`, which stand repeat by repeat, in the order to run them.
pub fn shuffled(trials: &[Trial]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..trials.len()).collect();
    for repeat in order.chunk_by_mut(|a, b| trials[*a].repeat == trials[*b].repeat) {
        let Some(first) = repeat.first() else { continue };
        let mut rng = Pcg64Mcg::seed_from_u64(trials[*first].seed ^ 0x6f72_6465);
        // Fisher and Yates, from the end.
        for last in (1..repeat.len()).rev() {
            repeat.swap(last, rng.random_range(0..=last));
        }
    }
    order
}
