//! `Host`: a machine whose cores are shared evenly by the threads that compute at the same time.
//!
//! Egalitarian processor sharing with at most one core a thread: each of `n` threads computes at
//! `min(1, cores / n)`. A virtual clock runs at that rate; a burst of `w` that begins at virtual time
//! `v` ends at `v + w` whatever the others do, so ends never change their order and a heap of them
//! serves every event in O(log n). The classic device of fair queueing (Parekh and Gallager 1993).

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Virtual time within which a burst counts as done, nanoseconds: far less than the clock's tick,
/// far more than what sums of floats drift by.
const CLOSE: f64 = 0.01;
/// The virtual clock is set back when it has come this far, so that it keeps its precision.
const FAR: f64 = (1_u64 << 40) as f64;

/// One machine.
#[derive(Debug)]
pub(crate) struct Host {
    cores: f64,
    busy: u32,
    virtual_ns: f64,
    last_ns: u64,
    /// End in virtual time (as bits: positive floats sort like their bits), burst, thread.
    ends: BinaryHeap<Reverse<(u64, u64, u32)>>,
    bursts: u64,
    /// When the agenda has this host next; `u64::MAX` for never.
    pub(crate) armed_ns: u64,
}

impl Host {
    pub(crate) fn new(cores: f64) -> Self {
        Host {
            cores,
            busy: 0,
            virtual_ns: 0.0,
            last_ns: 0,
            ends: BinaryHeap::new(),
            bursts: 0,
            armed_ns: u64::MAX,
        }
    }

    /// A thread begins to compute for `work_ns` of a whole core. Gives the number of the burst.
    pub(crate) fn start(&mut self, now_ns: u64, thread: u32, work_ns: f64) -> u64 {
        self.tick(now_ns);
        let burst = self.bursts;
        self.bursts += 1;
        let end = self.virtual_ns + work_ns.max(0.0);
        self.ends.push(Reverse((end.to_bits(), burst, thread)));
        self.busy += 1;
        burst
    }

    /// A burst is broken off. Gives the work that was left of it.
    pub(crate) fn stop(&mut self, now_ns: u64, burst: u64) -> f64 {
        self.tick(now_ns);
        let mut left = 0.0;
        self.ends.retain(|Reverse((end, other, _))| {
            if *other == burst {
                left = (f64::from_bits(*end) - self.virtual_ns).max(0.0);
            }
            *other != burst
        });
        self.leave();
        left
    }

    /// When the next burst ends, if no other begins before.
    pub(crate) fn next_ns(&self) -> Option<u64> {
        let end = self.first()?;
        let left = ((end - self.virtual_ns) / self.rate() - CLOSE).ceil().max(0.0);
        Some(self.last_ns.saturating_add(left as u64))
    }

    /// A thread whose burst is over at `now_ns`; to be asked until there is none.
    pub(crate) fn finished(&mut self, now_ns: u64) -> Option<u32> {
        self.tick(now_ns);
        if self.first()? > self.virtual_ns + CLOSE {
            return None;
        }
        let Reverse((_, _, thread)) = self.ends.pop()?;
        self.leave();
        Some(thread)
    }

    fn first(&self) -> Option<f64> {
        self.ends.peek().map(|Reverse((end, ..))| f64::from_bits(*end))
    }

    fn rate(&self) -> f64 {
        (self.cores / f64::from(self.busy.max(1))).min(1.0)
    }

    fn tick(&mut self, now_ns: u64) {
        if now_ns > self.last_ns {
            if self.busy > 0 {
                self.virtual_ns += (now_ns - self.last_ns) as f64 * self.rate();
            }
            self.last_ns = now_ns;
        }
        if self.virtual_ns > FAR {
            self.set_back();
        }
    }

    fn leave(&mut self) {
        self.busy -= 1;
        if self.busy == 0 {
            self.ends.clear();
            self.virtual_ns = 0.0;
        }
    }

