//! What holds for every endpoint, whatever happens.

use std::collections::BTreeMap;

use proptest::prelude::*;
use sage_core::endpoint::{ErrorClass, Lane};
use sage_core::vllm::Profile;
use sage_dsl::plan::{HedgePlan, RetryPlan};
use sage_twin::model::{EndpointModel, ServerKind, ServerModel, Work};
use sage_twin::station::{Reply, Station, StationCall, StationStats};

use super::common::*;

/// What is done to a station, at gaps of milliseconds.
#[derive(Debug, Clone)]
enum Deed {
    Submit {
        job: usize,
        lane: usize,
        items: usize,
        size: u32,
        patience_ms: u64,
    },
    /// Give up the call that was made so many calls ago.
    Cancel(usize),
}

fn deed() -> impl Strategy<Value = (u64, Deed)> {
    let submit = (0usize..3, 0usize..3, 1usize..4, 1u32..300, 1u64..4_000);
    let submit = submit.prop_map(|(job, lane, items, size, patience_ms)| Deed::Submit {
        job,
        lane,
        items,
        size,
        patience_ms,
    });
    let cancel = (0usize..20).prop_map(Deed::Cancel);
    (prop_oneof![Just(0), 0u64..80], prop_oneof![9 => submit, 1 => cancel])
}

fn server() -> impl Strategy<Value = ServerModel> {
    let tight = Profile { kv_blocks: 120, max_model_len: 1_500, max_num_seqs: 8, ..qwen() };
    let kind = prop_oneof![
        (1u64..500).prop_map(|ms| ServerKind::Fixed { service_ns: ms * MS }),
        (1u32..4).prop_map(|servers| ServerKind::Queue { servers }),
        Just(vllm(tight)),
    ];
    (kind, prop::sample::select(vec![1.0, 3.7]))
        .prop_map(|(kind, speed)| ServerModel { kind, speed })
}

prop_compose! {
    fn model()(
        servers in proptest::collection::vec(server(), 1..4),
        affinity: bool,
        concurrency in proptest::option::of(1u32..12),
        queue in prop_oneof![Just(3u32), Just(1_000)],
        aging_ns in prop_oneof![Just(0), Just(SECOND)],
        fair: bool,
        max in 0u32..4,
        budget in prop_oneof![Just(0.0), Just(0.1), Just(0.6)],
        hedged: bool,
        requests_per_s in prop_oneof![3 => Just(None), 1 => Just(Some(20.0))],
        tokens_per_s in prop_oneof![3 => Just(None), 1 => Just(Some(2_000.0))],
        error_share in prop_oneof![Just(0.0), Just(0.2), Just(0.9), Just(1.0)],
    ) -> EndpointModel {
        EndpointModel {
            affinity,
            concurrency,
            concurrency_max: 40,
            queue,
            aging_ns,
            fair,
            retry: RetryPlan { max, base_ns: 20 * MS as i64, cap_ns: SECOND as i64, budget },
            hedge: hedged.then_some(HedgePlan { quantile: 0.5, budget: 0.5 }),
            requests_per_s,
            tokens_per_s,
            error_share,
            ..endpoint_of(servers)
        }
    }
}

fn items(id: u64, count: usize, size: u32, kinds: &EndpointModel) -> Vec<Work> {
    let one = |item: u64| match id % 3 {
        0 => Work::Embed { tokens: size },
        // Sometimes too long for the model.
        1 => generate(size * 6, size / 4 + 1, id % 5 * 100 + item),
        _ if matches!(kinds.servers[0].kind, ServerKind::Vllm { .. }) => generate(size, 3, id),
        _ => Work::Wait(u64::from(size) * MS),
    };
    (0..count as u64).map(one).collect()
}

/// What was seen of a run.
#[derive(Debug, PartialEq)]
struct Seen {
    replies: Vec<Reply>,
    cancelled: Vec<u64>,
    stats: StationStats,
}

