//! Settings of an experiment, a job, a point or a quick run: which there are and what they take.
//!
//! What is none of them is a `param` of the jobs' programs, checked against its type there.

use super::Placed;
use super::job::JobDraft;
use crate::ast::{self, ExprKind};
use crate::check::endpoint::MAX_CONCURRENCY;
use crate::check::schedule::{MAX_QUEUE, MAX_SLOTS};
use crate::check::{Checker, Scope};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::experiment::{MAX_NODES, MAX_TASKS, Setting};
use crate::study::Program;
use crate::suggest::{self, closest, did_you_mean};
use crate::types::Value;

/// Where a setting stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Experiment,
    Job,
    Point,
    Quick,
}

/// What is known of a value given for a param.
enum Given {
    Value(Value),
    /// Reported, or of a program that could not be read.
    Bad,
    /// No program has such a param.
    Unknown,
}

/// Settings by name.
pub(super) const SETTINGS: &[&str] = &[
    "tasks",
    "nodes",
    "slots",
    "policy",
    "concurrency",
    "together",
    "stagger",
    "arrivals",
    "fair",
    "share",
    "endpoint",
    "deadline",
    "queue",
    "speeds",
    "failures",
    "jobs",
];

/// Settings of the whole experiment that no job has for itself.
const OF_ALL: &[&str] = &["together", "stagger", "fair", "speeds", "failures", "jobs"];

/// Entries of the experiment that are no settings of a run.
const OF_EXPERIMENT: &[&str] = &["repeat", "seed", "baseline", "report", "backends"];

/// What is called otherwise elsewhere.
const OTHER_NAMES: &[(&str, &str)] = &[
    ("workers", "nodes"),
    ("processes", "nodes"),
    ("scheduler", "policy"),
    ("records", "tasks"),
    ("requests", "tasks"),
    ("count", "tasks"),
    ("pipelines", "jobs"),
    ("pipeline", "jobs"),
    ("flows", "jobs"),
    ("flow", "jobs"),
    ("job", "jobs"),
    ("runs", "repeat"),
    ("repeats", "repeat"),
    ("trials", "repeat"),
    ("rate", "arrivals"),
    ("arrival", "arrivals"),
    ("parallel", "together"),
    ("delay", "stagger"),
    ("weight", "share"),
    ("url", "endpoint"),
    ("timeout", "deadline"),
    ("speed", "speeds"),
    ("failure", "failures"),
    ("columns", "report"),
    ("measure", "report"),
    ("metrics", "report"),
    ("measures", "report"),
    ("backend", "backends"),
];

/// The name of a setting without the block it has elsewhere.
pub(super) fn canonical(key: &str) -> &str {
    match key.strip_prefix("schedule.") {
        Some(name @ ("policy" | "slots" | "queue" | "deadline")) => name,
        _ => key,
    }
}

/// What a setting sets, one word for all of a kind.
pub(super) fn kind(setting: &Setting) -> &str {
    match setting {
        Setting::Tasks(_) => "tasks",
        Setting::Nodes(_) => "nodes",
        Setting::Slots(_) => "slots",
        Setting::Policy { .. } => "policy",
        Setting::Concurrency(_) => "concurrency",
        Setting::Together(_) => "together",
        Setting::StaggerNs(_) => "stagger",
        Setting::Arrivals(_) => "arrivals",
        Setting::Fair(_) => "fair",
        Setting::Share(_) => "share",
        Setting::Endpoint(_) => "endpoint",
        Setting::DeadlineNs(_) => "deadline",
        Setting::Queue(_) => "queue",
        Setting::Speeds(_) => "speeds",
        Setting::Failures(_) => "failures",
        Setting::Jobs(_) => "jobs",
        Setting::Param { name, .. } => name,
    }
}

