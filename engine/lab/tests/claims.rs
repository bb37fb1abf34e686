//! Claims: which rows they are said of, and when they hold, fail or cannot be said.

#![allow(clippy::unwrap_used, reason = "a test fails where it must not go on")]

mod common;

use common::{at, claim, col, num, op, over};
use sage_dsl::experiment::{Aggregate, Backend, Condition};
use sage_dsl::plan::{BinaryOp, UnaryOp};
use sage_lab::claims::{decide, decide_on, objective};
use sage_lab::results::{ALL, Outcome, Row, Verdict};
use sage_lab::stats;
use serde_json::json;

/// A row with one figure for each column, the same in all repeats or one for each.
fn row(job: &str, point: &[(&str, &str)], figures: &[(&str, &[f64])]) -> Row {
    let label = |(name, label): &(&str, &str)| ((*name).to_owned(), (*label).to_owned());
    let figure = |(name, values): &(&str, &[f64])| {
        let values = values.iter().map(|value| (!value.is_nan()).then_some(*value));
        Some(((*name).to_owned(), stats::estimate(values.collect(), 1)?))
    };
    Row {
        point: point.iter().map(label).collect(),
        job: job.to_owned(),
        figures: figures.iter().filter_map(figure).collect(),
        ..Row::default()
    }
}

/// Three policies by two jobs, one repeat.
fn six() -> Vec<Row> {
    let balance = [("fifo", 0.5, 0.6), ("load_aware(spread)", 0.98, 0.97), ("priority", 0.9, 0.99)];
    let of = |number: usize, job: &'static str| {
        balance.iter().map(move |(policy, rag, compute)| {
            let value = if number == 0 { *rag } else { *compute };
            row(job, &[("job", job), ("policy", policy)], &[("balance", &[value])])
        })
    };
    of(0, "rag").chain(of(1, "compute")).collect()
}

#[track_caller]
fn check(rows: &[Row], condition: Condition, outcome: Outcome, words: &[&str]) {
    let verdict = decide(&claim("a claim", condition), rows);
    let detail = verdict.detail.join("\n");
    assert_eq!(verdict.outcome, outcome, "{detail}");
    for word in words {
        assert!(detail.contains(word), "`{word}` is not in\n{detail}");
    }
}

#[test]
fn it_holds_if_it_holds_in_every_group() {
    let less = op(at("balance", &["fifo"]), BinaryOp::Lt, at("balance", &["load_aware"]));
    check(
        &six(),
        less,
        Outcome::Holds,
        &["rag: holds: balance[fifo] = 0.5, balance[load_aware] = 0.98", "compute: holds"],
    );
    let best = op(
        at("balance", &["load_aware"]),
        BinaryOp::Ge,
        op(over(Aggregate::Max, col("balance")), BinaryOp::Sub, num(0.01)),
    );
    // In compute, priority is better by more than that.
    check(&six(), best, Outcome::Fails, &["rag: holds", "compute: fails", "max(balance) = 0.99"]);
}

#[test]
fn without_labels_every_row_is_a_group() {
    let all = op(col("balance"), BinaryOp::Ge, num(0.5));
    check(&six(), all, Outcome::Holds, &["rag, fifo: holds", "compute, priority: holds"]);
}

#[test]
fn where_no_dimension_is_named_aggregates_range_over_all_points() {
    // Of each job the largest of three, and no single row is taken for all of them.
    let all = op(over(Aggregate::Max, col("balance")), BinaryOp::Lt, num(0.985));
    check(
        &six(),
        all,
        Outcome::Fails,
        &["rag: holds: max(balance) = 0.98", "compute: fails: max(balance) = 0.99"],
    );
    let mean = op(over(Aggregate::Mean, col("balance")), BinaryOp::Lt, num(1.0));
    let found = decide(&claim("x", mean), &six());
    assert_eq!(found.detail.len(), 2, "one line for each job: {:?}", found.detail);
    // A job is named, and no point.
    let one = op(over(Aggregate::Max, at("balance", &["rag"])), BinaryOp::Gt, num(0.975));
    check(&six(), one, Outcome::Holds, &["holds: max(balance[rag]) = 0.98"]);
    // What stands outside of the aggregate is of each point.
    let share = op(num(0.9), BinaryOp::Mul, over(Aggregate::Max, col("balance")));
    let near = op(col("balance"), BinaryOp::Ge, share);
    check(&six(), near, Outcome::Fails, &["rag, fifo: fails: balance = 0.5, max(balance) = 0.98"]);
}

