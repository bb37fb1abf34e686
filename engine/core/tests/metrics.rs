//! Numbers from events: what must add up, and what must not be possible.
//!
//! Two properties over generated histories: the books balance at every moment however the events
//! of different processes interleave, and no event, however absurd, breaks them. Then one test per
//! definition, with figures small enough to check by hand.

use proptest::prelude::*;
use sage_core::event::{Event, Kind};
use sage_core::metrics::{
    Counts, Price, Recorder, RecorderConfig, Summary, TaskOutcome, TaskRow, Warmup, csv_header,
    summary_text,
};

const MS: u64 = 1_000_000;

fn config(nodes: usize) -> RecorderConfig {
    RecorderConfig::new(nodes, 2, vec!["embed".into(), "answer".into()])
}

fn quiet(nodes: usize) -> Recorder {
    Recorder::new(RecorderConfig { warmup: Warmup::NONE, ..config(nodes) })
}

/// The events of one task: arrival, then scheduling, queueing and execution of these lengths.
fn life(task: u64, node: u32, arrived: u64, parts: [u64; 3], ok: u64, records: u32) -> Vec<Event> {
    let decided = arrived + parts[0];
    let started = decided + parts[1];
    let ended = started + parts[2];
    let event = |kind, at| Event { node, records, ..Event::new(kind, task, at) };
    vec![
        event(Kind::Arrived, arrived),
        Event { value: 700, extra: 3, ..event(Kind::Decided, decided) },
        event(Kind::Dispatched, decided + parts[1] / 2),
        event(Kind::Started, started),
        Event {
            stage: 1,
            value: parts[2],
            extra: (100 << 32) + 20,
            detail: 2,
            ..event(Kind::StageDone, ended)
        },
        Event {
            value: ok,
            extra: u64::from(records).saturating_sub(ok),
            detail: 2,
            ..event(Kind::Completed, ended)
        },
    ]
}

fn feed(recorder: &mut Recorder, events: impl IntoIterator<Item = Event>) -> Vec<TaskRow> {
    events.into_iter().filter_map(|event| recorder.observe(&event)).collect()
}

fn add_up(counts: &Counts) -> bool {
    counts.tasks_in
        == counts.tasks_ok + counts.tasks_dead + counts.tasks_late + counts.tasks_pending
}

fn near(found: Option<f64>, expected: f64) -> bool {
    found.is_some_and(|found| (found - expected).abs() <= expected.abs() * 1e-3)
}

prop_compose! {
    fn any_event()(
        kind in 0_u16..14, task in 0_u64..6, at_ns: u64, value: u64, extra: u64, node in 0_u32..5,
        records in prop_oneof![0_u32..4, Just(u32::MAX)], job in 0_u16..2, stage in 0_u16..4,
        detail: u16,
    ) -> Event {
        Event { task, at_ns, value, extra, node, records, job, stage, kind, detail }
    }
}

type History = (u64, [u64; 3], u32, bool, bool);

fn any_histories() -> impl Strategy<Value = Vec<History>> {
    let times = || 0..20_000 * MS;
    let parts = (times(), times(), times()).prop_map(|(a, b, c)| [a, b, c]);
    proptest::collection::vec((times(), parts, 1_u32..5, any::<bool>(), any::<bool>()), 1..60)
}

