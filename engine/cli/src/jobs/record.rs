//! What is kept of a job, as JSON.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use sage_core::metrics::Counts;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::process::{Life, Machine, Place, Process};
use crate::exit::Exit;

/// Version of the record; a reader refuses newer ones, and goes on with the others.
pub(super) const SCHEMA: u64 = 1;

/// The verb that made the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Run,
    Retry,
    Experiment,
}

impl Kind {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Kind::Run => "run",
            Kind::Retry => "retry",
            Kind::Experiment => "experiment",
        }
    }
}

/// How a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    Running,
    /// Asked to stop; calls in flight may end.
    Stopping,
    Complete,
    Incomplete,
    Failed,
    Interrupted,
    /// Its supervisor is gone and has not said how it ended. Never written, only seen.
    Lost,
}

impl State {
    pub(crate) fn word(self) -> &'static str {
        match self {
            State::Running => "running",
            State::Stopping => "stopping",
            State::Complete => "complete",
            State::Incomplete => "incomplete",
            State::Failed => "failed",
            State::Interrupted => "interrupted",
            State::Lost => "lost",
        }
    }

    /// Whether the supervisor works on it.
    pub(crate) fn goes_on(self) -> bool {
        matches!(self, State::Running | State::Stopping)
    }
}

impl From<Exit> for State {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Complete => State::Complete,
            Exit::Incomplete => State::Incomplete,
            Exit::Usage | Exit::Failed => State::Failed,
            Exit::Interrupted => State::Interrupted,
        }
    }
}

/// A worker process of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Worker {
    /// The job's name within the run: a command may run several pipelines.
    pub(crate) of: String,
    pub(crate) index: usize,
    #[serde(flatten)]
    pub(crate) process: Process,
}

/// The trials of an experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Trials {
    pub(crate) done: usize,
    pub(crate) of: usize,
}

/// A job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(super) schema: u64,
    pub(crate) id: String,
    pub(crate) kind: Kind,
    pub(super) state: State,
    pub(crate) exit_code: Option<u8>,
    /// Names of the flows, or of the experiments.
    pub(crate) pipelines: Vec<String>,
    /// Words behind the name of the program, without secrets.
    pub(crate) command: Vec<String>,
    /// Why the command cannot be given again as it is kept here.
    pub(crate) not_again: Option<String>,
    /// Where it was given.
    pub(crate) directory: PathBuf,
    /// Output folders, absolute; the first holds the others, if it does.
    pub(crate) folders: Vec<PathBuf>,
    /// RFC 3339 in UTC to the millisecond, so that the order of the texts is that of the times.
    pub(crate) started: String,
    pub(crate) ended: Option<String>,
    /// How often it was started: more than once if it was resumed.
    pub(crate) starts: u32,
    /// What calls in flight are given when it is asked to stop, seconds.
    pub(crate) drain_s: f64,
    /// Records by outcome, over all pipelines; of an experiment, over what this process has run.
    pub(crate) counts: Counts,
    /// Of an experiment.
    pub(crate) trials: Option<Trials>,
    pub(super) machine: Machine,
    pub(crate) supervisor: Process,
    pub(crate) workers: Vec<Worker>,
    /// Version of the program.
    pub(super) version: String,
}

impl Record {
    /// How it stands, from what it said and whether its supervisor lives.
    pub(crate) fn state(&self) -> State {
        if !self.state.goes_on() {
            return self.state;
        }
        match self.place() {
            Place::Here if self.supervisor.life() == Life::Ended => State::Lost,
            Place::Before => State::Lost,
            Place::Here | Place::Elsewhere => self.state,
        }
    }

    pub(super) fn place(&self) -> Place {
        self.machine.seen_from(&Machine::here())
    }

    /// The host it is on, if it is another and its processes cannot be seen from here.
    pub(crate) fn elsewhere(&self) -> Option<&str> {
        (self.place() == Place::Elsewhere).then_some(self.machine.host.as_str())
    }

