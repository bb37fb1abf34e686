//! Plots of results of which one is far off and many are alike: the others can still be read.

#![allow(clippy::unwrap_used, reason = "a test fails where it must not go on")]

mod common;

use std::fs;
use std::path::Path;

use common::{Fake, experiment, policies, results};
use roxmltree::{Document, Node};
use sage_dsl::experiment::Experiment;
use sage_lab::plots;
use sage_lab::results::Estimate;

const NAMES: [&str; 9] = [
    "fifo",
    "priority",
    "edf",
    "slack",
    "random",
    "least_work",
    "round_robin",
    "staggered",
    "weighted_fair",
];

/// Pictures of nine policies, all alike but for `staggered`, which takes 200 times as long in one of
/// two jobs.
fn drawn(folder: &Path) {
    let experiment = Experiment { sweeps: vec![policies(&NAMES)], repeat: 3, ..experiment() };
    let mut fake = Fake::new();
    fake.plan = Box::new(|trial, number| {
        let own = trial.id.contains("staggered") && trial.id.contains("compute");
        let factor = if own { 200.0 } else { 1.0 + trial.seed as f64 * 1e-5 };
        let mut same = trial.clone();
        // `steady` makes a policy as slow as its name is long.
        same.jobs.iter_mut().for_each(|job| job.policy = None);
        let tasks = common::steady(&same, number).into_iter();
        tasks.map(|(a, s, f, node)| (a * factor, s * factor, f * factor, node)).collect()
    });
    let mut found = results(&experiment, &mut fake, folder);
    for row in &mut found.rows {
        let whole = row.figures["latency_mean_ms"].clone();
        for (name, share) in
            [("scheduling_mean_ms", 0.5), ("queueing_mean_ms", 0.1), ("execution_mean_ms", 0.4)]
        {
            let part = Estimate { mean: share * whole.mean, interval: None, ..whole.clone() };
            row.figures.insert(name.to_owned(), part);
        }
    }
    plots::draw(&found, &|_| None, folder).unwrap();
}

fn number(node: Node<'_, '_>, name: &str) -> f64 {
    node.attribute(name).map_or(0.0, |text| text.parse().unwrap())
}

/// Left, top, right, bottom of a text that ends at its point.
fn ends_at(node: Node<'_, '_>) -> [f64; 4] {
    let (x, y, size) = (number(node, "x"), number(node, "y"), number(node, "font-size"));
    [x - number(node, "textLength"), y + 0.06 * size, x, y + 0.9 * size]
}

#[test]
fn what_is_far_off_is_written_and_the_rest_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    drawn(folder.path());
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();

    let split = read("split.svg");
    assert!(split.contains("A bar with an arrow is cut off; its value is written."), "{split}");
    let document = Document::parse(&split).unwrap();
    let texts: Vec<&str> = document
        .descendants()
        .filter(|node| node.has_tag_name("text"))
        .filter_map(|node| node.text())
        .map(str::trim)
        .collect();
    assert_eq!(texts.iter().filter(|text| text.ends_with('→')).count(), 1, "{texts:?}");
    // The usual bars take more than a third of the axis: its largest tick is near them.
    let value = |text: &&str| {
        let thousands = text.strip_suffix("k →")?.parse::<f64>().ok()?;
        Some(1000.0 * thousands)
    };
    let far = texts.iter().find_map(value).unwrap();
    let ticks = texts.iter().filter_map(|text| text.parse::<f64>().ok());
    let largest = ticks.fold(0.0, f64::max);
    assert!(far > 50.0 * largest, "{far} and ticks up to {largest}");

    let throughput = read("throughput.svg");
    let notes = ["is cut off", "n/a"];
    assert!(notes.iter().all(|note| !throughput.contains(note)), "a short bar is no long one");
}

#[test]
fn points_on_each_other_have_one_short_label_within_the_frame() {
    let folder = tempfile::tempdir().unwrap();
    drawn(folder.path());
    let svg = fs::read_to_string(folder.path().join("tradeoff.svg")).unwrap();
    assert!(svg.contains(">\n1 and 8 more\n<") || svg.contains(">1 and 8 more<"), "{svg}");
    assert!(svg.contains("rag, “1 and 8 more”: 1–9."), "{svg}");
    assert!(svg.contains("compute, “1 and 7 more”: 1–7, 9."), "{svg}");
    assert!(!svg.contains("1, 2, 3"), "{svg}");
}

#[test]
fn the_words_for_a_far_difference_touch_no_mark() {
    let folder = tempfile::tempdir().unwrap();
    drawn(folder.path());
    let svg = fs::read_to_string(folder.path().join("versus.svg")).unwrap();
    let document = Document::parse(&svg).unwrap();
    let nodes = || document.descendants();
    let far = nodes().filter(|node| {
        node.has_tag_name("text") && node.text().is_some_and(|text| text.contains("compute: "))
    });
    let boxes: Vec<[f64; 4]> = far.map(ends_at).collect();
    assert!(!boxes.is_empty());
    let marks: Vec<Node<'_, '_>> = nodes().filter(|node| node.has_tag_name("circle")).collect();
    assert!(marks.len() > 8);
    for [left, top, right, bottom] in boxes {
        for mark in &marks {
            let [x, y, r] = ["cx", "cy", "r"].map(|name| number(*mark, name));
            let apart = x + r <= left || x - r >= right || y + r <= top || y - r >= bottom;
            assert!(apart, "a mark at {x}, {y} lies on words at {left}..{right}, {top}..{bottom}");
        }
    }
}
