//! What the binary says of itself: help, lists, reference pages, plans.

mod support;

use support::Sage;

#[test]
fn help_texts_have_examples() {
    for verb in [
        "run",
        "check",
        "explain",
        "list",
        "doc",
        "simulator",
        "gateway",
        "retry",
        "cache",
        "calibrate",
        "jobs",
        "jobs list",
        "jobs status",
        "jobs cancel",
        "jobs resume",
        "jobs cleanup",
    ] {
        let done = Sage::new().args(&format!("{verb} --help")).go().exits(0);
        if verb != "doc" || done.stdout.contains("Examples") {
            assert!(done.stdout.contains("Examples:\n  sage-flow"), "{verb}");
        }
    }
    assert!(Sage::new().args("run --help").go().stdout.contains("Exit codes"));
}

#[test]
fn every_listed_name_has_a_page() {
    for what in [
        "stages",
        "sources",
        "sinks",
        "policies",
        "documents",
        "functions",
        "aggregates",
        "types",
        "faults",
        "figures",
        "columns",
        "settings",
    ] {
        let done = Sage::new().args(&format!("list {what} --json")).go().exits(0);
        let listed: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
        let listed = listed.as_array().unwrap();
        assert!(!listed.is_empty());
        for entry in listed {
            let name = entry["name"].as_str().unwrap();
            let page = Sage::new().args(&format!("doc {name}")).go().exits(0);
            assert!(page.stdout.contains(name));
        }
    }
    Sage::new().args("doc generat").go().exits(1).says("did you mean `generate`?");
}

#[test]
fn every_block_and_every_keyword_has_a_page() {
    for (name, said) in [
        ("group", "one row for each key"),
        ("by", "one row for each key"),
        ("dedup", "keeps of several records with one key the first"),
        ("windows", "tumbling(1min, by: .at)"),
        ("sliding", "sliding(10min, every: 1min"),
        ("join", "function join("),
        ("join", "puts the record of another source beside each row"),
        ("flat_map", "a row of each element"),
        ("loop", "carry seen: [Doc] = []"),
        ("route", "all variants of an enum have an arm"),
        ("test", "sage-flow test"),
        ("mock", "error(\"no such model\")"),
        ("fault", "wrong_schema"),
        ("outage", "entry outage of `fault`"),
        ("mode", "entry mode of `sink`"),
        ("concurrency", "entry concurrency of `endpoint`"),
        ("slots", "setting slots of an experiment"),
        ("endpoint", "entries of `endpoint`"),
        ("latency_p99_ms", "column latency_p99_ms"),
        ("S0207", "unknown option"),
        ("experiment", "sweep policy in"),
        ("int", "type int"),
        ("time", "RFC 3339"),
        ("env", "environment variable"),
        ("secret", "SAGE_API_KEY"),
        ("watch", "option watch of source"),
        ("final", "value final of `mode`"),
        ("list", "`[T]`"),
        ("optional", "`T?`"),
        ("backoff", "doubles up to `cap`"),
        ("auto", "most throughput"),
        ("bm25", "search: hybrid(weight: 0.7)"),
        ("max_tokens", "option max_tokens of stage generate"),
        ("requests", "entry limits of `endpoint`"),
        ("q", "option q of aggregate quantile"),
        ("measure", "tasks_pending"),
        ("stage_time", "figure stage_time of `measure`"),
        ("p99", "as in `latency.p99`"),
        ("MiB", "1MiB is 1048576 bytes"),
        ("left_out", "column left_out"),
    ] {
        let done = Sage::new().args(&format!("doc {name}")).go().exits(0);
        assert!(done.stdout.contains(said), "{name}: `{said}` is not in\n{}", done.stdout);
    }
    Sage::new().args("doc gruop").go().exits(1).says("did you mean `group`?");
    Sage::new().args("doc flatmap").go().exits(1).says("did you mean `flat_map`?");
    Sage::new().args("doc zzzzzzzz").go().exits(1).says("`sage-flow doc` lists all names");
    let all = Sage::new().args("doc").go().exits(0).stdout;
    for name in ["group, by", "window, windows", "dedup", "quantile", "wrong_schema"] {
        assert!(all.contains(name), "{name} is not in\n{all}");
    }
}

#[test]
fn codes_can_be_explained() {
    let done = Sage::new().args("explain S0207").go().exits(0);
    assert!(done.stdout.contains("S0207"));
    Sage::new().args("explain S9999").go().exits(1).says("S9999");
}

#[test]
fn the_plan_shows_where_the_scheduling_operator_stands() {
    let rag = format!("{}/../../pipelines/rag.sage", env!("CARGO_MANIFEST_DIR"));
    let done = Sage::new().args("explain").arg(&rag).go().exits(0);
    let at =
        |part: &str| done.stdout.find(part).unwrap_or_else(|| panic!("{part} in {}", done.stdout));
    assert!(at("source queries") < at("schedule policy=load_aware"));
    assert!(at("exchange") < at("stage qvec"));
    assert!(at("stage answer") < at("emit Answer"));
    let json = Sage::new().args("explain --json").arg(&rag).go().exits(0);
    serde_json::from_str::<serde_json::Value>(&json.stdout).unwrap();
}
