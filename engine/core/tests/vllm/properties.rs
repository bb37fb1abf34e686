//! Whatever comes, nothing is lost and no limit is exceeded.

use std::collections::HashMap;

use proptest::prelude::*;
use sage_core::vllm::{Engine, Finish, Profile, Request, Scheduling};

use super::named;

#[derive(Debug, Clone)]
struct Case {
    prompt: u32,
    max_tokens: u32,
    target: u32,
    priority: i32,
    /// Which of a few shared prefixes it begins with.
    family: u64,
    gap_ms: u64,
    cancel: bool,
}

fn case() -> impl Strategy<Value = Case> {
    (0_u32..400, 0_u32..60, 0_u32..80, -1..2, 0_u64..3, 0_u64..40, prop::bool::weighted(0.1))
        .prop_map(|(prompt, max_tokens, target, priority, family, gap_ms, cancel)| Case {
            prompt,
            max_tokens,
            target,
            priority,
            family,
            gap_ms,
            cancel,
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_and_no_limit_is_exceeded(
        cases in prop::collection::vec(case(), 1..60),
        kv_blocks in 30_u32..120,
        max_num_seqs in 1_u32..20,
        budget in 1_u32..300,
        chunked_prefill in prop::bool::weighted(0.7),
        urgent in any::<bool>(),
    ) {
        let profile = Profile {
            kv_blocks,
            max_num_seqs,
            max_num_batched_tokens: budget,
            chunked_prefill,
            scheduling: if urgent { Scheduling::Priority } else { Scheduling::Fcfs },
            ..named("a100/llama-3-8b").clone()
        };
        let mut engine = Engine::new(&profile);
        let (mut now, mut arrival) = (0, 0);
        let mut coming = cases.iter().enumerate().peekable();
        let mut open = HashMap::new();
        let mut counts: HashMap<u64, u32> = HashMap::new();
        loop {
            while let Some((id, case)) = coming.next_if(|(_, case)| arrival + case.gap_ms * 1_000_000 <= now) {
                arrival += case.gap_ms * 1_000_000;
                let blocks = (0..u64::from(case.prompt / 16))
                    .map(|k| if k < 6 { case.family << 32 | k } else { (id as u64 + 9) << 32 | k })
                    .collect();
                let ask = Request {
                    id: id as u64,
                    prompt_tokens: case.prompt,
                    blocks,
                    max_tokens: case.max_tokens,
                    target_tokens: case.target,
                    priority: case.priority,
                };
                engine.submit(ask, now).unwrap();
                open.insert(id as u64, case);
            }
            let Some(step) = engine.step(now) else {
                prop_assert!(open.is_empty(), "stuck with {open:?}");
                let Some((_, case)) = coming.peek() else { break };
                now = now.max(arrival + case.gap_ms * 1_000_000);
                continue;
            };
            prop_assert!(step.ends_at_ns > now || step.load.sequences == 0);
            prop_assert!(step.load.tokens <= budget || !chunked_prefill);
            prop_assert!(step.load.sequences <= max_num_seqs);
            for admission in &step.admitted {
                prop_assert!(admission.queued_at_ns <= step.starts_at_ns);
                prop_assert!(open.contains_key(&admission.id));
            }
            now = step.ends_at_ns;
            for token in step.emitted {
                let count = counts.entry(token.id).or_default();
                *count += 1;
                prop_assert_eq!(*count, token.produced);
                if let Some(finish) = token.finish {
                    let case = open.remove(&token.id).unwrap();
                    let (target, most) = (case.target.max(1), case.max_tokens.max(1));
                    prop_assert_eq!(*count, target.min(most));
                    prop_assert_eq!(finish == Finish::Stop, target <= most);
                }
            }
            let stats = engine.stats();
            prop_assert!(stats.kv_blocks_used <= kv_blocks && stats.running <= max_num_seqs as usize);
            if let Some(id) = open.iter().find(|(_, case)| case.cancel).map(|(id, _)| *id) {
                prop_assert!(engine.cancel(id));
                prop_assert!(!engine.cancel(id));
                open.remove(&id);
            }
        }
        let stats = engine.stats();
        prop_assert_eq!((stats.kv_blocks_used, stats.running, stats.waiting), (0, 0, 0));
        prop_assert_eq!(stats.stopped + stats.cut + stats.cancelled, cases.len() as u64);
    }
}
