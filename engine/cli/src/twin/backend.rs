//! The twin as a backend of experiments.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use sage_core::vllm::Profile;
use sage_dsl::experiment::Backend as Place;
use sage_dsl::plan::Plan;
use sage_lab::trial::{Backend, Trial, TrialError, TrialJob};
use serde_json::{Value, json};

use super::endpoints::Unknown;
use super::report::reports;
use super::{Cluster, TwinJob, TwinRun, Workshop, course, stand_in, write_jobs};
use crate::experiment;
use crate::run::changes::Changes;

/// Runs trials in virtual time.
pub(crate) struct TwinBackend {
    workshop: Workshop,
    /// Compiled plans, by what they were compiled from.
    plans: HashMap<String, Plan>,
    cores: Option<f64>,
    /// What stands in for servers that are not simulated ones.
    profile: Option<Profile>,
}

impl TwinBackend {
    /// A backend that keeps indexes and demands from trial to trial. All nodes are on one host of
    /// `cores` cores, as those of a run on this machine are, or each has a host of its own.
    /// `profile` names what stands in for servers that are not simulated ones.
    pub(crate) fn new(cores: Option<f64>, profile: Option<&str>) -> anyhow::Result<Self> {
        let profile = profile.map(stand_in).transpose()?;
        Ok(TwinBackend { workshop: Workshop::new()?, plans: HashMap::new(), cores, profile })
    }

    fn job(&mut self, job: &TrialJob) -> anyhow::Result<TwinJob> {
        let identity = serde_json::to_string(&(&job.file, &job.flow, &job.params))?;
        let mut plan = if let Some(known) = self.plans.get(&identity) {
            known.clone()
        } else {
            let plan = experiment::plan(job)?;
            self.plans.insert(identity, plan.clone());
            plan
        };
        let changes = Changes {
            policy: job.policy.clone(),
            slots: job.slots,
            queue: job.queue,
            deadline_ns: job.deadline_ns,
            endpoint: job.endpoint.clone(),
            concurrency: job.concurrency,
        };
        changes.apply(&mut plan)?;
        Ok(TwinJob {
            name: job.name.clone(),
            program: job.file.clone().into(),
            plan,
            workers: job.nodes.max(1) as usize,
            tasks: job.tasks,
            limit: None,
            arrivals: Some(job.arrivals.clone()),
            share: job.share,
            start_ns: job.start_ns,
        })
    }

    fn try_run(&mut self, trial: &Trial, folder: &Path) -> anyhow::Result<()> {
        let jobs = trial.jobs.iter().map(|job| self.job(job)).collect::<anyhow::Result<_>>()?;
        let run = TwinRun {
            jobs,
            seed: trial.seed,
            fair: trial.fair,
            cluster: Cluster {
                cores: self.cores,
                speeds: trial.speeds.clone(),
                failures: trial.failures.clone(),
            },
            profile: self.profile.clone(),
        };
        let worked = self.workshop.model(&run)?;
        let folders: Vec<PathBuf> = run.jobs.iter().map(|job| folder.join(&job.name)).collect();
        for folder in &folders {
            std::fs::create_dir_all(folder)?;
        }
        let course = course::run(&run, &worked, &folders)?;
        let mut reports = reports(&run, &worked, &course)?;
        let names: Vec<&str> = run.jobs.iter().map(|job| job.name.as_str()).collect();
        let wall = course.outcome.end_ns as f64 / 1e9;
        for (job, report) in run.jobs.iter().zip(&mut reports) {
            let mut facts = about(trial);
            facts["job"] = json!(job.name);
            facts["share"] = json!(job.share);
            facts["stagger_s"] = json!(job.start_ns as f64 / 1e9);
            facts["jobs"] = json!(names);
            facts["shared_wall_s"] = json!(wall);
            if let Some(metrics) = report.metrics.as_object_mut() {
                metrics.insert("trial".into(), facts);
            }
        }
        write_jobs(&run, &worked, &reports, &folders)
    }
}

/// What a trial says of itself.
fn about(trial: &Trial) -> Value {
    let point: serde_json::Map<String, Value> =
        trial.point.iter().map(|(name, label)| (name.clone(), json!(label))).collect();
    json!({
        "experiment": trial.experiment,
        "id": trial.id,
        "point": point,
        "repeat": trial.repeat,
        "solo": trial.solo,
        "fair": trial.fair,
    })
}

impl Backend for TwinBackend {
    fn place(&self) -> Place {
        Place::Twin
    }

