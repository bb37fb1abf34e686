//! `Sampler`: the figures of a `measure` block, one interval after the other.
//!
//! It hears the same events as the recorder, and gives out what happened since it was asked last:
//! rates and numbers of that time, times of the records that ended in it, and what is so at that
//! moment. What it keeps is one cell for each figure, node and stage, so its memory does not grow
//! with the run.

use rustc_hash::FxHashMap;
use sage_dsl::measures::{MeasureSpec, find_measure};
use sage_dsl::plan::{FigurePlan, MeasurePlan};

use super::balance::balance;
use super::histogram::Histogram;
use super::recorder::{Counts, NodeLoad, Recorder};
use super::row::{TaskOutcome, TaskRow};
use crate::event::{Event, Kind};

/// One value: a figure of an interval, of a node or stage if it is taken apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Seconds since the run began.
    pub at_s: f64,
    /// As written in the program, such as `latency.p99`.
    pub measure: String,
    /// Its unit; empty for a number without one.
    pub unit: &'static str,
    /// Of which worker.
    pub node: Option<u32>,
    /// Of which stage.
    pub stage: Option<String>,
    /// `None` where nothing was measured.
    pub value: Option<f64>,
}

/// The head line of samples as CSV, without line break.
pub const SAMPLE_HEADER: &str = "at_s,measure,unit,node,stage,value";

impl Sample {
    /// The line, without line break. What was not measured is empty, never 0.
    pub fn to_csv(&self) -> String {
        let node = self.node.map_or_else(String::new, |node| node.to_string());
        let stage = self.stage.as_deref().unwrap_or("");
        let value = self.value.map_or_else(String::new, |value| value.to_string());
        format!("{},{},{},{node},{stage},{value}", self.at_s, self.measure, self.unit)
    }

    /// The same as a JSON object.
    pub fn to_json(&self) -> String {
        let value = serde_json::json!({
            "at_s": self.at_s,
            "measure": self.measure,
            "unit": self.unit,
            "node": self.node,
            "stage": self.stage,
            "value": self.value,
        });
        value.to_string()
    }
}

/// What was gathered for one row.
#[derive(Debug, Default)]
struct Cell {
    times: Histogram,
    sum: f64,
}

/// One figure.
#[derive(Debug)]
struct Figure {
    plan: FigurePlan,
    spec: &'static MeasureSpec,
    /// By node and stage, as far as it is taken apart.
    cells: FxHashMap<(Option<u32>, Option<u16>), Cell>,
}

/// Computes the figures of one `measure` block.
#[derive(Debug)]
pub struct Sampler {
    figures: Vec<Figure>,
    /// Records that succeeded in this interval, by node.
    ok: Vec<f64>,
    stages: Vec<String>,
    every_ns: u64,
    last_ns: u64,
    /// Whether anything was heard since the last rows.
    heard: bool,
}

impl Sampler {
    /// For a run with so many nodes and these stages.
    pub fn new(plan: &MeasurePlan, nodes: usize, stages: &[String]) -> Self {
        let figure = |plan: &FigurePlan| {
            let spec = find_measure(&plan.measure)?;
            Some(Figure { plan: plan.clone(), spec, cells: FxHashMap::default() })
        };
        Sampler {
            figures: plan.figures.iter().filter_map(figure).collect(),
            ok: vec![0.0; nodes],
            stages: stages.to_vec(),
            every_ns: plan.every_ns.max(1),
            last_ns: 0,
            heard: false,
        }
    }

    /// The first interval begins now: of a run that goes on, what was before is in other rows.
    pub fn begin(&mut self, now_ns: u64) {
        self.last_ns = now_ns;
    }

    /// Take in an event, and the row that the recorder made of it.
    pub fn observe(&mut self, event: &Event, row: Option<&TaskRow>) {
        let Some(kind) = event.kind() else { return };
        self.heard = true;
        if kind == Kind::Completed
            && let Some(ok) = self.ok.get_mut(event.node as usize)
        {
            *ok += event.value as f64;
        }
        let ended = row.filter(|row| matches!(row.outcome, TaskOutcome::Ok | TaskOutcome::Partial));
        for figure in &mut self.figures {
            match figure.spec.name {
                "latency" | "scheduling" | "queueing" | "execution" => {
                    let Some(row) = ended else { continue };
                    let part = match figure.spec.name {
                        "latency" => Some(row.latency_ns()),
                        "scheduling" => row.split_ns().map(|parts| parts[0]),
                        "queueing" => row.split_ns().map(|parts| parts[1]),
                        _ => row.split_ns().map(|parts| parts[2]),
                    };
                    if let Some(ns) = part {
                        let cell = figure.cell(row.node.unwrap_or(event.node), event.stage);
                        cell.times.record(ns, u64::from(row.records));
                    }
                }
                "stage_time" if kind == Kind::StageDone => {
                    figure.cell(event.node, event.stage).times.record(event.value, 1);
                }
                "first_token" if kind == Kind::FirstToken => {
                    figure.cell(event.node, event.stage).times.record(event.value, 1);
                }
                name => {
                    if let Some(amount) = amount(name, kind, event) {
                        figure.cell(event.node, event.stage).sum += amount;
                    }
                }
            }
        }
    }

