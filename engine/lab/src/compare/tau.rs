//! Kendall's tau-b: whether two measures put things into the same order.

/// Rank correlation of two lists, place by place, from -1 (reversed) to 1 (the same order), with
/// ties (M. G. Kendall, "The treatment of ties in ranking problems", Biometrika 33, 1945). `None`
/// when there is no order: fewer than two, or all the same in one of the lists.
///
/// ```
/// use sage_lab::compare::tau_b;
///
/// assert_eq!(tau_b(&[1.0, 2.0, 3.0], &[10.0, 20.0, 30.0]), Some(1.0));
/// assert_eq!(tau_b(&[1.0, 2.0, 3.0], &[3.0, 2.0, 1.0]), Some(-1.0));
/// assert_eq!(tau_b(&[1.0, 1.0], &[1.0, 2.0]), None);
/// ```
pub fn tau_b(one: &[f64], other: &[f64]) -> Option<f64> {
    let pairs = one.len().min(other.len());
    let (mut score, mut untied_one, mut untied_other) = (0_i64, 0_u64, 0_u64);
    for i in 0..pairs {
        for j in 0..i {
            let (a, b) = (sign(one[i], one[j]), sign(other[i], other[j]));
            score += a * b;
            untied_one += a.unsigned_abs();
            untied_other += b.unsigned_abs();
        }
    }
    let most = (untied_one as f64 * untied_other as f64).sqrt();
    (most > 0.0).then(|| score as f64 / most)
}

fn sign(a: f64, b: f64) -> i64 {
    i64::from(a > b) - i64::from(a < b)
}
