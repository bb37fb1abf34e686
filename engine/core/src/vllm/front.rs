//! The API server in front of the scheduler: one process that all requests pass.
//!
//! It parses, renders, tokenises and hands over, all on one event loop that takes turns among the
//! open requests. **So it is a processor-sharing server, not a queue**: of a burst nobody comes out
//! early, and all come out at about the time at which the whole burst is worked off. That is what
//! GPUStack's published bursts of 1000 show, whose first tokens come about 12 s late on vLLM while
//! the same client finds TensorRT-LLM done after 15 s (so it is not the client's doing); a queue of
//! the same total work would have hidden most of it behind the GPU's.
//!
//! Known: one tokeniser thread a server (vLLM issue 25301), about 1000 tokens a millisecond (issue
//! 19012). Inferred: the time for each request, from those bursts alone. Four processes of a later
//! vLLM took 740 requests a second on a faster machine (pull request 41181), 5.4 ms each, so newer
//! servers want a smaller value in their profile.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::sequence::Sequence;

/// Requests that the API server works on. Integer time throughout, so that runs repeat exactly.
#[derive(Debug, Default)]
pub(super) struct FrontEnd {
    /// Work that each request present since the beginning has been given, nanoseconds.
    given: u64,
    /// The time to which `given` was brought.
    now: u64,
    /// By the value of `given` at which they are done, then by arrival.
    inside: BTreeMap<(u64, u64), Sequence>,
    places: FxHashMap<u64, (u64, u64)>,
}

impl FrontEnd {
    /// Take in a request that needs `work_ns`. What leaves before `now` must have been taken out.
    pub(super) fn arrive(&mut self, sequence: Sequence, now: u64, work_ns: u64) {
        if self.inside.is_empty() {
            (self.given, self.now) = (0, self.now.max(now));
        }
        self.share(now);
        let place = (self.given + work_ns, sequence.key.1);
        self.places.insert(sequence.id, place);
        self.inside.insert(place, sequence);
    }

    /// The next request that leaves by `now`, and when it does.
    pub(super) fn depart(&mut self, now: u64) -> Option<(u64, Sequence)> {
        let at = self.next_departure().filter(|&at| at <= now)?;
        let (place, sequence) = self.inside.pop_first()?;
        self.places.remove(&sequence.id);
        (self.given, self.now) = (self.given.max(place.0), at);
        Some((at, sequence))
    }

    /// When the next request leaves, if none comes before.
    pub(super) fn next_departure(&self) -> Option<u64> {
        let (&(done, _), _) = self.inside.first_key_value()?;
        let left = done.saturating_sub(self.given).saturating_mul(self.inside.len() as u64);
        Some(self.now.saturating_add(left))
    }

    /// Forget a request.
    pub(super) fn remove(&mut self, id: u64) -> bool {
        self.places.remove(&id).and_then(|place| self.inside.remove(&place)).is_some()
    }

    pub(super) fn len(&self) -> usize {
        self.inside.len()
    }

    /// Hand out the time up to `now` in equal parts; the rest of the division stays for later.
    fn share(&mut self, now: u64) {
        let requests = self.inside.len() as u64;
        if let Some(part) = now.saturating_sub(self.now).checked_div(requests) {
            self.given += part;
            self.now += part * requests;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Request;
    use super::*;

    fn sequence(id: u64) -> Sequence {
        Sequence::new(Request { id, prompt_tokens: 1, ..Request::default() }, id, 0, 1)
    }

    fn leavers(front: &mut FrontEnd, now: u64) -> Vec<(u64, u64)> {
        std::iter::from_fn(|| front.depart(now)).map(|(at, one)| (at, one.id)).collect()
    }

    #[test]
    fn a_burst_leaves_together_and_a_lone_request_soon() {
        let mut front = FrontEnd::default();
        front.arrive(sequence(1), 50, 10);
        assert_eq!((front.next_departure(), leavers(&mut front, 60)), (Some(60), vec![(60, 1)]));
        (1..4).for_each(|id| front.arrive(sequence(id), 100, 10));
        assert_eq!(leavers(&mut front, 129), []);
        assert_eq!(leavers(&mut front, 130), [(130, 1), (130, 2), (130, 3)]);
    }

    #[test]
    fn who_comes_later_slows_the_others_and_who_leaves_speeds_them_up() {
        let mut front = FrontEnd::default();
        front.arrive(sequence(1), 0, 10);
        front.arrive(sequence(2), 4, 10);
        // 6 are left of the first, at half the speed.
        assert_eq!(front.next_departure(), Some(16));
        assert!(front.remove(2) && !front.remove(2));
        assert_eq!(leavers(&mut front, 20), [(10, 1)]);
        assert_eq!(front.len(), 0);
    }
}
