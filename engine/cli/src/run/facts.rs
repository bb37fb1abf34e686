//! What is known of jobs that ran together: when each began and ended on the clock they have in
//! common, and what they asked of the endpoints all together.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::JobRun;
use super::execute::Executed;
use super::report::write_json;

/// The file of a folder of jobs that tells what holds for all.
pub(crate) const TRIAL: &str = "trial.json";

/// Put the facts into the jobs' `metrics.json` and `root/trial.json`; `about` is what else there is
/// to say of the run.
pub(crate) fn write(
    jobs: &[JobRun],
    executed: &mut Executed,
    fair: bool,
    root: &Path,
    about: Map<String, Value>,
) -> anyhow::Result<()> {
    let whole: Vec<_> = executed.results.iter().filter_map(|result| result.as_ref().ok()).collect();
    let began = whole.iter().filter_map(|result| result.began_s).min_by(f64::total_cmp);
    let ended = whole.iter().map(|result| result.ended_s).max_by(f64::total_cmp);
    let wall = began.zip(ended).map(|(began, ended)| ended - began);
    let names: Vec<&str> = jobs.iter().map(|job| job.name.as_str()).collect();
    let mut entries = Vec::new();
    for (job, result) in jobs.iter().zip(&mut executed.results) {
        let mut facts = Map::new();
        facts.insert("job".into(), json!(job.name));
        facts.insert("pipeline".into(), json!(job.plan.name));
        facts.insert("share".into(), json!(job.share));
        facts.insert("stagger_s".into(), json!(job.start_ns as f64 / 1e9));
        match result {
            Ok(result) => {
                facts.insert("status".into(), result.metrics["status"].clone());
                facts.insert("began_s".into(), json!(result.began_s));
                facts.insert("ended_s".into(), json!(result.ended_s));
                if let Some(metrics) = result.metrics.as_object_mut() {
                    let mut trial = about.clone();
                    trial.append(&mut facts.clone());
                    trial.insert("jobs".into(), json!(names));
                    trial.insert("fair".into(), json!(fair));
                    trial.insert("shared_wall_s".into(), json!(wall));
                    // All jobs of a trial read the same clock. To lay the tables of several over
                    // each other, add this to their times.
                    metrics.insert("offset_s".into(), json!(0.0));
                    metrics.insert("trial".into(), Value::Object(trial));
                    result.write_metrics()?;
                }
            }
            Err(error) => {
                facts.insert("status".into(), json!("failed"));
                facts.insert("failure".into(), json!(format!("{error:#}")));
            }
        }
        entries.push(Value::Object(facts));
    }
    let mut trial = about;
    trial.insert("fair".into(), json!(fair));
    trial.insert("shared_wall_s".into(), json!(wall));
    trial.insert("jobs".into(), Value::Array(entries));
    trial.insert("endpoints".into(), serde_json::to_value(&executed.endpoints)?);
    write_json(root, TRIAL, &Value::Object(trial))
}
