//! `run`: a pipeline on worker processes of this host or of others, or several that share what they
//! have in common.

use std::path::Path;
use std::time::Duration;

use sage_dsl::plan::Plan;

use super::hints;
use crate::args::RunArguments;
use crate::data_files;
use crate::exit::{Exit, usage};
use crate::program;
use crate::run::changes::Changes;
use crate::run::options::Options;
use crate::run::{self, JobRun};

pub(crate) fn run(arguments: RunArguments) -> anyhow::Result<Exit> {
    let changed = |mut plan: Plan| {
        Changes::of(&arguments)?.apply(&mut plan)?;
        hints::of_schedule(&plan).iter().for_each(|hint| hints::warn(hint));
        if arguments.strict_slo && plan.slo.is_empty() {
            hints::warn(&format!("--strict-slo: flow {} has no `slo` block to hold to", plan.name));
        }
        Ok(plan)
    };
    let (sets, flow) = (&arguments.sets, arguments.flow.as_deref());
    // Where a manifest is used the data is somewhere else.
    let elsewhere = |file: &Path| changed(program::one_plan(file, sets, flow)?);
    if let Some(text) = run::print::manifest(&arguments, elsewhere)? {
        print!("{text}");
        return Ok(Exit::Complete);
    }
    let plan = |file: &Path| changed(data_files::one_plan(file, sets, flow)?);
    let job = |file: &Path| Ok(JobRun::new(plan(file)?, Options::new(file, &arguments)?));
    let jobs = arguments.files.iter().map(|file| job(file));
    let jobs = jobs.collect::<anyhow::Result<Vec<_>>>()?;
    let stagger = arguments.stagger.as_deref().map(run::parse_stagger).transpose()?;
    match <[JobRun; 1]>::try_from(jobs) {
        Ok([job]) if stagger.is_none() => run::supervise(job.plan, &job.options),
        Ok(_) => Err(usage("--stagger spaces several programs; there is one")),
        Err(jobs) => run::together(jobs, stagger.unwrap_or(Duration::ZERO)),
    }
}
