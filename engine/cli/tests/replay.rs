//! `replay`: what was recorded comes out again under the same policy, and something else under
//! another one.

#![allow(clippy::unwrap_used, reason = "tests fail")]

mod support;

use support::Sage;

/// Waits of very different length, known beforehand, on one slot.
const NAPS: &str = r#"sage 1
type Task { id: string @key, n: int }
source tasks: Task from generate(count: 120)
sink outs: Task to jsonl("outs.jsonl")
flow naps {
  from tasks
  stage nap = sleep(1ms + 2ms * (.n * 7 % 20))
  emit Task { id: .id, n: .n } into outs
}
schedule { policy: fifo, slots: 1 }
"#;

/// Another command in the same folder.
fn within(sage: &Sage) -> Sage {
    let mut other = Sage::new();
    other.folder = sage.folder.clone();
    other
}

/// Figures of the recorded run, its replay, and the replays of what was changed.
fn figures(sage: &Sage, options: &str) -> Vec<serde_json::Value> {
    let replay = within(sage);
    let done = replay.args("replay out --json").args(options).go().exits(0);
    let all: Vec<serde_json::Value> = serde_json::from_str(&done.stdout).unwrap();
    all.into_iter().map(|column| column["summary"].clone()).collect()
}

fn number(figures: &serde_json::Value, name: &str) -> f64 {
    figures[name].as_f64().unwrap()
}

#[test]
fn a_replay_of_the_recorded_policy_is_the_recorded_run() {
    let rag = concat!(env!("CARGO_MANIFEST_DIR"), "/../../pipelines/mixed.sage");
    let sage = Sage::new().args("simulate --workers 3 --tasks 150 --out out --quiet").arg(rag);
    sage.go().exits(0);
    let found = figures(&sage, "--scheduler random");
    let [recorded, replayed, random] = found.as_slice() else { panic!("{found:?}") };
    for name in ["throughput_per_s", "latency_mean_ms", "latency_p99_ms", "execution_mean_ms"] {
        let off = number(replayed, name) / number(recorded, name) - 1.0;
        assert!(off.abs() < 0.05, "{name}: {off}");
    }
    assert_eq!(replayed["tasks_ok"], 150);
    assert_eq!(random["tasks_ok"], 150);
    assert_ne!(random["nodes"], replayed["nodes"]);
    assert_eq!(found, figures(&sage, "--scheduler random"), "the same again");
}

#[test]
fn another_policy_sees_what_the_recorded_one_saw() {
    let sage = Sage::new().file("f.sage", NAPS).args("run f.sage --workers 1 --out out --quiet");
    sage.go().exits(0);
    let found = figures(&sage, "--scheduler shortest_first --scheduler fifo");
    let [recorded, replayed, shortest, fifo] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(replayed, fifo);
    let mean = |figures| number(figures, "latency_mean_ms");
    assert!(mean(recorded) >= mean(replayed) * 0.9, "what was waited for takes that long at least");
    assert!(mean(shortest) < 0.95 * mean(fifo), "{} {}", mean(shortest), mean(fifo));
    let wide = figures(&sage, "--slots 4");
    assert!(number(&wide[2], "makespan_s") < 0.3 * number(&wide[1], "makespan_s"));
    let two = figures(&sage, "--workers 2");
    let nodes = two[2]["nodes"].as_array().unwrap();
    assert_eq!(nodes.len(), 2);
}

#[test]
fn what_is_no_run_is_refused_with_the_reason() {
    let says = |sage: Sage, options: &str, part: &str| sage.args(options).go().exits(1).says(part);
    says(
        Sage::new(),
        "replay nowhere --scheduler fifo",
        "is no folder of a run: it has no plan.json",
    );
    says(Sage::new(), "replay nowhere", "is no folder of a run: it has no plan.json");
    says(Sage::new(), "replay nowhere --workers 0", "expected 1 to 65536");
    let sage = Sage::new().file("f.sage", NAPS).args("run f.sage --workers 1 --out out --quiet");
    sage.go().exits(0);
    let again = || within(&sage);
    says(again(), "replay out --scheduler fofi", "fifo");
    says(again(), "replay out", "The run had --scheduler 'fifo', --workers 1 and --slots 1");
    says(again(), "replay . --scheduler fifo", "there are runs in ./out");
    let table = sage.folder.path().join("out/tasks.csv");
    let text = std::fs::read_to_string(&table).unwrap();
    std::fs::write(&table, text.replacen(",ok,", ",ok", 1)).unwrap();
    says(again(), "replay out --scheduler random", "tasks.csv:");
    std::fs::write(&table, text.lines().next().unwrap()).unwrap();
    says(again(), "replay out --scheduler random", "no task that ran");
}

