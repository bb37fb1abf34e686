//! Distributions of a time, as written in a program.

use rand::{Rng, RngExt};
use sage_dsl::types::Value;

/// How long something takes. All times in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Distribution {
    Constant(f64),
    Uniform(f64, f64),
    Exponential(f64),
    /// Mean and coefficient of variation.
    LogNormal(f64, f64),
}

/// No single draw is longer than this; the tails of the distributions are endless.
const LONGEST_NS: f64 = 600e9;

impl Distribution {
    /// Read a checked constant.
    pub(crate) fn from_value(value: &Value) -> Result<Self, String> {
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

    /// The mean.
    pub(crate) fn mean_ns(&self) -> f64 {
        match *self {
            Distribution::Constant(ns) | Distribution::Exponential(ns) => ns,
            Distribution::LogNormal(mean, _) => mean,
            Distribution::Uniform(low, high) => f64::midpoint(low, high),
        }
    }

    /// Draw one time.
    pub(crate) fn sample(&self, rng: &mut impl Rng) -> u64 {
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

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

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
}