proptest! {
    // Each case clones whole histograms.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_books_balance_at_every_moment_in_any_order(
        histories in any_histories(), order in proptest::collection::vec(any::<u32>(), 400),
    ) {
        let mut events: Vec<(u32, Event)> = Vec::new();
        for (id, (arrived, parts, records, ok, shed)) in histories.iter().enumerate() {
            let task = id as u64;
            let ok = if *ok { u64::from(*records) } else { u64::from(records - 1) };
            let mut one = life(task, task as u32 % 3, *arrived, *parts, ok, *records);
            if *shed {
                one = vec![one[0], Event { records: *records, ..Event::new(Kind::Shed, task, 1) }];
            }
            // In whatever order they come, as long as the completion comes last.
            let last = one.pop().expect("a life has an end");
            let place = |at: usize| order[(id * 7 + at) % order.len()] / 2;
            events.extend(one.iter().enumerate().map(|(at, event)| (place(at), *event)));
            events.push((u32::MAX / 2 + order[id] / 2, last));
        }
        events.sort_by_key(|(place, _)| *place);
        let mut recorder = Recorder::new(config(3));
        let mut rows = Vec::new();
        for (_, event) in &events {
            rows.extend(recorder.observe(event));
            let counts = recorder.counts();
            prop_assert!(add_up(&counts), "{counts:?}");
            let seen = histories.len() - rows.len();
            prop_assert!(recorder.open_tasks() <= seen);
        }
        prop_assert_eq!(recorder.open_tasks(), 0);
        prop_assert_eq!(rows.len(), histories.len());
        for row in &rows {
            let (arrived, parts, ..) = histories[row.task as usize];
            if row.outcome == TaskOutcome::Late {
                continue;
            }
            prop_assert_eq!(row.split_ns(), Some(parts));
            prop_assert_eq!(row.arrived_ns, arrived);
            prop_assert_eq!(row.latency_ns(), parts.iter().sum::<u64>());
        }
        let summary = recorder.finish();
        prop_assert_eq!(summary.counts.tasks_pending, 0);
        prop_assert_eq!(summary.splits_missing, 0);
        let by_node: u64 = summary.nodes.iter().map(|node| node.tasks).sum();
        prop_assert_eq!(by_node, summary.counts.tasks_ok);
        prop_assert!(recorder.nodes().iter().all(|node| node.in_flight == 0));
        if summary.latency_mean_ms.is_some() {
            let [whole, parts @ ..] = summary.parts().map(|(_, values)| values[0].unwrap());
            prop_assert!((whole - parts.iter().sum::<f64>()).abs() < 1e-6 * whole.max(1.0));
        }
    }

    #[test]
    fn no_event_breaks_anything(events in proptest::collection::vec(any_event(), 0..200)) {
        let mut recorder = Recorder::new(RecorderConfig { deadline_ns: Some(5), ..config(2) });
        for event in &events {
            if let Some(row) = recorder.observe(event) {
                let parts = row.split_ns();
                prop_assert!(parts.is_none_or(|parts| parts.iter().sum::<u64>() == row.latency_ns()));
                prop_assert_eq!(
                    row.to_csv().matches(',').count(),
                    csv_header(&config(2).stages).matches(',').count()
                );
            }
            prop_assert!(add_up(&recorder.counts()));
        }
        let summary = recorder.finish();
        let text = serde_json::to_string(&summary).unwrap();
        let back: Summary = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(back.counts, summary.counts);
        prop_assert!(summary.balance.is_none_or(|share| (0.0..=1.0).contains(&share)));
        prop_assert!(!summary_text(&summary, &[]).contains("NaN"));
    }

    #[test]
    fn a_merge_equals_one_recorder(histories in any_histories()) {
        let config = config(3);
        let (mut left, mut right, mut both) =
            (Recorder::new(config.clone()), Recorder::new(config.clone()), Recorder::new(config));
        for (id, (arrived, parts, records, ok, _)) in histories.iter().enumerate() {
            let events =
                life(id as u64, id as u32 % 3, *arrived, *parts, u64::from(*ok), *records);
            feed(if id % 2 == 0 { &mut left } else { &mut right }, events.clone());
            feed(&mut both, events);
        }
        left.merge(right);
        prop_assert_eq!(left.finish(), both.finish());
        // What the other one saw end stays ended.
        let again = life(1, 0, 0, [1, 1, 1], 1, 1);
        prop_assert!(feed(&mut left, again).is_empty() || histories.len() < 2);
    }
}

