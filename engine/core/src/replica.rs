//! Which of several upstreams with the same model takes a call: the one with the least work left.
//!
//! Work is counted in tokens, from the moment a call is given out until it is over. A count that is
//! taken from the upstreams' own reports, or only once they begin, is late: every call of a moment
//! then sees the same idle replica and goes there. All replicas are looked at, which is cheap for
//! the few that one endpoint has.
//!
//! With prefix affinity, calls that begin alike prefer the same replica, whose cache knows the
//! beginning: rendezvous hashing (Thaler, Ravishankar, 1998) ranks the replicas for each prefix, and
//! the first in rank whose load is within a bound takes the call, after Mirrokni, Thorup,
//! Zadimoghaddam, *Consistent Hashing with Bounded Loads* (SODA 2018). Without the bound a popular
//! prefix would bury one replica and the others would idle.

use rand::{Rng, RngExt};

/// A preferred replica may have this many times the mean of the usable ones ...
const LOAD_FACTOR: f64 = 1.25;

/// ... and so many calls like this one besides: with little to do there is nothing to balance.
const SLACK_CALLS: f64 = 4.0;

/// Work left at each replica, and the choice among them.
///
/// ```
/// use rand::SeedableRng;
/// use sage_core::replica::Replicas;
///
/// let mut rng = rand_pcg::Pcg32::seed_from_u64(1);
/// let mut replicas = Replicas::new(2, false);
/// let first = replicas.pick(100.0, None, |_| true, &mut rng).expect("all are up");
/// let second = replicas.pick(10.0, None, |_| true, &mut rng).expect("all are up");
/// assert_ne!(first, second);
/// // The second has less left, although it has just been chosen.
/// assert_eq!(replicas.pick(10.0, None, |_| true, &mut rng), Some(second));
/// replicas.finished(first, 100.0);
/// assert_eq!(replicas.pick(10.0, None, |_| true, &mut rng), Some(first));
/// ```
#[derive(Debug, Clone)]
pub struct Replicas {
    affinity: bool,
    loads: Vec<Load>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Load {
    calls: u64,
    outstanding: f64,
}

impl Replicas {
    /// `count` idle replicas; `affinity`: prefixes count.
    pub fn new(count: usize, affinity: bool) -> Self {
        Replicas { affinity, loads: vec![Load::default(); count] }
    }

    /// The replica for a call of `cost` tokens, or `None` if none is `usable`. The call counts there
    /// from now on until [`finished`](Self::finished), which is to name the same cost.
    pub fn pick(
        &mut self,
        cost: f64,
        prefix_hash: Option<u64>,
        usable: impl Fn(usize) -> bool,
        rng: &mut impl Rng,
    ) -> Option<usize> {
        let candidates: Vec<usize> = (0..self.loads.len()).filter(|&i| usable(i)).collect();
        let cost = amount(cost);
        let chosen = match prefix_hash.filter(|_| self.affinity) {
            Some(prefix) => self.preferred(prefix, cost, &candidates),
            None => self.least_loaded(&candidates, rng),
        }?;
        let load = &mut self.loads[chosen];
        load.calls += 1;
        load.outstanding += cost;
        Some(chosen)
    }

    /// A call that was given to `replica` is over.
    pub fn finished(&mut self, replica: usize, cost: f64) {
        let Some(load) = self.loads.get_mut(replica) else { return };
        load.calls = load.calls.saturating_sub(1);
        load.outstanding = (load.outstanding - amount(cost)).max(0.0);
        if load.calls == 0 {
            // What rounding has left.
            load.outstanding = 0.0;
        }
    }

    /// Tokens of the calls that `replica` works on.
    pub fn outstanding(&self, replica: usize) -> f64 {
        self.loads.get(replica).map_or(0.0, |load| load.outstanding)
    }

    /// Calls that `replica` works on.
    pub fn calls(&self, replica: usize) -> u64 {
        self.loads.get(replica).map_or(0, |load| load.calls)
    }

    fn least_loaded(&self, candidates: &[usize], rng: &mut impl Rng) -> Option<usize> {
        let least = candidates.iter().map(|&i| self.loads[i].outstanding).min_by(f64::total_cmp)?;
        let ties = || candidates.iter().filter(|&&i| self.loads[i].outstanding <= least);
        let count = ties().count();
        ties().nth(rng.random_range(0..count)).copied()
    }

