//! Distributions of a time, as written in a program, and times that are drawn from them.
//!
//! A time is drawn by a seed and the number of a task, not from a shared generator: so a task costs
//! the same on every worker and under every policy, and live engine and twin draw the same times
//! without keeping any of them.

use rand::{Rng, RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use sage_dsl::types::Value;

use crate::arrivals::seed_of;

/// How long something takes. All times in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Distribution {
    /// Always the same.
    Constant(f64),
    /// Even, from the first to the second.
    Uniform(f64, f64),
    /// By its mean.
    Exponential(f64),
    /// Mean and coefficient of variation.
    LogNormal(f64, f64),
}

/// No single draw is longer than this; the tails of the distributions are endless.
const LONGEST_NS: f64 = 600e9;

impl Distribution {
    /// Read a checked constant.
    pub fn from_value(value: &Value) -> Result<Self, String> {
        if let Some(ns) = value.as_duration_ns() {
            return Ok(Distribution::Constant(ns as f64));
        }
        let Value::Call { name, args } = value else {
            return Err(format!("`{value:?}` is no distribution"));
        };
        let duration = |i: usize| {
            let found = args.get(i).and_then(|(_, value)| value.as_duration_ns());
            found
                .map(|ns| ns as f64)
                .ok_or_else(|| format!("`{name}` needs a duration such as `20ms`"))
        };
        match name.as_str() {
            "constant" => Ok(Distribution::Constant(duration(0)?)),
            "uniform" => Ok(Distribution::Uniform(duration(0)?, duration(1)?)),
            "exponential" => Ok(Distribution::Exponential(duration(0)?)),
            "lognormal" => {
                let cv = args.get(1).and_then(|(_, value)| value.as_float());
                let cv = cv.ok_or("`lognormal` needs a mean and a coefficient of variation")?;
                Ok(Distribution::LogNormal(duration(0)?, cv))
            }
            _ => Err(format!("there is no distribution `{name}`")),
        }
    }

    /// The mean, nanoseconds.
    pub fn mean_ns(&self) -> f64 {
        match *self {
            Distribution::Constant(ns) | Distribution::Exponential(ns) => ns,
            Distribution::LogNormal(mean, _) => mean,
            Distribution::Uniform(low, high) => f64::midpoint(low, high),
        }
    }

    /// Draw one time, nanoseconds.
    pub fn sample(&self, rng: &mut impl Rng) -> u64 {
        // In (0, 1]: its logarithm is finite.
        let mut unit = || 1.0 - rng.random::<f64>();
        let ns = match *self {
            Distribution::Constant(ns) => ns,
            Distribution::Uniform(low, high) => low + (high - low) * unit(),
            Distribution::Exponential(mean) => -mean * unit().ln(),
            Distribution::LogNormal(mean, cv) => {
                let variance = cv.mul_add(cv, 1.0).ln();
                // Box and Muller (1958).
                let normal = (-2.0 * unit().ln()).sqrt() * (std::f64::consts::TAU * unit()).cos();
                mean * (variance.sqrt().mul_add(normal, -variance / 2.0)).exp()
            }
        };
        ns.clamp(0.0, LONGEST_NS) as u64
    }
}

/// A cost that every task draws anew.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drawn {
    /// What is drawn from.
    pub from: Distribution,
    /// Seed of the stage that draws.
    pub seed: u64,
    /// What a unit of the drawn time costs.
    pub factor: f64,
    /// What it costs besides, nanoseconds.
    pub fixed_ns: f64,
}

impl Drawn {
    /// A time that is drawn and costs itself.
    pub fn plain(from: Distribution, seed: u64) -> Self {
        Drawn { from, seed, factor: 1.0, fixed_ns: 0.0 }
    }

    /// Nanoseconds of the task with this number in source order.
    pub fn ns(&self, task: u64) -> u64 {
        let mut rng = Pcg64Mcg::seed_from_u64(seed_of(self.seed, task as usize));
        self.cost_ns(self.from.sample(&mut rng) as f64)
    }

    /// The mean, nanoseconds.
    pub fn mean_ns(&self) -> u64 {
        self.cost_ns(self.from.mean_ns())
    }

    fn cost_ns(&self, drawn_ns: f64) -> u64 {
        (self.fixed_ns + drawn_ns * self.factor).clamp(0.0, 1e15) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_as_asked() {
        let mut rng = rand_pcg::Pcg64Mcg::seed_from_u64(7);
        let ms = 1e6;
        for distribution in [
            Distribution::Constant(20.0 * ms),
            Distribution::Uniform(10.0 * ms, 30.0 * ms),
            Distribution::Exponential(20.0 * ms),
            Distribution::LogNormal(20.0 * ms, 0.5),
        ] {
            let mean =
                (0..20_000).map(|_| distribution.sample(&mut rng) as f64).sum::<f64>() / 20_000.0;
            assert!((mean / (20.0 * ms) - 1.0).abs() < 0.05, "{distribution:?}: {mean}");
        }
    }

    #[test]
    fn tasks_draw_apart_and_each_always_the_same() {
        let drawn =
            Drawn { factor: 2.0, fixed_ns: 5.0, ..Drawn::plain(Distribution::Exponential(1e7), 3) };
        let times: Vec<u64> = (0..100_000).map(|task| drawn.ns(task)).collect();
        assert_eq!(times[77_777], drawn.ns(77_777));
        let distinct: std::collections::BTreeSet<u64> = times.iter().copied().collect();
        assert!(distinct.len() > 99_000, "{} distinct times", distinct.len());
        let mean = times.iter().sum::<u64>() as f64 / times.len() as f64;
        assert_eq!(drawn.mean_ns(), 20_000_005);
        assert!((mean / 20_000_005.0 - 1.0).abs() < 0.02, "{mean}");
        let other = Drawn { seed: 4, ..drawn };
        assert_ne!(other.ns(77_777), drawn.ns(77_777));
    }
}