    /// When the next rows are due.
    pub fn due_ns(&self) -> u64 {
        self.last_ns.saturating_add(self.every_ns)
    }

    /// Whether something happened that is in no row yet.
    pub fn pending(&self) -> bool {
        self.heard
    }

    /// The rows of the time since the last ones. `recorder` has seen the same events.
    pub fn take(&mut self, now_ns: u64, recorder: &Recorder) -> Vec<Sample> {
        let seconds = now_ns.saturating_sub(self.last_ns) as f64 / 1e9;
        self.last_ns = now_ns;
        self.heard = false;
        let (counts, nodes) = (recorder.counts(), recorder.nodes());
        let mut samples = Vec::new();
        for figure in &mut self.figures {
            let over = |dimension: bool, count: usize| {
                if dimension { (0..count).map(Some).collect() } else { vec![None] }
            };
            let stages = over(figure.plan.by_stage, self.stages.len());
            for node in over(figure.plan.by_node, self.ok.len()) {
                for stage in &stages {
                    let at = (node.map(|it| it as u32), stage.map(|it| it as u16));
                    let cell = figure.cells.remove(&at).unwrap_or_default();
                    let value = match figure.spec.name {
                        "balance" => balance(&self.ok),
                        "in_flight" => Some(in_flight(node, nodes)),
                        "tasks_pending" => Some(pending(counts)),
                        "throughput" => (seconds > 0.0).then(|| cell.sum / seconds),
                        _ if figure.spec.statistics => statistic(&figure.plan, &cell.times),
                        _ => Some(cell.sum),
                    };
                    samples.push(Sample {
                        at_s: now_ns as f64 / 1e9,
                        measure: figure.plan.name(),
                        unit: figure.spec.unit,
                        node: at.0,
                        stage: stage.and_then(|it| self.stages.get(it)).cloned(),
                        value,
                    });
                }
            }
            // Of steps that are no stage, which only a sum over all has.
            figure.cells.clear();
        }
        self.ok.fill(0.0);
        samples
    }
}

impl Figure {
    fn cell(&mut self, node: u32, stage: u16) -> &mut Cell {
        let node = self.plan.by_node.then_some(node);
        let stage = self.plan.by_stage.then_some(stage);
        self.cells.entry((node, stage)).or_default()
    }
}

/// What an event adds to a figure that is a number.
fn amount(name: &str, kind: Kind, event: &Event) -> Option<f64> {
    let (prompt, completion) = event.tokens();
    let records = f64::from(event.records);
    let amount = match (name, kind) {
        ("throughput" | "tasks_ok", Kind::Completed) => event.value as f64,
        ("tasks_dead", Kind::Completed) => records - event.value as f64,
        ("tasks_dead" | "tasks_in", Kind::Unreadable) | ("tasks_in", Kind::Arrived) => records,
        ("tasks_late", Kind::Shed) => records,
        ("calls", Kind::StageDone) | ("failed", Kind::Failed) => 1.0,
        ("cached", Kind::Cached) => event.value as f64,
        ("retries", Kind::Retried) => event.value.max(1) as f64,
        ("prompt_tokens", Kind::StageDone) => f64::from(prompt),
        ("completion_tokens", Kind::StageDone) => f64::from(completion),
        _ => return None,
    };
    Some(amount)
}

fn in_flight(node: Option<usize>, nodes: &[NodeLoad]) -> f64 {
    let of = |node: &NodeLoad| node.in_flight as f64;
    match node {
        Some(node) => nodes.get(node).map_or(0.0, of),
        None => nodes.iter().map(of).sum(),
    }
}

fn pending(counts: Counts) -> f64 {
    counts.tasks_pending as f64
}

/// In milliseconds.
fn statistic(plan: &FigurePlan, times: &Histogram) -> Option<f64> {
    let ns = match plan.statistic.as_deref() {
        Some("p50") => times.quantile_ns(0.5),
        Some("p90") => times.quantile_ns(0.9),
        Some("p95") => times.quantile_ns(0.95),
        Some("p99") => times.quantile_ns(0.99),
        Some("max") => times.max_ns(),
        _ => times.mean_ns(),
    };
    ns.map(|ns| ns / 1e6)
}

#[cfg(test)]
mod tests {
    use sage_dsl::measures::MEASURES;

    use super::*;
    use crate::metrics::RecorderConfig;

    fn figure(measure: &str, statistic: Option<&str>, by_node: bool, by_stage: bool) -> FigurePlan {
        let statistic = statistic.map(str::to_owned);
        FigurePlan { measure: measure.to_owned(), statistic, by_node, by_stage }
    }

