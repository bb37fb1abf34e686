//! Tests of programs: one run each, in virtual time, in this thread.
//!
//! ```text
//! Test -> stage: records and sinks become files of a folder of its own
//!      -> rehearse: the dataflow of a run, its clock virtual
//!           '- world: the twin's stations answer, with the simulator's texts and faults
//!      -> figures: rows, dead letters, counts as columns -> what is expected of them
//! ```
//! The stages are those of a run and the endpoints those of the twin: a test can be wrong only
//! about what it says itself.

mod figures;
mod letters;
mod sabotage;
mod stage;
mod verdict;
mod world;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use sage_core::vllm::{Profile, profile};
use sage_dataflow::{
    Outside, Progress, Reporter, RunSettings, VirtualTime, WorkerSetup, rehearse, seeded,
};
use sage_dsl::testing::{Given, Test};

use crate::twin::{Indexes, Servers};

pub(crate) use letters::Letters;
pub(crate) use verdict::{Difference, Verdict};

/// What stands in for a server that is not simulated: a test calls nobody.
const STAND_IN: &str = "a100/qwen2.5-7b";

/// A test that was run.
pub(crate) struct Outcome {
    /// By expectation.
    pub(crate) verdicts: Vec<Verdict>,
    /// Records that came in.
    pub(crate) records: u64,
    /// How long the run took by its own clock, from the first arrival to the last outcome.
    pub(crate) virtual_s: f64,
    /// What failed.
    pub(crate) letters: Letters,
    /// How long it took.
    pub(crate) wall: Duration,
}

impl Outcome {
    /// Whether all that was expected holds.
    pub(crate) fn passed(&self) -> bool {
        self.verdicts.iter().all(|verdict| verdict.holds)
    }
}

/// Runs tests, and keeps the indexes that they have in common.
pub(crate) struct Tester {
    indexes: Indexes,
    seed: u64,
    stand_in: Profile,
}

impl Tester {
    /// For runs with this seed.
    pub(crate) fn new(seed: u64) -> anyhow::Result<Self> {
        let stand_in = profile(STAND_IN).context("there is no profile to stand in for servers")?;
        Ok(Tester { indexes: Indexes::new()?, seed, stand_in: stand_in.clone() })
    }

    /// Run one test. An error is one of the run: what is expected was not looked at.
    pub(crate) fn run(&mut self, test: &Test) -> anyhow::Result<Outcome> {
        let began = Instant::now();
        let folder = tempfile::Builder::new().prefix("sage-flow-test-").tempdir();
        let folder = folder.context("there is no place for the files of a test")?;
        let staged = stage::staged(test, folder.path())?;
        let plan = seeded(&staged, self.seed);
        crate::run::probe_for_twin(&plan)?;
        let servers = plan
            .endpoints
            .iter()
            .map(|endpoint| Servers::of(endpoint, Some(&self.stand_in)))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let indexes = self.indexes.of(&plan, &servers)?;
        let time = VirtualTime::default();
        let world = world::World::new(test, &plan, servers, self.seed, time.clone())?;
        let tasks = match &test.given {
            Given::Of(count) => Some(*count),
            Given::Records(_) => None,
        };
        let setup = WorkerSetup {
            settings: RunSettings {
                out: folder.path().to_owned(),
                generation: 1,
                origin_ns: 0,
                seed: self.seed,
                threads: 1,
                tasks,
                limit: None,
                arrivals: None,
                nodes: Vec::new(),
            },
            plan,
            index: 0,
            sockets: Vec::new(),
            endpoint: world.clone(),
            service: None,
            indexes,
            begin: None,
            stop: Arc::new(AtomicBool::new(false)),
            reporter: Arc::new(Nobody),
            outside: Outside::default(),
        };
        let outcome = rehearse(setup, time, world.as_ref())?;
        if let Some(failure) = outcome.failure {
            return Err(anyhow!(failure));
        }
        let row = figures::row(test, folder.path(), &outcome, &world)?;
        let summary = outcome.summary.context("the run has no summary")?;
        let records = summary.counts.tasks_in;
        let virtual_s = summary.makespan_s.unwrap_or(0.0);
        let verdicts = test
            .expectations
            .iter()
            .map(|expectation| verdict::of(expectation, &row))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let letters = letters::of(folder.path())?;
        Ok(Outcome { verdicts, records, virtual_s, letters, wall: began.elapsed() })
    }
}

/// Nobody listens while a test runs; what fails is in its outcome.
struct Nobody;

impl Reporter for Nobody {
    fn progress(&self, _progress: Progress) {}

    fn failure(&self, _message: String) {}
}