/// Records that end before the scheduler: one in four is dropped, one in four divides by zero.
const LOSSES: &str = r#"sage 1
type Task { id: string @key, n: int }
source tasks: Task from generate(count: 120)
sink outs: Task to jsonl("outs.jsonl")
flow losses {
  from tasks
  where .n % 4 != 1
  stage part = 100 / (.n % 4 - 2)
  stage nap = sleep(20ms)
  emit Task { id: .id, n: part } into outs
}
schedule { policy: load_aware(spread), slots: 2 }
"#;

#[test]
fn what_ended_before_the_scheduler_does_so_again_and_never_stands_in_its_queue() {
    for (verb, flow) in [
        ("run", LOSSES.to_owned()),
        ("simulate", LOSSES.to_owned()),
        (
            "run",
            LOSSES.replace("load_aware(spread)", "edf").replace("slots: 2", "slots: 2, due: 1s"),
        ),
    ] {
        let sage = Sage::new().file("f.sage", &flow).args(verb);
        let sage = sage.args("f.sage --workers 2 --out out --quiet");
        let ran = sage.go().exits(3).metrics();
        assert_eq!((&ran["tasks_ok"], &ran["tasks_dead"]), (&90.into(), &30.into()));
        for column in figures(&sage, "--scheduler random") {
            for count in ["tasks_ok", "tasks_dead", "tasks_late"] {
                assert_eq!(column[count], ran[count], "{verb}: {count}");
            }
            // Records that are dropped at once succeed at once, before any that sleeps.
            let (p50, last) = (number(&column, "latency_p50_ms"), number(&column, "makespan_s"));
            assert!(p50 < 650.0 * last, "{verb}: {p50} of {last}");
            assert!(number(&column, "latency_max_ms") > 250.0, "{verb}: 60 naps on four slots");
        }
        let found = figures(&sage, "--scheduler random");
        let off = number(&found[1], "latency_mean_ms") / number(&found[0], "latency_mean_ms") - 1.0;
        // A run on processes has a machine that others may keep busy.
        assert!(off.abs() < 0.05 || verb == "run", "{verb}: {off}");
    }
}

#[test]
fn dropped_records_do_not_wait_behind_those_that_wait_for_a_slot() {
    let flow = LOSSES.replace(".n % 4 != 1", ".n % 4 == 0");
    let sage = Sage::new().file("f.sage", &flow);
    let sage = sage.args("simulate f.sage --workers 2 --out out --quiet");
    sage.go().exits(0);
    // A source on processes reads one after the other what the scheduler then sees at once.
    let table = sage.folder.path().join("out/tasks.csv");
    let read = std::fs::read_to_string(&table).unwrap();
    let apart = |line: &str| {
        let mut cells: Vec<String> = line.split(',').map(str::to_owned).collect();
        if let Ok(id) = cells[0].parse::<u32>() {
            cells[2] = format!("{:.6}", 0.004 * f64::from(id));
        }
        cells.join(",")
    };
    let lines: Vec<String> = read.lines().map(apart).collect();
    std::fs::write(&table, lines.join("\n")).unwrap();
    // Three of four are dropped, so the median is one of them.
    let found = figures(&sage, "--scheduler random --workers 1");
    let p50 = number(&found[0], "latency_p50_ms");
    assert!(p50 < 0.1 * number(&found[0], "latency_max_ms"), "{p50}");
    for column in &found[1..] {
        assert!(number(column, "latency_p50_ms") <= 1.01 * p50, "{p50} {column}");
    }
}

#[test]
fn late_tasks_are_late_in_every_column_whether_they_ran_or_not() {
    let late = NAPS.replace("slots: 1", "slots: 1, deadline: 300ms");
    let sage = Sage::new().file("f.sage", &late).args("run f.sage --workers 1 --out out --quiet");
    let ran = sage.go().exits(3).metrics();
    let number_of_late = ran["tasks_late"].as_u64().unwrap();
    assert!(number_of_late > 50, "{number_of_late}");
    for column in &figures(&sage, "--scheduler fifo")[..1] {
        assert_eq!(column["tasks_late"], ran["tasks_late"]);
        assert_eq!(column["tasks_ok"], ran["tasks_ok"]);
    }
    for column in figures(&sage, "--slots 2") {
        assert_eq!(column["tasks_in"], 120);
        assert!(column["tasks_late"].as_u64().unwrap() + 2 >= number_of_late);
    }
    let done = within(&sage).args("replay out --slots 2").go().exits(0);
    assert!(done.stdout.contains("never ran in the recorded run"), "{}", done.stdout);
}

