//! Nodes that were lost in a simulated run, and what was lost with them: for `metrics.json` and for
//! people.

use sage_dsl::experiment::NodeFailure;
use sage_twin::Lost;
use serde_json::{Value, json};

use super::{Course, TwinRun};

/// A failure that was asked for, and what job `at` lost by it.
struct Loss<'r> {
    failure: &'r NodeFailure,
    /// Whether it came to pass before the run was over.
    came: bool,
    lost: Lost,
}

fn losses<'r>(
    run: &'r TwinRun,
    course: &'r Course,
    at: usize,
) -> impl Iterator<Item = Loss<'r>> + 'r {
    let job = course.outcome.jobs.get(at);
    run.cluster.failures.iter().enumerate().map(move |(number, failure)| Loss {
        failure,
        came: course.outcome.failures_came.get(number).copied().unwrap_or(false),
        lost: job.and_then(|job| job.lost.get(number)).copied().unwrap_or_default(),
    })
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

/// One object for each failure.
pub(super) fn figures(run: &TwinRun, course: &Course, at: usize) -> Value {
    let figures = losses(run, course, at).map(|Loss { failure, came, lost }| {
        json!({
            "node": failure.node,
            "at_s": seconds(failure.at_ns),
            "for_s": failure.for_ns.map(seconds),
            "came": came,
            "attempts_lost": lost.attempts,
            "busy_lost_s": seconds(lost.busy_ns),
            "answers_lost": lost.answers,
            "prompt_tokens_lost": lost.prompt_tokens,
            "completion_tokens_lost": lost.completion_tokens,
        })
    });
    Value::Array(figures.collect())
}

/// Attempts and seconds in slots that a node lost.
pub(super) fn of_node(run: &TwinRun, course: &Course, at: usize, node: usize) -> (u64, f64) {
    losses(run, course, at).filter(|loss| loss.failure.node as usize == node).fold(
        (0, 0.0),
        |(attempts, busy_s), Loss { lost, .. }| {
            (attempts + lost.attempts, busy_s + seconds(lost.busy_ns))
        },
    )
}

/// For people, one line for each failure.
pub(super) fn lines(run: &TwinRun, course: &Course, at: usize) -> String {
    losses(run, course, at).map(|loss| line(&loss, seconds(course.outcome.end_ns))).collect()
}

fn line(loss: &Loss<'_>, end_s: f64) -> String {
    let Loss { failure, came, lost } = loss;
    let time = |ns: u64| humantime::format_duration(std::time::Duration::from_nanos(ns));
    let how_long =
        failure.for_ns.map_or_else(|| "for good".into(), |ns| format!("for {}", time(ns)));
    let mut text =
        format!("failure     node {} at {} {how_long}: ", failure.node, time(failure.at_ns));
    if *came {
        text.push_str(&format!(
            "{} attempts with {:.3} s in slots were lost",
            lost.attempts,
            seconds(lost.busy_ns)
        ));
        if lost.answers > 0 {
            text.push_str(&format!(
                ", and {} answers that came to nobody ({} tokens in, {} out)",
                lost.answers, lost.prompt_tokens, lost.completion_tokens
            ));
        }
    } else {
        text.push_str(&format!("never came to pass, all was over at {end_s:.3} s"));
    }
    text.push('\n');
    text
}