    fn plan(figures: Vec<FigurePlan>) -> MeasurePlan {
        MeasurePlan { kind: "csv".into(), args: Vec::new(), every_ns: 1_000, figures, line: 1 }
    }

    /// A task of one record on a node: 100 ns until the decision, 50 to the start, then `took`.
    fn task(id: u64, node: u32, at_ns: u64, took: u64) -> [Event; 5] {
        let event = |kind, after| Event { node, ..Event::new(kind, id, at_ns + after) };
        [
            event(Kind::Arrived, 0),
            event(Kind::Decided, 100),
            event(Kind::Started, 150),
            Event { value: took, stage: 1, detail: 1, ..event(Kind::StageDone, 150 + took) },
            Event { value: 1, ..event(Kind::Completed, 150 + took) },
        ]
    }

    #[test]
    fn intervals_say_what_happened_in_them_and_together_what_the_recorder_says() {
        let stages = ["a".to_owned(), "b".to_owned()];
        let figures = vec![
            figure("throughput", None, true, false),
            figure("execution", Some("max"), false, false),
            figure("calls", None, true, true),
            figure("tasks_ok", None, false, false),
            figure("balance", None, false, false),
            figure("tasks_pending", None, false, false),
        ];
        let mut sampler = Sampler::new(&plan(figures), 2, &stages);
        let mut recorder = Recorder::new(RecorderConfig::new(2, 4, stages.to_vec()));
        let mut hear = |sampler: &mut Sampler, event: Event| {
            let row = recorder.observe(&event);
            sampler.observe(&event, row.as_ref());
        };
        for id in 0..3 {
            for event in task(id, u32::from(id > 0), 0, 100 * (id + 1)) {
                hear(&mut sampler, event);
            }
        }
        hear(&mut sampler, task(9, 0, 0, 1)[0]);
        assert_eq!(sampler.due_ns(), 1_000);
        let first = sampler.take(2_000, &recorder);
        let shown: Vec<String> = first.iter().map(Sample::to_csv).collect();
        assert_eq!(
            shown,
            [
                "0.000002,throughput,records/s,0,,500000",
                "0.000002,throughput,records/s,1,,1000000",
                "0.000002,execution.max,ms,,,0.0003",
                "0.000002,calls,calls,0,a,0",
                "0.000002,calls,calls,0,b,1",
                "0.000002,calls,calls,1,a,0",
                "0.000002,calls,calls,1,b,2",
                "0.000002,tasks_ok,records,,,3",
                "0.000002,balance,,,,0.6666666666666667",
                "0.000002,tasks_pending,records,,,1",
            ]
        );
        let second = sampler.take(3_000, &recorder);
        let of = |samples: &[Sample], name: &str| {
            let of: Vec<Option<f64>> =
                samples.iter().filter(|it| it.measure == name).map(|it| it.value).collect();
            of
        };
        assert_eq!(of(&second, "tasks_ok"), [Some(0.0)]);
        assert_eq!(of(&second, "execution.max"), [None]);
        assert_eq!(of(&second, "balance"), [None]);
        assert_eq!(of(&second, "tasks_pending"), [Some(1.0)]);
        assert!(second[2].to_json().contains("\"value\":null"));
        assert_eq!(SAMPLE_HEADER.split(',').count(), shown[0].split(',').count());
    }

    #[test]
    fn every_figure_that_can_be_named_is_computed() {
        for spec in MEASURES {
            let mut all = vec![figure(spec.name, None, false, false)];
            let (node, stage) = (!spec.by.is_empty(), spec.by.len() > 1);
            all.push(figure(spec.name, spec.statistics.then_some("p90"), node, stage));
            let mut sampler = Sampler::new(&plan(all), 1, &["a".into(), "b".into()]);
            let mut recorder =
                Recorder::new(RecorderConfig::new(1, 1, vec!["a".into(), "b".into()]));
            let mut events = task(0, 0, 0, 10).to_vec();
            let last = events.pop().unwrap();
            let other = |kind| Event { value: 3, stage: 1, ..Event::new(kind, 0, 20) };
            events.extend([Kind::FirstToken, Kind::Failed, Kind::Retried, Kind::Cached].map(other));
            events.extend([last, other(Kind::Unreadable)]);
            events.push(Event::new(Kind::Arrived, 1, 30));
            events.push(Event { node: 0, ..Event::new(Kind::Decided, 1, 30) });
            events.push(Event { extra: 7 << 32 | 8, ..other(Kind::StageDone) });
            events.push(Event::new(Kind::Shed, 2, 40));
            for event in events {
                let row = recorder.observe(&event);
                sampler.observe(&event, row.as_ref());
            }
            let samples = sampler.take(100, &recorder);
            let some = |sample: &&Sample| sample.value.is_some_and(|value| value > 0.0);
            assert!(samples.iter().filter(some).count() >= 2, "{}: {samples:?}", spec.name);
        }
    }
}
