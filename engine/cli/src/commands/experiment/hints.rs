//! Warnings of a suite: policies that go by something that the programs of its jobs do not say.

use std::collections::BTreeSet;

use sage_lab::trial::expand;

use crate::commands::hints;
use crate::experiment::{Found, Request, plan};
use crate::run::changes::Changes;

/// Says each of them once. A job that cannot be planned is reported where it is run.
pub(super) fn warn(found: &Found, request: &Request<'_>) {
    let Ok(design) = expand(&found.experiment, request.quick, request.overrides) else { return };
    let mut seen = BTreeSet::new();
    let mut said = BTreeSet::new();
    for job in design.trials.iter().flat_map(|trial| &trial.jobs) {
        let policy = job.policy.as_ref().map(|(name, _)| name.clone());
        if !seen.insert((job.file.clone(), job.flow.clone(), policy)) {
            continue;
        }
        let changes = Changes {
            policy: job.policy.clone(),
            deadline_ns: job.deadline_ns,
            ..Changes::default()
        };
        let hint = plan(job).ok().and_then(|mut plan| {
            changes.apply(&mut plan).ok()?;
            hints::of_schedule(&plan)
        });
        if let Some(hint) = hint.filter(|hint| said.insert(hint.clone())) {
            hints::warn(&hint);
        }
    }
}
