//! What is learned from completions: a decaying average, and a line through what was seen.
//!
//! Both forget, so that an estimate follows a server that slows down, and both weigh their first
//! observations as a plain average does, so that the first one is not remembered for long.

/// Decaying average of what was observed.
///
/// ```
/// use sage_core::schedule::Average;
///
/// let mut average = Average::new(16.0);
/// assert_eq!(average.get(), None);
/// average.observe(2.0);
/// average.observe(4.0);
/// assert_eq!(average.get(), Some(3.0));
/// ```
#[derive(Debug, Clone)]
pub struct Average {
    weight: f64,
    seen: f64,
    mean: f64,
}

impl Average {
    /// After `half_life` further observations an old one weighs half.
    pub fn new(half_life: f64) -> Self {
        Average { weight: 1.0 - 0.5_f64.powf(1.0 / half_life.max(1.0)), seen: 0.0, mean: 0.0 }
    }

    /// Takes in a value; one that is no number is left out.
    pub fn observe(&mut self, value: f64) {
        if value.is_finite() {
            let weight = self.next_weight();
            self.mean += weight * (value - self.mean);
        }
    }

    /// The average, once there is one.
    pub fn get(&self) -> Option<f64> {
        (self.seen > 0.0).then_some(self.mean)
    }

    fn next_weight(&mut self) -> f64 {
        self.seen += 1.0;
        self.weight.max(1.0 / self.seen)
    }
}

/// Expects a time from a size known beforehand, such as that of a record, by least squares in which
/// older observations fade (exponentially weighted means and moments; West, "Updating Mean and
/// Variance Estimates: An Improved Method", 1979).
///
/// Where size says nothing about time the line is flat and the answer is the average. A larger size
/// is never expected to take less, and no answer is further than a factor of 8 from the average: a
/// line is not to be trusted far outside of what it was drawn through.
///
/// ```
/// use sage_core::schedule::Learned;
///
/// let mut learned = Learned::new(64.0);
/// assert_eq!(learned.expect(100.0), None);
/// for size in [100.0, 300.0, 200.0, 400.0] {
///     learned.observe(size, 5_000.0 + 10.0 * size);
/// }
/// let expected = learned.expect(500.0).expect("something was observed");
/// assert!((expected - 10_000.0).abs() < 1.0);
/// ```
#[derive(Debug, Clone)]
pub struct Learned {
    time: Average,
    size: f64,
    /// Variance of the size, and its covariance with the time.
    variance: f64,
    covariance: f64,
}

/// How far from the average an answer may be, as a factor.
const REACH: f64 = 8.0;

impl Learned {
    /// After `half_life` further observations an old one weighs half.
    pub fn new(half_life: f64) -> Self {
        Learned { time: Average::new(half_life), size: 0.0, variance: 0.0, covariance: 0.0 }
    }

    /// Something of this size took so long. What is no number is left out.
    pub fn observe(&mut self, size: f64, time: f64) {
        if !size.is_finite() || !time.is_finite() {
            return;
        }
        let weight = self.time.next_weight();
        let (size_off, time_off) = (size - self.size, time - self.time.mean);
        self.size += weight * size_off;
        self.time.mean += weight * time_off;
        let keep = 1.0 - weight;
        self.variance = keep * (self.variance + weight * size_off * size_off);
        self.covariance = keep * (self.covariance + weight * size_off * time_off);
    }

    /// How long something of this size is expected to take, once anything was observed.
    pub fn expect(&self, size: f64) -> Option<f64> {
        let mean = self.time.get()?;
        let slope = if self.variance > 0.0 { self.covariance / self.variance } else { 0.0 };
        let expected = mean + slope.max(0.0) * (size - self.size);
        let (least, most) = (mean / REACH, mean * REACH);
        // A mean below 0 is possible for differences of times; then there is nothing to bound by.
        Some(if mean > 0.0 { expected.clamp(least, most) } else { mean })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_forgets_at_the_half_life() {
        let mut average = Average::new(10.0);
        for _ in 0..200 {
            average.observe(0.0);
        }
        for _ in 0..10 {
            average.observe(1.0);
        }
        average.observe(f64::NAN);
        assert!((average.get().unwrap() - 0.5).abs() < 1e-6);
    }

    #[test]
    fn a_size_that_says_nothing_leaves_the_average() {
        let mut learned = Learned::new(1e6);
        for turn in 0..1000 {
            // Each size with each time equally often.
            learned.observe(f64::from(turn % 2), f64::from(10 + turn / 2 % 2));
        }
        for size in [0.0, 1.0, 1e9] {
            assert!((learned.expect(size).unwrap() - 10.5).abs() < 0.1);
        }
        learned.observe(f64::INFINITY, 1.0);
        assert!((learned.expect(0.0).unwrap() - 10.5).abs() < 0.1);
    }

    #[test]
    fn the_line_is_not_followed_far_nor_downwards() {
        let (mut rising, mut falling) = (Learned::new(64.0), Learned::new(64.0));
        for size in 1..=100 {
            let size = f64::from(size);
            rising.observe(size, size);
            falling.observe(size, 200.0 - size);
        }
        let mean = rising.time.get().unwrap();
        assert!((rising.expect(1e9).unwrap() - 8.0 * mean).abs() < 1e-6);
        assert!((rising.expect(-1e9).unwrap() - mean / 8.0).abs() < 1e-6);
        assert_eq!(falling.expect(1.0), falling.expect(100.0));
    }
}