    /// The first in rank within the bound. There is one: not all can be above their mean.
    fn preferred(&self, prefix: u64, cost: f64, candidates: &[usize]) -> Option<usize> {
        let sum: f64 = candidates.iter().map(|&i| self.loads[i].outstanding).sum();
        let mean = sum / candidates.len().max(1) as f64;
        let most = LOAD_FACTOR * mean + SLACK_CALLS * cost;
        let within = candidates.iter().filter(|&&i| self.loads[i].outstanding <= most);
        within.copied().max_by_key(|&i| rank(prefix, i))
    }
}

/// Height of a replica in the order of a prefix: SplitMix64's finalizer (Steele, Lea, Flood, 2014)
/// over both.
fn rank(prefix: u64, replica: usize) -> u64 {
    mix(prefix ^ mix(replica as u64 + 1))
}

fn mix(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// A cost, whatever was said; bounded so that sums stay exact enough.
fn amount(cost: f64) -> f64 {
    if cost.is_nan() { 0.0 } else { cost.clamp(0.0, 1e12) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_pcg::Pcg32;

    proptest! {
        /// Any order of calls: what is given out is what is counted, where it is counted, and only
        /// to those that can take it.
        #[test]
        fn work_is_conserved_and_only_the_usable_get_it(
            count in 1usize..6,
            affinity: bool,
            seed: u64,
            steps in proptest::collection::vec(
                (any::<bool>(), 0u32..1_000, 0u64..5, 0u8..64, any::<prop::sample::Index>()), 1..200),
        ) {
            let mut rng = Pcg32::seed_from_u64(seed);
            let mut replicas = Replicas::new(count, affinity);
            let mut open: Vec<(usize, f64)> = Vec::new();
            for (finish, cost, prefix, up, index) in steps {
                if finish && !open.is_empty() {
                    let (replica, cost) = open.swap_remove(index.index(open.len()));
                    replicas.finished(replica, cost);
                } else {
                    let usable = |i: usize| up >> i & 1 == 1;
                    let cost = f64::from(cost);
                    let loads: Vec<f64> =
                        (0..count).filter(|&i| usable(i)).map(|i| replicas.outstanding(i)).collect();
                    match replicas.pick(cost, Some(prefix), usable, &mut rng) {
                        None => prop_assert!(loads.is_empty()),
                        Some(replica) => {
                            prop_assert!(usable(replica));
                            let mean = loads.iter().sum::<f64>() / loads.len() as f64;
                            let before = replicas.outstanding(replica) - cost;
                            let least = loads.iter().copied().fold(f64::INFINITY, f64::min);
                            let most = if affinity { 1.25 * mean + 4.0 * cost } else { least };
                            prop_assert!(before <= most + 1e-6, "{before} above {most}");
                            open.push((replica, cost));
                        }
                    }
                }
                for i in 0..count {
                    let sum: f64 = open.iter().filter(|(r, _)| *r == i).map(|(_, cost)| cost).sum();
                    prop_assert!((replicas.outstanding(i) - sum).abs() < 1e-6);
                    let calls = open.iter().filter(|(r, _)| *r == i).count();
                    prop_assert_eq!(replicas.calls(i), calls as u64);
                }
            }
        }

        /// A prefix stays where it is, and when its replica fails only its own prefixes move.
        #[test]
        fn affinity_is_stable(count in 2usize..8, failed in 0usize..8, prefix: u64, seed: u64) {
            let mut rng = Pcg32::seed_from_u64(seed);
            let mut home = |usable: &dyn Fn(usize) -> bool| {
                Replicas::new(count, true).pick(1.0, Some(prefix), usable, &mut rng)
            };
            let first = home(&|_| true);
            prop_assert_eq!(home(&|_| true), first);
            let without = home(&|i| i != failed);
            prop_assert_eq!(without == first, first != Some(failed));
        }
    }

    #[test]
    fn prefixes_spread_over_the_replicas() {
        let mut counts = [0u32; 4];
        for prefix in 0..4_000u64 {
            let best = (0..4).max_by_key(|&i| rank(prefix, i)).unwrap();
            counts[best] += 1;
        }
        assert!(counts.iter().all(|count| (900..1_100).contains(count)), "{counts:?}");
    }

    #[test]
    fn one_popular_prefix_does_not_bury_its_replica() {
        let mut rng = Pcg32::seed_from_u64(1);
        let mut replicas = Replicas::new(4, true);
        for _ in 0..400 {
            replicas.pick(10.0, Some(7), |_| true, &mut rng);
        }
        for i in 0..4 {
            assert!(replicas.outstanding(i) <= 1.25 * 1_000.0 + 50.0);
        }
    }

    #[test]
    fn ties_are_broken_at_random() {
        let mut rng = Pcg32::seed_from_u64(1);
        let firsts: std::collections::BTreeSet<Option<usize>> =
            (0..50).map(|_| Replicas::new(3, false).pick(1.0, None, |_| true, &mut rng)).collect();
        assert_eq!(firsts.len(), 3);
    }
}
