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
    for what in ["stages", "sources", "sinks", "policies", "documents", "functions", "aggregates"] {
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
