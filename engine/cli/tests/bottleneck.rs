//! `explain --predict`: twice as much of what it names as the bottleneck lets more through, and
//! twice as much of anything else does not. The twin is asked in the user's own words: by options.

#![allow(clippy::unwrap_used, reason = "tests fail")]

mod support;

use support::Sage;

/// A program of the repository.
fn pipeline(name: &str) -> String {
    format!("{}/../../pipelines/{name}.sage", env!("CARGO_MANIFEST_DIR"))
}

/// Answers take about half a second alone, and a call has a second, waiting included.
const HURRY: &str = r#"sage 1
type T { id: string @key, text: string }
source ts: T from generate(count: 120, text: "tell me about {{ n }}")
sink outs: T to jsonl("outs.jsonl")
endpoint llm { url: "sim:a100/qwen2.5-7b", model: "Qwen/Qwen2.5-7B-Instruct", concurrency: 2, retry: none }
flow hurry {
  from ts
  stage g = generate(.text) on llm { max_tokens: 64, timeout: 1s }
  emit T { id: .id, text: g.text } into outs
}
schedule { policy: fifo, slots: 8 }
"#;

fn sage(words: &str, file: &str, options: &str) -> Sage {
    Sage::new().file("hurry.sage", HURRY).args(words).arg(file).args(options)
}

fn named(file: &str, options: &str) -> String {
    let done = sage("explain --predict --json", file, options).go().exits(0);
    let found: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    found["bottleneck"].as_str().unwrap_or("none").to_owned()
}

/// Records that succeed, and how many a second.
fn done(file: &str, options: &str) -> (f64, f64) {
    let done = sage("simulate --json --out out", file, options).go();
    let metrics: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    let number = |name: &str| metrics[name].as_f64().unwrap();
    (number("tasks_ok"), number("throughput_per_s"))
}

/// Whether `more` of something lets over a tenth more through than `before`, with nothing lost.
fn helps(before: (f64, f64), more: (f64, f64)) -> bool {
    more.0 >= before.0 && more.1 > 1.1 * before.1
}

#[test]
fn threads_that_wait_for_a_core_want_cores_and_not_slots_or_workers() {
    let file = pipeline("compute");
    for workers in [4, 16] {
        let with = |workers: u32, cores: u32, slots: u32| {
            format!(
                "--workers {workers} --cores {cores} --slots {slots} --tasks 300 --set load=heavy"
            )
        };
        assert_eq!(named(&file, &with(workers, 2, 8)), "cores of the host (2)");
        let before = done(&file, &with(workers, 2, 8));
        assert!(helps(before, done(&file, &with(workers, 4, 8))), "{workers}: cores");
        assert!(!helps(before, done(&file, &with(2 * workers, 2, 8))), "{workers}: workers");
        assert!(!helps(before, done(&file, &with(workers, 2, 16))), "{workers}: slots");
    }
    let both = named(&file, "--workers 2 --cores 2 --tasks 300 --set load=heavy");
    assert_eq!(both, "cores of the host (2) and processors of the workers (2)");
}

#[test]
fn slots_and_permits_that_wait_for_a_server_want_servers() {
    let file = pipeline("rag");
    let with = |workers: u32, concurrency: u32, speed: &str| {
        format!(
            "--workers {workers} --tasks 400 --concurrency {concurrency} \
             --endpoint sim:a100/qwen2.5-7b@{speed}"
        )
    };
    assert_eq!(named(&file, &with(32, 256, "1")), "servers of `llm` (1)");
    let before = done(&file, &with(32, 256, "1"));
    assert!(helps(before, done(&file, &with(32, 256, "2"))), "faster servers");
    assert!(!helps(before, done(&file, &with(64, 256, "1"))), "slots");
    assert!(!helps(before, done(&file, &with(32, 512, "1"))), "permits");
}

