//! `summary.txt`: the same in words, also shown at the end of a run.

use sage_core::metrics::{Summary, summary_text};
use sage_dataflow::is_served;
use sage_lab::results::Verdict;
use serde_json::Value;

use super::super::follow::Course;
use super::metrics::covered;
use super::{Report, memory};

impl Report<'_> {
    pub(super) fn text(
        &self,
        course: &Course,
        summary: &Summary,
        metrics: &Value,
        files: &[(String, u64)],
        objectives: &[Verdict],
    ) -> String {
        let mut heading = vec![
            ("pipeline", self.plan().name.clone()),
            ("endpoint", self.endpoint().unwrap_or_else(|| "none".into())),
            ("cluster", crew(course, self.options().workers, self.plan().schedule.slots)),
            ("scheduler", self.scheduler()),
        ];
        let orderly = is_served(self.plan()) && summary.counts.tasks_pending == 0;
        if course.interrupted && !orderly {
            heading
                .push(("note", "interrupted: the figures are of what was done until then".into()));
        }
        if course.failure.is_some() {
            heading.push(("note", "failed: the figures are of what was done until then".into()));
        }
        let whole = course.outcomes.iter().any(|outcome| outcome.summary.is_some());
        let mut text =
            if whole { summary_text(summary, &heading) } else { short(summary, &heading) };
        if course.earlier.total() > 0 {
            let counts = &summary.counts;
            text.push_str(&format!(
                "\nresumed     figures cover {} of {} tasks; {} were done before the last start\n",
                covered(course, counts),
                counts.tasks_in,
                course.earlier.total()
            ));
        }
        for restart in &course.restarts {
            let work = match restart.requests {
                Some(requests) => format!("{requests} requests were lost with it"),
                None => format!("up to {} tasks run again", restart.again),
            };
            text.push_str(&format!(
                "restart     worker {} was lost: {}; noticed {}, {} worker(s) ready after {:.2} s; {work}\n",
                restart.worker,
                restart.cause,
                noticed(restart.detection),
                restart.workers,
                restart.took.as_secs_f64(),
            ));
        }
        let number = |name: &str| metrics.get(name).and_then(Value::as_f64);
        if let Some(startup) = number("startup_s") {
            text.push_str(&format!(
                "\nstart-up    {startup:.2} s to the first dispatch; {:.2} s of CPU\n",
                number("cpu_s").unwrap_or(0.0)
            ));
        }
        text.push_str(&memory::text(&metrics["processes"]));
        for endpoint in metrics["endpoint_stats"].as_array().into_iter().flatten() {
            let word = |name: &str| endpoint[name].as_str().unwrap_or_default().to_owned();
            let reason = match word("limit_reason").as_str() {
                "latency_target" => "latency_target: throughput is given up for it".to_owned(),
                other => other.to_owned(),
            };
            text.push_str(&format!(
                "limit       {} at `{}` at the end ({reason}); at most {} calls at once\n",
                endpoint["limit"],
                word("name"),
                endpoint["max_in_flight"]
            ));
            if let Some(lost @ 1..) = endpoint["not_kept"].as_u64() {
                text.push_str(&format!(
                    "warning     {lost} answers of `{}` could not be kept and would be paid again (is the disk full?)\n",
                    word("name")
                ));
            }
        }
        for verdict in objectives {
            let detail = verdict.detail.join("; ");
            text.push_str(&format!("objective   {}: {detail}\n", verdict.condition));
        }
        for (place, lines) in files {
            text.push_str(&format!("output      {lines} rows in {place}\n"));
        }
        let failed = summary.counts.tasks_dead + summary.counts.tasks_late;
        text.push_str(&left_out(metrics));
        let rows = metrics["dead_rows"].as_u64().unwrap_or(0);
        let path = self.out.join(sage_dataflow::DEAD_LETTERS);
        let what = [(failed, "records"), (rows, "rows of the steps over all records")];
        for (failed, what) in what.into_iter().filter(|(failed, _)| *failed > 0) {
            text.push_str(&format!(
                "failed      {failed} {what}, each with its reason, in {}\n",
                path.display()
            ));
        }
        text
    }
}

/// A line about the records that the source left out, if there are any.
pub(crate) fn left_out(metrics: &Value) -> String {
    let records = metrics["left_out"].as_u64().filter(|records| *records > 0);
    records.map_or_else(String::new, |records| {
        let why = "like one before, or dropped before `flat_map`";
        format!("left out    {records} records that the source kept back: {why}\n")
    })
}

/// The workers and their slots, which hosts may have of their own.
fn crew(course: &Course, workers: usize, slots: u32) -> String {
    let own = course.places.iter().map(|place| place.node.slots.unwrap_or(slots));
    let own: Vec<u32> = own.collect();
    match own.first() {
        Some(first) if own.iter().any(|slots| slots != first) => {
            let each: Vec<String> = own.iter().map(u32::to_string).collect();
            format!("{workers} worker(s) with {} slots", each.join(" + "))
        }
        first => format!("{workers} worker(s) x {} slots", first.unwrap_or(&slots)),
    }
}

/// The summary of a run whose first worker did not live to give one.
fn short(summary: &Summary, heading: &[(&str, String)]) -> String {
    let mut text: String =
        heading.iter().map(|(name, value)| format!("{name:<12}{value}\n")).collect();
    let counts = &summary.counts;
    text.push_str(&format!(
        "\nrecords     in {} = ok {} + dead {} + late {} + pending {} (what is committed; how many came in was last reported up to 0.2 s before the end)\n",
        counts.tasks_in, counts.tasks_ok, counts.tasks_dead, counts.tasks_late, counts.tasks_pending
    ));
    text
}

/// The end of a process is seen at once, its silence after a while.
fn noticed(after: std::time::Duration) -> String {
    if after.is_zero() { "at once".into() } else { format!("after {:.2} s", after.as_secs_f64()) }
}