#[test]
fn what_the_twin_assumes_cannot_confirm_a_claim() {
    let rows = [row("rag", &[("policy", "fifo")], &[("dispatch_p50_us", &[150.0][..])])];
    let quick = op(over(Aggregate::Max, col("dispatch_p50")), BinaryOp::Le, num(1000.0));
    let verdict = |backend| decide_on(&claim("x", quick.clone()), &rows, backend);
    assert_eq!(verdict(Backend::Sim).outcome, Outcome::Holds);
    let twin = verdict(Backend::Twin);
    assert_eq!((twin.outcome, twin.repeats), (Outcome::NotMeasurable, None));
    assert!(twin.detail[0].contains("assumed on the twin"), "{:?}", twin.detail);
}

#[test]
fn labels_may_be_of_several_dimensions_and_of_the_job() {
    let mut rows = Vec::new();
    for (nodes, factor) in [("1", 1.0), ("16", 11.0)] {
        for (job, base) in [("rag", 2.0), ("compute", 30.0)] {
            let figures = [("throughput_per_s", &[base * factor][..])];
            rows.push(row(job, &[("job", job), ("nodes", nodes)], &figures));
        }
    }
    let ten = op(
        at("throughput", &["rag", "16"]),
        BinaryOp::Gt,
        op(num(10.0), BinaryOp::Mul, at("throughput", &["1", "rag"])),
    );
    check(&rows, ten, Outcome::Holds, &["holds: throughput[rag][16] = 22"]);
    // Broadcast: of each job its own value at 1 node.
    let ratio = op(
        over(
            Aggregate::Min,
            op(at("throughput", &["16"]), BinaryOp::Div, at("throughput", &["1"])),
        ),
        BinaryOp::Gt,
        num(10.5),
    );
    check(&rows, ratio, Outcome::Holds, &["rag: holds", "compute: holds"]);
    // Both dimensions named, one left open in the aggregate.
    let sum = op(
        over(Aggregate::Sum, at("throughput", &["16"])),
        BinaryOp::Eq,
        op(at("throughput", &["rag", "16"]), BinaryOp::Add, at("throughput", &["compute", "16"])),
    );
    check(&rows, sum, Outcome::Holds, &["sum(throughput[16]) = 352"]);
}

#[test]
fn what_is_missing_or_unclear_is_not_measurable_and_says_why() {
    let rows = six();
    let greater = |left| op(left, BinaryOp::Gt, num(0.0));
    for (condition, why) in [
        (greater(at("balance", &["edf"])), "no result is labelled `edf`"),
        (greater(col("speedup")), "speedup was not measured"),
        (greater(at("isolation_spread", &["fifo"])), "there are no rows"),
        (greater(op(num(1.0), BinaryOp::Div, num(0.0))), "1 / 0 is no number"),
        (col("balance"), "is not a condition"),
        (
            op(greater(at("balance", &["fifo"])), BinaryOp::And, greater(col("balance"))),
            "balance is of several rows (of policy)",
        ),
        (op(col("balance"), BinaryOp::In, num(1.0)), "`in` has no meaning"),
        (greater(over(Aggregate::Max, num(1.0))), "names no column"),
    ] {
        check(&rows, condition, Outcome::NotMeasurable, &[why]);
    }
    check(&[], greater(col("balance")), Outcome::NotMeasurable, &["there are no rows"]);
    // One label in two dimensions.
    let twice = [row("rag", &[("nodes", "4"), ("slots", "4")], &[("balance", &[1.0])])];
    let both = greater(at("balance", &["4"]));
    check(&twice, both, Outcome::NotMeasurable, &["`4` is a label of `nodes` and of `slots`"]);
    // A short name of several policies.
    let two = [
        row("rag", &[("policy", "priority(aging: 1s)")], &[("balance", &[1.0])]),
        row("rag", &[("policy", "priority(aging: 5s)")], &[("balance", &[0.5])]),
    ];
    check(&two, greater(at("balance", &["priority"])), Outcome::NotMeasurable, &["several rows"]);
    let exact = greater(at("balance", &["priority(aging: 5s)"]));
    check(&two, exact, Outcome::Holds, &["= 0.5"]);
}