#[test]
fn rates_and_latencies_follow_their_definitions() {
    let mut recorder = quiet(2);
    // Arrivals 1 s apart from 1 s on; 10 ms + 90 ms + 900 ms each. The last one dies at 9 s.
    for id in 0..4 {
        let arrived = (1 + id) * 1000 * MS;
        feed(&mut recorder, life(id, id as u32 % 2, arrived, [10 * MS, 90 * MS, 900 * MS], 1, 1));
    }
    feed(&mut recorder, life(4, 0, 5000 * MS, [0, 0, 4000 * MS], 0, 1));
    let summary = recorder.finish();
    assert_eq!(summary.counts.tasks_ok, 4);
    assert_eq!(summary.counts.tasks_dead, 1);
    // Four successes from 1 s to 5 s; the run lasts to 9 s.
    assert_eq!(summary.throughput_per_s, Some(1.0));
    assert_eq!(summary.makespan_s, Some(8.0));
    assert_eq!(summary.goodput_per_s, None);
    assert_eq!(summary.latency_mean_ms, Some(1000.0));
    assert_eq!(summary.latency_max_ms, Some(1000.0), "the dead one is not a latency");
    assert_eq!(summary.scheduling_mean_ms, Some(10.0));
    assert_eq!(summary.queueing_mean_ms, Some(90.0));
    assert!(near(summary.execution_p99_ms, 900.0));
    assert!(near(summary.decision_p50_us, 0.7));
    assert!(near(summary.dispatch_p99_us, 45_000.0));
    assert_eq!(summary.balance, Some(1.0));
    // Node 0 was busy for 1.8 s + 4 s, node 1 for 1.8 s, of 2 * 2 * 8 slot seconds.
    assert!(near(summary.utilization, 7.6 / 32.0));
    assert!(near(summary.busy_balance, 1.0 - 2.0 / 3.8));
    let answer = &summary.stages[1];
    assert_eq!((answer.calls, answer.prompt_tokens, answer.completion_tokens), (5, 500, 100));
    assert_eq!((summary.stages[0].calls, summary.stages[0].p99_ms), (0, None));
}

#[test]
fn tokens_and_cost_are_those_of_the_rows_and_only_what_was_paid_for() {
    let price = |input_per_mtok, output_per_mtok| Some(Price { input_per_mtok, output_per_mtok });
    let mut recorder = Recorder::new(RecorderConfig {
        prices: vec![price(0.5, 0.0), price(3.0, 15.0)],
        ..config(2)
    });
    let mut rows = Vec::new();
    for id in 0..50 {
        let mut events = life(id, id as u32 % 2, id, [MS, MS, MS], id % 7, 6);
        let embedded =
            Event { extra: (7 * id) << 32, value: MS, ..Event::new(Kind::StageDone, id, 9) };
        let failed = Event { stage: 1, detail: 3, ..Event::new(Kind::Failed, id, 9) };
        let cached = Event { stage: 1, value: id, ..Event::new(Kind::Cached, id, 9) };
        events.splice(2..2, [embedded, failed, cached]);
        rows.extend(feed(&mut recorder, events));
    }
    let naive: f64 = (0..50).map(|id| f64::from(7 * id) * 0.5 / 1e6).sum::<f64>()
        + 50.0 * (100.0 * 3.0 + 20.0 * 15.0) / 1e6;
    let summary = recorder.finish();
    let by_row: f64 = rows.iter().filter_map(|row| row.spent.cost).sum();
    let by_stage: f64 = summary.stages.iter().filter_map(|stage| stage.cost).sum();
    for found in [summary.cost, Some(by_row), Some(by_stage)] {
        assert!(near(found, naive), "{found:?} is not {naive}");
    }
    assert_eq!(summary.prompt_tokens, rows.iter().map(|row| row.spent.prompt_tokens).sum::<u64>());
    assert_eq!((summary.prompt_tokens, summary.completion_tokens), (5000 + 7 * 1225, 1000));
    let answer = &summary.stages[1];
    assert_eq!((answer.cached, answer.failed, summary.cached), (1225, 50, 1225));
    assert!(rows.iter().all(|row| row.attempts == 3));
    // Without a price nothing is known of the cost; it is not 0.
    let rows = feed(&mut recorder, life(99, 0, 0, [1, 1, 1], 1, 1));
    assert!(rows[0].spent.cost.is_some());
    let mut free = quiet(1);
    let rows = feed(&mut free, life(0, 0, 0, [1, 1, 1], 1, 1));
    assert!(rows[0].to_csv().ends_with(",100,20,,"));
    assert_eq!(free.finish().cost, None);
}

