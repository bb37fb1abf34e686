//! The table of published measurements: what agrees must go on agreeing, and what does not is named
//! here, with the error it has. Printed with `--nocapture`.

use std::sync::LazyLock;

use sage_core::vllm::validation::{Kind, Row, markdown, validation};

static ROWS: LazyLock<Vec<Row>> = LazyLock::new(validation);

/// Rows that miss their target, with the error that the model has, and why if that is known. Each
/// is asserted, so that a change for the better shows as well as one for the worse.
const KNOWN_MISSES: &[(&str, &str, f64)] = &[
    // The error grows with the context (-2 %, +7 %, +17 %): attention over very long contexts was
    // slower in vLLM 0.6 than the efficiency fitted on 0.11.
    ("V6", "Qwen2.5-7B, 129024 in", 0.171),
    // GDDR6 delivers a larger share of its data sheet's bandwidth than the A100's HBM, whose
    // efficiency the model uses for all machines.
    ("V9", "C=1, TPOT", 0.154),
    ("V9", "C=8, TPOT", 0.165),
];

fn is(row: &Row, (id, what, _): (&str, &str, f64)) -> bool {
    row.id == id && row.what.starts_with(what)
}

#[test]
fn the_model_agrees_with_what_was_published_but_for_known_misses() {
    let rows = &*ROWS;
    println!("{}", markdown(rows));
    for row in rows.iter().filter(|row| row.agrees() == Some(false)) {
        let known = KNOWN_MISSES.iter().find(|miss| is(row, **miss));
        let (_, _, error) = known.unwrap_or_else(|| panic!("missed: {row:?}"));
        assert!((row.error() - error).abs() < 0.015, "not as bad as it was, or worse: {row:?}");
    }
    for miss in KNOWN_MISSES {
        let row = rows.iter().find(|row| is(row, *miss)).unwrap();
        assert_eq!(row.agrees(), Some(false), "no miss any more: {row:?}");
    }
    let judged = |id: &str| rows.iter().any(|row| row.id == id && row.tolerance.is_some());
    for id in ["V1", "V2", "V3", "V4", "V5", "V6", "V7", "V8", "V9", "V11"] {
        assert!(judged(id), "{id} is not judged");
    }
    let tolerances = rows.iter().filter_map(|row| Some((row.kind, row.tolerance?)));
    for (kind, tolerance) in tolerances {
        let most = if kind == Kind::InSample { 0.06 } else { 0.10 };
        assert!(tolerance <= most);
    }
}

fn model(rows: &[Row], id: &str, what: &str) -> f64 {
    rows.iter().find(|row| row.id == id && row.what.starts_with(what)).unwrap().model
}

/// Figures with an open parameter in the source are judged by their shape.
#[test]
fn shapes_are_those_of_the_sources() {
    let rows = &*ROWS;
    let at = |clients: u32| model(rows, "V9", &format!("C={clients}, output"));
    assert!(at(1) < at(8) && at(8) < at(64) && at(64) < at(128) && at(128) < at(256));
    assert!(at(512) < at(256) * 1.02, "256 requests run at once, more only wait");
    let capacity =
        |what| model(rows, "V10", &format!("capacity with chunked prefill over without, {what}"));
    let (strict, relaxed) = (capacity("strict"), capacity("relaxed"));
    println!("V10: published up to 2.6, model {strict:.2} strict, {relaxed:.2} relaxed");
    assert!((1.7..3.0).contains(&strict) && relaxed > 1.2 && relaxed < strict);
}