    fn set_back(&mut self) {
        let by = self.virtual_ns;
        let ends =
            std::mem::take(&mut self.ends).into_iter().map(|Reverse((end, burst, thread))| {
                let end = (f64::from_bits(end) - by).max(0.0);
                Reverse((end.to_bits(), burst, thread))
            });
        self.ends = ends.collect();
        self.virtual_ns = 0.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ends(host: &mut Host, starts: &[(u64, f64)]) -> Vec<(u64, u32)> {
        let mut ends = Vec::new();
        let mut starts = starts.iter().enumerate().peekable();
        loop {
            let next_end = host.next_ns();
            match (starts.peek(), next_end) {
                (Some((_, (at, _))), end) if end.is_none_or(|end| *at < end) => {
                    let (thread, (at, work)) = starts.next().expect("peeked");
                    host.start(*at, thread as u32, *work);
                }
                (_, Some(end)) => {
                    let before = ends.len();
                    while let Some(thread) = host.finished(end) {
                        ends.push((end, thread));
                    }
                    assert!(ends.len() > before, "the host said that something would end");
                }
                (Some(_), None) => unreachable!("the first arm takes it"),
                (None, None) => return ends,
            }
        }
    }

    /// The same by brute force: step from change to change with the rates written out.
    fn naive(cores: f64, starts: &[(u64, f64)]) -> Vec<f64> {
        let mut left: Vec<f64> = starts.iter().map(|(_, work)| *work).collect();
        let mut end = vec![f64::NAN; starts.len()];
        let mut now = 0.0;
        loop {
            let running: Vec<usize> = (0..starts.len())
                .filter(|i| starts[*i].0 as f64 <= now && end[*i].is_nan())
                .collect();
            let rate = (cores / running.len().max(1) as f64).min(1.0);
            let begin = starts.iter().map(|(at, _)| *at as f64).filter(|at| *at > now);
            let next = running.iter().map(|i| now + left[*i] / rate).chain(begin);
            let next = next.fold(f64::INFINITY, f64::min);
            if next.is_infinite() {
                return end;
            }
            for i in running {
                left[i] -= (next - now) * rate;
                if left[i] < 1e-6 {
                    end[i] = next;
                }
            }
            now = next;
        }
    }

    #[test]
    fn two_threads_on_one_core_take_twice_as_long_exactly() {
        let mut host = Host::new(1.0);
        assert_eq!(ends(&mut host, &[(10, 1000.0), (10, 1000.0)]), [(2010, 0), (2010, 1)]);
        let mut host = Host::new(2.0);
        assert_eq!(ends(&mut host, &[(10, 1000.0), (10, 1000.0)]), [(1010, 0), (1010, 1)]);
    }

    #[test]
    fn a_burst_that_is_broken_off_leaves_its_share_to_the_others() {
        let mut host = Host::new(1.0);
        let first = host.start(0, 1, 1000.0);
        host.start(0, 2, 1000.0);
        assert_eq!(host.next_ns(), Some(2000));
        assert!((host.stop(1000, first) - 500.0).abs() < 1e-9);
        assert_eq!(host.next_ns(), Some(1500));
        assert_eq!(
            (host.finished(1499), host.finished(1500), host.finished(1500)),
            (None, Some(2), None)
        );
    }

    #[test]
    fn the_virtual_clock_keeps_its_precision_for_days() {
        let mut host = Host::new(1.0);
        let day = 86_400_000_000_000_u64;
        host.start(0, 0, 40.0 * day as f64);
        for start in 1..30 {
            host.start(start * day, 1, 12_345.0);
            assert_eq!(host.next_ns(), Some(start * day + 24_690));
            assert_eq!(host.finished(start * day + 24_690), Some(1));
        }
    }

    proptest! {
        #[test]
        fn ends_are_those_of_a_naive_simulation(
            cores in prop_oneof![Just(0.5), Just(1.0), Just(2.0), Just(3.0), 0.3..5.0_f64],
            starts in proptest::collection::vec((0_u64..50_000, 1_u32..20_000), 1..25),
        ) {
            let mut starts: Vec<(u64, f64)> =
                starts.into_iter().map(|(at, work)| (at, f64::from(work))).collect();
            starts.sort_by_key(|start| start.0);
            let expected = naive(cores, &starts);
            let found = ends(&mut Host::new(cores), &starts);
            prop_assert_eq!(found.len(), starts.len());
            for (at, thread) in found {
                let exact = expected[thread as usize];
                // Ends fall on whole nanoseconds, and each moves those behind it a little.
                let off = at as f64 - exact;
                prop_assert!((-1.0..=starts.len() as f64).contains(&off), "{at} is not {exact}");
            }
        }
    }
}