#[test]
fn a_run_without_tasks_has_no_figures_instead_of_perfect_ones() {
    let summary = quiet(4).finish();
    assert_eq!((summary.balance, summary.busy_balance), (None, None));
    assert_eq!((summary.throughput_per_s, summary.makespan_s), (None, None));
    assert_eq!((summary.latency_p99_ms, summary.scheduling_mean_ms), (None, None));
    assert_eq!(summary.nodes.len(), 4);
    let mut recorder = quiet(4);
    feed(&mut recorder, life(0, 0, 0, [1, 1, 1], 0, 1));
    let summary = recorder.finish();
    assert_eq!((summary.throughput_per_s, summary.balance), (Some(0.0), None));
}

#[test]
fn a_task_whose_time_is_up_on_its_way_is_late_and_its_work_is_counted() {
    let mut recorder = quiet(2);
    let mut events = life(0, 1, 0, [MS, MS, 8 * MS], 0, 3);
    let last = events.last_mut().unwrap();
    *last = Event { records: 3, ..Event::new(Kind::Shed, 0, 10 * MS) };
    let rows = feed(&mut recorder, events);
    assert_eq!((rows[0].outcome, rows[0].node), (TaskOutcome::Late, Some(1)));
    assert_eq!(rows[0].split_ns(), Some([MS, MS, 8 * MS]));
    // One that was refused in the queue never came to a node.
    let refused = [Event::new(Kind::Arrived, 1, 0), Event::new(Kind::Shed, 1, 5)];
    assert_eq!(feed(&mut recorder, refused)[0].node, None);
    let summary = recorder.finish();
    assert_eq!((summary.counts.tasks_late, summary.counts.tasks_dead), (4, 0));
    assert_eq!((summary.nodes[1].busy_s, summary.nodes[1].tasks), (0.008, 0));
    assert_eq!(summary.prompt_tokens, 100);
    assert_eq!(recorder.nodes()[1].in_flight, 0);
}

#[test]
fn idle_nodes_count_in_the_balance() {
    let mut recorder = quiet(4);
    for id in 0..8 {
        feed(&mut recorder, life(id, 2, id, [1, 1, 1], 1, 1));
    }
    assert_eq!(recorder.finish().balance, Some(0.0));
}

#[test]
fn parts_that_were_not_recorded_are_unknown_not_zero() {
    let mut recorder = quiet(1);
    let mut events = life(0, 0, 0, [5 * MS, 5 * MS, 5 * MS], 1, 1);
    events.retain(|event| event.kind() != Some(Kind::Decided));
    let rows = feed(&mut recorder, events);
    assert_eq!((rows[0].split_ns(), rows[0].latency_ns()), (None, 15 * MS));
    let summary = recorder.finish();
    assert_eq!(summary.latency_mean_ms, Some(15.0));
    assert_eq!((summary.scheduling_mean_ms, summary.execution_mean_ms), (None, None));
    assert_eq!(summary.splits_missing, 1);
}

#[test]
fn morsels_weigh_by_their_records_and_an_outcome_that_is_missing_is_a_failure() {
    let mut recorder = quiet(1);
    feed(&mut recorder, life(0, 0, 0, [0, 0, 10 * MS], 90, 100));
    let rows = feed(&mut recorder, life(1, 0, 0, [0, 0, 110 * MS], 10, 10));
    assert_eq!(rows[0].outcome, TaskOutcome::Ok);
    // 3 of 5 succeeded, and nothing is said of the other two.
    let mut silent = life(2, 0, 0, [0, 0, 20 * MS], 3, 5);
    silent.last_mut().unwrap().extra = 0;
    assert_eq!(feed(&mut recorder, silent)[0].outcome, TaskOutcome::Partial);
    feed(&mut recorder, [Event::new(Kind::Unreadable, 0, 0)]);
    let summary = recorder.finish();
    let counts = summary.counts;
    assert_eq!((counts.tasks_in, counts.tasks_ok, counts.tasks_dead), (116, 103, 13));
    assert_eq!(summary.latency_mean_ms, Some((90.0 * 10.0 + 10.0 * 110.0 + 3.0 * 20.0) / 103.0));
    assert!(near(summary.latency_p50_ms, 10.0));
}