impl Checker<'_> {
    /// An entry as a setting; `programs` are those of the jobs it is for.
    pub(super) fn placed(
        &mut self,
        entry: &ast::Entry,
        place: Place,
        programs: &[&Program],
    ) -> Option<Placed> {
        let (key, value) = (&entry.key, &entry.value);
        let setting = self.one_setting(key, value, place, programs, &[])?;
        Some(Placed { setting, key: key.span, value: value.span })
    }

    pub(super) fn one_setting(
        &mut self,
        key: &ast::Name,
        value: &ast::Expr,
        place: Place,
        programs: &[&Program],
        jobs: &[JobDraft],
    ) -> Option<Setting> {
        let name = canonical(&key.text);
        if !self.in_place(key, name, place) {
            return None;
        }
        Some(match name {
            "tasks" => Setting::Tasks(self.whole(name, value, 1, MAX_TASKS)?),
            "nodes" => Setting::Nodes(self.count(name, value, 1, MAX_NODES)?),
            "slots" => Setting::Slots(self.count(name, value, 1, MAX_SLOTS)?),
            "queue" => Setting::Queue(self.count(name, value, 1, MAX_QUEUE)?),
            "policy" => {
                let (name, args) = self.policy(value)?;
                Setting::Policy { name, args }
            }
            "concurrency" => self.calls_in_flight(value)?,
            "together" => Setting::Together(self.flag(value)?),
            "fair" => Setting::Fair(self.flag(value)?),
            "stagger" => Setting::StaggerNs(self.time_from(name, value, 0)?),
            "deadline" => Setting::DeadlineNs(self.time_from(name, value, 1)?),
            "arrivals" => Setting::Arrivals(self.arrivals(value)?),
            "share" => Setting::Share(self.positive(name, value)?),
            "endpoint" => {
                let text = self.text_setting(value)?;
                Setting::Endpoint(self.address(&text, value.span)?)
            }
            "speeds" => Setting::Speeds(self.speeds(value)?),
            "failures" => Setting::Failures(self.failures(value)?),
            "jobs" => Setting::Jobs(self.job_names(value, jobs)?),
            _ => {
                let name = name.strip_prefix("param.").unwrap_or(name);
                match self.param_of_jobs(name, value, programs) {
                    Given::Value(value) => Setting::Param { name: name.to_owned(), value },
                    Given::Bad => return None,
                    Given::Unknown => {
                        self.unknown_setting(key, place, programs);
                        return None;
                    }
                }
            }
        })
    }

    /// Whether a setting may stand in this place; says so if not.
    pub(super) fn in_place(&mut self, key: &ast::Name, name: &str, place: Place) -> bool {
        let whole = OF_EXPERIMENT.contains(&name) || place == Place::Job && OF_ALL.contains(&name);
        let message = if whole && place != Place::Experiment {
            format!("`{name}` is of the whole experiment")
        } else if name == "share" && place != Place::Job {
            "`share` is the weight of one job".to_owned()
        } else {
            return true;
        };
        let help = if whole {
            format!("move it out, to the settings of the experiment: `{name}: ...`")
        } else {
            "give it to a job, as in `jobs: [chat = rag { share: 2 }, bulk = llm]`".to_owned()
        };
        self.report(Diagnostic::error(codes::NOT_HERE, key.span, message).help(help));
        false
    }

    /// The value of a param of the jobs' programs.
    fn param_of_jobs(&mut self, name: &str, value: &ast::Expr, programs: &[&Program]) -> Given {
        let mut given = Given::Unknown;
        for program in programs {
            let Some((_, ty)) = program.params.iter().find(|(param, _)| param == name) else {
                continue;
            };
            // Each program has its own type, perhaps its own enum.
            let found = self.constant(value, &Scope::constant(), ty);
            given = match (given, found) {
                (Given::Bad, _) | (_, None) => Given::Bad,
                (Given::Value(before), Some(found)) if before != found => {
                    let message = format!("`{name}` has different types in the jobs' programs");
                    self.report(
                        Diagnostic::error(codes::TYPE_MISMATCH, value.span, message)
                            .help(format!("set it for each job: `jobs: [flow {{ {name}: ... }}]`")),
                    );
                    Given::Bad
                }
                (_, Some(found)) => Given::Value(found),
            };
        }
        if matches!(given, Given::Unknown) && programs.iter().any(|it| it.incomplete) {
            return Given::Bad;
        }
        given
    }

    /// Says that a name is neither a setting nor a param.
    pub(super) fn unknown_setting(&mut self, key: &ast::Name, place: Place, programs: &[&Program]) {
        let name = key.text.as_str();
        if self.full() || self.names.is_poisoned(name) {
            return;
        }
        let params = || programs.iter().flat_map(|it| &it.params).map(|(name, _)| name.as_str());
        let fits = |name: &&str| match place {
            Place::Job => !OF_ALL.contains(name),
            _ => *name != "share",
        };
        let settings = || SETTINGS.iter().copied().filter(fits);
        let more = OF_EXPERIMENT.iter().copied().filter(|_| place == Place::Experiment);
        let known: Vec<&str> = settings().chain(more).chain(params()).collect();
        let close = closest(name, known.iter().copied());
        let message = format!("unknown setting `{name}`");
        let mut diagnostic = Diagnostic::error(codes::UNKNOWN_SETTING, key.span, message);
        let other = OTHER_NAMES.iter().find(|(other, _)| *other == name).map(|(_, right)| *right);
        if let Some(right) = other {
            diagnostic = diagnostic.help(format!("it is called `{right}`"));
        } else if matches!(name, "sweep" | "claim" | "quick") {
            diagnostic = diagnostic.help(match name {
                "sweep" => "a sweep is `sweep nodes in [1, 4, 16]`",
                "claim" => "a claim is `claim \"in words\" { balance > 90% }`",
                _ => "a quick run is `quick { tasks: 40, repeat: 1 }`",
            });
        } else if let Some(best) = close.first() {
            let help = did_you_mean(name, close.iter().copied()).unwrap_or_default();
            diagnostic = diagnostic.help(help).fix(key.span, *best);
        } else {
            let mut params: Vec<&str> = params().collect();
            params.sort_unstable();
            params.dedup();
            let params = if params.is_empty() {
                "; the jobs' programs have no params".to_owned()
            } else {
                format!("; params of the jobs are {}", suggest::list(params.into_iter().take(12)))
            };
            diagnostic =
                diagnostic.help(format!("settings are {}{params}", suggest::list(settings())));
        }
        self.report(diagnostic);
    }

    /// `64` or `auto`.
    fn calls_in_flight(&mut self, written: &ast::Expr) -> Option<Setting> {
        let form = "in an experiment it is a whole number or `auto`";
        let other = match &written.kind {
            ExprKind::Name(name) if name == "auto" => return Some(Setting::Concurrency(None)),
            ExprKind::Call(_) => true,
            ExprKind::Name(name) => !self.names.values.contains_key(name.as_str()),
            _ => false,
        };
        if other {
            self.unknown_rule("concurrency", written, &["auto"], form);
            return None;
        }
        let count = self.count("concurrency", written, 1, MAX_CONCURRENCY)?;
        Some(Setting::Concurrency(Some(count)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manual;

    #[test]
    fn every_setting_is_in_the_manual() {
        let names = |table: &[(&'static str, &str)]| -> Vec<&'static str> {
            table.iter().map(|(name, _)| *name).collect()
        };
        assert_eq!(names(manual::SETTINGS), SETTINGS);
        assert_eq!(names(manual::ENTRIES), OF_EXPERIMENT);
    }
}