    /// What the supervisor does, seen from here.
    pub(crate) fn supervisor_life(&self) -> Option<Life> {
        self.life(self.supervisor)
    }

    /// What a process of the job does; `None` if it cannot be seen from here.
    pub(crate) fn life(&self, process: Process) -> Option<Life> {
        match self.place() {
            Place::Here => Some(process.life()),
            Place::Before => Some(Life::Ended),
            Place::Elsewhere => None,
        }
    }

    /// Workers that have not ended.
    pub(crate) fn living(&self) -> Vec<&Worker> {
        let lives =
            |worker: &&Worker| self.life(worker.process).is_some_and(|life| life != Life::Ended);
        self.workers.iter().filter(lives).collect()
    }

    /// How long it has been going on, or went on; `None` where that is not known.
    pub(crate) fn took(&self) -> Option<Duration> {
        let began = humantime::parse_rfc3339(&self.started).ok()?;
        let ended = match &self.ended {
            Some(ended) => humantime::parse_rfc3339(ended).ok()?,
            None if self.state().goes_on() => SystemTime::now(),
            None => return None,
        };
        ended.duration_since(began).ok()
    }

    /// Whether it writes into `folder`, which is absolute.
    pub(crate) fn writes_to(&self, folder: &Path) -> bool {
        self.folders.iter().any(|own| own == folder)
    }

    /// Everything, with what can be seen of it now, for programs.
    pub(crate) fn view(&self) -> Value {
        let mut view = serde_json::to_value(self).unwrap_or_default();
        view["state"] = json!(self.state());
        view["seconds"] = json!(self.took().map(|took| took.as_secs_f64()));
        view["elsewhere"] = json!(self.elsewhere());
        view["supervisor"]["life"] = json!(self.supervisor_life());
        for (worker, shown) in
            self.workers.iter().zip(view["workers"].as_array_mut().into_iter().flatten())
        {
            shown["life"] = json!(self.life(worker.process));
        }
        view
    }
}

/// The counts in words, as in a summary.
pub(crate) fn counted(counts: &Counts) -> String {
    let Counts { tasks_in, tasks_ok, tasks_dead, tasks_late, tasks_pending } = counts;
    format!(
        "in {tasks_in} = ok {tasks_ok} + dead {tasks_dead} + late {tasks_late} + pending {tasks_pending}"
    )
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A job of this very process.
    pub(crate) fn example(id: &str) -> Record {
        Record {
            schema: SCHEMA,
            id: id.to_owned(),
            kind: Kind::Run,
            state: State::Running,
            exit_code: None,
            pipelines: vec!["rag".into()],
            command: vec!["run".into(), "rag.sage".into()],
            not_again: None,
            directory: "/somewhere".into(),
            folders: vec!["/somewhere/out".into()],
            started: "2026-01-02T03:04:05.678Z".into(),
            ended: None,
            starts: 1,
            drain_s: 30.0,
            counts: Counts::default(),
            trials: None,
            machine: Machine::here(),
            supervisor: Process::of(std::process::id()).unwrap(),
            workers: Vec::new(),
            version: "0".into(),
        }
    }

    #[test]
    fn a_supervisor_that_is_gone_without_a_word_makes_the_job_lost() {
        let mut record = example("a");
        assert_eq!(record.state(), State::Running);
        record.supervisor.start -= 1;
        assert_eq!(record.state(), State::Lost);
        assert_eq!(record.view()["state"], "lost");
        assert_eq!(record.view()["supervisor"]["life"], "ended");
        record.state = State::Complete;
        assert_eq!(record.state(), State::Complete, "it has said so");
        record.state = State::Stopping;
        record.machine = Machine { host: "of another host".into(), ..Machine::default() };
        assert_eq!(record.state(), State::Stopping, "nobody here can know");
        assert_eq!(record.elsewhere(), Some("of another host"));
    }
}