#[test]
fn truth_tables_with_what_cannot_be_said() {
    let rows = [row("a", &[], &[("balance", &[0.5])])];
    let value = |kind: u8| match kind {
        0 => op(col("balance"), BinaryOp::Gt, num(1.0)),
        1 => op(col("balance"), BinaryOp::Lt, num(1.0)),
        _ => op(col("cost"), BinaryOp::Lt, num(1.0)),
    };
    let outcome = |kind: u8| match kind {
        0 => Outcome::Fails,
        1 => Outcome::Holds,
        _ => Outcome::NotMeasurable,
    };
    for left in 0..3_u8 {
        check(
            &rows,
            Condition::Unary(UnaryOp::Not, Box::new(value(left))),
            outcome(match left {
                0 => 1,
                1 => 0,
                other => other,
            }),
            &[],
        );
        for right in 0..3_u8 {
            let and = match (left, right) {
                (0, _) | (_, 0) => 0,
                (1, 1) => 1,
                _ => 2,
            };
            let or = match (left, right) {
                (1, _) | (_, 1) => 1,
                (0, 0) => 0,
                _ => 2,
            };
            check(&rows, op(value(left), BinaryOp::And, value(right)), outcome(and), &[]);
            check(&rows, op(value(left), BinaryOp::Or, value(right)), outcome(or), &[]);
        }
    }
    let or_else = op(op(col("cost"), BinaryOp::Coalesce, num(3.0)), BinaryOp::Eq, num(3.0));
    check(&rows, or_else, Outcome::Holds, &[]);
}

#[test]
fn operators_do_what_they_say() {
    let rows = [row("a", &[], &[("balance", &[0.5]), ("retries", &[7.0])])];
    let abs = |inner| Condition::Abs(Box::new(inner));
    let neg = |inner| Condition::Unary(UnaryOp::Neg, Box::new(inner));
    for (left, operator, right, holds) in [
        (col("retries"), BinaryOp::Le, num(7.0), true),
        (col("retries"), BinaryOp::Ge, num(7.5), false),
        (col("retries"), BinaryOp::Ne, num(7.0), false),
        (op(col("retries"), BinaryOp::Rem, num(4.0)), BinaryOp::Eq, num(3.0), true),
        (op(col("retries"), BinaryOp::Mul, col("balance")), BinaryOp::Eq, num(3.5), true),
        (op(col("retries"), BinaryOp::Div, num(2.0)), BinaryOp::Eq, num(3.5), true),
        (abs(op(col("balance"), BinaryOp::Sub, num(1.0))), BinaryOp::Eq, num(0.5), true),
        (neg(col("balance")), BinaryOp::Lt, num(0.0), true),
        (over(Aggregate::Mean, col("balance")), BinaryOp::Eq, num(0.5), true),
    ] {
        let outcome = if holds { Outcome::Holds } else { Outcome::Fails };
        check(&rows, op(left, operator, right), outcome, &[]);
    }
}