#[test]
fn json_says_which_figures_are_of_the_twin_and_which_nobody_measured() {
    let sage = Sage::new().file("f.sage", NAPS).args("run f.sage --workers 1 --out out --quiet");
    sage.go().exits(0);
    let done = within(&sage).args("replay out --json --scheduler random").go().exits(0);
    let columns: Vec<serde_json::Value> = serde_json::from_str(&done.stdout).unwrap();
    let backends: Vec<&str> =
        columns.iter().map(|column| column["backend"].as_str().unwrap()).collect();
    assert_eq!(backends, ["live", "twin (virtual time)", "twin (virtual time)"]);
    for column in &columns {
        for name in ["decision_p50_us", "dispatch_p99_us", "prompt_tokens", "retries"] {
            assert!(column["summary"][name].is_null(), "{name}");
        }
        assert!(column["summary"]["stages"][0]["prompt_tokens"].is_null());
        assert!(column["summary"]["stages"][0]["mean_ms"].is_number());
    }
}

#[test]
fn damaged_folders_are_refused_with_the_place_and_gaps_are_named() {
    let sage = Sage::new().file("f.sage", NAPS).args("run f.sage --workers 1 --out out --quiet");
    sage.go().exits(0);
    let path = |name: &str| sage.folder.path().join("out").join(name);
    let with = |name: &str, from: &str, to: &str| {
        let text = std::fs::read_to_string(path(name)).unwrap();
        assert!(text.contains(from), "{name}: {from}");
        std::fs::write(path(name), text.replacen(from, to, 1)).unwrap();
        let done = within(&sage).args("replay out --scheduler random").go();
        std::fs::write(path(name), text).unwrap();
        done
    };
    with("tasks.csv", ",ok,", ",fine,").exits(1).says("`fine` is none of ok, partial, dead, late");
    with("tasks.csv", "nap_ms", "rest_ms")
        .exits(1)
        .says("tasks.csv:1: there is no column `nap_ms`");
    with("setup.json", "\"workers\": 1", "\"workers\": 4000000000").exits(1).says("expected 1 to");
    with("setup.json", "\"workers\": 1", "\"workers\": 0").exits(1).says("expected 1 to");
    with("plan.json", "{", "[").exits(1).says("is damaged");
    with("metrics.json", "{", "{,").exits(1).says("is damaged");
    let tasks = std::fs::read_to_string(path("tasks.csv")).unwrap();
    let first = tasks.lines().nth(1).unwrap();
    with("tasks.csv", first, &format!("{first}\n{first}")).exits(1).says("was there before");
    let cells: Vec<&str> = first.split(',').collect();
    let ended_early = first.replace(cells[5], "0.000001");
    with("tasks.csv", first, &ended_early).exits(1).says("times go back");
    let decisions = std::fs::read_to_string(path("decisions.csv")).unwrap();
    let half: String = decisions.lines().take(61).map(|line| format!("{line}\n")).collect();
    let done = with("decisions.csv", &decisions, &half).exits(0);
    assert!(done.stdout.contains("60 tasks ran and are not in it"), "{}", done.stdout);
    let cut = &decisions[..decisions.len() - 20];
    with("decisions.csv", &decisions, cut).exits(1).says("decisions.csv:121:");
    std::fs::remove_file(path("metrics.json")).unwrap();
    let done = within(&sage).args("replay out --scheduler random").go().exits(0);
    assert!(done.stdout.contains("the run has no metrics.json"), "{}", done.stdout);
}

#[test]
fn tasks_that_are_missing_from_the_table_are_told() {
    let sage =
        Sage::new().file("f.sage", NAPS).args("simulate f.sage --workers 2 --out out --quiet");
    sage.go().exits(0);
    let said =
        "tasks.csv and metrics.json do not agree: the one lists 119 tasks, the other counts 120";
    let whole = within(&sage).args("replay out --scheduler random").go().exits(0);
    assert!(!whole.stdout.contains("do not agree"), "{}", whole.stdout);
    let table = sage.folder.path().join("out/tasks.csv");
    let text = std::fs::read_to_string(&table).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    std::fs::write(table, lines[..lines.len() - 1].join("\n") + "\n").unwrap();
    let short = within(&sage).args("replay out --scheduler random").go().exits(0);
    assert!(short.stdout.contains(said), "{}", short.stdout);
}
