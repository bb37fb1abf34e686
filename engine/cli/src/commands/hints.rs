//! Warnings of what is asked for and does nothing: it is no error, and hardly meant.

use sage_core::policies::{self, Wants};
use sage_dsl::plan::Plan;

use crate::twin::{TwinArguments, TwinRun};

/// A policy that goes by something that the program does not say.
pub(super) fn of_schedule(plan: &Plan) -> Option<String> {
    let schedule = &plan.schedule;
    let wants = policies::find(&schedule.policy).ok()?.wants?;
    let said = match wants {
        Wants::Priority => schedule.priority.is_some(),
        Wants::Due => schedule.due.is_some() || schedule.deadline_ns.is_some(),
        Wants::Fair => schedule.fair.is_some(),
        Wants::Affinity => schedule.affinity.is_some(),
    };
    let (flow, policy, entry) = (&plan.name, &schedule.policy, wants.entry());
    (!said).then(|| {
        format!(
            "flow {flow}: `{policy}` goes by `{entry}`, and the `schedule` block has no such entry, \
             so all records are alike to it; add `{entry}`, such as `{entry}: .{entry}`"
        )
    })
}

/// Options of a prediction that say nothing about its programs.
pub(super) fn of_options(run: &TwinRun, options: &TwinArguments) -> Vec<String> {
    let mut endpoints = run.jobs.iter().flat_map(|job| &job.plan.endpoints).peekable();
    let mut hints = Vec::new();
    let none = endpoints.peek().is_none();
    if options.endpoint.is_some() && none {
        hints.push("--endpoint is not used: no program has an endpoint".to_owned());
    }
    if let Some(profile) = &options.profile {
        if none {
            hints.push("--profile is not used: no program has an endpoint".to_owned());
        } else if endpoints.all(|endpoint| {
            std::iter::once(&endpoint.url)
                .chain(&endpoint.replicas)
                .all(|url| url.starts_with("sim:"))
        }) {
            hints.push(format!(
                "--profile is not used: it stands in for servers that are not simulated, and all \
                 are; to simulate other ones give --endpoint sim:{}",
                profile.trim_start_matches("sim:")
            ));
        }
    }
    hints
}

/// Say what a prediction leaves unused.
pub(super) fn show(run: &TwinRun, options: &TwinArguments) {
    let schedules = run.jobs.iter().filter_map(|job| of_schedule(&job.plan));
    schedules.chain(of_options(run, options)).for_each(|hint| warn(&hint));
}

/// Say it.
pub(super) fn warn(hint: &str) {
    eprintln!("warning: {hint}");
}
