//! `balance`: how evenly work was shared out.

/// `max(0, 1 - sd / mean)`, with the population's standard deviation. 1 is perfectly even.
///
/// Pass **all** nodes of the run, the idle ones with 0: leaving them out would make "everything on
/// one node" look perfect. `None` where there is nothing to compare, no node or no work at all; a
/// run that did nothing is not balanced, it has no balance.
///
/// ```
/// use sage_core::metrics::balance;
///
/// assert_eq!(balance(&[5.0, 5.0, 5.0, 5.0]), Some(1.0));
/// assert_eq!(balance(&[20.0, 0.0, 0.0, 0.0]), Some(0.0));
/// assert_eq!(balance(&[0.0, 0.0]), None);
/// ```
pub fn balance(work: &[f64]) -> Option<f64> {
    let nodes = work.len() as f64;
    let mean = work.iter().sum::<f64>() / nodes;
    if !mean.is_finite() || mean <= 0.0 {
        return None;
    }
    let variance = work.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / nodes;
    Some((1.0 - variance.sqrt() / mean).max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edge_cases() {
        assert_eq!(balance(&[]), None);
        assert_eq!(balance(&[0.0]), None);
        assert_eq!(balance(&[f64::NAN, 1.0]), None);
        assert_eq!(balance(&[7.0]), Some(1.0));
        // sd = 1, mean = 4.
        assert_eq!(balance(&[3.0, 5.0]), Some(0.75));
        // sd = mean: one of two nodes did everything.
        assert_eq!(balance(&[10.0, 0.0]), Some(0.0));
    }
}
