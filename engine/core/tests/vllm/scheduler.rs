//! What the scheduler does in single situations.

use sage_core::vllm::{Engine, Finish, Profile, Rejected, Request, Scheduling};

use super::{bare, named, request, run};

#[test]
fn the_first_token_comes_sooner_the_more_is_cached() {
    let mut before = u64::MAX;
    for shared in [0, 16, 32, 48] {
        let mut engine = Engine::new(named("a100/llama-3-8b"));
        let prompt = |id, unique: u64| Request {
            blocks: (0..48).map(|k| if k < shared { k } else { unique + k }).collect(),
            ..request(id, 770, 2)
        };
        engine.submit(prompt(1, 1_000), 0).unwrap();
        let mut now = 0;
        while let Some(step) = engine.step(now) {
            now = step.ends_at_ns;
        }
        let (start, mut first) = (now, None);
        engine.submit(prompt(2, 2_000), now).unwrap();
        while let Some(step) = engine.step(now) {
            now = step.ends_at_ns;
            first = first.or(step.emitted.first().map(|_| now));
        }
        let wait = first.unwrap() - start;
        println!("{shared} of 48 blocks shared: first token after {:.1} ms", wait as f64 / 1e6);
        assert!(wait < before);
        before = wait;
        assert_eq!(engine.stats().prefix_hits, shared * 16);
    }
}

#[test]
fn impossible_requests_are_rejected_at_once() {
    let profile =
        Profile { kv_blocks: 10, max_model_len: 1000, ..named("a100/llama-3-8b").clone() };
    let mut engine = Engine::new(&profile);
    let too_long = engine.submit(request(1, 1000, 1), 0).unwrap_err();
    assert_eq!(too_long, Rejected::ContextLength { prompt_tokens: 1000, limit: 1000 });
    let too_big = engine.submit(request(2, 161, 1), 0).unwrap_err();
    assert_eq!(too_big, Rejected::CacheCapacity { prompt_tokens: 161, capacity: 160 });
    engine.submit(request(3, 160, 5), 0).unwrap();
    assert_eq!(engine.submit(request(3, 10, 1), 0), Err(Rejected::Duplicate(3)));
    assert_eq!(engine.step(0).map(|step| step.emitted.len()), Some(0), "in the front end");
    let step = engine.step(0).unwrap();
    assert_eq!(step.emitted[0].finish, Some(Finish::Length), "one token is all that fits");
}

#[test]
fn the_urgent_go_first_if_the_server_heeds_them() {
    for (scheduling, expected) in [(Scheduling::Priority, [3, 1, 2]), (Scheduling::Fcfs, [1, 2, 3])]
    {
        let profile = Profile { max_num_seqs: 1, scheduling, ..bare("a100/llama-3-8b") };
        let mut engine = Engine::new(&profile);
        for (id, priority) in [(1, 5), (2, 5), (3, -1)] {
            engine.submit(Request { priority, ..request(id, 10, 1) }, 0).unwrap();
        }
        let steps = run(&mut engine, 0);
        let order: Vec<u64> =
            steps.iter().flat_map(|step| &step.emitted).map(|token| token.id).collect();
        assert_eq!(order, expected, "{scheduling:?}");
    }
}

#[test]
fn the_least_urgent_is_preempted_and_loses_no_token() {
    // Two requests of 32 + 40 tokens do not fit 8 blocks together.
    let profile = Profile {
        kv_blocks: 8,
        max_model_len: 100,
        scheduling: Scheduling::Priority,
        ..bare("a100/llama-3-8b")
    };
    for (first, second) in [(0, 1), (1, 0)] {
        let mut engine = Engine::new(&profile);
        engine.submit(Request { priority: first, ..request(1, 32, 40) }, 0).unwrap();
        engine.submit(Request { priority: second, ..request(2, 32, 40) }, 0).unwrap();
        let steps = run(&mut engine, 0);
        let again: Vec<u64> = steps
            .iter()
            .flat_map(|step| &step.admitted)
            .filter(|admission| admission.again)
            .map(|admission| admission.id)
            .collect();
        let loser = if first > second { 1 } else { 2 };
        assert!(!again.is_empty() && again.iter().all(|&id| id == loser), "{again:?}");
        assert_eq!(engine.stats().preemptions, again.len() as u64);
        assert_eq!(steps.iter().map(|step| step.emitted.len()).sum::<usize>(), 80);
    }
}

#[test]
fn the_phases_of_a_request_follow_from_its_admission() {
    let profile = Profile { max_num_seqs: 1, ..named("a100/llama-3-8b").clone() };
    let mut engine = Engine::new(&profile);
    let blocks: Vec<u64> = (0..8).collect();
    for id in [1, 2] {
        let ask = Request { blocks: blocks.clone(), ..request(id, 130, 4) };
        engine.submit(ask, 5_000_000).unwrap();
    }
    let steps = run(&mut engine, 5_000_000);
    let admitted: Vec<_> = steps
        .iter()
        .flat_map(|step| step.admitted.iter().map(|admission| (step.starts_at_ns, *admission)))
        .collect();
    assert_eq!(admitted.iter().map(|(_, one)| one.id).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(admitted.iter().map(|(_, one)| one.cached_tokens).collect::<Vec<_>>(), [0, 128]);
    // Both share the front end: 11.13 ms of work each, so both leave it after 22.26 ms.
    for (at, admission) in &admitted {
        assert_eq!(admission.queued_at_ns, 5_000_000 + 22_260_000);
        assert!(*at >= admission.queued_at_ns && !admission.again);
    }
    let last = |id| {
        let tokens = steps.iter().filter(|step| step.emitted.iter().any(|token| token.id == id));
        tokens.map(|step| step.ends_at_ns).max().unwrap()
    };
    assert_eq!(admitted[1].0, last(1), "the second begins when the first ends");
}

#[test]
fn several_answers_to_one_prompt_compute_it_once() {
    let mut engine = Engine::new(&bare("a100/llama-3-8b"));
    let blocks: Vec<u64> = (0..62).collect();
    for id in 1..=4 {
        engine.submit(Request { blocks: blocks.clone(), ..request(id, 1000, 8) }, 0).unwrap();
    }
    let first = engine.step(0).unwrap();
    assert_eq!(first.load.prefill_tokens, 1000 + 3 * (1000 - 62 * 16));
    assert_eq!(first.emitted.len(), 4);
}

#[test]
fn without_chunks_a_step_holds_whole_prompts_or_decodes() {
    let profile =
        Profile { chunked_prefill: false, max_num_batched_tokens: 512, ..bare("a100/llama-3-8b") };
    let mut engine = Engine::new(&profile);
    engine.submit(request(1, 3000, 4), 0).unwrap();
    let first = engine.step(0).unwrap();
    assert_eq!((first.load.prefill_tokens, first.emitted.len()), (3000, 1));
    engine.submit(request(2, 4000, 4), first.ends_at_ns).unwrap();
    let steps = run(&mut engine, first.ends_at_ns);
    assert_eq!(steps[0].load.prefill_tokens, 4000, "prompts go first");
    assert_eq!(steps[0].emitted.iter().map(|token| token.id).collect::<Vec<_>>(), [2]);
    assert!(steps[1..].iter().all(|step| step.load.prefill_tokens == 0));
    assert_eq!(steps.iter().map(|step| step.emitted.len()).sum::<usize>(), 7);
}