fn play(
    model: &EndpointModel,
    deeds: &[(u64, Deed)],
    seed: u64,
) -> (Seen, BTreeMap<u64, StationCall>) {
    let mut station = Station::new(model, &[1.0, 3.0, 0.5], seed).unwrap();
    let (mut calls, mut seen) = (BTreeMap::new(), (Vec::new(), Vec::new()));
    let mut at = 0;
    for (gap, deed) in deeds {
        at += gap * MS;
        station.advance(at, &mut seen.0);
        match *deed {
            Deed::Submit { job, lane, items: count, size, patience_ms } => {
                let id = calls.len() as u64;
                let items = items(id, count, size, model);
                let deadline_ns = at + patience_ms * MS;
                let lane = Lane::ALL[lane];
                let one = StationCall { job, lane, deadline_ns, ..call(id, items) };
                station.submit(one.clone(), at);
                calls.insert(id, one);
            }
            Deed::Cancel(ago) => {
                let id = (calls.len().saturating_sub(ago + 1)) as u64;
                if station.cancel(id) {
                    seen.1.push(id);
                }
            }
        }
    }
    let mut moments = 0;
    while let Some(now) = station.next_ns() {
        assert!(now >= at, "time ran backwards");
        at = now;
        station.advance(now, &mut seen.0);
        moments += 1;
        assert!(moments < 200_000, "it never ends");
    }
    let stats = station.stats();
    (Seen { replies: seen.0, cancelled: seen.1, stats }, calls)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn every_call_is_answered_once_and_the_books_balance(
        model in model(),
        deeds in proptest::collection::vec(deed(), 1..120),
        seed: u64,
    ) {
        let (seen, calls) = play(&model, &deeds, seed);
        let mut ended: Vec<u64> = seen.replies.iter().map(|reply| reply.id).collect();
        ended.extend(&seen.cancelled);
        ended.sort_unstable();
        prop_assert_eq!(ended, calls.keys().copied().collect::<Vec<_>>(), "each call ends once");
        prop_assert!(seen.replies.is_sorted_by_key(|reply| reply.at_ns), "in order of time");

        let (mut ok, mut prompt, mut completion, mut attempts) = (0, 0, 0, 0);
        for reply in &seen.replies {
            let call = &calls[&reply.id];
            prop_assert!(reply.at_ns <= call.deadline_ns, "no later than its deadline");
            if reply.result == Err(ErrorClass::Timeout) {
                prop_assert_eq!(reply.at_ns, call.deadline_ns);
            }
            if reply.result == Err(ErrorClass::Server) && model.error_share == 0.0 {
                // It waited for a server that let ten calls in a row wait too long.
                prop_assert_eq!(reply.at_ns, call.deadline_ns);
            }
            let hedges = u32::from(model.hedge.is_some()) * (1 + model.retry.max);
            prop_assert!(reply.attempts <= 1 + model.retry.max + hedges);
            attempts += u64::from(reply.attempts);
            let Ok(answers) = &reply.result else { continue };
            prop_assert!(reply.attempts >= 1);
            prop_assert!(model.error_share < 1.0, "every try fails");
            ok += 1;
            prop_assert_eq!(answers.len(), call.items.len());
            for (&(input, output), work) in answers.iter().zip(&*call.items) {
                let expected = match work {
                    Work::Generate { prompt_tokens, target_tokens, .. } => {
                        (*prompt_tokens, *target_tokens)
                    }
                    Work::Embed { tokens } => (*tokens, 0),
                    _ => (0, 0),
                };
                prop_assert_eq!((input, output), expected, "tokens are as they were asked for");
                prompt += u64::from(input);
                completion += u64::from(output);
            }
        }
        let stats = &seen.stats;
        prop_assert_eq!(stats.calls, calls.len() as u64);
        prop_assert_eq!(stats.ok, ok);
        prop_assert_eq!(stats.errors, stats.calls - ok);
        prop_assert_eq!((stats.prompt_tokens, stats.completion_tokens), (prompt, completion));
        prop_assert!(stats.attempts >= attempts, "those of cancelled calls count, too");
        if seen.cancelled.is_empty() {
            prop_assert_eq!(stats.attempts, attempts);
        }
        let most = model.concurrency.unwrap_or(40 * model.servers.len() as u32);
        prop_assert!(stats.max_in_flight <= u64::from(most));
        prop_assert!(stats.limit <= most);
    }

    #[test]
    fn the_same_seed_gives_the_same_run(
        model in model(),
        deeds in proptest::collection::vec(deed(), 1..80),
        seed: u64,
    ) {
        prop_assert_eq!(play(&model, &deeds, seed).0, play(&model, &deeds, seed).0);
    }

    /// Asking for the next moment, and looking between two moments, changes nothing.
    #[test]
    fn it_does_not_matter_how_time_goes_on(
        model in model(),
        sizes in proptest::collection::vec((0u64..50, 1u32..300), 1..40),
        stride in 1u64..700,
    ) {
        let calls = || {
            let mut at = 0;
            let calls = (0u64..).zip(&sizes);
            calls.map(|(id, (gap, size))| {
                at += gap * MS;
                let deadline_ns = at + 3 * SECOND;
                (at, StationCall { deadline_ns, ..call(id, items(id, 1, *size, &model)) })
            }).collect::<Vec<_>>()
        };
        let mut station = Station::new(&model, &[1.0], 3).unwrap();
        let by_moments = run(&mut station, calls());
        let mut strided = Station::new(&model, &[1.0], 3).unwrap();
        let mut replies = Vec::new();
        // Submissions let time go on by themselves.
        calls().into_iter().for_each(|(at, call)| strided.submit(call, at));
        let mut now = 0;
        while strided.next_ns().is_some() {
            now += stride * MS;
            strided.advance(now, &mut replies);
        }
        prop_assert_eq!(by_moments, replies);
        prop_assert_eq!(station.stats(), strided.stats());
    }
}

#[test]
fn an_idle_endpoint_plans_nothing() {
    let auto = EndpointModel { concurrency: None, ..endpoint(vllm(qwen())) };
    let mut station = Station::new(&auto, &[1.0], 1).unwrap();
    assert_eq!(station.next_ns(), None);
    let reply = run(&mut station, vec![(5 * SECOND, call(0, [generate(10, 2, 1)]))]);
    assert!(reply[0].result.is_ok());
    assert_eq!(station.next_ns(), None);
}