    fn run(&mut self, trial: &Trial, folder: &Path) -> Result<(), TrialError> {
        self.try_run(trial, folder).map_err(|error| {
            let text = format!("{error:#}");
            if error.is::<Unknown>() {
                TrialError::NotPossible(text)
            } else {
                TrialError::Failed(text)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRAM: &str = r#"sage 1
param n: int = 3
type T { id: string @key }
endpoint llm { url: "sim:a100/qwen2.5-7b", model: "Qwen/Qwen2.5-7B-Instruct" }
source ts: T from generate(count: 20)
sink outs: T to jsonl("o.jsonl")
flow ask {
  from ts
  stage a = generate("Count to " + to_string(n) + " for " + .id) on llm { max_tokens: 8 }
  emit T { id: a.text } into outs
}
"#;

    fn job(file: &Path, name: &str, start_ns: u64) -> TrialJob {
        TrialJob {
            name: name.into(),
            flow: "ask".into(),
            file: file.display().to_string(),
            params: vec![("n".into(), sage_dsl::types::Value::Int(5))],
            tasks: Some(60),
            nodes: 2,
            slots: Some(4),
            policy: Some(("fifo".into(), Vec::new())),
            concurrency: Some(Some(3)),
            endpoint: None,
            arrivals: sage_dsl::experiment::Arrivals::Batch,
            start_ns,
            share: 1.0,
            deadline_ns: None,
            queue: None,
        }
    }

    fn trial(jobs: Vec<TrialJob>) -> Trial {
        Trial {
            id: "t".into(),
            experiment: "e".into(),
            point: vec![("policy".into(), "fifo".into())],
            repeat: 0,
            seed: 4,
            jobs,
            fair: true,
            speeds: Vec::new(),
            failures: Vec::new(),
            solo: false,
        }
    }

    fn metrics(folder: &Path, job: &str) -> Value {
        let text = std::fs::read_to_string(folder.join(job).join("metrics.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_trial_leaves_a_folder_for_each_job_with_what_a_run_writes() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("p.sage");
        std::fs::write(&file, PROGRAM).unwrap();
        let mut backend = TwinBackend::new(None, None).unwrap();
        let out = folder.path().join("out");
        let both = vec![job(&file, "one", 0), job(&file, "two", 500_000_000)];
        backend.run(&trial(both), &out).unwrap();
        for (name, offset) in [("one", 0.0), ("two", 0.5)] {
            let metrics = metrics(&out, name);
            assert_eq!((&metrics["tasks_ok"], &metrics["offset_s"]), (&60.into(), &offset.into()));
            let own = &metrics["endpoint_stats"][0];
            assert_eq!((&own["calls"], &own["ok"]), (&60.into(), &60.into()), "its own calls");
            assert_eq!(own["prompt_tokens"], metrics["prompt_tokens"]);
            assert_eq!((&own["limit"], &own["max_in_flight"]), (&3.into(), &3.into()));
            assert_eq!(metrics["trial"]["jobs"], json!(["one", "two"]));
            for file in ["tasks.csv", "setup.json", "summary.txt", "plan.json"] {
                assert!(out.join(name).join(file).is_file(), "{name}/{file}");
            }
            let plan = std::fs::read_to_string(out.join(name).join("plan.json")).unwrap();
            assert!(plan.contains("\"fifo\""));
        }
        let alone = folder.path().join("alone");
        backend.run(&trial(vec![job(&file, "one", 0)]), &alone).unwrap();
        let (shared, alone) = (metrics(&out, "one"), metrics(&alone, "one"));
        assert!(alone["makespan_s"].as_f64() < shared["makespan_s"].as_f64());
        assert_eq!(alone["prompt_tokens"], shared["prompt_tokens"]);
    }

    #[test]
    fn a_pipeline_is_looked_at_once_for_all_that_does_not_change_its_records() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("p.sage");
        std::fs::write(&file, PROGRAM).unwrap();
        let mut backend = TwinBackend::new(None, None).unwrap();
        let mut run = |change: &dyn Fn(&mut TrialJob), seed| {
            let mut job = job(&file, "one", 0);
            change(&mut job);
            let trial = Trial { seed, ..trial(vec![job]) };
            backend.run(&trial, &folder.path().join("out")).unwrap();
            backend.workshop.looks()
        };
        assert_eq!(run(&|_| {}, 1), 1);
        let policy = Some(("random".to_owned(), Vec::new()));
        assert_eq!(run(&|job| job.policy.clone_from(&policy), 1), 1);
        assert_eq!(run(&|job| (job.nodes, job.slots, job.concurrency) = (5, Some(2), None), 1), 1);
        let faster = Some("sim:a100/qwen2.5-7b@7".to_owned());
        assert_eq!(run(&|job| job.endpoint.clone_from(&faster), 1), 1);
        assert_eq!(run(&|job| job.params[0].1 = sage_dsl::types::Value::Int(6), 1), 2);
        assert_eq!(run(&|job| job.tasks = Some(61), 1), 3);
        assert_eq!(run(&|_| {}, 2), 4, "another seed is another sample of answers");
        assert_eq!(run(&|_| {}, 1), 4, "those before are kept");
    }

    #[test]
    fn what_the_twin_cannot_know_is_said_and_the_suite_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("p.sage");
        std::fs::write(&file, PROGRAM.replace("sim:a100/qwen2.5-7b", "http://gpu:8000")).unwrap();
        let mut backend = TwinBackend::new(None, None).unwrap();
        let error = backend.run(&trial(vec![job(&file, "one", 0)]), folder.path()).unwrap_err();
        assert!(matches!(&error, TrialError::NotPossible(why) if why.contains("http://gpu:8000")));
        // Unless something is named that stands in for it.
        let mut other = TwinBackend::new(None, Some("a100/qwen2.5-7b")).unwrap();
        let out = folder.path().join("out");
        other.run(&trial(vec![job(&file, "one", 0)]), &out).unwrap();
        assert_eq!(metrics(&out, "one")["tasks_ok"], 60);
        let missing = backend.run(&trial(vec![job(Path::new("no.sage"), "one", 0)]), folder.path());
        assert!(matches!(missing.unwrap_err(), TrialError::Failed(_)));
    }
}