#[test]
fn calls_that_time_out_in_line_want_permits_and_more_slots_only_lose_more() {
    for slots in [8, 64] {
        let with = |permits: u32, slots: u32| {
            format!("--workers 1 --slots {slots} --concurrency {permits}")
        };
        assert_eq!(named("hurry.sage", &with(2, slots)), "limit of `llm` (2 calls)");
        let before = done("hurry.sage", &with(2, slots));
        assert!(helps(before, done("hurry.sage", &with(4, slots))), "{slots} slots: permits");
        assert!(!helps(before, done("hurry.sage", &with(2, 2 * slots))), "{slots} slots: slots");
    }
    // Calls that time out were in flight as well, so both permits are taken all the time.
    let text = sage("explain --predict", "hurry.sage", "--workers 1").go().exits(0).stdout;
    let line = text.lines().find(|line| line.contains("limit of `llm` (2 calls)")).unwrap();
    let used: f64 = line.trim_start().split(' ').next().unwrap().parse().unwrap();
    assert!((95.0..=100.05).contains(&used), "{line}");
}

#[test]
fn a_limit_that_changes_is_never_used_to_more_than_the_whole() {
    let file = pipeline("rag");
    let done = sage("explain --predict --json", &file, "--workers 32 --tasks 400").go().exits(0);
    let found: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    for resource in found["resources"].as_array().unwrap() {
        assert!(resource["used"].as_f64().unwrap() <= 1.0005, "{resource}");
    }
}

#[test]
fn what_is_asked_for_and_does_nothing_is_warned_of() {
    let rag = pipeline("rag");
    let warns = |words: &str, file: &str, options: &str, part: &str| {
        let done = sage(words, file, options).go().says(&format!("warning: {part}"));
        assert!(matches!(done.code, Some(0 | 3)), "{:?} {}", done.code, done.stderr);
    };
    let small = "--tasks 5 --out out --quiet";
    warns("simulate --profile a100/qwen3-14b", &rag, small, "--profile is not used: it stands in");
    let compute = pipeline("compute");
    let unused = "--endpoint is not used: no program has an endpoint";
    warns("simulate --endpoint sim:a100/qwen2.5-7b", &compute, small, unused);
    let fair = "flow compute: `weighted_fair` goes by `fair`";
    warns("simulate --scheduler weighted_fair", &compute, small, fair);
    warns("run --workers 1 --scheduler weighted_fair", &compute, small, fair);
    warns("explain --predict --scheduler edf", &compute, "", "flow compute: `edf` goes by `due`");
    warns(
        "run --workers 1 --strict-slo",
        &compute,
        small,
        "--strict-slo: flow compute has no `slo`",
    );
    let edf = HURRY.replace("fifo", "edf");
    let checked = Sage::new().file("hurry.sage", &edf).args("check hurry.sage").go().exits(0);
    let checked = checked.says("warning: flow hurry: `edf` goes by `due`");
    assert!(checked.stdout.contains("is right"));
    // A deadline is as good as a due time, and a priority is there.
    let due = edf.replace("slots: 8", "slots: 8, deadline: 1h");
    let checked = Sage::new().file("hurry.sage", &due).args("check hurry.sage").go().exits(0);
    assert_eq!(checked.stderr, "");
    let quiet = sage("simulate --scheduler priority", &rag, small).go().exits(0);
    assert_eq!(quiet.stderr, "");
}

#[test]
fn options_that_make_no_sense_are_refused_in_words_of_their_own() {
    let refused = |words: &str, part: &str| {
        sage(words, "hurry.sage", "").go().exits(1).says(part);
    };
    refused("simulate --scheduler nope", "there are edf, fifo");
    refused("simulate --scheduler FIFO", "did you mean `fifo`?");
    let stagger = sage("simulate --stagger -2s", "hurry.sage", "").go();
    assert!(!stagger.stderr.contains("-- -2"), "{}", stagger.stderr);
    let code = Sage::new().args("explain S0207 --predict").go().exits(1);
    code.says("a code has none");
}
