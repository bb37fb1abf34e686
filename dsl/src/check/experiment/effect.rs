//! What comes to nothing: settings of endpoints for flows that call none, and figures that an
//! experiment cannot have.

use super::job::JobDraft;
use super::setting::kind;
use super::{Draft, Placed};
use crate::check::Checker;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::experiment::{Condition, Setting};
use crate::span::Span;
use crate::study::Program;

/// Figures of jobs that run together.
const OF_COMPANY: &[&str] = &["isolation_spread", "parallel_gain", "jain", "slowdown"];
/// Figures that compare numbers of nodes.
const OF_SCALE: &[&str] = &["speedup", "efficiency"];
/// The sweep that those are over.
const NODES: &str = "nodes";

impl Checker<'_> {
    /// Settings of endpoints, where no job calls one.
    pub(super) fn endpoints_are_called(&mut self, draft: &Draft, programs: &[&Program]) {
        let none_calls = |jobs: &[JobDraft]| {
            !jobs.is_empty() && jobs.iter().all(|job| calls(job, programs) == Some(false))
        };
        if none_calls(&draft.jobs) {
            // A sweep is said once, whatever its points are.
            let swept = draft.sweeps.iter().flat_map(|sweep| {
                let points = sweep.points.iter().flat_map(|point| &point.settings);
                points.filter(|it| of_endpoint(it)).take(1).map(|it| {
                    let whole = kind(&it.setting) == sweep.name;
                    (kind(&it.setting), if whole { sweep.key } else { it.key })
                })
            });
            let plain = draft.settings.iter().chain(&draft.quick.settings);
            let plain = plain.filter(|it| of_endpoint(it)).map(|it| (kind(&it.setting), it.key));
            let found: Vec<(String, Span)> =
                plain.chain(swept).map(|(name, span)| (name.to_owned(), span)).collect();
            for (name, span) in found {
                self.calls_nothing(&name, span, "no job of the experiment calls an endpoint");
            }
        }
        for job in &draft.jobs {
            if !none_calls(std::slice::from_ref(job)) {
                continue;
            }
            let why = format!("job `{}` calls no endpoint", job.name.text);
            for it in job.settings.iter().filter(|it| of_endpoint(it)) {
                self.calls_nothing(kind(&it.setting), it.key, &why);
            }
        }
    }

    fn calls_nothing(&mut self, name: &str, span: Span, why: &str) {
        let message = format!("`{name}` has no effect: {why}");
        self.report(Diagnostic::warning(codes::NO_EFFECT, span, message));
    }

    /// Columns that are named by a report or a claim, each with its place, and that no run of the
    /// experiment can have.
    pub(super) fn columns_exist(&mut self, draft: &Draft, named: &[(String, Span)]) {
        if draft.broken || draft.sweeps.iter().any(|sweep| sweep.broken) {
            return;
        }
        let together = draft.sets(|setting| *setting == Setting::Together(true));
        let company = together && draft.jobs.len() > 1;
        let scale = draft.sweeps.iter().any(|sweep| sweep.name == NODES && sweep.points.len() > 1);
        for (column, span) in named {
            let (message, help) = if !company && OF_COMPANY.contains(&column.as_str()) {
                let why = if draft.jobs.len() == 1 { "there is one" } else { "these run in turn" };
                let message =
                    format!("`{column}` is a figure of jobs that run together, and {why}");
                let two = "name two jobs, as in `jobs: [a = rag, b = rag]`, and add `together`";
                (message, if draft.jobs.len() == 1 { two } else { "add `together`" })
            } else if !scale && OF_SCALE.contains(&column.as_str()) {
                let message =
                    format!("`{column}` compares numbers of nodes, and `{NODES}` is not swept");
                (message, "add a sweep such as `sweep nodes in [1, 4, 16]`")
            } else {
                continue;
            };
            self.report(Diagnostic::warning(codes::NOT_MEASURED, *span, message).help(help));
        }
    }
}

fn of_endpoint(it: &Placed) -> bool {
    matches!(it.setting, Setting::Concurrency(_) | Setting::Endpoint(_))
}

/// Whether a job's flow calls an endpoint; `None` of a flow that could not be compiled.
fn calls(job: &JobDraft, programs: &[&Program]) -> Option<bool> {
    let program = job.program.and_then(|at| programs.get(at))?;
    let plan = program.plans.iter().find(|plan| plan.name == job.flow)?;
    Some(!plan.endpoints.is_empty())
}

/// Columns in a condition, each once.
pub(super) fn columns(condition: &Condition, found: &mut Vec<String>) {
    match condition {
        Condition::Number(_) | Condition::Bool(_) => {}
        Condition::Column(column) | Condition::At { column, .. } => {
            if !found.contains(column) {
                found.push(column.clone());
            }
        }
        Condition::Over(_, inner) | Condition::Unary(_, inner) | Condition::Abs(inner) => {
            columns(inner, found);
        }
        Condition::Binary(_, left, right) => {
            columns(left, found);
            columns(right, found);
        }
    }
}
