//! The same requests at the same concurrency against a profile, in virtual time.

use rustc_hash::FxHashMap;

use super::cell::{Cell, Sample};
use crate::vllm::{Engine, Profile, Request};

/// What `profile` would have shown the client of `cell`. Requests that the profile cannot take
/// (too long for its context) are left out.
pub fn replay(profile: &Profile, cell: &Cell) -> Vec<Sample> {
    let mut engine = Engine::new(profile);
    let mut coming = cell.samples.iter().enumerate();
    let mut open: FxHashMap<u64, (usize, Sample)> = FxHashMap::default();
    let mut done: Vec<(usize, Sample)> = Vec::with_capacity(cell.samples.len());
    let mut ask = |engine: &mut Engine, open: &mut FxHashMap<u64, _>, now: u64| {
        for (index, sample) in coming.by_ref() {
            let request = Request {
                id: index as u64,
                prompt_tokens: sample.prompt_tokens,
                max_tokens: sample.output_tokens,
                target_tokens: u32::MAX,
                ..Request::default()
            };
            if engine.submit(request, now).is_ok() {
                open.insert(index as u64, (index, Sample { sent_ns: now, ..*sample }));
                return;
            }
        }
    };
    (0..cell.concurrency).for_each(|_| ask(&mut engine, &mut open, 0));
    let mut now = 0;
    while let Some(step) = engine.step(now) {
        now = step.ends_at_ns;
        for token in step.emitted {
            if let Some((_, sample)) = open.get_mut(&token.id) {
                if token.produced == 1 {
                    sample.first_ns = now;
                }
                sample.last_ns = now;
            }
            if token.finish.is_some() {
                done.extend(open.remove(&token.id));
                ask(&mut engine, &mut open, now);
            }
        }
    }
    done.sort_unstable_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, sample)| sample).collect()
}
