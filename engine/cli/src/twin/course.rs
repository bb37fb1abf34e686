//! A simulated run: its events become the figures and the table of tasks of each job, by the same
//! recorder as those of a run.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use sage_core::event::{Event, Kind};
use sage_core::metrics::{Histogram, Price, Recorder, RecorderConfig, Summary, csv_header};
use sage_dataflow::{DataflowError, Figures};
use sage_dsl::plan::Plan;
use sage_twin::Outcome;

use super::{TwinJob, TwinRun, Worked, WorkedJob};
use crate::exit::usage_of;

/// What a simulated run left.
pub(crate) struct Course {
    pub(crate) outcome: Outcome,
    /// By job.
    pub(crate) jobs: Vec<JobCourse>,
}

/// What it left of one job.
pub(crate) struct JobCourse {
    /// The figures.
    pub(crate) summary: Summary,
    /// When it began, seconds of virtual time after the first job.
    pub(crate) started_s: f64,
    /// From its beginning to its end, seconds of virtual time.
    pub(crate) wall_s: f64,
    /// Medians of the times in the stages, milliseconds; the summary has means and tails.
    pub(crate) stage_p50_ms: Vec<Option<f64>>,
}

/// Turns the events of one job into figures.
struct Listener {
    recorder: Recorder,
    stages: Vec<Histogram>,
    start_ns: u64,
    /// Of the last event.
    now_ns: u64,
    table: Option<Table>,
    figures: Figures,
    failure: Option<DataflowError>,
}

/// `tasks.csv` of a job.
struct Table {
    path: PathBuf,
    file: BufWriter<File>,
    failure: Option<std::io::Error>,
}

impl Table {
    fn create(folder: &Path, stages: &[String]) -> anyhow::Result<Table> {
        let path = folder.join(sage_dataflow::TASKS);
        let context = || format!("cannot write `{}`", path.display());
        let mut file = BufWriter::new(File::create(&path).with_context(context)?);
        writeln!(file, "{}", csv_header(stages)).with_context(context)?;
        Ok(Table { path, file, failure: None })
    }

    fn write(&mut self, line: &str) {
        if let Err(error) = writeln!(self.file, "{line}") {
            self.failure.get_or_insert(error);
        }
    }

    fn finish(mut self) -> anyhow::Result<()> {
        let done = self.failure.take().map_or_else(|| self.file.flush(), Err);
        done.with_context(|| format!("cannot write `{}`", self.path.display()))
    }
}

impl Listener {
    fn of(job: &TwinJob, worked: &WorkedJob, folder: Option<&Path>) -> anyhow::Result<Listener> {
        let plan = &job.plan;
        let stages: Vec<String> = plan.stages().map(|stage| stage.name.clone()).collect();
        let table = folder.map(|folder| Table::create(folder, &stages)).transpose()?;
        let histograms = stages.iter().map(|_| Histogram::default()).collect();
        let mut config = RecorderConfig::new(job.workers, plan.schedule.slots, stages);
        config.prices = prices(plan);
        config.deadline_ns = plan.schedule.deadline_ns.and_then(|ns| u64::try_from(ns).ok());
        let mut recorder = Recorder::new(config);
        for _ in 0..worked.unreadable {
            recorder.observe(&Event::new(Kind::Unreadable, u64::MAX, 0));
        }
        // Numbers that no task has: these end where they would enter.
        for late in 1..=worked.late {
            recorder.observe(&Event::new(Kind::Arrived, u64::MAX - late, 0));
            recorder.observe(&Event::new(Kind::Shed, u64::MAX - late, 0));
        }
        // Without a folder there is no place for them.
        let figures = folder
            .map(|folder| Figures::create(&without_output(plan), folder, job.workers, None))
            .transpose()
            .map_err(usage_of)?
            .unwrap_or_default();
        Ok(Listener {
            recorder,
            stages: histograms,
            start_ns: job.start_ns,
            now_ns: 0,
            table,
            figures,
            failure: None,
        })
    }

    /// Times of a job count from its own beginning.
    fn hear(&mut self, event: &Event) {
        if event.kind() == Some(Kind::StageDone)
            && let Some(times) = self.stages.get_mut(usize::from(event.stage))
        {
            times.record(event.value, 1);
        }
        let at_ns = event.at_ns.saturating_sub(self.start_ns);
        self.now_ns = self.now_ns.max(at_ns);
        if let Err(error) = self.figures.advance(at_ns, &self.recorder) {
            self.failure.get_or_insert(error);
        }
        let event = Event { at_ns, job: 0, ..*event };
        let row = self.recorder.observe(&event);
        self.figures.observe(&event, row.as_ref());
        if let (Some(row), Some(table)) = (row, &mut self.table) {
            table.write(&row.to_csv());
        }
    }
}

/// The standard output is for what the twin says.
fn without_output(plan: &Plan) -> Plan {
    let mut plan = plan.clone();
    plan.measures.retain(|measure| measure.file().is_some());
    plan
}

/// What the tokens of each stage's calls cost.
fn prices(plan: &Plan) -> Vec<Option<Price>> {
    let price = |endpoint: Option<usize>| {
        let endpoint = plan.endpoints.get(endpoint?)?;
        Price::of(endpoint.price_input_per_mtok, endpoint.price_output_per_mtok)
    };
    plan.stages().map(|stage| price(stage.endpoint)).collect()
}

/// Simulate `run`; the tables of tasks go into `folders`, one for each job, if there are any.
pub(crate) fn run(run: &TwinRun, worked: &Worked, folders: &[PathBuf]) -> anyhow::Result<Course> {
    let listener = |(at, (job, worked)): (usize, (&TwinJob, &WorkedJob))| {
        Listener::of(job, worked, folders.get(at).map(PathBuf::as_path))
    };
    let jobs = run.jobs.iter().zip(&worked.jobs).enumerate();
    let mut listeners = jobs.map(listener).collect::<anyhow::Result<Vec<_>>>()?;
    let mut observe = |event: &Event| {
        if let Some(listener) = listeners.get_mut(usize::from(event.job)) {
            listener.hear(event);
        }
    };
    let outcome = sage_twin::simulate(&worked.model, &mut observe).map_err(usage_of)?;
    let mut jobs = Vec::new();
    for (mut listener, job) in listeners.into_iter().zip(&outcome.jobs) {
        let written = listener.figures.finish(listener.now_ns, &listener.recorder);
        listener.failure.take().map_or(written, Err).map_err(usage_of)?;
        let summary = listener.recorder.finish();
        listener.table.map(Table::finish).transpose()?;
        let wall_ns = job.finished_ns.saturating_sub(job.started_ns);
        jobs.push(JobCourse {
            stage_p50_ms: listener
                .stages
                .iter()
                .map(|times| times.quantile_ns(0.5).map(|ns| ns / 1e6))
                .collect(),
            summary,
            started_s: job.started_ns as f64 / 1e9,
            wall_s: wall_ns as f64 / 1e9,
        });
    }
    Ok(Course { outcome, jobs })
}