#[test]
fn a_task_placed_again_after_a_loss_counts_once_and_its_stragglers_not_at_all() {
    let mut recorder = quiet(2);
    let first = life(0, 0, 0, [MS, MS, 10 * MS], 1, 1);
    feed(&mut recorder, first[..5].to_vec());
    assert_eq!(recorder.nodes()[0].in_flight, 1);
    let second = life(0, 1, 30 * MS, [MS, MS, 10 * MS], 1, 1);
    let rows = feed(&mut recorder, second);
    assert_eq!(rows[0].node, Some(1));
    assert_eq!(rows[0].split_ns(), Some([31 * MS, MS, 10 * MS]));
    assert_eq!(rows[0].stages_ns, [None, Some(10 * MS)], "the lost attempt is not in it");
    assert!(feed(&mut recorder, first).is_empty());
    let counts = recorder.counts();
    assert_eq!((counts.tasks_in, counts.tasks_ok, recorder.open_tasks()), (1, 1, 0));
    assert!(recorder.nodes().iter().all(|node| node.in_flight == 0));
}

#[test]
fn warm_up_is_the_smaller_of_five_percent_and_five_seconds() {
    let run = |gap: u64| {
        let mut recorder = Recorder::new(config(1));
        for id in 0..1000 {
            // The first hundred are a thousand times slower.
            let took = if id < 100 { 1000 * MS } else { MS };
            feed(&mut recorder, life(id, 0, id * gap, [0, 0, took], 1, 1));
        }
        recorder.finish()
    };
    // All at once: 5 %. One every 10 ms: still 5 %, within 0.5 s. One a second: 5 s.
    for (gap, excluded) in [(0, 50), (10 * MS, 50), (1000 * MS, 5)] {
        let summary = run(gap);
        assert_eq!(summary.warmup_excluded, excluded);
        let slow = 100.0 - excluded as f64;
        let mean = (slow * 1000.0 + 900.0) / (1000.0 - excluded as f64);
        assert!(near(summary.latency_mean_ms, mean));
        assert_eq!(summary.counts.tasks_ok, 1000, "left out of latencies, not of the counts");
    }
}