#[test]
fn repeats_are_counted_and_solo_runs_left_out() {
    let nan = f64::NAN;
    let mut rows = vec![
        row("rag", &[("policy", "fifo")], &[("balance", &[0.5, 0.9, nan, 0.5])]),
        row("rag", &[("policy", "edf")], &[("balance", &[0.8, 0.8, 0.8, 0.8])]),
        row("rag", &[("policy", "fifo")], &[("balance", &[0.99, 0.99, 0.99, 0.99])]),
    ];
    rows[2].solo = true;
    let less = op(at("balance", &["fifo"]), BinaryOp::Lt, at("balance", &["edf"]));
    let verdict = decide(&claim("x", less), &rows);
    assert_eq!((verdict.outcome, verdict.repeats), (Outcome::Holds, Some((2, 3))));
    assert!(verdict.is_split());
    let all = Verdict { repeats: Some((3, 3)), ..verdict.clone() };
    let none = Verdict { outcome: Outcome::Fails, repeats: Some((0, 3)), ..verdict.clone() };
    let some = Verdict { outcome: Outcome::Fails, ..verdict };
    assert_eq!([all, none, some].map(|it| it.is_split()), [false, false, true]);
}

#[test]
fn what_is_said_of_jobs_together_stands_in_their_common_row() {
    let mut rows = Vec::new();
    for (fair, spread, total) in [("on", 0.1, 20.0), ("off", 0.8, 21.0)] {
        for (job, rate) in [("rag", 5.0), ("llm", 9.0)] {
            rows.push(row(job, &[("fair", fair)], &[("throughput_per_s", &[rate])]));
        }
        let all = [("isolation_spread", &[spread][..]), ("throughput_per_s", &[total])];
        rows.push(row(ALL, &[("fair", fair)], &all));
    }
    let spread =
        op(at("isolation_spread", &["on"]), BinaryOp::Lt, at("isolation_spread", &["off"]));
    check(&rows, spread, Outcome::Holds, &["all: holds: isolation_spread[on] = 0.1"]);
    let total = op(at("throughput", &["all", "off"]), BinaryOp::Gt, num(20.5));
    check(&rows, total, Outcome::Holds, &["= 21"]);
    // Jobs only: the sum over all of them is not one of them.
    let largest = op(over(Aggregate::Max, at("throughput", &["on"])), BinaryOp::Lt, num(20.0));
    check(&rows, largest, Outcome::Holds, &["rag: holds", "llm: holds"]);
    let mixed = op(
        op(col("throughput"), BinaryOp::Gt, num(1.0)),
        BinaryOp::And,
        op(col("isolation_spread"), BinaryOp::Lt, num(0.9)),
    );
    check(&rows, mixed, Outcome::Holds, &["rag, on: holds", "llm, off: holds"]);
}

#[test]
fn an_objective_is_decided_on_the_figures_of_one_run() {
    let metrics = json!({
        "latency_p99_ms": 1900.0, "tasks_in": 100, "tasks_ok": 99, "cost": null,
    });
    let metrics = metrics.as_object().unwrap();
    let verdict = |condition| objective(&claim("x", condition), metrics);
    let holds = verdict(op(col("latency_p99"), BinaryOp::Lt, num(2000.0)));
    assert_eq!((holds.outcome, holds.repeats), (Outcome::Holds, None));
    assert_eq!(holds.detail, ["holds: latency_p99 = 1900"]);
    let fails = verdict(op(col("success"), BinaryOp::Ge, num(0.995)));
    assert_eq!(
        (fails.outcome, &fails.detail[..]),
        (Outcome::Fails, &["fails: success = 0.99".to_owned()][..])
    );
    for (condition, why) in [
        (op(col("cost"), BinaryOp::Lt, num(1.0)), "cost was not measured"),
        (op(at("success", &["fifo"]), BinaryOp::Lt, num(1.0)), "no result is labelled `fifo`"),
        (op(col("speedup"), BinaryOp::Lt, num(1.0)), "speedup was not measured"),
    ] {
        let found = verdict(condition);
        assert_eq!(found.outcome, Outcome::NotMeasurable);
        assert!(found.detail[0].contains(why), "{:?}", found.detail);
    }
    assert_eq!(
        verdict(op(over(Aggregate::Max, col("success")), BinaryOp::Lt, num(1.0))).outcome,
        Outcome::Holds
    );
}