#[test]
fn field_names_are_those_of_metrics_json() {
    let mut recorder = Recorder::new(RecorderConfig { deadline_ns: Some(1), ..config(2) });
    feed(&mut recorder, life(0, 0, 0, [1, 1, 1], 1, 1));
    let json = serde_json::to_value(recorder.finish()).unwrap();
    let mut names: Vec<String> = Vec::new();
    for outcome in ["in", "ok", "dead", "late", "pending"] {
        names.push(format!("tasks_{outcome}"));
    }
    for part in ["latency", "scheduling", "queueing", "execution"] {
        names.extend(["mean", "p50", "p90", "p95", "p99", "max"].map(|q| format!("{part}_{q}_ms")));
    }
    let others = "makespan_s throughput_per_s goodput_per_s decision_p50_us decision_p99_us \
                  dispatch_p50_us dispatch_p99_us balance busy_balance utilization nodes stages \
                  warmup_excluded retries splits_missing prompt_tokens completion_tokens cost cached";
    names.extend(others.split_whitespace().map(str::to_owned));
    names.sort();
    let mut found: Vec<String> = json.as_object().unwrap().keys().cloned().collect();
    found.sort();
    assert_eq!(found, names);
    let keys = |value: &serde_json::Value| {
        value.as_object().unwrap().keys().cloned().collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(keys(&json["nodes"][0]), ["node", "tasks", "busy_s"].map(str::to_owned).into());
    let stage = "name calls mean_ms p99_ms ttft_p50_ms ttft_p95_ms ttft_p99_ms prompt_tokens \
                 completion_tokens cost cached failed";
    assert_eq!(keys(&json["stages"][0]), stage.split_whitespace().map(str::to_owned).collect());
}

#[test]
fn the_text_adds_up_and_marks_what_is_unknown() {
    let mut recorder = Recorder::new(RecorderConfig {
        warmup: Warmup::NONE,
        prices: vec![None, Some(Price { input_per_mtok: 1.0, output_per_mtok: 2.0 })],
        ..config(3)
    });
    for (kind, value) in
        [(Kind::FirstToken, 40 * MS), (Kind::FirstToken, 90 * MS), (Kind::Cached, 7)]
    {
        feed(&mut recorder, [Event { stage: 1, value, ..Event::new(kind, 0, 0) }]);
    }
    for id in 0..3 {
        feed(&mut recorder, life(id, (id / 2) as u32, 0, [MS, 2 * MS, 997 * MS], 1, 1));
    }
    feed(&mut recorder, life(3, 0, 0, [0, 0, MS], 0, 1));
    feed(&mut recorder, life(4, 0, 0, [0, 0, MS], 0, 1).into_iter().take(2));
    feed(&mut recorder, [Event { detail: 2, ..Event::new(Kind::Retried, 4, 5) }]);
    let heading = [
        ("pipeline", "rag".to_owned()),
        ("endpoint", "simulated endpoint a100/qwen2.5-7b".to_owned()),
    ];
    let expected = "\
pipeline    rag
endpoint    simulated endpoint a100/qwen2.5-7b

records     in 5 = ok 3 + dead 1 + late 0 + pending 1
throughput  3.000 ok/s over 1.000 s, 1 retry
balance     18.4 % by records, 18.3 % by busy time; slots 49.9 % busy
overhead    decision p50 0.700 us, p99 0.700 us; dispatch p50 1000 us, p99 1000 us
tokens      400 in, 80 out; cost 0.000560; 7 answers from the journal

latency, ms           mean         p50         p90         p99         max
total                 1000        1000        1000        1000        1000
scheduling           1.000       1.000       1.000       1.000       1.000
queueing             2.000       2.000       2.000       2.000       2.000
execution            997.0       997.0       997.0       997.0       997.0

node     records     busy, s
0              2       1.995  ########################################
1              1       0.997  ####################
2              0       0.000

stage              calls    mean, ms     p99, ms     tokens in    tokens out          cost
embed                  0           -           -             0             0
answer                 4       748.0       997.0           400            80      0.000560

first token of answer: p50 40.01 ms, p95 90.00 ms, p99 90.00 ms
";
    assert_eq!(summary_text(&recorder.finish(), &heading), expected);
}

#[test]
fn who_takes_no_slot_keeps_none_busy() {
    let mut recorder = quiet(1);
    // Two slots are full for 8 ms; a task without records passes by meanwhile.
    feed(&mut recorder, life(0, 0, 0, [0, 0, 8_000_000], 1, 1));
    feed(&mut recorder, life(1, 0, 0, [0, 0, 8_000_000], 1, 1));
    let passing = life(2, 0, 0, [0, 0, 8_000_000], 1, 1)
        .into_iter()
        .map(|event| Event { detail: u16::from(event.kind() == Some(Kind::Decided)), ..event });
    feed(&mut recorder, passing);
    let summary = recorder.finish();
    assert_eq!((summary.nodes[0].tasks, summary.nodes[0].busy_s), (3, 0.016));
    assert_eq!(summary.utilization, Some(1.0));
}

#[test]
fn many_nodes_are_told_by_a_few() {
    let table = |nodes: u32| {
        let mut recorder = quiet(nodes as usize);
        for node in 0..nodes {
            for task in 0..=node {
                let id = u64::from(node * nodes + task);
                feed(&mut recorder, life(id, node, 0, [0, 0, 1_000_000], 1, 1));
            }
        }
        let text = summary_text(&recorder.finish(), &[]);
        let lines = text.lines().skip_while(|line| !line.starts_with("node "));
        lines.skip(1).take_while(|line| !line.is_empty()).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(table(32).len(), 32);
    let many = table(33);
    assert_eq!(many.len(), 10, "{many:?}");
    assert!(many[0].starts_with("0 ") && many[8].starts_with("32 "), "{many:?}");
    assert!(many[9].contains("9 of 33 nodes"), "{many:?}");
}

#[test]
fn throughput_names_both_ends_when_records_failed_after_the_last_good_one() {
    let mut recorder = quiet(1);
    feed(&mut recorder, life(0, 0, 0, [0, 0, 1000 * MS], 1, 1));
    feed(&mut recorder, life(1, 0, 0, [0, 0, 4000 * MS], 0, 1));
    let text = summary_text(&recorder.finish(), &[]);
    let said = "throughput  1.000 ok/s over 1.000 s until the last ok record, 4.000 s in all";
    assert!(text.contains(said), "{text}");
}
